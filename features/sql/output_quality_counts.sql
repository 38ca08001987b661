-- What are the counts of an account's output quality at each as_of?
-- Each span adds its amount when it begins and takes it away when it ends; the running sum is what counts at as_of.
-- Grain in: output_quality_spans, cohort. Grain out: one row per cohort row.
WITH signs AS (
    SELECT 1 AS sign
    UNION ALL
    SELECT -1 AS sign
),

changes AS (
    SELECT
        s.account_id,
        CASE WHEN g.sign = 1 THEN s.from_on ELSE s.until_on END AS on_date,
        s.metric,
        g.sign * s.amount AS amount,
        0 AS is_snapshot
    FROM output_quality_spans AS s
    CROSS JOIN signs AS g
    UNION ALL
    SELECT
        account_id,
        CAST(as_of AS DATE) AS on_date,
        'none' AS metric,
        0 AS amount,
        1 AS is_snapshot
    FROM cohort
),

movements AS (
    SELECT
        account_id,
        on_date,
        MAX(is_snapshot) AS is_snapshot,
        CAST(SUM(CASE WHEN metric = 'reviewed' THEN amount ELSE 0 END) AS BIGINT) AS reviewed,
        CAST(SUM(CASE WHEN metric = 'planned' THEN amount ELSE 0 END) AS BIGINT) AS planned,
        CAST(SUM(CASE WHEN metric = 'decisions' THEN amount ELSE 0 END) AS BIGINT) AS decisions,
        CAST(SUM(CASE WHEN metric = 'sent_back' THEN amount ELSE 0 END) AS BIGINT) AS sent_back,
        CAST(SUM(CASE WHEN metric = 'waits' THEN amount ELSE 0 END) AS BIGINT) AS waits,
        CAST(SUM(CASE WHEN metric = 'wait_s' THEN amount ELSE 0 END) AS BIGINT) AS wait_s,
        CAST(SUM(CASE WHEN metric = 'approved' THEN amount ELSE 0 END) AS BIGINT) AS approved,
        CAST(SUM(CASE WHEN metric = 'first_pass' THEN amount ELSE 0 END) AS BIGINT) AS first_pass,
        CAST(SUM(CASE WHEN metric = 'versions' THEN amount ELSE 0 END) AS BIGINT) AS versions,
        CAST(SUM(CASE WHEN metric = 'open_revisions' THEN amount ELSE 0 END) AS BIGINT) AS open_revisions,
        CAST(SUM(CASE WHEN metric = 'overdue' THEN amount ELSE 0 END) AS BIGINT) AS overdue,
        CAST(SUM(CASE WHEN metric = 'due' THEN amount ELSE 0 END) AS BIGINT) AS due,
        CAST(SUM(CASE WHEN metric = 'on_time' THEN amount ELSE 0 END) AS BIGINT) AS on_time,
        CAST(SUM(CASE WHEN metric = 'completed' THEN amount ELSE 0 END) AS BIGINT) AS completed,
        CAST(SUM(CASE WHEN metric = 'slip_days' THEN amount ELSE 0 END) AS BIGINT) AS slip_days,
        CAST(SUM(CASE WHEN metric = 'starting' THEN amount ELSE 0 END) AS BIGINT) AS starting,
        CAST(SUM(CASE WHEN metric = 'quiet_cycles' THEN amount ELSE 0 END) AS BIGINT) AS quiet_cycles,
        CAST(SUM(CASE WHEN metric = 'quiet_ln' THEN amount ELSE 0 END) AS BIGINT) AS quiet_ln,
        CAST(SUM(CASE WHEN metric = 'comments' THEN amount ELSE 0 END) AS BIGINT) AS comments,
        CAST(SUM(CASE WHEN metric = 'settled' THEN amount ELSE 0 END) AS BIGINT) AS settled,
        CAST(SUM(CASE WHEN metric = 'made' THEN amount ELSE 0 END) AS BIGINT) AS made,
        CAST(SUM(CASE WHEN metric = 'linked' THEN amount ELSE 0 END) AS BIGINT) AS linked,
        CAST(SUM(CASE WHEN metric = 'reused' THEN amount ELSE 0 END) AS BIGINT) AS reused,
        CAST(SUM(CASE WHEN metric = 'tasks_due' THEN amount ELSE 0 END) AS BIGINT) AS tasks_due,
        CAST(SUM(CASE WHEN metric = 'tasks_in_time' THEN amount ELSE 0 END) AS BIGINT) AS tasks_in_time,
        CAST(SUM(CASE WHEN metric = 'tasks_moved' THEN amount ELSE 0 END) AS BIGINT) AS tasks_moved,
        CAST(SUM(CASE WHEN metric = 'tasks_omitted' THEN amount ELSE 0 END) AS BIGINT) AS tasks_omitted
    FROM changes
    GROUP BY account_id, on_date
),

