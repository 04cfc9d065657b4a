-- name: alone
-- One request of a workspace at a time: what is counted next stays true until the commit.
SELECT pg_advisory_xact_lock(%(lock_class)s, hashtext(%(workspace)s::text))

-- name: forget
-- Codes that no limit asks about any more.
DELETE FROM proof_codes p WHERE p.workspace = %(workspace)s AND p.expires_at < %(before)s

-- name: asked
-- How many codes were asked for since then: for the address, for the customer, and in all.
SELECT count(*) FILTER (WHERE p.value = %(value)s), count(*) FILTER (WHERE p.customer_id = %(customer)s), count(*)
FROM proof_codes p
WHERE p.workspace = %(workspace)s AND p.asked_at > %(since)s

-- name: add
-- A code that is on its way.
INSERT INTO proof_codes (workspace, proof_id, customer_id, value, code_sha256, token_sha256, asked_by, asked_at, expires_at)
VALUES (%(workspace)s, %(proof)s, %(customer)s, %(value)s, %(code)s, %(token)s, %(asked_by)s, %(asked_at)s, %(expires_at)s)

-- name: try_code
-- One attempt, counted before anything is compared; nothing for a code that is used, too old or tried too often.
UPDATE proof_codes p SET attempts = p.attempts + 1
WHERE p.workspace = %(workspace)s AND p.proof_id = %(proof)s AND p.used_at IS NULL AND p.expires_at > %(now)s
  AND p.attempts < %(most)s
RETURNING p.workspace, p.proof_id, p.customer_id, p.value, p.code_sha256

-- name: by_token
-- What a link is for; nothing for one that is used or too old.
SELECT p.workspace, p.proof_id, p.customer_id, p.value, p.code_sha256
FROM proof_codes p
WHERE p.workspace = ANY(%(workspaces)s::uuid[]) AND p.token_sha256 = %(token)s AND p.used_at IS NULL
  AND p.expires_at > %(now)s

-- name: use
-- Once.
UPDATE proof_codes p SET used_at = %(now)s
WHERE p.workspace = %(workspace)s AND p.proof_id = %(proof)s AND p.used_at IS NULL
RETURNING p.proof_id
