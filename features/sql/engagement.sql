-- Is the tool used, by how many, how deeply, against what this account does at such a time?
-- Grain out: one row per cohort row. *_par = ln((done + 0.5) / (expected + 0.5)), both in thousandths.
WITH weekly AS (
    SELECT
        u.*,
        a.seats AS seats_then,
        a.is_live AS live_then,
        e.is_measured,
        e.is_unexpected,
        e.expected_core,
        e.expected_collab,
        e.expected_users,
        e.typical_users,
        p.par_w1,
        p.week_no
    FROM usage_windows AS u
    INNER JOIN account_weeks AS a
        ON u.account_id = a.account_id AND u.as_of = a.as_of
    INNER JOIN usage_expected AS e
        ON u.account_id = e.account_id AND u.as_of = e.as_of
    INNER JOIN usage_pars AS p
        ON u.account_id = p.account_id AND u.as_of = p.as_of
    CROSS JOIN run AS r
    -- The longest look back, from the first snapshot that is built.
    WHERE u.as_of >= r.first_as_of - INTERVAL 392 DAY
),

windowed AS (
    SELECT
        *,
        SUM(is_measured) OVER w4 AS measured_w4,
        SUM(is_measured) OVER w8 AS measured_w8,
        SUM(is_measured) OVER w13 AS measured_w13,
        SUM(is_measured) OVER w26 AS measured_w26,
        SUM(is_unexpected) OVER w4 AS unexpected_w4,
        SUM(is_unexpected) OVER w8 AS unexpected_w8,
        SUM(is_unexpected) OVER w13 AS unexpected_w13,
        SUM(is_unexpected) OVER w26 AS unexpected_w26,
        SUM(is_measured) OVER w52 AS measured_w52,
        SUM(is_unexpected) OVER w52 AS unexpected_w52,
        CAST(SUM(expected_core) OVER w4 AS BIGINT) AS expected_core_w4,
        CAST(SUM(expected_core) OVER w13 AS BIGINT) AS expected_core_w13,
        CAST(SUM(expected_collab) OVER w8 AS BIGINT) AS expected_collab_w8,
        CAST(SUM(expected_collab) OVER w26 AS BIGINT) AS expected_collab_w26,
        CAST(SUM(expected_users) OVER w4 AS BIGINT) AS expected_users_w4,
        CAST(SUM(typical_users) OVER w8 AS BIGINT) AS typical_users_w8,
        CAST(SUM(typical_users) OVER w13 AS BIGINT) AS typical_users_w13,
        CAST(SUM(typical_users) OVER w26 AS BIGINT) AS typical_users_w26,
        CAST(SUM(typical_users) OVER w52 AS BIGINT) AS typical_users_w52,
        COUNT(par_w1) OVER w13 AS n,
        CAST(SUM(CASE WHEN par_w1 IS NOT NULL THEN week_no ELSE 0 END) OVER w13 AS BIGINT) AS sx,
        CAST(SUM(CASE WHEN par_w1 IS NOT NULL THEN week_no * week_no ELSE 0 END) OVER w13 AS BIGINT) AS sxx,
        CAST(SUM(COALESCE(par_w1, 0)) OVER w13 AS BIGINT) AS sy,
        CAST(SUM(COALESCE(week_no * par_w1, 0)) OVER w13 AS BIGINT) AS sxy,
        CASE WHEN live_then = 1 AND usage_rows > 0 THEN CAST(users_w4 AS DOUBLE) / NULLIF(seats_then, 0) END
            AS ratio_then
    FROM weekly
    WINDOW
        w4 AS (PARTITION BY account_id ORDER BY as_of ROWS BETWEEN 3 PRECEDING AND CURRENT ROW),
        w8 AS (PARTITION BY account_id ORDER BY as_of ROWS BETWEEN 7 PRECEDING AND CURRENT ROW),
        w13 AS (PARTITION BY account_id ORDER BY as_of ROWS BETWEEN 12 PRECEDING AND CURRENT ROW),
        w26 AS (PARTITION BY account_id ORDER BY as_of ROWS BETWEEN 25 PRECEDING AND CURRENT ROW),
        w52 AS (PARTITION BY account_id ORDER BY as_of ROWS BETWEEN 51 PRECEDING AND CURRENT ROW)
),

lagged AS (
    SELECT
        *,
        LAG(ratio_then, 13) OVER (PARTITION BY account_id ORDER BY as_of) AS ratio_13w_ago,
        LAG(usage_rows, 56) OVER (PARTITION BY account_id ORDER BY as_of) AS usage_rows_56w_ago
    FROM windowed
)

SELECT
    c.account_id,
    c.as_of,
    c.known_at,
    CASE WHEN u.usage_rows > 0 THEN CAST(u.users_w4 AS DOUBLE) / NULLIF(c.seats, 0) END AS active_seat_ratio_w4,
    CASE WHEN u.usage_rows > 0 THEN CAST(u.users_w4 AS DOUBLE) / NULLIF(c.seats, 0) - u.ratio_13w_ago END
        AS active_seat_ratio_change_13w,
    CASE
        WHEN u.measured_w4 > 0 AND u.unexpected_w4 = 0
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
        WHEN u.measured_w4 > 0 AND u.unexpected_w4 = 0
            THEN LN((1000 * u.core_w4 + 500) / (u.expected_core_w4 + 500))
    END AS usage_par_w4,
    CASE
        WHEN u.measured_w13 > 0 AND u.unexpected_w13 = 0
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
        WHEN u.measured_w8 > 0 AND u.unexpected_w8 = 0
            THEN LN((1000 * u.collab_w8 + 500) / (u.expected_collab_w8 + 500))
    END AS collab_par_w8,
    CASE
        WHEN u.measured_w26 > 0 AND u.unexpected_w26 = 0
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
LEFT JOIN lagged AS u
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
