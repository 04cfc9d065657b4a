-- What proved a link last, so that a proof by something else is noted at once, and the same proof once a day.

ALTER TABLE handles ADD COLUMN proven_by text;
COMMENT ON COLUMN handles.proven_by IS 'The evidence of its last entry in the history, else the account; null: not known, from before this column.';
