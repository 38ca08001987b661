-- In which weeks of the ramp and the active phase of a campaign did an account work at campaign level?
-- Grain in: campaign_spans, usage_changes, usage_expected. Grain out: one row per span and such a week, with the
-- snapshots [from_as_of, until_as_of) at which that was known; until_as_of is null while nothing took it back. Campaign
-- level is one and a half times the account's quiet week, by which taking part is told, too; baselines are those known
-- when each week began.
WITH known AS (
    SELECT
        account_id,
        week_start,
        as_of AS from_as_of,
        LEAD(as_of) OVER (PARTITION BY account_id, week_start ORDER BY as_of) AS until_as_of,
        CAST(SUM(core_events) OVER (
            PARTITION BY account_id, week_start ORDER BY as_of ROWS UNBOUNDED PRECEDING
        ) AS BIGINT) AS core_events
    FROM usage_changes
)

SELECT
    s.span_no,
    k.week_start,
    k.from_as_of,
    k.until_as_of
FROM campaign_spans AS s
INNER JOIN known AS k
    ON s.account_id = k.account_id AND s.pre_week <= k.week_start AND s.wrap_week > k.week_start
INNER JOIN usage_expected AS e
    ON k.account_id = e.account_id AND k.week_start = e.week_start
WHERE e.is_measured = 1 AND k.core_events > 0 AND 2000 * k.core_events >= 3 * e.base_core
