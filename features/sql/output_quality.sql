-- Does work flow: revisions, approvals, deliveries, projects?
-- A rate is shrunk to that of the whole cohort over the same window. No value where the account gave no such data, or
-- does not consent (any more) to its production data being read.
-- Grain out: one row per cohort row.
WITH snapshots AS (
    SELECT
        account_id,
        as_of,
        known_at,
        CAST(as_of AS DATE) AS on_date
    FROM cohort
),

ranked_cycles AS (
    SELECT
        s.account_id,
        s.on_date,
        c.cycle_s,
        ROW_NUMBER() OVER (PARTITION BY s.account_id, s.on_date ORDER BY c.cycle_s) AS place,
        COUNT(*) OVER (PARTITION BY s.account_id, s.on_date) AS cycles
    FROM snapshots AS s
    INNER JOIN revision_cycles AS c
        ON
            s.account_id = c.account_id
            AND s.on_date >= c.known_on
            AND s.on_date < LEAST(c.gone_on, CAST(DATE_TRUNC('week', CAST(c.closed_at AS DATE)) AS DATE) + 63)
),

median_cycles AS (
    SELECT
        account_id,
        on_date,
        CAST(SUM(cycle_s) AS BIGINT) / COUNT(*) / 3600 AS cycle_hours
    FROM ranked_cycles
    -- The middle one, or the middle two.
    WHERE place * 2 BETWEEN cycles AND cycles + 2
    GROUP BY account_id, on_date
),

last_ends AS (
    SELECT
        s.account_id,
        s.on_date,
        MAX(p.end_on) AS end_on
    FROM snapshots AS s
    INNER JOIN project_lives AS p
        ON s.account_id = p.account_id AND s.on_date >= p.known_on AND s.on_date < p.gone_on
    WHERE p.status_canonical IN ('on_hold', 'delivered', 'archived')
    GROUP BY s.account_id, s.on_date
),

measured AS (
    SELECT
        s.account_id,
        s.as_of,
        s.known_at,
        CASE WHEN c.reviewed > 0 AND COALESCE(a.consent_pm_data, TRUE) THEN 1 END AS has_reviews,
        CASE WHEN c.planned > 0 AND COALESCE(a.consent_pm_data, TRUE) THEN 1 END AS has_projects,
        m.cycle_hours,
        COALESCE(r.surplus_millionths, 0) AS surplus_millionths,
        COALESCE(r.cycles, 0) AS cycles,
        c.decisions,
        c.sent_back,
        c.waits,
        c.wait_s,
        c.approved,
        c.first_pass,
        c.versions,
        c.open_revisions,
        c.overdue,
        c.due,
        c.on_time,
        c.completed,
        c.slip_days,
        c.starting,
        c.quiet_cycles,
        c.quiet_ln,
        c.comments,
        c.settled,
        c.made,
        c.linked,
        c.reused,
        c.tasks_due,
        c.tasks_in_time,
        c.tasks_moved,
        c.tasks_omitted,
        w.active_projects,
        w.idle_weeks_w52,
        CASE
            WHEN w.active_projects > 0 OR e.end_on > s.on_date THEN 0
            WHEN e.end_on < s.on_date - 365 THEN 365
            ELSE DATE_DIFF('day', e.end_on, s.on_date)
        END AS idle_days,
        q.first_pass_rate,
        q.sent_back_rate,
        q.overdue_share,
        q.on_time_rate,
        q.in_time_rate,
        v.cycles AS active_cycles,
        v.ln_millionths AS active_ln,
        g.age_days,
        x.usage_par AS wrap_par,
        CASE WHEN COALESCE(a.consent_pm_data, TRUE) THEN 1 END AS has_consent,
        u.used_projects,
        u.known_projects,
        u.active_projects AS used_active_projects,
        u.steps,
        u.stepped_projects
    FROM snapshots AS s
    INNER JOIN output_quality_counts AS c
        ON s.account_id = c.account_id AND s.on_date = c.on_date
    INNER JOIN account_states AS a
        ON s.account_id = a.account_id AND s.as_of = a.as_of
    INNER JOIN output_quality_rates AS q
        ON s.as_of = q.as_of
    LEFT JOIN median_cycles AS m
        ON s.account_id = m.account_id AND s.on_date = m.on_date
    LEFT JOIN revision_pars AS r
        ON s.account_id = r.account_id AND s.on_date = r.on_date
    LEFT JOIN project_weeks AS w
        ON s.account_id = w.account_id AND s.on_date = w.on_date
    LEFT JOIN last_ends AS e
        ON s.account_id = e.account_id AND s.on_date = e.on_date
    LEFT JOIN active_revisions AS v
        ON s.account_id = v.account_id AND s.on_date = v.on_date
    LEFT JOIN task_ages AS g
        ON s.account_id = g.account_id AND s.on_date = g.on_date
    LEFT JOIN project_wraps AS x
        ON s.account_id = x.account_id AND s.on_date = x.on_date
    LEFT JOIN tool_reach AS u
        ON s.account_id = u.account_id AND s.on_date = u.on_date
)

