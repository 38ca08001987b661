-- Which account-weeks are there, and what was known of the account when the week closed?
-- Grain out: one row per account and week that closed after run.settled_at and by the last snapshot, from the account's
-- first week with a contract or with usage, dense; week_start is a Monday, as_of = week_start + 7 days is the snapshot
-- at which the week closes.
-- is_live = 1 when a contract was live at the close, as known then: frozen, so that what is learnt later changes no
-- statistic. Weeks before are there only to hold usage that came first.
WITH live AS (
    SELECT
        c.account_id,
        c.as_of,
        CAST(SUM(c.seats) AS BIGINT) AS seats
    FROM live_contracts AS c
    CROSS JOIN run AS r
    WHERE c.as_of > r.settled_at
    GROUP BY c.account_id, c.as_of
),

beginnings AS (
    SELECT
        account_id,
        MIN(as_of) - INTERVAL 7 DAY AS first_week
    FROM live_contracts
    GROUP BY account_id
    UNION ALL
    SELECT
        account_id,
        DATE_TRUNC('week', first_at) AS first_week
    FROM usage_starts
),

accounts AS (
    SELECT
        account_id,
        MIN(first_week) AS first_week
    FROM beginnings
    GROUP BY account_id
),

grid AS (
    SELECT
        a.account_id,
        w.week_start,
        w.week_start + INTERVAL 7 DAY AS as_of
    FROM accounts AS a
    INNER JOIN weeks AS w
        ON a.first_week <= w.week_start
    CROSS JOIN run AS r
    WHERE w.week_start + INTERVAL 7 DAY <= r.last_as_of AND w.week_start + INTERVAL 7 DAY > r.settled_at
)

SELECT
    g.account_id,
    g.week_start,
    g.as_of,
    s.segment,
    l.seats,
    CASE WHEN l.account_id IS NOT NULL AND s.account_id IS NOT NULL THEN 1 ELSE 0 END AS is_live
FROM grid AS g
LEFT JOIN account_states AS s
    ON g.account_id = s.account_id AND g.as_of = s.as_of
LEFT JOIN live AS l
    ON g.account_id = l.account_id AND g.as_of = l.as_of
