-- At which as_ofs does each free text count, in which tone is it written, and does it speak of a reason to leave?
-- Grain in: texts (events; a later row of the same text corrects it). Grain out: one row per text and belief, which
-- counts at every Monday in [known_on, gone_on); tone in thousandths from -1000 (bad) to 1000, null where no model
-- judged it; is_risky is 1 or 0, null where nobody named its topics.
WITH beliefs AS (
    SELECT
        *,
        GREATEST(
            CAST(DATE_TRUNC('week', CAST(available_at - INTERVAL 1 MICROSECOND AS DATE)) AS DATE),
            CAST(DATE_TRUNC('week', CAST(event_at AS DATE)) AS DATE)
        ) + 7 AS known_on
    FROM texts
),

lives AS (
    SELECT
        text_id,
        account_id,
        event_at,
        sentiment,
        ' ' || topics || ' ' AS topics,
        op,
        known_on,
        COALESCE(
            MIN(known_on) OVER (
                PARTITION BY text_id ORDER BY available_at, row_hash DESC
                ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING
            ),
            DATE '2999-12-30'
        ) AS gone_on
    FROM beliefs
)

SELECT
    text_id,
    account_id,
    event_at,
    CAST(event_at AS DATE) AS written_on,
    CAST(FLOOR(sentiment * 1000 + 0.5) AS BIGINT) AS tone_thousandths,
    CASE
        WHEN topics IS NULL THEN NULL
        WHEN topics LIKE '% price %' OR topics LIKE '% competitor %' OR topics LIKE '% missing_feature %' THEN 1
        ELSE 0
    END AS is_risky,
    known_on,
    gone_on
FROM lives
WHERE op = 'upsert' AND known_on < gone_on AND account_id IS NOT NULL
