-- What pulls from outside: competitors, consumption, the segment's own losses?
-- An event concerns an account of its segment (none = all) and region (a country by its two letters; none, or anything
-- else = all). The market is a source while any event became known in 52 weeks. Strength fades in a straight line.
-- Grain out: one row per cohort row.
WITH snapshots AS (
    SELECT
        c.account_id,
        c.as_of,
        c.known_at,
        CAST(c.as_of AS DATE) AS on_date,
        c.segment,
        COALESCE(c.country, '') AS country,
        f.all_w26,
        f.core_w26,
        f.collab_w26,
        f.review_w26,
        f.export_w26,
        f.automation_w26,
        f.asset_mgmt_w26,
        f.admin_w26,
        f.ai_w26,
        f.other_w26
    FROM cohort AS c
    INNER JOIN family_windows AS f
        ON c.account_id = f.account_id AND c.as_of = f.as_of
),

recent AS (
    SELECT
        g.as_of,
        e.market_event_id,
        e.type,
        e.account_id,
        COALESCE(e.segment, a.segment) AS segment,
        CASE WHEN LENGTH(e.region) = 2 THEN e.region END AS country,
        e.feature_family,
        e.strength_thousandths,
        DATE_DIFF('day', e.announced_on, CAST(g.as_of AS DATE)) AS age_days
    FROM as_of_grid AS g
    INNER JOIN market_lives AS e
        ON
            CAST(g.as_of AS DATE) >= e.known_on
            AND CAST(g.as_of AS DATE) < e.gone_on
            AND e.announced_on >= CAST(g.as_of AS DATE) - 182
    LEFT JOIN account_states AS a
        ON e.account_id = a.account_id AND g.as_of = a.as_of
),

seen AS (
    SELECT
        s.account_id,
        s.as_of,
        e.type,
        e.account_id AS named_account_id,
        e.age_days,
        e.strength_thousandths,
        CASE e.feature_family
            WHEN 'core' THEN s.core_w26
            WHEN 'collab' THEN s.collab_w26
            WHEN 'review' THEN s.review_w26
            WHEN 'export' THEN s.export_w26
            WHEN 'automation' THEN s.automation_w26
            WHEN 'asset_mgmt' THEN s.asset_mgmt_w26
            WHEN 'admin' THEN s.admin_w26
            WHEN 'ai' THEN s.ai_w26
            WHEN 'other' THEN s.other_w26
            ELSE s.all_w26
        END AS family_actions,
        e.feature_family,
        s.all_w26
    FROM snapshots AS s
    INNER JOIN recent AS e
        ON
            s.as_of = e.as_of
            AND (e.segment IS NULL OR s.segment = e.segment)
            AND (e.country IS NULL OR s.country = e.country)
    WHERE
        e.type IN ('competitor_feature', 'strike', 'outage')
        OR (e.type IN ('competitor_win', 'competitor_loss') AND e.age_days <= 91)
),

exposed AS (
    SELECT
        account_id,
        as_of,
        CAST(
            SUM(
                CASE
                    WHEN type <> 'competitor_feature' OR COALESCE(named_account_id, account_id) <> account_id THEN 0
                    WHEN feature_family IS NULL THEN strength_thousandths * (182 - age_days) * 1000000
                    ELSE
                        strength_thousandths * (182 - age_days)
                        * CAST(FLOOR(COALESCE(family_actions * 1000000 / NULLIF(all_w26, 0), 0) + 0.5) AS BIGINT)
                END
            ) AS BIGINT
        ) AS exposure,
        CAST(
            SUM(
                CASE type WHEN 'competitor_win' THEN 91 - age_days WHEN 'competitor_loss' THEN age_days - 91 ELSE 0 END
            ) AS BIGINT
        ) AS wins,
        MAX(CASE WHEN type IN ('strike', 'outage') AND age_days <= 56 THEN 1 ELSE 0 END) AS is_struck
    FROM seen
    GROUP BY account_id, as_of
),

mentioned AS (
    SELECT
        account_id,
        as_of,
        COUNT(*) AS mentions
    FROM recent
    WHERE
        account_id IS NOT NULL
        AND type IN ('competitor_win', 'competitor_loss', 'competitor_feature', 'competitor_price')
    GROUP BY account_id, as_of
),

market_weeks AS (
    SELECT DISTINCT g.as_of
    FROM as_of_grid AS g
    INNER JOIN (SELECT DISTINCT known_on FROM market_lives) AS k
        ON k.known_on <= CAST(g.as_of AS DATE) AND k.known_on > CAST(g.as_of AS DATE) - 364
),

losses AS (
    SELECT
        on_date,
        segment,
        account_weeks,
        accounts_lost,
        SUM(accounts_lost) OVER (PARTITION BY on_date) / NULLIF(SUM(account_weeks) OVER (PARTITION BY on_date), 0) * 52
            AS portfolio_rate
    FROM segment_losses
)

SELECT
    s.account_id,
    s.as_of,
    s.known_at,
    -- Thousandths x days x millionths.
    w.is_source * COALESCE(e.exposure, 0) / (1000 * 182 * CAST(1000000 AS BIGINT)) AS competitor_feature_exposure_w26,
    CAST(w.is_source * COALESCE(m.mentions, 0) AS DOUBLE) AS competitor_mentions_w26,
    w.is_source * COALESCE(e.wins, 0) / 91 AS competitor_wins_segment_w13,
    t.trend_3m AS consumption_index_trend_3m,
    t.trend_12m AS consumption_index_yoy,
    (l.accounts_lost + 20 * l.portfolio_rate) / (l.account_weeks / 52 + 20) AS segment_churn_rate_lagged,
    CAST(w.is_source * COALESCE(e.is_struck, 0) AS DOUBLE) AS strike_or_outage_flag,
    CAST(CASE WHEN b.account_id IS NOT NULL THEN 1 ELSE w.is_source * 0 END AS DOUBLE) AS acquisition_flag_w52
FROM snapshots AS s
LEFT JOIN (SELECT as_of, 1 AS is_source FROM market_weeks) AS w
    ON s.as_of = w.as_of
LEFT JOIN exposed AS e
    ON s.account_id = e.account_id AND s.as_of = e.as_of
LEFT JOIN mentioned AS m
    ON s.account_id = m.account_id AND s.as_of = m.as_of
LEFT JOIN consumption_trends AS t
    ON s.as_of = t.as_of AND s.segment = t.segment AND s.country = t.country
LEFT JOIN losses AS l
    ON s.on_date = l.on_date AND s.segment = l.segment
LEFT JOIN acquisitions AS b
    ON s.account_id = b.account_id AND s.as_of = b.as_of
