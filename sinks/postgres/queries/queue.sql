-- name: pairs
-- Departments and categories of which something waits: a few descents of the index for each, however many tickets wait. Each
-- step finds the next category, then what has none, then the next department unless departments are named. (A comparison of
-- rows would be no condition of the index under row-level security.)
WITH RECURSIVE pairs AS (
    (SELECT t.department, t.category
     FROM tickets t
     WHERE %(departments)s::text[] IS NULL
       AND t.workspace = %(workspace)s AND t.agent IS NULL AND t.status IN ('new', 'open')
     ORDER BY t.department, t.category LIMIT 1)
    UNION ALL
    (SELECT first.department, first.category
     FROM unnest(%(departments)s::text[]) AS named(department) CROSS JOIN LATERAL (
         SELECT t.department, t.category FROM tickets t
         WHERE t.workspace = %(workspace)s AND t.agent IS NULL AND t.status IN ('new', 'open')
           AND t.department = named.department
         ORDER BY t.category LIMIT 1
     ) AS first)
    UNION ALL
    SELECT following.department, following.category
    FROM pairs CROSS JOIN LATERAL (
        SELECT step.department, step.category FROM (
            (SELECT 1 AS place, t.department, t.category FROM tickets t
             WHERE t.workspace = %(workspace)s AND t.agent IS NULL AND t.status IN ('new', 'open')
               AND t.department = pairs.department AND t.category > pairs.category
             ORDER BY t.category LIMIT 1)
            UNION ALL
            (SELECT 2, t.department, t.category FROM tickets t
             WHERE t.workspace = %(workspace)s AND t.agent IS NULL AND t.status IN ('new', 'open')
               AND t.department = pairs.department AND t.category IS NULL AND pairs.category IS NOT NULL
             LIMIT 1)
            UNION ALL
            (SELECT 3, t.department, t.category FROM tickets t
             WHERE %(departments)s::text[] IS NULL AND t.workspace = %(workspace)s AND t.agent IS NULL AND t.status IN ('new', 'open')
               AND t.department > pairs.department
             ORDER BY t.department, t.category LIMIT 1)
        ) AS step
        ORDER BY step.place LIMIT 1
    ) AS following
)
SELECT department, category FROM pairs

-- name: take
-- The first of these queues that nobody is just taking, locked, the most urgent first: whole rows, as `lock_tickets` has them.
-- Only so many of each are looked at, and none of which the agent has as many as they may. A ticket that was given away or
-- moved since the statement began is asked again under its lock.
WITH busy AS MATERIALIZED (
    SELECT t.department, count(*) AS count, sum(count(*)) OVER () AS everywhere
    FROM tickets t
    WHERE t.workspace = %(workspace)s AND t.agent = %(agent)s::text AND t.pulled AND t.status IN ('new', 'open')
    GROUP BY t.department
), mine AS MATERIALIZED (
    SELECT m.* FROM unnest(%(departments)s::text[], %(categories)s::text[], %(skilled)s::boolean[],
                           %(cutoffs)s::timestamptz[], %(rooms)s::int[]) AS m(department, category, skilled, cutoff, room)
    WHERE NOT EXISTS (SELECT FROM busy
                      WHERE busy.everywhere >= %(most)s::int OR busy.department = m.department AND busy.count >= m.room)
), heads AS MATERIALIZED (
    SELECT mine.department, mine.category, head.ticket_id, head.due_at, head.created_at, head.number
    FROM mine CROSS JOIN LATERAL (
        SELECT t.ticket_id, t.due_at, t.created_at, t.number
        FROM tickets t
        WHERE t.workspace = %(workspace)s AND t.department = mine.department AND t.category = mine.category
          AND t.agent IS NULL AND t.status IN ('new', 'open')
          AND (t.held_since <= mine.cutoff OR mine.skilled AND (
               t.language IS NULL OR %(languages)s::text[] IS NULL OR t.language = ANY(%(languages)s::text[])))
          AND (NOT %(offered)s OR NOT t.held_back)
        ORDER BY t.due_at, t.created_at, t.number
        LIMIT %(depth)s
    ) AS head
    UNION ALL
    SELECT mine.department, mine.category, head.ticket_id, head.due_at, head.created_at, head.number
    FROM mine CROSS JOIN LATERAL (
        SELECT t.ticket_id, t.due_at, t.created_at, t.number
        FROM tickets t
        WHERE t.workspace = %(workspace)s AND t.department = mine.department AND t.category IS NULL
          AND t.agent IS NULL AND t.status IN ('new', 'open')
          AND (t.held_since <= mine.cutoff OR mine.skilled AND (
               t.language IS NULL OR %(languages)s::text[] IS NULL OR t.language = ANY(%(languages)s::text[])))
          AND (NOT %(offered)s OR NOT t.held_back)
        ORDER BY t.due_at, t.created_at, t.number
        LIMIT %(depth)s
    ) AS head
    WHERE mine.category IS NULL
)
SELECT t.workspace, t.ticket_id, t.number, t.version, t.customer_id, t.trust, t.channel, t.account, t.store, t.subject,
       t.department, t.category, t.priority, t.status, t.agent, t.due_at, t.deadline::text AS deadline, t.tags,
       t.refers_to, t.messages, t.pulled, t.held_since, t.lease_until, t.step, t.language, t.held_back,
       t.created_at, t.updated_at, t.audit_head, t.context::text AS context, t.category_id, t.sla, t.clocks::text AS clocks
FROM heads
JOIN tickets t ON t.workspace = %(workspace)s AND t.ticket_id = heads.ticket_id
WHERE t.agent IS NULL AND t.status IN ('new', 'open')
  AND t.department = heads.department AND t.category IS NOT DISTINCT FROM heads.category
ORDER BY heads.due_at, heads.created_at, heads.number
LIMIT %(limit)s
FOR NO KEY UPDATE OF t SKIP LOCKED

-- name: pulled_by
-- Pulled tickets that keep an agent busy: neither solved nor waiting for the customer.
SELECT t.number, t.department
FROM tickets t
WHERE t.workspace = %(workspace)s AND t.agent = %(agent)s AND t.pulled AND t.status IN ('new', 'open')
ORDER BY t.number

-- name: held_by
-- Unsolved tickets of these agents in these departments, locked; what somebody is just changing is left for the next time.
SELECT t.ticket_id
FROM tickets t
WHERE t.workspace = %(workspace)s AND t.agent = ANY(%(agents)s::text[]) AND t.status <> 'solved'
  AND t.department = ANY(%(departments)s::text[])
ORDER BY t.ticket_id
LIMIT %(limit)s
FOR NO KEY UPDATE OF t SKIP LOCKED

-- name: run_out
-- Tickets whose lease is over, locked, the same way.
SELECT t.ticket_id
FROM tickets t
WHERE t.workspace = %(workspace)s AND t.lease_until <= %(now)s
ORDER BY t.ticket_id
LIMIT %(limit)s
FOR NO KEY UPDATE OF t SKIP LOCKED

-- name: queues
-- What waits, by department and category: how many, since when the oldest does, when the first is due.
SELECT t.department, t.category, count(*), min(t.held_since), min(t.due_at)
FROM tickets t
WHERE t.workspace = %(workspace)s AND t.agent IS NULL AND t.status IN ('new', 'open')
  AND (%(visible)s::text[] IS NULL OR t.department = ANY(%(visible)s::text[]))
GROUP BY t.department, t.category
ORDER BY t.department, t.category NULLS FIRST
