-- Deadlines of every kind as they are worked out, what was measured, and what falls due.

ALTER TABLE tickets
    ADD COLUMN clocks json,
    ADD COLUMN next_action_at timestamptz,
    ADD COLUMN first_answer_at timestamptz,
    ADD COLUMN first_answer_minutes double precision,
    ADD COLUMN first_answer_wall_minutes double precision,
    ADD COLUMN resolution_at timestamptz,
    ADD COLUMN resolution_minutes double precision,
    ADD COLUMN resolution_wall_minutes double precision,
    ADD COLUMN first_department text,
    ADD COLUMN transfers integer NOT NULL DEFAULT 0;
COMMENT ON COLUMN tickets.due_at IS 'The earliest deadline that runs; null: nothing is due.';
COMMENT ON COLUMN tickets.clocks IS 'Deadlines, and the moments that they are a fold over. Null: written before there were any.';
COMMENT ON COLUMN tickets.next_action_at IS 'due_at, else when the ticket is to be looked at again; null: solved.';
COMMENT ON COLUMN tickets.first_answer_minutes IS 'Working time, by the calendars that the ticket ran under.';
COMMENT ON COLUMN tickets.resolution_minutes IS 'Working time without the pauses of the policy.';
COMMENT ON COLUMN tickets.first_department IS 'Where the first decision put it.';

CREATE TABLE timers (
    workspace uuid NOT NULL,
    kind text NOT NULL,
    subject text NOT NULL,
    due_at timestamptz NOT NULL,
    PRIMARY KEY (workspace, kind, subject)
);
COMMENT ON TABLE timers IS 'What falls due when: one row for each thing of a kind, gone when it has been done.';
COMMENT ON COLUMN timers.subject IS 'What it is about: the id of a ticket, of an agent.';
CREATE INDEX timers_due ON timers (kind, due_at);

-- The owner is subject to the policies as well, unless it is let out for these statements.
ALTER TABLE tickets NO FORCE ROW LEVEL SECURITY;
UPDATE tickets SET next_action_at = due_at WHERE status <> 'solved';
INSERT INTO timers (workspace, kind, subject, due_at)
SELECT workspace, 'deadlines', ticket_id::text, due_at FROM tickets WHERE status <> 'solved' AND due_at IS NOT NULL;
ALTER TABLE tickets FORCE ROW LEVEL SECURITY;

ALTER TABLE timers ENABLE ROW LEVEL SECURITY;
ALTER TABLE timers FORCE ROW LEVEL SECURITY;
CREATE POLICY app ON timers TO frontdesk_app USING (workspace = ANY(
    (SELECT string_to_array(current_setting('app.workspaces', true), ','))::uuid[]));
CREATE POLICY system ON timers TO frontdesk_system USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON timers TO frontdesk_app, frontdesk_system;
