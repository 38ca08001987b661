-- What mood do survey answers around campaigns show over the whole company?
-- Grain in: survey_lives, phase_weeks, as_of_grid. Grain out: one row per snapshot: the mean of all accounts' answers
-- so far that were given in weeks of pre, active or post phase, from 0 (worst) to 1000; null before the first.
WITH answers AS (
    SELECT
        s.score_hundredths AS score,
        GREATEST(CAST(s.known_on AS TIMESTAMPTZ), p.as_of) AS from_as_of,
        CAST(s.gone_on AS TIMESTAMPTZ) AS gone_as_of
    FROM survey_lives AS s
    INNER JOIN phase_weeks AS p
        ON s.account_id = p.account_id AND CAST(DATE_TRUNC('week', s.submitted_on) AS TIMESTAMPTZ) = p.week_start
    WHERE s.score_hundredths IS NOT NULL AND p.phase IN ('pre', 'active', 'post')
),

changes AS (
    SELECT
        from_as_of AS as_of,
        1 AS answers,
        score
    FROM answers
    UNION ALL
    SELECT
        GREATEST(from_as_of, gone_as_of) AS as_of,
        -1 AS answers,
        -score AS score
    FROM answers
)

SELECT
    g.as_of,
    CAST(CAST(SUM(c.score) AS BIGINT) AS DOUBLE) / NULLIF(CAST(SUM(c.answers) AS BIGINT), 0) AS usual_score
FROM as_of_grid AS g
LEFT JOIN changes AS c
    ON g.as_of >= c.as_of
GROUP BY g.as_of
