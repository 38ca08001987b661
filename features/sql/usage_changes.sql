-- By how much did what is known of a week's usage change at each snapshot?
-- Grain in: usage_user_weeks, usage_users. Grain out: one row per account, week and snapshot at which something became
-- known (or was taken back: then negative); summed up to a snapshot they give the week as it was known there.
-- users = users active in the week; user_days = days with activity, one per user and day.
WITH user_weeks AS (
    SELECT
        user_no,
        week_start,
        MIN(from_as_of) AS from_as_of,
        -- Gone only when every row was replaced or taken back.
        CASE WHEN COUNT(*) = COUNT(until_as_of) THEN MAX(until_as_of) END AS until_as_of
    FROM usage_user_weeks
    WHERE user_no IS NOT NULL
    GROUP BY user_no, week_start
),

day_bits AS (
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

user_days AS (
    SELECT
        u.user_no,
        u.week_start,
        MIN(u.from_as_of) AS from_as_of,
        CASE WHEN COUNT(*) = COUNT(u.until_as_of) THEN MAX(u.until_as_of) END AS until_as_of
    FROM usage_user_weeks AS u
    CROSS JOIN day_bits AS d
    WHERE u.user_no IS NOT NULL AND (u.day_bits & d.day_bit) > 0
    GROUP BY u.user_no, u.week_start, d.day_bit
),

distinct_users AS (
    SELECT
        user_no,
        week_start,
        from_as_of,
        until_as_of,
        1 AS users,
        0 AS user_days
    FROM user_weeks
    UNION ALL
    SELECT
        user_no,
        week_start,
        from_as_of,
        until_as_of,
        0 AS users,
        1 AS user_days
    FROM user_days
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
        0 AS user_days
    FROM usage_user_weeks
    UNION ALL
    SELECT
        n.account_id,
        d.week_start,
        d.from_as_of,
        d.until_as_of,
        0 AS core_events,
        0 AS collab_events,
        0 AS all_events,
        0 AS sessions,
        0 AS active_seconds,
        d.users,
        d.user_days
    FROM distinct_users AS d
    INNER JOIN usage_users AS n
        ON d.user_no = n.user_no
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
        CAST(SUM(user_days) AS BIGINT) AS user_days
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
        user_days
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
        user_days
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
    CAST(SUM(sign * user_days) AS BIGINT) AS user_days
FROM changes
GROUP BY account_id, week_start, as_of
