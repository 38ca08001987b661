-- What was known of each account on every Monday (as_of)? The latest state that held and was known by then.
-- Grain in: accounts_history (states). Grain out: one row per account and Monday, from the first week with data.
WITH known AS (
    SELECT
        g.week_start AS as_of,
        a.account_id,
        a.parent_account_id,
        a.name AS account_name,
        a.segment,
        a.country,
        a.hq_tz,
        a.csm_owner_id,
        a.consent_pm_data,
        COALESCE(a.is_internal, FALSE) AS is_internal,
        COALESCE(a.is_test, FALSE) AS is_test,
        a.op,
        ROW_NUMBER() OVER (
            PARTITION BY g.week_start, a.account_id ORDER BY a.valid_from DESC, a.available_at DESC, a.row_hash
        ) AS recency
    FROM weeks AS g
    INNER JOIN accounts_history AS a
        ON a.available_at <= g.week_start AND a.valid_from <= g.week_start
)

SELECT
    as_of,
    account_id,
    parent_account_id,
    account_name,
    segment,
    country,
    hq_tz,
    csm_owner_id,
    consent_pm_data
FROM known
WHERE recency = 1 AND op = 'upsert' AND NOT is_internal AND NOT is_test
