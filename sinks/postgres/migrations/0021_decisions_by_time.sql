-- transactional: false
-- What was decided in a span of time, for replay and back-tests. New rows come at its end.
CREATE INDEX CONCURRENTLY IF NOT EXISTS decisions_by_time ON decisions (workspace, decided_at, message_id);
