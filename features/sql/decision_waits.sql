-- How long did each decision wait, from the submission of the version to the decision?
-- The submission is the last one known before the decision; a version never submitted waits from its creation.
-- Grain in: version_lives, review_lives. Grain out: one row per decision and span of Mondays [known_on, gone_on) with
-- the same belief about its submission, of decisions that the first snapshot still looks back on.
WITH submissions AS (
    SELECT
        version_id,
        event_s,
        0 AS is_submission,
        known_on,
        gone_on
    FROM version_lives
    UNION ALL
    SELECT
        version_id,
        event_s,
        1 AS is_submission,
        known_on,
        gone_on
    FROM review_lives
    WHERE type = 'submitted'
),

pairs AS (
    SELECT
        d.review_event_id,
        d.account_id,
        d.event_at,
        s.is_submission,
        d.event_s - s.event_s AS wait_s,
        GREATEST(d.known_on, s.known_on) AS known_on,
        LEAST(d.gone_on, s.gone_on) AS gone_on
    FROM review_lives AS d
    INNER JOIN submissions AS s
        ON d.version_id = s.version_id
    CROSS JOIN run AS r
    WHERE
        d.type IN ('approved', 'client_approved', 'changes_requested', 'rejected')
        -- Older ones lie in no window of 13 weeks.
        AND d.event_at >= r.first_as_of - INTERVAL 105 DAY
        AND s.event_s <= d.event_s
        AND GREATEST(d.known_on, s.known_on) < LEAST(d.gone_on, s.gone_on)
),

spans AS (
    -- Between two changes of what is known the same submission counts.
    SELECT
        review_event_id,
        on_date,
        LEAD(on_date) OVER (PARTITION BY review_event_id ORDER BY on_date) AS until_on
    FROM (
        SELECT review_event_id, known_on AS on_date FROM pairs
        UNION
        SELECT review_event_id, gone_on AS on_date FROM pairs
    ) AS changes
),

ranked AS (
    SELECT
        p.review_event_id,
        p.account_id,
        p.event_at,
        p.wait_s,
        s.on_date,
        s.until_on,
        ROW_NUMBER() OVER (
            PARTITION BY p.review_event_id, s.on_date ORDER BY p.is_submission DESC, p.wait_s
        ) AS nearness
    FROM pairs AS p
    INNER JOIN spans AS s
        ON p.review_event_id = s.review_event_id AND p.known_on <= s.on_date AND p.gone_on > s.on_date
)

SELECT
    review_event_id,
    account_id,
    event_at,
    wait_s,
    on_date AS known_on,
    until_on AS gone_on
FROM ranked
WHERE nearness = 1
