-- Which share of its due invoices does the whole cohort pay late?
-- Grain in: invoice_counts. Grain out: one row per snapshot with an invoice.
SELECT
    as_of,
    SUM(late_invoices) / NULLIF(SUM(due_invoices), 0) AS late_share
FROM invoice_counts
GROUP BY as_of
