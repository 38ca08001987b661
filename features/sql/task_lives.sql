-- At which as_ofs does each state of a task hold, by what was known then, and whose is it?
-- A project stays with the account under which it was first known. Started = anything but waiting to begin. begun_on =
-- since when the task is known to be worked on. An omitted task is no work: whoever counts work leaves it out.
-- Grain in: tasks_history (states), project_lives. Grain out: one row per state that is the latest one known at every
-- Monday in [known_on, gone_on).
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
        asset_id,
        step,
        assignee_key,
        status_canonical,
        CAST(valid_from AS DATE) AS since_on,
        due_on,
        CASE
            WHEN status_canonical IN ('approved', 'done') THEN CAST(COALESCE(done_at, valid_from) AS DATE)
        END AS done_on,
        op,
        known_on,
        -- Of the states known by then, whether or not they ever held.
        MIN(
            CASE WHEN op = 'upsert' AND status_canonical IN ('in_progress', 'review') THEN CAST(valid_from AS DATE) END
        ) OVER (
            PARTITION BY task_id ORDER BY known_on, valid_from, available_at, row_hash DESC
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS begun_on,
        COALESCE(
            MIN(known_on) OVER (
                PARTITION BY task_id ORDER BY valid_from, available_at, row_hash DESC
                ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING
            ),
            DATE '2999-12-30'
        ) AS gone_on
    FROM beliefs
),

owners AS (
    SELECT
        project_id,
        account_id,
        known_on,
        ROW_NUMBER() OVER (PARTITION BY project_id ORDER BY known_on) AS age_rank
    FROM project_lives
)

SELECT
    t.task_id,
    t.project_id,
    p.account_id,
    t.asset_id,
    t.step,
    t.assignee_key,
    t.status_canonical,
    CASE WHEN t.status_canonical IN ('todo', 'ready', 'on_hold') THEN 0 ELSE 1 END AS is_started,
    t.since_on,
    t.begun_on,
    t.due_on,
    t.done_on,
    GREATEST(t.known_on, p.known_on) AS known_on,
    t.gone_on
FROM lives AS t
INNER JOIN owners AS p
    ON t.project_id = p.project_id AND p.age_rank = 1
WHERE t.op = 'upsert' AND GREATEST(t.known_on, p.known_on) < t.gone_on
