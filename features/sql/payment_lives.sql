-- At which as_ofs does each attempt to pay count, and how did it end by what was known then?
-- Grain in: payments (events; a later row of the same attempt corrects it: pending, then failed).
-- Grain out: one row per attempt and belief, which counts at every Monday in [known_on, gone_on).
WITH beliefs AS (
    SELECT
        *,
        GREATEST(
            CAST(DATE_TRUNC('week', CAST(available_at - INTERVAL 1 MICROSECOND AS DATE)) AS DATE),
            CAST(DATE_TRUNC('week', CAST(event_at AS DATE)) AS DATE)
        ) + 7 AS known_on
    FROM payments
),

lives AS (
    SELECT
        payment_id,
        account_id,
        invoice_id,
        status,
        CAST(event_at AS DATE) AS attempted_on,
        op,
        known_on,
        COALESCE(
            MIN(known_on) OVER (
                PARTITION BY payment_id ORDER BY available_at, row_hash DESC
                ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING
            ),
            DATE '2999-12-30'
        ) AS gone_on
    FROM beliefs
)

SELECT
    payment_id,
    account_id,
    invoice_id,
    status,
    attempted_on,
    known_on,
    gone_on
FROM lives
WHERE op = 'upsert' AND known_on < gone_on
