-- name: history
-- Everything that happened to the links of a workspace, in order.
SELECT e.workspace, e.event_id, e.action, e.customer_id, e.kind, e.value, e.proof, e.at, e.message_id, e.other, e.source,
       e.evidence, e.actor, e.reason
FROM identity_events e
WHERE e.workspace = %(workspace)s
ORDER BY e.serial

-- name: links
-- Every link of a workspace, as it stands.
SELECT h.kind, h.value, h.customer_id, h.state, h.proof, h.since, h.evidence, coalesce(h.seen, h.since), h.cause
FROM handles h WHERE h.workspace = %(workspace)s

-- name: merges
-- Every merge in force.
SELECT m.source, m.target FROM merges m WHERE m.workspace = %(workspace)s

-- name: pointers
-- Where everybody who is merged leads to.
SELECT c.customer_id, c.merged_into FROM customers c WHERE c.workspace = %(workspace)s AND c.merged_into IS NOT NULL

-- name: all_separations
-- Every pair that is kept apart.
SELECT s.low, s.high FROM separations s WHERE s.workspace = %(workspace)s
