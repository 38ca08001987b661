-- How did each week's core actions compare with what was to be expected, as known when the week closed?
-- Grain in: usage_windows, usage_expected. Grain out: one row per account and snapshot of account_weeks; par_w1 =
-- ln((done + 0.5) / (expected + 0.5)) in millionths, whole so that sums are exact, null for a week that was not
-- measured; week_no counts an account's weeks.
SELECT
    u.account_id,
    u.as_of,
    CAST(ROW_NUMBER() OVER (PARTITION BY u.account_id ORDER BY u.as_of) AS BIGINT) AS week_no,
    CASE
        WHEN e.is_measured = 1
            THEN CAST(FLOOR(1000000 * LN((1000 * u.core_w1 + 500) / (e.expected_core + 500)) + 0.5) AS BIGINT)
    END AS par_w1
FROM usage_windows AS u
INNER JOIN usage_expected AS e
    ON u.account_id = e.account_id AND u.as_of = e.as_of
