-- On which days did a user work with an advanced feature, and at which snapshots was that known?
-- Grain in: usage_user_weeks. Grain out: one row per user, day and span of snapshots [from_as_of, until_as_of) in which
-- it is part of what was known; until_as_of is null while nothing replaced it. Spans of a day do not overlap. Advanced
-- are the families review, export, asset_mgmt, automation and ai: what ties the tool to the customer's own process.
WITH day_numbers AS (
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

revised AS (
    SELECT DISTINCT
        user_no,
        week_start
    FROM usage_user_weeks
    WHERE until_as_of IS NOT NULL
),

places AS (
    SELECT
        u.user_no,
        u.week_start,
        d.day_no,
        u.from_as_of,
        u.until_as_of,
        CASE WHEN r.user_no IS NULL THEN 0 ELSE 1 END AS is_revised
    FROM usage_user_weeks AS u
    INNER JOIN day_numbers AS d
        ON (u.deep_day_bits & d.day_bit) > 0
    LEFT JOIN revised AS r
        ON u.user_no = r.user_no AND u.week_start = r.week_start
    WHERE u.user_no IS NOT NULL
),

-- Spans of what was revised may overlap or leave a gap: each adds what those before have not covered.
covered AS (
    SELECT
        user_no,
        week_start,
        day_no,
        from_as_of,
        COALESCE(until_as_of, CAST('2999-12-30' AS TIMESTAMPTZ)) AS until_as_of,
        MAX(COALESCE(until_as_of, CAST('2999-12-30' AS TIMESTAMPTZ))) OVER (
            PARTITION BY user_no, week_start, day_no
            ORDER BY from_as_of, COALESCE(until_as_of, CAST('2999-12-30' AS TIMESTAMPTZ))
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS covered_until
    FROM places
    WHERE is_revised = 1
)

SELECT
    user_no,
    week_start,
    day_no,
    MIN(from_as_of) AS from_as_of,
    CAST(NULL AS TIMESTAMPTZ) AS until_as_of
FROM places
WHERE is_revised = 0
GROUP BY user_no, week_start, day_no
UNION ALL
SELECT
    user_no,
    week_start,
    day_no,
    GREATEST(from_as_of, COALESCE(covered_until, from_as_of)) AS from_as_of,
    CASE WHEN until_as_of < CAST('2999-12-30' AS TIMESTAMPTZ) THEN until_as_of END AS until_as_of
FROM covered
WHERE covered_until IS NULL OR covered_until < until_as_of
