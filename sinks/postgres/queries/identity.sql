-- name: holders
-- Who holds these handles, as root customers, by their number in the arrays: of several claimants the earliest, and
-- everybody who proved it. OFFSET 0 keeps the look-ups apart: one by index for each handle, whatever a plan made for a
-- small table would prefer.
SELECT wanted.n, held.state, held.since, held.customer, held.evidence, held.own, held.seen, held.cause,
       held.proven_by
FROM unnest(%(workspaces)s::uuid[], %(kinds)s::text[], %(values)s::text[])
     WITH ORDINALITY AS wanted(workspace, kind, value, n)
CROSS JOIN LATERAL (
    SELECT DISTINCT ON (CASE h.state WHEN 'claimed' THEN NULL ELSE h.customer_id END)
           h.state, h.since, root.customer, h.evidence, h.customer_id AS own, coalesce(h.seen, h.since) AS seen, h.cause,
           h.proven_by
    FROM handles h
    CROSS JOIN LATERAL (
        SELECT coalesce(c.merged_into, c.customer_id) AS customer FROM customers c
        WHERE c.workspace = h.workspace AND c.customer_id = h.customer_id OFFSET 0
    ) AS root
    WHERE h.workspace = wanted.workspace AND h.kind = wanted.kind AND h.value = wanted.value
    ORDER BY CASE h.state WHEN 'claimed' THEN NULL ELSE h.customer_id END, h.since, root.customer OFFSET 0
) AS held

-- name: write
-- New customers, links and the history of links; what is there stays. Founding is deterministic: whoever comes second
-- finds the same row. Returns the links that are new, with their actions: not those that somebody else took meanwhile.
WITH founded AS (
    INSERT INTO customers (workspace, customer_id, founding_kind, founding_value, proven, display_name, created_at,
                           generation)
    SELECT * FROM unnest(%(workspaces)s::uuid[], %(customers)s::uuid[], %(founding_kinds)s::text[],
                         %(founding_values)s::text[], %(proven)s::boolean[], %(names)s::text[],
                         %(created)s::timestamptz[], %(generations)s::int[])
    ON CONFLICT (workspace, customer_id) DO NOTHING
), events AS MATERIALIZED (
    SELECT * FROM unnest(%(event_workspaces)s::uuid[], %(events)s::uuid[], %(actions)s::text[], %(holders)s::uuid[],
                         %(kinds)s::text[], %(values)s::text[], %(proofs)s::text[], %(at)s::timestamptz[],
                         %(messages)s::uuid[], %(others)s::uuid[], %(sources)s::text[], %(evidence)s::text[],
                         %(actors)s::text[], %(reasons)s::text[])
        WITH ORDINALITY AS event(workspace, event_id, action, customer_id, kind, value, proof, at, message_id, other,
                                 source, evidence, actor, reason, n)
), history AS (
    INSERT INTO identity_events (workspace, event_id, action, customer_id, kind, value, proof, at, message_id, other,
                                 source, evidence, actor, reason)
    SELECT workspace, event_id, action, customer_id, kind, value, proof, at, message_id, other, source, evidence, actor,
           reason
    FROM events ORDER BY n
    ON CONFLICT (workspace, event_id) DO NOTHING
)
INSERT INTO handles (workspace, kind, value, customer_id, state, proof, since, evidence, seen, proven_by)
SELECT workspace, kind, value, customer_id, CASE action WHEN 'linked' THEN 'verified' ELSE action END, proof, at,
       message_id, at, coalesce(evidence, source)
FROM events WHERE action IN ('linked', 'claimed', 'disputed')
ORDER BY workspace, kind, value, customer_id, n
ON CONFLICT DO NOTHING
RETURNING workspace, kind, value, customer_id, CASE state WHEN 'verified' THEN 'linked' ELSE state END

-- name: promote
-- What these customers claimed, had lost, or held in dispute until now, is proven. Fails when somebody else holds it as
-- verified.
UPDATE handles h SET state = CASE proven.action WHEN 'linked' THEN 'verified' ELSE proven.action END,
    proof = proven.proof, since = proven.at, evidence = proven.message_id, seen = proven.at, cause = NULL,
    proven_by = proven.proven_by
FROM unnest(%(workspaces)s::uuid[], %(kinds)s::text[], %(values)s::text[], %(customers)s::uuid[], %(actions)s::text[],
            %(proofs)s::text[], %(at)s::timestamptz[], %(messages)s::uuid[], %(proven_by)s::text[])
     AS proven(workspace, kind, value, customer_id, action, proof, at, message_id, proven_by)
WHERE h.workspace = proven.workspace AND h.kind = proven.kind AND h.value = proven.value
  AND h.customer_id = proven.customer_id
  AND (h.state IN ('claimed', 'revoked')
       OR (h.state = 'disputed' AND proven.action = 'linked' AND h.evidence <> proven.message_id))

-- name: taken
-- Which of these verified links another customer holds: the race that the unique index decided against us.
SELECT count(*)
FROM unnest(%(workspaces)s::uuid[], %(kinds)s::text[], %(values)s::text[], %(customers)s::uuid[], %(actions)s::text[])
     AS wanted(workspace, kind, value, customer_id, action)
JOIN handles h ON h.workspace = wanted.workspace AND h.kind = wanted.kind AND h.value = wanted.value
              AND h.state = 'verified' AND h.customer_id <> wanted.customer_id
WHERE wanted.action = 'linked'

-- name: contested
-- Verified links that a message brought into dispute.
UPDATE handles h SET state = 'disputed', cause = lost.message_id
FROM unnest(%(workspaces)s::uuid[], %(kinds)s::text[], %(values)s::text[], %(customers)s::uuid[], %(messages)s::uuid[])
     AS lost(workspace, kind, value, customer_id, message_id)
WHERE h.workspace = lost.workspace AND h.kind = lost.kind AND h.value = lost.value AND h.customer_id = lost.customer_id
  AND h.state = 'verified'

-- name: revoked
-- Links that ended: split off by people, or without what proved them.
UPDATE handles h SET state = 'revoked', cause = NULL
FROM unnest(%(workspaces)s::uuid[], %(kinds)s::text[], %(values)s::text[], %(customers)s::uuid[])
     AS lost(workspace, kind, value, customer_id)
WHERE h.workspace = lost.workspace AND h.kind = lost.kind AND h.value = lost.value AND h.customer_id = lost.customer_id

-- name: seen
-- Links that were proven again.
UPDATE handles h SET seen = greatest(coalesce(h.seen, h.since), again.at), proven_by = again.proven_by
FROM unnest(%(workspaces)s::uuid[], %(kinds)s::text[], %(values)s::text[], %(customers)s::uuid[],
            %(at)s::timestamptz[], %(proven_by)s::text[])
     AS again(workspace, kind, value, customer_id, at, proven_by)
WHERE h.workspace = again.workspace AND h.kind = again.kind AND h.value = again.value
  AND h.customer_id = again.customer_id
