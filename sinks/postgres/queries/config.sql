-- name: current
-- The configuration in force of these workspaces: the newest whose time has come. The body only if it is not the known one.
SELECT DISTINCT ON (c.workspace) c.workspace, c.version,
       CASE WHEN known.version IS NOT DISTINCT FROM c.version THEN NULL ELSE c.body::text END
FROM unnest(%(workspaces)s::uuid[], %(versions)s::text[]) AS known(workspace, version)
JOIN config_versions c ON c.workspace = known.workspace AND c.effective_from <= %(now)s
ORDER BY c.workspace, c.serial DESC

-- name: history
-- Every applied version of a workspace, oldest first.
SELECT version, effective_from, applied_by FROM config_versions
WHERE workspace = %(workspace)s ORDER BY serial

-- name: one
-- The body of one applied version: what a decision of then was made with.
SELECT body::text FROM config_versions WHERE workspace = %(workspace)s AND version = %(version)s

-- name: upsert_workspace
-- A workspace exists from its first configuration on.
INSERT INTO workspaces (workspace, slug, name) VALUES (%(workspace)s, %(slug)s, %(name)s)
ON CONFLICT (workspace) DO UPDATE SET name = excluded.name

-- name: insert_version
-- Versions are immutable: applying the same configuration again, while it is in force, changes nothing.
INSERT INTO config_versions (workspace, version, effective_from, applied_by, body)
VALUES (%(workspace)s, %(version)s, %(effective_from)s, %(by)s, %(body)s::json)
ON CONFLICT (workspace, version) DO NOTHING

-- name: upsert_agents
-- One row an agent, which assignment locks before it counts that agent's load.
INSERT INTO agents (workspace, agent)
SELECT %(workspace)s, agent FROM unnest(%(agents)s::text[]) AS agent ORDER BY agent
ON CONFLICT (workspace, agent) DO NOTHING

-- name: take_numbers
-- A block of ticket numbers, in a short transaction of its own.
UPDATE workspaces SET next_number = next_number + %(count)s
WHERE workspace = %(workspace)s RETURNING next_number - %(count)s
