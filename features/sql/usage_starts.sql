-- When was an account's tool first used, as far as is known today?
-- Grain in: usage_daily, usage_events. Grain out: one row per account with any usage; first_at is a moment.
WITH told AS (
    SELECT
        account_id,
        MIN(event_at) AS first_at
    FROM usage_daily
    GROUP BY account_id
    UNION ALL
    SELECT
        account_id,
        MIN(event_at) AS first_at
    FROM usage_events
    GROUP BY account_id
)

SELECT
    account_id,
    MIN(first_at) AS first_at
FROM told
GROUP BY account_id
