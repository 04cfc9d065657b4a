-- Which rules by time were asked about which ticket: each once for the deadline, or the wait, that they are about.

CREATE TABLE timed_rules (
    workspace uuid NOT NULL,
    ticket_id uuid NOT NULL,
    trigger text NOT NULL,
    since timestamptz NOT NULL,
    PRIMARY KEY (workspace, ticket_id, trigger)
);
COMMENT ON COLUMN timed_rules.trigger IS 'In the rule''s own words: before deadline by 15 minutes.';
COMMENT ON COLUMN timed_rules.since IS 'The deadline that it was asked about; of a ticket that nobody holds, since when.';

ALTER TABLE timed_rules ENABLE ROW LEVEL SECURITY;
ALTER TABLE timed_rules FORCE ROW LEVEL SECURITY;
CREATE POLICY app ON timed_rules TO frontdesk_app USING (workspace = ANY(
    (SELECT string_to_array(current_setting('app.workspaces', true), ','))::uuid[]));
CREATE POLICY system ON timed_rules TO frontdesk_system USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON timed_rules TO frontdesk_app, frontdesk_system;
