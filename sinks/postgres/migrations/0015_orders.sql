-- Orders: what shops push to us, and what was known of orders and earlier tickets when a message was decided on.

ALTER TABLE tickets ADD COLUMN context json;
COMMENT ON COLUMN tickets.context IS 'contracts.resolved.Context, of the newest message''s decision.';

CREATE TABLE orders (
    workspace uuid NOT NULL,
    store text NOT NULL,
    number text NOT NULL,
    email text,
    phone text,
    status text,
    payment text,
    fulfilment text,
    total text,
    currency text,
    placed_at timestamptz,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (workspace, store, number)
);
COMMENT ON TABLE orders IS 'Orders of shops that push or import them. Others are asked when a message comes.';
COMMENT ON COLUMN orders.email IS 'Canonical, as in handles; likewise phone.';
COMMENT ON COLUMN orders.updated_at IS 'The shop''s time of this state: an older one never overwrites a newer.';
CREATE INDEX orders_of_email ON orders (workspace, email, placed_at DESC) WHERE email IS NOT NULL;
CREATE INDEX orders_of_phone ON orders (workspace, phone, placed_at DESC) WHERE phone IS NOT NULL;

ALTER TABLE orders ENABLE ROW LEVEL SECURITY;
ALTER TABLE orders FORCE ROW LEVEL SECURITY;
CREATE POLICY app ON orders TO frontdesk_app USING (workspace = ANY(
    (SELECT string_to_array(current_setting('app.workspaces', true), ','))::uuid[]));
CREATE POLICY system ON orders TO frontdesk_system USING (true);

GRANT SELECT, INSERT, UPDATE, DELETE ON orders TO frontdesk_app, frontdesk_system;
