-- At which as_ofs does a credit note for unsatisfactory product count?
-- Not when voided, and not from when a notice within 30 days of it is known: credits at cancellation settle accounts,
-- they are no sign of quality.
-- Grain in: credit_notes, contract_events. Grain out: one row per note and belief, which counts at every Monday in
-- [known_on, gone_on).
WITH beliefs AS (
    SELECT
        *,
        GREATEST(
            CAST(DATE_TRUNC('week', CAST(available_at - INTERVAL 1 MICROSECOND AS DATE)) AS DATE),
            CAST(DATE_TRUNC('week', CAST(event_at AS DATE)) AS DATE)
        ) + 7 AS known_on
    FROM credit_notes
),

lives AS (
    SELECT
        credit_note_id,
        account_id,
        invoice_id,
        amount_minor,
        reason,
        COALESCE(status, 'issued') AS note_status,
        voided_at,
        CAST(event_at AS DATE) AS issued_on,
        op,
        known_on,
        COALESCE(
            MIN(known_on) OVER (
                PARTITION BY credit_note_id ORDER BY available_at, row_hash DESC
                ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING
            ),
            DATE '2999-12-30'
        ) AS gone_on
    FROM beliefs
),

notices AS (
    SELECT
        account_id,
        CAST(event_at AS DATE) AS notice_on,
        GREATEST(
            CAST(DATE_TRUNC('week', CAST(available_at - INTERVAL 1 MICROSECOND AS DATE)) AS DATE),
            CAST(DATE_TRUNC('week', CAST(event_at AS DATE)) AS DATE)
        ) + 7 AS known_on
    FROM contract_events
    WHERE op = 'upsert' AND type IN ('notice_given', 'cancelled', 'terminated_nonpayment')
),

notes AS (
    SELECT
        l.credit_note_id,
        l.account_id,
        l.invoice_id,
        l.amount_minor,
        l.issued_on,
        l.known_on,
        LEAST(l.gone_on, COALESCE(MIN(n.known_on), l.gone_on)) AS gone_on
    FROM lives AS l
    LEFT JOIN notices AS n
        ON
            l.account_id = n.account_id
            AND l.issued_on >= n.notice_on - 30
            AND l.issued_on <= n.notice_on + 30
    WHERE
        l.op = 'upsert'
        AND l.reason = 'product_unsatisfactory'
        AND l.voided_at IS NULL
        AND l.note_status NOT IN ('void', 'voided')
        AND l.known_on < l.gone_on
    GROUP BY l.credit_note_id, l.account_id, l.invoice_id, l.amount_minor, l.issued_on, l.known_on, l.gone_on
)

SELECT
    credit_note_id,
    account_id,
    invoice_id,
    amount_minor,
    issued_on,
    known_on,
    gone_on
FROM notes
WHERE known_on < gone_on
