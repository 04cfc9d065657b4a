-- Messages that leave: what is to be handed over to other servers, and what became of it.

CREATE TABLE deliveries (
    workspace uuid NOT NULL,
    outbound_id uuid NOT NULL,
    ticket_id uuid,
    channel text NOT NULL,
    account text NOT NULL,
    recipient text NOT NULL,
    payload json NOT NULL,
    state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'sent', 'failed')),
    attempts integer NOT NULL DEFAULT 0,
    claimed boolean NOT NULL DEFAULT false,
    unsure boolean NOT NULL DEFAULT false,
    reason text,
    reply text,
    created_at timestamptz NOT NULL,
    due_at timestamptz NOT NULL,
    finished_at timestamptz,
    PRIMARY KEY (workspace, outbound_id),
    CHECK ((state = 'waiting') = (finished_at IS NULL))
);
COMMENT ON COLUMN deliveries.due_at IS 'When it is to be tried; while somebody is at it, when that claim ends.';
COMMENT ON COLUMN deliveries.unsure IS 'An attempt may have arrived without our knowing, so that it was or will be sent twice.';
COMMENT ON COLUMN deliveries.reply IS 'What the other side said last.';

-- Not led by the workspace: whoever sends asks for what is due, whose ever it is.
CREATE INDEX deliveries_due ON deliveries (due_at) WHERE state = 'waiting';
CREATE INDEX deliveries_of_ticket ON deliveries (workspace, ticket_id) WHERE ticket_id IS NOT NULL;

ALTER TABLE deliveries ENABLE ROW LEVEL SECURITY;
ALTER TABLE deliveries FORCE ROW LEVEL SECURITY;
CREATE POLICY app ON deliveries TO frontdesk_app USING (workspace = ANY(
    (SELECT string_to_array(current_setting('app.workspaces', true), ','))::uuid[]));
CREATE POLICY system ON deliveries TO frontdesk_system USING (true);

GRANT SELECT, INSERT, UPDATE, DELETE ON deliveries TO frontdesk_app, frontdesk_system;
