-- A message, its decision and its event are rows of 2 to 8 kB: just above what Postgres compresses and cuts into pieces by
-- default, which costs a writer a third of its time and every reader of the text a second look. They stay whole; larger
-- ones (mails) are compressed as before. It counts for rows that are written from now on.
ALTER TABLE messages SET (toast_tuple_target = 8160);
ALTER TABLE decisions SET (toast_tuple_target = 8160);
ALTER TABLE outbox SET (toast_tuple_target = 8160);

-- Read once, a moment later, and deleted.
ALTER TABLE outbox ALTER COLUMN payload SET STORAGE EXTERNAL;
