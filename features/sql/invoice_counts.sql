-- What does an account owe, and how late did it pay, counted, as known at each snapshot?
-- Grain in: invoice_standing. Grain out: one row per cohort row with an invoice known.
WITH owed AS (
    SELECT
        account_id,
        as_of,
        on_date,
        status,
        issued_on,
        due_on,
        attempts,
        is_open,
        owes,
        days_late,
        days_past_due,
        CAST(FLOOR(amount_due_minor * to_contract_currency + 0.5) AS BIGINT) AS amount_due_minor,
        CAST(FLOOR(remaining_minor * to_contract_currency + 0.5) AS BIGINT) AS remaining_minor,
        CASE WHEN owes = 1 AND due_on < on_date AND due_on >= on_date - 364 THEN 1 ELSE 0 END AS due_w52,
        -- In whole thousandths, so that sums are the same in any order. Every 28 weeks since the due date halve it.
        CASE
            WHEN owes = 1 AND due_on < on_date
                THEN CAST(FLOOR(1000 * EXP(-LN(2) * DATE_DIFF('day', due_on, on_date) / 196) + 0.5) AS BIGINT)
            ELSE 0
        END AS due_weight,
        -- One invoice that was forgotten for months says no more than one that was forgotten for six weeks.
        LEAST(GREATEST(days_past_due, -30), 45) AS bounded_days,
        CASE WHEN owes = 1 AND due_on < on_date THEN 1 ELSE 0 END AS is_due,
        ROW_NUMBER() OVER (
            PARTITION BY account_id, as_of
            ORDER BY CASE WHEN owes = 1 AND due_on < on_date THEN 0 ELSE 1 END, due_on DESC, invoice_id
        ) AS place
    FROM invoice_standing
)

SELECT
    account_id,
    as_of,
    CAST(SUM(due_w52 * amount_due_minor) AS BIGINT) AS due_minor,
    CAST(SUM(due_w52 * amount_due_minor * days_late) AS BIGINT) AS due_minor_days,
    CAST(SUM(due_w52) AS BIGINT) AS due_invoices,
    CAST(SUM(CASE WHEN due_w52 = 1 AND days_late > 0 THEN 1 ELSE 0 END) AS BIGINT) AS late_invoices,
    CAST(SUM(is_due) AS BIGINT) AS due_ever,
    CAST(SUM(CASE WHEN is_due = 1 AND place <= 2 THEN days_late ELSE 0 END) AS BIGINT) AS last_days,
    CAST(SUM(CASE WHEN is_due = 1 AND place BETWEEN 3 AND 6 THEN days_late ELSE 0 END) AS BIGINT) AS before_days,
    CAST(SUM(CASE WHEN is_due = 1 AND place <= 4 THEN days_past_due ELSE 0 END) AS BIGINT) AS last_four_days,
    CAST(SUM(due_weight * bounded_days) AS BIGINT) AS weighed_days,
    CAST(SUM(due_weight) AS BIGINT) AS due_weight,
    CAST(
        SUM(CASE WHEN is_open = 1 AND days_late > 0 THEN remaining_minor ELSE 0 END) AS BIGINT
    ) AS overdue_minor,
    MAX(CASE WHEN status = 'open' THEN attempts ELSE 0 END) AS attempts,
    CAST(
        SUM(
            CASE
                WHEN owes = 1 AND issued_on < on_date AND issued_on >= on_date - 364 THEN amount_due_minor ELSE 0
            END
        ) AS BIGINT
    ) AS issued_minor
FROM owed
GROUP BY account_id, as_of
