-- What was known of each account on every Monday (as_of)? The latest state that held and was known by then.
-- Grain in: accounts_history (states). Grain out: one row per account and Monday after run.settled_at, from the first
-- week with data. A state falls when a later one becomes known, so each stands in one stretch of Mondays.
WITH seen AS (
    SELECT
        *,
        GREATEST(valid_from, available_at) AS seen_at
    FROM accounts_history
),

ranked AS (
    SELECT
        *,
        MIN(seen_at) OVER (
            PARTITION BY account_id
            ORDER BY valid_from, available_at, row_hash DESC
            ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING
        ) AS overruled_at
    FROM seen
)

SELECT
    g.week_start AS as_of,
    a.account_id,
    a.parent_account_id,
    a.name AS account_name,
    a.segment,
    a.country,
    a.hq_tz,
    a.csm_owner_id,
    a.consent_pm_data
FROM ranked AS a
INNER JOIN weeks AS g
    ON a.seen_at <= g.week_start
CROSS JOIN run AS r
WHERE
    g.week_start > r.settled_at
    AND a.op = 'upsert'
    AND NOT COALESCE(a.is_internal, FALSE)
    AND NOT COALESCE(a.is_test, FALSE)
    AND (a.overruled_at IS NULL OR g.week_start < a.overruled_at)
