-- Which state of each seat was believed at which snapshots?
-- Grain in: seat_assignments_history (states). Grain out: one row per seat state that was ever believed at a snapshot,
-- in force at the snapshots [from_as_of, until_as_of); until_as_of is null while it stands. The state believed is the
-- one with the latest valid_from (then available_at) among those known: a state falls when a stronger one becomes
-- known.
WITH seen AS (
    SELECT
        seat_id,
        account_id,
        user_key,
        role,
        assigned_at,
        revoked_at,
        op,
        valid_from,
        available_at,
        row_hash,
        GREATEST(valid_from, available_at) AS seen_at
    FROM seat_assignments_history
),

ranked AS (
    SELECT
        *,
        MIN(seen_at) OVER (
            PARTITION BY seat_id
            ORDER BY valid_from, available_at, row_hash DESC
            ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING
        ) AS overruled_at
    FROM seen
),

spans AS (
    SELECT
        seat_id,
        account_id,
        user_key,
        role,
        assigned_at,
        revoked_at,
        op,
        DATE_TRUNC('week', seen_at - INTERVAL 1 MICROSECOND) + INTERVAL 7 DAY AS from_as_of,
        DATE_TRUNC('week', overruled_at - INTERVAL 1 MICROSECOND) + INTERVAL 7 DAY AS until_as_of
    FROM ranked
)

SELECT
    seat_id,
    account_id,
    user_key,
    role,
    assigned_at,
    revoked_at,
    from_as_of,
    until_as_of
FROM spans
WHERE op = 'upsert' AND (until_as_of IS NULL OR from_as_of < until_as_of)
