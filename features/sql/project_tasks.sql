-- How many tasks has each active project at each snapshot, as known then, and how many of them were started?
-- Grain in: task_lives, project_lives, as_of_grid. Grain out: one row per active project with tasks and snapshot.
WITH signs AS (
    SELECT 1 AS sign
    UNION ALL
    SELECT -1 AS sign
),

changes AS (
    SELECT
        t.project_id,
        CASE WHEN g.sign = 1 THEN t.known_on ELSE t.gone_on END AS on_date,
        g.sign AS tasks,
        g.sign * t.is_started AS started,
        0 AS is_snapshot
    FROM task_lives AS t
    CROSS JOIN signs AS g
    WHERE t.status_canonical <> 'omitted'
    UNION ALL
    SELECT
        p.project_id,
        CAST(r.as_of AS DATE) AS on_date,
        0 AS tasks,
        0 AS started,
        1 AS is_snapshot
    FROM project_lives AS p
    INNER JOIN as_of_grid AS r
        ON p.known_on <= CAST(r.as_of AS DATE) AND p.gone_on > CAST(r.as_of AS DATE)
    WHERE p.status_canonical = 'active'
),

movements AS (
    SELECT
        project_id,
        on_date,
        SUM(tasks) AS tasks,
        SUM(started) AS started,
        MAX(is_snapshot) AS is_snapshot
    FROM changes
    GROUP BY project_id, on_date
),

standing AS (
    SELECT
        project_id,
        on_date,
        is_snapshot,
        CAST(
            SUM(tasks) OVER (
                PARTITION BY project_id ORDER BY on_date ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
            ) AS BIGINT
        ) AS tasks,
        CAST(
            SUM(started) OVER (
                PARTITION BY project_id ORDER BY on_date ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
            ) AS BIGINT
        ) AS started
    FROM movements
)

SELECT
    project_id,
    on_date,
    tasks,
    started
FROM standing
WHERE is_snapshot = 1 AND tasks > 0
