-- What adds how much to which count of an account's output quality, at which as_ofs?
-- Grain out: one row per contribution; amount counts in metric at every Monday in [from_on, until_on). A window of n
-- weeks ends n + 1 weeks after the Monday at or before the event: the last snapshot that still looks back on it is n
-- weeks on. What is over before the first snapshot that is built is left out.
WITH seen AS (
    SELECT
        account_id,
        MIN(known_on) AS first_on
    FROM (
        SELECT
            account_id,
            known_on
        FROM version_lives
        UNION ALL
        SELECT
            account_id,
            known_on
        FROM review_lives
    ) AS reviewed
    GROUP BY account_id
),

seen_projects AS (
    SELECT
        account_id,
        MIN(known_on) AS first_on
    FROM project_lives
    GROUP BY account_id
),

decisions AS (
    SELECT
        account_id,
        CASE WHEN type IN ('changes_requested', 'rejected') THEN 1 ELSE 0 END AS sent_back,
        known_on,
        LEAST(gone_on, CAST(DATE_TRUNC('week', CAST(event_at AS DATE)) AS DATE) + 189) AS until_on
    FROM review_lives
    WHERE type IN ('approved', 'client_approved', 'changes_requested', 'rejected')
),

waits AS (
    SELECT
        account_id,
        wait_s,
        known_on,
        LEAST(gone_on, CAST(DATE_TRUNC('week', CAST(event_at AS DATE)) AS DATE) + 98) AS until_on
    FROM decision_waits
),

approvals AS (
    SELECT
        account_id,
        version_no,
        known_on,
        LEAST(gone_on, CAST(DATE_TRUNC('week', CAST(event_at AS DATE)) AS DATE) + 189) AS until_on
    FROM approval_lives
),

open_ones AS (
    SELECT
        account_id,
        known_on,
        -- Older than 7 days: it was opened before the week that ends at as_of.
        GREATEST(known_on, CAST(DATE_TRUNC('week', CAST(event_at AS DATE)) AS DATE) + 14) AS overdue_on,
        LEAST(gone_on, CAST(DATE_TRUNC('week', CAST(event_at AS DATE)) AS DATE) + 98) AS until_on
    FROM open_revisions
),

deliveries AS (
    SELECT
        account_id,
        CASE WHEN completed_on <= baseline_on THEN 1 ELSE 0 END AS on_time,
        GREATEST(known_on, CAST(DATE_TRUNC('week', baseline_on) AS DATE) + 7) AS from_on,
        LEAST(gone_on, CAST(DATE_TRUNC('week', baseline_on) AS DATE) + 189) AS until_on
    FROM milestone_lives
    WHERE kind = 'delivery' AND status_canonical <> 'waived'
),

completions AS (
    SELECT
        account_id,
        DATE_DIFF('day', baseline_on, completed_on) AS slip_days,
        GREATEST(known_on, CAST(DATE_TRUNC('week', completed_on) AS DATE) + 7) AS from_on,
        LEAST(gone_on, CAST(DATE_TRUNC('week', completed_on) AS DATE) + 189) AS until_on
    FROM milestone_lives
    WHERE completed_on IS NOT NULL
),

starting AS (
    SELECT
        account_id,
        GREATEST(known_on, CAST(DATE_TRUNC('week', planned_start_on - 61) AS DATE) + 7) AS from_on,
        LEAST(gone_on, CAST(DATE_TRUNC('week', planned_start_on) AS DATE) + 7) AS until_on
    FROM project_lives
    WHERE status_canonical = 'planned' AND planned_start_on IS NOT NULL
),

quiet_cycles AS (
    SELECT
        account_id,
        known_on,
        LEAST(gone_on, CAST(DATE_TRUNC('week', CAST(closed_at AS DATE)) AS DATE) + 371) AS until_on,
        COUNT(*) AS cycles,
        CAST(SUM(CAST(FLOOR(LN(NULLIF(cycle_s, 0)) * 1000000 + 0.5) AS BIGINT)) AS BIGINT) AS ln_millionths
    FROM revision_cycles
    WHERE phase IN ('off', 'none')
    GROUP BY account_id, known_on, LEAST(gone_on, CAST(DATE_TRUNC('week', CAST(closed_at AS DATE)) AS DATE) + 371)
),

comments AS (
    -- Older than 14 days, as above.
    SELECT
        account_id,
        0 AS settled,
        GREATEST(known_on, CAST(DATE_TRUNC('week', CAST(event_at AS DATE)) AS DATE) + 21) AS from_on,
        LEAST(gone_on, CAST(DATE_TRUNC('week', CAST(event_at AS DATE)) AS DATE) + 98) AS until_on
    FROM review_lives
    WHERE type = 'comment'
    UNION ALL
    SELECT
        account_id,
        1 AS settled,
        GREATEST(known_on, CAST(DATE_TRUNC('week', CAST(event_at AS DATE)) AS DATE) + 21) AS from_on,
        LEAST(gone_on, CAST(DATE_TRUNC('week', CAST(event_at AS DATE)) AS DATE) + 98) AS until_on
    FROM comment_settlements
),

versions AS (
    SELECT
        account_id,
        CASE WHEN supersedes_version_id IS NOT NULL THEN 1 ELSE 0 END AS linked,
        known_on,
        LEAST(gone_on, CAST(DATE_TRUNC('week', CAST(event_at AS DATE)) AS DATE) + 189) AS until_on
    FROM version_lives
),

