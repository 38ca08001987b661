-- At which as_ofs does each state of a ticket hold, by what was known then?
-- A ticket counts as solved while its latest state says so; a reopened one is unsolved again, and `reopens` remembers.
-- Grain in: tickets_history (states). Grain out: one row per state that is the latest one known at every Monday in
-- [known_on, gone_on).
WITH beliefs AS (
    SELECT
        *,
        COALESCE(solved_at, valid_from) AS ended_at,
        CAST(DATE_TRUNC('week', CAST(GREATEST(valid_from, available_at) - INTERVAL 1 MICROSECOND AS DATE)) AS DATE)
        + 7 AS known_on
    FROM tickets_history
),

lives AS (
    SELECT
        ticket_id,
        account_id,
        created_at,
        CASE WHEN status IN ('solved', 'closed') THEN 1 ELSE 0 END AS is_solved,
        CASE WHEN priority IN ('high', 'urgent') THEN 1 ELSE 0 END AS is_urgent,
        CASE WHEN COALESCE(reopens, 0) > 0 THEN 1 ELSE 0 END AS was_reopened,
        CASE WHEN status IN ('solved', 'closed') THEN ended_at ELSE valid_from END AS settled_at,
        op,
        known_on,
        -- The latest state wins; an older one that becomes known after it never holds.
        COALESCE(
            MIN(known_on) OVER (
                PARTITION BY ticket_id ORDER BY valid_from, available_at, row_hash DESC
                ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING
            ),
            DATE '2999-12-30'
        ) AS gone_on
    FROM beliefs
)

SELECT
    ticket_id,
    account_id,
    CAST(created_at AS DATE) AS created_on,
    CAST(settled_at AS DATE) AS settled_on,
    GREATEST(
        DATE_DIFF('day', CAST(created_at AS DATE), CAST(settled_at AS DATE)) * 86400
        + (EXTRACT(HOUR FROM settled_at) - EXTRACT(HOUR FROM created_at)) * 3600
        + (EXTRACT(MINUTE FROM settled_at) - EXTRACT(MINUTE FROM created_at)) * 60
        + CAST(FLOOR(EXTRACT(SECOND FROM settled_at)) - FLOOR(EXTRACT(SECOND FROM created_at)) AS BIGINT),
        0
    ) AS settled_after_s,
    is_solved,
    is_urgent,
    was_reopened,
    known_on,
    gone_on
FROM lives
WHERE op = 'upsert' AND known_on < gone_on
