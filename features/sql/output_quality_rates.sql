-- At which rates does the whole cohort get work approved and delivered?
-- Grain in: cohort, output_quality_counts, account_states. Grain out: one row per snapshot with a cohort.
SELECT
    c.as_of,
    SUM(q.first_pass) / NULLIF(SUM(q.approved), 0) AS first_pass_rate,
    SUM(q.sent_back) / NULLIF(SUM(q.decisions), 0) AS sent_back_rate,
    SUM(q.overdue) / NULLIF(SUM(q.open_revisions), 0) AS overdue_share,
    SUM(q.on_time) / NULLIF(SUM(q.due), 0) AS on_time_rate,
    SUM(q.tasks_in_time) / NULLIF(SUM(q.tasks_due), 0) AS in_time_rate
FROM cohort AS c
INNER JOIN output_quality_counts AS q
    ON c.account_id = q.account_id AND CAST(c.as_of AS DATE) = q.on_date
INNER JOIN account_states AS a
    ON c.account_id = a.account_id AND c.as_of = a.as_of
GROUP BY c.as_of
