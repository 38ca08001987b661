-- What had an account done in the weeks of each phase, as known when that changed?
-- Grain in: usage_weeks, usage_baselines, usage_changes. Grain out: one row per account, segment, phase and snapshot
-- after run.settled_at at which its sums changed; they go on from settled_phase_sums, the newest rows of an earlier
-- run. All it did in weeks that lay wholly in the phase, as known by the snapshot, and the baselines (thousandths) that
-- were known when each of those weeks began.
WITH pure AS (
    SELECT
        w.account_id,
        w.week_start,
        w.as_of,
        w.segment,
        w.pure_phase AS phase,
        b.base_core,
        b.base_collab,
        b.base_users
    FROM usage_weeks AS w
    INNER JOIN usage_baselines AS b
        ON w.account_id = b.account_id AND w.week_start = b.as_of
    WHERE
        w.is_measured = 1
        AND w.pure_phase IS NOT NULL
        AND b.base_core IS NOT NULL
),

changes AS (
    SELECT
        p.account_id,
        p.segment,
        p.phase,
        p.as_of,
        1 AS weeks,
        p.base_core,
        p.base_collab,
        p.base_users,
        0 AS core_events,
        0 AS collab_events,
        0 AS users
    FROM pure AS p
    CROSS JOIN run AS r
    WHERE p.as_of > r.settled_at
    UNION ALL
    SELECT
        p.account_id,
        p.segment,
        p.phase,
        c.as_of,
        0 AS weeks,
        0 AS base_core,
        0 AS base_collab,
        0 AS base_users,
        c.core_events,
        c.collab_events,
        c.users
    FROM usage_changes AS c
    INNER JOIN pure AS p
        ON c.account_id = p.account_id AND c.week_start = p.week_start
    CROSS JOIN run AS r
    WHERE c.as_of > r.settled_at
    UNION ALL
    SELECT
        account_id,
        segment,
        phase,
        as_of,
        weeks,
        base_core,
        base_collab,
        base_users,
        core_events,
        collab_events,
        users
    FROM settled_phase_sums
),

summed AS (
    SELECT
        account_id,
        segment,
        phase,
        as_of,
        SUM(weeks) AS weeks,
        SUM(base_core) AS base_core,
        SUM(base_collab) AS base_collab,
        SUM(base_users) AS base_users,
        SUM(core_events) AS core_events,
        SUM(collab_events) AS collab_events,
        SUM(users) AS users
    FROM changes
    GROUP BY account_id, segment, phase, as_of
),

so_far AS (
    SELECT
        account_id,
        segment,
        phase,
        as_of,
        CAST(SUM(weeks) OVER known AS BIGINT) AS weeks,
        CAST(SUM(base_core) OVER known AS BIGINT) AS base_core,
        CAST(SUM(base_collab) OVER known AS BIGINT) AS base_collab,
        CAST(SUM(base_users) OVER known AS BIGINT) AS base_users,
        CAST(SUM(core_events) OVER known AS BIGINT) AS core_events,
        CAST(SUM(collab_events) OVER known AS BIGINT) AS collab_events,
        CAST(SUM(users) OVER known AS BIGINT) AS users
    FROM summed
    WINDOW known AS (PARTITION BY account_id, segment, phase ORDER BY as_of ROWS UNBOUNDED PRECEDING)
)

SELECT s.*
FROM so_far AS s
CROSS JOIN run AS r
WHERE s.as_of > r.settled_at
