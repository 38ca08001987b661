-- How far did each account come back after each wrap, once the sixth week was over?
-- Grain in: campaign_windows, usage_changes, usage_expected. Grain out: one row per account and campaign whose third to
-- sixth week after the wrap are closed and measured, as it was known at the snapshot done_as_of at which they were:
-- frozen, so that it can be compared with what comes later. score, in millionths = ln(done / expected) of core plus
-- that of collab actions in those weeks, less half of ln(done / expected) of collab actions in the campaign: an account
-- that works together much or little in a campaign does so afterwards, and that is no drop.
WITH finished AS (
    SELECT
        account_id,
        campaign_instance_id,
        known_at,
        superseded_at,
        DATE_TRUNC('week', active_start - INTERVAL 84 HOUR - INTERVAL 1 MICROSECOND) + INTERVAL 7 DAY AS active_week,
        DATE_TRUNC('week', active_end - INTERVAL 84 HOUR - INTERVAL 1 MICROSECOND) + INTERVAL 7 DAY AS wrap_week,
        DATE_TRUNC('week', active_end - INTERVAL 84 HOUR - INTERVAL 1 MICROSECOND) + INTERVAL 21 DAY AS back_week,
        DATE_TRUNC('week', active_end - INTERVAL 84 HOUR - INTERVAL 1 MICROSECOND) + INTERVAL 49 DAY AS done_as_of
    FROM campaign_windows
    WHERE takes_part = 1
),

believed AS (
    SELECT f.*
    FROM finished AS f
    CROSS JOIN run AS r
    WHERE
        f.known_at <= f.done_as_of
        AND (f.superseded_at IS NULL OR f.superseded_at > f.done_as_of)
        AND f.done_as_of <= r.last_as_of
),

done AS (
    SELECT
        b.account_id,
        b.campaign_instance_id,
        SUM(CASE WHEN c.week_start >= b.back_week THEN c.core_events ELSE 0 END) AS core,
        SUM(CASE WHEN c.week_start >= b.back_week THEN c.collab_events ELSE 0 END) AS collab,
        SUM(CASE WHEN c.week_start < b.wrap_week THEN c.collab_events ELSE 0 END) AS active_collab
    FROM believed AS b
    INNER JOIN usage_changes AS c
        ON b.account_id = c.account_id AND b.active_week <= c.week_start AND b.done_as_of >= c.as_of
    INNER JOIN usage_weeks AS w
        ON c.account_id = w.account_id AND c.week_start = w.week_start
    WHERE w.is_measured = 1
    GROUP BY b.account_id, b.campaign_instance_id
),

expected AS (
    SELECT
        b.account_id,
        b.campaign_instance_id,
        b.done_as_of,
        MAX(w.segment) AS segment,
        SUM(CASE WHEN e.week_start >= b.back_week THEN e.expected_core ELSE 0 END) AS core,
        SUM(CASE WHEN e.week_start >= b.back_week THEN e.expected_collab ELSE 0 END) AS collab,
        SUM(CASE WHEN e.week_start < b.wrap_week THEN e.expected_collab ELSE 0 END) AS active_collab
    FROM believed AS b
    INNER JOIN usage_expected AS e
        ON b.account_id = e.account_id AND b.active_week <= e.week_start AND b.done_as_of > e.week_start
    INNER JOIN usage_weeks AS w
        ON e.account_id = w.account_id AND e.week_start = w.week_start
    GROUP BY b.account_id, b.campaign_instance_id, b.done_as_of
    HAVING
        SUM(CASE WHEN e.week_start >= b.back_week THEN e.is_measured ELSE 0 END) = 4
        AND SUM(CASE WHEN e.week_start < b.wrap_week THEN e.is_measured ELSE 0 END) > 0
        AND SUM(e.is_unexpected) = 0
)

SELECT
    e.account_id,
    e.campaign_instance_id,
    e.segment,
    e.done_as_of,
    CAST(FLOOR(1000000 * (
        LN((1000 * COALESCE(d.core, 0) + 500) / (e.core + 500))
        + LN((1000 * COALESCE(d.collab, 0) + 500) / (e.collab + 500))
        - LN((1000 * COALESCE(d.active_collab, 0) + 500) / (e.active_collab + 500)) / 2
    ) + 0.5) AS BIGINT) AS score
FROM expected AS e
LEFT JOIN done AS d
    ON e.account_id = d.account_id AND e.campaign_instance_id = d.campaign_instance_id
