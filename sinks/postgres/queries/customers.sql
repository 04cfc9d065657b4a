-- name: holder
-- The customer whom a handle names: who holds it, before who contests it, before who claims it.
SELECT h.customer_id
FROM handles h
WHERE h.workspace = %(workspace)s AND h.kind = %(kind)s AND h.value = %(value)s AND h.state <> 'revoked'
ORDER BY CASE h.state WHEN 'verified' THEN 0 WHEN 'disputed' THEN 1 ELSE 2 END, h.since, h.customer_id
LIMIT 1

-- name: verified_by
-- Who holds a handle, after merges.
SELECT coalesce(c.merged_into, c.customer_id)
FROM handles h
JOIN customers c ON c.workspace = h.workspace AND c.customer_id = h.customer_id
WHERE h.workspace = %(workspace)s AND h.kind = %(kind)s AND h.value = %(value)s AND h.state = 'verified'

-- name: customer
-- One customer, and the root that it leads to.
SELECT c.customer_id, coalesce(c.merged_into, c.customer_id), c.display_name, c.proven, c.created_at,
       c.erased_at IS NOT NULL
FROM customers c
WHERE c.workspace = %(workspace)s AND c.customer_id = %(customer)s

-- name: version
-- Of the newest event about a customer.
SELECT c.version FROM customers c WHERE c.workspace = %(workspace)s AND c.customer_id = %(customer)s

-- name: languages
-- What somebody said their language to be, and what it was found to be.
WITH member AS MATERIALIZED (
    SELECT c.customer_id FROM customers c
    WHERE c.workspace = %(workspace)s AND (c.customer_id = %(root)s OR c.merged_into = %(root)s)
)
SELECT (SELECT m.payload ->> 'locale'
        FROM member JOIN messages m ON m.customer_id = member.customer_id AND m.workspace = %(workspace)s
        WHERE m.payload ->> 'locale' IS NOT NULL
        ORDER BY m.received_at DESC LIMIT 1),
       (SELECT t.language
        FROM member JOIN tickets t ON t.customer_id = member.customer_id AND t.workspace = %(workspace)s
        WHERE t.language IS NOT NULL
        ORDER BY t.created_at DESC LIMIT 1)

-- name: handles
-- What customers are known by.
SELECT h.kind, h.value, h.state, h.proof, h.since, coalesce(h.seen, h.since), h.customer_id
FROM unnest(%(members)s::uuid[]) AS member(customer_id)
JOIN handles h ON h.customer_id = member.customer_id AND h.workspace = %(workspace)s
ORDER BY h.kind, h.value, h.customer_id

-- name: tickets
-- The newest tickets of customers, of the departments that the reader may see.
SELECT t.number, t.subject, t.department, t.status, t.created_at, t.customer_id
FROM tickets t
WHERE t.workspace = %(workspace)s AND t.customer_id = ANY(%(members)s::uuid[])
  AND (%(visible)s::text[] IS NULL OR t.department = ANY(%(visible)s::text[]))
ORDER BY t.created_at DESC, t.number DESC LIMIT 50

-- name: ticket_ids
-- All tickets of customers, whoever may see them.
SELECT t.ticket_id FROM tickets t
WHERE t.workspace = %(workspace)s AND t.customer_id = ANY(%(members)s::uuid[])
ORDER BY t.ticket_id

-- name: ticket_count
-- How many tickets customers have, whoever may see them.
SELECT count(*) FROM tickets t WHERE t.workspace = %(workspace)s AND t.customer_id = ANY(%(members)s::uuid[])

-- name: merged
-- The merges that made customers one.
SELECT m.source, m.target, m.automatic, m.kind, m.value, m.actor, m.reason, m.at
FROM merges m
WHERE m.workspace = %(workspace)s AND m.source = ANY(%(members)s::uuid[])
ORDER BY m.at, m.source

-- name: events
-- What happened to customers' links, newest first.
SELECT e.at, e.action, e.customer_id, e.kind, e.value, e.proof, e.other, e.message_id, e.source, e.evidence, e.actor,
       e.reason
FROM unnest(%(members)s::uuid[]) AS member(customer_id)
JOIN identity_events e ON e.customer_id = member.customer_id AND e.workspace = %(workspace)s
ORDER BY e.serial DESC LIMIT 200

-- name: request
-- Who asked for a merge against a veto.
SELECT r.actor FROM merge_requests r
WHERE r.workspace = %(workspace)s AND r.source = %(source)s AND r.target = %(target)s

-- name: ask
-- A merge against a veto, for a second person to confirm. Asked once.
INSERT INTO merge_requests (workspace, source, target, actor, reason, at)
VALUES (%(workspace)s, %(source)s, %(target)s, %(actor)s, %(reason)s, %(at)s)
ON CONFLICT DO NOTHING

-- name: answered
-- The request is done with.
DELETE FROM merge_requests r
WHERE r.workspace = %(workspace)s AND r.source = %(source)s AND r.target = %(target)s

-- name: lost
-- How many customers lost a handle: the generation of the next one that it founds.
SELECT count(*) FROM handles h
WHERE h.workspace = %(workspace)s AND h.kind = %(kind)s AND h.value = %(value)s AND h.state = 'revoked'

-- name: link
-- One proven link of any of these customers.
SELECT h.customer_id, h.proof, h.evidence
FROM handles h
WHERE h.workspace = %(workspace)s AND h.kind = %(kind)s AND h.value = %(value)s
  AND h.customer_id = ANY(%(members)s::uuid[]) AND h.state IN ('verified', 'disputed')
ORDER BY h.state DESC, h.since, h.customer_id LIMIT 1
