-- Which contracts were live on every Monday (as_of), and was notice given, as far as was known?
-- Grain in: contract_states, contract_events. Grain out: one row per live contract and Monday after run.settled_at;
-- under_notice is 1 or 0, notice_at says since when.
-- What was said last counts: a notice that was withdrawn, or that a renewal followed, is none. A contract is over after
-- its end, or once a notice has taken effect. One that renews by itself stays live for 14 days after its end: renewals
-- are written down late, within days (twice the usual lag), and no account should drop out and come back.
WITH versions AS (
    SELECT
        g.week_start AS as_of,
        e.contract_event_id,
        e.contract_id,
        e.type,
        e.event_at,
        e.available_at,
        e.effective_on,
        e.op,
        ROW_NUMBER() OVER (
            PARTITION BY g.week_start, e.contract_event_id ORDER BY e.available_at DESC, e.row_hash
        ) AS recency
    FROM weeks AS g
    INNER JOIN contract_events AS e
        ON e.available_at <= g.week_start AND e.event_at < g.week_start
    CROSS JOIN run AS r
    WHERE g.week_start > r.settled_at
),

said AS (
    SELECT
        as_of,
        contract_id,
        type,
        event_at,
        effective_on,
        ROW_NUMBER() OVER (
            PARTITION BY as_of, contract_id ORDER BY event_at DESC, available_at DESC, contract_event_id
        ) AS recency
    FROM versions
    WHERE
        recency = 1
        AND op = 'upsert'
        AND type IN (
            'signed', 'renewed', 'notice_given', 'notice_withdrawn', 'cancelled', 'expired', 'terminated_nonpayment',
            'merged_into'
        )
),

standing AS (
    SELECT
        c.as_of,
        c.contract_id,
        c.account_id,
        c.start_on,
        c.end_on,
        c.term_months,
        c.notice_days,
        c.auto_renew,
        c.acv_minor,
        c.currency,
        c.discount_pct,
        c.first_start_on,
        c.seats,
        CASE
            WHEN s.type IN ('notice_given', 'cancelled', 'expired', 'terminated_nonpayment', 'merged_into') THEN 1
            ELSE 0
        END AS under_notice,
        s.event_at AS said_at,
        s.effective_on
    FROM contract_states AS c
    LEFT JOIN said AS s
        ON c.as_of = s.as_of AND c.contract_id = s.contract_id AND s.recency = 1
    CROSS JOIN run AS r
    WHERE c.as_of > r.settled_at AND c.start_on <= CAST(c.as_of AS DATE)
)

SELECT
    as_of,
    contract_id,
    account_id,
    start_on,
    end_on,
    term_months,
    notice_days,
    acv_minor,
    currency,
    discount_pct,
    first_start_on,
    seats,
    under_notice,
    CASE WHEN under_notice = 1 THEN said_at END AS notice_at
FROM standing
WHERE
    NOT (under_notice = 1 AND effective_on < CAST(as_of AS DATE))
    AND (
        end_on IS NULL
        OR end_on >= CAST(as_of AS DATE)
        OR (under_notice = 0 AND COALESCE(auto_renew, FALSE) AND end_on + 14 >= CAST(as_of AS DATE))
    )
