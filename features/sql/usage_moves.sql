-- By how much did what was used in the last weeks change at each snapshot, as known there?
-- Grain in: usage_changes, usage_reach. Grain out: one row per account and snapshot of account_weeks from
-- run.settled_at on; the rows of that moment are those of settled_windows, from which usage_windows goes on.
-- A change of week e counts in a window of W weeks at the snapshots [as_of, e + W weeks]: it is added at its start,
-- taken off after its end, and a running sum over the snapshots gives the window.
WITH ends AS (
    SELECT 0 AS weeks, 1 AS w1, 1 AS w4, 1 AS w8, 1 AS w13, 1 AS w26, 1 AS w52, 1 AS w56
    UNION ALL
    SELECT 1 AS weeks, -1 AS w1, 0 AS w4, 0 AS w8, 0 AS w13, 0 AS w26, 0 AS w52, 0 AS w56
    UNION ALL
    SELECT 4 AS weeks, 0 AS w1, -1 AS w4, 0 AS w8, 0 AS w13, 0 AS w26, 0 AS w52, 0 AS w56
    UNION ALL
    SELECT 8 AS weeks, 0 AS w1, 0 AS w4, -1 AS w8, 0 AS w13, 0 AS w26, 0 AS w52, 0 AS w56
    UNION ALL
    SELECT 13 AS weeks, 0 AS w1, 0 AS w4, 0 AS w8, -1 AS w13, 0 AS w26, 0 AS w52, 0 AS w56
    UNION ALL
    SELECT 26 AS weeks, 0 AS w1, 0 AS w4, 0 AS w8, 0 AS w13, -1 AS w26, 0 AS w52, 0 AS w56
    UNION ALL
    SELECT 52 AS weeks, 0 AS w1, 0 AS w4, 0 AS w8, 0 AS w13, 0 AS w26, -1 AS w52, 0 AS w56
    UNION ALL
    SELECT 56 AS weeks, 0 AS w1, 0 AS w4, 0 AS w8, 0 AS w13, 0 AS w26, 0 AS w52, -1 AS w56
),

changes AS (
    SELECT
        u.*,
        w.is_quiet
    FROM usage_changes AS u
    INNER JOIN usage_weeks AS w
        ON u.account_id = w.account_id AND u.week_start = w.week_start
    CROSS JOIN run AS r
    -- The longest window lets a week go 57 weeks after its start.
    WHERE u.as_of > r.settled_at OR u.week_start > r.settled_at - INTERVAL 399 DAY
),

-- When a week leaves each window; looking it up is cheaper than computing it for every change.
leaving AS (
    SELECT
        w.week_start AS left_week,
        e.*,
        w.week_start + (CASE WHEN e.weeks = 0 THEN 0 ELSE e.weeks + 1 END) * INTERVAL 7 DAY AS left_at
    FROM (SELECT DISTINCT week_start FROM changes) AS w
    CROSS JOIN ends AS e
),

-- At its end a change leaves the window; known only after its end it never enters.
moved AS (
    SELECT
        c.*,
        l.*,
        GREATEST(c.as_of, l.left_at) AS moved_at
    FROM changes AS c
    INNER JOIN leaving AS l
        ON c.week_start = l.left_week
    CROSS JOIN run AS r
    WHERE (c.as_of > r.settled_at OR l.left_at > r.settled_at) AND l.left_at <= r.last_as_of
),

summed AS (
    SELECT
        m.account_id,
        m.moved_at AS as_of,
        CAST(SUM(CASE WHEN m.weeks = 0 THEN 1 ELSE 0 END) AS BIGINT) AS usage_rows,
        CAST(SUM(m.w1 * m.core_events) AS BIGINT) AS core_w1,
        CAST(SUM(m.w4 * m.core_events) AS BIGINT) AS core_w4,
        CAST(SUM(m.w13 * m.core_events) AS BIGINT) AS core_w13,
        CAST(SUM(m.w8 * m.collab_events) AS BIGINT) AS collab_w8,
        CAST(SUM(m.w13 * m.collab_events) AS BIGINT) AS collab_w13,
        CAST(SUM(m.w26 * m.collab_events) AS BIGINT) AS collab_w26,
        CAST(SUM(m.w13 * m.all_events) AS BIGINT) AS all_w13,
        CAST(SUM(m.w1 * m.users) AS BIGINT) AS seat_weeks_w1,
        CAST(SUM(m.w4 * m.users) AS BIGINT) AS seat_weeks_w4,
        CAST(SUM(m.w8 * m.users) AS BIGINT) AS seat_weeks_w8,
        CAST(SUM(m.w13 * m.users) AS BIGINT) AS seat_weeks_w13,
        CAST(SUM(m.w26 * m.users) AS BIGINT) AS seat_weeks_w26,
        CAST(SUM(m.w52 * m.users) AS BIGINT) AS seat_weeks_w52,
        CAST(SUM(m.w56 * m.users) AS BIGINT) AS seat_weeks_w56,
        CAST(SUM(m.w4 * m.user_days) AS BIGINT) AS user_days_w4,
        CAST(SUM(m.w4 * m.sessions) AS BIGINT) AS sessions_w4,
        CAST(SUM(m.w4 * m.active_seconds) AS BIGINT) AS active_seconds_w4,
        CAST(SUM(m.w52 * m.is_quiet * m.core_events) AS BIGINT) AS quiet_core_w52,
        CAST(SUM(m.w52 * m.is_quiet * m.collab_events) AS BIGINT) AS quiet_collab_w52,
        CAST(SUM(m.w52 * m.is_quiet * m.users) AS BIGINT) AS quiet_seat_weeks_w52
    FROM moved AS m
    GROUP BY m.account_id, m.moved_at
),

