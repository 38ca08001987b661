-- What was done in the weeks of each campaign, and what was to be expected there, as known at each snapshot?
-- Grain in: campaign_spans, usage_changes, usage_expected, ticket_lives. Grain out: one row per span and snapshot in
-- which it is in force, up to three years after the wrap. pre_*, active_* and back_* are sums over the closed weeks of
-- the pre phase, of the active phase, and of the third to sixth week after it; *_weeks counts them. Only weeks in which
-- the account was measured count. Expected and baseline are thousandths. pre_days, pre_days_squared and pre_core_days
-- are the sums of a straight line through the weeks of the ramp, in days from its first Monday.
WITH users_known AS (
    SELECT
        account_id,
        week_start,
        as_of,
        CAST(SUM(users) OVER (
            PARTITION BY account_id, week_start ORDER BY as_of ROWS UNBOUNDED PRECEDING
        ) AS BIGINT) AS users
    FROM usage_changes
),

weekly AS (
    SELECT
        c.account_id,
        c.week_start,
        c.as_of,
        c.core_events,
        c.collab_events,
        u.users,
        0 AS tickets,
        0 AS base_core,
        0 AS expected_core,
        0 AS expected_collab,
        0 AS weeks,
        0 AS unexpected
    FROM usage_changes AS c
    INNER JOIN users_known AS u
        ON c.account_id = u.account_id AND c.week_start = u.week_start AND c.as_of = u.as_of
    INNER JOIN usage_weeks AS w
        ON c.account_id = w.account_id AND c.week_start = w.week_start
    WHERE w.is_measured = 1
    UNION ALL
    SELECT
        account_id,
        week_start,
        as_of,
        0 AS core_events,
        0 AS collab_events,
        0 AS users,
        0 AS tickets,
        COALESCE(base_core, 0) AS base_core,
        COALESCE(expected_core, 0) AS expected_core,
        COALESCE(expected_collab, 0) AS expected_collab,
        is_measured AS weeks,
        is_unexpected AS unexpected
    FROM usage_expected
    UNION ALL
    SELECT
        account_id,
        CAST(DATE_TRUNC('week', created_on) AS TIMESTAMPTZ) AS week_start,
        GREATEST(
            CAST(known_on AS TIMESTAMPTZ), CAST(DATE_TRUNC('week', created_on) AS TIMESTAMPTZ) + INTERVAL 7 DAY
        ) AS as_of,
        0 AS core_events,
        0 AS collab_events,
        0 AS users,
        1 AS tickets,
        0 AS base_core,
        0 AS expected_core,
        0 AS expected_collab,
        0 AS weeks,
        0 AS unexpected
    FROM ticket_lives
    WHERE is_urgent = 1
    UNION ALL
    SELECT
        account_id,
        CAST(DATE_TRUNC('week', created_on) AS TIMESTAMPTZ) AS week_start,
        GREATEST(
            CAST(gone_on AS TIMESTAMPTZ), CAST(DATE_TRUNC('week', created_on) AS TIMESTAMPTZ) + INTERVAL 7 DAY
        ) AS as_of,
        0 AS core_events,
        0 AS collab_events,
        0 AS users,
        -1 AS tickets,
        0 AS base_core,
        0 AS expected_core,
        0 AS expected_collab,
        0 AS weeks,
        0 AS unexpected
    FROM ticket_lives
    WHERE is_urgent = 1
),

zoned AS (
    SELECT
        s.span_no,
        GREATEST(w.as_of, s.from_as_of) AS as_of,
        CASE
            WHEN w.week_start < s.active_week THEN 'pre'
            WHEN w.week_start < s.wrap_week THEN 'active'
            ELSE 'back'
        END AS zone,
        DATE_DIFF('day', CAST(s.pre_week AS DATE), CAST(w.week_start AS DATE)) AS day_no,
        w.core_events,
        w.collab_events,
        w.users,
        w.tickets,
        w.base_core,
        w.expected_core,
        w.expected_collab,
        w.weeks,
        w.unexpected
    FROM campaign_spans AS s
    INNER JOIN weekly AS w
        ON s.account_id = w.account_id AND s.pre_week <= w.week_start
    WHERE
        w.week_start < s.wrap_week + INTERVAL 42 DAY
        AND (w.week_start < s.wrap_week OR w.week_start >= s.wrap_week + INTERVAL 14 DAY)
        AND w.as_of < s.until_as_of
),

