-- How far does the tool reach into an account's projects?
-- A project of a usage event is one of the production data when it has the same id there. A step of a project is
-- reached when an action of 13 weeks names the asset of one of its tasks, by the task's assignee where both are known.
-- Grain in: cohort, usage_marks, project_lives, task_lives. Grain out: one row per cohort row: projects worked on,
-- those of them known and active; steps reached, and the projects in which they lie (null: usage names none).
WITH snapshots AS (
    SELECT
        account_id,
        CAST(as_of AS DATE) AS on_date
    FROM cohort
),

used AS (
    SELECT DISTINCT
        s.account_id,
        s.on_date,
        m.project_key
    FROM snapshots AS s
    INNER JOIN (SELECT DISTINCT account_id, project_key, known_on, gone_on FROM usage_marks) AS m
        ON s.account_id = m.account_id AND s.on_date >= m.known_on AND s.on_date < m.gone_on
    WHERE m.project_key IS NOT NULL
),

matched AS (
    SELECT
        u.account_id,
        u.on_date,
        COUNT(*) AS used_projects,
        CAST(SUM(CASE WHEN p.project_id IS NOT NULL THEN 1 ELSE 0 END) AS BIGINT) AS known_projects,
        CAST(SUM(CASE WHEN p.status_canonical = 'active' THEN 1 ELSE 0 END) AS BIGINT) AS active_projects
    FROM used AS u
    LEFT JOIN project_lives AS p
        ON
            u.account_id = p.account_id
            AND u.project_key = p.project_id
            AND u.on_date >= p.known_on
            AND u.on_date < p.gone_on
    GROUP BY u.account_id, u.on_date
),

worked AS (
    SELECT
        t.account_id,
        t.project_id,
        t.step,
        GREATEST(m.known_on, t.known_on) AS known_on,
        LEAST(m.gone_on, t.gone_on) AS gone_on
    FROM (SELECT DISTINCT account_id, asset_key, user_key, known_on, gone_on FROM usage_marks) AS m
    INNER JOIN task_lives AS t
        ON m.account_id = t.account_id AND m.asset_key = t.asset_id
    WHERE
        t.step IS NOT NULL
        AND t.status_canonical <> 'omitted'
        AND (t.assignee_key IS NULL OR m.user_key IS NULL OR t.assignee_key = m.user_key)
        AND GREATEST(m.known_on, t.known_on) < LEAST(m.gone_on, t.gone_on)
),

steps AS (
    SELECT DISTINCT
        s.account_id,
        s.on_date,
        w.project_id,
        w.step
    FROM snapshots AS s
    INNER JOIN worked AS w
        ON s.account_id = w.account_id AND s.on_date >= w.known_on AND s.on_date < w.gone_on
),

depths AS (
    SELECT
        account_id,
        on_date,
        COUNT(*) AS steps,
        COUNT(DISTINCT project_id) AS stepped_projects
    FROM steps
    GROUP BY account_id, on_date
)

SELECT
    s.account_id,
    s.on_date,
    m.used_projects,
    m.known_projects,
    m.active_projects,
    d.steps,
    d.stepped_projects
FROM snapshots AS s
LEFT JOIN matched AS m
    ON s.account_id = m.account_id AND s.on_date = m.on_date
LEFT JOIN depths AS d
    ON s.account_id = d.account_id AND s.on_date = d.on_date
