-- name: holders
-- Who holds these handles, as root customers. Verified first; of several claimants the earliest. OFFSET 0 keeps the
-- look-ups apart: one by index for each handle, whatever a plan made for a small table would prefer.
SELECT wanted.workspace, wanted.kind, wanted.value, held.state, held.customer
FROM unnest(%(workspaces)s::uuid[], %(kinds)s::text[], %(values)s::text[]) AS wanted(workspace, kind, value)
CROSS JOIN LATERAL (
    SELECT DISTINCT ON (h.state) h.state, root.customer
    FROM handles h
    CROSS JOIN LATERAL (
        SELECT coalesce(c.merged_into, c.customer_id) AS customer FROM customers c
        WHERE c.workspace = h.workspace AND c.customer_id = h.customer_id OFFSET 0
    ) AS root
    WHERE h.workspace = wanted.workspace AND h.kind = wanted.kind AND h.value = wanted.value
    ORDER BY h.state, h.since, h.customer_id OFFSET 0
) AS held

-- name: insert_customers
-- Founding is deterministic: whoever comes second finds the same row.
INSERT INTO customers (workspace, customer_id, founding_kind, founding_value, proven, display_name, created_at)
SELECT * FROM unnest(%(workspaces)s::uuid[], %(customers)s::uuid[], %(kinds)s::text[], %(values)s::text[],
                     %(proven)s::boolean[], %(names)s::text[], %(created)s::timestamptz[])
ON CONFLICT (workspace, customer_id) DO NOTHING

-- name: insert_handles
-- Returns what is new. A verified handle that somebody else took meanwhile is not returned.
INSERT INTO handles (workspace, kind, value, customer_id, state, proof, since, evidence)
SELECT * FROM unnest(%(workspaces)s::uuid[], %(kinds)s::text[], %(values)s::text[], %(customers)s::uuid[],
                     %(states)s::text[], %(proofs)s::text[], %(since)s::timestamptz[], %(evidence)s::uuid[])
ON CONFLICT DO NOTHING
RETURNING workspace, kind, value, customer_id

-- name: taken
-- Which of these verified links another customer holds: the race that the unique index decided against us.
SELECT count(*)
FROM unnest(%(workspaces)s::uuid[], %(kinds)s::text[], %(values)s::text[], %(customers)s::uuid[])
     AS wanted(workspace, kind, value, customer_id)
JOIN handles h ON h.workspace = wanted.workspace AND h.kind = wanted.kind AND h.value = wanted.value
              AND h.state = 'verified' AND h.customer_id <> wanted.customer_id

-- name: insert_events
-- The append-only history of links; a message read again adds nothing.
INSERT INTO identity_events (workspace, event_id, message_id, customer_id, action, kind, value, proof, at)
SELECT * FROM unnest(%(workspaces)s::uuid[], %(events)s::uuid[], %(messages)s::uuid[], %(customers)s::uuid[],
                     %(actions)s::text[], %(kinds)s::text[], %(values)s::text[], %(proofs)s::text[],
                     %(at)s::timestamptz[])
ON CONFLICT (workspace, event_id) DO NOTHING
