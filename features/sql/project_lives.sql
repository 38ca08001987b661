-- At which as_ofs does each state of a project hold, by what was known then?
-- Grain in: projects_history (states). Grain out: one row per state that is the latest one known at every Monday in
-- [known_on, gone_on).
WITH beliefs AS (
    SELECT
        *,
        CAST(DATE_TRUNC('week', CAST(GREATEST(valid_from, available_at) - INTERVAL 1 MICROSECOND AS DATE)) AS DATE)
        + 7 AS known_on
    FROM projects_history
),

lives AS (
    SELECT
        project_id,
        account_id,
        status_canonical,
        planned_start_on,
        COALESCE(actual_end_on, CAST(valid_from AS DATE)) AS end_on,
        op,
        known_on,
        -- The latest state wins; an older one that becomes known after it never holds.
        COALESCE(
            MIN(known_on) OVER (
                PARTITION BY project_id ORDER BY valid_from, available_at, row_hash DESC
                ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING
            ),
            DATE '2999-12-30'
        ) AS gone_on
    FROM beliefs
)

SELECT
    project_id,
    account_id,
    status_canonical,
    planned_start_on,
    end_on,
    known_on,
    gone_on
FROM lives
WHERE op = 'upsert' AND known_on < gone_on
