-- What changed when the contract was last renewed, and for how long has it not renewed by itself?
-- Grain in: cohort, contract_states. Grain out: one row per cohort row. before_* is the last state of the term before:
-- of the same contract, or else of one of the account's that ended within 91 days before to 31 days after the start of
-- this one. off_weeks of the last 27 Mondays (26 weeks, both ends) the contract was known not to renew by itself,
-- told_weeks of them it was known whether it does.
WITH states AS (
    SELECT
        *,
        LAG(as_of) OVER known AS as_of_before,
        LAG(start_on) OVER known AS start_before_on,
        LAG(COALESCE(end_on, DATE '2999-12-30')) OVER known AS end_before_on,
        LAG(acv_minor) OVER known AS acv_before,
        LAG(COALESCE(seats, -1)) OVER known AS seats_before,
        LAG(currency) OVER known AS currency_before
    FROM contract_states
    WINDOW known AS (PARTITION BY contract_id ORDER BY as_of)
),

-- A state stands until the next one: only the Mondays on which something changed are needed.
changes AS (
    SELECT
        account_id,
        contract_id,
        as_of AS from_as_of,
        start_on,
        end_on,
        acv_minor,
        seats,
        currency
    FROM states
    WHERE
        as_of_before IS NULL
        OR start_on <> start_before_on
        OR COALESCE(end_on, DATE '2999-12-30') <> end_before_on
        OR acv_minor <> acv_before
        OR COALESCE(seats, -1) <> seats_before
        OR currency <> currency_before
),

ranked AS (
    SELECT
        c.account_id,
        c.as_of,
        h.end_on,
        h.acv_minor,
        h.seats,
        h.currency,
        ROW_NUMBER() OVER (
            PARTITION BY c.account_id, c.as_of
            ORDER BY
                CASE WHEN h.contract_id = c.contract_id THEN 0 ELSE 1 END, h.start_on DESC, h.from_as_of DESC,
                h.contract_id
        ) AS recency
    FROM cohort AS c
    INNER JOIN changes AS h
        ON c.account_id = h.account_id AND c.as_of >= h.from_as_of
    WHERE
        h.start_on < c.start_on
        AND (h.contract_id = c.contract_id OR (h.end_on >= c.start_on - 91 AND h.end_on <= c.start_on + 31))
),

renewing AS (
    SELECT
        contract_id,
        as_of,
        signed_on,
        acv_minor,
        seats,
        CAST(SUM(CASE WHEN auto_renew THEN 0 WHEN auto_renew IS NOT NULL THEN 1 ELSE 0 END) OVER w27 AS BIGINT)
            AS off_weeks,
        COUNT(auto_renew) OVER w27 AS told_weeks
    FROM contract_states
    WINDOW w27 AS (PARTITION BY contract_id ORDER BY as_of ROWS BETWEEN 26 PRECEDING AND CURRENT ROW)
)

SELECT
    c.account_id,
    c.as_of,
    c.currency,
    n.signed_on,
    n.acv_minor,
    n.seats,
    n.off_weeks,
    n.told_weeks,
    b.end_on AS before_end_on,
    b.acv_minor AS before_acv_minor,
    b.seats AS before_seats,
    b.currency AS before_currency
FROM cohort AS c
INNER JOIN renewing AS n
    ON c.contract_id = n.contract_id AND c.as_of = n.as_of
LEFT JOIN ranked AS b
    ON c.account_id = b.account_id AND c.as_of = b.as_of AND b.recency = 1
