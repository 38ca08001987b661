-- Is the tool used, by how many, how deeply, against what this account does at such a time?
-- Grain out: one row per cohort row. *_par = ln((done + 0.5) / (expected + 0.5)), both in thousandths.
WITH look_backs AS (
    SELECT 0 AS weeks, 1 AS w4, 1 AS w8, 1 AS w13, 1 AS w26, 1 AS w52
    UNION ALL
    SELECT 4 AS weeks, -1 AS w4, 0 AS w8, 0 AS w13, 0 AS w26, 0 AS w52
    UNION ALL
    SELECT 8 AS weeks, 0 AS w4, -1 AS w8, 0 AS w13, 0 AS w26, 0 AS w52
    UNION ALL
    SELECT 13 AS weeks, 0 AS w4, 0 AS w8, -1 AS w13, 0 AS w26, 0 AS w52
    UNION ALL
    SELECT 26 AS weeks, 0 AS w4, 0 AS w8, 0 AS w13, -1 AS w26, 0 AS w52
    UNION ALL
    SELECT 52 AS weeks, 0 AS w4, 0 AS w8, 0 AS w13, 0 AS w26, -1 AS w52
    UNION ALL
    SELECT 56 AS weeks, 0 AS w4, 0 AS w8, 0 AS w13, 0 AS w26, 0 AS w52
),

-- The sum of a window is the sum so far less the one at the snapshot before the window.
spots AS (
    SELECT
        g.as_of,
        l.*,
        g.as_of - l.weeks * INTERVAL 7 DAY AS then_as_of
    FROM as_of_grid AS g
    CROSS JOIN look_backs AS l
),

-- An account's weeks are dense, so what lies before them adds nothing.
windowed AS (
    SELECT
        p.account_id,
        s.as_of,
        CAST(SUM(s.w4 * p.measured_so_far) AS BIGINT) AS measured_w4,
        CAST(SUM(s.w8 * p.measured_so_far) AS BIGINT) AS measured_w8,
        CAST(SUM(s.w13 * p.measured_so_far) AS BIGINT) AS measured_w13,
        CAST(SUM(s.w26 * p.measured_so_far) AS BIGINT) AS measured_w26,
        CAST(SUM(s.w52 * p.measured_so_far) AS BIGINT) AS measured_w52,
        CAST(SUM(s.w4 * p.unexpected_so_far) AS BIGINT) AS unexpected_w4,
        CAST(SUM(s.w8 * p.unexpected_so_far) AS BIGINT) AS unexpected_w8,
        CAST(SUM(s.w13 * p.unexpected_so_far) AS BIGINT) AS unexpected_w13,
        CAST(SUM(s.w26 * p.unexpected_so_far) AS BIGINT) AS unexpected_w26,
        CAST(SUM(s.w52 * p.unexpected_so_far) AS BIGINT) AS unexpected_w52,
        CAST(SUM(s.w4 * p.expected_so_far) AS BIGINT) AS expected_w4,
        CAST(SUM(s.w8 * p.expected_so_far) AS BIGINT) AS expected_w8,
        CAST(SUM(s.w13 * p.expected_so_far) AS BIGINT) AS expected_w13,
        CAST(SUM(s.w26 * p.expected_so_far) AS BIGINT) AS expected_w26,
        CAST(SUM(s.w4 * p.core_so_far) AS BIGINT) AS expected_core_w4,
        CAST(SUM(s.w13 * p.core_so_far) AS BIGINT) AS expected_core_w13,
        CAST(SUM(s.w8 * p.collab_so_far) AS BIGINT) AS expected_collab_w8,
        CAST(SUM(s.w26 * p.collab_so_far) AS BIGINT) AS expected_collab_w26,
        CAST(SUM(s.w4 * p.users_so_far) AS BIGINT) AS expected_users_w4,
        CAST(SUM(s.w8 * p.typical_so_far) AS BIGINT) AS typical_users_w8,
        CAST(SUM(s.w13 * p.typical_so_far) AS BIGINT) AS typical_users_w13,
        CAST(SUM(s.w26 * p.typical_so_far) AS BIGINT) AS typical_users_w26,
        CAST(SUM(s.w52 * p.typical_so_far) AS BIGINT) AS typical_users_w52,
        CAST(SUM(s.w13 * p.pars_so_far) AS BIGINT) AS n,
        CAST(SUM(s.w13 * p.x_so_far) AS BIGINT) AS sx,
        CAST(SUM(s.w13 * p.xx_so_far) AS BIGINT) AS sxx,
        CAST(SUM(s.w13 * p.y_so_far) AS BIGINT) AS sy,
        CAST(SUM(s.w13 * p.xy_so_far) AS BIGINT) AS sxy,
        MAX(CASE s.weeks WHEN 13 THEN p.seat_ratio END) AS ratio_13w_ago,
        MAX(CASE s.weeks WHEN 56 THEN p.usage_rows END) AS usage_rows_56w_ago
    FROM usage_pars AS p
    INNER JOIN spots AS s
        ON p.as_of = s.then_as_of
    GROUP BY p.account_id, s.as_of
),

