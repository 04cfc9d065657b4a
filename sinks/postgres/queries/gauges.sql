-- name: tickets
-- Unsolved tickets by department and status: how many, due before the horizon, overdue, and since when one waits for an
-- agent.
SELECT department, status, count(*),
       count(*) FILTER (WHERE due_at >= %(now)s AND due_at < %(horizon)s),
       count(*) FILTER (WHERE due_at < %(now)s),
       min(created_at) FILTER (WHERE agent IS NULL)
FROM tickets WHERE status <> 'solved'
GROUP BY department, status

-- name: parked
-- Dead letters that wait for somebody, and since when the oldest does.
SELECT stage, count(*), min(occurred_at) FROM dead_letters
WHERE state = 'waiting' AND disposition = 'parked'
GROUP BY stage

-- name: outbox
-- What the relay has yet to publish.
SELECT count(*), min(created_at) FROM outbox

-- name: media
-- Attachments that are still to be fetched, and since when the oldest is.
SELECT count(*), min(received_at) FROM media WHERE state = 'waiting'
