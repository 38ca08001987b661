-- What do those who decide say when asked whether they would recommend the tool?
-- Who has a seat as admin or producer, as known at the snapshot, decides; of each the last score of 52 weeks counts
-- (the worst of its day).
-- Grain in: cohort, survey_lives, seat_spans. Grain out: one row per cohort row with such a score.
WITH said AS (
    SELECT
        c.account_id,
        c.as_of,
        a.respondent_key,
        a.score_hundredths,
        ROW_NUMBER() OVER (
            PARTITION BY c.account_id, c.as_of, a.respondent_key ORDER BY a.submitted_on DESC, a.score_hundredths
        ) AS recency
    FROM cohort AS c
    INNER JOIN survey_lives AS a
        ON c.account_id = a.account_id AND CAST(c.as_of AS DATE) >= a.known_on AND CAST(c.as_of AS DATE) < a.gone_on
    WHERE
        a.survey_family = 'nps'
        AND a.score_hundredths IS NOT NULL
        AND a.respondent_key IS NOT NULL
        AND a.submitted_on >= CAST(c.as_of AS DATE) - 364
)

SELECT
    d.account_id,
    d.as_of,
    MAX(CASE WHEN d.score_hundredths <= 600 THEN 1 ELSE 0 END) AS is_critical
FROM said AS d
WHERE
    d.recency = 1
    AND EXISTS (
        SELECT 1
        FROM seat_spans AS s
        WHERE
            s.account_id = d.account_id
            AND s.user_key = d.respondent_key
            AND s.role IN ('admin', 'producer')
            AND s.from_as_of <= d.as_of
            AND (s.until_as_of IS NULL OR s.until_as_of > d.as_of)
    )
GROUP BY d.account_id, d.as_of
