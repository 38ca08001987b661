-- Who could still leave at each as_of, and when does the next decision fall?
-- One live contract stands for the account: the dearest one. Notice is what was known by then, and not taken back.
-- Grain out: one row per live account and as_of; status is at_risk, lost_pending or onboarding.
WITH notices AS (
    SELECT
        g.as_of,
        e.contract_id,
        e.type,
        ROW_NUMBER() OVER (
            PARTITION BY g.as_of, e.contract_id ORDER BY e.event_at DESC, e.available_at DESC, e.contract_event_id
        ) AS recency
    FROM as_of_grid AS g
    INNER JOIN contract_events AS e
        ON e.available_at <= g.as_of AND e.event_at <= g.as_of
    WHERE
        e.op = 'upsert'
        AND e.type IN ('notice_given', 'notice_withdrawn', 'cancelled', 'terminated_nonpayment', 'signed', 'renewed')
),

live AS (
    SELECT
        c.*,
        CASE WHEN n.type IN ('notice_given', 'cancelled', 'terminated_nonpayment') THEN 1 ELSE 0 END AS under_notice,
        ROW_NUMBER() OVER (
            PARTITION BY c.as_of, c.account_id ORDER BY c.acv_minor DESC, c.contract_id
        ) AS weight_rank
    FROM contract_states AS c
    LEFT JOIN notices AS n
        ON c.as_of = n.as_of AND c.contract_id = n.contract_id AND n.recency = 1
    WHERE
        c.start_on <= CAST(c.as_of AS DATE)
        AND (c.end_on IS NULL OR c.end_on >= CAST(c.as_of AS DATE))
),

totals AS (
    SELECT
        as_of,
        account_id,
        MIN(under_notice) AS all_under_notice,
        CAST(SUM(acv_minor) AS BIGINT) AS acv_minor,
        CAST(SUM(seats) AS BIGINT) AS seats,
        MIN(first_start_on) AS first_start_on
    FROM live
    GROUP BY as_of, account_id
),

dated AS (
    SELECT
        as_of,
        account_id,
        contract_id,
        start_on,
        end_on,
        term_months,
        currency,
        discount_pct,
        CASE
            WHEN end_on IS NULL THEN NULL
            -- The date to give notice by is over and nobody did: the next term's date counts.
            WHEN end_on - notice_days < CAST(as_of AS DATE)
                THEN CAST(end_on + term_months * INTERVAL 1 MONTH AS DATE) - notice_days
            ELSE end_on - notice_days
        END AS decision_on
    FROM live
    WHERE weight_rank = 1
),

assessed AS (
    SELECT
        d.*,
        t.acv_minor,
        t.seats,
        t.all_under_notice,
        DATE_DIFF('day', t.first_start_on, CAST(d.as_of AS DATE)) AS tenure_days
    FROM dated AS d
    INNER JOIN totals AS t
        ON d.as_of = t.as_of AND d.account_id = t.account_id
)

SELECT
    d.account_id,
    d.as_of,
    d.as_of AS known_at,
    CASE
        WHEN d.all_under_notice = 1 THEN 'lost_pending'
        WHEN d.tenure_days < r.onboarding_days THEN 'onboarding'
        ELSE 'at_risk'
    END AS cohort_status,
    COALESCE(a.parent_account_id, d.account_id) AS cluster_id,
    a.account_name,
    a.segment,
    a.country,
    a.hq_tz,
    a.csm_owner_id,
    d.contract_id,
    d.start_on,
    d.end_on,
    d.term_months,
    d.decision_on,
    d.currency,
    d.discount_pct,
    d.acv_minor,
    d.seats,
    d.tenure_days
FROM assessed AS d
INNER JOIN account_states AS a
    ON d.as_of = a.as_of AND d.account_id = a.account_id
CROSS JOIN run AS r
