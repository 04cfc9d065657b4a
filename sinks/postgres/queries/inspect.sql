-- name: find_ticket
-- A ticket by number, by id, or by the id or receipt (a range of ids) of one of its messages.
SELECT t.ticket_id, t.number
FROM tickets t
WHERE t.workspace = %(workspace)s AND (t.number = %(number)s OR t.ticket_id = %(id)s
    OR t.ticket_id = (SELECT m.ticket_id FROM messages m
                      WHERE m.workspace = %(workspace)s AND m.message_id BETWEEN %(low)s AND %(high)s LIMIT 1))

-- name: all_tickets
-- Every ticket of a workspace, oldest number first, page by page.
SELECT t.workspace, t.ticket_id, t.number, t.version, t.customer_id, t.trust, t.channel, t.account, t.store, t.subject,
       t.department, t.category, t.priority, t.status, t.agent, t.due_at, t.deadline::text AS deadline, t.tags,
       t.refers_to, t.messages, t.pulled, t.held_since, t.lease_until, t.step, t.language, t.held_back,
       t.created_at, t.updated_at, t.audit_head, t.context::text AS context, t.category_id, t.sla, t.clocks::text AS clocks
FROM tickets t
WHERE t.workspace = %(workspace)s AND t.number > %(after)s
  AND (%(department)s::text IS NULL OR t.department = %(department)s)
  AND (%(status)s::text IS NULL OR t.status = %(status)s)
  AND (%(ticket)s::uuid IS NULL OR t.ticket_id = %(ticket)s)
ORDER BY t.number LIMIT %(limit)s

-- name: message
-- One stored message and where its record lies.
SELECT message_id, ticket_id, customer_id, channel, account, kind, direction, happened_at, received_at, topic, partition,
       "offset", payload::text
FROM messages WHERE workspace = %(workspace)s AND message_id = %(id)s

-- name: messages_of_ticket
-- The messages of a ticket in their order.
SELECT message_id, kind, direction, happened_at, received_at, out_of_order, topic, partition, "offset", payload::text
FROM messages WHERE workspace = %(workspace)s AND ticket_id = %(ticket)s
ORDER BY happened_at, received_at, message_id

-- name: decisions_of_ticket
-- The decision records of a ticket, oldest first.
SELECT message_id, rule_set, decided_at, record::text FROM decisions
WHERE workspace = %(workspace)s AND ticket_id = %(ticket)s ORDER BY decided_at, message_id

-- name: trail
-- The audit rows of a ticket.
SELECT version, at, actor, action, detail::text FROM audit
WHERE workspace = %(workspace)s AND ticket_id = %(ticket)s ORDER BY version

-- name: count_decided_between
-- How many there are.
SELECT count(*) FROM decisions
WHERE workspace = %(workspace)s AND decided_at >= %(since)s AND decided_at < %(until)s

-- name: decided_between
-- Decisions in the order in which they were made, page by page, each with its message and what became of the ticket.
SELECT d.message_id, d.ticket_id, d.rule_set, d.decided_at, d.record::text AS record, m.payload::text AS payload,
       m.customer_id, t.number, (t.clocks->'first_answer'->>'at')::timestamptz AS answered
FROM decisions d
JOIN messages m ON m.workspace = d.workspace AND m.message_id = d.message_id
JOIN tickets t ON t.workspace = d.workspace AND t.ticket_id = d.ticket_id
WHERE d.workspace = %(workspace)s AND d.decided_at < %(until)s
  AND (d.decided_at, d.message_id) > (%(after_time)s, %(after_message)s)
ORDER BY d.decided_at, d.message_id LIMIT %(limit)s

-- name: decided_of_ticket
-- The same of one ticket.
SELECT d.message_id, d.ticket_id, d.rule_set, d.decided_at, d.record::text AS record, m.payload::text AS payload,
       m.customer_id, t.number, (t.clocks->'first_answer'->>'at')::timestamptz AS answered
FROM decisions d
JOIN messages m ON m.workspace = d.workspace AND m.message_id = d.message_id
JOIN tickets t ON t.workspace = d.workspace AND t.ticket_id = d.ticket_id
WHERE d.workspace = %(workspace)s AND d.ticket_id = %(ticket)s
ORDER BY d.decided_at, d.message_id
