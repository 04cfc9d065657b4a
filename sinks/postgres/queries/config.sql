-- name: current
-- The configuration in force of these workspaces. The body only if it is not the known one.
SELECT known.workspace, c.version,
       CASE WHEN known.version IS NOT DISTINCT FROM c.version THEN NULL ELSE c.body::text END
FROM unnest(%(workspaces)s::uuid[], %(versions)s::text[]) AS known(workspace, version)
CROSS JOIN LATERAL (
    SELECT a.version FROM config_activations a
    WHERE a.workspace = known.workspace AND a.effective_from <= %(now)s
    ORDER BY a.effective_from DESC, a.serial DESC LIMIT 1
) AS active
JOIN config_versions c ON c.workspace = known.workspace AND c.version = active.version

-- name: history
-- What was applied to a workspace, in the order in which it comes into force.
SELECT version, effective_from, applied_by FROM config_activations
WHERE workspace = %(workspace)s ORDER BY effective_from, serial

-- name: one
-- The body of one applied version: what a decision of then was made with.
SELECT body::text FROM config_versions WHERE workspace = %(workspace)s AND version = %(version)s

-- name: upsert_workspace
-- A workspace exists from its first configuration on.
INSERT INTO workspaces (workspace, slug, name) VALUES (%(workspace)s, %(slug)s, %(name)s)
ON CONFLICT (workspace) DO UPDATE SET name = excluded.name

-- name: insert_version
-- Versions are immutable: the same configuration is the same version.
INSERT INTO config_versions (workspace, version, effective_from, applied_by, body)
VALUES (%(workspace)s, %(version)s, %(effective_from)s, %(by)s, %(body)s::json)
ON CONFLICT (workspace, version) DO NOTHING

-- name: activate
-- A version comes into force, also one that was in force before. What is in force at that moment already is left.
INSERT INTO config_activations (workspace, version, effective_from, applied_by)
SELECT %(workspace)s, %(version)s, %(effective_from)s, %(by)s
WHERE %(version)s IS DISTINCT FROM (
    SELECT a.version FROM config_activations a
    WHERE a.workspace = %(workspace)s AND a.effective_from <= %(effective_from)s
    ORDER BY a.effective_from DESC, a.serial DESC LIMIT 1)

-- name: upsert_agents
-- One row an agent, which assignment locks before it counts that agent's load.
INSERT INTO agents (workspace, agent)
SELECT %(workspace)s, agent FROM unnest(%(agents)s::text[]) AS agent ORDER BY agent
ON CONFLICT (workspace, agent) DO NOTHING

-- name: take_numbers
-- A block of ticket numbers, in a short transaction of its own.
UPDATE workspaces SET next_number = next_number + %(count)s
WHERE workspace = %(workspace)s RETURNING next_number - %(count)s
