-- Live chat: the lines of each chat in their order, what agents answer, and sessions.

CREATE TABLE answers (
    workspace uuid NOT NULL,
    answer_id uuid NOT NULL,
    ticket_id uuid NOT NULL,
    channel text NOT NULL,
    account text NOT NULL,
    recipient text NOT NULL,
    agent text NOT NULL,
    name text NOT NULL,
    text text NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (workspace, answer_id)
);
COMMENT ON TABLE answers IS 'What agents write to customers, in the transaction of the ticket''s new version.';
COMMENT ON COLUMN answers.recipient IS 'Whom it goes to, as the channel names them: of a chat the conversation.';
COMMENT ON COLUMN answers.name IS 'What the customer is shown of the agent.';
CREATE INDEX answers_of_ticket ON answers (workspace, ticket_id, created_at);

CREATE TABLE chats (
    workspace uuid NOT NULL,
    account text NOT NULL,
    conversation text NOT NULL,
    last_seq bigint NOT NULL,
    read_seq bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (workspace, account, conversation)
);
COMMENT ON COLUMN chats.last_seq IS 'Raised under the row''s lock: lines become visible in the order of their numbers.';
COMMENT ON COLUMN chats.read_seq IS 'Up to where the visitor says to have read.';

CREATE TABLE chat_lines (
    workspace uuid NOT NULL,
    account text NOT NULL,
    conversation text NOT NULL,
    seq bigint NOT NULL,
    message_id uuid NOT NULL,
    PRIMARY KEY (workspace, account, conversation, seq)
);
COMMENT ON COLUMN chat_lines.message_id IS 'A message of the visitor, or an answer.';
CREATE UNIQUE INDEX chat_lines_once ON chat_lines (workspace, message_id);

CREATE TABLE chat_sessions (
    workspace uuid NOT NULL,
    session_id uuid NOT NULL,
    account text NOT NULL,
    conversation text NOT NULL,
    opening text NOT NULL,
    started_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    picked_up_at timestamptz,
    agent text,
    ended_at timestamptz,
    ended_by text CHECK (ended_by IN ('visitor', 'agent', 'silence')),
    told text[] NOT NULL DEFAULT '{}',
    settled boolean NOT NULL DEFAULT false,
    PRIMARY KEY (workspace, session_id),
    CHECK ((ended_at IS NULL) = (ended_by IS NULL)),
    CHECK ((picked_up_at IS NULL) = (agent IS NULL))
);
COMMENT ON COLUMN chat_sessions.session_id IS 'The message that opened it.';
COMMENT ON COLUMN chat_sessions.opening IS 'That message''s provider id, which the session''s events name as their target.';
COMMENT ON COLUMN chat_sessions.last_at IS 'When somebody last wrote.';
COMMENT ON COLUMN chat_sessions.told IS 'Events that are on the topic.';
COMMENT ON COLUMN chat_sessions.settled IS 'Ended, and everything told.';
CREATE UNIQUE INDEX chat_sessions_open ON chat_sessions (workspace, account, conversation) WHERE ended_at IS NULL;
CREATE INDEX chat_sessions_unsettled ON chat_sessions (workspace, last_at) WHERE NOT settled;

DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['answers', 'chats', 'chat_lines', 'chat_sessions'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY app ON %I TO frontdesk_app USING (workspace = ANY('
            '(SELECT string_to_array(current_setting(''app.workspaces'', true), '',''))::uuid[]))', t);
        EXECUTE format('CREATE POLICY system ON %I TO frontdesk_system USING (true)', t);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO frontdesk_app, frontdesk_system', t);
    END LOOP;
END
$$;
