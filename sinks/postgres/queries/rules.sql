-- name: opening_messages
-- The message that opened each ticket: what rules over texts and senders read.
SELECT DISTINCT ON (m.workspace, m.ticket_id) m.workspace, m.ticket_id, m.payload::text
FROM unnest(%(workspaces)s::uuid[], %(tickets)s::uuid[]) AS wanted(workspace, ticket_id)
JOIN messages m ON m.workspace = wanted.workspace AND m.ticket_id = wanted.ticket_id
               AND m.kind IN ('message', 'call')
ORDER BY m.workspace, m.ticket_id, m.happened_at, m.received_at

-- name: customer_tags
-- Tags of these customers, and of those that were merged into them.
WITH wanted AS (
    SELECT * FROM unnest(%(workspaces)s::uuid[], %(customers)s::uuid[]) AS w(workspace, customer_id)
), own AS (
    SELECT workspace, customer_id AS root, customer_id FROM wanted
    UNION ALL
    SELECT c.workspace, c.merged_into, c.customer_id
    FROM wanted JOIN customers c ON c.workspace = wanted.workspace AND c.merged_into = wanted.customer_id
)
SELECT own.workspace, own.root, array_agg(DISTINCT t.tag ORDER BY t.tag)
FROM own JOIN customer_tags t ON t.workspace = own.workspace AND t.customer_id = own.customer_id
GROUP BY own.workspace, own.root
