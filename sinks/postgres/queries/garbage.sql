-- name: found
-- Bytes that lost a reference, and whether anything stored still needs them, in whatever workspace.
SELECT g.sha256,
       EXISTS (SELECT FROM archive_refs r WHERE r.sha256 = g.sha256)
       OR EXISTS (SELECT FROM media f WHERE f.sha256 = g.sha256)
       OR EXISTS (SELECT FROM dead_letters d WHERE d.raw_ref = 'sha256:' || g.sha256)
FROM archive_garbage g
ORDER BY g.since, g.sha256 LIMIT 1000

-- name: settled
-- Bytes that are gone, or needed after all.
DELETE FROM archive_garbage g USING unnest(%(digests)s::text[]) AS done(sha256) WHERE g.sha256 = done.sha256
