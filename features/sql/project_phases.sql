-- In which phase of its projects is an account at each snapshot, as known then?
-- Grain in: project_lives, milestone_lives, project_tasks, as_of_grid. Grain out: one row per account with project data
-- and snapshot; project_phase is that of most active projects (delivery before production before planning where equal).
-- An active project is in delivery up to 14 days before and after a delivery or air date (done: when; else: planned),
-- else in planning while less than a tenth of its tasks is started, else, and where no tasks are known, in production.
-- Without an active project the account is in wrap for 42 days from its last delivery, then idle.
WITH known AS (
    SELECT
        p.account_id,
        CAST(r.as_of AS DATE) AS on_date
    FROM (SELECT account_id, MIN(known_on) AS since FROM project_lives GROUP BY account_id) AS p
    INNER JOIN as_of_grid AS r
        ON p.since <= CAST(r.as_of AS DATE)
),

active AS (
    SELECT
        p.account_id,
        p.project_id,
        CAST(r.as_of AS DATE) AS on_date
    FROM project_lives AS p
    INNER JOIN as_of_grid AS r
        ON p.known_on <= CAST(r.as_of AS DATE) AND p.gone_on > CAST(r.as_of AS DATE)
    WHERE p.status_canonical = 'active'
),

delivering AS (
    SELECT DISTINCT
        a.project_id,
        a.on_date
    FROM active AS a
    INNER JOIN milestone_lives AS m
        ON a.project_id = m.project_id AND m.known_on <= a.on_date AND m.gone_on > a.on_date
    WHERE
        m.kind IN ('delivery', 'airdate')
        AND m.status_canonical <> 'waived'
        AND COALESCE(m.completed_on, m.planned_on) >= a.on_date - 14
        AND COALESCE(m.completed_on, m.planned_on) <= a.on_date + 14
),

counted AS (
    SELECT
        a.account_id,
        a.on_date,
        CAST(SUM(CASE WHEN d.project_id IS NOT NULL THEN 1 ELSE 0 END) AS BIGINT) AS delivery,
        CAST(
            SUM(CASE WHEN d.project_id IS NULL AND 10 * t.started < t.tasks THEN 1 ELSE 0 END) AS BIGINT
        ) AS planning,
        COUNT(*) AS projects
    FROM active AS a
    LEFT JOIN delivering AS d
        ON a.project_id = d.project_id AND a.on_date = d.on_date
    LEFT JOIN project_tasks AS t
        ON a.project_id = t.project_id AND a.on_date = t.on_date
    GROUP BY a.account_id, a.on_date
),

deliveries AS (
    SELECT
        account_id,
        end_on AS delivered_on,
        known_on,
        gone_on
    FROM project_lives
    WHERE status_canonical = 'delivered'
    UNION ALL
    SELECT
        account_id,
        completed_on AS delivered_on,
        known_on,
        gone_on
    FROM milestone_lives
    WHERE kind IN ('delivery', 'airdate') AND status_canonical <> 'waived'
),

wrapped AS (
    SELECT DISTINCT
        d.account_id,
        CAST(r.as_of AS DATE) AS on_date
    FROM deliveries AS d
    INNER JOIN as_of_grid AS r
        ON
            d.delivered_on <= CAST(r.as_of AS DATE)
            AND d.delivered_on >= CAST(r.as_of AS DATE) - 42
            AND d.known_on <= CAST(r.as_of AS DATE)
            AND d.gone_on > CAST(r.as_of AS DATE)
)

SELECT
    k.account_id,
    k.on_date,
    COALESCE(c.planning, 0) AS planning,
    COALESCE(c.projects - c.planning - c.delivery, 0) AS production,
    COALESCE(c.delivery, 0) AS delivery,
    CASE
        WHEN c.projects IS NULL THEN CASE WHEN w.account_id IS NOT NULL THEN 'wrap' ELSE 'idle' END
        WHEN c.delivery >= GREATEST(c.projects - c.planning - c.delivery, c.planning) THEN 'delivery'
        WHEN c.projects - c.planning - c.delivery >= c.planning THEN 'production'
        ELSE 'planning'
    END AS project_phase
FROM known AS k
LEFT JOIN counted AS c
    ON k.account_id = c.account_id AND k.on_date = c.on_date
LEFT JOIN wrapped AS w
    ON k.account_id = w.account_id AND k.on_date = w.on_date
