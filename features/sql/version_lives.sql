-- At which as_ofs does each version of an asset count, by what was known then?
-- Grain in: asset_versions (events; a correction is a later row of the same version).
-- Grain out: one row per version and belief, which counts at every Monday in [known_on, gone_on).
WITH beliefs AS (
    SELECT
        version_id,
        asset_id,
        account_id,
        version_no,
        supersedes_version_id,
        event_at,
        DATE_DIFF('day', DATE '2000-01-03', CAST(event_at AS DATE)) * 86400
        + EXTRACT(HOUR FROM event_at) * 3600
        + EXTRACT(MINUTE FROM event_at) * 60
        + CAST(FLOOR(EXTRACT(SECOND FROM event_at)) AS BIGINT) AS event_s,
        op,
        available_at,
        row_hash,
        GREATEST(
            CAST(DATE_TRUNC('week', CAST(available_at - INTERVAL 1 MICROSECOND AS DATE)) AS DATE),
            CAST(DATE_TRUNC('week', CAST(event_at AS DATE)) AS DATE)
        ) + 7 AS known_on
    FROM asset_versions
),

lives AS (
    SELECT
        version_id,
        asset_id,
        account_id,
        version_no,
        supersedes_version_id,
        event_at,
        event_s,
        op,
        known_on,
        -- A belief ends with the first belief later in order, even if that one became known before it.
        COALESCE(
            MIN(known_on) OVER (
                PARTITION BY version_id ORDER BY available_at, row_hash DESC
                ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING
            ),
            DATE '2999-12-30'
        ) AS gone_on
    FROM beliefs
)

SELECT
    version_id,
    asset_id,
    account_id,
    version_no,
    supersedes_version_id,
    event_at,
    event_s,
    known_on,
    gone_on
FROM lives
WHERE op = 'upsert' AND known_on < gone_on
