-- How many people of the customer's clients took part in reviews in 13 weeks, as known at each snapshot?
-- Grain in: review_events. Grain out: one row per account and snapshot of account_weeks from the first that is built.
-- clients_w13 = distinct actors of events told as decided by the client; named_w26 = events of 26 weeks that name their
-- actor at all: above 0 while a source tells who reviews.
WITH beliefs AS (
    SELECT
        e.review_event_id,
        e.account_id,
        e.actor_key,
        e.decided_by,
        e.op,
        DATE_TRUNC('week', e.event_at) AS week_start,
        e.available_at,
        LEAD(e.available_at) OVER (
            PARTITION BY e.review_event_id ORDER BY e.available_at, e.row_hash DESC
        ) AS replaced_at
    FROM review_events AS e
    CROSS JOIN run AS r
    -- No window goes back longer than 27 weeks, and no row is known more than a day before its event.
    WHERE e.available_at >= r.first_as_of - INTERVAL 196 DAY
),

lives AS (
    SELECT
        account_id,
        actor_key,
        decided_by,
        week_start,
        GREATEST(
            DATE_TRUNC('week', available_at - INTERVAL 1 MICROSECOND) + INTERVAL 7 DAY, week_start + INTERVAL 7 DAY
        ) AS from_as_of,
        DATE_TRUNC('week', replaced_at - INTERVAL 1 MICROSECOND) + INTERVAL 7 DAY AS until_as_of
    FROM beliefs
    WHERE op = 'upsert' AND actor_key IS NOT NULL
),

spans AS (
    SELECT DISTINCT
        account_id,
        actor_key,
        from_as_of,
        LEAST(week_start + INTERVAL 98 DAY, until_as_of) AS until_as_of
    FROM lives
    WHERE decided_by = 'client' AND from_as_of < LEAST(week_start + INTERVAL 98 DAY, until_as_of)
),

covered AS (
    SELECT
        account_id,
        from_as_of,
        until_as_of,
        MAX(until_as_of) OVER (
            PARTITION BY account_id, actor_key
            ORDER BY from_as_of, until_as_of
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS covered_until
    FROM spans
),

fresh AS (
    SELECT
        account_id,
        GREATEST(from_as_of, COALESCE(covered_until, from_as_of)) AS from_as_of,
        until_as_of
    FROM covered
    WHERE covered_until IS NULL OR covered_until < until_as_of
),

named AS (
    SELECT
        account_id,
        from_as_of,
        LEAST(week_start + INTERVAL 189 DAY, until_as_of) AS until_as_of
    FROM lives
    WHERE from_as_of < LEAST(week_start + INTERVAL 189 DAY, until_as_of)
),

changes AS (
    SELECT
        account_id,
        from_as_of AS as_of,
        1 AS clients,
        0 AS named
    FROM fresh
    UNION ALL
    SELECT
        account_id,
        until_as_of AS as_of,
        -1 AS clients,
        0 AS named
    FROM fresh
    UNION ALL
    SELECT
        account_id,
        from_as_of AS as_of,
        0 AS clients,
        1 AS named
    FROM named
    UNION ALL
    SELECT
        account_id,
        until_as_of AS as_of,
        0 AS clients,
        -1 AS named
    FROM named
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
        CAST(SUM(c.clients) AS BIGINT) AS clients,
        CAST(SUM(c.named) AS BIGINT) AS named
    FROM changes AS c
    INNER JOIN beginnings AS f
        ON c.account_id = f.account_id
    GROUP BY c.account_id, GREATEST(c.as_of, f.first_as_of)
)

SELECT
    a.account_id,
    a.as_of,
    CAST(SUM(COALESCE(c.clients, 0)) OVER so_far AS BIGINT) AS clients_w13,
    CAST(SUM(COALESCE(c.named, 0)) OVER so_far AS BIGINT) AS named_w26
FROM account_weeks AS a
LEFT JOIN clamped AS c
    ON a.account_id = c.account_id AND a.as_of = c.as_of
CROSS JOIN run AS r
WHERE a.as_of >= r.first_as_of
WINDOW so_far AS (PARTITION BY a.account_id ORDER BY a.as_of ROWS UNBOUNDED PRECEDING)
