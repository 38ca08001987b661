-- What frames the score: timing, size, kind of account, and words for people?
-- What is said of projects has no value where the account gave none, or does not consent (any more) to it.
-- Grain out: one row per cohort row.
WITH consenting AS (
    SELECT
        a.account_id,
        a.as_of,
        p.planning,
        p.production,
        p.delivery,
        p.project_phase
    FROM account_states AS a
    INNER JOIN project_phases AS p
        ON a.account_id = p.account_id AND CAST(a.as_of AS DATE) = p.on_date
    WHERE COALESCE(a.consent_pm_data, TRUE)
)

SELECT
    c.account_id,
    c.as_of,
    c.known_at,
    CAST(DATE_DIFF('day', CAST(c.as_of AS DATE), c.decision_on) AS DOUBLE) AS days_to_decision,
    CAST(CASE WHEN c.end_on IS NULL THEN 1 ELSE 0 END AS DOUBLE) AS is_evergreen,
    CAST(c.tenure_days AS DOUBLE) / 7 AS tenure_weeks,
    CAST(
        CASE
            WHEN c.term_months IS NOT NULL THEN c.term_months
            WHEN c.end_on IS NULL THEN 1
            ELSE FLOOR(DATE_DIFF('day', c.start_on, c.end_on) / 30.4375 + 0.5)
        END AS DOUBLE
    ) AS term_months,
    CAST(CASE WHEN c.segment = 'studio' THEN 1 ELSE 0 END AS DOUBLE) AS segment_is_studio,
    CAST(CASE WHEN c.segment = 'broadcaster' THEN 1 ELSE 0 END AS DOUBLE) AS segment_is_broadcaster,
    CAST(CASE WHEN c.segment = 'agency' THEN 1 ELSE 0 END AS DOUBLE) AS segment_is_agency,
    CASE WHEN c.seats IS NOT NULL THEN LN(GREATEST(c.seats, 1)) END AS seats_contracted_log,
    CASE WHEN c.seats IS NOT NULL THEN CAST(CASE WHEN c.seats <= 10 THEN 1 ELSE 0 END AS DOUBLE) END AS size_is_1_to_10,
    CASE WHEN c.seats IS NOT NULL THEN CAST(CASE WHEN c.seats BETWEEN 11 AND 50 THEN 1 ELSE 0 END AS DOUBLE) END
        AS size_is_11_to_50,
    CASE WHEN c.seats IS NOT NULL THEN CAST(CASE WHEN c.seats BETWEEN 51 AND 250 THEN 1 ELSE 0 END AS DOUBLE) END
        AS size_is_51_to_250,
    CAST(CASE WHEN r.region = 'americas' THEN 1 ELSE 0 END AS DOUBLE) AS region_is_americas,
    CAST(CASE WHEN r.region = 'emea' THEN 1 ELSE 0 END AS DOUBLE) AS region_is_emea,
    CAST(CASE WHEN r.region = 'apac' THEN 1 ELSE 0 END AS DOUBLE) AS region_is_apac,
    CAST(x.products AS DOUBLE) AS products_contracted,
    CAST(x.has_tokens AS DOUBLE) AS buys_tokens,
    CAST(x.has_metered AS DOUBLE) AS buys_metered_units,
    CAST(COALESCE(u.usable_weeks, 0) AS DOUBLE) AS usable_weeks,
    CAST(
        CASE WHEN s.usage_week >= c.as_of - INTERVAL 182 DAY THEN 1 ELSE 0 END
        + CASE WHEN s.production_week >= c.as_of - INTERVAL 182 DAY THEN 1 ELSE 0 END
        + CASE WHEN s.invoices_week >= c.as_of - INTERVAL 182 DAY THEN 1 ELSE 0 END
        + CASE WHEN s.tickets_week >= c.as_of - INTERVAL 182 DAY THEN 1 ELSE 0 END
        + CASE WHEN s.surveys_week >= c.as_of - INTERVAL 182 DAY THEN 1 ELSE 0 END
        + CASE WHEN s.campaigns_week >= c.as_of - INTERVAL 406 DAY THEN 1 ELSE 0 END AS DOUBLE
    ) AS sources_present,
    CAST(CASE WHEN s.usage_week >= c.as_of - INTERVAL 182 DAY THEN 1 ELSE 0 END AS DOUBLE) AS usage_present,
    CAST(CASE WHEN s.production_week >= c.as_of - INTERVAL 182 DAY THEN 1 ELSE 0 END AS DOUBLE) AS production_present,
    CAST(CASE WHEN s.invoices_week >= c.as_of - INTERVAL 182 DAY THEN 1 ELSE 0 END AS DOUBLE) AS invoices_present,
    CAST(CASE WHEN s.tickets_week >= c.as_of - INTERVAL 182 DAY THEN 1 ELSE 0 END AS DOUBLE) AS tickets_present,
    CAST(CASE WHEN s.surveys_week >= c.as_of - INTERVAL 182 DAY THEN 1 ELSE 0 END AS DOUBLE) AS surveys_present,
    CAST(CASE WHEN s.campaigns_week >= c.as_of - INTERVAL 406 DAY THEN 1 ELSE 0 END AS DOUBLE) AS campaigns_present,
    CAST(COALESCE(b.joined_w104, 0) AS DOUBLE) AS campaign_count_w104,
    CAST(e.irregularity AS DOUBLE) AS campaign_gap_cv_w156,
    CAST(c.seats AS DOUBLE) AS seats_contracted,
    CAST(c.acv_minor AS DOUBLE) / NULLIF(m.per_major, 0) AS annual_value,
    CAST(DATE_DIFF('day', CAST(c.as_of AS DATE), c.end_on) AS DOUBLE) AS days_to_end,
    CAST(CASE WHEN l.phases > 1 THEN 1 ELSE 0 END AS DOUBLE) AS phase_conflict,
    CAST(j.planning AS DOUBLE) / NULLIF(j.planning + j.production + j.delivery, 0) AS projects_planning_share,
    CAST(j.production AS DOUBLE) / NULLIF(j.planning + j.production + j.delivery, 0) AS projects_production_share,
    CAST(j.delivery AS DOUBLE) / NULLIF(j.planning + j.production + j.delivery, 0) AS projects_delivery_share,
    COALESCE(p.phase_at_end, 'none') AS phase,
    j.project_phase,
    l.words AS campaigns_live,
    c.cohort_status,
    c.account_name,
    c.segment,
    c.country,
    c.csm_owner_id,
    c.currency,
    c.contract_id,
    x.words AS product_mix,
    CAST(c.decision_on AS VARCHAR) AS decision_on
FROM cohort AS c
LEFT JOIN minor_units AS m
    ON c.currency = m.currency
LEFT JOIN usage_windows AS u
    ON c.account_id = u.account_id AND c.as_of = u.as_of
LEFT JOIN source_weeks AS s
    ON c.account_id = s.account_id AND c.as_of = s.as_of
LEFT JOIN campaign_standing AS b
    ON c.account_id = b.account_id AND c.as_of = b.as_of
LEFT JOIN campaign_gaps AS e
    ON c.account_id = e.account_id AND c.as_of = e.as_of
LEFT JOIN phase_weeks AS p
    ON c.account_id = p.account_id AND c.as_of = p.as_of
LEFT JOIN consenting AS j
    ON c.account_id = j.account_id AND c.as_of = j.as_of
LEFT JOIN live_campaigns AS l
    ON c.account_id = l.account_id AND c.as_of = l.as_of
LEFT JOIN regions AS r
    ON c.country = r.country
LEFT JOIN product_mix AS x
    ON c.account_id = x.account_id AND c.as_of = x.as_of
