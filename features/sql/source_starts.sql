-- Since when does the company have its sources, and do they still tell?
-- Grain in: as_of_grid, account_campaigns_history, ticket_lives, payment_lives. Grain out: one row per snapshot.
-- campaigns_from and tickets_from: from when the first row of any account was known (null: none ever).
-- is_support and is_billing are 1 while anything of any account became known in 26 weeks.
WITH firsts AS (
    SELECT
        (SELECT MIN(available_at) FROM account_campaigns_history WHERE op = 'upsert') AS campaigns_from,
        (SELECT MIN(known_on) FROM ticket_lives) AS tickets_from
),

ticket_weeks AS (
    SELECT DISTINCT g.as_of
    FROM as_of_grid AS g
    INNER JOIN (SELECT DISTINCT known_on FROM ticket_lives) AS k
        ON k.known_on <= CAST(g.as_of AS DATE) AND k.known_on > CAST(g.as_of AS DATE) - 182
),

payment_weeks AS (
    SELECT DISTINCT g.as_of
    FROM as_of_grid AS g
    INNER JOIN (SELECT DISTINCT known_on FROM payment_lives) AS k
        ON k.known_on <= CAST(g.as_of AS DATE) AND k.known_on > CAST(g.as_of AS DATE) - 182
)

SELECT
    g.as_of,
    f.campaigns_from,
    f.tickets_from,
    CASE WHEN t.as_of IS NOT NULL THEN 1 ELSE 0 END AS is_support,
    CASE WHEN p.as_of IS NOT NULL THEN 1 ELSE 0 END AS is_billing
FROM as_of_grid AS g
CROSS JOIN firsts AS f
LEFT JOIN ticket_weeks AS t
    ON g.as_of = t.as_of
LEFT JOIN payment_weeks AS p
    ON g.as_of = p.as_of
