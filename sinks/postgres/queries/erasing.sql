-- name: messages
-- Of each of these messages the books' part alone: its id, its door and when it came.
UPDATE messages m SET provider_id = 'erased:' || m.message_id, target = NULL, body_sha256 = NULL, content_sha256 = NULL,
    payload = json_build_object(
        'account', m.account, 'channel', m.channel, 'direction', m.direction, 'kind', m.kind,
        'marks', json_build_array('erased'), 'message_id', m.message_id, 'provider_id', 'erased:' || m.message_id,
        'received_at', to_char(m.received_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        'workspace', m.workspace)
WHERE m.workspace = %(workspace)s AND m.message_id = ANY(%(messages)s::uuid[])

-- name: media
-- Their files at providers. What is not fetched yet never will be.
WITH dropped AS (
    SELECT f.message_id, f.place, f.sha256 FROM media f
    WHERE f.workspace = %(workspace)s AND f.message_id = ANY(%(messages)s::uuid[])
    FOR UPDATE
), changed AS (
    UPDATE media f SET provider_ref = '', state = 'expired', reason = 'erased', sha256 = NULL,
        finished_at = coalesce(f.finished_at, %(now)s)
    FROM dropped
    WHERE f.workspace = %(workspace)s AND f.message_id = dropped.message_id AND f.place = dropped.place
)
SELECT dropped.sha256 FROM dropped WHERE dropped.sha256 IS NOT NULL

-- name: archived
-- Their references into the archive.
DELETE FROM archive_refs r
WHERE r.workspace = %(workspace)s AND r.message_id = ANY(%(messages)s::uuid[])
RETURNING r.sha256

-- name: garbage
-- Bytes that may be nobody's now: whoever sees all workspaces looks.
INSERT INTO archive_garbage (sha256, since)
SELECT DISTINCT g.sha256, %(now)s::timestamptz FROM unnest(%(digests)s::text[]) AS g(sha256)
ON CONFLICT DO NOTHING

-- name: tickets
-- What the new version of a ticket, written beside this, does not change.
UPDATE tickets t SET subject = NULL, context = NULL
WHERE t.workspace = %(workspace)s AND t.ticket_id = ANY(%(tickets)s::uuid[])

-- name: answers
-- What agents answered on these tickets.
UPDATE answers a SET text = '', recipient = ''
WHERE a.workspace = %(workspace)s AND a.ticket_id = ANY(%(tickets)s::uuid[])

-- name: notes
-- What agents told each other about them.
UPDATE notes n SET text = ''
WHERE n.workspace = %(workspace)s AND n.ticket_id = ANY(%(tickets)s::uuid[])

-- name: tags
-- What rules and people marked them with.
DELETE FROM customer_tags g
USING unnest(%(members)s::uuid[]) AS member(customer_id)
WHERE g.customer_id = member.customer_id AND g.workspace = %(workspace)s

-- name: orders
-- Orders keep what the shop needs to count them.
UPDATE orders o SET email = CASE WHEN o.email = ANY(%(emails)s::text[]) THEN NULL ELSE o.email END,
    phone = CASE WHEN o.phone = ANY(%(phones)s::text[]) THEN NULL ELSE o.phone END
WHERE o.workspace = %(workspace)s AND (o.email = ANY(%(emails)s::text[]) OR o.phone = ANY(%(phones)s::text[]))

-- name: codes
-- Codes that were mailed to them, or for them.
DELETE FROM proof_codes p
WHERE p.workspace = %(workspace)s
  AND (p.customer_id = ANY(%(members)s::uuid[]) OR p.value = ANY(%(emails)s::text[]))

-- name: deliveries
-- Mail to them. What has not left never will.
UPDATE deliveries d SET recipient = '', payload = '{}', reply = NULL,
    reason = CASE WHEN d.state = 'waiting' THEN 'erased' ELSE d.reason END,
    state = CASE WHEN d.state = 'waiting' THEN 'failed' ELSE d.state END,
    finished_at = coalesce(d.finished_at, %(now)s)
WHERE d.workspace = %(workspace)s
  AND (d.ticket_id = ANY(%(tickets)s::uuid[]) OR d.recipient = ANY(%(emails)s::text[]))

-- name: replied
-- Whom an automatic answer went to, under the digest, so that none goes twice a day all the same.
UPDATE automatic_replies r SET recipient = g.digest
FROM unnest(%(values)s::text[], %(digests)s::text[]) AS g(value, digest)
WHERE r.workspace = %(workspace)s AND r.recipient = g.value

-- name: calls
-- Calls to other systems that told of these tickets.
DELETE FROM webhook_calls w
USING unnest(%(tickets)s::uuid[]) AS told(ticket)
WHERE w.workspace = %(workspace)s AND strpos(w.body, told.ticket::text) > 0

-- name: refs
-- What later messages could name these tickets by, and these mails wherever they are.
DELETE FROM ticket_refs r
WHERE r.workspace = %(workspace)s
  AND (r.ticket_id = ANY(%(tickets)s::uuid[]) OR (r.kind = 'mail' AND r.value = ANY(%(named)s::text[])))

-- name: participants
-- Everybody who took part in these tickets, and these handles in the others.
DELETE FROM ticket_participants p
WHERE p.workspace = %(workspace)s
  AND (p.ticket_id = ANY(%(tickets)s::uuid[])
       OR (p.ticket_id = ANY(%(others)s::uuid[])
           AND (p.kind, p.value) IN (SELECT * FROM unnest(%(kinds)s::text[], %(values)s::text[]))))

-- name: decisions
-- The decision records of these tickets and messages.
SELECT d.message_id, d.record::text FROM decisions d
WHERE d.workspace = %(workspace)s
  AND (d.ticket_id = ANY(%(tickets)s::uuid[]) OR d.message_id = ANY(%(messages)s::uuid[]))
FOR UPDATE

-- name: redecide
-- Records with less in them.
UPDATE decisions d SET record = g.record
FROM unnest(%(messages)s::uuid[], %(records)s::json[]) AS g(message_id, record)
WHERE d.workspace = %(workspace)s AND d.message_id = g.message_id

-- name: chats
-- The chats of these conversations: lines, numbers and sessions.
WITH gone AS (
    SELECT * FROM unnest(%(accounts)s::text[], %(conversations)s::text[]) AS g(account, conversation)
), lines AS (
    DELETE FROM chat_lines l USING gone
    WHERE l.workspace = %(workspace)s AND l.account = gone.account AND l.conversation = gone.conversation
), numbers AS (
    DELETE FROM chats c USING gone
    WHERE c.workspace = %(workspace)s AND c.account = gone.account AND c.conversation = gone.conversation
)
UPDATE chat_sessions s SET conversation = 'erased:' || s.session_id, opening = '', settled = true,
    ended_at = coalesce(s.ended_at, %(now)s), ended_by = coalesce(s.ended_by, 'silence')
FROM gone
WHERE s.workspace = %(workspace)s AND s.account = gone.account AND s.conversation = gone.conversation

-- name: unpublished
-- Events of these tickets that the relay has not published.
SELECT o.shard, o.seq, o.payload FROM outbox o
WHERE o.workspace = %(workspace)s AND o.aggregatetype = 'ticket' AND o.aggregateid = ANY(%(tickets)s::uuid[])
FOR UPDATE

-- name: republish
-- The same events with less in them.
UPDATE outbox o SET payload = g.payload
FROM unnest(%(shards)s::smallint[], %(seqs)s::bigint[], %(payloads)s::bytea[]) AS g(shard, seq, payload)
WHERE o.workspace = %(workspace)s AND o.shard = g.shard AND o.seq = g.seq

-- name: unsend
-- What was to be sent on these tickets, and said of them.
DELETE FROM outbox o
WHERE o.workspace = %(workspace)s AND o.aggregatetype <> 'ticket' AND o.aggregateid = ANY(%(tickets)s::uuid[])

-- name: letters
-- Dead letters of the workspace that hold anything.
SELECT d.dead_letter_id, d.key FROM dead_letters d
WHERE d.workspace = %(workspace)s AND d.key IS NOT NULL

-- name: blank_letters
-- Dead letters without what they held. Nobody can try them again.
WITH held AS (
    SELECT d.dead_letter_id, d.raw_ref FROM dead_letters d
    WHERE d.workspace = %(workspace)s AND d.dead_letter_id = ANY(%(letters)s::uuid[])
    FOR UPDATE
), blanked AS (
    UPDATE dead_letters d SET raw = '', raw_ref = NULL, key = NULL, headers = '{}', detail = 'erased',
        state = CASE d.state WHEN 'waiting' THEN 'dropped' ELSE d.state END, actor = coalesce(d.actor, %(actor)s)
    FROM held WHERE d.workspace = %(workspace)s AND d.dead_letter_id = held.dead_letter_id
)
SELECT held.raw_ref FROM held WHERE held.raw_ref IS NOT NULL

-- name: handles
-- The handles of these customers under their digests, and proven no more.
UPDATE handles h SET value = g.digest, cause = NULL,
    state = CASE h.state WHEN 'claimed' THEN h.state ELSE 'revoked' END
FROM unnest(%(kinds)s::text[], %(values)s::text[], %(digests)s::text[]) AS g(kind, value, digest)
WHERE h.workspace = %(workspace)s AND h.kind = g.kind AND h.value = g.value
  AND h.customer_id = ANY(%(members)s::uuid[])

-- name: events
-- The history of these customers, likewise, and without what people gave as reasons.
UPDATE identity_events e SET reason = NULL,
    value = CASE WHEN e.value IS NULL OR e.value LIKE 'erased:%%' THEN e.value
                 ELSE coalesce((SELECT g.digest
                                FROM unnest(%(kinds)s::text[], %(values)s::text[], %(digests)s::text[])
                                     AS g(kind, value, digest)
                                WHERE g.kind = e.kind AND g.value = e.value), 'erased:') END
WHERE e.workspace = %(workspace)s AND e.customer_id = ANY(%(members)s::uuid[])

-- name: merges
-- The merges among them.
UPDATE merges m SET value = CASE WHEN m.value IS NULL THEN NULL ELSE 'erased:' END, reason = 'erased'
WHERE m.workspace = %(workspace)s AND (m.source = ANY(%(members)s::uuid[]) OR m.target = ANY(%(members)s::uuid[]))

-- name: requests
-- Merges that wait for a second person.
DELETE FROM merge_requests r
WHERE r.workspace = %(workspace)s AND (r.source = ANY(%(members)s::uuid[]) OR r.target = ANY(%(members)s::uuid[]))

-- name: traits
-- What they gave about themselves.
DELETE FROM customer_traits t
USING unnest(%(members)s::uuid[]) AS member(customer_id)
WHERE t.customer_id = member.customer_id AND t.workspace = %(workspace)s

-- name: customers
-- The customers themselves, each with the version of its last event.
UPDATE customers c SET founding_value = 'erased:', display_name = NULL, erased_at = %(now)s, version = c.version + 1
WHERE c.workspace = %(workspace)s AND c.customer_id = ANY(%(members)s::uuid[]) AND c.erased_at IS NULL
RETURNING c.customer_id, c.version
