-- name: add
-- A note, once.
INSERT INTO notes (workspace, note_id, ticket_id, agent, text, created_at)
VALUES (%(workspace)s, %(note)s, %(ticket)s, %(agent)s, %(text)s, %(now)s)
ON CONFLICT (workspace, note_id) DO NOTHING
RETURNING note_id

-- name: of_ticket
-- All notes on a ticket, oldest first.
SELECT n.note_id, n.agent, n.text, n.created_at
FROM notes n
WHERE n.workspace = %(workspace)s AND n.ticket_id = %(ticket)s
ORDER BY n.created_at, n.note_id
