-- How many seats did an account take for its last campaign that is over, and give back after it?
-- Grain in: campaign_spans, account_weeks, cohort. Grain out: one row per cohort row with a wrap after which a week has
-- closed. Seats of each week as contracted and known when the week closed: seats_before at the start of the ramp,
-- seats_peak = most in ramp and active phase, seats_after = fewest from the wrap to the end of the post phase so far;
-- null where the account was not live.
WITH wraps AS (
    SELECT
        c.account_id,
        c.as_of,
        s.pre_week,
        s.wrap_week,
        s.post_end,
        ROW_NUMBER() OVER (
            PARTITION BY c.account_id, c.as_of ORDER BY s.active_end DESC, s.campaign_instance_id DESC
        ) AS place
    FROM cohort AS c
    INNER JOIN campaign_spans AS s
        ON c.account_id = s.account_id AND c.as_of >= s.from_as_of AND c.as_of < s.until_as_of
    WHERE s.wrap_week + INTERVAL 7 DAY <= c.as_of AND c.as_of <= s.wrap_week + INTERVAL 1092 DAY
)

SELECT
    w.account_id,
    w.as_of,
    MAX(CASE WHEN a.as_of = w.pre_week THEN a.seats END) AS seats_before,
    MAX(CASE WHEN a.as_of > w.pre_week AND a.as_of <= w.wrap_week THEN a.seats END) AS seats_peak,
    MIN(CASE WHEN a.as_of > w.wrap_week THEN a.seats END) AS seats_after
FROM wraps AS w
INNER JOIN account_weeks AS a
    ON
        w.account_id = a.account_id
        AND w.pre_week <= a.as_of
        AND w.as_of >= a.as_of
        AND w.post_end > a.week_start
WHERE w.place = 1 AND a.is_live = 1
GROUP BY w.account_id, w.as_of