reuses AS (
    SELECT
        v.account_id,
        GREATEST(v.known_on, b.known_on) AS from_on,
        LEAST(v.gone_on, b.gone_on, CAST(DATE_TRUNC('week', CAST(v.event_at AS DATE)) AS DATE) + 189) AS until_on
    FROM version_lives AS v
    INNER JOIN version_lives AS b
        ON v.supersedes_version_id = b.version_id AND v.account_id = b.account_id AND v.asset_id <> b.asset_id
),

due_tasks AS (
    SELECT
        account_id,
        CASE WHEN done_on <= due_on THEN 1 ELSE 0 END AS in_time,
        GREATEST(known_on, CAST(DATE_TRUNC('week', due_on) AS DATE) + 7) AS from_on,
        LEAST(gone_on, CAST(DATE_TRUNC('week', due_on) AS DATE) + 63) AS until_on
    FROM task_lives
    WHERE due_on IS NOT NULL AND status_canonical NOT IN ('omitted', 'on_hold')
),

moved_tasks AS (
    SELECT
        account_id,
        CASE WHEN status_canonical = 'omitted' THEN 1 ELSE 0 END AS omitted,
        GREATEST(known_on, CAST(DATE_TRUNC('week', since_on) AS DATE) + 7) AS from_on,
        LEAST(gone_on, CAST(DATE_TRUNC('week', since_on) AS DATE) + 98) AS until_on
    FROM task_lives
),

spans AS (
    SELECT account_id, 'reviewed' AS metric, 1 AS amount, first_on AS from_on, DATE '2999-12-30' AS until_on FROM seen
    UNION ALL
    SELECT account_id, 'planned' AS metric, 1 AS amount, first_on AS from_on, DATE '2999-12-30' AS until_on
    FROM seen_projects
    UNION ALL
    SELECT account_id, 'decisions' AS metric, 1 AS amount, known_on AS from_on, until_on FROM decisions
    UNION ALL
    SELECT account_id, 'sent_back' AS metric, sent_back AS amount, known_on AS from_on, until_on FROM decisions
    UNION ALL
    SELECT account_id, 'waits' AS metric, 1 AS amount, known_on AS from_on, until_on FROM waits
    UNION ALL
    SELECT account_id, 'wait_s' AS metric, wait_s AS amount, known_on AS from_on, until_on FROM waits
    UNION ALL
    SELECT account_id, 'approved' AS metric, 1 AS amount, known_on AS from_on, until_on FROM approvals
    UNION ALL
    SELECT account_id, 'first_pass' AS metric, 1 AS amount, known_on AS from_on, until_on FROM approvals
    WHERE version_no = 1
    UNION ALL
    SELECT account_id, 'versions' AS metric, version_no AS amount, known_on AS from_on, until_on FROM approvals
    UNION ALL
    SELECT account_id, 'open_revisions' AS metric, 1 AS amount, known_on AS from_on, until_on FROM open_ones
    UNION ALL
    SELECT account_id, 'overdue' AS metric, 1 AS amount, overdue_on AS from_on, until_on FROM open_ones
    UNION ALL
    SELECT account_id, 'due' AS metric, 1 AS amount, from_on, until_on FROM deliveries
    UNION ALL
    SELECT account_id, 'on_time' AS metric, on_time AS amount, from_on, until_on FROM deliveries
    UNION ALL
    SELECT account_id, 'completed' AS metric, 1 AS amount, from_on, until_on FROM completions
    UNION ALL
    SELECT account_id, 'slip_days' AS metric, slip_days AS amount, from_on, until_on FROM completions
    UNION ALL
    SELECT account_id, 'starting' AS metric, 1 AS amount, from_on, until_on FROM starting
    UNION ALL
    SELECT account_id, 'quiet_cycles' AS metric, cycles AS amount, known_on AS from_on, until_on FROM quiet_cycles
    UNION ALL
    SELECT account_id, 'quiet_ln' AS metric, ln_millionths AS amount, known_on AS from_on, until_on FROM quiet_cycles
    UNION ALL
    SELECT account_id, 'comments' AS metric, 1 AS amount, from_on, until_on FROM comments WHERE settled = 0
    UNION ALL
    SELECT account_id, 'settled' AS metric, 1 AS amount, from_on, until_on FROM comments WHERE settled = 1
    UNION ALL
    SELECT account_id, 'made' AS metric, 1 AS amount, known_on AS from_on, until_on FROM versions
    UNION ALL
    SELECT account_id, 'linked' AS metric, linked AS amount, known_on AS from_on, until_on FROM versions
    UNION ALL
    SELECT account_id, 'reused' AS metric, 1 AS amount, from_on, until_on FROM reuses
    UNION ALL
    SELECT account_id, 'tasks_due' AS metric, 1 AS amount, from_on, until_on FROM due_tasks
    UNION ALL
    SELECT account_id, 'tasks_in_time' AS metric, in_time AS amount, from_on, until_on FROM due_tasks
    UNION ALL
    SELECT account_id, 'tasks_moved' AS metric, 1 AS amount, from_on, until_on FROM moved_tasks
    UNION ALL
    SELECT account_id, 'tasks_omitted' AS metric, omitted AS amount, from_on, until_on FROM moved_tasks
)

SELECT
    s.account_id,
    s.metric,
    CAST(s.amount AS BIGINT) AS amount,
    s.from_on,
    s.until_on
FROM spans AS s
CROSS JOIN run AS r
WHERE s.from_on < s.until_on AND s.amount <> 0 AND s.until_on > CAST(r.first_as_of AS DATE)
