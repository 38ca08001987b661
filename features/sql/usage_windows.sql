-- How much was a tool used in the last weeks, as known at each snapshot?
-- Grain in: usage_moves. Grain out: one row per account and snapshot of account_weeks after run.settled_at.
-- *_wN = N weeks; seat_weeks = users summed over weeks; quiet_* = only weeks without a campaign day, as believed when
-- they closed; usage_rows > 0 once usage was known. Running sums stand apart from their changes: over rows of a known
-- number they are several times cheaper.
WITH standing AS (
    SELECT
        account_id,
        week_start,
        as_of,
        MAX(last_core_on) OVER known AS last_core_on,
        CAST(SUM(usable_weeks) OVER known AS BIGINT) AS usable_weeks,
        CAST(SUM(usage_rows) OVER known AS BIGINT) AS usage_rows,
        CAST(SUM(core_w1) OVER known AS BIGINT) AS core_w1,
        CAST(SUM(core_w4) OVER known AS BIGINT) AS core_w4,
        CAST(SUM(core_w13) OVER known AS BIGINT) AS core_w13,
        CAST(SUM(collab_w8) OVER known AS BIGINT) AS collab_w8,
        CAST(SUM(collab_w13) OVER known AS BIGINT) AS collab_w13,
        CAST(SUM(collab_w26) OVER known AS BIGINT) AS collab_w26,
        CAST(SUM(all_w13) OVER known AS BIGINT) AS all_w13,
        CAST(SUM(seat_weeks_w1) OVER known AS BIGINT) AS seat_weeks_w1,
        CAST(SUM(seat_weeks_w4) OVER known AS BIGINT) AS seat_weeks_w4,
        CAST(SUM(seat_weeks_w8) OVER known AS BIGINT) AS seat_weeks_w8,
        CAST(SUM(seat_weeks_w13) OVER known AS BIGINT) AS seat_weeks_w13,
        CAST(SUM(seat_weeks_w26) OVER known AS BIGINT) AS seat_weeks_w26,
        CAST(SUM(seat_weeks_w52) OVER known AS BIGINT) AS seat_weeks_w52,
        CAST(SUM(seat_weeks_w56) OVER known AS BIGINT) AS seat_weeks_w56,
        CAST(SUM(user_days_w4) OVER known AS BIGINT) AS user_days_w4,
        CAST(SUM(sessions_w4) OVER known AS BIGINT) AS sessions_w4,
        CAST(SUM(active_seconds_w4) OVER known AS BIGINT) AS active_seconds_w4,
        CAST(SUM(quiet_core_w52) OVER known AS BIGINT) AS quiet_core_w52,
        CAST(SUM(quiet_collab_w52) OVER known AS BIGINT) AS quiet_collab_w52,
        CAST(SUM(quiet_seat_weeks_w52) OVER known AS BIGINT) AS quiet_seat_weeks_w52,
        CAST(SUM(quiet_weeks_w52) OVER known AS BIGINT) AS quiet_weeks_w52,
        CAST(SUM(users_w4) OVER known AS BIGINT) AS users_w4,
        CAST(SUM(families_w13) OVER known AS BIGINT) AS families_w13,
        CAST(SUM(shared_families_w13) OVER known AS BIGINT) AS shared_families_w13
    FROM usage_moves
    WINDOW known AS (PARTITION BY account_id ORDER BY as_of ROWS UNBOUNDED PRECEDING)
)

SELECT s.*
FROM standing AS s
CROSS JOIN run AS r
WHERE s.as_of > r.settled_at
