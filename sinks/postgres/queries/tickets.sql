-- name: lock_customers
-- First in the lock order. Who holds the lock decides about this customer's conversations alone.
SELECT c.workspace, c.customer_id, coalesce(c.merged_into, c.customer_id), c.erased_at IS NOT NULL
FROM customers c
JOIN unnest(%(workspaces)s::uuid[], %(customers)s::uuid[]) AS wanted(workspace, customer_id)
  ON c.workspace = wanted.workspace AND c.customer_id = wanted.customer_id
ORDER BY c.workspace, c.customer_id
FOR NO KEY UPDATE OF c

-- name: stored
-- Which messages are stored already, and from which record.
SELECT m.workspace, m.message_id, m.topic, m.partition, m."offset", m.body_sha256
FROM unnest(%(workspaces)s::uuid[], %(messages)s::uuid[]) AS wanted(workspace, message_id)
JOIN messages m ON m.workspace = wanted.workspace AND m.message_id = wanted.message_id

-- name: tickets_by_ref
-- The tickets that these references name: Message-IDs, chats, calls and orders of stored messages, tickets' own numbers, and
-- customers' newest open tickets.
WITH wanted AS (
    SELECT * FROM unnest(%(workspaces)s::uuid[], %(kinds)s::text[], %(values)s::text[]) AS w(workspace, kind, value)
)
SELECT r.workspace, r.kind, r.value, r.ticket_id
FROM wanted
JOIN ticket_refs r ON r.workspace = wanted.workspace AND r.kind = wanted.kind AND r.value = wanted.value
UNION ALL
SELECT t.workspace, wanted.kind, wanted.value, t.ticket_id
FROM wanted
JOIN tickets t ON t.workspace = wanted.workspace
              AND t.number = CASE WHEN wanted.kind IN ('token', 'number') THEN wanted.value::bigint END
WHERE wanted.kind IN ('token', 'number')
UNION ALL
SELECT wanted.workspace, wanted.kind, wanted.value, open.ticket_id
FROM wanted CROSS JOIN LATERAL (
    SELECT t.ticket_id FROM tickets t
    WHERE t.workspace = wanted.workspace AND t.status <> 'solved'
      AND t.customer_id = CASE WHEN wanted.kind = 'customer' THEN wanted.value::uuid END
    ORDER BY t.created_at DESC LIMIT 10
) AS open
WHERE wanted.kind = 'customer'

-- name: tickets_by_number
-- What ratings are about. Whose a ticket is never changes, so nothing is locked for it.
SELECT t.workspace, t.number, t.ticket_id, t.customer_id
FROM unnest(%(workspaces)s::uuid[], %(numbers)s::bigint[]) AS wanted(workspace, number)
JOIN tickets t ON t.workspace = wanted.workspace AND t.number = wanted.number

-- name: lock_tickets
-- Third in the lock order: the whole row, since it is the base of the next snapshot.
SELECT t.workspace, t.ticket_id, t.number, t.version, t.customer_id, t.trust, t.channel, t.account, t.store, t.subject,
       t.department, t.category, t.priority, t.status, t.agent, t.due_at, t.deadline::text AS deadline, t.tags,
       t.refers_to, t.messages, t.pulled, t.held_since, t.lease_until, t.step, t.language, t.held_back,
       t.created_at, t.updated_at, t.audit_head, t.context::text AS context, t.category_id, t.sla, t.clocks::text AS clocks
FROM tickets t
JOIN unnest(%(workspaces)s::uuid[], %(tickets)s::uuid[]) AS wanted(workspace, ticket_id)
  ON t.workspace = wanted.workspace AND t.ticket_id = wanted.ticket_id
ORDER BY t.workspace, t.ticket_id
FOR NO KEY UPDATE OF t

-- name: participants
-- Who may join these tickets by a mail header.
SELECT p.workspace, p.ticket_id, p.kind, p.value
FROM unnest(%(workspaces)s::uuid[], %(tickets)s::uuid[]) AS wanted(workspace, ticket_id)
JOIN ticket_participants p ON p.workspace = wanted.workspace AND p.ticket_id = wanted.ticket_id

