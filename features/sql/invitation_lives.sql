-- At which as_ofs does each invitation to a survey count?
-- Grain in: survey_invitations (events; a later row of the same invitation corrects it). One that could not be
-- delivered counts no more. Grain out: one row per invitation and belief, which counts at every Monday in [known_on,
-- gone_on).
WITH beliefs AS (
    SELECT
        *,
        GREATEST(
            CAST(DATE_TRUNC('week', CAST(available_at - INTERVAL 1 MICROSECOND AS DATE)) AS DATE),
            CAST(DATE_TRUNC('week', CAST(event_at AS DATE)) AS DATE)
        ) + 7 AS known_on
    FROM survey_invitations
),

lives AS (
    SELECT
        invitation_id,
        account_id,
        COALESCE(survey_family, 'other') AS survey_family,
        CAST(event_at AS DATE) AS sent_on,
        COALESCE(status, 'sent') AS delivery,
        op,
        known_on,
        COALESCE(
            MIN(known_on) OVER (
                PARTITION BY invitation_id ORDER BY available_at, row_hash DESC
                ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING
            ),
            DATE '2999-12-30'
        ) AS gone_on
    FROM beliefs
)

SELECT
    invitation_id,
    account_id,
    survey_family,
    sent_on,
    known_on,
    gone_on
FROM lives
WHERE op = 'upsert' AND known_on < gone_on AND delivery NOT IN ('bounced', 'failed', 'undelivered')