SELECT
    account_id,
    as_of,
    known_at,
    has_reviews * cycle_hours AS revision_cycle_hours_w8,
    has_reviews * surplus_millionths / 1000000 / (cycles + 5) AS revision_cycle_par_w26,
    has_reviews * (overdue + 4 * overdue_share) / (open_revisions + 4) AS open_revision_overdue_share,
    has_reviews * versions / NULLIF(approved, 0) AS versions_per_approved_asset_w26,
    has_reviews * (first_pass + 10 * first_pass_rate) / (approved + 10) AS first_pass_approval_rate_w26,
    has_reviews * wait_s / NULLIF(waits, 0) / 3600 AS approval_latency_hours_w13,
    has_reviews * (sent_back + 10 * sent_back_rate) / (decisions + 10) AS rejection_rate_w26,
    has_projects * (on_time + 4 * on_time_rate) / (due + 4) AS on_time_delivery_rate_w26,
    has_projects * slip_days / NULLIF(completed, 0) AS delivery_slip_days_w26,
    CAST(has_projects * active_projects AS DOUBLE) AS active_projects,
    CAST(has_projects * starting AS DOUBLE) AS projects_starting_next_60d,
    CAST(has_projects * idle_days AS DOUBLE) AS project_wrap_recency_days,
    CAST(has_projects * idle_weeks_w52 AS DOUBLE) AS project_gap_weeks_w52,
    CASE
        WHEN active_cycles >= 3 AND quiet_cycles >= 3
            THEN
                has_reviews * (active_ln / NULLIF(active_cycles, 0) - quiet_ln / NULLIF(quiet_cycles, 0)) / 1000000
    END AS revision_cycle_active_ratio_last,
    has_reviews * (comments - settled) / NULLIF(comments, 0) AS unresolved_comment_share_w13,
    CASE WHEN linked > 0 THEN has_reviews * reused / NULLIF(made, 0) END AS asset_reuse_rate_w26,
    has_projects * (tasks_in_time + 10 * in_time_rate) / (tasks_due + 10) AS task_completion_rate_w8,
    CAST(has_projects * age_days AS DOUBLE) AS task_age_p90_days,
    has_projects * tasks_omitted / NULLIF(tasks_moved, 0) AS omitted_task_share_w13,
    has_projects * wrap_par AS project_wrap_usage_par,
    CASE
        WHEN used_projects > 0 THEN has_projects * used_active_projects / NULLIF(active_projects, 0)
    END AS projects_in_tool_share_w13,
    has_projects * steps / NULLIF(stepped_projects, 0) AS tool_steps_per_project_w13,
    has_consent * known_projects / NULLIF(used_projects, 0) AS project_coverage_w13
FROM measured
