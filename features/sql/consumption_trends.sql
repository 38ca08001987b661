-- How did what people watch of a segment change, by the values published at as_of?
-- Of each month the latest revision known counts. A country's own index is taken where there is one, else a region's
-- that is no country (world), else the first region's.
-- Grain out: one row per snapshot, segment and country of the cohort.
WITH known AS (
    SELECT
        g.as_of,
        x.index_code,
        x.region,
        EXTRACT(YEAR FROM x.period_start) * 12 + EXTRACT(MONTH FROM x.period_start) AS month_no,
        x.value,
        x.op,
        ROW_NUMBER() OVER (
            PARTITION BY g.as_of, x.index_code, x.region, x.period_start
            ORDER BY x.revision DESC, x.available_at DESC, x.row_hash
        ) AS recency
    FROM as_of_grid AS g
    INNER JOIN market_indices AS x
        ON x.available_at <= g.as_of AND x.event_at < g.as_of
),

published AS (
    SELECT
        as_of,
        index_code,
        region,
        month_no,
        value,
        MAX(month_no) OVER (PARTITION BY as_of, index_code, region) AS last_month_no
    FROM known
    WHERE recency = 1 AND op = 'upsert' AND value > 0
),

trends AS (
    SELECT
        as_of,
        index_code,
        region,
        MAX(CASE WHEN month_no = last_month_no THEN value END) AS last_value,
        MAX(CASE WHEN month_no = last_month_no - 3 THEN value END) AS value_3m,
        MAX(CASE WHEN month_no = last_month_no - 12 THEN value END) AS value_12m
    FROM published
    GROUP BY as_of, index_code, region
),

places AS (
    SELECT DISTINCT
        as_of,
        segment,
        COALESCE(country, '') AS country
    FROM cohort
),

chosen AS (
    SELECT
        p.as_of,
        p.segment,
        p.country,
        t.last_value,
        t.value_3m,
        t.value_12m,
        ROW_NUMBER() OVER (
            PARTITION BY p.as_of, p.segment, p.country
            ORDER BY CASE WHEN t.region = p.country THEN 0 WHEN LENGTH(t.region) <> 2 THEN 1 ELSE 2 END, t.region
        ) AS choice
    FROM places AS p
    INNER JOIN trends AS t
        ON p.as_of = t.as_of AND t.index_code = 'consumption_' || p.segment
)

SELECT
    as_of,
    segment,
    country,
    LN(NULLIF(last_value, 0) / NULLIF(value_3m, 0)) AS trend_3m,
    LN(NULLIF(last_value, 0) / NULLIF(value_12m, 0)) AS trend_12m
FROM chosen
WHERE choice = 1
