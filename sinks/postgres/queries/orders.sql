-- name: put
-- Orders as their shop has them now. What was sent late is older than what is there, and changes nothing.
INSERT INTO orders AS o (workspace, store, number, email, phone, status, payment, fulfilment, total, currency, placed_at,
                         updated_at)
SELECT * FROM unnest(%(workspace)s::uuid[], %(store)s::text[], %(number)s::text[], %(email)s::text[], %(phone)s::text[],
                     %(status)s::text[], %(payment)s::text[], %(fulfilment)s::text[], %(total)s::text[],
                     %(currency)s::text[], %(placed_at)s::timestamptz[], %(updated_at)s::timestamptz[])
ON CONFLICT (workspace, store, number) DO UPDATE SET
    email = excluded.email, phone = excluded.phone, status = excluded.status, payment = excluded.payment,
    fulfilment = excluded.fulfilment, total = excluded.total, currency = excluded.currency,
    placed_at = excluded.placed_at, updated_at = excluded.updated_at
WHERE o.updated_at <= excluded.updated_at

-- name: find
-- The newest orders of each number, address or telephone number.
SELECT wanted.place, o.workspace, o.store, o.number, o.email, o.phone, o.status, o.payment, o.fulfilment, o.total,
       o.currency, o.placed_at, o.updated_at
FROM unnest(%(kinds)s::text[], %(values)s::text[]) WITH ORDINALITY AS wanted(kind, value, place)
CROSS JOIN LATERAL (
    SELECT * FROM (
        SELECT * FROM orders n
        WHERE wanted.kind = 'number' AND n.workspace = %(workspace)s AND n.store = %(store)s AND n.number = wanted.value
        UNION ALL
        (SELECT * FROM orders e
         WHERE wanted.kind = 'email' AND e.workspace = %(workspace)s AND e.email = wanted.value AND e.store = %(store)s
         ORDER BY e.placed_at DESC LIMIT %(most)s)
        UNION ALL
        (SELECT * FROM orders p
         WHERE wanted.kind = 'phone' AND p.workspace = %(workspace)s AND p.phone = wanted.value AND p.store = %(store)s
         ORDER BY p.placed_at DESC LIMIT %(most)s)
    ) AS any_of_them
) AS o
ORDER BY wanted.place, o.placed_at DESC NULLS LAST, o.number
