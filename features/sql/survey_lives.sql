-- At which as_ofs does each answer to a survey count, and where does it lie on its scale?
-- Grain in: survey_responses (events; a later row of the same question and response corrects it).
-- Grain out: one row per answered question and belief, which counts at every Monday in [known_on, gone_on);
-- score_hundredths runs from 0 (worst) to 1000 (best), null for words alone.
WITH beliefs AS (
    SELECT
        *,
        GREATEST(
            CAST(DATE_TRUNC('week', CAST(available_at - INTERVAL 1 MICROSECOND AS DATE)) AS DATE),
            CAST(DATE_TRUNC('week', CAST(event_at AS DATE)) AS DATE)
        ) + 7 AS known_on
    FROM survey_responses
),

lives AS (
    SELECT
        response_id,
        question_key,
        account_id,
        survey_family,
        respondent_key,
        CAST(event_at AS DATE) AS submitted_on,
        CASE
            WHEN score_01 IS NOT NULL THEN 10 * score_01
            WHEN scale_max > scale_min THEN 10 * (score_raw - scale_min) / NULLIF(scale_max - scale_min, 0)
            -- A recommendation score without a stated scale is on 0-10, as everywhere.
            WHEN survey_family = 'nps' AND score_raw BETWEEN 0 AND 10 THEN score_raw
        END AS score,
        op,
        known_on,
        COALESCE(
            MIN(known_on) OVER (
                PARTITION BY response_id, question_key ORDER BY available_at, row_hash DESC
                ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING
            ),
            DATE '2999-12-30'
        ) AS gone_on
    FROM beliefs
)

SELECT
    response_id,
    question_key,
    account_id,
    survey_family,
    respondent_key,
    submitted_on,
    CAST(FLOOR(score * 100 + 0.5) AS BIGINT) AS score_hundredths,
    known_on,
    gone_on
FROM lives
WHERE op = 'upsert' AND known_on < gone_on AND account_id IS NOT NULL
