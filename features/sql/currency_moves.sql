-- How much dearer did the money that an account is billed in become in the money of its country, in 13 weeks?
-- Grain in: cohort, fx_rates. Grain out: one row per cohort row whose country's money is known here. Rates are the
-- latest known at as_of for its date and for 91 days before, none older than 31 days. is_own = 1 where both are the
-- same money; otherwise the four rates, null where there is none.
WITH rates AS (
    SELECT
        g.as_of,
        x.currency,
        0 AS is_then,
        x.to_reporting,
        ROW_NUMBER() OVER (
            PARTITION BY g.as_of, x.currency ORDER BY x.rate_on DESC, x.available_at DESC, x.row_hash
        ) AS recency
    FROM as_of_grid AS g
    INNER JOIN fx_rates AS x
        ON
            x.available_at <= g.as_of
            AND x.rate_on <= CAST(g.as_of AS DATE)
            AND x.rate_on > CAST(g.as_of AS DATE) - 31
    UNION ALL
    SELECT
        g.as_of,
        x.currency,
        1 AS is_then,
        x.to_reporting,
        ROW_NUMBER() OVER (
            PARTITION BY g.as_of, x.currency ORDER BY x.rate_on DESC, x.available_at DESC, x.row_hash
        ) AS recency
    FROM as_of_grid AS g
    INNER JOIN fx_rates AS x
        ON
            x.available_at <= g.as_of
            AND x.rate_on <= CAST(g.as_of AS DATE) - 91
            AND x.rate_on > CAST(g.as_of AS DATE) - 122
),

paired AS (
    SELECT
        as_of,
        currency,
        MAX(CASE WHEN is_then = 0 THEN to_reporting END) AS rate_now,
        MAX(CASE WHEN is_then = 1 THEN to_reporting END) AS rate_then
    FROM rates
    WHERE recency = 1
    GROUP BY as_of, currency
),

billed AS (
    SELECT
        account_id,
        as_of,
        currency,
        CASE
            WHEN
                country IN (
                    'AT', 'BE', 'CY', 'DE', 'EE', 'ES', 'FI', 'FR', 'GR', 'HR', 'IE', 'IT', 'LT', 'LU', 'LV', 'MT',
                    'NL', 'PT', 'SI', 'SK'
                )
                THEN 'EUR'
            WHEN country IN ('US', 'EC', 'SV', 'PA', 'PR') THEN 'USD'
            WHEN country = 'GB' THEN 'GBP'
            WHEN country = 'JP' THEN 'JPY'
            WHEN country = 'CA' THEN 'CAD'
            WHEN country = 'AU' THEN 'AUD'
            WHEN country = 'NZ' THEN 'NZD'
            WHEN country IN ('CH', 'LI') THEN 'CHF'
            WHEN country = 'SE' THEN 'SEK'
            WHEN country = 'NO' THEN 'NOK'
            WHEN country = 'DK' THEN 'DKK'
            WHEN country = 'PL' THEN 'PLN'
            WHEN country = 'CZ' THEN 'CZK'
            WHEN country = 'HU' THEN 'HUF'
            WHEN country = 'RO' THEN 'RON'
            WHEN country = 'TR' THEN 'TRY'
            WHEN country = 'IN' THEN 'INR'
            WHEN country = 'CN' THEN 'CNY'
            WHEN country = 'HK' THEN 'HKD'
            WHEN country = 'TW' THEN 'TWD'
            WHEN country = 'KR' THEN 'KRW'
            WHEN country = 'SG' THEN 'SGD'
            WHEN country = 'MY' THEN 'MYR'
            WHEN country = 'TH' THEN 'THB'
            WHEN country = 'ID' THEN 'IDR'
            WHEN country = 'PH' THEN 'PHP'
            WHEN country = 'IL' THEN 'ILS'
            WHEN country = 'AE' THEN 'AED'
            WHEN country = 'SA' THEN 'SAR'
            WHEN country = 'ZA' THEN 'ZAR'
            WHEN country = 'NG' THEN 'NGN'
            WHEN country = 'EG' THEN 'EGP'
            WHEN country = 'BR' THEN 'BRL'
            WHEN country = 'MX' THEN 'MXN'
            WHEN country = 'AR' THEN 'ARS'
            WHEN country = 'CL' THEN 'CLP'
            WHEN country = 'CO' THEN 'COP'
        END AS own_currency
    FROM cohort
)

SELECT
    b.account_id,
    b.as_of,
    CASE WHEN b.currency = b.own_currency THEN 1 ELSE 0 END AS is_own,
    i.rate_now,
    i.rate_then,
    o.rate_now AS own_rate_now,
    o.rate_then AS own_rate_then
FROM billed AS b
LEFT JOIN paired AS i
    ON b.as_of = i.as_of AND b.currency = i.currency
LEFT JOIN paired AS o
    ON b.as_of = o.as_of AND b.own_currency = o.currency
WHERE b.own_currency IS NOT NULL
