-- The chain: identity, router, outbox, audit, dead letters.
--
-- Every table that holds data of a workspace has `workspace` first in its keys, row-level security enabled and forced,
-- and one policy for the application role. `frontdesk_app` owns nothing. `frontdesk_system` (relay, verifier, sealer,
-- dead-letter feeder) sees all workspaces. Times are UTC; canonical values are compared with `=` only, because other
-- operators are not leakproof and lose their index under a policy.

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'frontdesk_app') THEN
        CREATE ROLE frontdesk_app LOGIN NOSUPERUSER NOBYPASSRLS;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'frontdesk_system') THEN
        CREATE ROLE frontdesk_system LOGIN NOSUPERUSER NOBYPASSRLS;
    END IF;
END
$$;

-- Configuration -----------------------------------------------------------------------------------------------

CREATE TABLE workspaces (
    workspace uuid PRIMARY KEY,
    slug text NOT NULL UNIQUE,
    name text NOT NULL,
    next_number bigint NOT NULL DEFAULT 1001
);
COMMENT ON COLUMN workspaces.next_number IS 'Ticket numbers are taken from here in blocks; gaps are allowed.';

CREATE TABLE config_versions (
    workspace uuid NOT NULL REFERENCES workspaces,
    version text NOT NULL,
    serial bigint GENERATED ALWAYS AS IDENTITY,
    effective_from timestamptz NOT NULL,
    applied_by text NOT NULL,
    body json NOT NULL,
    PRIMARY KEY (workspace, version)
);
COMMENT ON TABLE config_versions IS 'Immutable. The one in force is the newest serial whose effective_from has come.';

CREATE TABLE api_keys (
    workspace uuid NOT NULL REFERENCES workspaces,
    key_id text NOT NULL,
    secret_sha256 bytea NOT NULL,
    agent text NOT NULL,
    role text NOT NULL CHECK (role IN ('agent', 'lead', 'admin')),
    revoked_at timestamptz,
    PRIMARY KEY (workspace, key_id)
);

-- Identity ----------------------------------------------------------------------------------------------------

CREATE TABLE customers (
    workspace uuid NOT NULL,
    customer_id uuid NOT NULL,
    founding_kind text NOT NULL,
    founding_value text NOT NULL,
    proven boolean NOT NULL,
    generation integer NOT NULL DEFAULT 0,
    display_name text,
    merged_into uuid,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (workspace, customer_id),
    CHECK (merged_into IS DISTINCT FROM customer_id)
);
COMMENT ON COLUMN customers.merged_into IS 'A pointer, never a deletion: writers follow it to the root.';

CREATE TABLE handles (
    workspace uuid NOT NULL,
    kind text NOT NULL,
    value text NOT NULL,
    customer_id uuid NOT NULL,
    state text NOT NULL CHECK (state IN ('claimed', 'verified')),
    proof text NOT NULL CHECK (proof IN ('claimed', 'channel', 'verified', 'authoritative')),
    since timestamptz NOT NULL,
    evidence uuid NOT NULL,
    PRIMARY KEY (workspace, kind, value, customer_id),
    CHECK ((state = 'claimed') = (proof = 'claimed'))
);
COMMENT ON COLUMN handles.evidence IS 'The message that made the link.';
CREATE UNIQUE INDEX handles_verified ON handles (workspace, kind, value) WHERE state = 'verified';
-- Not led by the workspace: on a table without statistics the planner would take it for the look-up by handle.
CREATE INDEX handles_of_customer ON handles (customer_id, workspace);

CREATE TABLE identity_events (
    workspace uuid NOT NULL,
    event_id uuid NOT NULL,
    message_id uuid NOT NULL,
    customer_id uuid NOT NULL,
    action text NOT NULL,
    kind text,
    value text,
    proof text,
    at timestamptz NOT NULL,
    PRIMARY KEY (workspace, event_id)
);
COMMENT ON TABLE identity_events IS 'Append-only: the state of links is a fold over it.';

-- Tickets -----------------------------------------------------------------------------------------------------

