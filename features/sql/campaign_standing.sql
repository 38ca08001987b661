-- Which campaigns did an account have behind and before it, as believed at each snapshot?
-- Grain in: campaign_spans, cohort. Grain out: one row per cohort row with any campaign known.
SELECT
    c.account_id,
    c.as_of,
    COUNT(*) AS campaigns_known,
    MAX(CASE WHEN s.active_end <= c.as_of THEN s.active_end END) AS last_wrap,
    MIN(CASE WHEN s.active_start > c.as_of THEN s.active_start END) AS next_start,
    CAST(SUM(
        CASE WHEN s.active_start <= c.as_of AND s.active_start > c.as_of - INTERVAL 364 DAY THEN 1 ELSE 0 END
    ) AS BIGINT) AS joined_w52,
    CAST(SUM(
        CASE WHEN s.active_start <= c.as_of AND s.active_start > c.as_of - INTERVAL 728 DAY THEN 1 ELSE 0 END
    ) AS BIGINT) AS joined_w104
FROM cohort AS c
INNER JOIN campaign_spans AS s
    ON c.account_id = s.account_id AND c.as_of >= s.from_as_of AND c.as_of < s.until_as_of
GROUP BY c.account_id, c.as_of
