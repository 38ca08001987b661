-- What do people there say: surveys and support?
-- A share is shrunk to that of the whole cohort over the same window.
-- Grain in: sentiment_counts, sentiment_rates, decision_makers, post_pulses, text_counts, sponsor_contacts.
-- Grain out: one row per cohort row.
SELECT
    m.account_id,
    m.as_of,
    m.known_at,
    m.last_sum / NULLIF(m.last_answers, 0) / 100 AS nps_last,
    CASE WHEN m.nps_age_days > 728 THEN 728 ELSE m.nps_age_days END / 7 AS nps_age_weeks,
    (m.nps_sum + 2 * p.nps_mean) / (m.nps_answers + 2) / 100 AS nps_mean_w52,
    (
        m.nps_sum_w26 / NULLIF(m.nps_answers_w26, 0)
        - (m.nps_sum - m.nps_sum_w26) / NULLIF(m.nps_answers - m.nps_answers_w26, 0)
    ) / 100 AS nps_change,
    (m.detractors + 2 * p.detractor_share) / (m.nps_answers + 2) AS nps_detractor_share_w52,
    m.answered / NULLIF(m.invited, 0) AS survey_response_rate_w52,
    (m.bad_ratings + 4 * p.bad_share) / (m.ratings + 4) AS csat_bad_share_w26,
    m.has_support * 100 * m.opened_w13 / NULLIF(m.seats, 0) AS tickets_per_100_seats_w13,
    m.has_support * LN((m.opened_w26 + 1) / (m.expected_billionths / 1000000000 + 1)) AS tickets_par_w26,
    m.has_support * (m.urgent_w26 + 4 * p.urgent_share) / (m.opened_w26 + 4) AS urgent_ticket_share_w26,
    m.has_support * (m.reopened_w26 + 4 * p.reopen_rate) / (m.solved_w26 + 4) AS ticket_reopen_rate_w26,
    m.has_support * m.resolution_hours AS ticket_resolution_hours_w13,
    CAST(m.has_support * LEAST(m.oldest_days, 180) AS DOUBLE) AS open_ticket_age_days,
    CAST(
        CASE
            WHEN m.has_support IS NULL THEN NULL
            WHEN m.opened_w26 > 0 THEN 0
            WHEN m.usage_par_w13 < -0.5 THEN 1
            WHEN m.usage_par_w13 IS NOT NULL THEN 0
        END AS DOUBLE
    ) AS ticket_silence_flag,
    CAST(d.is_critical AS DOUBLE) AS decision_maker_detractor_flag,
    (COALESCE(u.pulse_sum, 0) + 2 * p.pulse_mean) / (COALESCE(u.pulses, 0) + 2) / 100 AS review_pulse_mean_post_w52,
    t.tone_sum / NULLIF(t.toned, 0) / 1000 AS text_sentiment_w26,
    t.risky / NULLIF(t.tagged, 0) AS text_risk_topic_share_w26,
    CAST(CASE WHEN x.silent_days > 365 THEN 365 ELSE x.silent_days END AS DOUBLE) AS exec_contact_days
FROM sentiment_counts AS m
INNER JOIN sentiment_rates AS p
    ON m.as_of = p.as_of
LEFT JOIN decision_makers AS d
    ON m.account_id = d.account_id AND m.as_of = d.as_of
LEFT JOIN post_pulses AS u
    ON m.account_id = u.account_id AND m.as_of = u.as_of
LEFT JOIN text_counts AS t
    ON m.account_id = t.account_id AND m.as_of = t.as_of
LEFT JOIN sponsor_contacts AS x
    ON m.account_id = x.account_id AND m.as_of = x.as_of
