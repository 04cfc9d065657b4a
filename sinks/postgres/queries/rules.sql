-- name: opening_messages
-- The message that opened each ticket: what rules over texts and senders read.
SELECT DISTINCT ON (m.workspace, m.ticket_id) m.workspace, m.ticket_id, m.payload::text
FROM unnest(%(workspaces)s::uuid[], %(tickets)s::uuid[]) AS wanted(workspace, ticket_id)
JOIN messages m ON m.workspace = wanted.workspace AND m.ticket_id = wanted.ticket_id
               AND m.kind IN ('message', 'call')
ORDER BY m.workspace, m.ticket_id, m.happened_at, m.received_at

-- name: customer_tags
-- Tags of these customers, and of those that were merged into them.
WITH wanted AS (
    SELECT * FROM unnest(%(workspaces)s::uuid[], %(customers)s::uuid[]) AS w(workspace, customer_id)
), own AS (
    SELECT workspace, customer_id AS root, customer_id FROM wanted
    UNION ALL
    SELECT c.workspace, c.merged_into, c.customer_id
    FROM wanted JOIN customers c ON c.workspace = wanted.workspace AND c.merged_into = wanted.customer_id
)
SELECT own.workspace, own.root, array_agg(DISTINCT t.tag ORDER BY t.tag)
FROM own JOIN customer_tags t ON t.workspace = own.workspace AND t.customer_id = own.customer_id
GROUP BY own.workspace, own.root

-- name: ensure_answered
-- An addressee exists before it is locked.
INSERT INTO automatic_replies (workspace, channel, recipient)
SELECT * FROM unnest(%(workspaces)s::uuid[], %(channels)s::text[], %(recipients)s::text[])
ON CONFLICT DO NOTHING

-- name: lock_answered
-- When each addressee last got an automatic answer.
SELECT r.workspace, r.channel, r.recipient, r.replied_at
FROM automatic_replies r
JOIN unnest(%(workspaces)s::uuid[], %(channels)s::text[], %(recipients)s::text[])
     AS wanted(workspace, channel, recipient)
  ON r.workspace = wanted.workspace AND r.channel = wanted.channel AND r.recipient = wanted.recipient
ORDER BY r.workspace, r.channel, r.recipient
FOR NO KEY UPDATE OF r

-- name: stamp_answered
-- In the transaction that puts the answer into the outbox.
UPDATE automatic_replies r SET replied_at = stamped.at
FROM unnest(%(workspaces)s::uuid[], %(channels)s::text[], %(recipients)s::text[], %(at)s::timestamptz[])
     AS stamped(workspace, channel, recipient, at)
WHERE r.workspace = stamped.workspace AND r.channel = stamped.channel AND r.recipient = stamped.recipient

-- name: add_webhook_calls
-- Once a cause, however often it is handled.
INSERT INTO webhook_calls (workspace, call_id, webhook, url, body, due_at, created_at)
SELECT c.workspace, c.call_id, c.webhook, c.url, c.body, c.at, c.at
FROM unnest(%(workspaces)s::uuid[], %(calls)s::uuid[], %(webhooks)s::text[], %(urls)s::text[], %(bodies)s::text[],
            %(at)s::timestamptz[]) AS c(workspace, call_id, webhook, url, body, at)
ON CONFLICT DO NOTHING

-- name: lease_webhook_calls
-- Calls that are due, for one caller: they are due again when it does not come back in time.
UPDATE webhook_calls c SET due_at = %(until)s, attempts = c.attempts + 1
FROM (
    SELECT workspace, call_id FROM webhook_calls
    WHERE state = 'waiting' AND due_at <= %(now)s
    ORDER BY due_at LIMIT %(most)s
    FOR UPDATE SKIP LOCKED
) AS due
WHERE c.workspace = due.workspace AND c.call_id = due.call_id
RETURNING c.workspace, c.call_id, c.webhook, c.url, c.body, c.attempts

-- name: settle_webhook_calls
-- What became of each. A call that waits is due again later.
UPDATE webhook_calls c SET state = done.state, outcome = done.outcome, due_at = done.due
FROM unnest(%(workspaces)s::uuid[], %(calls)s::uuid[], %(states)s::text[], %(outcomes)s::text[], %(due)s::timestamptz[])
     AS done(workspace, call_id, state, outcome, due)
WHERE c.workspace = done.workspace AND c.call_id = done.call_id AND c.state = 'waiting'

-- name: forget_webhook_calls
-- Settled ones are kept for a while, so that people can see what was called.
DELETE FROM webhook_calls WHERE state <> 'waiting' AND created_at < %(before)s

-- name: tag_customer
-- Tags that people give.
INSERT INTO customer_tags (workspace, customer_id, tag)
SELECT %(workspace)s, %(customer)s, tag FROM unnest(%(tags)s::text[]) AS tag ORDER BY tag
ON CONFLICT DO NOTHING

-- name: untag_customer
-- And take away, also from those that were merged into them.
DELETE FROM customer_tags t USING customers c
WHERE t.workspace = %(workspace)s AND c.workspace = t.workspace AND c.customer_id = t.customer_id
  AND (c.customer_id = %(customer)s OR c.merged_into = %(customer)s) AND t.tag = ANY(%(tags)s::text[])
