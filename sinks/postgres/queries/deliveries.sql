-- name: add
-- Messages of the topic; those that were read before are there already.
INSERT INTO deliveries (workspace, outbound_id, ticket_id, channel, account, recipient, payload, created_at, due_at)
SELECT * FROM unnest(%(workspaces)s::uuid[], %(ids)s::uuid[], %(tickets)s::uuid[], %(channels)s::text[],
                     %(accounts)s::text[], %(recipients)s::text[], %(payloads)s::json[], %(created)s::timestamptz[],
                     %(due)s::timestamptz[])
ON CONFLICT (workspace, outbound_id) DO NOTHING

-- name: claim
-- The message that has been due for longest, for one caller until its claim ends. A caller that died gives it back so, and
-- nobody knows whether it had come to an end.
UPDATE deliveries d SET attempts = d.attempts + 1, due_at = %(until)s, claimed = true, unsure = d.unsure OR d.claimed
FROM (
    SELECT w.workspace, w.outbound_id FROM deliveries w
    WHERE w.state = 'waiting' AND w.due_at <= %(now)s AND w.workspace = ANY(%(workspaces)s::uuid[])
    ORDER BY w.due_at LIMIT 1
    FOR UPDATE SKIP LOCKED
) AS due
WHERE d.workspace = due.workspace AND d.outbound_id = due.outbound_id
RETURNING d.payload::text, d.attempts

-- name: finish
-- The end of it, by whoever holds the claim.
UPDATE deliveries d SET state = %(state)s, reason = %(reason)s, reply = %(reply)s, claimed = false, finished_at = %(now)s
WHERE d.workspace = %(workspace)s AND d.outbound_id = %(id)s AND d.state = 'waiting' AND d.attempts = %(attempts)s

-- name: postpone
-- Not now.
UPDATE deliveries d SET reason = %(reason)s, reply = %(reply)s, claimed = false, due_at = %(due)s,
    unsure = d.unsure OR %(unsure)s
WHERE d.workspace = %(workspace)s AND d.outbound_id = %(id)s AND d.state = 'waiting' AND d.attempts = %(attempts)s

-- name: listed
-- For people, the newest first.
SELECT d.outbound_id, t.number, d.channel, d.recipient, d.state, d.attempts, d.unsure, d.reason, d.reply, d.created_at,
       d.due_at, d.finished_at
FROM deliveries d
LEFT JOIN tickets t ON t.workspace = d.workspace AND t.ticket_id = d.ticket_id
WHERE d.workspace = %(workspace)s AND (%(state)s::text IS NULL OR d.state = %(state)s::text)
ORDER BY d.created_at DESC, d.outbound_id LIMIT %(limit)s
