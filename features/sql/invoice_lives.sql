-- At which as_ofs does each state of an invoice hold, and after which day is it late?
-- An invoice without a due date is collected automatically: it is late after its first failed attempt, and where none
-- failed it fell due when it was issued and is never late. Drafts and voided invoices are known, but owe nothing.
-- Grain in: invoices_history (states), payment_lives. Grain out: one row per state, and belief about its first failed
-- attempt, that is the latest one known at every Monday in [known_on, gone_on).
WITH beliefs AS (
    SELECT
        *,
        CAST(DATE_TRUNC('week', CAST(GREATEST(valid_from, available_at) - INTERVAL 1 MICROSECOND AS DATE)) AS DATE)
        + 7 AS known_on
    FROM invoices_history
),

states AS (
    SELECT
        invoice_id,
        account_id,
        issued_on,
        due_on,
        amount_due_minor,
        COALESCE(amount_remaining_minor, amount_due_minor - COALESCE(amount_paid_minor, 0)) AS remaining_minor,
        currency,
        status,
        COALESCE(CAST(paid_at AS DATE), CAST(valid_from AS DATE)) AS paid_on,
        COALESCE(attempt_count, 0) AS attempts,
        op,
        known_on,
        -- The latest state wins; an older one that becomes known after it never holds.
        COALESCE(
            MIN(known_on) OVER (
                PARTITION BY invoice_id ORDER BY valid_from, available_at, row_hash DESC
                ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING
            ),
            DATE '2999-12-30'
        ) AS gone_on
    FROM beliefs
),

standing AS (
    SELECT
        invoice_id,
        account_id,
        issued_on,
        due_on,
        amount_due_minor,
        remaining_minor,
        currency,
        status,
        paid_on,
        attempts,
        known_on,
        gone_on
    FROM states
    WHERE op = 'upsert' AND known_on < gone_on
),

failures AS (
    SELECT
        s.invoice_id,
        s.known_on AS state_on,
        p.attempted_on,
        GREATEST(s.known_on, p.known_on) AS known_on,
        LEAST(s.gone_on, p.gone_on) AS gone_on
    FROM standing AS s
    INNER JOIN payment_lives AS p
        ON s.invoice_id = p.invoice_id
    WHERE
        s.due_on IS NULL
        AND p.status = 'failed'
        AND GREATEST(s.known_on, p.known_on) < LEAST(s.gone_on, p.gone_on)
),

spans AS (
    -- Between two changes of what is known an invoice has the same first failure.
    SELECT
        invoice_id,
        state_on,
        on_date,
        LEAD(on_date) OVER (PARTITION BY invoice_id, state_on ORDER BY on_date) AS until_on
    FROM (
        SELECT invoice_id, known_on AS state_on, known_on AS on_date FROM standing
        UNION
        SELECT invoice_id, known_on AS state_on, gone_on AS on_date FROM standing
        UNION
        SELECT invoice_id, state_on, known_on AS on_date FROM failures
        UNION
        SELECT invoice_id, state_on, gone_on AS on_date FROM failures
    ) AS changes
),

first_failures AS (
    SELECT
        s.invoice_id,
        s.state_on,
        s.on_date,
        s.until_on,
        MIN(f.attempted_on) AS failed_on
    FROM spans AS s
    LEFT JOIN failures AS f
        ON
            s.invoice_id = f.invoice_id
            AND s.state_on = f.state_on
            AND f.known_on <= s.on_date
            AND f.gone_on > s.on_date
    WHERE s.until_on IS NOT NULL
    GROUP BY s.invoice_id, s.state_on, s.on_date, s.until_on
)

SELECT
    s.invoice_id,
    s.account_id,
    s.issued_on,
    s.currency,
    s.status,
    COALESCE(s.due_on, f.failed_on, s.issued_on) AS due_on,
    COALESCE(s.due_on, f.failed_on) AS late_after_on,
    CASE WHEN s.status = 'paid' THEN s.paid_on END AS paid_on,
    s.amount_due_minor,
    s.remaining_minor,
    s.attempts,
    f.on_date AS known_on,
    f.until_on AS gone_on
FROM standing AS s
INNER JOIN first_failures AS f
    ON s.invoice_id = f.invoice_id AND s.known_on = f.state_on
