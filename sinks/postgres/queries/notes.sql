-- name: add
-- Each note once.
INSERT INTO notes (workspace, note_id, ticket_id, agent, text, created_at)
SELECT n.workspace, n.note_id, n.ticket_id, n.agent, n.text, n.at
FROM unnest(%(workspaces)s::uuid[], %(notes)s::uuid[], %(tickets)s::uuid[], %(agents)s::text[], %(texts)s::text[],
            %(at)s::timestamptz[]) AS n(workspace, note_id, ticket_id, agent, text, at)
ON CONFLICT (workspace, note_id) DO NOTHING
RETURNING note_id

-- name: of_ticket
-- All notes on a ticket, oldest first.
SELECT n.note_id, n.agent, n.text, n.created_at
FROM notes n
WHERE n.workspace = %(workspace)s AND n.ticket_id = %(ticket)s
ORDER BY n.created_at, n.note_id
