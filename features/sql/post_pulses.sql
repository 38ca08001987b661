-- How did campaigns go, as the pulse of the review tool says after them?
-- Grain in: cohort, survey_lives, phase_weeks. Grain out: one row per cohort row with an answer of 52 weeks that was
-- given in a week of post phase; scores run from 0 (worst) to 1000.
WITH pulses AS (
    SELECT
        a.account_id,
        a.submitted_on,
        a.score_hundredths,
        -- The phase of a week is known when the week is over.
        GREATEST(a.known_on, CAST(p.as_of AS DATE)) AS known_on,
        a.gone_on
    FROM survey_lives AS a
    INNER JOIN phase_weeks AS p
        ON a.account_id = p.account_id AND CAST(DATE_TRUNC('week', a.submitted_on) AS TIMESTAMPTZ) = p.week_start
    WHERE a.survey_family = 'review_pulse' AND a.score_hundredths IS NOT NULL AND p.phase = 'post'
)

SELECT
    c.account_id,
    c.as_of,
    COUNT(*) AS pulses,
    CAST(SUM(a.score_hundredths) AS BIGINT) AS pulse_sum
FROM cohort AS c
INNER JOIN pulses AS a
    ON c.account_id = a.account_id AND CAST(c.as_of AS DATE) >= a.known_on AND CAST(c.as_of AS DATE) < a.gone_on
WHERE a.submitted_on >= CAST(c.as_of AS DATE) - 364
GROUP BY c.account_id, c.as_of
