-- name: tickets
-- Unsolved tickets by department and status, and those of them that are due before the horizon and not yet overdue.
SELECT department, status, count(*),
       count(*) FILTER (WHERE due_at >= %(now)s AND due_at < %(horizon)s)
FROM tickets WHERE status <> 'solved'
GROUP BY department, status

-- name: parked
-- Dead letters that wait for somebody, and since when the oldest does.
SELECT stage, reason, count(*), min(occurred_at) FROM dead_letters
WHERE state = 'waiting' AND disposition = 'parked'
GROUP BY stage, reason

-- name: outbox
-- What the relay has yet to publish.
SELECT count(*), min(created_at) FROM outbox
