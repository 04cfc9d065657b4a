-- Bounces, statuses and other events that are no messages make nobody a customer.
ALTER TABLE messages ALTER COLUMN customer_id DROP NOT NULL;
COMMENT ON COLUMN messages.customer_id IS 'Null: an event that is no message, of somebody who is not known.';
