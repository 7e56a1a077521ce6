-- The other nodes: what each may do here, and by whose word it is known.
CREATE TABLE node (
    name        TEXT    NOT NULL PRIMARY KEY,
    url         TEXT,
    pin         BLOB,                       -- SHA-256 of the public key in its certificate; NULL: any that is valid
    via         TEXT,                       -- who vouched for it; NULL: it was added or invited here
    trust       TEXT    NOT NULL,
    configured  INTEGER NOT NULL,
    added       INTEGER NOT NULL,
    quarantined INTEGER,                    -- since when nothing of it is taken over
    why         TEXT,
    removed     INTEGER                     -- since when an operator wants it forgotten: nobody's word brings it back
) WITHOUT ROWID;

-- Their keys as they were pinned.
CREATE TABLE node_key (
    node  TEXT    NOT NULL,
    key   BLOB    NOT NULL,
    since INTEGER NOT NULL,
    until INTEGER,                          -- no request counts under it afterwards
    PRIMARY KEY (node, key)
) WITHOUT ROWID;

-- Hashes of the secrets by which a node may join, once each.
CREATE TABLE node_invitation (
    hash    BLOB    NOT NULL PRIMARY KEY,
    trust   TEXT    NOT NULL,
    expires INTEGER NOT NULL
) WITHOUT ROWID;

-- The lives of the logs, this node's own included. What is held goes from low to high without gaps.
CREATE TABLE node_log (
    n       INTEGER PRIMARY KEY,
    node    TEXT    NOT NULL,
    epoch   BLOB    NOT NULL,
    own     INTEGER NOT NULL,
    current INTEGER NOT NULL,               -- 1: the newest life of its node
    dropped INTEGER NOT NULL DEFAULT 0,     -- 1: its node was removed; it is swept
    low     INTEGER NOT NULL,
    before  BLOB    NOT NULL,               -- the hash low is chained to
    high    INTEGER NOT NULL,               -- low - 1: nothing is held
    hash    BLOB    NOT NULL,               -- of high
    hlc     INTEGER NOT NULL,               -- of high
    hops    INTEGER NOT NULL,               -- relays it has come over
    missing INTEGER NOT NULL,               -- entries that were gone before they were fetched
    bytes   INTEGER NOT NULL,               -- of all entries held
    total   INTEGER NOT NULL                -- of all entries ever taken
);
CREATE UNIQUE INDEX node_log_current ON node_log (node, own) WHERE current;
CREATE UNIQUE INDEX node_log_life ON node_log (node, epoch, own) WHERE NOT dropped;

-- The entries, in the order they were written or applied here.
CREATE TABLE node_entry (
    place   INTEGER PRIMARY KEY,
    log     INTEGER NOT NULL,
    seq     INTEGER NOT NULL,
    id      BLOB    NOT NULL,
    hlc     INTEGER NOT NULL,
    kind    TEXT    NOT NULL,
    subject TEXT    NOT NULL,
    body    TEXT    NOT NULL,
    hash    BLOB    NOT NULL,
    at      INTEGER NOT NULL
);
CREATE UNIQUE INDEX node_entry_seq ON node_entry (log, seq);
CREATE INDEX node_entry_message ON node_entry (log, seq) WHERE kind = 'message';

-- The signed heads of other nodes' logs, as they came with pages.
CREATE TABLE node_head (
    log       INTEGER NOT NULL,
    seq       INTEGER NOT NULL,
    key       BLOB    NOT NULL,
    signature BLOB    NOT NULL,
    total     INTEGER NOT NULL,             -- node_log.total there
    PRIMARY KEY (log, seq)
) WITHOUT ROWID;

-- Entries that were gone before they were fetched.
CREATE TABLE node_gap (
    log    INTEGER NOT NULL,
    first  INTEGER NOT NULL,
    last   INTEGER NOT NULL,
    at     INTEGER NOT NULL,
    PRIMARY KEY (log, first)
) WITHOUT ROWID;

-- The newest entry about each subject, where it says everything.
CREATE TABLE node_state (
    log     INTEGER NOT NULL,
    kind    TEXT    NOT NULL,
    subject TEXT    NOT NULL,
    seq     INTEGER NOT NULL,
    hlc     INTEGER NOT NULL,
    body    TEXT    NOT NULL,
    PRIMARY KEY (log, kind, subject)
) WITHOUT ROWID;
