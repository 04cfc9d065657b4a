-- name: list_tickets
-- A page of the queue: earliest deadline first, then age, then number. The last three parameters are the cursor: a page
-- begins behind it, so tickets that arrive meanwhile neither repeat nor hide others.
SELECT t.workspace, t.ticket_id, t.number, t.version, t.customer_id, t.trust, t.channel, t.account, t.store, t.subject,
       t.department, t.category, t.priority, t.status, t.agent, t.due_at, t.deadline::text AS deadline, t.tags,
       t.refers_to, t.messages, t.pulled, t.held_since, t.lease_until, t.step, t.language, t.held_back,
       t.created_at, t.updated_at, t.audit_head, t.context::text AS context, t.category_id, t.sla, t.clocks::text AS clocks
FROM tickets t
WHERE t.workspace = %(workspace)s
  AND (%(visible)s::text[] IS NULL OR t.department = ANY(%(visible)s::text[]) OR t.agent = %(holder)s::text)
  AND (%(department)s::text IS NULL OR t.department = %(department)s::text)
  AND (%(status)s::text IS NULL OR t.status = %(status)s::text)
  AND (%(channel)s::text IS NULL OR t.channel = %(channel)s::text)
  AND (%(customer)s::uuid IS NULL OR t.customer_id = %(customer)s::uuid)
  AND (%(agent)s::text IS NULL OR t.agent = %(agent)s::text)
  AND (NOT %(unassigned)s::boolean OR t.agent IS NULL)
  AND (%(after_number)s::bigint IS NULL
       OR (coalesce(t.due_at, 'infinity'), t.created_at, t.number)
          > (coalesce(%(after_due)s::timestamptz, 'infinity'), %(after_created)s::timestamptz, %(after_number)s::bigint))
ORDER BY coalesce(t.due_at, 'infinity'), t.created_at, t.number
LIMIT %(limit)s

-- name: one_ticket
-- By number or by id.
SELECT t.workspace, t.ticket_id, t.number, t.version, t.customer_id, t.trust, t.channel, t.account, t.store, t.subject,
       t.department, t.category, t.priority, t.status, t.agent, t.due_at, t.deadline::text AS deadline, t.tags,
       t.refers_to, t.messages, t.pulled, t.held_since, t.lease_until, t.step, t.language, t.held_back,
       t.created_at, t.updated_at, t.audit_head, t.context::text AS context, t.category_id, t.sla, t.clocks::text AS clocks
FROM tickets t
WHERE t.workspace = %(workspace)s AND (t.number = %(number)s::bigint OR t.ticket_id = %(id)s::uuid)
  AND (%(visible)s::text[] IS NULL OR t.department = ANY(%(visible)s::text[]) OR t.agent = %(holder)s::text)

-- name: conversation
-- The messages of a ticket, and whatever names one of them as its target (which may not know its ticket); each with what
-- became of its files at the provider.
WITH own AS (
    SELECT m.workspace, m.message_id, m.channel, m.account, m.provider_id
    FROM messages m WHERE m.workspace = %(workspace)s AND m.ticket_id = %(ticket)s
), wanted AS (
    SELECT own.workspace, own.message_id FROM own
    UNION
    SELECT m.workspace, m.message_id
    FROM own JOIN messages m ON m.workspace = own.workspace AND m.channel = own.channel AND m.account = own.account
                            AND m.target = own.provider_id
)
SELECT m.happened_at, m.out_of_order, m.duplicate_of, m.payload::text,
       (SELECT coalesce(json_agg(json_build_object('place', f.place, 'state', f.state, 'reason', f.reason,
                                                   'sha256', f.sha256, 'type', f.type, 'size', f.size)), '[]')
        FROM media f WHERE f.workspace = m.workspace AND f.message_id = m.message_id)::text
FROM wanted JOIN messages m ON m.workspace = wanted.workspace AND m.message_id = wanted.message_id
ORDER BY m.happened_at, m.received_at, m.message_id

-- name: decisions
-- Every decision about a ticket, oldest first.
SELECT d.message_id, d.rule_set, d.decided_at, d.record::text
FROM decisions d
WHERE d.workspace = %(workspace)s AND d.ticket_id = %(ticket)s
ORDER BY d.decided_at, d.message_id

-- name: audit_trail
-- What happened to a ticket, in order.
SELECT a.version, a.at, a.actor, a.action, a.detail::text
FROM audit a
WHERE a.workspace = %(workspace)s AND a.ticket_id = %(ticket)s
ORDER BY a.version

-- name: counts
-- Tickets per department and status.
SELECT t.department, t.status, count(*)
FROM tickets t
WHERE t.workspace = %(workspace)s AND (%(visible)s::text[] IS NULL OR t.department = ANY(%(visible)s::text[]))
GROUP BY t.department, t.status
ORDER BY t.department, t.status
