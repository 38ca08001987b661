-- By how much did what is known of a week's usage change at each snapshot?
-- Grain in: usage_user_weeks, usage_users. Grain out: one row per account, week and snapshot at which something became
-- known (or was taken back: then negative); summed up to a snapshot they give the week as it was known there.
-- users = users active in the week; user_days = days with activity, one per user and day. last_core_on = the last day
-- with a core action in what became known there: a maximum cannot be taken back, so it counts even when its row is
-- revised away later.
WITH day_bits AS (
    SELECT 0 AS day_bit
    UNION ALL
    SELECT 1 AS day_bit
    UNION ALL
    SELECT 2 AS day_bit
    UNION ALL
    SELECT 4 AS day_bit
    UNION ALL
    SELECT 8 AS day_bit
    UNION ALL
    SELECT 16 AS day_bit
    UNION ALL
    SELECT 32 AS day_bit
    UNION ALL
    SELECT 64 AS day_bit
),

revised AS (
    SELECT DISTINCT
        user_no,
        week_start
    FROM usage_user_weeks
    WHERE until_as_of IS NOT NULL
),

-- Bit 0 stands for the week as a whole.
places AS (
    SELECT
        u.user_no,
        u.week_start,
        d.day_bit,
        u.from_as_of,
        u.until_as_of,
        CASE WHEN r.user_no IS NULL THEN 0 ELSE 1 END AS is_revised
    FROM usage_user_weeks AS u
    LEFT JOIN revised AS r
        ON u.user_no = r.user_no AND u.week_start = r.week_start
    CROSS JOIN day_bits AS d
    WHERE u.user_no IS NOT NULL AND (d.day_bit = 0 OR (u.day_bits & d.day_bit) > 0)
),

-- Spans of what was revised may overlap or leave a gap: each adds what those before have not covered.
covered AS (
    SELECT
        user_no,
        week_start,
        day_bit,
        from_as_of,
        COALESCE(until_as_of, CAST('2999-12-30' AS TIMESTAMPTZ)) AS until_as_of,
        MAX(COALESCE(until_as_of, CAST('2999-12-30' AS TIMESTAMPTZ))) OVER (
            PARTITION BY user_no, week_start, day_bit
            ORDER BY from_as_of, COALESCE(until_as_of, CAST('2999-12-30' AS TIMESTAMPTZ))
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS covered_until
    FROM places
    WHERE is_revised = 1
),

presences AS (
    SELECT
        user_no,
        week_start,
        day_bit,
        MIN(from_as_of) AS from_as_of,
        CAST(NULL AS TIMESTAMPTZ) AS until_as_of
    FROM places
    WHERE is_revised = 0
    GROUP BY user_no, week_start, day_bit
    UNION ALL
    SELECT
        user_no,
        week_start,
        day_bit,
        GREATEST(from_as_of, COALESCE(covered_until, from_as_of)) AS from_as_of,
        until_as_of
    FROM covered
    WHERE covered_until IS NULL OR covered_until < until_as_of
),

distinct_users AS (
    SELECT
        n.account_id,
        p.week_start,
        p.from_as_of,
        p.until_as_of,
        CAST(SUM(CASE WHEN p.day_bit = 0 THEN 1 ELSE 0 END) AS BIGINT) AS users,
        CAST(SUM(CASE WHEN p.day_bit > 0 THEN 1 ELSE 0 END) AS BIGINT) AS user_days
    FROM presences AS p
    INNER JOIN usage_users AS n
        ON p.user_no = n.user_no
    GROUP BY n.account_id, p.week_start, p.from_as_of, p.until_as_of
),

measures AS (
    SELECT
        account_id,
        week_start,
        from_as_of,
        until_as_of,
        core_events,
        collab_events,
        all_events,
        sessions,
        active_seconds,
        0 AS users,
        0 AS user_days,
        last_core_on
    FROM usage_user_weeks
    UNION ALL
    SELECT
        account_id,
        week_start,
        from_as_of,
        until_as_of,
        0 AS core_events,
        0 AS collab_events,
        0 AS all_events,
        0 AS sessions,
        0 AS active_seconds,
        users,
        user_days,
        CAST(NULL AS DATE) AS last_core_on
    FROM distinct_users
),

spans AS (
    SELECT
        account_id,
        week_start,
        from_as_of,
        until_as_of,
        CAST(SUM(core_events) AS BIGINT) AS core_events,
        CAST(SUM(collab_events) AS BIGINT) AS collab_events,
        CAST(SUM(all_events) AS BIGINT) AS all_events,
        CAST(SUM(sessions) AS BIGINT) AS sessions,
        CAST(SUM(active_seconds) AS BIGINT) AS active_seconds,
        CAST(SUM(users) AS BIGINT) AS users,
        CAST(SUM(user_days) AS BIGINT) AS user_days,
        MAX(last_core_on) AS last_core_on
    FROM measures
    GROUP BY account_id, week_start, from_as_of, until_as_of
),

changes AS (
    SELECT
        account_id,
        week_start,
        from_as_of AS as_of,
        1 AS sign,
        core_events,
        collab_events,
        all_events,
        sessions,
        active_seconds,
        users,
        user_days,
        last_core_on
    FROM spans
    UNION ALL
    SELECT
        account_id,
        week_start,
        until_as_of AS as_of,
        -1 AS sign,
        core_events,
        collab_events,
        all_events,
        sessions,
        active_seconds,
        users,
        user_days,
        CAST(NULL AS DATE) AS last_core_on
    FROM spans
    WHERE until_as_of IS NOT NULL
)

SELECT
    account_id,
    week_start,
    as_of,
    CAST(SUM(sign * core_events) AS BIGINT) AS core_events,
    CAST(SUM(sign * collab_events) AS BIGINT) AS collab_events,
    CAST(SUM(sign * all_events) AS BIGINT) AS all_events,
    CAST(SUM(sign * sessions) AS BIGINT) AS sessions,
    CAST(SUM(sign * active_seconds) AS BIGINT) AS active_seconds,
    CAST(SUM(sign * users) AS BIGINT) AS users,
    CAST(SUM(sign * user_days) AS BIGINT) AS user_days,
    MAX(last_core_on) AS last_core_on
FROM changes
GROUP BY account_id, week_start, as_of
