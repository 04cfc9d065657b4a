-- Loads are counted after the agents are locked, by channel: from the index alone, for every batch waits for it.

CREATE INDEX tickets_held ON tickets (workspace, agent, channel)
    WHERE status <> 'solved' AND agent IS NOT NULL;
DROP INDEX tickets_of_agent;
