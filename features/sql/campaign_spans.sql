-- At which snapshots of the run was which belief about an account's campaign in force?
-- Grain in: campaign_windows. Grain out: one row per belief that takes part and is in force at a snapshot of the run,
-- at the snapshots [from_as_of, until_as_of). A week belongs to the phase in which its middle lies, which is the phase
-- of most of its days: pre = [pre_week, active_week), active = [active_week, wrap_week).
WITH spans AS (
    SELECT
        w.account_id,
        w.campaign_id,
        w.campaign_instance_id,
        w.label,
        w.pre_start,
        w.active_start,
        w.active_end,
        w.post_end,
        GREATEST(
            DATE_TRUNC('week', w.known_at - INTERVAL 1 MICROSECOND) + INTERVAL 7 DAY, r.first_as_of
        ) AS from_as_of,
        LEAST(
            DATE_TRUNC('week', w.superseded_at - INTERVAL 1 MICROSECOND) + INTERVAL 7 DAY,
            r.last_as_of + INTERVAL 7 DAY
        ) AS until_as_of
    FROM campaign_windows AS w
    CROSS JOIN run AS r
    WHERE w.takes_part = 1
)

SELECT
    ROW_NUMBER() OVER (ORDER BY account_id, campaign_instance_id, from_as_of) AS span_no,
    account_id,
    campaign_id,
    campaign_instance_id,
    label,
    pre_start,
    active_start,
    active_end,
    post_end,
    from_as_of,
    until_as_of,
    DATE_TRUNC('week', pre_start - INTERVAL 84 HOUR - INTERVAL 1 MICROSECOND) + INTERVAL 7 DAY AS pre_week,
    DATE_TRUNC('week', active_start - INTERVAL 84 HOUR - INTERVAL 1 MICROSECOND) + INTERVAL 7 DAY AS active_week,
    DATE_TRUNC('week', active_end - INTERVAL 84 HOUR - INTERVAL 1 MICROSECOND) + INTERVAL 7 DAY AS wrap_week
FROM spans
WHERE from_as_of < until_as_of