used AS (
    SELECT
        u.*,
        w.measured_w4,
        w.measured_w8,
        w.measured_w13,
        w.measured_w26,
        w.measured_w52,
        w.unexpected_w4,
        w.unexpected_w8,
        w.unexpected_w13,
        w.unexpected_w26,
        w.unexpected_w52,
        w.expected_w4,
        w.expected_w8,
        w.expected_w13,
        w.expected_w26,
        w.expected_core_w4,
        w.expected_core_w13,
        w.expected_collab_w8,
        w.expected_collab_w26,
        w.expected_users_w4,
        w.typical_users_w8,
        w.typical_users_w13,
        w.typical_users_w26,
        w.typical_users_w52,
        w.n,
        w.sx,
        w.sxx,
        w.sy,
        w.sxy,
        w.ratio_13w_ago,
        w.usage_rows_56w_ago
    FROM usage_windows AS u
    INNER JOIN windowed AS w
        ON u.account_id = w.account_id AND u.as_of = w.as_of
)

SELECT
    c.account_id,
    c.as_of,
    c.known_at,
    CASE WHEN u.usage_rows > 0 THEN CAST(u.users_w4 AS DOUBLE) / NULLIF(c.seats, 0) END AS active_seat_ratio_w4,
    CASE WHEN u.usage_rows > 0 THEN CAST(u.users_w4 AS DOUBLE) / NULLIF(c.seats, 0) - u.ratio_13w_ago END
        AS active_seat_ratio_change_13w,
    CASE
        WHEN u.measured_w4 > 0 AND u.unexpected_w4 = 0 AND u.expected_w4 > 0
            THEN LN((1000 * u.seat_weeks_w4 + 500) / (u.expected_users_w4 + 500))
    END AS active_seats_par_w4,
    CASE
        WHEN u.measured_w8 > 0 AND u.unexpected_w8 = 0 AND u.typical_users_w8 > 0
            THEN LN((1000 * u.seat_weeks_w8 + 500) / (u.typical_users_w8 + 500))
    END AS active_seats_par_w8,
    CASE
        WHEN u.measured_w13 > 0 AND u.unexpected_w13 = 0 AND u.typical_users_w13 > 0
            THEN LN((1000 * u.seat_weeks_w13 + 500) / (u.typical_users_w13 + 500))
    END AS active_seats_par_w13,
    CASE
        WHEN u.measured_w26 > 0 AND u.unexpected_w26 = 0 AND u.typical_users_w26 > 0
            THEN LN((1000 * u.seat_weeks_w26 + 500) / (u.typical_users_w26 + 500))
    END AS active_seats_par_w26,
    CASE
        WHEN u.measured_w52 > 0 AND u.unexpected_w52 = 0 AND u.typical_users_w52 > 0
            THEN LN((1000 * u.seat_weeks_w52 + 500) / (u.typical_users_w52 + 500))
    END AS active_seats_par_w52,
    CASE
        WHEN u.usage_rows_56w_ago > 0 AND u.seat_weeks_w56 > u.seat_weeks_w52
            THEN LN((u.seat_weeks_w4 + 0.5) / (u.seat_weeks_w56 - u.seat_weeks_w52 + 0.5))
    END AS active_seats_yoy,
    CAST(u.core_w4 AS DOUBLE) / NULLIF(u.seat_weeks_w4, 0) AS core_events_per_active_seat_w4,
    CASE
        WHEN u.measured_w4 > 0 AND u.unexpected_w4 = 0 AND u.expected_w4 > 0
            THEN LN((1000 * u.core_w4 + 500) / (u.expected_core_w4 + 500))
    END AS usage_par_w4,
    CASE
        WHEN u.measured_w13 > 0 AND u.unexpected_w13 = 0 AND u.expected_w13 > 0
            THEN LN((1000 * u.core_w13 + 500) / (u.expected_core_w13 + 500))
    END AS usage_par_w13,
    CASE
        WHEN u.n >= 8
            THEN CAST(u.n * u.sxy - u.sx * u.sy AS DOUBLE) / NULLIF(u.n * u.sxx - u.sx * u.sx, 0) / 1000000
    END AS usage_par_slope_w13,
    CASE
        WHEN u.usage_rows > 0
            THEN CAST(LEAST(90, COALESCE(DATE_DIFF('day', u.last_core_on, CAST(c.as_of AS DATE)), 90)) AS DOUBLE)
    END AS days_since_last_core,
    CASE
        WHEN u.active_seconds_w4 > 0 THEN CAST(u.active_seconds_w4 AS DOUBLE) / 60 / NULLIF(u.seat_weeks_w4, 0)
    END AS active_minutes_per_seat_w4,
    CASE WHEN u.sessions_w4 > 0 THEN CAST(u.sessions_w4 AS DOUBLE) / NULLIF(u.seat_weeks_w4, 0) END
        AS sessions_per_active_seat_w4,
    CASE
        WHEN u.usage_rows > 0
            THEN CAST(CASE WHEN c.seats < 3 THEN u.families_w13 ELSE u.shared_families_w13 END AS DOUBLE)
    END AS feature_breadth_w13,
    CAST(u.user_days_w4 AS DOUBLE) / 28 / NULLIF(u.users_w4, 0) AS stickiness_w4,
    CASE
        WHEN u.measured_w8 > 0 AND u.unexpected_w8 = 0 AND u.expected_w8 > 0
            THEN LN((1000 * u.collab_w8 + 500) / (u.expected_collab_w8 + 500))
    END AS collab_par_w8,
    CASE
        WHEN u.measured_w26 > 0 AND u.unexpected_w26 = 0 AND u.expected_w26 > 0
            THEN LN((1000 * u.collab_w26 + 500) / (u.expected_collab_w26 + 500))
    END AS collab_par_w26,
    CAST(u.collab_w13 AS DOUBLE) / NULLIF(u.all_w13, 0) AS collab_share_w13,
    CAST(d.waited_days AS DOUBLE) / NULLIF(d.new_seats, 0) AS seat_adoption_lag_days_w26,
    CASE
        WHEN s.known_seats > 0 AND c.seats > 0
            THEN GREATEST(CAST(c.seats - s.assigned_seats AS DOUBLE) / NULLIF(c.seats, 0), 0)
    END AS unassigned_seat_share,
    CASE WHEN h.silent_days IS NOT NULL THEN CAST(LEAST(60, h.silent_days) AS DOUBLE) END AS champion_inactive_days,
    CASE WHEN l.judged_w13 >= 8 THEN CAST(l.low_w13 AS DOUBLE) END AS low_usage_weeks_w13,
    CAST(g.deep_users_w4 AS DOUBLE) / NULLIF(u.users_w4, 0) AS embedded_user_share_w4,
    CASE
        WHEN u.usage_rows > 0 THEN CAST(s.assigned_seats - t.deep_seats AS DOUBLE) / NULLIF(s.assigned_seats, 0)
    END AS trial_only_seat_share,
    CASE
        WHEN v.named_w26 > 0 AND COALESCE(a.consent_pm_data, TRUE) THEN CAST(v.clients_w13 AS DOUBLE)
    END AS client_reviewers_w13
FROM cohort AS c
LEFT JOIN used AS u
    ON c.account_id = u.account_id AND c.as_of = u.as_of
LEFT JOIN seat_counts AS s
    ON c.account_id = s.account_id AND c.as_of = s.as_of
LEFT JOIN seat_adoption AS d
    ON c.account_id = d.account_id AND c.as_of = d.as_of
LEFT JOIN champions AS h
    ON c.account_id = h.account_id AND c.as_of = h.as_of
LEFT JOIN low_weeks AS l
    ON c.account_id = l.account_id AND c.as_of = l.as_of
LEFT JOIN deep_users AS g
    ON c.account_id = g.account_id AND c.as_of = g.as_of
LEFT JOIN seat_depth AS t
    ON c.account_id = t.account_id AND c.as_of = t.as_of
LEFT JOIN client_reviewers AS v
    ON c.account_id = v.account_id AND c.as_of = v.as_of
LEFT JOIN account_states AS a
    ON c.account_id = a.account_id AND c.as_of = a.as_of
