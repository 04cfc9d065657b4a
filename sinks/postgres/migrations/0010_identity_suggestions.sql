-- What suggestions are found by: traits of customers as they gave them, and the blocking values made of them.

CREATE TABLE customer_traits (
    workspace uuid NOT NULL,
    kind text NOT NULL,
    value text NOT NULL,
    customer_id uuid NOT NULL,
    PRIMARY KEY (workspace, kind, value, customer_id)
);
COMMENT ON TABLE customer_traits IS 'Kinds: name, order, birth_date, place, postcode as given; block: what two customers '
    'must share to be compared. Looked up with `=` only.';
CREATE INDEX customer_traits_of ON customer_traits (customer_id, workspace);

ALTER TABLE customer_traits ENABLE ROW LEVEL SECURITY;
ALTER TABLE customer_traits FORCE ROW LEVEL SECURITY;
CREATE POLICY app ON customer_traits TO frontdesk_app USING (workspace = ANY(
    (SELECT string_to_array(current_setting('app.workspaces', true), ','))::uuid[]));
CREATE POLICY system ON customer_traits TO frontdesk_system USING (true);

GRANT SELECT, INSERT, UPDATE, DELETE ON customer_traits TO frontdesk_app, frontdesk_system;
