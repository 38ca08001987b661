-- How many tickets does an account of this segment open in such weeks, by what was known at as_of?
-- Grain in: account_weeks, phase_weeks, ticket_rates, source_starts. Grain out: one row per account and snapshot with a
-- live week in 26 and a rate.
WITH dates AS (
    SELECT CAST(as_of AS DATE) AS on_date FROM as_of_grid
),

live_weeks AS (
    SELECT
        a.account_id,
        CAST(a.as_of AS DATE) AS closed_on,
        a.segment,
        p.phase,
        a.seats
    FROM account_weeks AS a
    INNER JOIN phase_weeks AS p
        ON a.account_id = p.account_id AND a.week_start = p.week_start
    CROSS JOIN (SELECT MIN(tickets_from) AS first_on FROM source_starts) AS t
    WHERE a.is_live = 1 AND a.seats > 0 AND CAST(a.as_of AS DATE) >= t.first_on
)

SELECT
    w.account_id,
    d.on_date,
    CAST(SUM(w.seats * r.tickets_billionths) AS BIGINT) AS expected_billionths
FROM live_weeks AS w
INNER JOIN dates AS d
    ON w.closed_on <= d.on_date AND w.closed_on > d.on_date - 182
INNER JOIN ticket_rates AS r
    ON w.segment = r.segment AND w.phase = r.phase AND d.on_date = r.on_date
GROUP BY w.account_id, d.on_date
