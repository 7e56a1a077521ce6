-- Times are microseconds since 1970-01-01 UTC. `seq` is the order of acknowledgement.

-- Channels by a small number, so that rows and keys stay short.
CREATE TABLE channel (
    n  INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE
);

-- The acknowledged record: never changed after its commit.
CREATE TABLE event (
    seq         INTEGER PRIMARY KEY,
    id          BLOB    NOT NULL,   -- UUIDv7
    channel     INTEGER NOT NULL REFERENCES channel (n),
    kind        TEXT    NOT NULL,
    time        INTEGER,            -- as the sender says; NULL: when it was received
    received    INTEGER NOT NULL,
    dedupe_key  TEXT    NOT NULL,
    body_hash   BLOB    NOT NULL,   -- SHA-256 of the whole body; beside a one-time token, of what is not that
    assurance   INTEGER NOT NULL,
    guarded     INTEGER NOT NULL,   -- 1: an equal body counts as a repeat
    dead        TEXT,               -- why it could not be identified
    signed      INTEGER,            -- when the one-time token it came with was signed, in seconds
    token       BLOB,               -- the first 16 bytes of that token's SHA-256
    head        BLOB    NOT NULL,   -- headers, without secrets: "name: value\n"
    body        BLOB    NOT NULL
);
CREATE UNIQUE INDEX event_key ON event (channel, dedupe_key);
CREATE UNIQUE INDEX event_id ON event (id);
CREATE INDEX event_dead ON event (seq) WHERE dead IS NOT NULL;

-- Bodies of guarded events, filed after the acknowledgement; `hash` is the first 8 bytes of body_hash.
CREATE TABLE body_seen (
    hash INTEGER NOT NULL,
    seq  INTEGER NOT NULL,
    PRIMARY KEY (hash, seq)
) WITHOUT ROWID;

-- How far projection ('messages') and search ('search') have come.
CREATE TABLE watermark (
    name TEXT PRIMARY KEY,
    seq  INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO watermark VALUES ('messages', 0), ('search', 0);

-- Projections. Everything below can be made again from `event`.
CREATE TABLE contact (
    n        INTEGER PRIMARY KEY,
    id       BLOB    NOT NULL UNIQUE,
    channel  INTEGER NOT NULL REFERENCES channel (n),
    address  TEXT    NOT NULL,
    name     TEXT    NOT NULL,
    vip      INTEGER NOT NULL,      -- by operator, else by configuration
    messages INTEGER NOT NULL DEFAULT 0,
    last_seq INTEGER NOT NULL DEFAULT 0,
    UNIQUE (channel, address)
);
CREATE TABLE conversation (
    n        INTEGER PRIMARY KEY,
    id       BLOB    NOT NULL UNIQUE,
    channel  INTEGER NOT NULL REFERENCES channel (n),
    thread   TEXT    NOT NULL,
    subject  TEXT    NOT NULL,
    last_seq INTEGER NOT NULL DEFAULT 0,
    UNIQUE (channel, thread)
);
CREATE TABLE message (
    seq          INTEGER PRIMARY KEY,   -- the event's
    channel      INTEGER NOT NULL REFERENCES channel (n),
    conversation INTEGER NOT NULL REFERENCES conversation (n),
    contact      INTEGER REFERENCES contact (n),
    subject      TEXT    NOT NULL,
    preview      TEXT    NOT NULL,
    text         TEXT    NOT NULL
);
-- Each of these ends in the row id, so newest first needs no sorting.
CREATE INDEX message_channel ON message (channel);
CREATE INDEX message_contact ON message (contact);
CREATE INDEX message_conversation ON message (conversation);

-- What providers report about messages that went out, one row an event. The highest rank holds.
CREATE TABLE report (
    seq     INTEGER PRIMARY KEY,        -- the event's
    channel INTEGER NOT NULL REFERENCES channel (n),
    about   TEXT    NOT NULL,           -- the provider's id of the message
    status  TEXT    NOT NULL,
    rank    INTEGER NOT NULL,
    detail  TEXT    NOT NULL,
    subject TEXT    NOT NULL
);
CREATE INDEX report_about ON report (channel, about, rank);

-- Messages nobody has read: what is not in `mark` as read.
CREATE TABLE unread (
    seq     INTEGER PRIMARY KEY,
    channel INTEGER NOT NULL,
    vip     INTEGER NOT NULL
);
CREATE INDEX unread_channel ON unread (channel, vip);

CREATE VIRTUAL TABLE message_search USING fts5 (
    subject, sender, text,
    content = '', contentless_delete = 1,
    tokenize = 'unicode61 remove_diacritics 2'
);

-- What operators have said. Facts, not projections: a replay leaves them alone.
CREATE TABLE mark (
    seq      INTEGER PRIMARY KEY,       -- the event's
    read_at  INTEGER,
    acked_at INTEGER,
    acked_by TEXT
);
CREATE TABLE vip (
    channel INTEGER NOT NULL REFERENCES channel (n),
    address TEXT    NOT NULL,
    vip     INTEGER NOT NULL,
    PRIMARY KEY (channel, address)
) WITHOUT ROWID;

-- Refused deliveries, equal ones counted together; the oldest go when there are too many.
CREATE TABLE rejection (
    n       INTEGER PRIMARY KEY,
    reason  TEXT    NOT NULL,
    alarm   INTEGER NOT NULL,
    channel TEXT,
    source  TEXT    NOT NULL,
    detail  TEXT    NOT NULL,
    count   INTEGER NOT NULL,
    first   INTEGER NOT NULL,
    last    INTEGER NOT NULL
);

-- Tokens of the API. The token itself is kept nowhere.
CREATE TABLE token (
    n        INTEGER PRIMARY KEY,
    id       BLOB    NOT NULL UNIQUE,
    hash     BLOB    NOT NULL UNIQUE,   -- SHA-256 of the token
    operator TEXT    NOT NULL,
    role     TEXT    NOT NULL,
    scopes   TEXT,                      -- names with spaces between; NULL: all
    created  INTEGER NOT NULL,
    expires  INTEGER,
    used     INTEGER
);
