-- What mood do an account's survey answers around campaigns show?
-- Grain in: survey_lives, phase_weeks, mood_levels, cohort. Grain out: one row per cohort row: answers of the account
-- given within 52 weeks in weeks of pre, active or post phase, their sum, and the company's usual score. Scores run
-- from 0 (worst) to 1000.
WITH answers AS (
    SELECT
        s.account_id,
        s.score_hundredths AS score,
        GREATEST(CAST(s.known_on AS TIMESTAMPTZ), p.as_of) AS from_as_of,
        CAST(s.gone_on AS TIMESTAMPTZ) AS gone_as_of,
        -- The last snapshot that looks back on a week is 52 weeks after its start.
        p.week_start + INTERVAL 371 DAY AS old_as_of
    FROM survey_lives AS s
    INNER JOIN phase_weeks AS p
        ON s.account_id = p.account_id AND CAST(DATE_TRUNC('week', s.submitted_on) AS TIMESTAMPTZ) = p.week_start
    WHERE s.score_hundredths IS NOT NULL AND p.phase IN ('pre', 'active', 'post')
),

changes AS (
    SELECT
        account_id,
        from_as_of AS as_of,
        1 AS answers,
        score
    FROM answers
    UNION ALL
    SELECT
        account_id,
        GREATEST(from_as_of, LEAST(old_as_of, gone_as_of)) AS as_of,
        -1 AS answers,
        -score AS score
    FROM answers
),

by_account AS (
    SELECT
        account_id,
        as_of,
        SUM(answers) AS answers,
        SUM(score) AS score
    FROM changes
    GROUP BY account_id, as_of
),

accounts_so_far AS (
    SELECT
        p.account_id,
        p.as_of,
        CAST(SUM(COALESCE(b.answers, 0)) OVER known AS BIGINT) AS answers,
        CAST(SUM(COALESCE(b.score, 0)) OVER known AS BIGINT) AS score
    FROM phase_weeks AS p
    LEFT JOIN by_account AS b
        ON p.account_id = b.account_id AND p.as_of = b.as_of
    WINDOW known AS (PARTITION BY p.account_id ORDER BY p.as_of ROWS UNBOUNDED PRECEDING)
)

SELECT
    c.account_id,
    c.as_of,
    a.answers,
    a.score,
    o.usual_score
FROM cohort AS c
INNER JOIN accounts_so_far AS a
    ON c.account_id = a.account_id AND c.as_of = a.as_of
INNER JOIN mood_levels AS o
    ON c.as_of = o.as_of
