-- In which region of the world does a country lie?
-- Grain in: accounts_history. Grain out: one row per country in use that is written as two letters; a country that is
-- neither in the Americas nor in Asia and the Pacific is taken to Europe, the Middle East and Africa.
SELECT DISTINCT
    country,
    CASE
        WHEN
            country IN (
                'AG', 'AI', 'AR', 'AW', 'BB', 'BL', 'BM', 'BO', 'BQ', 'BR', 'BS', 'BZ', 'CA', 'CL', 'CO', 'CR', 'CU',
                'CW', 'DM', 'DO', 'EC', 'FK', 'GD', 'GF', 'GL', 'GP', 'GT', 'GY', 'HN', 'HT', 'JM', 'KN', 'KY', 'LC',
                'MF', 'MQ', 'MS', 'MX', 'NI', 'PA', 'PE', 'PM', 'PR', 'PY', 'SR', 'SV', 'SX', 'TC', 'TT', 'US', 'UY',
                'VC', 'VE', 'VG', 'VI'
            )
            THEN 'americas'
        WHEN
            country IN (
                'AS', 'AU', 'BD', 'BN', 'BT', 'CK', 'CN', 'FJ', 'FM', 'GU', 'HK', 'ID', 'IN', 'JP', 'KH', 'KI', 'KP',
                'KR', 'LA', 'LK', 'MH', 'MM', 'MN', 'MO', 'MP', 'MV', 'MY', 'NC', 'NF', 'NP', 'NR', 'NU', 'NZ', 'PF',
                'PG', 'PH', 'PK', 'PN', 'PW', 'SB', 'SG', 'TH', 'TK', 'TL', 'TO', 'TV', 'TW', 'VN', 'VU', 'WF', 'WS'
            )
            THEN 'apac'
        ELSE 'emea'
    END AS region
FROM accounts_history
WHERE LENGTH(country) = 2
