-- Sources that are polled: how each connection stands, and which mails of a folder have been taken in.

CREATE TABLE source_states (
    workspace uuid NOT NULL,
    channel text NOT NULL,
    account text NOT NULL,
    folder text NOT NULL DEFAULT '',
    state text NOT NULL CHECK (state IN ('starting', 'connected', 'transient_failure', 'bad_credentials', 'stopped')),
    reason text,
    since timestamptz NOT NULL,
    seen_at timestamptz NOT NULL,
    PRIMARY KEY (workspace, channel, account, folder)
);
COMMENT ON COLUMN source_states.since IS 'When it came into this state.';
COMMENT ON COLUMN source_states.seen_at IS 'When its reader last said so: an old one is of a reader that is gone.';

CREATE TABLE mailbox_ledgers (
    workspace uuid NOT NULL,
    account text NOT NULL,
    folder text NOT NULL,
    epoch bigint NOT NULL,
    taken int8multirange NOT NULL DEFAULT '{}',
    missing integer,
    complete_at timestamptz,
    PRIMARY KEY (workspace, account, folder)
);
COMMENT ON COLUMN mailbox_ledgers.taken IS 'UIDs whose mails are durable on our side. Neighbours are one range, so a folder is a few numbers.';
COMMENT ON COLUMN mailbox_ledgers.missing IS 'How many mails of the folder the last comparison did not find here; null: none has been made.';
COMMENT ON COLUMN mailbox_ledgers.complete_at IS 'When a comparison last found every mail.';

-- What was read before there were ledgers.
INSERT INTO mailbox_ledgers (workspace, account, folder, epoch, taken)
SELECT workspace, account, folder, epoch, int8multirange(int8range(1, position, '[]'))
FROM cursors WHERE channel = 'email' AND position > 0;

DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['source_states', 'mailbox_ledgers'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY app ON %I TO frontdesk_app USING '
            '(workspace = ANY((SELECT string_to_array(current_setting(''app.workspaces'', true), '',''))::uuid[]))', t);
        EXECUTE format('CREATE POLICY system ON %I TO frontdesk_system USING (true)', t);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO frontdesk_app, frontdesk_system', t);
    END LOOP;
END
$$;