running AS (
    SELECT
        account_id,
        on_date,
        is_snapshot,
        CAST(SUM(reviewed) OVER so_far AS BIGINT) AS reviewed,
        CAST(SUM(planned) OVER so_far AS BIGINT) AS planned,
        CAST(SUM(decisions) OVER so_far AS BIGINT) AS decisions,
        CAST(SUM(sent_back) OVER so_far AS BIGINT) AS sent_back,
        CAST(SUM(waits) OVER so_far AS BIGINT) AS waits,
        CAST(SUM(wait_s) OVER so_far AS BIGINT) AS wait_s,
        CAST(SUM(approved) OVER so_far AS BIGINT) AS approved,
        CAST(SUM(first_pass) OVER so_far AS BIGINT) AS first_pass,
        CAST(SUM(versions) OVER so_far AS BIGINT) AS versions,
        CAST(SUM(open_revisions) OVER so_far AS BIGINT) AS open_revisions,
        CAST(SUM(overdue) OVER so_far AS BIGINT) AS overdue,
        CAST(SUM(due) OVER so_far AS BIGINT) AS due,
        CAST(SUM(on_time) OVER so_far AS BIGINT) AS on_time,
        CAST(SUM(completed) OVER so_far AS BIGINT) AS completed,
        CAST(SUM(slip_days) OVER so_far AS BIGINT) AS slip_days,
        CAST(SUM(starting) OVER so_far AS BIGINT) AS starting,
        CAST(SUM(quiet_cycles) OVER so_far AS BIGINT) AS quiet_cycles,
        CAST(SUM(quiet_ln) OVER so_far AS BIGINT) AS quiet_ln,
        CAST(SUM(comments) OVER so_far AS BIGINT) AS comments,
        CAST(SUM(settled) OVER so_far AS BIGINT) AS settled,
        CAST(SUM(made) OVER so_far AS BIGINT) AS made,
        CAST(SUM(linked) OVER so_far AS BIGINT) AS linked,
        CAST(SUM(reused) OVER so_far AS BIGINT) AS reused,
        CAST(SUM(tasks_due) OVER so_far AS BIGINT) AS tasks_due,
        CAST(SUM(tasks_in_time) OVER so_far AS BIGINT) AS tasks_in_time,
        CAST(SUM(tasks_moved) OVER so_far AS BIGINT) AS tasks_moved,
        CAST(SUM(tasks_omitted) OVER so_far AS BIGINT) AS tasks_omitted
    FROM movements
    WINDOW so_far AS (PARTITION BY account_id ORDER BY on_date ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
)

SELECT
    account_id,
    on_date,
    reviewed,
    planned,
    decisions,
    sent_back,
    waits,
    wait_s,
    approved,
    first_pass,
    versions,
    open_revisions,
    overdue,
    due,
    on_time,
    completed,
    slip_days,
    starting,
    quiet_cycles,
    quiet_ln,
    comments,
    settled,
    made,
    linked,
    reused,
    tasks_due,
    tasks_in_time,
    tasks_moved,
    tasks_omitted
FROM running
WHERE is_snapshot = 1
