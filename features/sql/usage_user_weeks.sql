-- What did each user do in each week, and at which snapshots does that count?
-- Grain in: usage_daily, usage_events. Grain out: one row per account, user, week and span of snapshots [from_as_of,
-- until_as_of) in which it is part of what was known; until_as_of is null while nothing replaced it. user_key, and
-- user_no (a number for the pair of account and user, without meaning), are null for totals of an account. day_bits has
-- 1 for use on Monday, 2 for Tuesday, ... 64 for Sunday; core_day_bits the same for core actions, deep_day_bits for
-- advanced ones. A day total belongs to its local date, an event to its UTC date. A later version of a row (same key)
-- replaces the earlier one, a tombstone takes it back; an event counts until a total of its account, product and day is
-- known.
WITH day_numbers AS (
    SELECT 0 AS day_no, 1 AS day_bit
    UNION ALL
    SELECT 1 AS day_no, 2 AS day_bit
    UNION ALL
    SELECT 2 AS day_no, 4 AS day_bit
    UNION ALL
    SELECT 3 AS day_no, 8 AS day_bit
    UNION ALL
    SELECT 4 AS day_no, 16 AS day_bit
    UNION ALL
    SELECT 5 AS day_no, 32 AS day_bit
    UNION ALL
    SELECT 6 AS day_no, 64 AS day_bit
),

-- Looking a day up is many times cheaper than computing its week for every row.
calendar AS (
    SELECT
        CAST(w.week_start AS DATE) + n.day_no AS event_on,
        n.day_bit,
        w.week_start,
        w.week_start + INTERVAL 7 DAY AS week_end
    FROM weeks AS w
    CROSS JOIN day_numbers AS n
),

revised_days AS (
    SELECT
        account_id,
        COALESCE(user_key, '') AS user_name,
        product_sku,
        COALESCE(feature_code, '') AS family,
        usage_date
    FROM usage_daily
    GROUP BY account_id, COALESCE(user_key, ''), product_sku, COALESCE(feature_code, ''), usage_date
    HAVING COUNT(*) > 1
),

revised_events AS (
    SELECT event_id
    FROM usage_events
    GROUP BY event_id
    HAVING COUNT(*) > 1
),

day_totals AS (
    SELECT
        account_id,
        product_sku,
        usage_date,
        MIN(available_at) AS known_at
    FROM usage_daily
    WHERE op = 'upsert' AND account_id IN (SELECT account_id FROM usage_events)
    GROUP BY account_id, product_sku, usage_date
),

event_rows AS (
    SELECT
        e.account_id,
        e.user_key,
        e.product_sku,
        e.feature_family,
        CAST(e.event_at AS DATE) AS event_on,
        e.session_id,
        CAST(FLOOR(COALESCE(e.duration_s, 0) + 0.5) AS BIGINT) AS seconds,
        e.available_at,
        CASE
            WHEN r.event_id IS NOT NULL
                THEN
                    LEAD(e.available_at) OVER (
                        PARTITION BY r.event_id
                        ORDER BY e.available_at, COALESCE(e.recorded_at, e.event_at), e.row_hash DESC
                    )
        END AS replaced_at,
        e.op
    FROM usage_events AS e
    LEFT JOIN revised_events AS r
        ON e.event_id = r.event_id
),

-- Only the snapshot matters at which a row becomes known, so that a session of a day counts once.
event_spans AS (
    SELECT
        e.account_id,
        e.user_key,
        e.feature_family,
        e.event_on,
        e.session_id,
        e.seconds,
        e.op,
        DATE_TRUNC('week', e.available_at - INTERVAL 1 MICROSECOND) + INTERVAL 7 DAY AS available_at,
        DATE_TRUNC('week', LEAST(e.replaced_at, t.known_at) - INTERVAL 1 MICROSECOND) + INTERVAL 7 DAY AS replaced_at
    FROM event_rows AS e
    LEFT JOIN day_totals AS t
        ON e.account_id = t.account_id AND e.product_sku = t.product_sku AND e.event_on = t.usage_date
),

