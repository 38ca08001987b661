-- How low is unusually low after a wrap, as known at each snapshot?
-- Grain in: wrap_scores. Grain out: one row per segment and snapshot: the 20th percentile of the segment's scores so
-- far, in millionths. Scores are counted in bins of 0.05 (an exact percentile at every snapshot would sort all scores
-- anew each time) and the percentile lies within its bin in proportion. Under 20 scores it is -0.75: both kinds of use
-- down by a third.
WITH binned AS (
    SELECT
        segment,
        done_as_of,
        GREATEST(-100, LEAST(100, CAST(FLOOR(score / 50000) AS BIGINT))) AS bin_no,
        COUNT(*) AS scores
    FROM wrap_scores
    GROUP BY segment, done_as_of, GREATEST(-100, LEAST(100, CAST(FLOOR(score / 50000) AS BIGINT)))
),

bins AS (
    SELECT DISTINCT
        segment,
        bin_no
    FROM binned
),

so_far AS (
    SELECT
        b.segment,
        b.bin_no,
        w.as_of,
        CAST(SUM(COALESCE(n.scores, 0)) OVER (
            PARTITION BY b.segment, b.bin_no ORDER BY w.as_of ROWS UNBOUNDED PRECEDING
        ) AS BIGINT) AS scores
    FROM bins AS b
    CROSS JOIN (SELECT DISTINCT as_of FROM usage_weeks) AS w
    LEFT JOIN binned AS n
        ON b.segment = n.segment AND b.bin_no = n.bin_no AND w.as_of = n.done_as_of
),

ranked AS (
    SELECT
        segment,
        as_of,
        bin_no,
        scores,
        CAST(SUM(scores) OVER (
            PARTITION BY segment, as_of ORDER BY bin_no ROWS UNBOUNDED PRECEDING
        ) AS BIGINT) AS scores_up_to,
        CAST(SUM(scores) OVER (PARTITION BY segment, as_of) AS BIGINT) AS all_scores
    FROM so_far
),

twentieth AS (
    SELECT
        segment,
        as_of,
        all_scores,
        50000 * bin_no + CAST(
            FLOOR(CAST(10000 * all_scores - 50000 * (scores_up_to - scores) AS DOUBLE) / NULLIF(scores, 0)) AS BIGINT
        ) AS threshold
    FROM ranked
    WHERE scores > 0 AND 5 * scores_up_to >= all_scores AND 5 * (scores_up_to - scores) < all_scores
)

SELECT
    l.segment,
    l.as_of,
    CASE WHEN t.all_scores >= 20 THEN t.threshold ELSE -750000 END AS threshold
FROM segment_levels AS l
LEFT JOIN twentieth AS t
    ON l.segment = t.segment AND l.as_of = t.as_of
