-- What finding an agent goes by: the language of a ticket, and whether it was left in its queue on purpose.

ALTER TABLE tickets
    ADD COLUMN language text,
    ADD COLUMN held_back boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN tickets.language IS 'Of its first message, where agents are matched by language.';
COMMENT ON COLUMN tickets.held_back IS 'Left in the queue on purpose: pulled or assigned, never offered.';
