-- Erasure of customers: what is left of them are keyed hashes, by which nothing old comes back and somebody new is somebody
-- else. And which messages refer to which archived bytes, so that bytes can go with their last message.

ALTER TABLE customers ADD COLUMN erased_at timestamptz;
COMMENT ON COLUMN customers.erased_at IS 'Nothing is stored for this customer any more.';

CREATE TABLE erasures (
    workspace uuid NOT NULL,
    kind text NOT NULL,
    digest bytea NOT NULL,
    generation integer NOT NULL,
    until timestamptz,
    PRIMARY KEY (workspace, kind, digest)
);
COMMENT ON TABLE erasures IS 'Handles of erased customers, and (kind message) their messages.';
COMMENT ON COLUMN erasures.digest IS 'HMAC-SHA256 of the canonical value, or of the message''s id, under the erasure key.';
COMMENT ON COLUMN erasures.generation IS 'What the generation of the next customer whom the handle founds is raised by.';
COMMENT ON COLUMN erasures.until IS 'What was accepted until then is the erased customer''s; null: others hold the handle too.';

CREATE TABLE erasure_keys (
    workspace uuid NOT NULL PRIMARY KEY,
    fingerprint bytea NOT NULL
);
COMMENT ON TABLE erasure_keys IS 'Which key the digests are made with, so that a process with another one stops.';

CREATE TABLE archive_refs (
    workspace uuid NOT NULL,
    sha256 text NOT NULL,
    message_id uuid NOT NULL,
    PRIMARY KEY (workspace, message_id, sha256)
);
COMMENT ON TABLE archive_refs IS 'Which stored messages refer to which archived bytes; fetched files: media.sha256.';
-- Not led by the workspace: the archive is one, and bytes go when nobody refers to them.
CREATE INDEX archive_refs_of_bytes ON archive_refs (sha256);
CREATE INDEX media_of_bytes ON media (sha256) WHERE sha256 IS NOT NULL;

CREATE TABLE archive_garbage (
    sha256 text PRIMARY KEY,
    since timestamptz NOT NULL
);
COMMENT ON TABLE archive_garbage IS 'Bytes that lost a reference: they go once nobody refers to them.';

INSERT INTO archive_refs (workspace, sha256, message_id)
SELECT DISTINCT m.workspace, substr(ref, 8), m.message_id
FROM messages m
CROSS JOIN LATERAL (
    SELECT m.payload->>part FROM unnest(ARRAY['text_ref', 'quoted_text_ref', 'html_ref']) AS part
    UNION ALL SELECT m.payload->'raw'->>'ref'
    UNION ALL SELECT file->>'ref' FROM json_array_elements(coalesce(m.payload->'attachments', '[]')) AS file
) AS found(ref)
WHERE ref LIKE 'sha256:%';

-- The history stays append-only, but for its personal parts, which an erasure replaces.
CREATE FUNCTION refuse_all_but_erasure() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF to_jsonb(NEW) - ARRAY['value', 'reason'] IS DISTINCT FROM to_jsonb(OLD) - ARRAY['value', 'reason']
        OR (NEW.value IS DISTINCT FROM OLD.value AND coalesce(NEW.value, '') NOT LIKE 'erased:%')
        OR (NEW.reason IS DISTINCT FROM OLD.reason AND NEW.reason IS NOT NULL) THEN
        RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
    END IF;
    RETURN NEW;
END
$$;
DROP TRIGGER identity_events_append_only ON identity_events;
CREATE TRIGGER identity_events_append_only BEFORE DELETE ON identity_events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER identity_events_erasure BEFORE UPDATE ON identity_events
    FOR EACH ROW EXECUTE FUNCTION refuse_all_but_erasure();
GRANT UPDATE (value, reason) ON identity_events TO frontdesk_app;

DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['erasures', 'erasure_keys', 'archive_refs'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY app ON %I TO frontdesk_app USING (workspace = ANY('
            '(SELECT string_to_array(current_setting(''app.workspaces'', true), '',''))::uuid[]))', t);
        EXECUTE format('CREATE POLICY system ON %I TO frontdesk_system USING (true)', t);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO frontdesk_app, frontdesk_system', t);
    END LOOP;
END
$$;
-- The bytes are told by their hash alone, which the application adds and does not read.
GRANT INSERT ON archive_garbage TO frontdesk_app;
GRANT SELECT, INSERT, DELETE ON archive_garbage TO frontdesk_system;
