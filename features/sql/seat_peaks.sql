-- How many seats were active in the busiest of the last 26 weeks, as known at each snapshot?
-- Grain in: usage_changes, as_of_grid, run. Grain out: one row per account and snapshot from the first at which usage
-- was known.
WITH recent AS (
    SELECT
        c.account_id,
        c.week_start,
        c.as_of,
        c.users
    FROM usage_changes AS c
    CROSS JOIN run AS r
    WHERE c.week_start >= r.first_as_of - INTERVAL 182 DAY
),

known AS (
    SELECT
        account_id,
        week_start,
        as_of AS from_as_of,
        LEAD(as_of) OVER (PARTITION BY account_id, week_start ORDER BY as_of) AS until_as_of,
        CAST(
            SUM(users) OVER (
                PARTITION BY account_id, week_start ORDER BY as_of ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
            ) AS BIGINT
        ) AS users
    FROM recent
),

grid AS (
    SELECT
        as_of,
        as_of - INTERVAL 182 DAY AS oldest_week
    FROM as_of_grid
),

beginnings AS (
    SELECT
        account_id,
        MIN(as_of) AS first_as_of
    FROM usage_changes
    GROUP BY account_id
),

peaks AS (
    SELECT
        k.account_id,
        g.as_of,
        MAX(k.users) AS users
    FROM known AS k
    INNER JOIN grid AS g
        ON
            g.as_of >= k.from_as_of
            AND g.oldest_week <= k.week_start
            AND (k.until_as_of IS NULL OR g.as_of < k.until_as_of)
    GROUP BY k.account_id, g.as_of
)

SELECT
    b.account_id,
    g.as_of,
    COALESCE(p.users, 0) AS users
FROM beginnings AS b
INNER JOIN as_of_grid AS g
    ON b.first_as_of <= g.as_of
LEFT JOIN peaks AS p
    ON b.account_id = p.account_id AND g.as_of = p.as_of
