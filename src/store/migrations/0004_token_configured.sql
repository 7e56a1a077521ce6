-- Whether the operator of a token was in the configuration when it was made. Nobody knows it of older ones; so they
-- count only for operators who are.
ALTER TABLE token ADD COLUMN configured INTEGER NOT NULL DEFAULT 1;
