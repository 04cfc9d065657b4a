-- Rules: which node of the category tree, which SLA policy; tags of customers; what rules have sent.

ALTER TABLE tickets ADD COLUMN category_id text, ADD COLUMN sla text;
COMMENT ON COLUMN tickets.category_id IS 'Names the category also after it has moved in the tree.';
COMMENT ON COLUMN tickets.sla IS 'The SLA policy that a rule chose; null: that of its department.';

CREATE TABLE customer_tags (
    workspace uuid NOT NULL,
    customer_id uuid NOT NULL,
    tag text NOT NULL,
    PRIMARY KEY (workspace, customer_id, tag)
);
COMMENT ON TABLE customer_tags IS 'Set by people; rules read them.';

CREATE TABLE automatic_replies (
    workspace uuid NOT NULL,
    channel text NOT NULL,
    recipient text NOT NULL,
    replied_at timestamptz,
    PRIMARY KEY (workspace, channel, recipient)
);
COMMENT ON TABLE automatic_replies IS 'When each sender last got an automatic answer: one in 24 hours. Locked before it is read.';

CREATE TABLE webhook_calls (
    workspace uuid NOT NULL,
    call_id uuid NOT NULL,
    webhook text NOT NULL,
    url text NOT NULL,
    body text NOT NULL,
    state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'delivered', 'failed')),
    attempts integer NOT NULL DEFAULT 0,
    due_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    outcome text,
    PRIMARY KEY (workspace, call_id)
);
COMMENT ON TABLE webhook_calls IS 'Calls that rules make to other systems. Their id is the cause''s, so a cause calls once.';
CREATE INDEX webhook_calls_due ON webhook_calls (due_at) WHERE state = 'waiting';

CREATE TABLE config_activations (
    workspace uuid NOT NULL REFERENCES workspaces,
    serial bigint GENERATED ALWAYS AS IDENTITY,
    version text NOT NULL,
    effective_from timestamptz NOT NULL,
    applied_by text NOT NULL,
    PRIMARY KEY (workspace, serial),
    FOREIGN KEY (workspace, version) REFERENCES config_versions
);
COMMENT ON TABLE config_activations IS 'Append-only: which version is in force from when. An older version may be applied '
    'again. In force is the one with the latest effective_from that has come, the newest of them.';
INSERT INTO config_activations (workspace, version, effective_from, applied_by)
SELECT workspace, version, effective_from, applied_by FROM config_versions ORDER BY serial;

-- The release before knows no activations: what it applies is in force all the same.
CREATE FUNCTION activate_config_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO config_activations (workspace, version, effective_from, applied_by)
    VALUES (NEW.workspace, NEW.version, NEW.effective_from, NEW.applied_by);
    RETURN NULL;
END
$$;
CREATE TRIGGER activate AFTER INSERT ON config_versions FOR EACH ROW EXECUTE FUNCTION activate_config_version();

ALTER TABLE customer_tags ENABLE ROW LEVEL SECURITY;
ALTER TABLE customer_tags FORCE ROW LEVEL SECURITY;
CREATE POLICY app ON customer_tags TO frontdesk_app USING (workspace = ANY(
    (SELECT string_to_array(current_setting('app.workspaces', true), ','))::uuid[]));
CREATE POLICY system ON customer_tags TO frontdesk_system USING (true);
ALTER TABLE automatic_replies ENABLE ROW LEVEL SECURITY;
ALTER TABLE automatic_replies FORCE ROW LEVEL SECURITY;
CREATE POLICY app ON automatic_replies TO frontdesk_app USING (workspace = ANY(
    (SELECT string_to_array(current_setting('app.workspaces', true), ','))::uuid[]));
CREATE POLICY system ON automatic_replies TO frontdesk_system USING (true);
ALTER TABLE webhook_calls ENABLE ROW LEVEL SECURITY;
ALTER TABLE webhook_calls FORCE ROW LEVEL SECURITY;
CREATE POLICY app ON webhook_calls TO frontdesk_app USING (workspace = ANY(
    (SELECT string_to_array(current_setting('app.workspaces', true), ','))::uuid[]));
CREATE POLICY system ON webhook_calls TO frontdesk_system USING (true);
ALTER TABLE config_activations ENABLE ROW LEVEL SECURITY;
ALTER TABLE config_activations FORCE ROW LEVEL SECURITY;
CREATE POLICY app ON config_activations TO frontdesk_app USING (workspace = ANY(
    (SELECT string_to_array(current_setting('app.workspaces', true), ','))::uuid[]));
CREATE POLICY system ON config_activations TO frontdesk_system USING (true);

GRANT SELECT, INSERT, UPDATE, DELETE ON customer_tags TO frontdesk_app, frontdesk_system;
GRANT SELECT, INSERT, UPDATE ON automatic_replies TO frontdesk_app, frontdesk_system;
GRANT SELECT, INSERT, UPDATE, DELETE ON webhook_calls TO frontdesk_app, frontdesk_system;
GRANT SELECT, INSERT ON config_activations TO frontdesk_app, frontdesk_system;
