-- In which phase was an account in each week, as believed when the week closed?
-- Grain out: one row per account and week of account_weeks that closed after run.settled_at.
-- Days are counted at noon UTC, which lies within the local day from UTC-12 to UTC+11. A day belongs to its strongest
-- live phase (active > post > pre); pre_post_days are post days on which another campaign was in pre. phase is the one
-- with most days, the stronger one where equal; quiet_phase says whether days outside of campaigns are off or none.
-- n_pre, n_active, n_post and phase_at_end are what stands at as_of.
WITH closed AS (
    SELECT
        a.account_id,
        a.week_start,
        a.as_of
    FROM account_weeks AS a
    CROSS JOIN run AS r
    WHERE a.as_of > r.settled_at
),

believed AS (
    SELECT
        a.account_id,
        a.week_start,
        a.as_of,
        w.pre_start,
        w.active_start,
        w.active_end,
        w.post_end
    FROM closed AS a
    INNER JOIN campaign_windows AS w
        ON
            a.account_id = w.account_id
            AND a.as_of >= w.known_at
            AND (w.superseded_at IS NULL OR a.as_of < w.superseded_at)
    WHERE w.takes_part = 1
),

standing AS (
    SELECT
        account_id,
        week_start,
        CAST(SUM(CASE WHEN as_of >= pre_start AND as_of < active_start THEN 1 ELSE 0 END) AS BIGINT) AS n_pre,
        CAST(SUM(CASE WHEN as_of >= active_start AND as_of < active_end THEN 1 ELSE 0 END) AS BIGINT) AS n_active,
        CAST(SUM(CASE WHEN as_of >= active_end AND as_of < post_end THEN 1 ELSE 0 END) AS BIGINT) AS n_post,
        MAX(
            CASE WHEN active_start <= as_of AND active_end > as_of - INTERVAL 400 DAY THEN 1 ELSE 0 END
        ) AS took_part
    FROM believed
    GROUP BY account_id, week_start
),

noons AS (
    SELECT 12 AS hours
    UNION ALL
    SELECT 36 AS hours
    UNION ALL
    SELECT 60 AS hours
    UNION ALL
    SELECT 84 AS hours
    UNION ALL
    SELECT 108 AS hours
    UNION ALL
    SELECT 132 AS hours
    UNION ALL
    SELECT 156 AS hours
),

live_noons AS (
    SELECT
        b.account_id,
        b.week_start,
        b.pre_start,
        b.active_start,
        b.active_end,
        b.post_end,
        b.week_start + n.hours * INTERVAL 1 HOUR AS noon
    FROM believed AS b
    CROSS JOIN noons AS n
    WHERE b.pre_start < b.as_of AND b.post_end > b.week_start
),

days AS (
    SELECT
        account_id,
        week_start,
        noon,
        MAX(CASE WHEN noon >= active_start AND noon < active_end THEN 1 ELSE 0 END) AS is_active,
        MAX(CASE WHEN noon >= active_end AND noon < post_end THEN 1 ELSE 0 END) AS is_post,
        MAX(CASE WHEN noon >= pre_start AND noon < active_start THEN 1 ELSE 0 END) AS is_pre
    FROM live_noons
    GROUP BY account_id, week_start, noon
),

counted AS (
    SELECT
        account_id,
        week_start,
        CAST(SUM(is_active) AS BIGINT) AS active_days,
        CAST(SUM((1 - is_active) * is_post) AS BIGINT) AS post_days,
        CAST(SUM((1 - is_active) * is_post * is_pre) AS BIGINT) AS pre_post_days,
        CAST(SUM((1 - is_active) * (1 - is_post) * is_pre) AS BIGINT) AS pre_days
    FROM days
    GROUP BY account_id, week_start
),

weekly AS (
    SELECT
        a.account_id,
        a.week_start,
        a.as_of,
        COALESCE(c.active_days, 0) AS active_days,
        COALESCE(c.post_days, 0) AS post_days,
        COALESCE(c.pre_days, 0) AS pre_days,
        COALESCE(c.pre_post_days, 0) AS pre_post_days,
        7 - COALESCE(c.active_days + c.post_days + c.pre_days, 0) AS quiet_days,
        COALESCE(s.n_pre, 0) AS n_pre,
        COALESCE(s.n_active, 0) AS n_active,
        COALESCE(s.n_post, 0) AS n_post,
        CASE WHEN s.took_part = 1 THEN 'off' ELSE 'none' END AS quiet_phase
    FROM closed AS a
    LEFT JOIN standing AS s
        ON a.account_id = s.account_id AND a.week_start = s.week_start
    LEFT JOIN counted AS c
        ON a.account_id = c.account_id AND a.week_start = c.week_start
)

SELECT
    account_id,
    week_start,
    as_of,
    CASE
        WHEN active_days >= GREATEST(post_days, pre_days, quiet_days) THEN 'active'
        WHEN post_days >= GREATEST(pre_days, quiet_days) THEN 'post'
        WHEN pre_days >= quiet_days THEN 'pre'
        ELSE quiet_phase
    END AS phase,
    active_days,
    post_days,
    pre_days,
    pre_post_days,
    quiet_days,
    quiet_phase,
    GREATEST(active_days, post_days, pre_days, quiet_days) AS days_in_phase,
    CASE
        WHEN n_active > 0 THEN 'active'
        WHEN n_post > 0 THEN 'post'
        WHEN n_pre > 0 THEN 'pre'
        ELSE quiet_phase
    END AS phase_at_end,
    n_pre,
    n_active,
    n_post
FROM weekly
