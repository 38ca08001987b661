-- Which wishes for changes lie open: the last decision sent the newest version of an asset back?
-- Comments open a version only while no decision about it is known; the clock then runs from the first of them.
-- Grain in: version_lives, review_lives. Grain out: one row per asset and span of Mondays [known_on, gone_on) at which
-- it is open by the same decision or comment.
-- Assets on which nothing that could open them was said within a window of 13 weeks are left out.
WITH late_wishes AS (
    SELECT DISTINCT v.asset_id
    FROM version_lives AS v
    INNER JOIN review_lives AS e
        ON v.version_id = e.version_id
    CROSS JOIN run AS r
    WHERE
        e.type IN ('changes_requested', 'rejected', 'comment')
        AND e.event_at >= r.first_as_of - INTERVAL 105 DAY
),

late_versions AS (
    SELECT v.*
    FROM version_lives AS v
    INNER JOIN late_wishes AS l
        ON v.asset_id = l.asset_id
),

signals AS (
    SELECT
        v.asset_id,
        v.account_id,
        v.version_no,
        e.review_event_id AS signal_id,
        e.event_at,
        e.event_s,
        CASE WHEN e.type IN ('changes_requested', 'rejected', 'comment') THEN 1 ELSE 0 END AS opens,
        CASE WHEN e.type = 'comment' THEN 1 ELSE 2 END AS strength,
        GREATEST(v.known_on, e.known_on) AS known_on,
        LEAST(v.gone_on, e.gone_on) AS gone_on
    FROM late_versions AS v
    INNER JOIN review_lives AS e
        ON v.version_id = e.version_id
    WHERE
        e.type NOT IN ('submitted', 'comment_resolved')
        AND GREATEST(v.known_on, e.known_on) < LEAST(v.gone_on, e.gone_on)
    UNION ALL
    -- A version nobody said anything about is not open, and closes the one before.
    SELECT
        asset_id,
        account_id,
        version_no,
        version_id AS signal_id,
        event_at,
        event_s,
        0 AS opens,
        0 AS strength,
        known_on,
        gone_on
    FROM late_versions
),

spans AS (
    -- Between two changes of what is known the same signal counts.
    SELECT
        asset_id,
        on_date,
        LEAD(on_date) OVER (PARTITION BY asset_id ORDER BY on_date) AS until_on
    FROM (
        SELECT asset_id, known_on AS on_date FROM signals
        UNION
        SELECT asset_id, gone_on AS on_date FROM signals
    ) AS changes
),

ranked AS (
    SELECT
        e.asset_id,
        e.account_id,
        e.event_at,
        e.opens,
        s.on_date,
        s.until_on,
        ROW_NUMBER() OVER (
            PARTITION BY e.asset_id, s.on_date
            -- Of the decisions the last counts, of the comments the first.
            ORDER BY
                e.version_no DESC, e.strength DESC, CASE WHEN e.strength = 2 THEN -e.event_s ELSE e.event_s END,
                e.signal_id
        ) AS weight_rank
    FROM signals AS e
    INNER JOIN spans AS s
        ON e.asset_id = s.asset_id AND e.known_on <= s.on_date AND e.gone_on > s.on_date
)

SELECT
    asset_id,
    account_id,
    event_at,
    on_date AS known_on,
    until_on AS gone_on
FROM ranked
WHERE weight_rank = 1 AND opens = 1
