-- name: report
-- How a source stands. `since` moves only when the state changes.
INSERT INTO source_states AS s (workspace, channel, account, folder, state, reason, since, seen_at)
VALUES (%(workspace)s, %(channel)s, %(account)s, %(folder)s, %(state)s, %(reason)s, %(now)s, %(now)s)
ON CONFLICT (workspace, channel, account, folder) DO UPDATE SET
    state = excluded.state, reason = excluded.reason, seen_at = excluded.seen_at,
    since = CASE WHEN s.state = excluded.state THEN s.since ELSE excluded.since END

-- name: listed
-- Every source that a reader ever reported, with its folder's ledger where it has one.
SELECT s.channel, s.account, s.folder, s.state, s.reason, s.since, s.seen_at, l.missing, l.complete_at
FROM source_states s
LEFT JOIN mailbox_ledgers l ON s.channel = 'email' AND l.workspace = s.workspace AND l.account = s.account
                           AND l.folder = s.folder
WHERE s.workspace = %(workspace)s
ORDER BY s.channel, s.account, s.folder

-- name: take
-- Mails that are durable now. Under another UIDVALIDITY the numbers mean other mails: the ledger begins anew.
INSERT INTO mailbox_ledgers AS l (workspace, account, folder, epoch, taken)
SELECT %(workspace)s, %(account)s, %(folder)s, %(epoch)s, coalesce(range_agg(int8range(uid, uid, '[]')), '{}')
FROM unnest(%(uids)s::bigint[]) AS uid
ON CONFLICT (workspace, account, folder) DO UPDATE SET
    epoch = excluded.epoch,
    taken = CASE WHEN l.epoch = excluded.epoch THEN l.taken + excluded.taken ELSE excluded.taken END,
    missing = CASE WHEN l.epoch = excluded.epoch THEN l.missing END,
    complete_at = CASE WHEN l.epoch = excluded.epoch THEN l.complete_at END

-- name: missing
-- Which of the server's mails have not been taken.
SELECT uid
FROM unnest(%(uids)s::bigint[]) AS uid
WHERE NOT EXISTS (
    SELECT FROM mailbox_ledgers l
    WHERE l.workspace = %(workspace)s AND l.account = %(account)s AND l.folder = %(folder)s
      AND l.epoch = %(epoch)s AND l.taken @> uid
)
ORDER BY uid

-- name: compared
-- What a comparison found, of a folder without mails too.
INSERT INTO mailbox_ledgers AS l (workspace, account, folder, epoch, missing, complete_at)
VALUES (
    %(workspace)s, %(account)s, %(folder)s, %(epoch)s, %(missing)s,
    CASE WHEN %(missing)s::integer = 0 THEN %(at)s::timestamptz END
)
ON CONFLICT (workspace, account, folder) DO UPDATE SET
    epoch = excluded.epoch,
    taken = CASE WHEN l.epoch = excluded.epoch THEN l.taken ELSE excluded.taken END,
    missing = excluded.missing,
    complete_at = coalesce(excluded.complete_at, CASE WHEN l.epoch = excluded.epoch THEN l.complete_at END)
