-- How many minor units make one major unit of a currency?
-- Grain in: contracts_history, invoices_history, payments, fx_rates. Grain out: one row per currency in use. Most have
-- a hundred; ISO 4217 lists those that have none or a thousand.
WITH used AS (
    SELECT currency FROM contracts_history
    UNION
    SELECT currency FROM invoices_history
    UNION
    SELECT currency FROM payments
    UNION
    SELECT currency FROM fx_rates
)

SELECT
    currency,
    CASE
        WHEN
            currency IN (
                'BIF', 'CLP', 'DJF', 'GNF', 'ISK', 'JPY', 'KMF', 'KRW', 'PYG', 'RWF', 'UGX', 'VND', 'VUV', 'XAF', 'XOF',
                'XPF'
            )
            THEN 1
        WHEN currency IN ('BHD', 'IQD', 'JOD', 'KWD', 'LYD', 'OMR', 'TND') THEN 1000
        ELSE 100
    END AS per_major
FROM used
