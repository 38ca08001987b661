-- How old is the work in progress of an account at each as_of?
-- The age that nine in ten of its tasks in progress do not exceed, in days since each was begun.
-- Grain in: cohort, task_lives. Grain out: one row per cohort row with a task in progress.
WITH snapshots AS (
    SELECT
        account_id,
        CAST(as_of AS DATE) AS on_date
    FROM cohort
),

aged AS (
    SELECT
        s.account_id,
        s.on_date,
        DATE_DIFF('day', t.begun_on, s.on_date) AS age_days,
        ROW_NUMBER() OVER (PARTITION BY s.account_id, s.on_date ORDER BY t.begun_on DESC) AS place,
        COUNT(*) OVER (PARTITION BY s.account_id, s.on_date) AS tasks
    FROM snapshots AS s
    INNER JOIN task_lives AS t
        ON s.account_id = t.account_id AND s.on_date >= t.known_on AND s.on_date < t.gone_on
    WHERE t.status_canonical IN ('in_progress', 'review')
)

SELECT
    account_id,
    on_date,
    age_days
FROM aged
WHERE 10 * place >= 9 * tasks AND 10 * place < 9 * tasks + 10
