-- At which rates does the whole cohort complain?
-- Grain in: sentiment_counts, post_pulses. Grain out: one row per snapshot with a cohort.
SELECT
    m.as_of,
    SUM(m.nps_sum) / NULLIF(SUM(m.nps_answers), 0) AS nps_mean,
    SUM(m.detractors) / NULLIF(SUM(m.nps_answers), 0) AS detractor_share,
    SUM(m.bad_ratings) / NULLIF(SUM(m.ratings), 0) AS bad_share,
    SUM(m.urgent_w26) / NULLIF(SUM(m.opened_w26), 0) AS urgent_share,
    SUM(m.reopened_w26) / NULLIF(SUM(m.solved_w26), 0) AS reopen_rate,
    SUM(p.pulse_sum) / NULLIF(SUM(p.pulses), 0) AS pulse_mean
FROM sentiment_counts AS m
LEFT JOIN post_pulses AS p
    ON m.account_id = p.account_id AND m.as_of = p.as_of
GROUP BY m.as_of
