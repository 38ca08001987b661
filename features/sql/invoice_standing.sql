-- How did each invoice of an account stand at each snapshot, and what is its money worth in the contract's currency?
-- Money in another currency than the contract's is converted at the last rate known at as_of; without a rate
-- to_contract_currency is null.
-- Grain in: cohort, invoice_lives, fx_rates, minor_units. Grain out: one row per cohort row and invoice known then.
WITH ranked_rates AS (
    SELECT
        g.as_of,
        x.currency,
        x.to_reporting,
        ROW_NUMBER() OVER (
            PARTITION BY g.as_of, x.currency ORDER BY x.rate_on DESC, x.available_at DESC, x.row_hash
        ) AS recency
    FROM as_of_grid AS g
    INNER JOIN fx_rates AS x
        ON
            x.available_at <= g.as_of
            AND x.rate_on <= CAST(g.as_of AS DATE)
            -- A rate older than a quarter is no rate.
            AND x.rate_on > CAST(g.as_of AS DATE) - 91
),

rates AS (
    SELECT
        r.as_of,
        r.currency,
        r.to_reporting / NULLIF(u.per_major, 0) AS minor_to_reporting
    FROM ranked_rates AS r
    INNER JOIN minor_units AS u
        ON r.currency = u.currency
    WHERE r.recency = 1
),

snapshots AS (
    SELECT
        c.account_id,
        c.as_of,
        CAST(c.as_of AS DATE) AS on_date,
        c.currency
    FROM cohort AS c
    INNER JOIN minor_units AS u
        ON c.currency = u.currency
)

SELECT
    s.account_id,
    s.as_of,
    s.on_date,
    i.invoice_id,
    i.status,
    i.issued_on,
    i.due_on,
    i.attempts,
    CASE WHEN i.status IN ('open', 'uncollectible') THEN 1 ELSE 0 END AS is_open,
    CASE WHEN i.status IN ('open', 'paid', 'uncollectible') AND i.amount_due_minor > 0 THEN 1 ELSE 0 END AS owes,
    CASE
        WHEN i.late_after_on IS NULL THEN 0
        ELSE GREATEST(DATE_DIFF('day', i.late_after_on, COALESCE(i.paid_on, s.on_date)), 0)
    END AS days_late,
    CASE
        WHEN i.late_after_on IS NULL THEN 0
        ELSE DATE_DIFF('day', i.late_after_on, COALESCE(i.paid_on, s.on_date))
    END AS days_past_due,
    CASE WHEN i.currency = s.currency THEN 1 ELSE ri.minor_to_reporting / NULLIF(rc.minor_to_reporting, 0) END
        AS to_contract_currency,
    i.amount_due_minor,
    i.remaining_minor
FROM snapshots AS s
INNER JOIN invoice_lives AS i
    ON s.account_id = i.account_id AND s.on_date >= i.known_on AND s.on_date < i.gone_on
LEFT JOIN rates AS ri
    ON s.as_of = ri.as_of AND i.currency = ri.currency AND i.currency <> s.currency
LEFT JOIN rates AS rc
    ON s.as_of = rc.as_of AND s.currency = rc.currency AND i.currency <> s.currency
