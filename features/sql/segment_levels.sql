-- How much does a contracted seat of a segment do in a quiet week, as known at each snapshot?
-- Grain out: one row per segment and snapshot after run.settled_at, where the sums go on from settled_levels, this
-- step's answer of an earlier run: actions, and active users, per contracted seat and week, over all quiet weeks of all
-- accounts up to then. Null before the first. Nothing known later has a part in it.
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
    CROSS JOIN run AS r
    WHERE c.as_of > r.settled_at
    GROUP BY q.segment, c.as_of
),

offered AS (
    SELECT
        q.segment,
        q.as_of,
        CAST(SUM(q.seats) AS BIGINT) AS seat_weeks
    FROM quiet AS q
    CROSS JOIN run AS r
    WHERE q.as_of > r.settled_at
    GROUP BY q.segment, q.as_of
),

grid AS (
    SELECT
        s.segment,
        w.as_of
    FROM (SELECT DISTINCT segment FROM usage_weeks WHERE segment IS NOT NULL) AS s
    CROSS JOIN (SELECT DISTINCT as_of FROM usage_weeks) AS w
    CROSS JOIN run AS r
    WHERE w.as_of >= r.settled_at
),

so_far AS (
    SELECT
        g.segment,
        g.as_of,
        CAST(SUM(COALESCE(u.core_events, b.core_events, 0)) OVER (
            PARTITION BY g.segment ORDER BY g.as_of ROWS UNBOUNDED PRECEDING
        ) AS BIGINT) AS core_events,
        CAST(SUM(COALESCE(u.collab_events, b.collab_events, 0)) OVER (
            PARTITION BY g.segment ORDER BY g.as_of ROWS UNBOUNDED PRECEDING
        ) AS BIGINT) AS collab_events,
        CAST(SUM(COALESCE(u.users, b.users, 0)) OVER (
            PARTITION BY g.segment ORDER BY g.as_of ROWS UNBOUNDED PRECEDING
        ) AS BIGINT) AS users,
        CAST(SUM(COALESCE(o.seat_weeks, b.seat_weeks, 0)) OVER (
            PARTITION BY g.segment ORDER BY g.as_of ROWS UNBOUNDED PRECEDING
        ) AS BIGINT) AS seat_weeks
    FROM grid AS g
    LEFT JOIN used AS u
        ON g.segment = u.segment AND g.as_of = u.as_of
    LEFT JOIN offered AS o
        ON g.segment = o.segment AND g.as_of = o.as_of
    LEFT JOIN settled_levels AS b
        ON g.segment = b.segment AND g.as_of = b.as_of
)

SELECT
    s.segment,
    s.as_of,
    s.core_events,
    s.collab_events,
    s.users,
    s.seat_weeks,
    CAST(s.core_events AS DOUBLE) / NULLIF(s.seat_weeks, 0) AS core_per_seat,
    CAST(s.collab_events AS DOUBLE) / NULLIF(s.seat_weeks, 0) AS collab_per_seat,
    CAST(s.users AS DOUBLE) / NULLIF(s.seat_weeks, 0) AS users_per_seat
FROM so_far AS s
CROSS JOIN run AS r
WHERE s.as_of > r.settled_at
