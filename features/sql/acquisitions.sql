-- Which accounts were bought within 52 weeks?
-- The account's own record says who bought it, or an event in the market names it. Grain in: cohort, as_of_grid,
-- accounts_history (states), market_lives. Grain out: one row per cohort row of an account that was bought.
WITH known AS (
    SELECT
        g.as_of,
        a.account_id,
        a.acquired_by_account_id,
        a.op,
        MIN(CASE WHEN a.op = 'upsert' AND a.acquired_by_account_id IS NOT NULL THEN a.valid_from END) OVER (
            PARTITION BY g.as_of, a.account_id
        ) AS acquired_at,
        ROW_NUMBER() OVER (
            PARTITION BY g.as_of, a.account_id ORDER BY a.valid_from DESC, a.available_at DESC, a.row_hash
        ) AS recency
    FROM as_of_grid AS g
    INNER JOIN accounts_history AS a
        ON a.available_at <= g.as_of AND a.valid_from <= g.as_of
),

bought AS (
    SELECT
        as_of,
        account_id,
        CAST(acquired_at AS DATE) AS acquired_on
    FROM known
    WHERE recency = 1 AND op = 'upsert' AND acquired_by_account_id IS NOT NULL
    UNION ALL
    SELECT
        g.as_of,
        e.account_id,
        e.announced_on AS acquired_on
    FROM as_of_grid AS g
    INNER JOIN market_lives AS e
        ON CAST(g.as_of AS DATE) >= e.known_on AND CAST(g.as_of AS DATE) < e.gone_on
    WHERE e.type = 'acquisition' AND e.account_id IS NOT NULL
)

SELECT DISTINCT
    c.account_id,
    c.as_of
FROM cohort AS c
INNER JOIN bought AS b
    ON c.account_id = b.account_id AND c.as_of = b.as_of
WHERE b.acquired_on >= CAST(c.as_of AS DATE) - 364
