-- name: last_seal
-- The newest seal; the next one goes on where it ends.
SELECT seal, xid_to::text, signature FROM audit_seals ORDER BY seal DESC LIMIT 1

-- name: horizon
-- Every transaction below this one has ended.
SELECT pg_snapshot_xmin(pg_current_snapshot())::text

-- name: leaves
-- Rows to be sealed or to be checked against a seal, in the order of the tree.
SELECT workspace, ticket_id, version, hash FROM audit
WHERE xid >= %(xid_from)s::text::xid8 AND xid < %(xid_to)s::text::xid8
ORDER BY workspace, ticket_id, version

-- name: insert_seal
-- Of two sealers, one writes.
INSERT INTO audit_seals (seal, xid_from, xid_to, rows, root, signature, sealed_at)
VALUES (%(seal)s, %(xid_from)s::text::xid8, %(xid_to)s::text::xid8, %(rows)s, %(root)s, %(signature)s, %(sealed_at)s)
ON CONFLICT (seal) DO NOTHING

-- name: seals
-- All seals, oldest first.
SELECT seal, xid_from::text, xid_to::text, rows, root, signature, sealed_at FROM audit_seals ORDER BY seal

-- name: chains
-- Every audit row beside the head that its ticket remembers; a ticket without rows, and rows without a ticket, too.
SELECT coalesce(a.workspace, t.workspace), coalesce(a.ticket_id, t.ticket_id), a.version, a.at, a.actor, a.action,
       a.detail::text, a.hash, t.audit_head
FROM audit a
FULL JOIN tickets t ON t.workspace = a.workspace AND t.ticket_id = a.ticket_id
ORDER BY 1, 2, a.version
