-- What did people of an account say and ask for, counted, as known at each snapshot?
-- A question is compared on 0-10 whatever its scale. Support is a source while any ticket of the portfolio became known
-- in 26 weeks.
-- Grain in: cohort, engagement, survey_lives, invitation_lives, ticket_lives, ticket_pars, source_starts.
-- Grain out: one row per cohort row.
WITH snapshots AS (
    SELECT
        account_id,
        as_of,
        known_at,
        seats,
        CAST(as_of AS DATE) AS on_date
    FROM cohort
),

scores AS (
    SELECT
        s.account_id,
        s.as_of,
        s.on_date,
        a.survey_family,
        a.submitted_on,
        a.score_hundredths,
        MAX(CASE WHEN a.survey_family = 'nps' THEN a.submitted_on END) OVER (PARTITION BY s.account_id, s.as_of)
            AS last_nps_on
    FROM snapshots AS s
    INNER JOIN survey_lives AS a
        ON s.account_id = a.account_id AND s.on_date >= a.known_on AND s.on_date < a.gone_on
    WHERE
        a.score_hundredths IS NOT NULL
        AND (a.survey_family = 'nps' OR (a.survey_family = 'csat' AND a.submitted_on >= s.on_date - 182))
),

placed AS (
    SELECT
        account_id,
        as_of,
        on_date,
        last_nps_on,
        score_hundredths,
        CASE
            WHEN survey_family = 'nps' AND submitted_on = last_nps_on AND submitted_on >= on_date - 364 THEN 1 ELSE 0
        END AS is_last,
        CASE WHEN survey_family = 'nps' AND submitted_on >= on_date - 364 THEN 1 ELSE 0 END AS nps_w52,
        CASE WHEN survey_family = 'nps' AND submitted_on >= on_date - 182 THEN 1 ELSE 0 END AS nps_w26,
        CASE WHEN survey_family = 'csat' AND submitted_on >= on_date - 182 THEN 1 ELSE 0 END AS csat_w26
    FROM scores
),

answered AS (
    SELECT
        account_id,
        as_of,
        DATE_DIFF('day', MAX(last_nps_on), on_date) AS nps_age_days,
        CAST(SUM(is_last) AS BIGINT) AS last_answers,
        CAST(SUM(is_last * score_hundredths) AS BIGINT) AS last_sum,
        CAST(SUM(nps_w52) AS BIGINT) AS nps_answers,
        CAST(SUM(nps_w52 * score_hundredths) AS BIGINT) AS nps_sum,
        CAST(SUM(nps_w26) AS BIGINT) AS nps_answers_w26,
        CAST(SUM(nps_w26 * score_hundredths) AS BIGINT) AS nps_sum_w26,
        CAST(SUM(CASE WHEN nps_w52 = 1 AND score_hundredths <= 600 THEN 1 ELSE 0 END) AS BIGINT) AS detractors,
        CAST(SUM(csat_w26) AS BIGINT) AS ratings,
        CAST(SUM(CASE WHEN csat_w26 = 1 AND score_hundredths < 500 THEN 1 ELSE 0 END) AS BIGINT) AS bad_ratings
    FROM placed
    GROUP BY account_id, as_of, on_date
),

asked AS (
    SELECT
        s.account_id,
        s.as_of,
        i.survey_family,
        COUNT(*) AS invited,
        0 AS answered
    FROM snapshots AS s
    INNER JOIN invitation_lives AS i
        ON s.account_id = i.account_id AND s.on_date >= i.known_on AND s.on_date < i.gone_on
    WHERE i.sent_on >= s.on_date - 364
    GROUP BY s.account_id, s.as_of, i.survey_family
    UNION ALL
    SELECT
        s.account_id,
        s.as_of,
        a.survey_family,
        0 AS invited,
        COUNT(DISTINCT a.response_id) AS answered
    FROM snapshots AS s
    INNER JOIN survey_lives AS a
        ON s.account_id = a.account_id AND s.on_date >= a.known_on AND s.on_date < a.gone_on
    WHERE a.submitted_on >= s.on_date - 364
    GROUP BY s.account_id, s.as_of, a.survey_family
),

asked_by_family AS (
    SELECT
        account_id,
        as_of,
        survey_family,
        SUM(invited) AS invited,
        SUM(answered) AS answered
    FROM asked
    GROUP BY account_id, as_of, survey_family
),

responded AS (
    SELECT
        account_id,
        as_of,
        CAST(SUM(invited) AS BIGINT) AS invited,
        CAST(SUM(LEAST(invited, answered)) AS BIGINT) AS answered
    FROM asked_by_family
    GROUP BY account_id, as_of
),

