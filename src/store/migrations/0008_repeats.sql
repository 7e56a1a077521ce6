-- What equal messages have in common: 64 bits of a hash over type, sender and subject with numbers ignored. NULL: it was
-- projected before this was kept.
ALTER TABLE message ADD COLUMN alike INTEGER;
CREATE INDEX message_alike ON message (conversation, alike);