lasts AS (
    SELECT
        c.account_id,
        c.as_of,
        MAX(c.last_core_on) AS last_core_on
    FROM usage_changes AS c
    CROSS JOIN run AS r
    WHERE c.as_of > r.settled_at
    GROUP BY c.account_id, c.as_of
),

used AS (
    SELECT
        c.account_id,
        c.week_start,
        MIN(c.as_of) AS as_of
    FROM usage_changes AS c
    CROSS JOIN run AS r
    WHERE c.all_events > 0 AND c.as_of > r.settled_at
    GROUP BY c.account_id, c.week_start
),

used_before AS (
    SELECT
        c.account_id,
        c.week_start
    FROM usage_changes AS c
    CROSS JOIN run AS r
    WHERE c.all_events > 0 AND c.as_of <= r.settled_at
),

used_weeks AS (
    SELECT
        u.account_id,
        u.as_of,
        COUNT(*) AS usable_weeks
    FROM used AS u
    INNER JOIN usage_weeks AS w
        ON u.account_id = w.account_id AND u.week_start = w.week_start
    WHERE
        w.is_live = 1
        AND NOT EXISTS (
            SELECT 1
            FROM used_before AS b
            WHERE b.account_id = u.account_id AND b.week_start = u.week_start
        )
    GROUP BY u.account_id, u.as_of
)

SELECT
    a.account_id,
    a.week_start,
    a.as_of,
    COALESCE(l.last_core_on, b.last_core_on) AS last_core_on,
    COALESCE(d.usable_weeks, b.usable_weeks, 0) AS usable_weeks,
    COALESCE(s.usage_rows, b.usage_rows, 0) AS usage_rows,
    COALESCE(s.core_w1, b.core_w1, 0) AS core_w1,
    COALESCE(s.core_w4, b.core_w4, 0) AS core_w4,
    COALESCE(s.core_w13, b.core_w13, 0) AS core_w13,
    COALESCE(s.collab_w8, b.collab_w8, 0) AS collab_w8,
    COALESCE(s.collab_w13, b.collab_w13, 0) AS collab_w13,
    COALESCE(s.collab_w26, b.collab_w26, 0) AS collab_w26,
    COALESCE(s.all_w13, b.all_w13, 0) AS all_w13,
    COALESCE(s.seat_weeks_w1, b.seat_weeks_w1, 0) AS seat_weeks_w1,
    COALESCE(s.seat_weeks_w4, b.seat_weeks_w4, 0) AS seat_weeks_w4,
    COALESCE(s.seat_weeks_w8, b.seat_weeks_w8, 0) AS seat_weeks_w8,
    COALESCE(s.seat_weeks_w13, b.seat_weeks_w13, 0) AS seat_weeks_w13,
    COALESCE(s.seat_weeks_w26, b.seat_weeks_w26, 0) AS seat_weeks_w26,
    COALESCE(s.seat_weeks_w52, b.seat_weeks_w52, 0) AS seat_weeks_w52,
    COALESCE(s.seat_weeks_w56, b.seat_weeks_w56, 0) AS seat_weeks_w56,
    COALESCE(s.user_days_w4, b.user_days_w4, 0) AS user_days_w4,
    COALESCE(s.sessions_w4, b.sessions_w4, 0) AS sessions_w4,
    COALESCE(s.active_seconds_w4, b.active_seconds_w4, 0) AS active_seconds_w4,
    COALESCE(s.quiet_core_w52, b.quiet_core_w52, 0) AS quiet_core_w52,
    COALESCE(s.quiet_collab_w52, b.quiet_collab_w52, 0) AS quiet_collab_w52,
    COALESCE(s.quiet_seat_weeks_w52, b.quiet_seat_weeks_w52, 0) AS quiet_seat_weeks_w52,
    -- A week is quiet or not when it closes, and leaves the year 52 weeks later.
    COALESCE(b.quiet_weeks_w52, q.is_quiet - COALESCE(o.is_quiet, 0)) AS quiet_weeks_w52,
    COALESCE(r.users_w4, b.users_w4, 0) AS users_w4,
    COALESCE(r.families_w13, b.families_w13, 0) AS families_w13,
    COALESCE(r.shared_families_w13, b.shared_families_w13, 0) AS shared_families_w13
FROM account_weeks AS a
LEFT JOIN summed AS s
    ON a.account_id = s.account_id AND a.as_of = s.as_of
LEFT JOIN usage_reach AS r
    ON a.account_id = r.account_id AND a.as_of = r.as_of
LEFT JOIN lasts AS l
    ON a.account_id = l.account_id AND a.as_of = l.as_of
LEFT JOIN used_weeks AS d
    ON a.account_id = d.account_id AND a.as_of = d.as_of
LEFT JOIN settled_windows AS b
    ON a.account_id = b.account_id AND a.as_of = b.as_of
INNER JOIN usage_weeks AS q
    ON a.account_id = q.account_id AND a.as_of = q.as_of
LEFT JOIN usage_weeks AS o
    ON a.account_id = o.account_id AND a.as_of - INTERVAL 364 DAY = o.as_of
CROSS JOIN run AS n
WHERE a.as_of >= n.settled_at
