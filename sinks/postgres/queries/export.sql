-- name: customers
-- The customer and everybody merged into it.
SELECT to_json(g)::text FROM (
    SELECT c.customer_id AS customer, c.display_name AS name, c.merged_into, c.created_at, c.founding_kind,
           c.founding_value, c.proven,
           ARRAY(SELECT t.tag FROM customer_tags t
                 WHERE t.workspace = c.workspace AND t.customer_id = c.customer_id ORDER BY t.tag) AS tags
    FROM customers c WHERE c.workspace = %(workspace)s AND c.customer_id = ANY(%(members)s::uuid[])
    ORDER BY c.created_at, c.customer_id) AS g

-- name: handles
-- What they are known by, and how it was proven.
SELECT to_json(g)::text FROM (
    SELECT h.customer_id AS customer, h.kind, h.value, h.state, h.proof, h.since, coalesce(h.seen, h.since) AS seen
    FROM unnest(%(members)s::uuid[]) AS member(customer_id)
    JOIN handles h ON h.customer_id = member.customer_id AND h.workspace = %(workspace)s
    ORDER BY h.kind, h.value, h.customer_id) AS g

-- name: history
-- How that came about, and what people did to it.
SELECT to_json(g)::text FROM (
    SELECT e.at, e.customer_id AS customer, e.action, e.kind, e.value, e.proof, e.other, e.message_id AS message, e.source,
           e.evidence, e.actor, e.reason
    FROM unnest(%(members)s::uuid[]) AS member(customer_id)
    JOIN identity_events e ON e.customer_id = member.customer_id AND e.workspace = %(workspace)s
    ORDER BY e.serial) AS g

-- name: traits
-- What they said of themselves.
SELECT to_json(g)::text FROM (
    SELECT t.customer_id AS customer, t.kind, t.value
    FROM unnest(%(members)s::uuid[]) AS member(customer_id)
    JOIN customer_traits t ON t.customer_id = member.customer_id AND t.workspace = %(workspace)s
    WHERE t.kind <> 'block'
    ORDER BY t.kind, t.value) AS g

-- name: tickets
-- Their tickets.
SELECT to_json(g)::text FROM (
    SELECT t.ticket_id AS ticket, t.number, t.customer_id AS customer, t.channel, t.account, t.store, t.subject,
           t.department, t.category, t.priority, t.status, t.tags, t.created_at, t.updated_at
    FROM tickets t WHERE t.workspace = %(workspace)s AND t.ticket_id = ANY(%(tickets)s::uuid[])
    ORDER BY t.number) AS g

-- name: messages
-- What they wrote, and what was written to them, as it came in.
SELECT json_build_object('ticket', m.ticket_id, 'happened_at', m.happened_at, 'message', m.payload)::text
FROM messages m WHERE m.workspace = %(workspace)s AND m.message_id = ANY(%(messages)s::uuid[])
ORDER BY m.happened_at, m.received_at, m.message_id

-- name: answers
-- What agents answered.
SELECT to_json(g)::text FROM (
    SELECT a.ticket_id AS ticket, a.channel, a.account, a.name, a.text, a.created_at
    FROM answers a WHERE a.workspace = %(workspace)s AND a.ticket_id = ANY(%(tickets)s::uuid[])
    ORDER BY a.created_at, a.answer_id) AS g

-- name: orders
-- The orders that shops sent us of their addresses and numbers.
SELECT to_json(g)::text FROM (
    SELECT o.store, o.number, o.email, o.phone, o.status, o.payment, o.fulfilment, o.total, o.currency, o.placed_at
    FROM unnest(%(members)s::uuid[]) AS member(customer_id)
    JOIN handles h ON h.customer_id = member.customer_id AND h.workspace = %(workspace)s AND h.state = 'verified'
    JOIN orders o ON o.workspace = h.workspace
                 AND ((h.kind = 'email' AND o.email = h.value) OR (h.kind = 'phone' AND o.phone = h.value))
    GROUP BY o.workspace, o.store, o.number
    ORDER BY o.placed_at, o.number) AS g

-- name: notes
-- What agents told each other about their tickets.
SELECT to_json(g)::text FROM (
    SELECT n.ticket_id AS ticket, n.agent, n.text, n.created_at
    FROM notes n WHERE n.workspace = %(workspace)s AND n.ticket_id = ANY(%(tickets)s::uuid[])
    ORDER BY n.created_at, n.note_id) AS g

-- name: decisions
-- How their tickets were decided.
SELECT d.record::text FROM decisions d
WHERE d.workspace = %(workspace)s AND d.ticket_id = ANY(%(tickets)s::uuid[])
ORDER BY d.decided_at, d.message_id

-- name: files
-- The bytes that their messages have in the archive.
SELECT r.sha256, min(r.message_id::text)::uuid FROM (
    SELECT a.sha256, a.message_id FROM archive_refs a
    WHERE a.workspace = %(workspace)s AND a.message_id = ANY(%(messages)s::uuid[])
    UNION ALL
    SELECT f.sha256, f.message_id FROM media f
    WHERE f.workspace = %(workspace)s AND f.message_id = ANY(%(messages)s::uuid[]) AND f.sha256 IS NOT NULL
) AS r
GROUP BY r.sha256
ORDER BY r.sha256
