-- name: next_unassigned
-- The ticket to work on next, locked. One that somebody else is just taking is passed over, so that no two get the same;
-- the departments and barred categories come from the configuration.
SELECT t.workspace, t.ticket_id, t.number, t.version, t.customer_id, t.trust, t.channel, t.account, t.store, t.subject,
       t.department, t.category, t.priority, t.status, t.agent, t.due_at, t.deadline::text AS deadline, t.tags,
       t.refers_to, t.messages, t.pulled, t.held_since, t.lease_until, t.step, t.created_at, t.updated_at,
       t.audit_head, t.context::text AS context, t.category_id, t.sla, t.clocks::text AS clocks
FROM tickets t
WHERE t.workspace = %(workspace)s AND t.status <> 'solved' AND t.status <> 'waiting' AND t.agent IS NULL
  AND t.department = ANY(%(departments)s::text[])
  AND (t.category IS NULL OR t.category <> ALL(%(barred)s::text[]))
ORDER BY t.due_at, t.created_at, t.number
LIMIT 1
FOR NO KEY UPDATE OF t SKIP LOCKED

-- name: pulled_by
-- Pulled tickets that keep an agent busy: neither solved nor waiting for the customer.
SELECT t.number
FROM tickets t
WHERE t.workspace = %(workspace)s AND t.agent = %(agent)s AND t.pulled
  AND t.status <> 'solved' AND t.status <> 'waiting'
ORDER BY t.number

-- name: unsolved_of
-- How many unsolved tickets an agent holds, pulled or not.
SELECT count(*)
FROM tickets t
WHERE t.workspace = %(workspace)s AND t.agent = %(agent)s AND t.status <> 'solved'
