-- transactional: false
-- Which handles many people have proven, without a look at all of them.

CREATE INDEX CONCURRENTLY handles_disputed ON handles (workspace, kind, value) WHERE state = 'disputed';
