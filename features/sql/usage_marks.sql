-- Which projects and assets were worked on in the tool, and at which as_ofs does that count?
-- Grain in: usage_events (a later row of the same event corrects it). Grain out: one row per account, project, asset,
-- user and span of Mondays [known_on, gone_on) at which an action of the last 13 weeks is known; project_key and
-- asset_key are not both null. Spans may overlap.
WITH revised AS (
    SELECT event_id
    FROM usage_events
    GROUP BY event_id
    HAVING COUNT(*) > 1
),

beliefs AS (
    SELECT
        e.event_id,
        r.event_id AS revised_id,
        e.account_id,
        e.project_key,
        e.asset_key,
        e.user_key,
        CAST(e.event_at AS DATE) AS event_on,
        e.available_at,
        COALESCE(e.recorded_at, e.event_at) AS recorded_at,
        e.row_hash,
        e.op,
        GREATEST(
            CAST(DATE_TRUNC('week', CAST(e.available_at - INTERVAL 1 MICROSECOND AS DATE)) AS DATE),
            CAST(DATE_TRUNC('week', CAST(e.event_at AS DATE)) AS DATE)
        ) + 7 AS known_on
    FROM usage_events AS e
    LEFT JOIN revised AS r
        ON e.event_id = r.event_id
),

lives AS (
    SELECT
        account_id,
        project_key,
        asset_key,
        user_key,
        event_on,
        op,
        known_on,
        DATE '2999-12-30' AS gone_on
    FROM beliefs
    WHERE revised_id IS NULL
    UNION ALL
    SELECT
        account_id,
        project_key,
        asset_key,
        user_key,
        event_on,
        op,
        known_on,
        COALESCE(
            MIN(known_on) OVER (
                PARTITION BY event_id ORDER BY available_at, recorded_at, row_hash DESC
                ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING
            ),
            DATE '2999-12-30'
        ) AS gone_on
    FROM beliefs
    WHERE revised_id IS NOT NULL
)

SELECT DISTINCT
    account_id,
    project_key,
    asset_key,
    user_key,
    known_on,
    LEAST(gone_on, CAST(DATE_TRUNC('week', event_on) AS DATE) + 98) AS gone_on
FROM lives
WHERE
    op = 'upsert'
    AND (project_key IS NOT NULL OR asset_key IS NOT NULL)
    AND known_on < LEAST(gone_on, CAST(DATE_TRUNC('week', event_on) AS DATE) + 98)
