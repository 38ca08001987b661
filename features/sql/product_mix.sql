-- Which products does an account buy, as known at each snapshot?
-- A product counts while a line of a live contract has a quantity of it. Grain in: as_of_grid, live_contracts,
-- subscription_lines_history (states). Grain out: one row per account and snapshot with such a line: how many products,
-- whether tokens or metered units are among them, and up to three names, the largest quantity first.
WITH known AS (
    SELECT
        g.as_of,
        n.contract_id,
        n.product_sku,
        n.quantity,
        COALESCE(n.status, 'active') AS line_status,
        COALESCE(n.usage_type, 'licensed') AS usage_type,
        n.op,
        ROW_NUMBER() OVER (
            PARTITION BY g.as_of, n.line_id ORDER BY n.valid_from DESC, n.available_at DESC, n.row_hash
        ) AS recency
    FROM as_of_grid AS g
    INNER JOIN subscription_lines_history AS n
        ON n.available_at <= g.as_of AND n.valid_from <= g.as_of
),

products AS (
    SELECT
        c.account_id,
        c.as_of,
        k.product_sku,
        CAST(SUM(k.quantity) AS BIGINT) AS quantity,
        MAX(CASE WHEN k.usage_type = 'token' THEN 1 ELSE 0 END) AS has_tokens,
        MAX(CASE WHEN k.usage_type = 'metered' THEN 1 ELSE 0 END) AS has_metered
    FROM live_contracts AS c
    INNER JOIN known AS k
        ON c.as_of = k.as_of AND c.contract_id = k.contract_id
    WHERE k.recency = 1 AND k.op = 'upsert' AND k.line_status <> 'ended' AND k.quantity > 0
    GROUP BY c.account_id, c.as_of, k.product_sku
),

placed AS (
    SELECT
        *,
        ROW_NUMBER() OVER (PARTITION BY account_id, as_of ORDER BY quantity DESC, product_sku) AS place
    FROM products
)

SELECT
    account_id,
    as_of,
    COUNT(*) AS products,
    MAX(has_tokens) AS has_tokens,
    MAX(has_metered) AS has_metered,
    MAX(CASE WHEN place = 1 THEN product_sku END)
    || COALESCE(', ' || MAX(CASE WHEN place = 2 THEN product_sku END), '')
    || COALESCE(', ' || MAX(CASE WHEN place = 3 THEN product_sku END), '')
    || CASE WHEN COUNT(*) > 3 THEN ' and ' || CAST(COUNT(*) - 3 AS VARCHAR) || ' more' ELSE '' END AS words
FROM placed
GROUP BY account_id, as_of
