-- Which accounts left out a campaign whose last instance they had joined?
-- Grain in: campaign_instances_history, campaign_spans, cohort. Grain out: one row per cohort row that left one out.
-- The instance left out runs, or ended up to six weeks ago; the one before is the last of its campaign that was not
-- cancelled. Its days are taken as UTC: an account that does not take part has no midnight of its own there.
WITH known AS (
    SELECT
        g.as_of,
        i.campaign_id,
        i.campaign_instance_id,
        i.active_start_local,
        i.active_end_local,
        i.status,
        i.op,
        ROW_NUMBER() OVER (
            PARTITION BY g.as_of, i.campaign_instance_id ORDER BY i.known_from DESC, i.available_at DESC, i.row_hash
        ) AS recency
    FROM as_of_grid AS g
    INNER JOIN campaign_instances_history AS i
        ON i.available_at <= g.as_of AND i.known_from <= g.as_of
),

started AS (
    SELECT
        as_of,
        campaign_instance_id,
        active_end_local,
        LAG(campaign_instance_id) OVER (
            PARTITION BY as_of, campaign_id ORDER BY active_start_local, campaign_instance_id
        ) AS instance_before,
        ROW_NUMBER() OVER (
            PARTITION BY as_of, campaign_id ORDER BY active_start_local DESC, campaign_instance_id DESC
        ) AS place
    FROM known
    WHERE
        recency = 1
        AND op = 'upsert'
        AND status <> 'cancelled'
        AND active_start_local < CAST(as_of AS DATE)
)

SELECT DISTINCT
    c.account_id,
    c.as_of
FROM started AS i
INNER JOIN cohort AS c
    ON i.as_of = c.as_of
INNER JOIN campaign_spans AS b
    ON
        c.account_id = b.account_id
        AND i.instance_before = b.campaign_instance_id
        AND c.as_of >= b.from_as_of
        AND c.as_of < b.until_as_of
LEFT JOIN campaign_spans AS n
    ON
        c.account_id = n.account_id
        AND i.campaign_instance_id = n.campaign_instance_id
        AND c.as_of >= n.from_as_of
        AND c.as_of < n.until_as_of
WHERE i.place = 1 AND i.active_end_local + 42 >= CAST(i.as_of AS DATE) AND n.account_id IS NULL
