-- How long did each revision take, from the first feedback on a version to the next version of the asset?
-- Where a version got no feedback on record, the cycle runs from its own creation (basis = 'version_gap').
-- Grain in: version_lives, review_lives, account_weeks, phase_weeks. Grain out: one row per closed cycle and span of
-- Mondays [known_on, gone_on) with the same belief about its start; phase and segment are those of the week it began,
-- as known when that week closed.
WITH pairs AS (
    SELECT
        v.version_id,
        n.version_id AS next_version_id,
        v.account_id,
        v.event_at AS version_at,
        v.event_s AS version_s,
        n.event_at AS closed_at,
        n.event_s AS closed_s,
        GREATEST(v.known_on, n.known_on) AS known_on,
        LEAST(v.gone_on, n.gone_on) AS gone_on
    FROM version_lives AS v
    INNER JOIN version_lives AS n
        ON v.asset_id = n.asset_id AND v.version_no + 1 = n.version_no
    WHERE
        n.event_s > v.event_s
        AND GREATEST(v.known_on, n.known_on) < LEAST(v.gone_on, n.gone_on)
),

starts AS (
    SELECT
        version_id,
        next_version_id,
        account_id,
        version_at AS started_at,
        version_s AS started_s,
        'version_gap' AS basis,
        0 AS is_feedback,
        closed_at,
        closed_s,
        known_on,
        gone_on
    FROM pairs
    UNION ALL
    SELECT
        p.version_id,
        p.next_version_id,
        p.account_id,
        f.event_at AS started_at,
        f.event_s AS started_s,
        'feedback' AS basis,
        1 AS is_feedback,
        p.closed_at,
        p.closed_s,
        GREATEST(p.known_on, f.known_on) AS known_on,
        LEAST(p.gone_on, f.gone_on) AS gone_on
    FROM pairs AS p
    INNER JOIN review_lives AS f
        ON p.version_id = f.version_id
    WHERE
        f.type IN ('changes_requested', 'rejected', 'comment')
        AND f.event_s < p.closed_s
        AND GREATEST(p.known_on, f.known_on) < LEAST(p.gone_on, f.gone_on)
),

spans AS (
    -- Between two changes of what is known the same start counts.
    SELECT
        version_id,
        next_version_id,
        on_date,
        LEAD(on_date) OVER (PARTITION BY version_id, next_version_id ORDER BY on_date) AS until_on
    FROM (
        SELECT version_id, next_version_id, known_on AS on_date FROM starts
        UNION
        SELECT version_id, next_version_id, gone_on AS on_date FROM starts
    ) AS changes
),

ranked AS (
    SELECT
        b.version_id,
        b.account_id,
        b.started_at,
        b.closed_at,
        b.closed_s - b.started_s AS cycle_s,
        b.basis,
        s.on_date,
        s.until_on,
        ROW_NUMBER() OVER (
            PARTITION BY b.version_id, b.next_version_id, s.on_date ORDER BY b.is_feedback DESC, b.started_s
        ) AS earliness
    FROM starts AS b
    INNER JOIN spans AS s
        ON
            b.version_id = s.version_id
            AND b.next_version_id = s.next_version_id
            AND b.known_on <= s.on_date
            AND b.gone_on > s.on_date
)

SELECT
    b.version_id,
    b.account_id,
    b.started_at,
    b.closed_at,
    b.cycle_s,
    b.basis,
    COALESCE(a.segment, 'other') AS segment,
    COALESCE(p.phase, 'none') AS phase,
    b.on_date AS known_on,
    b.until_on AS gone_on
FROM ranked AS b
LEFT JOIN account_weeks AS a
    ON b.account_id = a.account_id AND DATE_TRUNC('week', b.started_at) = a.week_start
LEFT JOIN phase_weeks AS p
    ON b.account_id = p.account_id AND DATE_TRUNC('week', b.started_at) = p.week_start
WHERE b.earliness = 1