CREATE TABLE tickets (
    workspace uuid NOT NULL,
    ticket_id uuid NOT NULL,
    number bigint NOT NULL,
    version integer NOT NULL,
    customer_id uuid NOT NULL,
    trust text NOT NULL,
    channel text NOT NULL,
    account text NOT NULL,
    store text,
    subject text,
    department text NOT NULL,
    category text,
    priority text NOT NULL CHECK (priority IN ('urgent', 'high', 'medium', 'low')),
    status text NOT NULL CHECK (status IN ('new', 'open', 'waiting', 'solved')),
    agent text,
    due_at timestamptz,
    deadline json,
    tags text[] NOT NULL DEFAULT '{}',
    refers_to uuid,
    messages integer NOT NULL,
    pulled boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    audit_head bytea NOT NULL,
    PRIMARY KEY (workspace, ticket_id)
);
COMMENT ON COLUMN tickets.audit_head IS 'Hash of the ticket''s newest audit row: the end of its chain.';
COMMENT ON COLUMN tickets.pulled IS 'Taken by pull-next, and so counted against the pull limit.';
CREATE UNIQUE INDEX tickets_number ON tickets (workspace, number);
CREATE INDEX tickets_of_customer ON tickets (workspace, customer_id, created_at DESC);
CREATE INDEX tickets_unsolved ON tickets (workspace, department, due_at, created_at, number) WHERE status <> 'solved';
CREATE INDEX tickets_of_agent ON tickets (workspace, agent) WHERE status <> 'solved' AND agent IS NOT NULL;

CREATE TABLE ticket_refs (
    workspace uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('mail', 'chat')),
    value text NOT NULL,
    ticket_id uuid NOT NULL,
    PRIMARY KEY (workspace, kind, value, ticket_id)
);
COMMENT ON TABLE ticket_refs IS 'What a later message can name: Message-IDs of stored mails, keys of chats.';

CREATE TABLE ticket_participants (
    workspace uuid NOT NULL,
    ticket_id uuid NOT NULL,
    kind text NOT NULL,
    value text NOT NULL,
    PRIMARY KEY (workspace, ticket_id, kind, value)
);

CREATE TABLE messages (
    workspace uuid NOT NULL,
    message_id uuid NOT NULL,
    ticket_id uuid,
    customer_id uuid NOT NULL,
    channel text NOT NULL,
    account text NOT NULL,
    provider_id text NOT NULL,
    kind text NOT NULL,
    direction text NOT NULL,
    target text,
    body_sha256 text,
    happened_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    out_of_order boolean NOT NULL DEFAULT false,
    topic text NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    payload json NOT NULL,
    PRIMARY KEY (workspace, message_id)
);
COMMENT ON TABLE messages IS 'One row a message of any kind: the terminal row of its inbound record.';
COMMENT ON COLUMN messages.payload IS 'The inbound record''s bytes, unchanged.';
COMMENT ON COLUMN messages.happened_at IS 'The provider''s time where it gives one, else ours: the order in a conversation.';
CREATE UNIQUE INDEX messages_position ON messages (topic, partition, "offset");
CREATE INDEX messages_of_ticket ON messages (workspace, ticket_id, happened_at, received_at) WHERE ticket_id IS NOT NULL;
CREATE INDEX messages_by_target ON messages (workspace, channel, account, target) WHERE target IS NOT NULL;

CREATE TABLE decisions (
    workspace uuid NOT NULL,
    message_id uuid NOT NULL,
    ticket_id uuid NOT NULL,
    rule_set text NOT NULL,
    decided_at timestamptz NOT NULL,
    record json NOT NULL,
    PRIMARY KEY (workspace, message_id)
);
CREATE INDEX decisions_of_ticket ON decisions (workspace, ticket_id);

CREATE TABLE rotations (
    workspace uuid NOT NULL,
    department text NOT NULL,
    category text NOT NULL,
    turns json NOT NULL DEFAULT '[]',
    PRIMARY KEY (workspace, department, category)
);
COMMENT ON COLUMN rotations.turns IS 'Agents in the order of their turns: who gets a ticket goes to the end.';

CREATE TABLE agents (
    workspace uuid NOT NULL,
    agent text NOT NULL,
    last_assigned_at timestamptz,
    PRIMARY KEY (workspace, agent)
);
COMMENT ON TABLE agents IS 'One row an agent, to be locked before the load of that agent is counted.';

-- Trail -------------------------------------------------------------------------------------------------------

CREATE TABLE audit (
    workspace uuid NOT NULL,
    ticket_id uuid NOT NULL,
    version integer NOT NULL,
    at timestamptz NOT NULL,
    actor text NOT NULL,
    action text NOT NULL,
    detail json NOT NULL,
    hash bytea NOT NULL,
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    PRIMARY KEY (workspace, ticket_id, version)
);
COMMENT ON COLUMN audit.hash IS 'sha256 of the previous hash and this row: editing a row breaks the chain.';
COMMENT ON COLUMN audit.xid IS 'Lets the sealer take exactly the rows whose transactions have ended.';
CREATE INDEX audit_xid ON audit (xid);

