-- name: present
-- Says that one more relay works here: a shared lock that ends with the session.
SELECT pg_advisory_lock_shared(%(lock_class)s, %(presence)s)

-- name: relays
-- How many relays work on this database.
SELECT count(*) FROM pg_locks
WHERE locktype = 'advisory' AND classid = %(lock_class)s AND objid = %(presence)s AND objsubid = 2 AND granted
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())

-- name: take_shard
-- True if this session now relays the shard, and nobody else can.
SELECT pg_try_advisory_lock(%(lock_class)s, %(shard)s)

-- name: give_shard
-- Leaves the shard to whoever asks next.
SELECT pg_advisory_unlock(%(lock_class)s, %(shard)s)

-- name: unpublished
-- The oldest rows of each of these shards. What is there, never "above the last seen": sequence order is not commit order.
SELECT o.shard, o.seq, o.id, o.aggregatetype, o.aggregateid, o.type, o.payload, o.workspace, o.traceparent, o.created_at
FROM unnest(%(shards)s::smallint[]) AS held(shard)
CROSS JOIN LATERAL (
    SELECT * FROM outbox WHERE outbox.shard = held.shard ORDER BY outbox.seq LIMIT %(limit)s
) AS o
ORDER BY o.shard, o.seq

-- name: published
-- Rows that the broker has acknowledged.
DELETE FROM outbox
USING unnest(%(shards)s::smallint[], %(seqs)s::bigint[]) AS done(shard, seq)
WHERE outbox.shard = done.shard AND outbox.seq = done.seq
