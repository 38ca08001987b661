-- What was known of each contract on every Monday (as_of), of its seats, and of the account's first start (tenure)?
-- Grain in: contracts_history, subscription_lines_history (states). Grain out: one row per contract and Monday after
-- run.settled_at.
WITH unsettled AS (
    SELECT w.week_start
    FROM weeks AS w
    CROSS JOIN run AS r
    WHERE w.week_start > r.settled_at
),

known AS (
    SELECT
        g.week_start AS as_of,
        c.contract_id,
        c.account_id,
        c.signed_on,
        c.start_on,
        c.end_on,
        CAST(c.term_months AS INTEGER) AS term_months,
        CAST(COALESCE(c.notice_period_days, 0) AS INTEGER) AS notice_days,
        c.auto_renew,
        c.acv_minor,
        c.currency,
        c.discount_pct,
        c.op,
        MIN(c.start_on) OVER (PARTITION BY g.week_start, c.account_id) AS first_start_on,
        ROW_NUMBER() OVER (
            PARTITION BY g.week_start, c.contract_id ORDER BY c.valid_from DESC, c.available_at DESC, c.row_hash
        ) AS recency
    FROM unsettled AS g
    INNER JOIN contracts_history AS c
        ON c.available_at <= g.week_start AND c.valid_from <= g.week_start
),

seen_lines AS (
    SELECT
        *,
        GREATEST(valid_from, available_at) AS seen_at
    FROM subscription_lines_history
),

-- A state of a line falls when a later one becomes known.
ranked_lines AS (
    SELECT
        *,
        MIN(seen_at) OVER (
            PARTITION BY line_id
            ORDER BY valid_from, available_at, row_hash DESC
            ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING
        ) AS overruled_at
    FROM seen_lines
),

seats AS (
    SELECT
        g.week_start AS as_of,
        l.contract_id,
        CAST(SUM(l.quantity) AS BIGINT) AS seats
    FROM ranked_lines AS l
    INNER JOIN unsettled AS g
        ON l.seen_at <= g.week_start
    WHERE
        l.op = 'upsert'
        -- Tokens and metered units are no seats.
        AND COALESCE(l.status, 'active') <> 'ended'
        AND COALESCE(l.usage_type, 'licensed') = 'licensed'
        AND (l.overruled_at IS NULL OR g.week_start < l.overruled_at)
    GROUP BY g.week_start, l.contract_id
)

SELECT
    k.as_of,
    k.contract_id,
    k.account_id,
    k.signed_on,
    k.start_on,
    k.end_on,
    k.term_months,
    k.notice_days,
    k.auto_renew,
    k.acv_minor,
    k.currency,
    k.discount_pct,
    k.first_start_on,
    s.seats
FROM known AS k
LEFT JOIN seats AS s
    ON k.as_of = s.as_of AND k.contract_id = s.contract_id
WHERE k.recency = 1 AND k.op = 'upsert'
