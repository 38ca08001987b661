-- At which rates does the whole cohort complain?
-- Grain in: sentiment_counts. Grain out: one row per snapshot with a cohort.
SELECT
    as_of,
    SUM(nps_sum) / NULLIF(SUM(nps_answers), 0) AS nps_mean,
    SUM(detractors) / NULLIF(SUM(nps_answers), 0) AS detractor_share,
    SUM(bad_ratings) / NULLIF(SUM(ratings), 0) AS bad_share,
    SUM(urgent_w26) / NULLIF(SUM(opened_w26), 0) AS urgent_share,
    SUM(reopened_w26) / NULLIF(SUM(solved_w26), 0) AS reopen_rate
FROM sentiment_counts
GROUP BY as_of
