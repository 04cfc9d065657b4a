-- name: add_lines
-- The next numbers of each chat for these lines, in the order given. The chat's row stays locked until the transaction ends,
-- so that whoever has seen a number has seen all before it.
WITH given AS (
    SELECT g.workspace, g.account, g.conversation, g.message_id, g.place
    FROM unnest(%(workspaces)s::uuid[], %(accounts)s::text[], %(conversations)s::text[], %(messages)s::uuid[])
         WITH ORDINALITY AS g(workspace, account, conversation, message_id, place)
    WHERE NOT EXISTS (
        SELECT FROM chat_lines l WHERE l.workspace = g.workspace AND l.message_id = g.message_id)
), counted AS (
    SELECT workspace, account, conversation, count(*) AS lines
    FROM given GROUP BY workspace, account, conversation
), numbered AS (
    INSERT INTO chats (workspace, account, conversation, last_seq)
    SELECT workspace, account, conversation, lines FROM counted ORDER BY workspace, account, conversation
    ON CONFLICT (workspace, account, conversation) DO UPDATE SET last_seq = chats.last_seq + excluded.last_seq
    RETURNING workspace, account, conversation, last_seq
)
INSERT INTO chat_lines (workspace, account, conversation, seq, message_id)
SELECT workspace, account, conversation,
       last_seq - lines + row_number() OVER (PARTITION BY workspace, account, conversation ORDER BY place), message_id
FROM given
JOIN counted USING (workspace, account, conversation)
JOIN numbered USING (workspace, account, conversation)

-- name: open_sessions
-- A visitor's message opens a session where none is open, and keeps one alive. Messages left outside of opening hours do
-- not: nobody is there to pick them up.
INSERT INTO chat_sessions (workspace, session_id, account, conversation, opening, started_at, last_at)
SELECT DISTINCT ON (workspace, account, conversation) workspace, message_id, account, conversation, opening, at,
       max(at) OVER (PARTITION BY workspace, account, conversation)
FROM unnest(%(workspaces)s::uuid[], %(accounts)s::text[], %(conversations)s::text[], %(messages)s::uuid[],
            %(openings)s::text[], %(at)s::timestamptz[])
     WITH ORDINALITY AS g(workspace, account, conversation, message_id, opening, at, place)
ORDER BY workspace, account, conversation, place
ON CONFLICT (workspace, account, conversation) WHERE ended_at IS NULL
DO UPDATE SET last_at = greatest(chat_sessions.last_at, excluded.last_at)

-- name: tell
-- Wakes the gateways that show these chats, when the transaction commits.
SELECT pg_notify('chat', concat_ws(' ', workspace, account, conversation, %(what)s::text))
FROM (SELECT DISTINCT workspace, account, conversation
      FROM unnest(%(workspaces)s::uuid[], %(accounts)s::text[], %(conversations)s::text[])
           AS g(workspace, account, conversation)) AS woken

-- name: lines_after
-- What each of these chats has behind a number: at most so many lines a chat, in order.
SELECT l.workspace, l.account, l.conversation, l.seq, l.message_id, m.provider_id,
       coalesce(m.payload->>'text', a.text) AS text, a.name, coalesce(m.received_at, a.created_at) AS at
FROM unnest(%(workspaces)s::uuid[], %(accounts)s::text[], %(conversations)s::text[], %(after)s::bigint[])
     AS wanted(workspace, account, conversation, after)
CROSS JOIN LATERAL (
    SELECT c.workspace, c.account, c.conversation, c.seq, c.message_id FROM chat_lines c
    WHERE c.workspace = wanted.workspace AND c.account = wanted.account AND c.conversation = wanted.conversation
      AND c.seq > wanted.after
    ORDER BY c.seq LIMIT %(limit)s
) AS l
LEFT JOIN messages m ON m.workspace = l.workspace AND m.message_id = l.message_id
LEFT JOIN answers a ON a.workspace = l.workspace AND a.answer_id = l.message_id
ORDER BY l.workspace, l.account, l.conversation, l.seq

-- name: chat_of_ticket
-- The chat that a ticket's newest chat message came by.
SELECT m.account, m.payload->>'conversation_key'
FROM messages m
WHERE m.workspace = %(workspace)s AND m.ticket_id = %(ticket)s AND m.channel = 'chat' AND m.kind = 'message'
ORDER BY m.happened_at DESC, m.received_at DESC
LIMIT 1

-- name: mail_of_ticket
-- What a mail on this ticket answers.
SELECT m.payload::text
FROM messages m
WHERE m.workspace = %(workspace)s AND m.ticket_id = %(ticket)s AND m.channel IN ('email', 'webform')
  AND m.kind = 'message' AND m.direction = 'in'
ORDER BY m.happened_at DESC, m.received_at DESC LIMIT 1

