-- The engine itself: what agents know it by, and its term, which is another at each start.
CREATE TABLE engine (
    one   INTEGER PRIMARY KEY CHECK (one = 1),
    id    BLOB    NOT NULL,
    epoch INTEGER NOT NULL
);

-- One command, run once on one host. What is planned never changes, what became of it does.
CREATE TABLE job (
    n         INTEGER PRIMARY KEY,
    id        BLOB    NOT NULL UNIQUE,      -- a UUIDv7: in the order they were asked for
    host      TEXT    NOT NULL,
    command   TEXT    NOT NULL,
    plan      TEXT    NOT NULL,             -- canonical JSON; the hash is over it
    hash      TEXT    NOT NULL,
    risk      TEXT    NOT NULL,
    by        TEXT    NOT NULL,
    asked     INTEGER NOT NULL,
    not_after INTEGER NOT NULL,
    lane      TEXT    NOT NULL,
    only      TEXT,                         -- the layer it was tied to
    rollout   BLOB,
    state     TEXT    NOT NULL,             -- JSON
    open      INTEGER NOT NULL,             -- 1: it is not over; 2: nobody knows how it ended
    layer     TEXT,
    spool     BLOB,                         -- the journal the order went to
    attempts  TEXT    NOT NULL,             -- JSON
    started   INTEGER,
    ended     INTEGER,
    out       INTEGER NOT NULL,             -- bytes written, as told
    err       INTEGER NOT NULL,
    cut       INTEGER NOT NULL,             -- bytes left out of the middle, as told
    left      TEXT,
    head      INTEGER NOT NULL DEFAULT 0,   -- bytes kept of the beginning
    tail      INTEGER NOT NULL DEFAULT 0    -- bytes kept of the end
);
CREATE INDEX job_open ON job (id) WHERE open > 0;
CREATE INDEX job_host ON job (host, id);
CREATE INDEX job_command ON job (command, id);
CREATE INDEX job_rollout ON job (rollout) WHERE rollout IS NOT NULL;
CREATE INDEX job_asked ON job (asked);

-- What jobs wrote, byte for byte.
CREATE TABLE job_output (
    job    INTEGER NOT NULL,
    seq    INTEGER NOT NULL,
    stream INTEGER NOT NULL,                -- 1: standard output, 2: standard error
    tail   INTEGER NOT NULL,                -- 1: it goes when more comes than is kept
    bytes  BLOB    NOT NULL,
    PRIMARY KEY (job, seq)
) WITHOUT ROWID;
