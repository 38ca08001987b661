-- How long do revisions of a segment take in a phase, by what was known at as_of?
-- The level of a cell (segment, phase, basis) is the mean ln(seconds) of all its cycles known so far, over the whole
-- company. Logarithms are summed as whole millionths, so that a sum does not depend on its order.
-- Grain in: revision_cycles, as_of_grid. Grain out: one row per cell and snapshot with a cycle known.
WITH dates AS (
    SELECT CAST(as_of AS DATE) AS on_date FROM as_of_grid
),

cycles AS (
    SELECT
        segment,
        phase,
        basis,
        known_on,
        gone_on,
        COUNT(*) AS cycles,
        CAST(SUM(CAST(FLOOR(LN(NULLIF(cycle_s, 0)) * 1000000 + 0.5) AS BIGINT)) AS BIGINT) AS ln_millionths
    FROM revision_cycles
    GROUP BY segment, phase, basis, known_on, gone_on
),

changes AS (
    SELECT segment, phase, basis, known_on AS on_date, cycles, ln_millionths FROM cycles
    UNION ALL
    SELECT segment, phase, basis, gone_on AS on_date, -cycles AS cycles, -ln_millionths AS ln_millionths FROM cycles
    UNION ALL
    SELECT k.segment, k.phase, k.basis, d.on_date, 0 AS cycles, 0 AS ln_millionths
    FROM (SELECT DISTINCT segment, phase, basis FROM cycles) AS k
    CROSS JOIN dates AS d
),

weekly AS (
    SELECT
        segment,
        phase,
        basis,
        on_date,
        CAST(SUM(cycles) AS BIGINT) AS cycles,
        CAST(SUM(ln_millionths) AS BIGINT) AS ln_millionths
    FROM changes
    GROUP BY segment, phase, basis, on_date
),

so_far AS (
    SELECT
        segment,
        phase,
        basis,
        on_date,
        SUM(cycles) OVER (
            PARTITION BY segment, phase, basis ORDER BY on_date ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS cycles,
        SUM(ln_millionths) OVER (
            PARTITION BY segment, phase, basis ORDER BY on_date ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS ln_millionths
    FROM weekly
)

SELECT
    segment,
    phase,
    basis,
    on_date,
    CAST(FLOOR(ln_millionths / NULLIF(cycles, 0) + 0.5) AS BIGINT) AS ln_millionths
FROM so_far
WHERE cycles > 0
