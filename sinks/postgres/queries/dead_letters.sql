-- name: insert
-- Dead letters as read from their topics, once each. A conflict on either key means that the position has its row, or
-- that the door parked equal bytes before: those become duplicates.
INSERT INTO dead_letters (
    dead_letter_id, workspace, stage, reason, detail, disposition, channel, account, raw, raw_ref, key, headers,
    traceback_sha256, failed_topic, failed_partition, failed_offset, topic, partition, "offset", occurred_at)
SELECT g.dead_letter_id, g.workspace, g.stage, g.reason, g.detail, g.disposition, g.channel, g.account, g.raw,
       g.raw_ref, g.key, g.headers::json, g.traceback_sha256, g.failed_topic, g.failed_partition, g.failed_offset,
       g.topic, g.partition, g."offset", g.occurred_at
FROM unnest(
    %(dead_letter_id)s::uuid[], %(workspace)s::uuid[], %(stage)s::text[], %(reason)s::text[], %(detail)s::text[],
    %(disposition)s::text[], %(channel)s::text[], %(account)s::text[], %(raw)s::bytea[], %(raw_ref)s::text[],
    %(key)s::bytea[], %(headers)s::text[], %(traceback_sha256)s::text[], %(failed_topic)s::text[],
    %(failed_partition)s::integer[], %(failed_offset)s::bigint[], %(topic)s::text[], %(partition)s::integer[],
    %(offset)s::bigint[], %(occurred_at)s::timestamptz[]
) AS g (
    dead_letter_id, workspace, stage, reason, detail, disposition, channel, account, raw, raw_ref, key, headers,
    traceback_sha256, failed_topic, failed_partition, failed_offset, topic, partition, "offset", occurred_at)
ORDER BY g.dead_letter_id
ON CONFLICT DO NOTHING

-- name: insert_duplicates
-- The terminal rows of letters that lie at another position than the one that is stored.
INSERT INTO duplicates (topic, partition, "offset", message_id, at)
SELECT g.topic, g.partition, g."offset", g.dead_letter_id, g.occurred_at
FROM unnest(
    %(topic)s::text[], %(partition)s::integer[], %(offset)s::bigint[], %(dead_letter_id)s::uuid[],
    %(occurred_at)s::timestamptz[]
) AS g (topic, partition, "offset", dead_letter_id, occurred_at)
WHERE NOT EXISTS (
    SELECT FROM dead_letters d
    WHERE d.topic = g.topic AND d.partition = g.partition AND d."offset" = g."offset"
)
ORDER BY g.topic, g.partition, g."offset"
ON CONFLICT (topic, partition, "offset") DO NOTHING

-- name: find
-- Letters of a state, oldest first; a null filter takes all.
SELECT dead_letter_id, workspace, stage, reason, detail, disposition, state, actor, channel, account,
       ''::bytea AS raw, raw_ref, key, headers::text AS headers, traceback_sha256, failed_topic, failed_partition,
       failed_offset, topic, partition, "offset", occurred_at
FROM dead_letters
WHERE (%(state)s::text IS NULL OR state = %(state)s) AND (%(stage)s::text IS NULL OR stage = %(stage)s)
  AND (%(reason)s::text IS NULL OR reason = %(reason)s)
  AND (%(workspace)s::uuid IS NULL OR workspace = %(workspace)s)
ORDER BY occurred_at, dead_letter_id
LIMIT %(limit)s

-- name: one
-- One letter with its bytes.
SELECT dead_letter_id, workspace, stage, reason, detail, disposition, state, actor, channel, account,
       raw, raw_ref, key, headers::text AS headers, traceback_sha256, failed_topic, failed_partition,
       failed_offset, topic, partition, "offset", occurred_at
FROM dead_letters WHERE dead_letter_id = %(dead_letter_id)s

-- name: settle
-- What somebody did with a letter that waited; no row for one that does not wait. Where the books are closed already, a
-- dropped letter moves from parked to suppressed in them.
WITH settled AS (
    UPDATE dead_letters SET state = %(state)s, actor = %(actor)s
    WHERE dead_letter_id = %(dead_letter_id)s AND state = 'waiting'
    RETURNING topic, partition, "offset", state, disposition
), moved AS (
    UPDATE checkpoints c SET parked = c.parked - 1, suppressed = c.suppressed + 1
    FROM settled s
    WHERE s.state = 'dropped' AND s.disposition = 'parked'
      AND c.topic = s.topic AND c.partition = s.partition AND c."offset" > s."offset"
)
SELECT topic FROM settled

-- name: close_fuse
-- Lets a stopped partition go on.
DELETE FROM fuses WHERE stage = %(stage)s AND topic = %(topic)s AND partition = %(partition)s RETURNING stage
