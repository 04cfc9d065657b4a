-- Tickets are found by the orders that they are about, and messages by what they say.

ALTER TABLE ticket_refs DROP CONSTRAINT ticket_refs_kind_check;
ALTER TABLE ticket_refs ADD CONSTRAINT ticket_refs_kind_check
    CHECK (kind IN ('mail', 'chat', 'call', 'order')) NOT VALID;
COMMENT ON TABLE ticket_refs IS 'What a later message can name: Message-IDs of stored mails, keys of chats and calls, a customer''s orders.';

ALTER TABLE messages ADD COLUMN content_sha256 text;
ALTER TABLE messages ADD COLUMN duplicate_of uuid;
COMMENT ON COLUMN messages.content_sha256 IS 'Who says what to which store; null where the same words may well be said twice (a chat).';
COMMENT ON COLUMN messages.duplicate_of IS 'The message that said the same shortly before: this one came a second time under another id.';
CREATE INDEX messages_by_content ON messages (workspace, content_sha256, received_at) WHERE content_sha256 IS NOT NULL;
