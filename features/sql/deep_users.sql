-- How many users worked with advanced features on at least four days of the last 4 weeks, as known at each snapshot?
-- Grain in: deep_days, usage_users. Grain out: one row per account and snapshot of account_weeks. A day counts at the
-- snapshots from when it was known until its week is too old; a user is counted while four or more days count.
WITH spans AS (
    SELECT
        user_no,
        from_as_of,
        LEAST(week_start + INTERVAL 35 DAY, until_as_of) AS until_as_of
    FROM deep_days
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
)

SELECT
    a.account_id,
    a.as_of,
    CAST(SUM(COALESCE(c.change, 0)) OVER (
        PARTITION BY a.account_id ORDER BY a.as_of ROWS UNBOUNDED PRECEDING
    ) AS BIGINT) AS deep_users_w4
FROM account_weeks AS a
LEFT JOIN crossed AS c
    ON a.account_id = c.account_id AND a.as_of = c.as_of
