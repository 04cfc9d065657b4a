-- The desk's list in its order: earliest deadline, then age, then number.

CREATE INDEX tickets_listed
    ON tickets (workspace, (coalesce(due_at, 'infinity'::timestamptz)), created_at, number);