-- name: newest_message
-- When the newest stored message of each ticket happened: an older one that comes now is out of order.
SELECT wanted.workspace, wanted.ticket_id, newest.happened_at
FROM unnest(%(workspaces)s::uuid[], %(tickets)s::uuid[]) AS wanted(workspace, ticket_id)
CROSS JOIN LATERAL (
    SELECT m.happened_at FROM messages m
    WHERE m.workspace = wanted.workspace AND m.ticket_id = wanted.ticket_id
    ORDER BY m.happened_at DESC, m.received_at DESC LIMIT 1
) AS newest

-- name: insert_messages
-- The terminal row of each message. Another offset of the same message is a duplicate, and not written here.
INSERT INTO messages (workspace, message_id, ticket_id, customer_id, channel, account, provider_id, kind, direction,
                      target, body_sha256, happened_at, received_at, out_of_order, topic, partition, "offset", payload,
                      content_sha256, duplicate_of)
SELECT * FROM unnest(%(workspaces)s::uuid[], %(messages)s::uuid[], %(tickets)s::uuid[], %(customers)s::uuid[],
                     %(channels)s::text[], %(accounts)s::text[], %(provider_ids)s::text[], %(kinds)s::text[],
                     %(directions)s::text[], %(targets)s::text[], %(bodies)s::text[], %(happened)s::timestamptz[],
                     %(received)s::timestamptz[], %(out_of_order)s::boolean[], %(topics)s::text[],
                     %(partitions)s::int[], %(offsets)s::bigint[], %(payloads)s::json[], %(contents)s::text[],
                     %(duplicate_of)s::uuid[])
ON CONFLICT DO NOTHING

-- name: insert_duplicates
-- Terminal rows of records whose message came from another offset.
INSERT INTO duplicates (topic, partition, "offset", message_id, at)
SELECT * FROM unnest(%(topics)s::text[], %(partitions)s::int[], %(offsets)s::bigint[], %(messages)s::uuid[],
                     %(at)s::timestamptz[])
ON CONFLICT DO NOTHING

-- name: upsert_tickets
-- New and changed tickets alike: the snapshot after the batch. A lower version never overwrites a higher one.
-- What was pulled stays pulled as long as the same agent holds it; the department that came first stays the first.
INSERT INTO tickets (workspace, ticket_id, number, version, customer_id, trust, channel, account, store, subject,
                     department, category, priority, status, agent, due_at, deadline, tags, refers_to, messages,
                     pulled, held_since, lease_until, step, language, held_back, created_at, updated_at, audit_head,
                     context, category_id, sla, first_department, clocks, next_action_at, first_answer_at, first_answer_minutes,
                     first_answer_wall_minutes, resolution_at, resolution_minutes, resolution_wall_minutes, transfers)
SELECT workspace, ticket_id, number, version, customer_id, trust, channel, account, store, subject, department,
       category, priority, status, agent, due_at, deadline, string_to_array(tags, E'\x1f'), refers_to, messages,
       pulled, held_since, lease_until, step, language, held_back, created_at, updated_at, audit_head, context,
       category_id, sla, department, clocks, next_action_at, first_answer_at, first_answer_minutes, first_answer_wall_minutes,
       resolution_at, resolution_minutes, resolution_wall_minutes, transfers