CREATE TABLE audit_seals (
    seal bigint PRIMARY KEY,
    xid_from xid8 NOT NULL,
    xid_to xid8 NOT NULL,
    rows bigint NOT NULL,
    root bytea NOT NULL,
    signature bytea NOT NULL,
    sealed_at timestamptz NOT NULL
);
COMMENT ON TABLE audit_seals IS 'Each minute: the signed Merkle root over audit rows with xid_from <= xid < xid_to.';

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
END
$$;
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER identity_events_append_only BEFORE UPDATE OR DELETE ON identity_events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Outbox (Debezium's column names, so that its outbox router can replace our relay) ------------------------------

CREATE TABLE outbox (
    id uuid NOT NULL,
    aggregatetype text NOT NULL,
    aggregateid uuid NOT NULL,
    type text NOT NULL,
    payload bytea NOT NULL,
    workspace uuid NOT NULL,
    traceparent text,
    shard smallint NOT NULL,
    seq bigint GENERATED ALWAYS AS IDENTITY,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (shard, seq)
);
COMMENT ON COLUMN outbox.seq IS 'Order within one aggregate (its writers are serialised by its lock), never a high-water mark.';
-- Every row lives for milliseconds: what is dead must go by number, not by share of a table that is empty.
ALTER TABLE outbox SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

-- Delivery bookkeeping: no data of a workspace ------------------------------------------------------------------

CREATE TABLE duplicates (
    topic text NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    message_id uuid NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (topic, partition, "offset")
);
COMMENT ON TABLE duplicates IS 'Terminal rows of records whose message was stored from another offset.';

CREATE TABLE dead_letters (
    dead_letter_id uuid PRIMARY KEY,
    workspace uuid,
    stage text NOT NULL,
    reason text NOT NULL,
    detail text NOT NULL,
    disposition text NOT NULL CHECK (disposition IN ('parked', 'suppressed')),
    state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'retried', 'dropped')),
    actor text,
    channel text,
    account text,
    raw bytea NOT NULL,
    raw_ref text,
    key bytea,
    headers json NOT NULL,
    traceback_sha256 text,
    failed_topic text,
    failed_partition integer,
    failed_offset bigint,
    topic text NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    occurred_at timestamptz NOT NULL,
    UNIQUE (topic, partition, "offset")
);
COMMENT ON TABLE dead_letters IS 'topic, partition, offset: the inbound record it descends from, or the door''s own '
    'dead-letter record: the terminal row. failed_*: the record that the stage could not process.';

CREATE TABLE checkpoints (
    topic text NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    stored bigint NOT NULL,
    duplicates bigint NOT NULL,
    parked bigint NOT NULL,
    suppressed bigint NOT NULL,
    PRIMARY KEY (topic, partition)
);
COMMENT ON TABLE checkpoints IS 'Below this offset the books are closed, so that retention may delete the rows.';

CREATE TABLE stage_crashes (
    stage text NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    first_offset bigint NOT NULL,
    last_offset bigint NOT NULL,
    traceback_sha256 text NOT NULL,
    at timestamptz NOT NULL
);

CREATE TABLE fuses (
    stage text NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    reason text NOT NULL,
    opened_at timestamptz NOT NULL,
    PRIMARY KEY (stage, topic, partition)
);

CREATE TABLE cursors (
    workspace uuid NOT NULL,
    channel text NOT NULL,
    account text NOT NULL,
    folder text NOT NULL DEFAULT '',
    epoch bigint NOT NULL DEFAULT 0,
    position bigint NOT NULL,
    PRIMARY KEY (workspace, channel, account, folder)
);
COMMENT ON TABLE cursors IS 'How far a poller has come: IMAP UID (epoch: UIDVALIDITY), Telegram update id.';

-- Row-level security --------------------------------------------------------------------------------------------

DO $$
DECLARE
    t text;
BEGIN
    FOR t IN
        SELECT c.table_name FROM information_schema.columns c
        WHERE c.table_schema = 'public' AND c.column_name = 'workspace'
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        -- The cast stands outside: inside, the parser takes it for a subquery of rows (architecture.md).
        EXECUTE format('CREATE POLICY app ON %I TO frontdesk_app USING (workspace = ANY('
            '(SELECT string_to_array(current_setting(''app.workspaces'', true), '',''))::uuid[]))', t);
        EXECUTE format('CREATE POLICY system ON %I TO frontdesk_system USING (true)', t);
    END LOOP;
END
$$;

GRANT USAGE ON SCHEMA public TO frontdesk_app, frontdesk_system;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO frontdesk_app, frontdesk_system;
REVOKE UPDATE, DELETE ON audit, identity_events, audit_seals, config_versions FROM frontdesk_app, frontdesk_system;
REVOKE INSERT, UPDATE, DELETE ON checkpoints, audit_seals FROM frontdesk_app;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO frontdesk_app, frontdesk_system;

-- The migrator keeps its books in this schema too, and had made them before: nobody else's business.
REVOKE ALL ON _yoyo_log, _yoyo_migration, _yoyo_version, yoyo_lock FROM frontdesk_app, frontdesk_system;
