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
