-- How evenly did the campaigns of an account follow each other, as believed at each snapshot?
-- Grain in: campaign_spans, cohort. Grain out: one row per cohort row with four or more starts of active windows in 156
-- weeks: irregularity = standard deviation of the days between starts over their mean. Campaigns that start on one day
-- are one start.
WITH starts AS (
    SELECT DISTINCT
        c.account_id,
        c.as_of,
        CAST(s.active_start AS DATE) AS started_on
    FROM cohort AS c
    INNER JOIN campaign_spans AS s
        ON c.account_id = s.account_id AND c.as_of >= s.from_as_of AND c.as_of < s.until_as_of
    WHERE s.active_start <= c.as_of AND s.active_start > c.as_of - INTERVAL 1092 DAY
),

followed AS (
    SELECT
        account_id,
        as_of,
        started_on,
        LAG(started_on) OVER (PARTITION BY account_id, as_of ORDER BY started_on) AS before_on
    FROM starts
),

gaps AS (
    SELECT
        account_id,
        as_of,
        DATE_DIFF('day', CAST(before_on AS DATE), CAST(started_on AS DATE)) AS days
    FROM followed
),

sums AS (
    SELECT
        account_id,
        as_of,
        COUNT(days) AS gaps,
        CAST(SUM(days) AS BIGINT) AS days,
        CAST(SUM(days * days) AS BIGINT) AS squares
    FROM gaps
    GROUP BY account_id, as_of
)

SELECT
    account_id,
    as_of,
    CASE
        WHEN gaps * squares > days * days
            THEN EXP(0.5 * LN(NULLIF(CAST(gaps * squares - days * days AS DOUBLE) / NULLIF(days * days, 0), 0)))
        ELSE 0
    END AS irregularity
FROM sums
WHERE gaps >= 3
