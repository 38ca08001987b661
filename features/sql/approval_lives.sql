-- At which as_ofs does an asset stand approved, and at which of its versions?
-- What counts is the last decision known about the newest version decided on: a withdrawal, a rejection or a wish for
-- changes that follows an approval ends it.
-- Grain in: version_lives, review_lives. Grain out: one row per asset, approval and span of Mondays [known_on, gone_on)
-- at which it stands.
-- Assets that were last approved before every window of 26 weeks are left out.
WITH late_approvals AS (
    SELECT DISTINCT e.asset_id
    FROM review_lives AS e
    CROSS JOIN run AS r
    WHERE e.type IN ('approved', 'client_approved') AND e.event_at >= r.first_as_of - INTERVAL 196 DAY
),

decisions AS (
    SELECT
        d.review_event_id,
        d.asset_id,
        d.account_id,
        d.type,
        d.event_at,
        d.event_s,
        v.version_no,
        GREATEST(d.known_on, v.known_on) AS known_on,
        LEAST(d.gone_on, v.gone_on) AS gone_on
    FROM review_lives AS d
    INNER JOIN late_approvals AS l
        ON d.asset_id = l.asset_id
    INNER JOIN version_lives AS v
        ON d.version_id = v.version_id
    WHERE
        d.type IN ('approved', 'client_approved', 'changes_requested', 'rejected', 'approval_withdrawn')
        AND GREATEST(d.known_on, v.known_on) < LEAST(d.gone_on, v.gone_on)
),

spans AS (
    -- Between two changes of what is known the same decision counts.
    SELECT
        asset_id,
        on_date,
        LEAD(on_date) OVER (PARTITION BY asset_id ORDER BY on_date) AS until_on
    FROM (
        SELECT asset_id, known_on AS on_date FROM decisions
        UNION
        SELECT asset_id, gone_on AS on_date FROM decisions
    ) AS changes
),

ranked AS (
    SELECT
        d.asset_id,
        d.account_id,
        d.type,
        d.event_at,
        d.version_no,
        s.on_date,
        s.until_on,
        ROW_NUMBER() OVER (
            PARTITION BY d.asset_id, s.on_date ORDER BY d.version_no DESC, d.event_s DESC, d.review_event_id
        ) AS recency
    FROM decisions AS d
    INNER JOIN spans AS s
        ON d.asset_id = s.asset_id AND d.known_on <= s.on_date AND d.gone_on > s.on_date
)

SELECT
    asset_id,
    account_id,
    version_no,
    event_at,
    on_date AS known_on,
    until_on AS gone_on
FROM ranked
WHERE recency = 1 AND type IN ('approved', 'client_approved')
