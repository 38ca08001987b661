-- How many times its quiet level does a typical account of a segment work in each phase, as known at each snapshot?
-- Grain in: phase_sums, segment_levels. Grain out: one row per segment, phase and snapshot after run.settled_at, where
-- the sums go on from settled_multipliers, this step's answer of an earlier run. For every account: all it did in weeks
-- of the phase over the baselines that were known when each of those weeks began; then the geometric mean of these
-- ratios, weighted by weeks (a mean of sums would follow the few that work together most, and leave the others under
-- expectation). It is drawn to a prior as if 50 account-weeks had shown it; the priors are the domain reference's (ramp
-- 1.5, burst 3, aftermath .85), for active seats weaker, because most seats are in use in quiet weeks too. *_logs are
-- the sums, in millionths.
WITH priors AS (
    SELECT 'pre' AS phase, LN(1.5) AS actions, LN(1.1) AS users
    UNION ALL
    SELECT 'active' AS phase, LN(3) AS actions, LN(1.3) AS users
    UNION ALL
    SELECT 'post' AS phase, LN(0.85) AS actions, LN(0.95) AS users
    UNION ALL
    SELECT 'off' AS phase, LN(1) AS actions, LN(1) AS users
    UNION ALL
    SELECT 'none' AS phase, LN(1) AS actions, LN(1) AS users
),

standing AS (
    SELECT s.*
    FROM phase_sums AS s
    CROSS JOIN run AS r
    WHERE s.as_of > r.settled_at
    UNION ALL
    SELECT *
    FROM settled_phase_sums
),

-- Logarithms in millionths: whole numbers add up the same in any order.
logs AS (
    SELECT
        account_id,
        segment,
        phase,
        as_of,
        weeks,
        weeks * CAST(FLOOR(1000000 * LN((1000 * core_events + 500) / (base_core + 500)) + 0.5) AS BIGINT) AS core,
        weeks * CAST(FLOOR(1000000 * LN((1000 * collab_events + 500) / (base_collab + 500)) + 0.5) AS BIGINT) AS collab,
        weeks * CAST(FLOOR(1000000 * LN((1000 * users + 500) / (base_users + 500)) + 0.5) AS BIGINT) AS users
    FROM standing
),

-- What an account adds to the sums of its segment when its own sums change.
steps AS (
    SELECT
        segment,
        phase,
        as_of,
        weeks - COALESCE(LAG(weeks) OVER known, 0) AS weeks,
        core - COALESCE(LAG(core) OVER known, 0) AS core,
        collab - COALESCE(LAG(collab) OVER known, 0) AS collab,
        users - COALESCE(LAG(users) OVER known, 0) AS users
    FROM logs
    WINDOW known AS (PARTITION BY account_id, segment, phase ORDER BY as_of)
),

by_segment AS (
    SELECT
        s.segment,
        s.phase,
        s.as_of,
        SUM(s.weeks) AS weeks,
        SUM(s.core) AS core,
        SUM(s.collab) AS collab,
        SUM(s.users) AS users
    FROM steps AS s
    CROSS JOIN run AS r
    WHERE s.as_of > r.settled_at
    GROUP BY s.segment, s.phase, s.as_of
),

totals AS (
    SELECT
        l.segment,
        p.phase,
        l.as_of,
        p.actions,
        p.users AS prior_users,
        CAST(SUM(COALESCE(s.weeks, b.weeks, 0)) OVER known AS BIGINT) AS weeks,
        CAST(SUM(COALESCE(s.core, b.core_logs, 0)) OVER known AS BIGINT) AS core_logs,
        CAST(SUM(COALESCE(s.collab, b.collab_logs, 0)) OVER known AS BIGINT) AS collab_logs,
        CAST(SUM(COALESCE(s.users, b.users_logs, 0)) OVER known AS BIGINT) AS users_logs
    FROM segment_levels AS l
    CROSS JOIN priors AS p
    LEFT JOIN by_segment AS s
        ON l.segment = s.segment AND p.phase = s.phase AND l.as_of = s.as_of
    LEFT JOIN settled_multipliers AS b
        ON l.segment = b.segment AND p.phase = b.phase AND l.as_of = b.as_of
    CROSS JOIN run AS r
    WHERE l.as_of >= r.settled_at
    WINDOW known AS (PARTITION BY l.segment, p.phase ORDER BY l.as_of ROWS UNBOUNDED PRECEDING)
)

SELECT
    t.segment,
    t.phase,
    t.as_of,
    t.weeks,
    t.core_logs,
    t.collab_logs,
    t.users_logs,
    EXP((CAST(t.core_logs AS DOUBLE) / 1000000 + 50 * t.actions) / (t.weeks + 50)) AS core,
    EXP((CAST(t.collab_logs AS DOUBLE) / 1000000 + 50 * t.actions) / (t.weeks + 50)) AS collab,
    EXP((CAST(t.users_logs AS DOUBLE) / 1000000 + 50 * t.prior_users) / (t.weeks + 50)) AS users
FROM totals AS t
CROSS JOIN run AS r
WHERE t.as_of > r.settled_at
