-- When did an account's sponsor last respond to us?
-- A response is what the customer said in an executive review, on the day it ended (began, where no end is known).
-- Grain in: cohort, interventions (a later row of the same one corrects it). Grain out: one row per cohort row with a
-- response.
WITH beliefs AS (
    SELECT
        *,
        GREATEST(
            CAST(DATE_TRUNC('week', CAST(available_at - INTERVAL 1 MICROSECOND AS DATE)) AS DATE),
            CAST(DATE_TRUNC('week', CAST(COALESCE(ended_at, started_at) AS DATE)) AS DATE)
        ) + 7 AS known_on
    FROM interventions
),

lives AS (
    SELECT
        intervention_id,
        account_id,
        kind,
        customer_response,
        CAST(COALESCE(ended_at, started_at) AS DATE) AS met_on,
        op,
        known_on,
        COALESCE(
            MIN(known_on) OVER (
                PARTITION BY intervention_id ORDER BY available_at, row_hash DESC
                ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING
            ),
            DATE '2999-12-30'
        ) AS gone_on
    FROM beliefs
)

SELECT
    c.account_id,
    c.as_of,
    DATE_DIFF('day', MAX(i.met_on), CAST(c.as_of AS DATE)) AS silent_days
FROM cohort AS c
INNER JOIN lives AS i
    ON c.account_id = i.account_id AND CAST(c.as_of AS DATE) >= i.known_on AND CAST(c.as_of AS DATE) < i.gone_on
WHERE
    i.op = 'upsert'
    AND i.kind = 'exec_review'
    AND i.customer_response IS NOT NULL
    AND i.customer_response NOT IN ('', 'none', 'no_response', 'no response')
GROUP BY c.account_id, c.as_of
