-- How were an account's actions of 26 weeks shared among the families of features, as known at each snapshot?
-- Grain in: usage_user_weeks, cohort, run. Grain out: one row per cohort row.
WITH known AS (
    SELECT
        account_id,
        week_start,
        from_as_of,
        until_as_of,
        CAST(SUM(core_events) AS BIGINT) AS core_events,
        CAST(SUM(collab_events) AS BIGINT) AS collab_events,
        CAST(SUM(review_events) AS BIGINT) AS review_events,
        CAST(SUM(export_events) AS BIGINT) AS export_events,
        CAST(SUM(automation_events) AS BIGINT) AS automation_events,
        CAST(SUM(asset_mgmt_events) AS BIGINT) AS asset_mgmt_events,
        CAST(SUM(admin_events) AS BIGINT) AS admin_events,
        CAST(SUM(ai_events) AS BIGINT) AS ai_events,
        CAST(SUM(other_events) AS BIGINT) AS other_events
    FROM usage_user_weeks
    GROUP BY account_id, week_start, from_as_of, until_as_of
),

-- What lies before the first snapshot that is built is summed up there.
spans AS (
    SELECT
        k.*,
        GREATEST(k.from_as_of, r.first_as_of) AS come_at,
        -- The last snapshot that looks back on a week is 26 weeks after its start.
        GREATEST(LEAST(k.week_start + INTERVAL 189 DAY, k.until_as_of), r.first_as_of) AS gone_at
    FROM known AS k
    CROSS JOIN run AS r
    WHERE k.week_start > r.first_as_of - INTERVAL 189 DAY AND k.from_as_of < k.week_start + INTERVAL 189 DAY
),

changes AS (
    SELECT
        account_id,
        come_at AS as_of,
        1 AS sign,
        0 AS is_snapshot,
        core_events,
        collab_events,
        review_events,
        export_events,
        automation_events,
        asset_mgmt_events,
        admin_events,
        ai_events,
        other_events
    FROM spans
    UNION ALL
    SELECT
        account_id,
        gone_at AS as_of,
        -1 AS sign,
        0 AS is_snapshot,
        core_events,
        collab_events,
        review_events,
        export_events,
        automation_events,
        asset_mgmt_events,
        admin_events,
        ai_events,
        other_events
    FROM spans
    UNION ALL
    SELECT
        account_id,
        as_of,
        0 AS sign,
        1 AS is_snapshot,
        0 AS core_events,
        0 AS collab_events,
        0 AS review_events,
        0 AS export_events,
        0 AS automation_events,
        0 AS asset_mgmt_events,
        0 AS admin_events,
        0 AS ai_events,
        0 AS other_events
    FROM cohort
),

movements AS (
    SELECT
        account_id,
        as_of,
        MAX(is_snapshot) AS is_snapshot,
        CAST(SUM(sign * core_events) AS BIGINT) AS core_events,
        CAST(SUM(sign * collab_events) AS BIGINT) AS collab_events,
        CAST(SUM(sign * review_events) AS BIGINT) AS review_events,
        CAST(SUM(sign * export_events) AS BIGINT) AS export_events,
        CAST(SUM(sign * automation_events) AS BIGINT) AS automation_events,
        CAST(SUM(sign * asset_mgmt_events) AS BIGINT) AS asset_mgmt_events,
        CAST(SUM(sign * admin_events) AS BIGINT) AS admin_events,
        CAST(SUM(sign * ai_events) AS BIGINT) AS ai_events,
        CAST(SUM(sign * other_events) AS BIGINT) AS other_events
    FROM changes
    GROUP BY account_id, as_of
),

running AS (
    SELECT
        account_id,
        as_of,
        is_snapshot,
        CAST(SUM(core_events) OVER so_far AS BIGINT) AS core_w26,
        CAST(SUM(collab_events) OVER so_far AS BIGINT) AS collab_w26,
        CAST(SUM(review_events) OVER so_far AS BIGINT) AS review_w26,
        CAST(SUM(export_events) OVER so_far AS BIGINT) AS export_w26,
        CAST(SUM(automation_events) OVER so_far AS BIGINT) AS automation_w26,
        CAST(SUM(asset_mgmt_events) OVER so_far AS BIGINT) AS asset_mgmt_w26,
        CAST(SUM(admin_events) OVER so_far AS BIGINT) AS admin_w26,
        CAST(SUM(ai_events) OVER so_far AS BIGINT) AS ai_w26,
        CAST(SUM(other_events) OVER so_far AS BIGINT) AS other_w26
    FROM movements
    WINDOW so_far AS (PARTITION BY account_id ORDER BY as_of ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
)

SELECT
    account_id,
    as_of,
    core_w26,
    collab_w26,
    review_w26,
    export_w26,
    automation_w26,
    asset_mgmt_w26,
    admin_w26,
    ai_w26,
    other_w26,
    core_w26
    + collab_w26
    + review_w26
    + export_w26
    + automation_w26
    + asset_mgmt_w26
    + admin_w26
    + ai_w26
    + other_w26 AS all_w26
FROM running
WHERE is_snapshot = 1
