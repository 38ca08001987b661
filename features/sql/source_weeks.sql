-- When did each source last tell something about an account, as known at each snapshot?
-- Grain in: usage_changes and canonical tables. Grain out: one row per account and snapshot of account_weeks from the
-- first that is built: *_week is the last week of which the source held a row by then, null while it held none.
WITH told AS (
    SELECT
        account_id,
        'usage' AS source,
        week_start,
        MIN(as_of) AS as_of
    FROM usage_changes
    GROUP BY account_id, week_start
    UNION ALL
    SELECT
        account_id,
        'production' AS source,
        DATE_TRUNC('week', event_at) AS week_start,
        DATE_TRUNC('week', MIN(available_at) - INTERVAL 1 MICROSECOND) + INTERVAL 7 DAY AS as_of
    FROM asset_versions
    WHERE op = 'upsert'
    GROUP BY account_id, DATE_TRUNC('week', event_at)
    UNION ALL
    SELECT
        account_id,
        'production' AS source,
        DATE_TRUNC('week', event_at) AS week_start,
        DATE_TRUNC('week', MIN(available_at) - INTERVAL 1 MICROSECOND) + INTERVAL 7 DAY AS as_of
    FROM projects_history
    WHERE op = 'upsert'
    GROUP BY account_id, DATE_TRUNC('week', event_at)
    UNION ALL
    SELECT
        account_id,
        'invoices' AS source,
        DATE_TRUNC('week', event_at) AS week_start,
        DATE_TRUNC('week', MIN(available_at) - INTERVAL 1 MICROSECOND) + INTERVAL 7 DAY AS as_of
    FROM invoices_history
    WHERE op = 'upsert'
    GROUP BY account_id, DATE_TRUNC('week', event_at)
    UNION ALL
    SELECT
        account_id,
        'tickets' AS source,
        DATE_TRUNC('week', event_at) AS week_start,
        DATE_TRUNC('week', MIN(available_at) - INTERVAL 1 MICROSECOND) + INTERVAL 7 DAY AS as_of
    FROM tickets_history
    WHERE op = 'upsert'
    GROUP BY account_id, DATE_TRUNC('week', event_at)
    UNION ALL
    SELECT
        account_id,
        'surveys' AS source,
        DATE_TRUNC('week', event_at) AS week_start,
        DATE_TRUNC('week', MIN(available_at) - INTERVAL 1 MICROSECOND) + INTERVAL 7 DAY AS as_of
    FROM survey_responses
    WHERE op = 'upsert' AND account_id IS NOT NULL
    GROUP BY account_id, DATE_TRUNC('week', event_at)
    UNION ALL
    SELECT
        account_id,
        'campaigns' AS source,
        DATE_TRUNC('week', event_at) AS week_start,
        DATE_TRUNC('week', MIN(available_at) - INTERVAL 1 MICROSECOND) + INTERVAL 7 DAY AS as_of
    FROM account_campaigns_history
    WHERE op = 'upsert'
    GROUP BY account_id, DATE_TRUNC('week', event_at)
),

-- What was known before the account's first week, or the first snapshot, counts from then on.
beginnings AS (
    SELECT
        a.account_id,
        MIN(a.as_of) AS first_as_of
    FROM account_weeks AS a
    CROSS JOIN run AS r
    WHERE a.as_of >= r.first_as_of
    GROUP BY a.account_id
),

changes AS (
    SELECT
        t.account_id,
        GREATEST(t.as_of, t.week_start + INTERVAL 7 DAY, b.first_as_of) AS as_of,
        MAX(CASE WHEN t.source = 'usage' THEN t.week_start END) AS usage_week,
        MAX(CASE WHEN t.source = 'production' THEN t.week_start END) AS production_week,
        MAX(CASE WHEN t.source = 'invoices' THEN t.week_start END) AS invoices_week,
        MAX(CASE WHEN t.source = 'tickets' THEN t.week_start END) AS tickets_week,
        MAX(CASE WHEN t.source = 'surveys' THEN t.week_start END) AS surveys_week,
        MAX(CASE WHEN t.source = 'campaigns' THEN t.week_start END) AS campaigns_week
    FROM told AS t
    INNER JOIN beginnings AS b
        ON t.account_id = b.account_id
    GROUP BY t.account_id, GREATEST(t.as_of, t.week_start + INTERVAL 7 DAY, b.first_as_of)
)

SELECT
    a.account_id,
    a.as_of,
    MAX(c.usage_week) OVER known AS usage_week,
    MAX(c.production_week) OVER known AS production_week,
    MAX(c.invoices_week) OVER known AS invoices_week,
    MAX(c.tickets_week) OVER known AS tickets_week,
    MAX(c.surveys_week) OVER known AS surveys_week,
    MAX(c.campaigns_week) OVER known AS campaigns_week
FROM account_weeks AS a
LEFT JOIN changes AS c
    ON a.account_id = c.account_id AND a.as_of = c.as_of
CROSS JOIN run AS r
WHERE a.as_of >= r.first_as_of
WINDOW known AS (PARTITION BY a.account_id ORDER BY a.as_of ROWS UNBOUNDED PRECEDING)
