-- How soon after each wrap was the first core action, as known at each snapshot?
-- Grain in: campaign_standing, usage_user_weeks, usage_changes. Grain out: one row per cohort row whose
-- last wrap fell in a time with usage known: waited = days from the local day after the active window to the first
-- core action, null while there is none in nine weeks; since = days from there to the snapshot.
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

-- A window ends at a local midnight, which lies within half a day of the UTC midnight of the same date.
wraps AS (
    SELECT DISTINCT
        account_id,
        last_wrap AS active_end,
        CAST(last_wrap + INTERVAL 12 HOUR AS DATE) AS wrap_on
    FROM campaign_standing
    WHERE last_wrap IS NOT NULL
),

first_wraps AS (
    SELECT
        account_id,
        MIN(wrap_on) AS wrap_on
    FROM wraps
    GROUP BY account_id
),

core_weeks AS (
    SELECT
        u.account_id,
        CAST(u.week_start AS DATE) AS week_on,
        u.from_as_of,
        u.until_as_of,
        BIT_OR(u.core_day_bits) AS core_day_bits
    FROM usage_user_weeks AS u
    INNER JOIN first_wraps AS f
        ON u.account_id = f.account_id AND CAST(u.week_start AS DATE) > f.wrap_on - 7
    WHERE u.core_day_bits > 0
    GROUP BY u.account_id, CAST(u.week_start AS DATE), u.from_as_of, u.until_as_of
),

uses AS (
    SELECT
        w.account_id,
        w.active_end,
        k.from_as_of,
        k.until_as_of,
        MIN(DATE_DIFF('day', w.wrap_on, k.week_on) + d.day_no) AS waited
    FROM wraps AS w
    INNER JOIN core_weeks AS k
        ON w.account_id = k.account_id AND k.week_on > w.wrap_on - 7 AND k.week_on < w.wrap_on + 63
    INNER JOIN day_numbers AS d
        ON (k.core_day_bits & d.day_bit) > 0
    WHERE k.week_on + d.day_no >= w.wrap_on
    GROUP BY w.account_id, w.active_end, k.from_as_of, k.until_as_of
),

beginnings AS (
    SELECT
        account_id,
        MIN(as_of) AS first_as_of
    FROM usage_changes
    GROUP BY account_id
)

SELECT
    s.account_id,
    s.as_of,
    MIN(u.waited) AS waited,
    GREATEST(
        DATE_DIFF('day', CAST(s.last_wrap + INTERVAL 12 HOUR AS DATE), CAST(s.as_of AS DATE)), 0
    ) AS since
FROM campaign_standing AS s
INNER JOIN beginnings AS b
    ON s.account_id = b.account_id AND s.last_wrap >= b.first_as_of - INTERVAL 7 DAY
LEFT JOIN uses AS u
    ON
        s.account_id = u.account_id
        AND s.last_wrap = u.active_end
        AND s.as_of >= u.from_as_of
        AND (u.until_as_of IS NULL OR s.as_of < u.until_as_of)
GROUP BY s.account_id, s.as_of, s.last_wrap
