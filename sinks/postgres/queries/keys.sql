-- name: insert_key
-- Only the hash of the secret is stored.
INSERT INTO api_keys (workspace, key_id, secret_sha256, agent, role)
VALUES (%(workspace)s, %(key_id)s, %(secret_sha256)s, %(agent)s, %(role)s)

-- name: find_key
-- A key that has not been revoked.
SELECT k.workspace, k.agent, k.role, k.secret_sha256
FROM api_keys k
WHERE k.workspace = ANY(%(workspaces)s::uuid[]) AND k.key_id = %(key_id)s AND k.revoked_at IS NULL

-- name: revoke_key
-- In force from the next request on.
UPDATE api_keys k SET revoked_at = %(now)s
WHERE k.workspace = %(workspace)s AND k.key_id = %(key_id)s AND k.revoked_at IS NULL
RETURNING k.key_id

-- name: list_keys
-- For people: in a stable order, the ones in force first.
SELECT k.key_id, k.agent, k.role, k.revoked_at
FROM api_keys k
WHERE k.workspace = %(workspace)s
ORDER BY k.revoked_at IS NOT NULL, k.agent, k.key_id
