-- Is it paid on time, and does the contract grow or shrink?
-- Money in another currency than the contract's is converted at the last rate known at as_of; without a rate it is left
-- out. An account has an invoice source when an invoice of it is known; payments are a source of the whole portfolio.
-- Grain out: one row per cohort row.
WITH ranked_rates AS (
    SELECT
        g.as_of,
        x.currency,
        x.to_reporting,
        ROW_NUMBER() OVER (
            PARTITION BY g.as_of, x.currency ORDER BY x.rate_on DESC, x.available_at DESC, x.row_hash
        ) AS recency
    FROM as_of_grid AS g
    INNER JOIN fx_rates AS x
        ON
            x.available_at <= g.as_of
            AND x.rate_on <= CAST(g.as_of AS DATE)
            -- A rate older than a quarter is no rate.
            AND x.rate_on > CAST(g.as_of AS DATE) - 91
),

rates AS (
    SELECT
        r.as_of,
        r.currency,
        r.to_reporting / NULLIF(u.per_major, 0) AS minor_to_reporting
    FROM ranked_rates AS r
    INNER JOIN minor_units AS u
        ON r.currency = u.currency
    WHERE r.recency = 1
),

snapshots AS (
    SELECT
        c.account_id,
        c.as_of,
        c.known_at,
        CAST(c.as_of AS DATE) AS on_date,
        c.contract_id,
        c.start_on,
        c.currency,
        c.discount_pct,
        c.acv_minor,
        c.seats,
        u.per_major
    FROM cohort AS c
    INNER JOIN minor_units AS u
        ON c.currency = u.currency
),

standing AS (
    SELECT
        s.account_id,
        s.as_of,
        s.on_date,
        i.invoice_id,
        i.status,
        i.issued_on,
        i.due_on,
        i.attempts,
        CASE WHEN i.status IN ('open', 'uncollectible') THEN 1 ELSE 0 END AS is_open,
        CASE WHEN i.status IN ('open', 'paid', 'uncollectible') AND i.amount_due_minor > 0 THEN 1 ELSE 0 END AS owes,
        CASE
            WHEN i.late_after_on IS NULL THEN 0
            ELSE GREATEST(DATE_DIFF('day', i.late_after_on, COALESCE(i.paid_on, s.on_date)), 0)
        END AS days_late,
        CASE WHEN i.currency = s.currency THEN 1 ELSE ri.minor_to_reporting / NULLIF(rc.minor_to_reporting, 0) END
            AS to_contract_currency,
        i.amount_due_minor,
        i.remaining_minor
    FROM snapshots AS s
    INNER JOIN invoice_lives AS i
        ON s.account_id = i.account_id AND s.on_date >= i.known_on AND s.on_date < i.gone_on
    LEFT JOIN rates AS ri
        ON s.as_of = ri.as_of AND i.currency = ri.currency AND i.currency <> s.currency
    LEFT JOIN rates AS rc
        ON s.as_of = rc.as_of AND s.currency = rc.currency AND i.currency <> s.currency
),

owed AS (
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
        CAST(FLOOR(amount_due_minor * to_contract_currency + 0.5) AS BIGINT) AS amount_due_minor,
        CAST(FLOOR(remaining_minor * to_contract_currency + 0.5) AS BIGINT) AS remaining_minor,
        CASE WHEN owes = 1 AND due_on < on_date AND due_on >= on_date - 364 THEN 1 ELSE 0 END AS due_w52,
        CASE WHEN owes = 1 AND due_on < on_date THEN 1 ELSE 0 END AS is_due,
        ROW_NUMBER() OVER (
            PARTITION BY account_id, as_of
            ORDER BY CASE WHEN owes = 1 AND due_on < on_date THEN 0 ELSE 1 END, due_on DESC, invoice_id
        ) AS place
    FROM standing
),

invoiced AS (
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
),

credited AS (
    SELECT
        s.account_id,
        s.as_of,
        CAST(
            SUM(
                CASE
                    WHEN i.invoice_id IS NULL THEN k.amount_minor
                    ELSE CAST(FLOOR(k.amount_minor * i.to_contract_currency + 0.5) AS BIGINT)
                END
            ) AS BIGINT
        ) AS credit_minor
    FROM snapshots AS s
    INNER JOIN credit_lives AS k
        ON
            s.account_id = k.account_id
            AND s.on_date >= k.known_on
            AND s.on_date < k.gone_on
            AND k.issued_on >= s.on_date - 364
    LEFT JOIN standing AS i
        ON s.account_id = i.account_id AND s.as_of = i.as_of AND k.invoice_id = i.invoice_id
    GROUP BY s.account_id, s.as_of
),

payment_weeks AS (
    SELECT DISTINCT g.as_of
    FROM as_of_grid AS g
    INNER JOIN (SELECT DISTINCT known_on FROM payment_lives) AS k
        ON k.known_on <= CAST(g.as_of AS DATE) AND k.known_on > CAST(g.as_of AS DATE) - 182
),

