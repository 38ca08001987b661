-- Who could still leave at each as_of, and when does the next decision fall?
-- Grain in: live_contracts, account_states. Grain out: one row per live account and as_of; status is at_risk,
-- lost_pending (every live contract is under notice) or onboarding. One live contract stands for the account: the
-- dearest that is not under notice. acv_minor is the sum over the live contracts in its currency, seats over all of
-- them.
WITH live AS (
    SELECT
        c.*,
        ROW_NUMBER() OVER (
            PARTITION BY c.as_of, c.account_id ORDER BY c.under_notice, c.acv_minor DESC, c.contract_id
        ) AS place
    FROM live_contracts AS c
    INNER JOIN as_of_grid AS g
        ON c.as_of = g.as_of
),

spoken_for AS (
    SELECT *
    FROM live
    WHERE place = 1
),

totals AS (
    SELECT
        s.as_of,
        s.account_id,
        CAST(SUM(CASE WHEN l.currency = s.currency THEN l.acv_minor ELSE 0 END) AS BIGINT) AS acv_minor,
        CAST(SUM(l.seats) AS BIGINT) AS seats,
        MIN(l.first_start_on) AS first_start_on
    FROM spoken_for AS s
    INNER JOIN live AS l
        ON s.as_of = l.as_of AND s.account_id = l.account_id
    GROUP BY s.as_of, s.account_id
),

terms_ahead AS (
    SELECT 0 AS terms
    UNION ALL
    SELECT 1 AS terms
    UNION ALL
    SELECT 2 AS terms
    UNION ALL
    SELECT 3 AS terms
    UNION ALL
    SELECT 4 AS terms
    UNION ALL
    SELECT 5 AS terms
    UNION ALL
    SELECT 6 AS terms
),

-- A date to give notice by that is over, with nothing said, means another term: the first one still ahead counts.
decisions AS (
    SELECT
        s.as_of,
        s.account_id,
        MIN(
            CAST(s.end_on + t.terms * COALESCE(s.term_months, 12) * INTERVAL 1 MONTH AS DATE) - s.notice_days
        ) AS decision_on
    FROM spoken_for AS s
    CROSS JOIN terms_ahead AS t
    WHERE
        CAST(s.end_on + t.terms * COALESCE(s.term_months, 12) * INTERVAL 1 MONTH AS DATE) - s.notice_days
        >= CAST(s.as_of AS DATE)
    GROUP BY s.as_of, s.account_id
),

assessed AS (
    SELECT
        s.*,
        d.decision_on,
        t.acv_minor AS account_acv_minor,
        t.seats AS account_seats,
        DATE_DIFF('day', t.first_start_on, CAST(s.as_of AS DATE)) AS tenure_days
    FROM spoken_for AS s
    INNER JOIN totals AS t
        ON s.as_of = t.as_of AND s.account_id = t.account_id
    LEFT JOIN decisions AS d
        ON s.as_of = d.as_of AND s.account_id = d.account_id
)

SELECT
    s.account_id,
    s.as_of,
    s.as_of AS known_at,
    CASE
        WHEN s.under_notice = 1 THEN 'lost_pending'
        WHEN s.tenure_days < r.onboarding_days THEN 'onboarding'
        ELSE 'at_risk'
    END AS cohort_status,
    COALESCE(a.parent_account_id, s.account_id) AS cluster_id,
    a.account_name,
    a.segment,
    a.country,
    a.hq_tz,
    a.csm_owner_id,
    s.contract_id,
    s.start_on,
    s.end_on,
    s.term_months,
    s.decision_on,
    s.currency,
    s.discount_pct,
    s.account_acv_minor AS acv_minor,
    s.account_seats AS seats,
    s.tenure_days
FROM assessed AS s
INNER JOIN account_states AS a
    ON s.as_of = a.as_of AND s.account_id = a.account_id
CROSS JOIN run AS r
