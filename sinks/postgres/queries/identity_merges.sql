-- name: lock
-- First in the lock order: these customers and all that are merged into them, so that nobody else changes who they are.
SELECT c.customer_id
FROM customers c
WHERE (c.workspace, c.customer_id) IN (
    SELECT wanted.workspace, wanted.customer
    FROM unnest(%(workspaces)s::uuid[], %(customers)s::uuid[]) AS wanted(workspace, customer)
    UNION
    SELECT m.workspace, m.customer_id
    FROM unnest(%(workspaces)s::uuid[], %(customers)s::uuid[]) AS wanted(workspace, customer)
    JOIN customers m ON m.merged_into = wanted.customer AND m.workspace = wanted.workspace)
ORDER BY c.workspace, c.customer_id
FOR NO KEY UPDATE OF c

-- name: members
-- Who is who: each of these customers that is a root, with itself and everybody merged into it.
SELECT c.workspace, c.customer_id, c.customer_id
FROM unnest(%(workspaces)s::uuid[], %(customers)s::uuid[]) AS wanted(workspace, customer)
JOIN customers c ON c.workspace = wanted.workspace AND c.customer_id = wanted.customer AND c.merged_into IS NULL
UNION ALL
SELECT c.workspace, c.merged_into, c.customer_id
FROM unnest(%(workspaces)s::uuid[], %(customers)s::uuid[]) AS wanted(workspace, customer)
JOIN customers c ON c.merged_into = wanted.customer AND c.workspace = wanted.workspace

-- name: proven
-- What customers have proven, alone or not.
SELECT h.customer_id, h.workspace, h.kind, h.value, h.proof
FROM unnest(%(workspaces)s::uuid[], %(customers)s::uuid[]) AS wanted(workspace, customer)
JOIN handles h ON h.customer_id = wanted.customer AND h.workspace = wanted.workspace
              AND h.state IN ('verified', 'disputed')

-- name: merged_at
-- When customers were merged by us.
SELECT m.source, m.at
FROM unnest(%(workspaces)s::uuid[], %(customers)s::uuid[]) AS wanted(workspace, customer)
JOIN merges m ON m.workspace = wanted.workspace AND m.source = wanted.customer AND m.automatic

-- name: separations
-- Pairs, one of them among these customers, that people keep apart.
SELECT s.low, s.high
FROM unnest(%(workspaces)s::uuid[], %(customers)s::uuid[]) AS wanted(workspace, customer)
JOIN separations s ON s.workspace = wanted.workspace AND s.low = wanted.customer
UNION
SELECT s.low, s.high
FROM unnest(%(workspaces)s::uuid[], %(customers)s::uuid[]) AS wanted(workspace, customer)
JOIN separations s ON s.high = wanted.customer AND s.workspace = wanted.workspace

-- name: merge
-- A merge of two roots: what is merged into the source leads to the target's root at once, so that no chain is walked.
-- Returns the source's version; nothing when either is no root any more.
WITH roots AS (
    SELECT count(*) AS n FROM customers c
    WHERE c.workspace = %(workspace)s AND c.customer_id IN (%(source)s, %(target)s) AND c.merged_into IS NULL
), made AS (
    INSERT INTO merges (workspace, source, target, automatic, kind, value, actor, reason, at)
    SELECT %(workspace)s, %(source)s, %(target)s, %(automatic)s, %(kind)s, %(value)s, %(actor)s, %(reason)s, %(at)s
    FROM roots WHERE roots.n = 2
), led AS (
    UPDATE customers c SET merged_into = %(target)s
    FROM roots WHERE roots.n = 2 AND c.workspace = %(workspace)s AND c.merged_into = %(source)s
)
UPDATE customers c SET merged_into = %(target)s, version = c.version + 1
FROM roots WHERE roots.n = 2 AND c.workspace = %(workspace)s AND c.customer_id = %(source)s
RETURNING c.version

-- name: unmerge
-- A merge taken back: the source is a root again, and of those that were merged, who had come with it. Returns the
-- source's version and the target; nothing when the merge is not in force.
WITH RECURSIVE undone AS (
    DELETE FROM merges m WHERE m.workspace = %(workspace)s AND m.source = %(source)s
    RETURNING m.target
), below(customer) AS (
    SELECT m.source FROM merges m WHERE m.workspace = %(workspace)s AND m.target = %(source)s
    UNION
    SELECT m.source FROM below JOIN merges m ON m.target = below.customer AND m.workspace = %(workspace)s
), led AS (
    UPDATE customers c SET merged_into = %(source)s
    FROM below, undone WHERE c.workspace = %(workspace)s AND c.customer_id = below.customer
)
UPDATE customers c SET merged_into = NULL, version = c.version + 1
FROM undone WHERE c.workspace = %(workspace)s AND c.customer_id = %(source)s
RETURNING c.version, undone.target

-- name: raise_version
-- A customer's next event.
UPDATE customers c SET version = c.version + 1
WHERE c.workspace = %(workspace)s AND c.customer_id = %(customer)s
RETURNING c.version

-- name: separate
-- Two that are kept apart from now on.
INSERT INTO separations (workspace, low, high)
VALUES (%(workspace)s, least(%(one)s::uuid, %(other)s::uuid), greatest(%(one)s::uuid, %(other)s::uuid))
ON CONFLICT DO NOTHING

-- name: roots
-- The roots of customers, by id; none of who was erased.
SELECT c.customer_id, coalesce(c.merged_into, c.customer_id)
FROM unnest(%(workspaces)s::uuid[], %(customers)s::uuid[]) AS wanted(workspace, customer)
JOIN customers c ON c.workspace = wanted.workspace AND c.customer_id = wanted.customer AND c.erased_at IS NULL
