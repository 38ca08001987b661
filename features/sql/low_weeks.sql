-- In how many of the last 13 weeks did an account do less than in four fifths of the year before that week?
-- Grain in: usage_pars, run. Grain out: one row per account and snapshot of account_weeks, whole from the first that is
-- built on: judged_w13 = weeks with at
-- least 26 measured weeks among the 52 before them, low_w13 = those under the 20th percentile of these 52. Every week
-- counts as it was known when it closed. A rank says the same as a percentile and sorts nothing.
WITH ranked AS (
    SELECT
        p.account_id,
        p.as_of,
        COUNT(*) AS weeks_before,
        CAST(SUM(CASE WHEN b.par_w1 <= p.par_w1 THEN 1 ELSE 0 END) AS BIGINT) AS as_low_before
    FROM usage_pars AS p
    CROSS JOIN run AS r
    INNER JOIN usage_pars AS b
        ON p.account_id = b.account_id AND b.week_no < p.week_no AND b.week_no >= p.week_no - 52
    -- Older weeks lie in no window of a snapshot that is built.
    WHERE p.par_w1 IS NOT NULL AND b.par_w1 IS NOT NULL AND p.as_of > r.first_as_of - INTERVAL 91 DAY
    GROUP BY p.account_id, p.as_of
),

judged AS (
    SELECT
        p.account_id,
        p.as_of,
        CASE WHEN k.weeks_before >= 26 THEN 1 ELSE 0 END AS is_judged,
        CASE WHEN k.weeks_before >= 26 AND 5 * k.as_low_before < k.weeks_before THEN 1 ELSE 0 END AS is_low
    FROM usage_pars AS p
    LEFT JOIN ranked AS k
        ON p.account_id = k.account_id AND p.as_of = k.as_of
    CROSS JOIN run AS r
    WHERE p.as_of > r.first_as_of - INTERVAL 91 DAY
)

SELECT
    account_id,
    as_of,
    CAST(SUM(is_judged) OVER w13 AS BIGINT) AS judged_w13,
    CAST(SUM(is_low) OVER w13 AS BIGINT) AS low_w13
FROM judged
WINDOW w13 AS (PARTITION BY account_id ORDER BY as_of ROWS BETWEEN 12 PRECEDING AND CURRENT ROW)
