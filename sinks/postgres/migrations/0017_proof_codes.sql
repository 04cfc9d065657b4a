-- Codes that are mailed to an address, and prove it when they come back.

CREATE TABLE proof_codes (
    workspace uuid NOT NULL,
    proof_id uuid NOT NULL,
    customer_id uuid NOT NULL,
    value text NOT NULL,
    code_sha256 bytea NOT NULL,
    token_sha256 bytea NOT NULL,
    asked_by text NOT NULL,
    asked_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    used_at timestamptz,
    PRIMARY KEY (workspace, proof_id)
);
COMMENT ON TABLE proof_codes IS 'Kept for a day after they have expired: they are counted, so that nobody is mailed too often.';
COMMENT ON COLUMN proof_codes.value IS 'The address, canonical.';
CREATE UNIQUE INDEX proof_codes_token ON proof_codes (workspace, token_sha256);
CREATE INDEX proof_codes_asked ON proof_codes (workspace, asked_at);

ALTER TABLE proof_codes ENABLE ROW LEVEL SECURITY;
ALTER TABLE proof_codes FORCE ROW LEVEL SECURITY;
CREATE POLICY app ON proof_codes TO frontdesk_app USING (workspace = ANY(
    (SELECT string_to_array(current_setting('app.workspaces', true), ','))::uuid[]));
CREATE POLICY system ON proof_codes TO frontdesk_system USING (true);

GRANT SELECT, INSERT, UPDATE, DELETE ON proof_codes TO frontdesk_app, frontdesk_system;
