-- How long do new seats wait for their first real use?
-- Grain in: seat_spans, usage_user_weeks, usage_users. Grain out: one row per account and snapshot of account_weeks
-- from the first that is built, over the seats assigned in the 26 weeks before it: new_seats, and waited_days of all of
-- them together; a seat not yet used has waited until the snapshot. Days are counted from 2000-01-01, so that the wait
-- of open seats is a difference of sums.
WITH seats AS (
    SELECT
        ROW_NUMBER() OVER (ORDER BY s.seat_id, s.from_as_of) AS seat_no,
        s.account_id,
        n.user_no,
        DATE_TRUNC('week', s.assigned_at) AS assigned_week,
        DATE_DIFF('day', CAST('2000-01-01' AS DATE), CAST(s.assigned_at AS DATE)) AS assigned_day,
        DATE_DIFF('day', CAST(DATE_TRUNC('week', s.assigned_at) AS DATE), CAST(s.assigned_at AS DATE)) AS weekday_no,
        GREATEST(s.from_as_of, DATE_TRUNC('week', s.assigned_at) + INTERVAL 7 DAY) AS from_as_of,
        -- 26 snapshots after its week a seat is no longer new.
        LEAST(
            s.until_as_of,
            DATE_TRUNC('week', s.revoked_at - INTERVAL 1 MICROSECOND) + INTERVAL 7 DAY,
            DATE_TRUNC('week', s.assigned_at) + INTERVAL 189 DAY
        ) AS until_as_of
    FROM seat_spans AS s
    LEFT JOIN usage_users AS n
        ON s.account_id = n.account_id AND s.user_key = n.user_key
),

-- A seat that was no longer new at the first snapshot has no part in any.
late_seats AS (
    SELECT s.*
    FROM seats AS s
    CROSS JOIN run AS r
    WHERE s.until_as_of > r.first_as_of
),

day_numbers AS (
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

-- The first core day of each week known, from the day of assignment on.
uses AS (
    SELECT
        s.seat_no,
        u.from_as_of,
        MIN(
            DATE_DIFF('day', CAST(s.assigned_week AS DATE), CAST(u.week_start AS DATE)) + d.day_no - s.weekday_no
        ) AS waited
    FROM late_seats AS s
    INNER JOIN usage_user_weeks AS u
        ON
            s.user_no = u.user_no
            AND s.assigned_week <= u.week_start
            AND s.until_as_of > u.from_as_of
    INNER JOIN day_numbers AS d
        ON (u.core_day_bits & d.day_bit) > 0
    WHERE u.week_start > s.assigned_week OR d.day_no >= s.weekday_no
    GROUP BY s.seat_no, u.from_as_of
),

best AS (
    SELECT
        seat_no,
        from_as_of,
        waited,
        MIN(waited) OVER (
            PARTITION BY seat_no ORDER BY from_as_of ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS waited_before
    FROM uses
),

-- A use that becomes known later can only move the first one forward.
firsts AS (
    SELECT
        seat_no,
        from_as_of,
        LEAD(from_as_of) OVER (PARTITION BY seat_no ORDER BY from_as_of) AS until_as_of,
        waited
    FROM best
    WHERE waited_before IS NULL OR waited < waited_before
),

adopted AS (
    SELECT
        seat_no,
        MIN(from_as_of) AS as_of
    FROM firsts
    GROUP BY seat_no
),

spans AS (
    SELECT
        account_id,
        from_as_of,
        until_as_of,
        1 AS new_seats,
        0 AS open_seats,
        0 AS open_days,
        0 AS waited
    FROM late_seats
    UNION ALL
    SELECT
        s.account_id,
        s.from_as_of,
        LEAST(s.until_as_of, a.as_of) AS until_as_of,
        0 AS new_seats,
        1 AS open_seats,
        s.assigned_day AS open_days,
        0 AS waited
    FROM late_seats AS s
    LEFT JOIN adopted AS a
        ON s.seat_no = a.seat_no
    UNION ALL
    SELECT
        s.account_id,
        GREATEST(s.from_as_of, f.from_as_of) AS from_as_of,
        LEAST(s.until_as_of, f.until_as_of) AS until_as_of,
        0 AS new_seats,
        0 AS open_seats,
        0 AS open_days,
        f.waited
    FROM firsts AS f
    INNER JOIN late_seats AS s
        ON f.seat_no = s.seat_no
),

changes AS (
    SELECT
        account_id,
        from_as_of AS as_of,
        new_seats,
        open_seats,
        open_days,
        waited
    FROM spans
    WHERE from_as_of < until_as_of
    UNION ALL
    SELECT
        account_id,
        until_as_of AS as_of,
        -new_seats AS new_seats,
        -open_seats AS open_seats,
        -open_days AS open_days,
        -waited AS waited
    FROM spans
    WHERE from_as_of < until_as_of
),

-- What was known before the account's first week, or the first snapshot, counts from then on.
beginnings AS (
    SELECT
        a.account_id,
        MIN(a.as_of) AS first_as_of
    FROM account_weeks AS a
    CROSS JOIN run AS r
    WHERE a.as_of >= r.first_as_of
    GROUP BY a.account_id
),

summed AS (
    SELECT
        c.account_id,
        GREATEST(c.as_of, b.first_as_of) AS as_of,
        CAST(SUM(c.new_seats) AS BIGINT) AS new_seats,
        CAST(SUM(c.open_seats) AS BIGINT) AS open_seats,
        CAST(SUM(c.open_days) AS BIGINT) AS open_days,
        CAST(SUM(c.waited) AS BIGINT) AS waited
    FROM changes AS c
    INNER JOIN beginnings AS b
        ON c.account_id = b.account_id
    GROUP BY c.account_id, GREATEST(c.as_of, b.first_as_of)
)

SELECT
    a.account_id,
    a.as_of,
    CAST(SUM(COALESCE(s.new_seats, 0)) OVER known AS BIGINT) AS new_seats,
    CAST(
        SUM(COALESCE(s.waited, 0)) OVER known
        + SUM(COALESCE(s.open_seats, 0)) OVER known
        * DATE_DIFF('day', CAST('2000-01-01' AS DATE), CAST(a.as_of AS DATE))
        - SUM(COALESCE(s.open_days, 0)) OVER known AS BIGINT
    ) AS waited_days
FROM account_weeks AS a
LEFT JOIN summed AS s
    ON a.account_id = s.account_id AND a.as_of = s.as_of
CROSS JOIN run AS r
WHERE a.as_of >= r.first_as_of
WINDOW known AS (PARTITION BY a.account_id ORDER BY a.as_of ROWS UNBOUNDED PRECEDING)
