-- What each agent holds, kept as it changes: to count it anew for every batch took as long as everything else a batch reads.

CREATE TABLE agent_loads (
    workspace uuid NOT NULL,
    agent text NOT NULL,
    channel text NOT NULL,
    serial bigint GENERATED ALWAYS AS IDENTITY,
    change integer NOT NULL,
    PRIMARY KEY (workspace, agent, channel, serial) INCLUDE (change)
);
COMMENT ON TABLE agent_loads IS 'By how much the number of unsolved tickets of each agent and channel changed; their sum is that number. '
    'Added by the triggers of tickets, in the transaction that changes them: whoever has locked the agent reads what is true. '
    'Rows are only added, so that nobody waits for anybody here; who holds the agent''s lock may make one of many.';

-- A statement's tickets of one agent and channel are one change.
CREATE FUNCTION count_held() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO agent_loads (workspace, agent, channel, change)
        SELECT workspace, agent, channel, count(*) FROM added
        WHERE agent IS NOT NULL AND status <> 'solved' GROUP BY workspace, agent, channel;
    ELSIF TG_OP = 'UPDATE' THEN
        INSERT INTO agent_loads (workspace, agent, channel, change)
        SELECT workspace, agent, channel, sum(change) FROM (
            SELECT workspace, agent, channel, status, 1 AS change FROM added
            UNION ALL
            SELECT workspace, agent, channel, status, -1 FROM removed
        ) AS changed
        WHERE agent IS NOT NULL AND status <> 'solved' GROUP BY workspace, agent, channel HAVING sum(change) <> 0;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO agent_loads (workspace, agent, channel, change)
        SELECT workspace, agent, channel, -count(*) FROM removed
        WHERE agent IS NOT NULL AND status <> 'solved' GROUP BY workspace, agent, channel;
    ELSE
        TRUNCATE agent_loads;
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER held_by_insert AFTER INSERT ON tickets REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION count_held();
CREATE TRIGGER held_by_update AFTER UPDATE ON tickets REFERENCING OLD TABLE AS removed NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION count_held();
CREATE TRIGGER held_by_delete AFTER DELETE ON tickets REFERENCING OLD TABLE AS removed
    FOR EACH STATEMENT EXECUTE FUNCTION count_held();
CREATE TRIGGER held_by_truncate AFTER TRUNCATE ON tickets FOR EACH STATEMENT EXECUTE FUNCTION count_held();

-- The triggers' lock keeps writers away until this is committed, so that nothing is counted twice or not at all.
ALTER TABLE tickets NO FORCE ROW LEVEL SECURITY;
INSERT INTO agent_loads (workspace, agent, channel, change)
SELECT workspace, agent, channel, count(*) FROM tickets
WHERE agent IS NOT NULL AND status <> 'solved' GROUP BY workspace, agent, channel;
ALTER TABLE tickets FORCE ROW LEVEL SECURITY;

ALTER TABLE agent_loads ENABLE ROW LEVEL SECURITY;
ALTER TABLE agent_loads FORCE ROW LEVEL SECURITY;
CREATE POLICY app ON agent_loads TO frontdesk_app USING (workspace = ANY(
    (SELECT string_to_array(current_setting('app.workspaces', true), ','))::uuid[]));
CREATE POLICY system ON agent_loads TO frontdesk_system USING (true);
GRANT SELECT, INSERT, DELETE ON agent_loads TO frontdesk_app, frontdesk_system;
