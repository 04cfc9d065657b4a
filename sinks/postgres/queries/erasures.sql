-- name: fence
-- Held by every batch of identity and, exclusively, by an erasure: no batch decides on what is just being erased.
SELECT pg_advisory_xact_lock_shared(%(lock_class)s, hashtext(workspace::text))
FROM unnest(%(workspaces)s::uuid[]) AS w(workspace)

-- name: shut
-- The same lock for the erasure itself.
SELECT pg_advisory_xact_lock(%(lock_class)s, hashtext(%(workspace)s::uuid::text))

-- name: keys
-- Which key the digests of these workspaces are made with.
SELECT k.workspace, k.fingerprint FROM erasure_keys k WHERE k.workspace = ANY(%(workspaces)s::uuid[])

-- name: find
-- Which of these are erased, by their number in the arrays.
SELECT wanted.n, e.generation, e.until
FROM unnest(%(workspaces)s::uuid[], %(kinds)s::text[], %(digests)s::bytea[])
     WITH ORDINALITY AS wanted(workspace, kind, digest, n)
JOIN erasures e ON e.workspace = wanted.workspace AND e.kind = wanted.kind AND e.digest = wanted.digest

-- name: claim_key
-- The first erasure of a workspace says which key it was made with.
INSERT INTO erasure_keys (workspace, fingerprint) VALUES (%(workspace)s, %(fingerprint)s)
ON CONFLICT (workspace) DO UPDATE SET fingerprint = erasure_keys.fingerprint
RETURNING fingerprint

-- name: held_elsewhere
-- Of the handles of these customers: how many customers lost each, and whether somebody else has it.
SELECT h.kind, h.value, h.customer_id, h.state,
       (SELECT count(*) FROM handles l
        WHERE l.workspace = h.workspace AND l.kind = h.kind AND l.value = h.value AND l.state = 'revoked'
          AND l.customer_id = ANY(%(members)s::uuid[])),
       EXISTS (SELECT FROM handles o
               WHERE o.workspace = h.workspace AND o.kind = h.kind AND o.value = h.value AND o.state <> 'revoked'
                 AND o.customer_id <> ALL(%(members)s::uuid[]))
FROM unnest(%(members)s::uuid[]) AS member(customer_id)
JOIN handles h ON h.customer_id = member.customer_id AND h.workspace = %(workspace)s
WHERE h.value NOT LIKE 'erased:%%'
ORDER BY h.kind, h.value, h.customer_id

-- name: messages
-- What customers wrote, what was written to them on their tickets, and events about these. `conversation`: of a chat.
WITH own AS (
    SELECT m.message_id FROM unnest(%(members)s::uuid[]) AS member(customer_id)
    JOIN messages m ON m.customer_id = member.customer_id AND m.workspace = %(workspace)s
    UNION
    SELECT m.message_id FROM messages m
    WHERE m.workspace = %(workspace)s AND m.ticket_id = ANY(%(tickets)s::uuid[])
      AND (m.customer_id IS NULL OR m.direction = 'out')
), about AS (
    SELECT own.message_id FROM own
    UNION
    SELECT e.message_id
    FROM own
    JOIN messages m ON m.workspace = %(workspace)s AND m.message_id = own.message_id
    JOIN messages e ON e.workspace = m.workspace AND e.channel = m.channel AND e.account = m.account
                   AND e.target = m.provider_id AND e.customer_id IS NULL
)
SELECT m.message_id, m.ticket_id, m.account,
       CASE WHEN m.channel = 'chat' THEN m.payload->>'conversation_key' END AS conversation,
       m.payload->'fields'->>'message_id' AS named
FROM about JOIN messages m ON m.workspace = %(workspace)s AND m.message_id = about.message_id
ORDER BY m.message_id

-- name: add
-- Tombstones. An older one is raised.
INSERT INTO erasures (workspace, kind, digest, generation, until)
SELECT %(workspace)s, g.kind, g.digest, g.generation, g.until
FROM unnest(%(kinds)s::text[], %(digests)s::bytea[], %(generations)s::int[], %(until)s::timestamptz[])
     AS g(kind, digest, generation, until)
ORDER BY g.kind, g.digest
ON CONFLICT (workspace, kind, digest)
DO UPDATE SET generation = erasures.generation + excluded.generation,
              until = greatest(erasures.until, excluded.until)
