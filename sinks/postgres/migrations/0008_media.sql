-- Attachments that stay at their provider: what is to be fetched, and what became of it.

CREATE TABLE media (
    workspace uuid NOT NULL,
    message_id uuid NOT NULL,
    place integer NOT NULL,
    channel text NOT NULL,
    account text NOT NULL,
    provider_ref text NOT NULL,
    declared_type text NOT NULL,
    received_at timestamptz NOT NULL,
    state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'fetched', 'expired', 'refused', 'failed')),
    reason text,
    attempts integer NOT NULL DEFAULT 0,
    due_at timestamptz NOT NULL,
    sha256 text,
    type text,
    size bigint,
    finished_at timestamptz,
    PRIMARY KEY (workspace, message_id, place),
    CHECK ((state = 'fetched') = (sha256 IS NOT NULL)),
    CHECK ((state = 'waiting') = (finished_at IS NULL))
);
COMMENT ON COLUMN media.place IS 'Which of the message''s attachments, from 0.';
COMMENT ON COLUMN media.due_at IS 'When it is to be tried; while somebody is at it, when that claim ends.';
COMMENT ON COLUMN media.reason IS 'Why it was not fetched, or not yet; null at the beginning and for what was fetched.';
COMMENT ON COLUMN media.sha256 IS 'The archive has the bytes under this name.';

-- Not led by the workspace: whoever fetches asks for what is due, whose ever it is.
CREATE INDEX media_due ON media (due_at) WHERE state = 'waiting';

ALTER TABLE media ENABLE ROW LEVEL SECURITY;
ALTER TABLE media FORCE ROW LEVEL SECURITY;
CREATE POLICY app ON media TO frontdesk_app
    USING (workspace = ANY((SELECT string_to_array(current_setting('app.workspaces', true), ','))::uuid[]));
CREATE POLICY system ON media TO frontdesk_system USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON media TO frontdesk_app, frontdesk_system;
