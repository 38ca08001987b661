-- How many seats were assigned at each snapshot, and was any seat known?
-- Grain in: seat_spans. Grain out: one row per account and snapshot of account_weeks from the first that is built;
-- known_seats > 0 once a seat source gave any row for the account. A seat is assigned from assigned_at until
-- revoked_at.
WITH spans AS (
    SELECT
        account_id,
        from_as_of AS known_from,
        GREATEST(from_as_of, DATE_TRUNC('week', assigned_at - INTERVAL 1 MICROSECOND) + INTERVAL 7 DAY) AS from_as_of,
        LEAST(until_as_of, DATE_TRUNC('week', revoked_at - INTERVAL 1 MICROSECOND) + INTERVAL 7 DAY) AS until_as_of
    FROM seat_spans
),

changes AS (
    SELECT
        account_id,
        known_from AS as_of,
        0 AS assigned,
        1 AS known
    FROM spans
    UNION ALL
    SELECT
        account_id,
        from_as_of AS as_of,
        1 AS assigned,
        0 AS known
    FROM spans
    WHERE until_as_of IS NULL OR from_as_of < until_as_of
    UNION ALL
    SELECT
        account_id,
        until_as_of AS as_of,
        -1 AS assigned,
        0 AS known
    FROM spans
    WHERE from_as_of < until_as_of
),

-- What was known before the account's first week, or the first snapshot, counts from then on.
beginnings AS (
    SELECT
        a.account_id,
        MIN(a.as_of) AS first_as_of
    FROM account_weeks AS a
    CROSS JOIN run AS r
    WHERE a.as_of >= r.first_as_of
    GROUP BY a.account_id
),

clamped AS (
    SELECT
        c.account_id,
        GREATEST(c.as_of, f.first_as_of) AS as_of,
        CAST(SUM(c.assigned) AS BIGINT) AS assigned,
        CAST(SUM(c.known) AS BIGINT) AS known
    FROM changes AS c
    INNER JOIN beginnings AS f
        ON c.account_id = f.account_id
    GROUP BY c.account_id, GREATEST(c.as_of, f.first_as_of)
)

SELECT
    a.account_id,
    a.as_of,
    CAST(SUM(COALESCE(c.assigned, 0)) OVER so_far AS BIGINT) AS assigned_seats,
    CAST(SUM(COALESCE(c.known, 0)) OVER so_far AS BIGINT) AS known_seats
FROM account_weeks AS a
LEFT JOIN clamped AS c
    ON a.account_id = c.account_id AND a.as_of = c.as_of
CROSS JOIN run AS r
WHERE a.as_of >= r.first_as_of
WINDOW so_far AS (PARTITION BY a.account_id ORDER BY a.as_of ROWS UNBOUNDED PRECEDING)
