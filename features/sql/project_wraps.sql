-- How was the tool used once an account's last project had been over for two weeks?
-- A wrap is the first Monday without an active project, as known then; the third to sixth week from it are looked at,
-- as after campaigns. Grain in: cohort, project_weeks, usage_changes, usage_expected. Grain out: one row per cohort row
-- with a wrap of 4 to 52 weeks ago; usage_par as in engagement, null where it cannot be told.
WITH turns AS (
    SELECT
        account_id,
        on_date,
        active_projects,
        LAG(active_projects) OVER (PARTITION BY account_id ORDER BY on_date) AS active_before
    FROM project_weeks
),

wraps AS (
    SELECT
        account_id,
        on_date AS wrap_on
    FROM turns
    WHERE active_projects = 0 AND active_before > 0
),

lasts AS (
    SELECT
        c.account_id,
        c.as_of,
        MAX(w.wrap_on) AS wrap_on
    FROM cohort AS c
    INNER JOIN wraps AS w
        ON
            c.account_id = w.account_id
            AND w.wrap_on <= CAST(c.as_of AS DATE) - 28
            AND w.wrap_on >= CAST(c.as_of AS DATE) - 364
    GROUP BY c.account_id, c.as_of
),

places AS (
    SELECT 14 AS days
    UNION ALL
    SELECT 21 AS days
    UNION ALL
    SELECT 28 AS days
    UNION ALL
    SELECT 35 AS days
),

wrap_weeks AS (
    SELECT
        w.account_id,
        w.wrap_on,
        CAST(w.wrap_on + p.days AS TIMESTAMPTZ) AS week_start
    FROM wraps AS w
    CROSS JOIN places AS p
),

-- What becomes known of these weeks, and when.
told AS (
    SELECT
        w.account_id,
        w.wrap_on,
        e.as_of,
        e.is_measured AS weeks,
        e.is_unexpected AS unexpected,
        e.expected_core,
        0 AS core_events
    FROM wrap_weeks AS w
    INNER JOIN usage_expected AS e
        ON w.account_id = e.account_id AND w.week_start = e.week_start
    UNION ALL
    SELECT
        w.account_id,
        w.wrap_on,
        u.as_of,
        0 AS weeks,
        0 AS unexpected,
        0 AS expected_core,
        u.core_events
    FROM wrap_weeks AS w
    INNER JOIN usage_expected AS e
        ON w.account_id = e.account_id AND w.week_start = e.week_start
    INNER JOIN usage_changes AS u
        ON w.account_id = u.account_id AND w.week_start = u.week_start
    WHERE e.is_measured = 1
),

summed AS (
    SELECT
        n.account_id,
        n.as_of,
        CAST(SUM(t.weeks) AS BIGINT) AS weeks,
        CAST(SUM(t.unexpected) AS BIGINT) AS unexpected,
        CAST(SUM(COALESCE(t.expected_core, 0)) AS BIGINT) AS expected_core,
        CAST(SUM(t.core_events) AS BIGINT) AS core_events
    FROM lasts AS n
    INNER JOIN told AS t
        ON n.account_id = t.account_id AND n.wrap_on = t.wrap_on AND n.as_of >= t.as_of
    GROUP BY n.account_id, n.as_of
)

SELECT
    account_id,
    CAST(as_of AS DATE) AS on_date,
    CASE
        WHEN weeks >= 2 AND unexpected = 0 THEN LN((1000 * core_events + 500) / NULLIF(expected_core + 500, 0))
    END AS usage_par
FROM summed
