-- What does an account do in a quiet week, as known at each snapshot?
-- Grain out: one row per account and snapshot of account_weeks after run.settled_at. base_* = actions (users) a week in
-- thousandths, so that sums stay exact: the mean of the quiet weeks of the last 52. Under 6 such weeks it is drawn to
-- the segment's level for as many seats, as if 6 more weeks had been seen there. The reference asks for the median; a
-- rolling median is dear in portable SQL, and the mean of weeks without campaign days has no spikes to resist.
WITH counted AS (
    SELECT
        w.account_id,
        w.week_start,
        w.as_of,
        w.segment,
        w.seats,
        u.quiet_weeks_w52 AS quiet_weeks,
        u.quiet_core_w52,
        u.quiet_collab_w52,
        u.quiet_seat_weeks_w52
    FROM usage_weeks AS w
    INNER JOIN usage_windows AS u
        ON w.account_id = u.account_id AND w.as_of = u.as_of
    CROSS JOIN run AS r
    WHERE w.as_of > r.settled_at
),

levels AS (
    SELECT
        c.*,
        CASE WHEN c.quiet_weeks >= 6 THEN 0 ELSE 6 END AS borrowed_weeks,
        CASE WHEN c.quiet_weeks >= 6 THEN 0 ELSE l.core_per_seat * c.seats END AS segment_core,
        CASE WHEN c.quiet_weeks >= 6 THEN 0 ELSE l.collab_per_seat * c.seats END AS segment_collab,
        CASE WHEN c.quiet_weeks >= 6 THEN 0 ELSE l.users_per_seat * c.seats END AS segment_users,
        l.users_per_seat * c.seats AS typical_users
    FROM counted AS c
    LEFT JOIN segment_levels AS l
        ON c.segment = l.segment AND c.as_of = l.as_of
)

SELECT
    account_id,
    week_start,
    as_of,
    quiet_weeks,
    CAST(FLOOR(
        1000 * (quiet_core_w52 + borrowed_weeks * segment_core) / NULLIF(quiet_weeks + borrowed_weeks, 0) + 0.5
    ) AS BIGINT) AS base_core,
    CAST(FLOOR(
        1000 * (quiet_collab_w52 + borrowed_weeks * segment_collab) / NULLIF(quiet_weeks + borrowed_weeks, 0) + 0.5
    ) AS BIGINT) AS base_collab,
    CAST(FLOOR(
        1000 * (quiet_seat_weeks_w52 + borrowed_weeks * segment_users) / NULLIF(quiet_weeks + borrowed_weeks, 0) + 0.5
    ) AS BIGINT) AS base_users,
    CAST(FLOOR(1000 * typical_users + 0.5) AS BIGINT) AS typical_users
FROM levels
