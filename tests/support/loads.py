"""What agents hold, kept and counted, by workspace, agent and channel: two queries that always answer the same."""

KEPT = (
    "SELECT workspace, agent, channel, sum(change)::bigint FROM agent_loads "
    "GROUP BY 1, 2, 3 HAVING sum(change) <> 0 ORDER BY 1, 2, 3"
)
COUNTED = (
    "SELECT workspace, agent, channel, count(*) FROM tickets "
    "WHERE agent IS NOT NULL AND status <> 'solved' GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
)
