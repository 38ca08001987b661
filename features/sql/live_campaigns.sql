-- Which campaigns are live at each snapshot, in words?
-- Grain in: campaign_spans, cohort. Grain out: one row per cohort row with a live campaign: up to three labels with
-- their phase, the strongest phase first, and how many more there are; phases = how many different phases they are in.
WITH live AS (
    SELECT
        c.account_id,
        c.as_of,
        s.campaign_instance_id,
        s.label,
        CASE
            WHEN c.as_of < s.active_start THEN 'pre'
            WHEN c.as_of < s.active_end THEN 'active'
            ELSE 'post'
        END AS phase,
        CASE
            WHEN c.as_of < s.active_start THEN 3
            WHEN c.as_of < s.active_end THEN 1
            ELSE 2
        END AS weakness
    FROM cohort AS c
    INNER JOIN campaign_spans AS s
        ON c.account_id = s.account_id AND c.as_of >= s.from_as_of AND c.as_of < s.until_as_of
    WHERE s.pre_start <= c.as_of AND c.as_of < s.post_end
),

placed AS (
    SELECT
        account_id,
        as_of,
        phase,
        label || ' (' || phase || ')' AS words,
        ROW_NUMBER() OVER (PARTITION BY account_id, as_of ORDER BY weakness, label, campaign_instance_id) AS place
    FROM live
)

SELECT
    account_id,
    as_of,
    COUNT(DISTINCT phase) AS phases,
    MAX(CASE WHEN place = 1 THEN words END)
    || COALESCE(', ' || MAX(CASE WHEN place = 2 THEN words END), '')
    || COALESCE(', ' || MAX(CASE WHEN place = 3 THEN words END), '')
    || CASE WHEN COUNT(*) > 3 THEN ' and ' || CAST(COUNT(*) - 3 AS VARCHAR) || ' more' ELSE '' END AS words
FROM placed
GROUP BY account_id, as_of
