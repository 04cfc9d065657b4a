-- The identity graph: links that are disputed or revoked, merges as pointers with their evidence, and a history of which
-- all of it is a fold. Whoever runs the version before takes a disputed link for a claim.

ALTER TABLE customers ADD COLUMN version integer NOT NULL DEFAULT 0;
COMMENT ON COLUMN customers.version IS 'Of its newest event on frontdesk.customer.v1.';
CREATE INDEX customers_merged ON customers (merged_into, workspace) WHERE merged_into IS NOT NULL;

ALTER TABLE handles DROP CONSTRAINT handles_state_check;
ALTER TABLE handles ADD CONSTRAINT handles_state_check
    CHECK (state IN ('claimed', 'verified', 'disputed', 'revoked')) NOT VALID;
ALTER TABLE handles ADD COLUMN seen timestamptz, ADD COLUMN cause uuid;
COMMENT ON COLUMN handles.seen IS 'When it was last proven, to the day; null: when it was linked.';
COMMENT ON COLUMN handles.cause IS 'The message by which a verified link came into dispute.';

ALTER TABLE identity_events ALTER COLUMN message_id DROP NOT NULL;
ALTER TABLE identity_events
    ADD COLUMN serial bigint GENERATED ALWAYS AS IDENTITY,
    ADD COLUMN other uuid,
    ADD COLUMN source text,
    ADD COLUMN evidence text,
    ADD COLUMN actor text,
    ADD COLUMN reason text;
COMMENT ON COLUMN identity_events.serial IS 'The order of the fold: what rests on an earlier event has a higher one.';
COMMENT ON COLUMN identity_events.other IS 'The second customer: a merge''s target, the other side of a dispute.';
COMMENT ON COLUMN identity_events.source IS 'The account that the proof came through, as channel/account.';
COMMENT ON COLUMN identity_events.evidence IS 'What proved it, where the door says so: a signing key, a server.';
CREATE INDEX identity_events_of_customer ON identity_events (customer_id, workspace);

CREATE TABLE merges (
    workspace uuid NOT NULL,
    source uuid NOT NULL,
    target uuid NOT NULL,
    automatic boolean NOT NULL,
    kind text,
    value text,
    actor text NOT NULL,
    reason text NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (workspace, source),
    CHECK (source <> target)
);
COMMENT ON TABLE merges IS 'Merges in force. customers.merged_into is the root that they lead to.';
COMMENT ON COLUMN merges.kind IS 'Kind and value of the handle that was verified on both sides of an automatic merge.';
CREATE INDEX merges_into ON merges (target, workspace);

CREATE TABLE separations (
    workspace uuid NOT NULL,
    low uuid NOT NULL,
    high uuid NOT NULL,
    PRIMARY KEY (workspace, low, high),
    CHECK (low < high)
);
COMMENT ON TABLE separations IS 'Pairs that people rejected or undid: neither merged by us nor suggested again.';
CREATE INDEX separations_high ON separations (high, workspace);

CREATE TABLE merge_requests (
    workspace uuid NOT NULL,
    source uuid NOT NULL,
    target uuid NOT NULL,
    actor text NOT NULL,
    reason text NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (workspace, source, target)
);
COMMENT ON TABLE merge_requests IS 'Merges against a veto that wait for a second person.';

DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['merges', 'separations', 'merge_requests'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY app ON %I TO frontdesk_app USING (workspace = ANY('
            '(SELECT string_to_array(current_setting(''app.workspaces'', true), '',''))::uuid[]))', t);
        EXECUTE format('CREATE POLICY system ON %I TO frontdesk_system USING (true)', t);
    END LOOP;
END
$$;

GRANT SELECT, INSERT, UPDATE, DELETE ON merges, separations, merge_requests TO frontdesk_app, frontdesk_system;
