-- How long did revisions take that began in the last campaign's active phase, by what was known at as_of?
-- The last campaign is the one whose active phase began last, if it was still active within 52 weeks. Logarithms are
-- summed as whole millionths, so that a sum does not depend on its order.
-- Grain in: cohort, campaign_spans, revision_cycles. Grain out: one row per cohort row with such a revision closed.
WITH started AS (
    SELECT
        c.account_id,
        c.as_of,
        s.active_start,
        s.active_end,
        ROW_NUMBER() OVER (
            PARTITION BY c.account_id, c.as_of ORDER BY s.active_start DESC, s.campaign_instance_id DESC
        ) AS place
    FROM cohort AS c
    INNER JOIN campaign_spans AS s
        ON c.account_id = s.account_id AND c.as_of >= s.from_as_of AND c.as_of < s.until_as_of
    WHERE s.active_start <= c.as_of AND s.active_end > c.as_of - INTERVAL 364 DAY
),

lasts AS (
    SELECT
        account_id,
        CAST(as_of AS DATE) AS on_date,
        active_start,
        active_end
    FROM started
    WHERE place = 1
),

cycles AS (
    SELECT
        w.account_id,
        w.active_start,
        w.active_end,
        r.known_on,
        r.gone_on,
        COUNT(*) AS cycles,
        CAST(SUM(CAST(FLOOR(LN(NULLIF(r.cycle_s, 0)) * 1000000 + 0.5) AS BIGINT)) AS BIGINT) AS ln_millionths
    FROM (SELECT DISTINCT account_id, active_start, active_end FROM lasts) AS w
    INNER JOIN revision_cycles AS r
        ON w.account_id = r.account_id AND w.active_start <= r.started_at AND w.active_end > r.started_at
    GROUP BY w.account_id, w.active_start, w.active_end, r.known_on, r.gone_on
)

SELECT
    n.account_id,
    n.on_date,
    CAST(SUM(c.cycles) AS BIGINT) AS cycles,
    CAST(SUM(c.ln_millionths) AS BIGINT) AS ln_millionths
FROM lasts AS n
INNER JOIN cycles AS c
    ON
        n.account_id = c.account_id
        AND n.active_start = c.active_start
        AND n.active_end = c.active_end
        AND n.on_date >= c.known_on
        AND n.on_date < c.gone_on
GROUP BY n.account_id, n.on_date
