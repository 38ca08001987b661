-- At which as_ofs does each state of a milestone hold, by what was known then, and whose is it?
-- A project stays with the account under which it was first known.
-- Grain in: milestones_history (states), project_lives. Grain out: one row per state that is the latest one known at
-- every Monday in [known_on, gone_on).
WITH beliefs AS (
    SELECT
        *,
        CAST(DATE_TRUNC('week', CAST(GREATEST(valid_from, available_at) - INTERVAL 1 MICROSECOND AS DATE)) AS DATE)
        + 7 AS known_on
    FROM milestones_history
),

lives AS (
    SELECT
        milestone_id,
        project_id,
        kind,
        status_canonical,
        planned_on,
        baseline_on,
        completed_on,
        op,
        known_on,
        COALESCE(
            MIN(known_on) OVER (
                PARTITION BY milestone_id ORDER BY valid_from, available_at, row_hash DESC
                ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING
            ),
            DATE '2999-12-30'
        ) AS gone_on
    FROM beliefs
),

owners AS (
    SELECT
        project_id,
        account_id,
        known_on,
        ROW_NUMBER() OVER (PARTITION BY project_id ORDER BY known_on) AS age_rank
    FROM project_lives
)

SELECT
    m.milestone_id,
    m.project_id,
    p.account_id,
    m.kind,
    m.status_canonical,
    m.planned_on,
    m.baseline_on,
    m.completed_on,
    GREATEST(m.known_on, p.known_on) AS known_on,
    m.gone_on
FROM lives AS m
INNER JOIN owners AS p
    ON m.project_id = p.project_id AND p.age_rank = 1
WHERE m.op = 'upsert' AND GREATEST(m.known_on, p.known_on) < m.gone_on
