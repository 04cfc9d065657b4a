-- name: lock_conversations
-- Second in the lock order, after customers: two people who begin one conversation at once begin one ticket.
SELECT pg_advisory_xact_lock(hashtextextended(key, 0)) FROM unnest(%(keys)s::text[]) AS key

-- name: families
-- Each customer with all ids of the same person: of the root that merges led to, and of everybody merged into it.
WITH wanted AS (
    SELECT w.workspace, w.customer_id, coalesce(c.merged_into, c.customer_id) AS root
    FROM unnest(%(workspaces)s::uuid[], %(customers)s::uuid[]) AS w(workspace, customer_id)
    JOIN customers c ON c.workspace = w.workspace AND c.customer_id = w.customer_id
)
SELECT workspace, customer_id, root FROM wanted
UNION
SELECT wanted.workspace, wanted.customer_id, m.customer_id
FROM wanted JOIN customers m ON m.merged_into = wanted.root AND m.workspace = wanted.workspace

-- name: twins
-- The newest message of each content, in its time, that is on a ticket.
SELECT wanted.workspace, wanted.content, twin.message_id, twin.ticket_id, twin.received_at
FROM unnest(%(workspaces)s::uuid[], %(contents)s::text[], %(since)s::timestamptz[], %(until)s::timestamptz[])
     AS wanted(workspace, content, since, until)
CROSS JOIN LATERAL (
    SELECT m.message_id, m.ticket_id, m.received_at FROM messages m
    WHERE m.workspace = wanted.workspace AND m.content_sha256 = wanted.content AND m.ticket_id IS NOT NULL
      AND m.received_at BETWEEN wanted.since AND wanted.until
    ORDER BY m.received_at DESC, m.message_id LIMIT 1
) AS twin

-- name: missed_calls
-- Calls of customers on these tickets that nobody took.
SELECT m.ticket_id, m.target, m.happened_at
FROM unnest(%(workspaces)s::uuid[], %(tickets)s::uuid[], %(since)s::timestamptz[]) AS wanted(workspace, ticket_id, since)
JOIN messages m ON m.workspace = wanted.workspace AND m.ticket_id = wanted.ticket_id AND m.happened_at >= wanted.since
WHERE m.kind = 'call' AND m.direction = 'in' AND m.target IS NOT NULL
  AND m.payload->'fields'->>'event' IN ('missed', 'voicemail')
ORDER BY m.ticket_id, m.happened_at, m.message_id
