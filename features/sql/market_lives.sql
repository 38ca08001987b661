-- At which as_ofs does each event in the market count?
-- Grain in: market_events (a later row of the same event corrects it). Grain out: one row per event and belief, which
-- counts at every Monday in [known_on, gone_on). An event of unknown strength is taken as middling.
WITH beliefs AS (
    SELECT
        *,
        GREATEST(
            CAST(DATE_TRUNC('week', CAST(available_at - INTERVAL 1 MICROSECOND AS DATE)) AS DATE),
            CAST(DATE_TRUNC('week', CAST(event_at AS DATE)) AS DATE)
        ) + 7 AS known_on
    FROM market_events
),

lives AS (
    SELECT
        market_event_id,
        type,
        account_id,
        segment,
        region,
        feature_family,
        CAST(FLOOR(COALESCE(strength, 0.5) * 1000 + 0.5) AS BIGINT) AS strength_thousandths,
        announced_on,
        op,
        known_on,
        COALESCE(
            MIN(known_on) OVER (
                PARTITION BY market_event_id ORDER BY available_at, row_hash DESC
                ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING
            ),
            DATE '2999-12-30'
        ) AS gone_on
    FROM beliefs
)

SELECT
    market_event_id,
    type,
    account_id,
    segment,
    region,
    feature_family,
    strength_thousandths,
    announced_on,
    known_on,
    gone_on
FROM lives
WHERE op = 'upsert' AND known_on < gone_on
