-- name: holders
-- Who holds these handles, as root customers, by their number in the arrays. Verified first; of several claimants the
-- earliest. OFFSET 0 keeps the look-ups apart: one by index for each handle, whatever a plan made for a small table would
-- prefer.
SELECT wanted.n, held.state, held.since, held.customer, held.evidence
FROM unnest(%(workspaces)s::uuid[], %(kinds)s::text[], %(values)s::text[])
     WITH ORDINALITY AS wanted(workspace, kind, value, n)
CROSS JOIN LATERAL (
    SELECT DISTINCT ON (h.state) h.state, h.since, root.customer, h.evidence
    FROM handles h
    CROSS JOIN LATERAL (
        SELECT coalesce(c.merged_into, c.customer_id) AS customer FROM customers c
        WHERE c.workspace = h.workspace AND c.customer_id = h.customer_id OFFSET 0
    ) AS root
    WHERE h.workspace = wanted.workspace AND h.kind = wanted.kind AND h.value = wanted.value
    ORDER BY h.state, h.since, root.customer OFFSET 0
) AS held

-- name: write
-- New customers, links and the history of links; what is there stays. Founding is deterministic: whoever comes second
-- finds the same row. Returns the links that are new: not those that somebody else took meanwhile.
WITH founded AS (
    INSERT INTO customers (workspace, customer_id, founding_kind, founding_value, proven, display_name, created_at)
    SELECT * FROM unnest(%(workspaces)s::uuid[], %(customers)s::uuid[], %(founding_kinds)s::text[],
                         %(founding_values)s::text[], %(proven)s::boolean[], %(names)s::text[],
                         %(created)s::timestamptz[])
    ON CONFLICT (workspace, customer_id) DO NOTHING
), links AS MATERIALIZED (
    SELECT * FROM unnest(%(link_workspaces)s::uuid[], %(kinds)s::text[], %(values)s::text[], %(holders)s::uuid[],
                         %(proofs)s::text[], %(since)s::timestamptz[], %(evidence)s::uuid[], %(events)s::uuid[])
        AS link(workspace, kind, value, customer_id, proof, since, evidence, event_id)
), history AS (
    INSERT INTO identity_events (workspace, event_id, message_id, customer_id, action, kind, value, proof, at)
    SELECT workspace, event_id, evidence, customer_id, CASE proof WHEN 'claimed' THEN 'claimed' ELSE 'linked' END,
           kind, value, proof, since
    FROM links
    ON CONFLICT (workspace, event_id) DO NOTHING
)
INSERT INTO handles (workspace, kind, value, customer_id, state, proof, since, evidence)
SELECT workspace, kind, value, customer_id, CASE proof WHEN 'claimed' THEN 'claimed' ELSE 'verified' END, proof, since,
       evidence
FROM links
ON CONFLICT DO NOTHING
RETURNING workspace, kind, value, customer_id

-- name: promote
-- What these customers claimed is proven now. Fails when somebody else holds it as verified.
UPDATE handles h SET state = 'verified', proof = proven.proof, since = proven.since, evidence = proven.evidence
FROM unnest(%(workspaces)s::uuid[], %(kinds)s::text[], %(values)s::text[], %(customers)s::uuid[], %(proofs)s::text[],
            %(since)s::timestamptz[], %(evidence)s::uuid[])
     AS proven(workspace, kind, value, customer_id, proof, since, evidence)
WHERE h.workspace = proven.workspace AND h.kind = proven.kind AND h.value = proven.value
  AND h.customer_id = proven.customer_id AND h.state = 'claimed'

-- name: taken
-- Which of these verified links another customer holds: the race that the unique index decided against us.
SELECT count(*)
FROM unnest(%(workspaces)s::uuid[], %(kinds)s::text[], %(values)s::text[], %(customers)s::uuid[])
     AS wanted(workspace, kind, value, customer_id)
JOIN handles h ON h.workspace = wanted.workspace AND h.kind = wanted.kind AND h.value = wanted.value
              AND h.state = 'verified' AND h.customer_id <> wanted.customer_id
