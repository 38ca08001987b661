-- Is it paid on time, and does the contract grow or shrink?
-- Money in another currency than the contract's is converted at the last rate known at as_of; without a rate it is left
-- out. An account has an invoice source when an invoice of it is known; payments are a source of the whole portfolio.
-- Grain out: one row per cohort row.
WITH snapshots AS (
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
    LEFT JOIN invoice_standing AS i
        ON s.account_id = i.account_id AND s.as_of = i.as_of AND k.invoice_id = i.invoice_id
    GROUP BY s.account_id, s.as_of
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
    CASE WHEN i.due_ever > 0 THEN i.last_four_days / NULLIF(LEAST(i.due_ever, 4), 0) END AS days_past_due_last4,
    -- 1000 is the weight of one invoice due today.
    CASE
        WHEN i.due_ever > 0
            THEN (i.weighed_days + 1000 * v.usual_days) / (i.due_weight + 1000)
    END AS days_past_due_ewm28,
    CASE
        WHEN i.due_ever >= 4 THEN i.last_days / 2 - i.before_days / NULLIF(LEAST(i.due_ever - 2, 4), 0)
    END AS days_late_change,
    CASE
        WHEN i.due_invoices > 0
            THEN (i.late_invoices + 4 * v.late_share) / (i.due_invoices + 4)
    END AS invoices_late_share_w52,
    i.overdue_minor / NULLIF(s.acv_minor, 0) AS open_overdue_ratio,
    CASE WHEN w.is_billing = 1 THEN CAST(COALESCE(p.failed_w26, 0) AS DOUBLE) END AS failed_payments_w26,
    CAST(i.attempts AS DOUBLE) AS dunning_stage,
    COALESCE(k.credit_minor, 0) / NULLIF(i.issued_minor, 0) AS quality_credit_ratio_w52,
    CASE WHEN w.is_billing = 1 THEN CAST(COALESCE(p.disputed_w52, 0) AS DOUBLE) END AS payment_disputes_w52,
    LN(GREATEST(s.acv_minor / NULLIF(s.per_major, 0), 1)) AS annual_value_log,
    CASE
        WHEN s.acv_minor > 0 AND y.acv_minor > 0 AND y.other_currency = 0
            THEN LN(NULLIF(s.acv_minor, 0) / NULLIF(y.acv_minor, 0))
    END AS annual_value_change_w52,
    CASE WHEN s.seats > 0 AND y.seats > 0 THEN LN(NULLIF(s.seats, 0) / NULLIF(y.seats, 0)) END
        AS seats_contracted_change_w52,
    s.discount_pct - t.discount_pct AS discount_change,
    u.users / NULLIF(s.seats, 0) AS peak_seat_utilisation_w26,
    CASE
        WHEN m.currency = m.before_currency AND m.acv_minor > 0 AND m.before_acv_minor > 0
            THEN
                LN(NULLIF(m.acv_minor, 0) / NULLIF(m.before_acv_minor, 0))
                - LN(NULLIF(m.seats, 0) / NULLIF(m.before_seats, 0))
    END AS price_per_seat_change,
    CASE WHEN m.told_weeks = 27 THEN CAST(CASE WHEN m.off_weeks = 27 THEN 1 ELSE 0 END AS DOUBLE) END AS auto_renew_off,
    CAST(DATE_DIFF('day', m.before_end_on, m.signed_on) AS DOUBLE) AS renewal_signed_late_days,
    CASE
        WHEN x.is_own = 1 THEN CAST(0 AS DOUBLE)
        ELSE
            LN(NULLIF(x.rate_now, 0) / NULLIF(x.rate_then, 0))
            - LN(NULLIF(x.own_rate_now, 0) / NULLIF(x.own_rate_then, 0))
    END AS billing_currency_change_w13
FROM snapshots AS s
LEFT JOIN invoice_counts AS i
    ON s.account_id = i.account_id AND s.as_of = i.as_of
LEFT JOIN late_invoice_rates AS v
    ON s.as_of = v.as_of
LEFT JOIN credited AS k
    ON s.account_id = k.account_id AND s.as_of = k.as_of
LEFT JOIN attempted AS p
    ON s.account_id = p.account_id AND s.as_of = p.as_of
INNER JOIN source_starts AS w
    ON s.as_of = w.as_of
LEFT JOIN year_ago AS y
    ON s.account_id = y.account_id AND s.as_of = y.as_of
LEFT JOIN earlier_terms AS t
    ON s.account_id = t.account_id AND s.as_of = t.as_of AND t.recency = 1
LEFT JOIN seat_peaks AS u
    ON s.account_id = u.account_id AND s.as_of = u.as_of
LEFT JOIN term_moves AS m
    ON s.account_id = m.account_id AND s.as_of = m.as_of
LEFT JOIN currency_moves AS x
    ON s.account_id = x.account_id AND s.as_of = x.as_of
