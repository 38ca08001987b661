-- How much usage was to be expected of an account in each week?
-- Grain out: one row per account and week of account_weeks that closed after run.settled_at; thousandths of actions
-- (users). The baseline and the multipliers are those known on the Monday on which the week began; each day counts with
-- the multiplier of its phase; where campaigns overlap with active's, else the larger one (people do not work 3.5 x
-- 3.5). expected_* is null where a live week has no baseline yet, and 0 where the account was not measured.
-- typical_users = what the segment's accounts of this size do in such a week.
WITH multipliers AS (
    SELECT
        segment,
        as_of,
        MAX(CASE WHEN phase = 'pre' THEN core END) AS core_pre,
        MAX(CASE WHEN phase = 'active' THEN core END) AS core_active,
        MAX(CASE WHEN phase = 'post' THEN core END) AS core_post,
        MAX(CASE WHEN phase = 'off' THEN core END) AS core_off,
        MAX(CASE WHEN phase = 'none' THEN core END) AS core_none,
        MAX(CASE WHEN phase = 'pre' THEN collab END) AS collab_pre,
        MAX(CASE WHEN phase = 'active' THEN collab END) AS collab_active,
        MAX(CASE WHEN phase = 'post' THEN collab END) AS collab_post,
        MAX(CASE WHEN phase = 'off' THEN collab END) AS collab_off,
        MAX(CASE WHEN phase = 'none' THEN collab END) AS collab_none,
        MAX(CASE WHEN phase = 'pre' THEN users END) AS users_pre,
        MAX(CASE WHEN phase = 'active' THEN users END) AS users_active,
        MAX(CASE WHEN phase = 'post' THEN users END) AS users_post,
        MAX(CASE WHEN phase = 'off' THEN users END) AS users_off,
        MAX(CASE WHEN phase = 'none' THEN users END) AS users_none
    FROM phase_multipliers
    GROUP BY segment, as_of
),

multiplied AS (
    SELECT
        w.account_id,
        w.week_start,
        w.as_of,
        w.is_live,
        w.is_measured,
        b.base_core,
        b.base_collab,
        b.base_users,
        b.typical_users,
        (
            w.active_days * m.core_active
            + w.pre_days * m.core_pre
            + (w.post_days - w.pre_post_days) * m.core_post
            + w.pre_post_days * GREATEST(m.core_pre, m.core_post)
            + w.quiet_days * CASE WHEN w.quiet_phase = 'off' THEN m.core_off ELSE m.core_none END
        ) / 7 AS times_core,
        (
            w.active_days * m.collab_active
            + w.pre_days * m.collab_pre
            + (w.post_days - w.pre_post_days) * m.collab_post
            + w.pre_post_days * GREATEST(m.collab_pre, m.collab_post)
            + w.quiet_days * CASE WHEN w.quiet_phase = 'off' THEN m.collab_off ELSE m.collab_none END
        ) / 7 AS times_collab,
        (
            w.active_days * m.users_active
            + w.pre_days * m.users_pre
            + (w.post_days - w.pre_post_days) * m.users_post
            + w.pre_post_days * GREATEST(m.users_pre, m.users_post)
            + w.quiet_days * CASE WHEN w.quiet_phase = 'off' THEN m.users_off ELSE m.users_none END
        ) / 7 AS times_users
    FROM usage_weeks AS w
    LEFT JOIN usage_baselines AS b
        ON w.account_id = b.account_id AND w.week_start = b.as_of
    LEFT JOIN multipliers AS m
        ON w.segment = m.segment AND w.week_start = m.as_of
    CROSS JOIN run AS r
    WHERE w.as_of > r.settled_at
)

SELECT
    account_id,
    week_start,
    as_of,
    is_measured,
    CASE WHEN is_measured = 1 AND base_core IS NULL THEN 1 ELSE 0 END AS is_unexpected,
    CASE WHEN is_measured = 1 THEN base_core ELSE 0 END AS base_core,
    CASE WHEN is_measured = 1 THEN base_collab ELSE 0 END AS base_collab,
    CASE WHEN is_measured = 1 THEN CAST(FLOOR(base_core * times_core + 0.5) AS BIGINT) ELSE 0 END AS expected_core,
    CASE WHEN is_measured = 1 THEN CAST(FLOOR(base_collab * times_collab + 0.5) AS BIGINT) ELSE 0 END
        AS expected_collab,
    CASE WHEN is_measured = 1 THEN CAST(FLOOR(base_users * times_users + 0.5) AS BIGINT) ELSE 0 END AS expected_users,
    CASE WHEN is_measured = 1 THEN CAST(FLOOR(typical_users * times_users + 0.5) AS BIGINT) ELSE 0 END AS typical_users
FROM multiplied
