-- transactional: false
-- All messages of a customer, also those on other people's tickets and on none.

CREATE INDEX CONCURRENTLY messages_of_customer ON messages (customer_id, workspace) WHERE customer_id IS NOT NULL;
