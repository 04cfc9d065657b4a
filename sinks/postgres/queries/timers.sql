-- name: set_timers
-- When each falls due from now on. One that stays as it is costs no write.
INSERT INTO timers (workspace, kind, subject, due_at)
SELECT * FROM unnest(%(workspaces)s::uuid[], %(kinds)s::text[], %(subjects)s::text[], %(due)s::timestamptz[])
ON CONFLICT (workspace, kind, subject) DO UPDATE SET due_at = excluded.due_at
WHERE timers.due_at IS DISTINCT FROM excluded.due_at

-- name: drop_timers
-- What does not fall due any more.
DELETE FROM timers t
USING unnest(%(workspaces)s::uuid[], %(kinds)s::text[], %(subjects)s::text[]) AS gone(workspace, kind, subject)
WHERE t.workspace = gone.workspace AND t.kind = gone.kind AND t.subject = gone.subject

-- name: due_timers
-- What has fallen due, oldest first. Nothing is locked: the caller locks what the timers are about, in the order of locks.
SELECT t.workspace, t.kind, t.subject, t.due_at
FROM timers t
WHERE t.kind = %(kind)s AND t.due_at <= %(now)s
ORDER BY t.due_at
LIMIT %(limit)s

-- name: claim_timers
-- Those that are still due as they were read, now the caller's and gone: nobody else does them.
DELETE FROM timers t
USING unnest(%(workspaces)s::uuid[], %(kinds)s::text[], %(subjects)s::text[], %(due)s::timestamptz[])
      AS wanted(workspace, kind, subject, due_at)
WHERE t.workspace = wanted.workspace AND t.kind = wanted.kind AND t.subject = wanted.subject
  AND t.due_at = wanted.due_at
RETURNING t.workspace, t.kind, t.subject, t.due_at

-- name: near_deadline
-- Tickets of a department that are due by then, and of which this trigger was not asked for that deadline.
SELECT t.workspace, t.ticket_id, t.due_at
FROM tickets t
WHERE t.workspace = %(workspace)s AND t.department = %(department)s AND t.status <> 'solved'
  AND t.due_at <= %(until)s
  AND NOT EXISTS (SELECT FROM timed_rules r
                  WHERE r.workspace = t.workspace AND r.ticket_id = t.ticket_id AND r.trigger = %(trigger)s
                    AND r.since = t.due_at)
ORDER BY t.due_at
LIMIT %(limit)s

-- name: long_unassigned
-- Tickets that wait in a department's queue since then or longer, and of which this trigger was not asked for that wait.
SELECT t.workspace, t.ticket_id, t.held_since
FROM tickets t
WHERE t.workspace = %(workspace)s AND t.department = %(department)s AND t.agent IS NULL AND t.status IN ('new', 'open')
  AND t.held_since <= %(until)s
  AND NOT EXISTS (SELECT FROM timed_rules r
                  WHERE r.workspace = t.workspace AND r.ticket_id = t.ticket_id AND r.trigger = %(trigger)s
                    AND r.since = t.held_since)
ORDER BY t.held_since
LIMIT %(limit)s

-- name: ask_rules
-- Remembers that a trigger is asked; returns those of which nobody did.
INSERT INTO timed_rules (workspace, ticket_id, trigger, since)
SELECT * FROM unnest(%(workspaces)s::uuid[], %(tickets)s::uuid[], %(triggers)s::text[], %(since)s::timestamptz[])
ON CONFLICT (workspace, ticket_id, trigger) DO UPDATE SET since = excluded.since
WHERE timed_rules.since IS DISTINCT FROM excluded.since
RETURNING workspace, ticket_id

-- name: workspaces
-- All of them.
SELECT workspace FROM workspaces
