-- Which weeks of an account can teach what is normal?
-- Grain out: one row per account and week of account_weeks that closed after run.settled_at. is_measured = the account
-- was live and some usage of it was known when the week closed. is_quiet = measured, and no day of the week lay in pre,
-- active or post. pure_phase = the phase when all seven days lay in it, else null: weeks cut by a window's edge blur
-- both sides.
WITH beginnings AS (
    SELECT
        account_id,
        MIN(as_of) AS first_as_of
    FROM usage_changes
    GROUP BY account_id
),

measured AS (
    SELECT
        a.account_id,
        a.week_start,
        a.as_of,
        a.segment,
        a.seats,
        a.is_live,
        CASE WHEN a.is_live = 1 AND a.as_of >= b.first_as_of THEN 1 ELSE 0 END AS is_measured
    FROM account_weeks AS a
    LEFT JOIN beginnings AS b
        ON a.account_id = b.account_id
    CROSS JOIN run AS r
    WHERE a.as_of > r.settled_at
)

SELECT
    m.account_id,
    m.week_start,
    m.as_of,
    m.segment,
    m.seats,
    m.is_live,
    m.is_measured,
    CASE WHEN p.quiet_days = 7 THEN m.is_measured ELSE 0 END AS is_quiet,
    CASE
        WHEN p.active_days = 7 THEN 'active'
        WHEN p.post_days = 7 AND p.pre_post_days = 0 THEN 'post'
        WHEN p.pre_days = 7 THEN 'pre'
        WHEN p.quiet_days = 7 THEN p.quiet_phase
    END AS pure_phase,
    p.quiet_phase,
    p.active_days,
    p.post_days,
    p.pre_days,
    p.pre_post_days,
    p.quiet_days
FROM measured AS m
INNER JOIN phase_weeks AS p
    ON m.account_id = p.account_id AND m.week_start = p.week_start
