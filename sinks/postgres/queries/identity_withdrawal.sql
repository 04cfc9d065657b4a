-- name: links
-- Proven links that rest on this evidence alone: nothing else has proved them since they last ended. A proof may need several
-- pieces of evidence (`contracts.inbound.AND`).
SELECT h.kind, h.value, h.customer_id, h.proof, h.evidence
FROM handles h
JOIN identity_events e ON e.customer_id = h.customer_id AND e.workspace = h.workspace
                      AND e.kind = h.kind AND e.value = h.value AND e.action IN ('linked', 'disputed', 'seen')
WHERE h.workspace = %(workspace)s AND h.state IN ('verified', 'disputed') AND h.customer_id IN (
    SELECT w.customer_id FROM identity_events w
    WHERE w.workspace = %(workspace)s AND (%(evidence)s = ANY(string_to_array(w.evidence, ' & ')) OR w.source = %(evidence)s))
  AND NOT EXISTS (
    SELECT FROM identity_events r
    WHERE r.customer_id = h.customer_id AND r.workspace = h.workspace AND r.kind = h.kind AND r.value = h.value
      AND r.action = 'revoked' AND r.serial > e.serial)
GROUP BY h.kind, h.value, h.customer_id, h.proof, h.evidence
HAVING bool_and(coalesce(%(evidence)s = ANY(string_to_array(e.evidence, ' & ')), false) OR coalesce(e.source = %(evidence)s, false))
ORDER BY h.kind, h.value, h.customer_id

-- name: merges
-- Automatic merges that were made by this evidence, or by a handle of which no proof is left.
SELECT m.source
FROM merges m
WHERE m.workspace = %(workspace)s AND m.automatic
  AND (EXISTS (SELECT FROM identity_events e
               WHERE e.customer_id = m.source AND e.workspace = m.workspace AND e.action = 'merged' AND e.at = m.at
                 AND e.other = m.target AND (%(evidence)s = ANY(string_to_array(e.evidence, ' & ')) OR e.source = %(evidence)s))
       OR EXISTS (SELECT FROM unnest(%(kinds)s::text[], %(values)s::text[]) AS lost(kind, value)
                  WHERE lost.kind = m.kind AND lost.value = m.value))
ORDER BY m.source

-- name: tickets
-- Tickets of customers who are not sure any more.
SELECT t.number, t.ticket_id, t.department, t.status, t.subject FROM tickets t
WHERE t.workspace = %(workspace)s AND t.customer_id = ANY(%(customers)s::uuid[])
ORDER BY t.number

-- name: crowded
-- Handles that more than so many people have proven.
SELECT h.kind, h.value
FROM handles h
JOIN customers c ON c.workspace = h.workspace AND c.customer_id = h.customer_id
WHERE h.workspace = %(workspace)s AND h.state IN ('verified', 'disputed') AND (h.kind, h.value) IN (
    SELECT d.kind, d.value FROM handles d
    WHERE d.workspace = %(workspace)s AND d.state = 'disputed'
    GROUP BY d.kind, d.value HAVING count(*) >= %(above)s::int)
GROUP BY h.kind, h.value
HAVING count(DISTINCT coalesce(c.merged_into, c.customer_id)) > %(above)s::int
ORDER BY h.kind, h.value

-- name: verified
-- Verified links of these handles, and of addresses at these domains.
SELECT h.kind, h.value, h.customer_id, h.proof, h.evidence
FROM handles h
JOIN unnest(%(kinds)s::text[], %(values)s::text[]) AS shared(kind, value)
  ON h.kind = shared.kind AND h.value = shared.value
WHERE h.workspace = %(workspace)s AND h.state = 'verified'
UNION
SELECT h.kind, h.value, h.customer_id, h.proof, h.evidence
FROM handles h
WHERE cardinality(%(domains)s::text[]) > 0 AND h.workspace = %(workspace)s AND h.kind = 'email' AND h.state = 'verified'
  AND split_part(h.value, '@', -1) = ANY(%(domains)s::text[])
ORDER BY 1, 2, 3

-- name: merged_by
-- Sources of the automatic merges that these handles made.
SELECT m.source
FROM merges m
JOIN unnest(%(kinds)s::text[], %(values)s::text[]) AS shared(kind, value)
  ON m.kind = shared.kind AND m.value = shared.value
WHERE m.workspace = %(workspace)s AND m.automatic
ORDER BY m.source
