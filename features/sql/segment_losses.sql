-- Which share of a segment's accounts gave notice in a year, as far as that year has matured by as_of?
-- The year is the 52 weeks that ended 60 days before as_of; a notice counts as known at as_of and not when withdrawn.
-- Accounts are at risk from the first notice known: contracts on record from before are those of the accounts that
-- stayed.
-- Grain in: contract_events, account_weeks, as_of_grid. Grain out: one row per snapshot and segment with accounts at
-- risk.
WITH dates AS (
    SELECT CAST(as_of AS DATE) AS on_date FROM as_of_grid
),

beliefs AS (
    SELECT
        contract_event_id,
        contract_id,
        account_id,
        type,
        event_at,
        op,
        available_at,
        row_hash,
        GREATEST(
            CAST(DATE_TRUNC('week', CAST(available_at - INTERVAL 1 MICROSECOND AS DATE)) AS DATE),
            CAST(DATE_TRUNC('week', CAST(event_at AS DATE)) AS DATE)
        ) + 7 AS known_on
    FROM contract_events
),

lives AS (
    SELECT
        contract_event_id,
        contract_id,
        account_id,
        type,
        event_at,
        op,
        known_on,
        COALESCE(
            MIN(known_on) OVER (
                PARTITION BY contract_event_id ORDER BY available_at, row_hash DESC
                ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING
            ),
            DATE '2999-12-30'
        ) AS gone_on
    FROM beliefs
),

standing AS (
    SELECT
        n.contract_event_id,
        n.account_id,
        DATE_TRUNC('week', n.event_at) AS week_start,
        CAST(n.event_at AS DATE) AS notice_on,
        n.known_on,
        LEAST(n.gone_on, COALESCE(MIN(w.known_on), n.gone_on)) AS gone_on
    FROM lives AS n
    LEFT JOIN lives AS w
        ON
            n.contract_id = w.contract_id
            AND w.type = 'notice_withdrawn'
            AND w.op = 'upsert'
            AND w.event_at >= n.event_at
    WHERE n.op = 'upsert' AND n.type IN ('notice_given', 'cancelled')
    GROUP BY n.contract_event_id, n.account_id, n.event_at, n.known_on, n.gone_on
),

lost AS (
    SELECT
        d.on_date,
        COALESCE(a.segment, 'other') AS segment,
        COUNT(DISTINCT n.account_id) AS accounts_lost
    FROM standing AS n
    INNER JOIN dates AS d
        ON n.notice_on < d.on_date - 60 AND n.notice_on >= d.on_date - 424
    LEFT JOIN account_weeks AS a
        ON n.account_id = a.account_id AND n.week_start = a.week_start
    WHERE d.on_date >= n.known_on AND d.on_date < n.gone_on
    GROUP BY d.on_date, COALESCE(a.segment, 'other')
),

live AS (
    SELECT
        segment,
        CAST(as_of AS DATE) AS live_on,
        COUNT(*) AS accounts
    FROM account_weeks
    WHERE is_live = 1
    GROUP BY segment, CAST(as_of AS DATE)
),

beginnings AS (
    SELECT
        d.on_date,
        MIN(n.notice_on) AS first_on
    FROM dates AS d
    INNER JOIN standing AS n
        ON d.on_date >= n.known_on
    GROUP BY d.on_date
),

at_risk AS (
    SELECT
        b.on_date,
        l.segment,
        CAST(SUM(l.accounts) AS BIGINT) AS account_weeks
    FROM live AS l
    INNER JOIN beginnings AS b
        ON l.live_on < b.on_date - 60 AND l.live_on >= b.on_date - 424 AND l.live_on >= b.first_on
    GROUP BY b.on_date, l.segment
)

SELECT
    r.on_date,
    r.segment,
    r.account_weeks,
    COALESCE(l.accounts_lost, 0) AS accounts_lost
FROM at_risk AS r
LEFT JOIN lost AS l
    ON r.on_date = l.on_date AND r.segment = l.segment
