-- At which as_ofs does each state of a task hold, by what was known then?
-- Grain in: tasks_history (states). Grain out: one row per state that is the latest one known at every Monday in
-- [known_on, gone_on). Omitted tasks are no work. Started = anything but waiting to begin.
WITH beliefs AS (
    SELECT
        *,
        CAST(DATE_TRUNC('week', CAST(GREATEST(valid_from, available_at) - INTERVAL 1 MICROSECOND AS DATE)) AS DATE)
        + 7 AS known_on
    FROM tasks_history
),

lives AS (
    SELECT
        task_id,
        project_id,
        status_canonical,
        op,
        known_on,
        COALESCE(
            MIN(known_on) OVER (
                PARTITION BY task_id ORDER BY valid_from, available_at, row_hash DESC
                ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING
            ),
            DATE '2999-12-30'
        ) AS gone_on
    FROM beliefs
)

SELECT
    task_id,
    project_id,
    CASE WHEN status_canonical IN ('todo', 'ready', 'on_hold') THEN 0 ELSE 1 END AS is_started,
    known_on,
    gone_on
FROM lives
WHERE op = 'upsert' AND status_canonical <> 'omitted' AND known_on < gone_on
