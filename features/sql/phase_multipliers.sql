-- How many times its quiet level does a typical account of a segment work in each phase, as known at each snapshot?
-- Grain out: one row per segment, phase and snapshot. For every account: all it did in weeks that lay wholly in the
-- phase, as known by the snapshot, over the baselines that were known when each of those weeks began; then the
-- geometric mean of these ratios, weighted by weeks (a mean of sums would follow the few that work together most, and
-- leave the others under expectation). It is drawn to a prior as if 50 account-weeks had shown it; the priors are the
-- domain reference's (ramp 1.5, burst 3, aftermath .85), for active seats weaker, because most seats are in use in
-- quiet weeks too.
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

pure AS (
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
        account_id,
        segment,
        phase,
        as_of,
        1 AS weeks,
        base_core,
        base_collab,
        base_users,
        0 AS core_events,
        0 AS collab_events,
        0 AS users
    FROM pure
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
    FROM so_far
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
        segment,
        phase,
        as_of,
        SUM(weeks) AS weeks,
        SUM(core) AS core,
        SUM(collab) AS collab,
        SUM(users) AS users
    FROM steps
    GROUP BY segment, phase, as_of
),

totals AS (
    SELECT
        l.segment,
        p.phase,
        l.as_of,
        p.actions,
        p.users AS prior_users,
        CAST(SUM(COALESCE(s.weeks, 0)) OVER known AS BIGINT) AS weeks,
        CAST(SUM(COALESCE(s.core, 0)) OVER known AS BIGINT) AS core,
        CAST(SUM(COALESCE(s.collab, 0)) OVER known AS BIGINT) AS collab,
        CAST(SUM(COALESCE(s.users, 0)) OVER known AS BIGINT) AS users
    FROM segment_levels AS l
    CROSS JOIN priors AS p
    LEFT JOIN by_segment AS s
        ON l.segment = s.segment AND p.phase = s.phase AND l.as_of = s.as_of
    WINDOW known AS (PARTITION BY l.segment, p.phase ORDER BY l.as_of ROWS UNBOUNDED PRECEDING)
)

SELECT
    segment,
    phase,
    as_of,
    EXP((CAST(core AS DOUBLE) / 1000000 + 50 * actions) / (weeks + 50)) AS core,
    EXP((CAST(collab AS DOUBLE) / 1000000 + 50 * actions) / (weeks + 50)) AS collab,
    EXP((CAST(users AS DOUBLE) / 1000000 + 50 * prior_users) / (weeks + 50)) AS users
FROM totals
