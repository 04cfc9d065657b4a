-- name: read
-- How far a poller has come.
SELECT c.epoch, c.position FROM cursors c
WHERE c.workspace = %(workspace)s AND c.channel = %(channel)s AND c.account = %(account)s AND c.folder = %(folder)s

-- name: save
-- Forwards only within an epoch: a late writer never takes a cursor back.
INSERT INTO cursors (workspace, channel, account, folder, epoch, position)
VALUES (%(workspace)s, %(channel)s, %(account)s, %(folder)s, %(epoch)s, %(position)s)
ON CONFLICT (workspace, channel, account, folder) DO UPDATE SET epoch = excluded.epoch, position = excluded.position
WHERE cursors.epoch <> excluded.epoch OR cursors.position < excluded.position

-- name: claim
-- True for one session at a time, until it ends or gives the lock back.
SELECT pg_try_advisory_lock(hashtextextended(%(name)s, 0))

-- name: alive
-- Whether the session that holds the lock still exists.
SELECT true
