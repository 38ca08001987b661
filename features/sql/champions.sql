-- How long has one of an account's key users been silent?
-- Grain in: usage_user_weeks, usage_users, seat_spans. Grain out: one row per account and snapshot with a key user. Key
-- users are the three with most core actions in the 26 weeks before the last 4 (so that a silence does not unseat
-- them); freelancers, as known at the snapshot, come and go and are left out.
WITH changes AS (
    SELECT
        user_no,
        GREATEST(from_as_of, week_start + INTERVAL 35 DAY) AS as_of,
        core_events,
        CAST(NULL AS DATE) AS last_on
    FROM usage_user_weeks
    WHERE core_events > 0
    UNION ALL
    SELECT
        user_no,
        GREATEST(from_as_of, week_start + INTERVAL 35 DAY, LEAST(week_start + INTERVAL 217 DAY, until_as_of)) AS as_of,
        -core_events AS core_events,
        CAST(NULL AS DATE) AS last_on
    FROM usage_user_weeks
    WHERE core_events > 0
    UNION ALL
    SELECT
        user_no,
        from_as_of AS as_of,
        0 AS core_events,
        last_on
    FROM usage_user_weeks
),

-- What lies before the first snapshot that is built is summed up there.
summed AS (
    SELECT
        c.user_no,
        GREATEST(c.as_of, r.first_as_of) AS as_of,
        CAST(SUM(c.core_events) AS BIGINT) AS core_events,
        MAX(c.last_on) AS last_on
    FROM changes AS c
    CROSS JOIN run AS r
    WHERE c.user_no IS NOT NULL AND c.as_of <= r.last_as_of
    GROUP BY c.user_no, GREATEST(c.as_of, r.first_as_of)
),

users AS (
    SELECT
        user_no,
        MIN(as_of) AS first_as_of,
        MAX(as_of) AS last_change,
        SUM(core_events) AS core_events
    FROM summed
    GROUP BY user_no
),

-- Nothing is left of a user from the last change on when all that came has gone.
grid AS (
    SELECT
        u.user_no,
        w.week_start AS as_of
    FROM users AS u
    INNER JOIN weeks AS w
        ON u.first_as_of <= w.week_start
    WHERE u.core_events > 0 OR w.week_start < u.last_change
),

standing AS (
    SELECT
        g.user_no,
        g.as_of,
        CAST(SUM(COALESCE(s.core_events, 0)) OVER known AS BIGINT) AS core_events,
        MAX(s.last_on) OVER known AS last_on
    FROM grid AS g
    LEFT JOIN summed AS s
        ON g.user_no = s.user_no AND g.as_of = s.as_of
    WINDOW known AS (PARTITION BY g.user_no ORDER BY g.as_of ROWS UNBOUNDED PRECEDING)
),

freelancers AS (
    SELECT DISTINCT
        n.user_no,
        s.from_as_of,
        s.until_as_of
    FROM seat_spans AS s
    INNER JOIN usage_users AS n
        ON s.account_id = n.account_id AND s.user_key = n.user_key
    WHERE s.role = 'freelancer'
),

candidates AS (
    SELECT
        n.account_id,
        s.as_of,
        s.last_on,
        ROW_NUMBER() OVER (PARTITION BY n.account_id, s.as_of ORDER BY s.core_events DESC, n.user_key) AS place
    FROM standing AS s
    INNER JOIN usage_users AS n
        ON s.user_no = n.user_no
    WHERE
        s.core_events > 0
        AND NOT EXISTS (
            SELECT 1
            FROM freelancers AS f
            WHERE
                f.user_no = s.user_no
                AND f.from_as_of <= s.as_of
                AND (f.until_as_of IS NULL OR s.as_of < f.until_as_of)
        )
)

SELECT
    account_id,
    as_of,
    MAX(DATE_DIFF('day', last_on, CAST(as_of AS DATE))) AS silent_days
FROM candidates
WHERE place <= 3
GROUP BY account_id, as_of
