-- How did the last campaigns go, what is live, and did the account come back after the wrap?
-- Grain out: one row per cohort row; null in all but the counts where no campaign of the account was known. A phase of
-- a campaign can be judged from its second closed week on, or when it is over. Logarithms as in engagement.
WITH judged AS (
    SELECT
        *,
        CASE
            WHEN active_unexpected > 0 OR active_weeks = 0 THEN 0
            WHEN active_weeks >= 2 OR active_end <= as_of THEN 1
            ELSE 0
        END AS has_active,
        CASE
            WHEN pre_unexpected > 0 OR pre_weeks = 0 THEN 0
            WHEN pre_weeks >= 2 OR active_start <= as_of THEN 1
            ELSE 0
        END AS has_pre,
        CASE WHEN back_unexpected = 0 AND back_weeks >= 2 THEN 1 ELSE 0 END AS has_back,
        LN((1000 * active_core + 500) / (active_base_core + 500)) AS spike_log,
        LN((1000 * active_core + 500) / (active_expected_core + 500)) AS spike_par,
        LN((1000 * active_collab + 500) / (active_expected_collab + 500)) AS collab_par,
        LN((1000 * pre_core + 500) / (pre_expected_core + 500)) AS ramp_par,
        -- Growth from week to week as a share of a quiet week, by least squares.
        CASE
            WHEN pre_weeks >= 3 AND pre_unexpected = 0
                THEN
                    7000 * CAST(pre_weeks * pre_core_days - pre_days * pre_core AS DOUBLE)
                    / NULLIF(pre_weeks * pre_days_squared - pre_days * pre_days, 0)
                    * pre_weeks / NULLIF(pre_base_core, 0)
        END AS ramp_speed,
        LN((1000 * back_core + 500) / (back_expected_core + 500)) AS back_par,
        LN((1000 * back_collab + 500) / (back_expected_collab + 500)) AS back_collab_par
    FROM campaign_sums
),

actives AS (
    SELECT
        *,
        ROW_NUMBER() OVER (
            PARTITION BY account_id, as_of ORDER BY active_start DESC, campaign_instance_id DESC
        ) AS place,
        ROW_NUMBER() OVER (
            PARTITION BY account_id, as_of, campaign_id ORDER BY active_start DESC, campaign_instance_id DESC
        ) AS place_in_campaign
    FROM judged
    WHERE has_active = 1
),

lasts AS (
    SELECT *
    FROM actives
    WHERE place = 1
),

befores AS (
    SELECT
        account_id,
        as_of,
        collab_par
    FROM actives
    WHERE place = 2
),

ramps AS (
    SELECT
        account_id,
        as_of,
        ramp_par,
        ROW_NUMBER() OVER (
            PARTITION BY account_id, as_of ORDER BY active_start DESC, campaign_instance_id DESC
        ) AS place
    FROM judged
    WHERE has_pre = 1
),

speeds AS (
    SELECT
        account_id,
        as_of,
        ramp_speed,
        ROW_NUMBER() OVER (
            PARTITION BY account_id, as_of ORDER BY active_start DESC, campaign_instance_id DESC
        ) AS place
    FROM judged
    WHERE ramp_speed IS NOT NULL
),

delays AS (
    SELECT
        l.account_id,
        l.as_of,
        DATE_DIFF(
            'day',
            CAST(l.active_week AS DATE),
            CAST(COALESCE(MIN(p.week_start), GREATEST(LEAST(l.as_of, l.wrap_week), l.active_week)) AS DATE)
        ) AS late_days
    FROM lasts AS l
    LEFT JOIN campaign_ramps AS p
        ON
            l.span_no = p.span_no
            AND l.as_of >= p.from_as_of
            AND (p.until_as_of IS NULL OR l.as_of < p.until_as_of)
    GROUP BY l.account_id, l.as_of, l.active_week, l.wrap_week
),

backs AS (
    SELECT
        j.account_id,
        j.as_of,
        j.back_par,
        j.back_collab_par,
        MAX(
            CASE
                WHEN
                    j.as_of <= j.wrap_week + INTERVAL 182 DAY
                    AND 1000000 * (j.back_par + j.back_collab_par - j.collab_par / 2) < COALESCE(t.threshold, -750000)
                    THEN 1
                ELSE 0
            END
        ) OVER (PARTITION BY j.account_id, j.as_of) AS dropped,
        ROW_NUMBER() OVER (
            PARTITION BY j.account_id, j.as_of ORDER BY j.active_end DESC, j.campaign_instance_id DESC
        ) AS place
    FROM judged AS j
    INNER JOIN cohort AS c
        ON j.account_id = c.account_id AND j.as_of = c.as_of
    LEFT JOIN wrap_thresholds AS t
        ON c.segment = t.segment AND c.as_of = t.as_of
    WHERE j.has_back = 1
)

