-- How many users worked with advanced features on at least four days of the last 4 weeks, as known at each snapshot?
-- Grain in: deep_days, usage_users. Grain out: one row per account and snapshot of account_weeks from the first that is
-- built. A day counts at the snapshots from when it was known until its week is too old; a user is counted while four
-- or more days count.
WITH spans AS (
    SELECT
        d.user_no,
        d.from_as_of,
        LEAST(d.week_start + INTERVAL 35 DAY, d.until_as_of) AS until_as_of
    FROM deep_days AS d
    CROSS JOIN run AS r
    WHERE d.week_start > r.first_as_of - INTERVAL 35 DAY AND (d.until_as_of IS NULL OR d.until_as_of > r.first_as_of)
),

changes AS (
    SELECT
        user_no,
        from_as_of AS as_of,
        1 AS days
    FROM spans
    WHERE from_as_of < until_as_of
    UNION ALL
    SELECT
        user_no,
        until_as_of AS as_of,
        -1 AS days
    FROM spans
    WHERE from_as_of < until_as_of
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
        as_of,
        change,
        CAST(SUM(change) OVER (PARTITION BY user_no ORDER BY as_of ROWS UNBOUNDED PRECEDING) AS BIGINT) AS days
    FROM counted
),

crossed AS (
    SELECT
        n.account_id,
        s.as_of,
        CAST(SUM(CASE WHEN s.days >= 4 THEN 1 ELSE -1 END) AS BIGINT) AS change
    FROM standing AS s
    INNER JOIN usage_users AS n
        ON s.user_no = n.user_no
    WHERE (s.days >= 4 AND s.days - s.change < 4) OR (s.days < 4 AND s.days - s.change >= 4)
    GROUP BY n.account_id, s.as_of
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
        CAST(SUM(c.change) AS BIGINT) AS change
    FROM crossed AS c
    INNER JOIN beginnings AS f
        ON c.account_id = f.account_id
    GROUP BY c.account_id, GREATEST(c.as_of, f.first_as_of)
)

SELECT
    a.account_id,
    a.as_of,
    CAST(SUM(COALESCE(c.change, 0)) OVER so_far AS BIGINT) AS deep_users_w4
FROM account_weeks AS a
LEFT JOIN clamped AS c
    ON a.account_id = c.account_id AND a.as_of = c.as_of
CROSS JOIN run AS r
WHERE a.as_of >= r.first_as_of
WINDOW so_far AS (PARTITION BY a.account_id ORDER BY a.as_of ROWS UNBOUNDED PRECEDING)
