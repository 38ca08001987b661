-- How much does a contracted seat of a segment do in a quiet week, as known at each snapshot?
-- Grain out: one row per segment and snapshot: actions, and active users, per contracted seat and week, over all quiet
-- weeks of all accounts up to then. Null before the first. Nothing known later has a part in it.
WITH quiet AS (
    SELECT
        account_id,
        week_start,
        as_of,
        segment,
        seats
    FROM usage_weeks
    WHERE is_quiet = 1 AND seats > 0
),

used AS (
    SELECT
        q.segment,
        c.as_of,
        CAST(SUM(c.core_events) AS BIGINT) AS core_events,
        CAST(SUM(c.collab_events) AS BIGINT) AS collab_events,
        CAST(SUM(c.users) AS BIGINT) AS users
    FROM usage_changes AS c
    INNER JOIN quiet AS q
        ON c.account_id = q.account_id AND c.week_start = q.week_start
    GROUP BY q.segment, c.as_of
),

offered AS (
    SELECT
        segment,
        as_of,
        CAST(SUM(seats) AS BIGINT) AS seat_weeks
    FROM quiet
    GROUP BY segment, as_of
),

grid AS (
    SELECT
        s.segment,
        w.as_of
    FROM (SELECT DISTINCT segment FROM usage_weeks WHERE segment IS NOT NULL) AS s
    CROSS JOIN (SELECT DISTINCT as_of FROM usage_weeks) AS w
),

so_far AS (
    SELECT
        g.segment,
        g.as_of,
        CAST(SUM(COALESCE(u.core_events, 0)) OVER (
            PARTITION BY g.segment ORDER BY g.as_of ROWS UNBOUNDED PRECEDING
        ) AS BIGINT) AS core_events,
        CAST(SUM(COALESCE(u.collab_events, 0)) OVER (
            PARTITION BY g.segment ORDER BY g.as_of ROWS UNBOUNDED PRECEDING
        ) AS BIGINT) AS collab_events,
        CAST(SUM(COALESCE(u.users, 0)) OVER (
            PARTITION BY g.segment ORDER BY g.as_of ROWS UNBOUNDED PRECEDING
        ) AS BIGINT) AS users,
        CAST(SUM(COALESCE(o.seat_weeks, 0)) OVER (
            PARTITION BY g.segment ORDER BY g.as_of ROWS UNBOUNDED PRECEDING
        ) AS BIGINT) AS seat_weeks
    FROM grid AS g
    LEFT JOIN used AS u
        ON g.segment = u.segment AND g.as_of = u.as_of
    LEFT JOIN offered AS o
        ON g.segment = o.segment AND g.as_of = o.as_of
)

SELECT
    segment,
    as_of,
    CAST(core_events AS DOUBLE) / NULLIF(seat_weeks, 0) AS core_per_seat,
    CAST(collab_events AS DOUBLE) / NULLIF(seat_weeks, 0) AS collab_per_seat,
    CAST(users AS DOUBLE) / NULLIF(seat_weeks, 0) AS users_per_seat
FROM so_far