attempted AS (
    SELECT
        s.account_id,
        s.as_of,
        COUNT(
            DISTINCT CASE
                WHEN p.status = 'failed' AND p.attempted_on >= s.on_date - 182 THEN COALESCE(p.invoice_id, p.payment_id)
            END
        ) AS failed_w26,
        COUNT(DISTINCT CASE WHEN p.status = 'disputed' THEN p.payment_id END) AS disputed_w52
    FROM snapshots AS s
    INNER JOIN payment_lives AS p
        ON
            s.account_id = p.account_id
            AND s.on_date >= p.known_on
            AND s.on_date < p.gone_on
            AND p.attempted_on >= s.on_date - 364
    WHERE p.status IN ('failed', 'disputed')
    GROUP BY s.account_id, s.as_of
),

year_ago AS (
    SELECT
        s.account_id,
        s.as_of,
        CAST(SUM(c.acv_minor) AS BIGINT) AS acv_minor,
        CAST(SUM(c.seats) AS BIGINT) AS seats,
        MAX(CASE WHEN c.currency = s.currency THEN 0 ELSE 1 END) AS other_currency
    FROM snapshots AS s
    INNER JOIN live_contracts AS c
        ON s.account_id = c.account_id AND c.as_of = s.as_of - INTERVAL 364 DAY
    GROUP BY s.account_id, s.as_of
),

earlier_terms AS (
    SELECT
        s.account_id,
        s.as_of,
        h.discount_pct,
        ROW_NUMBER() OVER (
            PARTITION BY s.account_id, s.as_of
            ORDER BY
                CASE WHEN h.contract_id = s.contract_id THEN 0 ELSE 1 END, h.start_on DESC, h.valid_from DESC,
                h.available_at DESC, h.row_hash
        ) AS recency
    FROM snapshots AS s
    INNER JOIN contracts_history AS h
        ON s.account_id = h.account_id AND h.available_at <= s.as_of AND h.valid_from <= s.as_of
    WHERE h.op = 'upsert' AND h.start_on < s.start_on
)

SELECT
    s.account_id,
    s.as_of,
    s.known_at,
    i.due_minor_days / NULLIF(i.due_minor, 0) AS days_late_w52,
    CASE
        WHEN i.due_ever >= 4 THEN i.last_days / 2 - i.before_days / NULLIF(LEAST(i.due_ever - 2, 4), 0)
    END AS days_late_change,
    CASE
        WHEN i.due_invoices > 0
            THEN
                (
                    i.late_invoices
                    + 4 * (
                        SUM(i.late_invoices) OVER (PARTITION BY s.as_of)
                        / NULLIF(SUM(i.due_invoices) OVER (PARTITION BY s.as_of), 0)
                    )
                ) / (i.due_invoices + 4)
    END AS invoices_late_share_w52,
    i.overdue_minor / NULLIF(s.acv_minor, 0) AS open_overdue_ratio,
    CASE WHEN w.as_of IS NOT NULL THEN CAST(COALESCE(p.failed_w26, 0) AS DOUBLE) END AS failed_payments_w26,
    CAST(i.attempts AS DOUBLE) AS dunning_stage,
    COALESCE(k.credit_minor, 0) / NULLIF(i.issued_minor, 0) AS quality_credit_ratio_w52,
    CASE WHEN w.as_of IS NOT NULL THEN CAST(COALESCE(p.disputed_w52, 0) AS DOUBLE) END AS payment_disputes_w52,
    LN(GREATEST(s.acv_minor / NULLIF(s.per_major, 0), 1)) AS annual_value_log,
    CASE
        WHEN s.acv_minor > 0 AND y.acv_minor > 0 AND y.other_currency = 0
            THEN LN(NULLIF(s.acv_minor, 0) / NULLIF(y.acv_minor, 0))
    END AS annual_value_change_w52,
    CASE WHEN s.seats > 0 AND y.seats > 0 THEN LN(NULLIF(s.seats, 0) / NULLIF(y.seats, 0)) END
        AS seats_contracted_change_w52,
    s.discount_pct - t.discount_pct AS discount_change,
    u.users / NULLIF(s.seats, 0) AS peak_seat_utilisation_w26
FROM snapshots AS s
LEFT JOIN invoiced AS i
    ON s.account_id = i.account_id AND s.as_of = i.as_of
LEFT JOIN credited AS k
    ON s.account_id = k.account_id AND s.as_of = k.as_of
LEFT JOIN attempted AS p
    ON s.account_id = p.account_id AND s.as_of = p.as_of
LEFT JOIN payment_weeks AS w
    ON s.as_of = w.as_of
LEFT JOIN year_ago AS y
    ON s.account_id = y.account_id AND s.as_of = y.as_of
LEFT JOIN earlier_terms AS t
    ON s.account_id = t.account_id AND s.as_of = t.as_of AND t.recency = 1
LEFT JOIN seat_peaks AS u
    ON s.account_id = u.account_id AND s.as_of = u.as_of
