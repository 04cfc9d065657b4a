-- name: handles
-- Addresses and telephone numbers of customers and of whoever is merged into them; of one that is both claimed and
-- verified, that it is verified.
WITH members AS (
    SELECT wanted.workspace, wanted.customer AS root, wanted.customer
    FROM unnest(%(workspaces)s::uuid[], %(customers)s::uuid[]) AS wanted(workspace, customer)
    UNION ALL
    SELECT c.workspace, c.merged_into, c.customer_id
    FROM unnest(%(workspaces)s::uuid[], %(customers)s::uuid[]) AS wanted(workspace, customer)
    JOIN customers c ON c.merged_into = wanted.customer AND c.workspace = wanted.workspace
)
SELECT m.workspace, m.root, h.kind, h.value, bool_or(h.state = 'verified')
FROM members m
JOIN handles h ON h.customer_id = m.customer AND h.workspace = m.workspace
WHERE h.kind IN ('email', 'phone') AND h.state IN ('verified', 'claimed')
GROUP BY m.workspace, m.root, h.kind, h.value
ORDER BY m.workspace, m.root, h.kind, h.value

-- name: recent
-- The newest tickets of customers and of whoever is merged into them, with how the first message begins that its
-- sender did not take back.
WITH members AS (
    SELECT wanted.workspace, wanted.customer AS root, wanted.customer
    FROM unnest(%(workspaces)s::uuid[], %(customers)s::uuid[]) AS wanted(workspace, customer)
    UNION ALL
    SELECT c.workspace, c.merged_into, c.customer_id
    FROM unnest(%(workspaces)s::uuid[], %(customers)s::uuid[]) AS wanted(workspace, customer)
    JOIN customers c ON c.merged_into = wanted.customer AND c.workspace = wanted.workspace
), ranked AS (
    SELECT m.root, t.*, row_number() OVER (PARTITION BY m.workspace, m.root ORDER BY t.created_at DESC, t.number DESC) AS place
    FROM members m
    CROSS JOIN LATERAL (
        SELECT o.workspace, o.ticket_id, o.number, o.subject, o.status, o.created_at, o.channel, o.department
        FROM tickets o
        WHERE o.workspace = m.workspace AND o.customer_id = m.customer
        ORDER BY o.created_at DESC, o.number DESC LIMIT %(most)s
    ) AS t
)
SELECT r.workspace, r.root, r.ticket_id, r.number, r.subject, r.status, r.created_at, r.channel, r.department, first.text
FROM ranked r
LEFT JOIN LATERAL (
    SELECT left(m.payload ->> 'text', 500) AS text
    FROM messages m
    WHERE m.workspace = r.workspace AND m.ticket_id = r.ticket_id AND NOT EXISTS (
        SELECT FROM messages d
        WHERE d.workspace = m.workspace AND d.channel = m.channel AND d.account = m.account
          AND d.target = m.provider_id AND d.kind = 'delete'
    )
    ORDER BY m.happened_at, m.received_at LIMIT 1
) AS first ON true
WHERE r.place <= %(most)s
ORDER BY r.workspace, r.root, r.place
