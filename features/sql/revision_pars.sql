-- How do an account's revisions compare with what its segment takes in the same phases, by what was known at as_of?
-- Logarithms are summed as whole millionths, so that a sum does not depend on its order.
-- Grain in: revision_cycles, revision_levels, as_of_grid. Grain out: one row per account and snapshot with a cycle
-- closed in 26 weeks.
WITH dates AS (
    SELECT CAST(as_of AS DATE) AS on_date FROM as_of_grid
),

cycles AS (
    SELECT
        account_id,
        segment,
        phase,
        basis,
        known_on,
        gone_on,
        LEAST(gone_on, CAST(DATE_TRUNC('week', CAST(closed_at AS DATE)) AS DATE) + 189) AS until_on,
        COUNT(*) AS cycles,
        CAST(SUM(CAST(FLOOR(LN(NULLIF(cycle_s, 0)) * 1000000 + 0.5) AS BIGINT)) AS BIGINT) AS ln_millionths
    FROM revision_cycles
    GROUP BY
        account_id, segment, phase, basis, known_on, gone_on,
        LEAST(gone_on, CAST(DATE_TRUNC('week', CAST(closed_at AS DATE)) AS DATE) + 189)
)

SELECT
    c.account_id,
    e.on_date,
    CAST(SUM(c.cycles) AS BIGINT) AS cycles,
    CAST(SUM(c.ln_millionths - c.cycles * e.ln_millionths) AS BIGINT) AS surplus_millionths
FROM cycles AS c
INNER JOIN dates AS d
    ON c.known_on <= d.on_date AND c.until_on > d.on_date
INNER JOIN revision_levels AS e
    ON c.segment = e.segment AND c.phase = e.phase AND c.basis = e.basis AND d.on_date = e.on_date
GROUP BY c.account_id, e.on_date
