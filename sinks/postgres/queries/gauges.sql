-- name: tickets
-- Tickets by department and status: how many, due before the horizon, overdue, and since when one waits for an agent.
SELECT department, status, count(*),
       count(*) FILTER (WHERE status <> 'solved' AND due_at >= %(now)s AND due_at < %(horizon)s),
       count(*) FILTER (WHERE status <> 'solved' AND due_at < %(now)s),
       min(coalesce(held_since, created_at)) FILTER (WHERE agent IS NULL AND status <> 'solved')
FROM tickets
GROUP BY department, status

-- name: forgotten
-- Unsolved tickets that nobody would ever come back to: no owner and no queue, or no next time to act.
SELECT count(*) FROM tickets
WHERE status <> 'solved' AND ((agent IS NULL AND department = '') OR next_action_at IS NULL)

-- name: at_risk
-- Deadlines that run and are near or passed, by department and clock.
SELECT t.department, c.clock, count(*)
FROM tickets t
CROSS JOIN LATERAL (VALUES ('first_response', t.deadline), ('next_response', t.clocks -> 'next_response'),
                           ('resolution', t.clocks -> 'resolution')) AS c(clock, deadline)
WHERE t.status <> 'solved' AND t.due_at IS NOT NULL
  AND c.deadline ->> 'risk_at' IS NOT NULL AND (c.deadline ->> 'risk_at')::timestamptz <= %(now)s
GROUP BY t.department, c.clock

-- name: flow
-- By department: tickets that came since then (by where they are now), and those that were solved.
SELECT department,
       count(*) FILTER (WHERE created_at >= %(since)s),
       count(*) FILTER (WHERE status = 'solved' AND resolution_at >= %(since)s)
FROM tickets
WHERE created_at >= %(since)s OR resolution_at >= %(since)s
GROUP BY department

-- name: first_pass
-- By the department of the first decision: tickets that began since then, and those of them that went to another one.
SELECT coalesce(first_department, department), count(*), count(*) FILTER (WHERE transfers > 0)
FROM tickets
WHERE created_at >= %(since)s
GROUP BY 1

-- name: done
-- By workspace and department: tickets that were answered first or solved since then.
SELECT workspace, department, count(*)
FROM tickets
WHERE greatest(first_answer_at, resolution_at) >= %(since)s
GROUP BY workspace, department

-- name: projected
-- By department: how many of the deadlines before the horizon will be missed when tickets are done in their order at the
-- given pace. What is overdue is done first, and is no breach to come. `minutes`: that one ticket takes; null: nobody is there.
SELECT w.department, count(*)
FROM (
    SELECT t.workspace, t.department, t.due_at,
           row_number() OVER (PARTITION BY t.workspace, t.department ORDER BY t.due_at, t.created_at, t.number) AS place
    FROM tickets t
    WHERE t.status IN ('new', 'open') AND t.due_at < %(horizon)s
) w
JOIN unnest(%(workspaces)s::uuid[], %(departments)s::text[], %(minutes)s::float8[]) AS pace(workspace, department, minutes)
  ON pace.workspace = w.workspace AND pace.department = w.department
WHERE w.due_at >= %(now)s
  AND (pace.minutes IS NULL OR w.due_at < %(now)s::timestamptz + w.place * pace.minutes * interval '1 minute')
GROUP BY w.department

-- name: present
-- What agents said last of whether they are there.
SELECT workspace, agent, presence FROM agents

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