FROM unnest(%(workspaces)s::uuid[], %(tickets)s::uuid[], %(numbers)s::bigint[], %(versions)s::int[],
            %(customers)s::uuid[], %(trusts)s::text[], %(channels)s::text[], %(accounts)s::text[], %(stores)s::text[],
            %(subjects)s::text[], %(departments)s::text[], %(categories)s::text[], %(priorities)s::text[],
            %(statuses)s::text[], %(agents)s::text[], %(due)s::timestamptz[], %(deadlines)s::json[], %(tags)s::text[],
            %(refers_to)s::uuid[], %(counts)s::int[], %(pulled)s::boolean[], %(held)s::timestamptz[],
            %(leases)s::timestamptz[], %(steps)s::text[], %(languages)s::text[], %(held_back)s::boolean[],
            %(created)s::timestamptz[], %(updated)s::timestamptz[], %(heads)s::bytea[], %(contexts)s::json[], %(category_ids)s::text[], %(slas)s::text[],
            %(clocks)s::json[], %(next_actions)s::timestamptz[], %(answered)s::timestamptz[],
            %(answer_minutes)s::float8[], %(answer_wall_minutes)s::float8[], %(resolved)s::timestamptz[],
            %(resolution_minutes)s::float8[], %(resolution_wall_minutes)s::float8[], %(transfers)s::int[])
     AS new(workspace, ticket_id, number, version, customer_id, trust, channel, account, store, subject, department,
            category, priority, status, agent, due_at, deadline, tags, refers_to, messages, pulled, held_since,
            lease_until, step, language, held_back, created_at, updated_at, audit_head, context, category_id, sla, clocks, next_action_at,
            first_answer_at, first_answer_minutes, first_answer_wall_minutes, resolution_at, resolution_minutes,
            resolution_wall_minutes, transfers)
ON CONFLICT (workspace, ticket_id) DO UPDATE SET
    version = excluded.version, trust = excluded.trust, department = excluded.department,
    category = excluded.category, priority = excluded.priority, status = excluded.status, agent = excluded.agent,
    due_at = excluded.due_at, deadline = excluded.deadline, tags = excluded.tags, messages = excluded.messages,
    held_since = excluded.held_since, lease_until = excluded.lease_until, step = excluded.step,
    held_back = excluded.held_back,
    updated_at = excluded.updated_at, audit_head = excluded.audit_head, context = excluded.context,
    category_id = excluded.category_id, sla = excluded.sla, clocks = excluded.clocks,
    next_action_at = excluded.next_action_at, first_answer_at = excluded.first_answer_at,
    first_answer_minutes = excluded.first_answer_minutes,
    first_answer_wall_minutes = excluded.first_answer_wall_minutes, resolution_at = excluded.resolution_at,
    resolution_minutes = excluded.resolution_minutes, resolution_wall_minutes = excluded.resolution_wall_minutes,
    transfers = excluded.transfers,
    pulled = excluded.pulled OR (tickets.pulled AND tickets.agent IS NOT DISTINCT FROM excluded.agent)
WHERE tickets.version < excluded.version

-- name: change_ticket
-- What `upsert_tickets` makes of one ticket, for whoever has locked it and so knows that it is there: two thirds of the price.
UPDATE tickets t SET
    version = %(version)s::int, trust = %(trust)s::text, department = %(department)s::text,
    category = %(category)s::text, priority = %(priority)s::text, status = %(status)s::text, agent = %(agent)s::text,
    due_at = %(due_at)s::timestamptz, deadline = %(deadline)s::json, tags = string_to_array(%(tags)s::text, E'\x1f'),
    messages = %(messages)s::int, held_since = %(held_since)s::timestamptz, lease_until = %(lease_until)s::timestamptz,
    step = %(step)s::text, held_back = %(held_back)s::boolean, updated_at = %(updated_at)s::timestamptz,
    audit_head = %(audit_head)s::bytea, context = %(context)s::json, category_id = %(category_id)s::text,
    sla = %(sla)s::text, clocks = %(clocks)s::json, next_action_at = %(next_action_at)s::timestamptz,
    first_answer_at = %(first_answer_at)s::timestamptz, first_answer_minutes = %(first_answer_minutes)s::float8,
    first_answer_wall_minutes = %(first_answer_wall_minutes)s::float8,
    resolution_at = %(resolution_at)s::timestamptz, resolution_minutes = %(resolution_minutes)s::float8,
    resolution_wall_minutes = %(resolution_wall_minutes)s::float8, transfers = %(transfers)s::int,
    pulled = %(pulled)s::boolean OR (t.pulled AND t.agent IS NOT DISTINCT FROM %(agent)s::text)
WHERE t.workspace = %(workspace)s::uuid AND t.ticket_id = %(ticket_id)s::uuid AND t.version < %(version)s::int