-- name: add_answers
-- Nothing comes back for one that is stored already.
INSERT INTO answers (workspace, answer_id, ticket_id, channel, account, recipient, agent, name, text, created_at)
SELECT * FROM unnest(%(workspaces)s::uuid[], %(answers)s::uuid[], %(tickets)s::uuid[], %(channels)s::text[],
                     %(accounts)s::text[], %(recipients)s::text[], %(agents)s::text[], %(names)s::text[],
                     %(texts)s::text[], %(at)s::timestamptz[])
ON CONFLICT DO NOTHING
RETURNING answer_id

-- name: pick_up
-- The first answer takes the open session up, every answer keeps it alive.
UPDATE chat_sessions s
SET picked_up_at = coalesce(s.picked_up_at, %(now)s), agent = coalesce(s.agent, %(agent)s),
    last_at = greatest(s.last_at, %(now)s)
WHERE s.workspace = %(workspace)s AND s.account = %(account)s AND s.conversation = %(conversation)s
  AND s.ended_at IS NULL

-- name: answers_of_ticket
-- What agents have answered on a ticket, oldest first.
SELECT a.answer_id, a.channel, a.account, a.recipient, a.name, a.text, a.created_at
FROM answers a
WHERE a.workspace = %(workspace)s AND a.ticket_id = %(ticket)s
ORDER BY a.created_at, a.answer_id

-- name: end_session
-- The visitor closes the chat.
UPDATE chat_sessions s SET ended_at = %(now)s, ended_by = 'visitor'
WHERE s.workspace = %(workspace)s AND s.account = %(account)s AND s.conversation = %(conversation)s
  AND s.ended_at IS NULL
RETURNING s.workspace, s.account, s.conversation

-- name: end_sessions_of_ticket
-- Whoever solves a ticket closes its chat, and whoever shows it is told, in one: somebody waits for it.
WITH ended AS (
    UPDATE chat_sessions s SET ended_at = %(now)s, ended_by = 'agent'
    FROM messages m
    WHERE m.workspace = %(workspace)s AND m.ticket_id = %(ticket)s AND m.channel = 'chat'
      AND s.workspace = m.workspace AND s.session_id = m.message_id AND s.ended_at IS NULL
    RETURNING s.workspace, s.account, s.conversation
)
SELECT pg_notify('chat', concat_ws(' ', workspace, account, conversation, %(what)s::text))
FROM (SELECT DISTINCT workspace, account, conversation FROM ended) AS woken

-- name: end_silent_sessions
-- In every workspace: those in which nobody has written since a time.
UPDATE chat_sessions s SET ended_at = %(now)s, ended_by = 'silence'
FROM (
    SELECT o.workspace, o.session_id FROM chat_sessions o
    WHERE o.ended_at IS NULL AND NOT o.settled AND o.last_at < %(before)s
    ORDER BY o.workspace, o.session_id LIMIT %(limit)s
    FOR NO KEY UPDATE SKIP LOCKED
) AS silent
WHERE s.workspace = silent.workspace AND s.session_id = silent.session_id
RETURNING s.workspace, s.account, s.conversation

-- name: untold_sessions
-- In every workspace: sessions of which something has happened that is not on the topic yet.
SELECT s.workspace, s.account, s.conversation, s.session_id, s.opening, m.payload->>'store' AS store, s.started_at,
       s.picked_up_at, s.agent, s.ended_at, s.ended_by, s.told
FROM chat_sessions s
JOIN messages m ON m.workspace = s.workspace AND m.message_id = s.session_id
WHERE NOT s.settled
  AND (s.told = '{}' OR s.ended_at IS NOT NULL OR (s.picked_up_at IS NOT NULL AND NOT 'picked_up' = ANY(s.told)))
ORDER BY s.workspace, s.session_id
LIMIT %(limit)s

-- name: mark_told
-- What is on the topic now.
UPDATE chat_sessions s SET told = string_to_array(said.told, ','), settled = said.settled
FROM unnest(%(workspaces)s::uuid[], %(sessions)s::uuid[], %(told)s::text[], %(settled)s::boolean[])
     AS said(workspace, session_id, told, settled)
WHERE s.workspace = said.workspace AND s.session_id = said.session_id

-- name: last_session
-- The newest session of a chat, its ticket and who took it up.
SELECT s.opening, t.number, s.agent
FROM chat_sessions s
JOIN messages m ON m.workspace = s.workspace AND m.message_id = s.session_id
LEFT JOIN tickets t ON t.workspace = m.workspace AND t.ticket_id = m.ticket_id
WHERE s.workspace = %(workspace)s AND s.account = %(account)s AND s.conversation = %(conversation)s
ORDER BY s.started_at DESC
LIMIT 1

-- name: mark_read
-- The visitor says to have read this far. Never back, and never past the last line.
UPDATE chats c SET read_seq = greatest(c.read_seq, least(%(seq)s::bigint, c.last_seq))
WHERE c.workspace = %(workspace)s AND c.account = %(account)s AND c.conversation = %(conversation)s
