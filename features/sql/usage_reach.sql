-- At which snapshots does a user enter and leave a window of distinct users?
-- Grain in: usage_user_weeks, usage_users. Grain out: one row per account and snapshot at which a count changes:
-- users_w4 = change of the distinct users of the last 4 weeks; families_w13 = of the feature families used by at least
-- one user in 13 weeks, shared_families_w13 = by at least two. Running sums give the counts. A user-week counts in a
-- window at the snapshots from when it was known until it is too old. The union of a user's spans is found by cutting
-- off from each what earlier spans have covered. family_no 0 stands for use of any family. Only changes after
-- run.settled_at are told; a span that was over by then has no part in them.
WITH used AS (
    SELECT user_no, week_start, from_as_of, until_as_of, 0 AS family_no
    FROM usage_user_weeks
    UNION ALL
    SELECT user_no, week_start, from_as_of, until_as_of, 1 AS family_no
    FROM usage_user_weeks
    WHERE core_events > 0
    UNION ALL
    SELECT user_no, week_start, from_as_of, until_as_of, 2 AS family_no
    FROM usage_user_weeks
    WHERE collab_events > 0
    UNION ALL
    SELECT user_no, week_start, from_as_of, until_as_of, 3 AS family_no
    FROM usage_user_weeks
    WHERE review_events > 0
    UNION ALL
    SELECT user_no, week_start, from_as_of, until_as_of, 4 AS family_no
    FROM usage_user_weeks
    WHERE export_events > 0
    UNION ALL
    SELECT user_no, week_start, from_as_of, until_as_of, 5 AS family_no
    FROM usage_user_weeks
    WHERE automation_events > 0
    UNION ALL
    SELECT user_no, week_start, from_as_of, until_as_of, 6 AS family_no
    FROM usage_user_weeks
    WHERE asset_mgmt_events > 0
    UNION ALL
    SELECT user_no, week_start, from_as_of, until_as_of, 7 AS family_no
    FROM usage_user_weeks
    WHERE admin_events > 0
    UNION ALL
    SELECT user_no, week_start, from_as_of, until_as_of, 8 AS family_no
    FROM usage_user_weeks
    WHERE ai_events > 0
    UNION ALL
    SELECT user_no, week_start, from_as_of, until_as_of, 9 AS family_no
    FROM usage_user_weeks
    WHERE other_events > 0
),

spans AS (
    SELECT
        user_no,
        family_no,
        from_as_of,
        LEAST(
            CASE WHEN family_no = 0 THEN week_start + INTERVAL 35 DAY ELSE week_start + INTERVAL 98 DAY END, until_as_of
        ) AS until_as_of
    FROM used
    WHERE user_no IS NOT NULL
),

covered AS (
    SELECT
        s.user_no,
        s.family_no,
        s.from_as_of,
        s.until_as_of,
        MAX(s.until_as_of) OVER (
            PARTITION BY s.user_no, s.family_no
            ORDER BY s.from_as_of, s.until_as_of
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS covered_until
    FROM spans AS s
    CROSS JOIN run AS r
    WHERE s.from_as_of < s.until_as_of AND s.until_as_of > r.settled_at
),

fresh AS (
    SELECT
        n.account_id,
        c.family_no,
        GREATEST(c.from_as_of, COALESCE(c.covered_until, c.from_as_of)) AS from_as_of,
        c.until_as_of
    FROM covered AS c
    INNER JOIN usage_users AS n
        ON c.user_no = n.user_no
    WHERE c.covered_until IS NULL OR c.covered_until < c.until_as_of
),

changes AS (
    SELECT
        account_id,
        family_no,
        from_as_of AS as_of,
        1 AS users
    FROM fresh
    UNION ALL
    SELECT
        account_id,
        family_no,
        until_as_of AS as_of,
        -1 AS users
    FROM fresh
),

counted AS (
    SELECT
        account_id,
        family_no,
        as_of,
        CAST(SUM(users) AS BIGINT) AS change
    FROM changes
    GROUP BY account_id, family_no, as_of
),

standing AS (
    SELECT
        account_id,
        family_no,
        as_of,
        change,
        CAST(SUM(change) OVER (
            PARTITION BY account_id, family_no ORDER BY as_of ROWS UNBOUNDED PRECEDING
        ) AS BIGINT) AS users
    FROM counted
)

SELECT
    s.account_id,
    s.as_of,
    CAST(SUM(CASE WHEN family_no = 0 THEN change ELSE 0 END) AS BIGINT) AS users_w4,
    CAST(SUM(
        CASE
            WHEN family_no > 0 AND users >= 1 AND users - change < 1 THEN 1
            WHEN family_no > 0 AND users < 1 AND users - change >= 1 THEN -1
            ELSE 0
        END
    ) AS BIGINT) AS families_w13,
    CAST(SUM(
        CASE
            WHEN family_no > 0 AND users >= 2 AND users - change < 2 THEN 1
            WHEN family_no > 0 AND users < 2 AND users - change >= 2 THEN -1
            ELSE 0
        END
    ) AS BIGINT) AS shared_families_w13
FROM standing AS s
CROSS JOIN run AS r
WHERE s.as_of > r.settled_at
GROUP BY s.account_id, s.as_of
