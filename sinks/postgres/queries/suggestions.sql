-- name: add
-- What customers gave about themselves; what is there stays.
INSERT INTO customer_traits (workspace, kind, value, customer_id)
SELECT * FROM unnest(%(workspaces)s::uuid[], %(kinds)s::text[], %(values)s::text[], %(customers)s::uuid[])
ON CONFLICT DO NOTHING

-- name: candidates
-- The roots of customers who share a block with these. A block that more than 30 share says nothing, and is not walked.
-- OFFSET 0 keeps the look-ups apart, each by index.
SELECT DISTINCT coalesce(c.merged_into, c.customer_id)
FROM (
    SELECT DISTINCT own.value FROM unnest(%(members)s::uuid[]) AS member(customer_id)
    JOIN customer_traits own ON own.customer_id = member.customer_id AND own.workspace = %(workspace)s
    WHERE own.kind = 'block'
) AS block
CROSS JOIN LATERAL (
    SELECT array_agg(few.customer_id) AS customers FROM (
        SELECT t.customer_id FROM customer_traits t
        WHERE t.workspace = %(workspace)s AND t.kind = 'block' AND t.value = block.value
        LIMIT 31 OFFSET 0
    ) AS few
) AS shared
CROSS JOIN LATERAL unnest(shared.customers) AS sharer(customer_id)
JOIN customers c ON c.workspace = %(workspace)s AND c.customer_id = sharer.customer_id
WHERE cardinality(shared.customers) <= 30 AND coalesce(c.merged_into, c.customer_id) <> ALL(%(members)s::uuid[])
LIMIT 300

-- name: traits
-- What is known of customers, to be compared.
SELECT t.customer_id, t.kind, t.value
FROM unnest(%(members)s::uuid[]) AS member(customer_id)
JOIN customer_traits t ON t.customer_id = member.customer_id AND t.workspace = %(workspace)s
WHERE t.kind <> 'block'
UNION ALL
SELECT h.customer_id, h.kind, h.value
FROM unnest(%(members)s::uuid[]) AS member(customer_id)
JOIN handles h ON h.customer_id = member.customer_id AND h.workspace = %(workspace)s
WHERE h.kind IN ('email', 'phone') AND h.state <> 'revoked'
