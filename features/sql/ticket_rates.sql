-- How many tickets does a seat of a segment open in a week of a phase, by what was known at as_of?
-- The rate of a cell (segment, phase) is all its tickets so far by all its seat-weeks so far, over the whole company,
-- in whole billionths, so that a sum does not depend on its order. Seats, segment and phase of a week are those known
-- when it closed; weeks count from when the first ticket was known, for contracts are on record from before there was
-- a support source.
-- Grain in: account_weeks, phase_weeks, ticket_lives, source_starts. Grain out: one row per cell and snapshot with a
-- seat-week.
WITH dates AS (
    SELECT CAST(as_of AS DATE) AS on_date FROM as_of_grid
),

live_weeks AS (
    SELECT
        a.account_id,
        CAST(a.week_start AS DATE) AS week_on,
        CAST(a.as_of AS DATE) AS closed_on,
        a.segment,
        p.phase,
        a.seats
    FROM account_weeks AS a
    INNER JOIN phase_weeks AS p
        ON a.account_id = p.account_id AND a.week_start = p.week_start
    CROSS JOIN (SELECT MIN(tickets_from) AS first_on FROM source_starts) AS t
    WHERE a.is_live = 1 AND a.seats > 0 AND CAST(a.as_of AS DATE) >= t.first_on
),

opened AS (
    SELECT
        w.segment,
        w.phase,
        -- A ticket opened at a Monday's midnight belongs to the week that begins: it counts when that is over.
        GREATEST(t.known_on, w.closed_on) AS known_on,
        GREATEST(t.gone_on, w.closed_on) AS gone_on
    FROM ticket_lives AS t
    INNER JOIN live_weeks AS w
        ON t.account_id = w.account_id AND CAST(DATE_TRUNC('week', t.created_on) AS DATE) = w.week_on
),

changes AS (
    SELECT segment, phase, closed_on AS on_date, seats AS seat_weeks, 0 AS tickets FROM live_weeks
    UNION ALL
    SELECT segment, phase, known_on AS on_date, 0 AS seat_weeks, 1 AS tickets FROM opened
    UNION ALL
    SELECT segment, phase, gone_on AS on_date, 0 AS seat_weeks, -1 AS tickets FROM opened
    UNION ALL
    SELECT k.segment, k.phase, d.on_date, 0 AS seat_weeks, 0 AS tickets
    FROM (SELECT DISTINCT segment, phase FROM live_weeks) AS k
    CROSS JOIN dates AS d
),

weekly AS (
    SELECT
        segment,
        phase,
        on_date,
        CAST(SUM(seat_weeks) AS BIGINT) AS seat_weeks,
        CAST(SUM(tickets) AS BIGINT) AS tickets
    FROM changes
    GROUP BY segment, phase, on_date
),

so_far AS (
    SELECT
        segment,
        phase,
        on_date,
        SUM(seat_weeks) OVER (
            PARTITION BY segment, phase ORDER BY on_date ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS seat_weeks,
        SUM(tickets) OVER (
            PARTITION BY segment, phase ORDER BY on_date ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS tickets
    FROM weekly
)

SELECT
    segment,
    phase,
    on_date,
    CAST(FLOOR(tickets * 1000000000 / NULLIF(seat_weeks, 0) + 0.5) AS BIGINT) AS tickets_billionths
FROM so_far
WHERE seat_weeks > 0