changes AS (
    SELECT
        span_no,
        as_of,
        SUM(CASE WHEN zone = 'pre' THEN core_events ELSE 0 END) AS pre_core,
        SUM(CASE WHEN zone = 'pre' THEN expected_core ELSE 0 END) AS pre_expected_core,
        SUM(CASE WHEN zone = 'pre' THEN base_core ELSE 0 END) AS pre_base_core,
        SUM(CASE WHEN zone = 'pre' THEN weeks ELSE 0 END) AS pre_weeks,
        SUM(CASE WHEN zone = 'pre' THEN weeks * day_no ELSE 0 END) AS pre_days,
        SUM(CASE WHEN zone = 'pre' THEN weeks * day_no * day_no ELSE 0 END) AS pre_days_squared,
        SUM(CASE WHEN zone = 'pre' THEN core_events * day_no ELSE 0 END) AS pre_core_days,
        SUM(CASE WHEN zone = 'pre' THEN unexpected ELSE 0 END) AS pre_unexpected,
        SUM(CASE WHEN zone = 'active' THEN core_events ELSE 0 END) AS active_core,
        SUM(CASE WHEN zone = 'active' THEN collab_events ELSE 0 END) AS active_collab,
        SUM(CASE WHEN zone = 'active' THEN base_core ELSE 0 END) AS active_base_core,
        SUM(CASE WHEN zone = 'active' THEN expected_core ELSE 0 END) AS active_expected_core,
        SUM(CASE WHEN zone = 'active' THEN expected_collab ELSE 0 END) AS active_expected_collab,
        SUM(CASE WHEN zone = 'active' THEN weeks ELSE 0 END) AS active_weeks,
        SUM(CASE WHEN zone = 'active' THEN unexpected ELSE 0 END) AS active_unexpected,
        SUM(CASE WHEN zone = 'active' THEN tickets ELSE 0 END) AS active_tickets,
        MAX(CASE WHEN zone = 'active' THEN users ELSE 0 END) AS active_peak_users,
        SUM(CASE WHEN zone = 'back' THEN core_events ELSE 0 END) AS back_core,
        SUM(CASE WHEN zone = 'back' THEN collab_events ELSE 0 END) AS back_collab,
        SUM(CASE WHEN zone = 'back' THEN expected_core ELSE 0 END) AS back_expected_core,
        SUM(CASE WHEN zone = 'back' THEN expected_collab ELSE 0 END) AS back_expected_collab,
        SUM(CASE WHEN zone = 'back' THEN weeks ELSE 0 END) AS back_weeks,
        SUM(CASE WHEN zone = 'back' THEN unexpected ELSE 0 END) AS back_unexpected
    FROM zoned
    GROUP BY span_no, as_of
),

grid AS (
    SELECT
        s.span_no,
        s.account_id,
        s.campaign_id,
        s.campaign_instance_id,
        s.active_start,
        s.active_end,
        s.active_week,
        s.wrap_week,
        w.week_start AS as_of
    FROM campaign_spans AS s
    INNER JOIN weeks AS w
        ON s.from_as_of <= w.week_start
    WHERE
        w.week_start < s.until_as_of
        AND w.week_start > s.pre_week
        AND w.week_start <= s.wrap_week + INTERVAL 1092 DAY
)

SELECT
    g.span_no,
    g.account_id,
    g.campaign_id,
    g.campaign_instance_id,
    g.active_start,
    g.active_end,
    g.active_week,
    g.wrap_week,
    g.as_of,
    CAST(SUM(COALESCE(c.pre_core, 0)) OVER known AS BIGINT) AS pre_core,
    CAST(SUM(COALESCE(c.pre_expected_core, 0)) OVER known AS BIGINT) AS pre_expected_core,
    CAST(SUM(COALESCE(c.pre_base_core, 0)) OVER known AS BIGINT) AS pre_base_core,
    CAST(SUM(COALESCE(c.pre_weeks, 0)) OVER known AS BIGINT) AS pre_weeks,
    CAST(SUM(COALESCE(c.pre_days, 0)) OVER known AS BIGINT) AS pre_days,
    CAST(SUM(COALESCE(c.pre_days_squared, 0)) OVER known AS BIGINT) AS pre_days_squared,
    CAST(SUM(COALESCE(c.pre_core_days, 0)) OVER known AS BIGINT) AS pre_core_days,
    CAST(SUM(COALESCE(c.pre_unexpected, 0)) OVER known AS BIGINT) AS pre_unexpected,
    CAST(SUM(COALESCE(c.active_core, 0)) OVER known AS BIGINT) AS active_core,
    CAST(SUM(COALESCE(c.active_collab, 0)) OVER known AS BIGINT) AS active_collab,
    CAST(SUM(COALESCE(c.active_base_core, 0)) OVER known AS BIGINT) AS active_base_core,
    CAST(SUM(COALESCE(c.active_expected_core, 0)) OVER known AS BIGINT) AS active_expected_core,
    CAST(SUM(COALESCE(c.active_expected_collab, 0)) OVER known AS BIGINT) AS active_expected_collab,
    CAST(SUM(COALESCE(c.active_weeks, 0)) OVER known AS BIGINT) AS active_weeks,
    CAST(SUM(COALESCE(c.active_unexpected, 0)) OVER known AS BIGINT) AS active_unexpected,
    CAST(SUM(COALESCE(c.active_tickets, 0)) OVER known AS BIGINT) AS active_tickets,
    MAX(COALESCE(c.active_peak_users, 0)) OVER known AS active_peak_users,
    CAST(SUM(COALESCE(c.back_core, 0)) OVER known AS BIGINT) AS back_core,
    CAST(SUM(COALESCE(c.back_collab, 0)) OVER known AS BIGINT) AS back_collab,
    CAST(SUM(COALESCE(c.back_expected_core, 0)) OVER known AS BIGINT) AS back_expected_core,
    CAST(SUM(COALESCE(c.back_expected_collab, 0)) OVER known AS BIGINT) AS back_expected_collab,
    CAST(SUM(COALESCE(c.back_weeks, 0)) OVER known AS BIGINT) AS back_weeks,
    CAST(SUM(COALESCE(c.back_unexpected, 0)) OVER known AS BIGINT) AS back_unexpected
FROM grid AS g
LEFT JOIN changes AS c
    ON g.span_no = c.span_no AND g.as_of = c.as_of
WINDOW known AS (PARTITION BY g.span_no ORDER BY g.as_of ROWS UNBOUNDED PRECEDING)
