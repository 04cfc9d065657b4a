-- name: lock_agents
-- Last in the lock order. Load is counted after this lock, so it is never stale; presence is what holds at the commit.
SELECT a.workspace, a.agent, a.last_assigned_at, a.presence
FROM agents a
JOIN unnest(%(workspaces)s::uuid[], %(agents)s::text[]) AS wanted(workspace, agent)
  ON a.workspace = wanted.workspace AND a.agent = wanted.agent
ORDER BY a.workspace, a.agent
FOR NO KEY UPDATE OF a

-- name: loads
-- Unsolved tickets an agent holds, by channel: what one of a channel weighs is configuration.
SELECT l.workspace, l.agent, l.channel, sum(l.change), count(*)
FROM unnest(%(workspaces)s::uuid[], %(agents)s::text[]) AS wanted(workspace, agent)
JOIN agent_loads l ON l.workspace = wanted.workspace AND l.agent = wanted.agent
GROUP BY l.workspace, l.agent, l.channel

-- name: sum_loads
-- Under the agents' locks: one row of many, with the same sum.
WITH gone AS (
    DELETE FROM agent_loads l
    USING unnest(%(workspaces)s::uuid[], %(agents)s::text[]) AS wanted(workspace, agent)
    WHERE l.workspace = wanted.workspace AND l.agent = wanted.agent
    RETURNING l.workspace, l.agent, l.channel, l.change
)
INSERT INTO agent_loads (workspace, agent, channel, change)
SELECT workspace, agent, channel, sum(change) FROM gone
GROUP BY workspace, agent, channel HAVING sum(change) <> 0

-- name: waiting
-- How many tickets wait in the queue of each department, counted up to a number that is enough to know.
SELECT wanted.workspace, wanted.department, waiting.count
FROM unnest(%(workspaces)s::uuid[], %(departments)s::text[]) AS wanted(workspace, department)
CROSS JOIN LATERAL (
    SELECT count(*) FROM (
        SELECT FROM tickets t
        WHERE t.workspace = wanted.workspace AND t.department = wanted.department
          AND t.agent IS NULL AND t.status IN ('new', 'open')
        LIMIT %(enough)s
    ) AS counted
) AS waiting

-- name: last_agents
-- Who has, or had, the newest ticket of each customer in each department.
SELECT wanted.workspace, wanted.customer_id, wanted.department, newest.agent, newest.created_at
FROM unnest(%(workspaces)s::uuid[], %(customers)s::uuid[], %(departments)s::text[])
     AS wanted(workspace, customer_id, department)
CROSS JOIN LATERAL (
    SELECT t.agent, t.created_at FROM tickets t
    WHERE t.workspace = wanted.workspace AND t.customer_id = wanted.customer_id
      AND t.department = wanted.department AND t.agent IS NOT NULL
    ORDER BY t.created_at DESC LIMIT 1
) AS newest

-- name: presences
-- What each agent of a workspace has said of themselves, and what they hold.
SELECT a.agent, a.presence, a.presence_since,
       (SELECT coalesce(json_object_agg(held.channel, held.count), '{}')
        FROM (SELECT l.channel, sum(l.change) AS count FROM agent_loads l
              WHERE l.workspace = a.workspace AND l.agent = a.agent
              GROUP BY l.channel HAVING sum(l.change) <> 0) AS held)
FROM agents a
WHERE a.workspace = %(workspace)s
ORDER BY a.agent

-- name: set_presence
-- Under the row's lock, which every assignment takes before it reads it.
UPDATE agents a SET presence = %(presence)s, presence_since = %(now)s
WHERE a.workspace = %(workspace)s AND a.agent = %(agent)s
RETURNING a.agent
