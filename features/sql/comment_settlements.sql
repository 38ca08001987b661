-- At which as_ofs is a comment settled: resolved, or its asset approved since?
-- A resolution speaks of its thread, and of every comment on the version where one of the two names no thread.
-- Grain in: review_lives, approval_lives. Grain out: one row per comment and span of Mondays [known_on, gone_on) at
-- which it is settled; the spans of a comment do not overlap.
WITH comments AS (
    SELECT
        c.review_event_id,
        c.version_id,
        c.asset_id,
        c.account_id,
        c.thread_id,
        c.event_at,
        c.event_s,
        c.known_on,
        c.gone_on
    FROM review_lives AS c
    CROSS JOIN run AS r
    -- Older ones lie in no window of 13 weeks.
    WHERE c.type = 'comment' AND c.event_at >= r.first_as_of - INTERVAL 105 DAY
),

settled AS (
    SELECT
        c.review_event_id,
        c.account_id,
        c.event_at,
        GREATEST(c.known_on, r.known_on) AS known_on,
        LEAST(c.gone_on, r.gone_on) AS gone_on
    FROM comments AS c
    INNER JOIN review_lives AS r
        ON c.version_id = r.version_id
    WHERE
        r.type = 'comment_resolved'
        AND r.event_s >= c.event_s
        AND (r.thread_id IS NULL OR c.thread_id IS NULL OR r.thread_id = c.thread_id)
    UNION ALL
    SELECT
        c.review_event_id,
        c.account_id,
        c.event_at,
        GREATEST(c.known_on, a.known_on) AS known_on,
        LEAST(c.gone_on, a.gone_on) AS gone_on
    FROM comments AS c
    INNER JOIN approval_lives AS a
        ON c.asset_id = a.asset_id
    WHERE a.event_at >= c.event_at
),

covered AS (
    SELECT
        review_event_id,
        account_id,
        event_at,
        known_on,
        gone_on,
        MAX(gone_on) OVER (
            PARTITION BY review_event_id ORDER BY known_on, gone_on ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS covered_on
    FROM settled
    WHERE known_on < gone_on
)

SELECT
    review_event_id,
    account_id,
    event_at,
    GREATEST(known_on, COALESCE(covered_on, known_on)) AS known_on,
    gone_on
FROM covered
WHERE covered_on IS NULL OR covered_on < gone_on
