-- The queue by plain columns: under row-level security an expression is no index condition. Nulls come last by themselves.

CREATE INDEX tickets_queued ON tickets (workspace, department, category, due_at, created_at, number)
    WHERE agent IS NULL AND status IN ('new', 'open');
DROP INDEX tickets_waiting;
