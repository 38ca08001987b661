-- At which as_ofs does each review event count, by what was known then?
-- Grain in: review_events (events; a correction is a later row of the same event).
-- Grain out: one row per event that bears on revisions, decisions or comments and belief, which counts at every Monday
-- in [known_on, gone_on).
WITH beliefs AS (
    SELECT
        review_event_id,
        version_id,
        asset_id,
        account_id,
        type,
        thread_id,
        event_at,
        op,
        available_at,
        row_hash,
        GREATEST(
            CAST(DATE_TRUNC('week', CAST(available_at - INTERVAL 1 MICROSECOND AS DATE)) AS DATE),
            CAST(DATE_TRUNC('week', CAST(event_at AS DATE)) AS DATE)
        ) + 7 AS known_on
    FROM review_events
),

lives AS (
    SELECT
        review_event_id,
        version_id,
        asset_id,
        account_id,
        type,
        thread_id,
        event_at,
        op,
        known_on,
        COALESCE(
            MIN(known_on) OVER (
                PARTITION BY review_event_id ORDER BY available_at, row_hash DESC
                ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING
            ),
            DATE '2999-12-30'
        ) AS gone_on
    FROM beliefs
)

SELECT
    review_event_id,
    version_id,
    asset_id,
    account_id,
    type,
    thread_id,
    event_at,
    DATE_DIFF('day', DATE '2000-01-03', CAST(event_at AS DATE)) * 86400
    + EXTRACT(HOUR FROM event_at) * 3600
    + EXTRACT(MINUTE FROM event_at) * 60
    + CAST(FLOOR(EXTRACT(SECOND FROM event_at)) AS BIGINT) AS event_s,
    known_on,
    gone_on
FROM lives
WHERE op = 'upsert' AND known_on < gone_on AND type <> 'viewed'
