-- name: checkpoints
-- Below these offsets the books are closed.
SELECT topic, partition, "offset", stored, duplicates, parked, suppressed FROM checkpoints

-- name: window
-- The terminal rows of one partition's offsets [low, high): how many of each kind, which offsets have none, which have two.
WITH terminal AS MATERIALIZED (
    SELECT "offset", 'stored' AS term FROM messages
    WHERE topic = %(topic)s AND partition = %(partition)s AND "offset" >= %(low)s AND "offset" < %(high)s
    UNION ALL
    SELECT "offset", 'duplicate' FROM duplicates
    WHERE topic = %(topic)s AND partition = %(partition)s AND "offset" >= %(low)s AND "offset" < %(high)s
    UNION ALL
    SELECT "offset", CASE WHEN disposition = 'suppressed' OR state = 'dropped' THEN 'suppressed' ELSE 'parked' END
    FROM dead_letters
    WHERE topic = %(topic)s AND partition = %(partition)s AND "offset" >= %(low)s AND "offset" < %(high)s
)
SELECT count(*) FILTER (WHERE term = 'stored'),
       count(*) FILTER (WHERE term = 'duplicate'),
       count(*) FILTER (WHERE term = 'parked'),
       count(*) FILTER (WHERE term = 'suppressed'),
       ARRAY (
           SELECT o FROM generate_series(%(low)s::bigint, %(high)s::bigint - 1) AS o
           EXCEPT SELECT "offset" FROM terminal ORDER BY 1
       ),
       ARRAY (SELECT "offset" FROM terminal GROUP BY "offset" HAVING count(*) > 1 ORDER BY 1)
FROM terminal

-- name: close_books
-- Moves a partition's checkpoint; never back, should two verifiers run.
INSERT INTO checkpoints (topic, partition, "offset", stored, duplicates, parked, suppressed)
VALUES (%(topic)s, %(partition)s, %(offset)s, %(stored)s, %(duplicates)s, %(parked)s, %(suppressed)s)
ON CONFLICT (topic, partition) DO UPDATE
SET "offset" = excluded."offset", stored = excluded.stored, duplicates = excluded.duplicates,
    parked = excluded.parked, suppressed = excluded.suppressed
WHERE checkpoints."offset" < excluded."offset"
