-- Which share of its due invoices does the whole cohort pay late, and how many days past due is usual?
-- Grain in: invoice_counts. Grain out: one row per snapshot with an invoice.
SELECT
    as_of,
    SUM(late_invoices) / NULLIF(SUM(due_invoices), 0) AS late_share,
    SUM(weighed_days) / NULLIF(SUM(due_weight), 0) AS usual_days
FROM invoice_counts
GROUP BY as_of