-- name: insert_refs
-- What later messages can name.
INSERT INTO ticket_refs (workspace, kind, value, ticket_id)
SELECT * FROM unnest(%(workspaces)s::uuid[], %(kinds)s::text[], %(values)s::text[], %(tickets)s::uuid[])
ON CONFLICT DO NOTHING

-- name: insert_participants
-- Who takes part.
INSERT INTO ticket_participants (workspace, ticket_id, kind, value)
SELECT * FROM unnest(%(workspaces)s::uuid[], %(tickets)s::uuid[], %(kinds)s::text[], %(values)s::text[])
ON CONFLICT DO NOTHING

-- name: insert_decisions
-- The decision record, stored once; audit and outbox refer to it by the message.
INSERT INTO decisions (workspace, message_id, ticket_id, rule_set, decided_at, record)
SELECT * FROM unnest(%(workspaces)s::uuid[], %(messages)s::uuid[], %(tickets)s::uuid[], %(rule_sets)s::text[],
                     %(decided)s::timestamptz[], %(records)s::json[])
ON CONFLICT DO NOTHING

-- name: insert_audit
-- The trail. Each row's hash covers the one before it of the same ticket.
INSERT INTO audit (workspace, ticket_id, version, at, actor, action, detail, hash)
SELECT * FROM unnest(%(workspaces)s::uuid[], %(tickets)s::uuid[], %(versions)s::int[], %(at)s::timestamptz[],
                     %(actors)s::text[], %(actions)s::text[], %(details)s::json[], %(hashes)s::bytea[])

-- name: insert_outbox
-- What the relay publishes, in the order of each ticket's versions.
INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload, workspace, traceparent, shard, created_at)
SELECT * FROM unnest(%(ids)s::uuid[], %(aggregates)s::text[], %(aggregate_ids)s::uuid[], %(types)s::text[],
                     %(payloads)s::bytea[], %(workspaces)s::uuid[], %(traces)s::text[], %(shards)s::smallint[],
                     %(created)s::timestamptz[])

-- name: notify_outbox
-- Wakes the relay; it polls as well.
NOTIFY outbox

-- name: ensure_rotations
-- A rotation exists before it is locked.
INSERT INTO rotations (workspace, department, category)
SELECT * FROM unnest(%(workspaces)s::uuid[], %(departments)s::text[], %(categories)s::text[])
ON CONFLICT DO NOTHING

-- name: lock_rotations
-- Last but one in the lock order, in one sorted statement: all writers want these rows.
SELECT r.workspace, r.department, r.category, r.turns
FROM rotations r
JOIN unnest(%(workspaces)s::uuid[], %(departments)s::text[], %(categories)s::text[])
     AS wanted(workspace, department, category)
  ON r.workspace = wanted.workspace AND r.department = wanted.department AND r.category = wanted.category
ORDER BY r.workspace, r.department, r.category
FOR NO KEY UPDATE OF r

-- name: move_rotations
-- In the transaction that assigns.
UPDATE rotations r SET turns = moved.turns
FROM unnest(%(workspaces)s::uuid[], %(departments)s::text[], %(categories)s::text[], %(turns)s::json[])
     AS moved(workspace, department, category, turns)
WHERE r.workspace = moved.workspace AND r.department = moved.department AND r.category = moved.category

-- name: stamp_agents
-- When each agent last got a ticket: the tie-break of least-open.
UPDATE agents a SET last_assigned_at = stamped.at
FROM unnest(%(workspaces)s::uuid[], %(agents)s::text[], %(at)s::timestamptz[]) AS stamped(workspace, agent, at)
WHERE a.workspace = stamped.workspace AND a.agent = stamped.agent

-- name: insert_archive_refs
-- Which archived bytes a message needs: they go when no message does any more.
INSERT INTO archive_refs (workspace, message_id, sha256)
SELECT * FROM unnest(%(workspaces)s::uuid[], %(messages)s::uuid[], %(digests)s::text[])
ON CONFLICT DO NOTHING