versions AS (
    SELECT
        d.account_id,
        d.user_key,
        COALESCE(d.feature_code, 'other') AS family,
        d.usage_date AS event_on,
        d.available_at,
        CAST(NULL AS TIMESTAMPTZ) AS replaced_at,
        d.op,
        -- A row without a count says at least that the tool was used.
        COALESCE(d.events, d.sessions, 1) AS events,
        COALESCE(d.sessions, 0) AS sessions,
        CAST(FLOOR(COALESCE(d.active_minutes, 0) * 60 + 0.5) AS BIGINT) AS active_seconds
    FROM usage_daily AS d
    LEFT JOIN revised_days AS r
        ON
            d.account_id = r.account_id
            AND COALESCE(d.user_key, '') = r.user_name
            AND d.product_sku = r.product_sku
            AND COALESCE(d.feature_code, '') = r.family
            AND d.usage_date = r.usage_date
    WHERE r.account_id IS NULL
    UNION ALL
    SELECT
        d.account_id,
        d.user_key,
        COALESCE(d.feature_code, 'other') AS family,
        d.usage_date AS event_on,
        d.available_at,
        LEAD(d.available_at) OVER (
            PARTITION BY r.account_id, r.user_name, r.product_sku, r.family, r.usage_date
            ORDER BY d.available_at, COALESCE(d.recorded_at, d.event_at), d.row_hash DESC
        ) AS replaced_at,
        d.op,
        -- A row without a count says at least that the tool was used.
        COALESCE(d.events, d.sessions, 1) AS events,
        COALESCE(d.sessions, 0) AS sessions,
        CAST(FLOOR(COALESCE(d.active_minutes, 0) * 60 + 0.5) AS BIGINT) AS active_seconds
    FROM usage_daily AS d
    INNER JOIN revised_days AS r
        ON
            d.account_id = r.account_id
            AND COALESCE(d.user_key, '') = r.user_name
            AND d.product_sku = r.product_sku
            AND COALESCE(d.feature_code, '') = r.family
            AND d.usage_date = r.usage_date
    UNION ALL
    SELECT
        account_id,
        user_key,
        feature_family AS family,
        event_on,
        available_at,
        replaced_at,
        op,
        COUNT(*) AS events,
        COUNT(DISTINCT session_id) AS sessions,
        CAST(SUM(seconds) AS BIGINT) AS active_seconds
    FROM event_spans
    WHERE replaced_at IS NULL OR available_at < replaced_at
    GROUP BY account_id, user_key, feature_family, event_on, available_at, replaced_at, op
),

-- A moment is past at the Monday at or after it, and a week only when it is over.
placed AS (
    SELECT
        v.account_id,
        v.user_key,
        v.family,
        v.event_on,
        c.day_bit,
        c.week_start,
        CASE
            WHEN v.available_at <= c.week_end THEN c.week_end
            ELSE DATE_TRUNC('week', v.available_at - INTERVAL 1 MICROSECOND) + INTERVAL 7 DAY
        END AS from_as_of,
        CASE
            WHEN v.replaced_at IS NULL THEN v.replaced_at
            WHEN v.replaced_at <= c.week_end THEN c.week_end
            ELSE DATE_TRUNC('week', v.replaced_at - INTERVAL 1 MICROSECOND) + INTERVAL 7 DAY
        END AS until_as_of,
        v.events,
        v.sessions,
        v.active_seconds
    FROM versions AS v
    INNER JOIN calendar AS c
        ON v.event_on = c.event_on
    WHERE v.op = 'upsert' AND v.events > 0
),

summed AS (
    SELECT
        account_id,
        user_key,
        week_start,
        from_as_of,
        until_as_of,
        CAST(SUM(CASE WHEN family = 'core' THEN events ELSE 0 END) AS BIGINT) AS core_events,
        CAST(SUM(CASE WHEN family = 'collab' THEN events ELSE 0 END) AS BIGINT) AS collab_events,
        CAST(SUM(CASE WHEN family = 'review' THEN events ELSE 0 END) AS BIGINT) AS review_events,
        CAST(SUM(CASE WHEN family = 'export' THEN events ELSE 0 END) AS BIGINT) AS export_events,
        CAST(SUM(CASE WHEN family = 'automation' THEN events ELSE 0 END) AS BIGINT) AS automation_events,
        CAST(SUM(CASE WHEN family = 'asset_mgmt' THEN events ELSE 0 END) AS BIGINT) AS asset_mgmt_events,
        CAST(SUM(CASE WHEN family = 'admin' THEN events ELSE 0 END) AS BIGINT) AS admin_events,
        CAST(SUM(CASE WHEN family = 'ai' THEN events ELSE 0 END) AS BIGINT) AS ai_events,
        CAST(SUM(CASE WHEN family = 'other' THEN events ELSE 0 END) AS BIGINT) AS other_events,
        CAST(SUM(events) AS BIGINT) AS all_events,
        CAST(SUM(sessions) AS BIGINT) AS sessions,
        CAST(SUM(active_seconds) AS BIGINT) AS active_seconds,
        BIT_OR(day_bit) AS day_bits,
        BIT_OR(CASE WHEN family = 'core' THEN day_bit ELSE 0 END) AS core_day_bits,
        BIT_OR(
            CASE WHEN family IN ('review', 'export', 'asset_mgmt', 'automation', 'ai') THEN day_bit ELSE 0 END
        ) AS deep_day_bits,
        MAX(event_on) AS last_on,
        MAX(CASE WHEN family = 'core' THEN event_on END) AS last_core_on
    FROM placed
    WHERE until_as_of IS NULL OR from_as_of < until_as_of
    GROUP BY account_id, user_key, week_start, from_as_of, until_as_of
),

numbered AS (
    SELECT
        account_id,
        user_key,
        CAST(ROW_NUMBER() OVER (ORDER BY account_id, user_key) AS BIGINT) AS user_no
    FROM summed
    WHERE user_key IS NOT NULL
    GROUP BY account_id, user_key
)

SELECT
    s.*,
    n.user_no
FROM summed AS s
LEFT JOIN numbered AS n
    ON s.account_id = n.account_id AND s.user_key = n.user_key
