-- How did each week compare with what was to be expected, as known when the week closed, and what is the sum so far?
-- Grain in: usage_windows, usage_expected, account_weeks. Grain out: one row per account and snapshot of account_weeks
-- after run.settled_at, where the sums go on from settled_pars, this step's answer of an earlier run.
-- par_w1 = ln((done + 0.5) / (expected + 0.5)) of the week's core actions, in millionths, whole so that sums are exact,
-- null for a week that was not measured; week_no counts an account's weeks. seat_ratio = users of 4 weeks per seat.
-- *_so_far sum up an account's weeks: the difference of two rows is the sum over the weeks between them. x is week_no
-- and y is par_w1, where there is one.
WITH closed AS (
    SELECT
        u.account_id,
        u.as_of,
        u.usage_rows,
        COALESCE(b.week_no, 0)
        + CAST(ROW_NUMBER() OVER (PARTITION BY u.account_id ORDER BY u.as_of) AS BIGINT) AS week_no,
        CASE
            WHEN e.is_measured = 1
                THEN CAST(FLOOR(1000000 * LN((1000 * u.core_w1 + 500) / (e.expected_core + 500)) + 0.5) AS BIGINT)
        END AS par_w1,
        CASE WHEN a.is_live = 1 AND u.usage_rows > 0 THEN CAST(u.users_w4 AS DOUBLE) / NULLIF(a.seats, 0) END
            AS seat_ratio,
        e.is_measured,
        e.is_unexpected,
        e.expected_core,
        e.expected_collab,
        e.expected_users,
        e.typical_users
    FROM usage_windows AS u
    INNER JOIN usage_expected AS e
        ON u.account_id = e.account_id AND u.as_of = e.as_of
    INNER JOIN account_weeks AS a
        ON u.account_id = a.account_id AND u.as_of = a.as_of
    LEFT JOIN settled_pars AS b
        ON u.account_id = b.account_id
    CROSS JOIN run AS r
    WHERE u.as_of > r.settled_at
),

placed AS (
    SELECT
        *,
        CASE WHEN par_w1 IS NOT NULL THEN week_no ELSE 0 END AS x,
        COALESCE(par_w1, 0) AS y
    FROM closed
)

SELECT
    c.account_id,
    c.as_of,
    c.week_no,
    c.par_w1,
    c.usage_rows,
    c.seat_ratio,
    COALESCE(b.measured_so_far, 0) + CAST(SUM(c.is_measured) OVER so_far AS BIGINT) AS measured_so_far,
    COALESCE(b.unexpected_so_far, 0) + CAST(SUM(c.is_unexpected) OVER so_far AS BIGINT) AS unexpected_so_far,
    COALESCE(b.expected_so_far, 0) + COUNT(c.expected_core) OVER so_far AS expected_so_far,
    COALESCE(b.core_so_far, 0) + CAST(SUM(COALESCE(c.expected_core, 0)) OVER so_far AS BIGINT) AS core_so_far,
    COALESCE(b.collab_so_far, 0) + CAST(SUM(COALESCE(c.expected_collab, 0)) OVER so_far AS BIGINT) AS collab_so_far,
    COALESCE(b.users_so_far, 0) + CAST(SUM(COALESCE(c.expected_users, 0)) OVER so_far AS BIGINT) AS users_so_far,
    COALESCE(b.typical_so_far, 0) + CAST(SUM(COALESCE(c.typical_users, 0)) OVER so_far AS BIGINT) AS typical_so_far,
    COALESCE(b.pars_so_far, 0) + COUNT(c.par_w1) OVER so_far AS pars_so_far,
    COALESCE(b.x_so_far, 0) + CAST(SUM(c.x) OVER so_far AS BIGINT) AS x_so_far,
    COALESCE(b.xx_so_far, 0) + CAST(SUM(c.x * c.x) OVER so_far AS BIGINT) AS xx_so_far,
    COALESCE(b.y_so_far, 0) + CAST(SUM(c.y) OVER so_far AS BIGINT) AS y_so_far,
    COALESCE(b.xy_so_far, 0) + CAST(SUM(c.x * c.y) OVER so_far AS BIGINT) AS xy_so_far
FROM placed AS c
LEFT JOIN settled_pars AS b
    ON c.account_id = b.account_id
WINDOW so_far AS (PARTITION BY c.account_id ORDER BY c.as_of ROWS UNBOUNDED PRECEDING)
