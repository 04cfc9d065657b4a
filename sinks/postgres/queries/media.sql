-- name: add
-- Files of messages that were just read; those of a message that was read before are there already.
INSERT INTO media (workspace, message_id, place, channel, account, provider_ref, declared_type, received_at, due_at)
SELECT g.workspace, g.message_id, g.place, g.channel, g.account, g.provider_ref, g.declared_type, g.received_at, g.received_at
FROM unnest(
    %(workspace)s::uuid[], %(message_id)s::uuid[], %(place)s::integer[], %(channel)s::text[], %(account)s::text[],
    %(provider_ref)s::text[], %(declared_type)s::text[], %(received_at)s::timestamptz[]
) AS g (workspace, message_id, place, channel, account, provider_ref, declared_type, received_at)
ORDER BY g.workspace, g.message_id, g.place
ON CONFLICT (workspace, message_id, place) DO NOTHING

-- name: claim
-- The file that has been due for longest, for one caller until its claim ends: a caller that dies gives it back so.
UPDATE media m SET attempts = m.attempts + 1, due_at = %(until)s
FROM (
    SELECT workspace, message_id, place FROM media
    WHERE state = 'waiting' AND due_at <= %(now)s AND workspace = ANY(%(workspaces)s)
    ORDER BY due_at LIMIT 1
    FOR UPDATE SKIP LOCKED
) AS due
WHERE m.workspace = due.workspace AND m.message_id = due.message_id AND m.place = due.place
RETURNING m.workspace, m.message_id, m.place, m.channel, m.account, m.provider_ref, m.declared_type, m.attempts

-- name: finish
-- What became of a claimed file; nothing if the claim has ended and somebody else has it.
UPDATE media
SET state = %(state)s, reason = %(reason)s, sha256 = %(sha256)s, type = %(type)s, size = %(size)s, finished_at = %(now)s
WHERE workspace = %(workspace)s AND message_id = %(message_id)s AND place = %(place)s
  AND state = 'waiting' AND attempts = %(attempts)s

-- name: postpone
-- Why a claimed file is not there yet, and when to try again.
UPDATE media SET reason = %(reason)s, due_at = %(due)s
WHERE workspace = %(workspace)s AND message_id = %(message_id)s AND place = %(place)s
  AND state = 'waiting' AND attempts = %(attempts)s
