-- In which tone do people of an account write, and how often of a reason to leave?
-- From when a notice is known, and while it stands, what was written since then is left out: it speaks of a decision
-- that is taken.
-- Grain in: cohort, text_lives, live_contracts. Grain out: one row per cohort row with a text of 26 weeks.
WITH notices AS (
    SELECT
        account_id,
        as_of,
        MIN(notice_at) AS notice_at
    FROM live_contracts
    WHERE notice_at IS NOT NULL
    GROUP BY account_id, as_of
)

SELECT
    c.account_id,
    c.as_of,
    COUNT(t.tone_thousandths) AS toned,
    CAST(SUM(COALESCE(t.tone_thousandths, 0)) AS BIGINT) AS tone_sum,
    COUNT(t.is_risky) AS tagged,
    CAST(SUM(COALESCE(t.is_risky, 0)) AS BIGINT) AS risky
FROM cohort AS c
INNER JOIN text_lives AS t
    ON c.account_id = t.account_id AND CAST(c.as_of AS DATE) >= t.known_on AND CAST(c.as_of AS DATE) < t.gone_on
LEFT JOIN notices AS n
    ON c.account_id = n.account_id AND c.as_of = n.as_of
WHERE t.written_on >= CAST(c.as_of AS DATE) - 182 AND (n.notice_at IS NULL OR t.event_at < n.notice_at)
GROUP BY c.account_id, c.as_of
