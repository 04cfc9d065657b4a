-- People at work: presence, who holds a ticket since when and until when, a department's own statuses, notes.

ALTER TABLE tickets
    ADD COLUMN step text,
    ADD COLUMN held_since timestamptz,
    ADD COLUMN lease_until timestamptz;
COMMENT ON COLUMN tickets.step IS 'The department''s own status, where it has some.';
COMMENT ON COLUMN tickets.held_since IS 'Since when its agent has it; without one, since when it waits in its queue.';
COMMENT ON COLUMN tickets.lease_until IS 'By when its agent does something about it, or it goes back to the queue.';

ALTER TABLE agents
    ADD COLUMN presence text CHECK (presence IN ('present', 'away', 'offline')),
    ADD COLUMN presence_since timestamptz;
COMMENT ON COLUMN agents.presence IS 'What the agent said last at the desk; null: nothing yet, the configuration holds.';

-- What waits for an agent, by the pairs that an agent may pull from, each in the order of the queue.
CREATE INDEX tickets_waiting
    ON tickets (workspace, department, (coalesce(category, '')), (coalesce(due_at, 'infinity'::timestamptz)),
                created_at, number)
    WHERE agent IS NULL AND status IN ('new', 'open');
CREATE INDEX tickets_leased ON tickets (workspace, lease_until) WHERE lease_until IS NOT NULL;

CREATE TABLE notes (
    workspace uuid NOT NULL,
    note_id uuid NOT NULL,
    ticket_id uuid NOT NULL,
    agent text NOT NULL,
    text text NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (workspace, note_id)
);
COMMENT ON TABLE notes IS 'What agents tell each other about a ticket, in the transaction of its new version.';
CREATE INDEX notes_of_ticket ON notes (workspace, ticket_id, created_at);

ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
ALTER TABLE notes FORCE ROW LEVEL SECURITY;
CREATE POLICY app ON notes TO frontdesk_app USING (workspace = ANY(
    (SELECT string_to_array(current_setting('app.workspaces', true), ','))::uuid[]));
CREATE POLICY system ON notes TO frontdesk_system USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON notes TO frontdesk_app, frontdesk_system;