SELECT
    c.account_id,
    c.as_of,
    c.known_at,
    CASE WHEN s.campaigns_known > 0 THEN CAST(COALESCE(p.n_pre, 0) AS DOUBLE) END AS campaigns_live_pre,
    CASE WHEN s.campaigns_known > 0 THEN CAST(COALESCE(p.n_active, 0) AS DOUBLE) END AS campaigns_live_active,
    CASE WHEN s.campaigns_known > 0 THEN CAST(COALESCE(p.n_post, 0) AS DOUBLE) END AS campaigns_live_post,
    CASE
        WHEN s.last_wrap IS NOT NULL
            THEN LEAST(60, CAST(DATE_DIFF('day', CAST(s.last_wrap AS DATE), CAST(c.as_of AS DATE)) AS DOUBLE) / 7)
    END AS weeks_since_wrap,
    CASE
        WHEN s.next_start IS NOT NULL
            THEN LEAST(60, CAST(DATE_DIFF('day', CAST(c.as_of AS DATE), CAST(s.next_start AS DATE)) AS DOUBLE) / 7)
    END AS weeks_to_next_start,
    CASE WHEN f.campaigns_from <= c.as_of THEN CAST(COALESCE(s.joined_w52, 0) AS DOUBLE) END AS campaigns_joined_w52,
    CASE
        WHEN s.campaigns_known > 0 THEN CAST(CASE WHEN x.account_id IS NOT NULL THEN 1 ELSE 0 END AS DOUBLE)
    END AS participation_lapsed,
    CAST(1000 * l.active_core AS DOUBLE) / NULLIF(l.active_base_core, 0) AS spike_ratio_last,
    l.spike_log - y.spike_log AS spike_ratio_vs_prev,
    l.spike_par AS spike_ratio_par,
    l.collab_par AS collab_intensity_active,
    l.collab_par - b.collab_par AS collab_intensity_vs_prev,
    r.ramp_par AS ramp_ratio_pre,
    CAST(l.active_peak_users AS DOUBLE) / NULLIF(c.seats, 0) AS peak_active_seat_ratio,
    k.back_par AS post_retention,
    CAST(k.dropped AS DOUBLE) AS post_drop_flag,
    k.back_collab_par AS post_collab_retention,
    CASE
        WHEN f.tickets_from <= CAST(c.as_of AS DATE)
            THEN 100 * CAST(l.active_tickets AS DOUBLE) / NULLIF(c.seats, 0)
    END AS campaign_support_burden,
    CASE
        WHEN s.campaigns_known > 0 THEN (m.score + 4 * m.usual_score) / (m.answers + 4) / 1000
    END AS campaign_sentiment,
    v.ramp_speed - w.ramp_speed AS ramp_speed_change,
    CASE
        WHEN e.seats_before IS NOT NULL AND e.seats_after IS NOT NULL
            THEN
                CAST(GREATEST(e.seats_peak - GREATEST(e.seats_before, e.seats_after), 0) AS DOUBLE)
                / NULLIF(e.seats_peak, 0)
    END AS rented_seat_share,
    CASE WHEN u.since IS NOT NULL THEN CAST(LEAST(60, COALESCE(u.waited, u.since)) AS DOUBLE) END
        AS first_use_after_wrap_days,
    CAST(d.late_days AS DOUBLE) AS campaign_start_delay_days
FROM cohort AS c
INNER JOIN source_starts AS f
    ON c.as_of = f.as_of
LEFT JOIN phase_weeks AS p
    ON c.account_id = p.account_id AND c.as_of = p.as_of
LEFT JOIN campaign_standing AS s
    ON c.account_id = s.account_id AND c.as_of = s.as_of
LEFT JOIN campaign_lapses AS x
    ON c.account_id = x.account_id AND c.as_of = x.as_of
LEFT JOIN lasts AS l
    ON c.account_id = l.account_id AND c.as_of = l.as_of
LEFT JOIN actives AS y
    ON l.account_id = y.account_id AND l.as_of = y.as_of AND l.campaign_id = y.campaign_id AND y.place_in_campaign = 2
LEFT JOIN befores AS b
    ON c.account_id = b.account_id AND c.as_of = b.as_of
LEFT JOIN ramps AS r
    ON c.account_id = r.account_id AND c.as_of = r.as_of AND r.place = 1
LEFT JOIN backs AS k
    ON c.account_id = k.account_id AND c.as_of = k.as_of AND k.place = 1
LEFT JOIN campaign_mood AS m
    ON c.account_id = m.account_id AND c.as_of = m.as_of
LEFT JOIN speeds AS v
    ON c.account_id = v.account_id AND c.as_of = v.as_of AND v.place = 1
LEFT JOIN speeds AS w
    ON c.account_id = w.account_id AND c.as_of = w.as_of AND w.place = 2
LEFT JOIN campaign_seats AS e
    ON c.account_id = e.account_id AND c.as_of = e.as_of
LEFT JOIN first_uses AS u
    ON c.account_id = u.account_id AND c.as_of = u.as_of
LEFT JOIN delays AS d
    ON c.account_id = d.account_id AND c.as_of = d.as_of