standing AS (
    SELECT
        s.account_id,
        s.as_of,
        s.on_date,
        t.created_on,
        t.settled_after_s,
        t.is_solved,
        t.is_urgent,
        t.was_reopened,
        CASE WHEN t.created_on >= s.on_date - 182 THEN 1 ELSE 0 END AS opened_w26,
        CASE WHEN t.created_on >= s.on_date - 91 THEN 1 ELSE 0 END AS opened_w13,
        CASE
            WHEN
                t.settled_on >= s.on_date - 182
                AND t.settled_on < s.on_date
                AND (t.is_solved = 1 OR t.was_reopened = 1) THEN 1 ELSE 0
        END AS solved_w26,
        CASE
            WHEN t.settled_on >= s.on_date - 91 AND t.settled_on < s.on_date AND t.is_solved = 1 THEN 1 ELSE 0
        END AS solved_w13
    FROM snapshots AS s
    INNER JOIN ticket_lives AS t
        ON s.account_id = t.account_id AND s.on_date >= t.known_on AND s.on_date < t.gone_on
    WHERE
        t.created_on < s.on_date
        AND (t.created_on >= s.on_date - 182 OR t.settled_on >= s.on_date - 182 OR t.is_solved = 0)
),

ticketed AS (
    SELECT
        account_id,
        as_of,
        CAST(SUM(opened_w13) AS BIGINT) AS opened_w13,
        CAST(SUM(opened_w26) AS BIGINT) AS opened_w26,
        CAST(SUM(opened_w26 * is_urgent) AS BIGINT) AS urgent_w26,
        CAST(SUM(solved_w26) AS BIGINT) AS solved_w26,
        CAST(SUM(solved_w26 * was_reopened) AS BIGINT) AS reopened_w26,
        MAX(CASE WHEN is_solved = 0 THEN DATE_DIFF('day', created_on, on_date) END) AS oldest_days
    FROM standing
    GROUP BY account_id, as_of
),

ranked_solutions AS (
    SELECT
        account_id,
        as_of,
        settled_after_s,
        ROW_NUMBER() OVER (PARTITION BY account_id, as_of ORDER BY settled_after_s) AS place,
        COUNT(*) OVER (PARTITION BY account_id, as_of) AS solutions
    FROM standing
    WHERE solved_w13 = 1
),

solved AS (
    SELECT
        account_id,
        as_of,
        CAST(SUM(settled_after_s) AS BIGINT) / COUNT(*) / 3600 AS resolution_hours
    FROM ranked_solutions
    -- The middle one, or the middle two.
    WHERE place * 2 BETWEEN solutions AND solutions + 2
    GROUP BY account_id, as_of
)

SELECT
    s.account_id,
    s.as_of,
    s.known_at,
    s.seats,
    a.nps_age_days,
    a.last_sum,
    a.last_answers,
    a.nps_sum_w26,
    a.nps_answers_w26,
    COALESCE(a.nps_sum, 0) AS nps_sum,
    COALESCE(a.nps_answers, 0) AS nps_answers,
    COALESCE(a.detractors, 0) AS detractors,
    COALESCE(a.ratings, 0) AS ratings,
    COALESCE(a.bad_ratings, 0) AS bad_ratings,
    r.invited,
    r.answered,
    CASE WHEN w.is_support = 1 THEN 1 END AS has_support,
    COALESCE(t.opened_w13, 0) AS opened_w13,
    COALESCE(t.opened_w26, 0) AS opened_w26,
    COALESCE(t.urgent_w26, 0) AS urgent_w26,
    COALESCE(t.solved_w26, 0) AS solved_w26,
    COALESCE(t.reopened_w26, 0) AS reopened_w26,
    COALESCE(t.oldest_days, 0) AS oldest_days,
    m.resolution_hours,
    p.expected_billionths,
    e.usage_par_w13
FROM snapshots AS s
INNER JOIN engagement AS e
    ON s.account_id = e.account_id AND s.as_of = e.as_of
LEFT JOIN answered AS a
    ON s.account_id = a.account_id AND s.as_of = a.as_of
LEFT JOIN responded AS r
    ON s.account_id = r.account_id AND s.as_of = r.as_of
INNER JOIN source_starts AS w
    ON s.as_of = w.as_of
LEFT JOIN ticketed AS t
    ON s.account_id = t.account_id AND s.as_of = t.as_of
LEFT JOIN solved AS m
    ON s.account_id = m.account_id AND s.as_of = m.as_of
LEFT JOIN ticket_pars AS p
    ON s.account_id = p.account_id AND s.on_date = p.on_date
