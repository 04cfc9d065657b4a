-- name: unsolved_of
-- How many unsolved tickets an agent holds, pulled or not.
SELECT count(*)
FROM tickets t
WHERE t.workspace = %(workspace)s AND t.agent = %(agent)s AND t.status <> 'solved'
