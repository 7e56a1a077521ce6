-- One-time tokens that were signed instead of a body, filed after the acknowledgement; kept for a week.
CREATE TABLE token_seen (
    signed    INTEGER NOT NULL,     -- when, in seconds
    token     BLOB    NOT NULL,     -- the first 16 bytes of its SHA-256
    body_hash BLOB    NOT NULL,     -- the first 16 bytes of it
    PRIMARY KEY (signed, token)
) WITHOUT ROWID;

-- Projections.

-- Files that came with messages.
CREATE TABLE attachment (
    seq        INTEGER NOT NULL,    -- the event's
    number     INTEGER NOT NULL,    -- from 1
    name       TEXT    NOT NULL,
    declared   TEXT    NOT NULL,
    found      TEXT    NOT NULL,
    size       INTEGER NOT NULL,
    content_id TEXT,
    sha256     TEXT,                -- the file below blobs/; NULL: inside the event
    part       INTEGER,
    PRIMARY KEY (seq, number)
) WITHOUT ROWID;

-- Names that messages have in the world or refer to, as Message-Id, and their conversation.
CREATE TABLE message_name (
    channel      INTEGER NOT NULL REFERENCES channel (n),
    name         TEXT    NOT NULL,
    conversation INTEGER NOT NULL REFERENCES conversation (n),
    PRIMARY KEY (channel, name)
) WITHOUT ROWID;
