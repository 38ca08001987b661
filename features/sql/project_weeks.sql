-- How many projects of an account were active on each Monday, as known then, and for how many weeks of a year none was?
-- Grain in: project_lives, weeks. Grain out: one row per account with project data and Monday; idle weeks are counted
-- from the account's first active project.
WITH signs AS (
    SELECT 1 AS sign
    UNION ALL
    SELECT -1 AS sign
),

changes AS (
    SELECT
        p.account_id,
        CASE WHEN g.sign = 1 THEN p.known_on ELSE p.gone_on END AS on_date,
        g.sign AS change,
        0 AS is_week
    FROM project_lives AS p
    CROSS JOIN signs AS g
    WHERE p.status_canonical = 'active'
    UNION ALL
    SELECT
        p.account_id,
        CAST(w.week_start AS DATE) AS on_date,
        0 AS change,
        1 AS is_week
    FROM (SELECT DISTINCT account_id FROM project_lives) AS p
    CROSS JOIN weeks AS w
),

movements AS (
    SELECT
        account_id,
        on_date,
        SUM(change) AS change,
        MAX(is_week) AS is_week
    FROM changes
    GROUP BY account_id, on_date
),

standing AS (
    SELECT
        account_id,
        on_date,
        is_week,
        CAST(
            SUM(change) OVER (
                PARTITION BY account_id ORDER BY on_date ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
            ) AS BIGINT
        ) AS active_projects
    FROM movements
),

begun AS (
    SELECT
        account_id,
        on_date,
        active_projects,
        MAX(active_projects) OVER (
            PARTITION BY account_id ORDER BY on_date ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS most_so_far
    FROM standing
    WHERE is_week = 1
)

SELECT
    account_id,
    on_date,
    active_projects,
    CAST(
        SUM(CASE WHEN active_projects = 0 AND most_so_far > 0 THEN 1 ELSE 0 END) OVER (
            PARTITION BY account_id ORDER BY on_date ROWS BETWEEN 51 PRECEDING AND CURRENT ROW
        ) AS BIGINT
    ) AS idle_weeks_w52
FROM begun
