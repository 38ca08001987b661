-- How many assigned seats have a user who worked with advanced features on two days or more, ever?
-- Grain in: seat_spans, deep_days, usage_users. Grain out: one row per account and snapshot of account_weeks
-- from the first that is built.
WITH lasting AS (
    SELECT
        user_no,
        from_as_of,
        ROW_NUMBER() OVER (PARTITION BY user_no ORDER BY from_as_of) AS place
    FROM deep_days
    WHERE until_as_of IS NULL
),

-- Two days that stay settle it for good: more of them change nothing.
changes AS (
    SELECT
        user_no,
        from_as_of AS as_of,
        1 AS days
    FROM lasting
    WHERE place <= 2
    UNION ALL
    SELECT
        user_no,
        from_as_of AS as_of,
        1 AS days
    FROM deep_days
    WHERE until_as_of IS NOT NULL
    UNION ALL
    SELECT
        user_no,
        until_as_of AS as_of,
        -1 AS days
    FROM deep_days
    WHERE until_as_of IS NOT NULL
),

counted AS (
    SELECT
        user_no,
        as_of,
        CAST(SUM(days) AS BIGINT) AS change
    FROM changes
    GROUP BY user_no, as_of
),

standing AS (
    SELECT
        user_no,
        as_of AS from_as_of,
        LEAD(as_of) OVER (PARTITION BY user_no ORDER BY as_of) AS until_as_of,
        CAST(SUM(change) OVER (PARTITION BY user_no ORDER BY as_of ROWS UNBOUNDED PRECEDING) AS BIGINT) AS days
    FROM counted
),

seats AS (
    SELECT
        s.account_id,
        n.user_no,
        GREATEST(
            s.from_as_of, DATE_TRUNC('week', s.assigned_at - INTERVAL 1 MICROSECOND) + INTERVAL 7 DAY
        ) AS from_as_of,
        LEAST(
            s.until_as_of, DATE_TRUNC('week', s.revoked_at - INTERVAL 1 MICROSECOND) + INTERVAL 7 DAY
        ) AS until_as_of
    FROM seat_spans AS s
    INNER JOIN usage_users AS n
        ON s.account_id = n.account_id AND s.user_key = n.user_key
),

used AS (
    SELECT
        s.account_id,
        GREATEST(s.from_as_of, d.from_as_of) AS from_as_of,
        LEAST(s.until_as_of, d.until_as_of) AS until_as_of
    FROM seats AS s
    INNER JOIN standing AS d
        ON s.user_no = d.user_no
    WHERE d.days >= 2
),

moves AS (
    SELECT
        account_id,
        from_as_of AS as_of,
        1 AS seats
    FROM used
    WHERE until_as_of IS NULL OR from_as_of < until_as_of
    UNION ALL
    SELECT
        account_id,
        until_as_of AS as_of,
        -1 AS seats
    FROM used
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

clamped AS (
    SELECT
        c.account_id,
        GREATEST(c.as_of, f.first_as_of) AS as_of,
        CAST(SUM(c.seats) AS BIGINT) AS seats
    FROM moves AS c
    INNER JOIN beginnings AS f
        ON c.account_id = f.account_id
    GROUP BY c.account_id, GREATEST(c.as_of, f.first_as_of)
)

SELECT
    a.account_id,
    a.as_of,
    CAST(SUM(COALESCE(c.seats, 0)) OVER so_far AS BIGINT) AS deep_seats
FROM account_weeks AS a
LEFT JOIN clamped AS c
    ON a.account_id = c.account_id AND a.as_of = c.as_of
CROSS JOIN run AS r
WHERE a.as_of >= r.first_as_of
WINDOW so_far AS (PARTITION BY a.account_id ORDER BY a.as_of ROWS UNBOUNDED PRECEDING)
