-- Checks by a small number, and what their results have come to.
CREATE TABLE check_name (
    n     INTEGER PRIMARY KEY,
    id    TEXT NOT NULL UNIQUE,
    state TEXT                          -- JSON of the engine's; NULL before the first result
);

-- Results as they came, in that order. No index: one would dirty a page a result.
CREATE TABLE check_result (
    seq     INTEGER PRIMARY KEY,
    at      INTEGER NOT NULL,
    n       INTEGER NOT NULL,           -- of check_name
    verdict INTEGER NOT NULL,
    took    INTEGER NOT NULL            -- microseconds
);

-- Counts by minute and by hour since 1970. Time comes first, so that every write goes to the end. A late result
-- makes another part of a row that was written; whoever reads merges the parts.
CREATE TABLE check_minute (
    at        INTEGER NOT NULL,
    n         INTEGER NOT NULL,
    part      INTEGER NOT NULL,
    ok        INTEGER NOT NULL,
    warn      INTEGER NOT NULL,
    critical  INTEGER NOT NULL,
    unknown   INTEGER NOT NULL,
    longest   INTEGER NOT NULL,         -- microseconds
    latencies BLOB    NOT NULL,         -- a histogram
    PRIMARY KEY (at, n, part)
) WITHOUT ROWID;
CREATE TABLE check_hour (
    at        INTEGER NOT NULL,
    n         INTEGER NOT NULL,
    part      INTEGER NOT NULL,
    ok        INTEGER NOT NULL,
    warn      INTEGER NOT NULL,
    critical  INTEGER NOT NULL,
    unknown   INTEGER NOT NULL,
    longest   INTEGER NOT NULL,
    latencies BLOB    NOT NULL,
    PRIMARY KEY (at, n, part)
) WITHOUT ROWID;

-- The last results of each check that were not ok, in full (JSON).
CREATE TABLE check_failure (
    seq  INTEGER PRIMARY KEY,
    n    INTEGER NOT NULL,
    body TEXT    NOT NULL
);
CREATE INDEX check_failure_check ON check_failure (n);

-- The first minute and the first hour that are not counted in rows yet.
INSERT INTO watermark VALUES ('check-minutes', 0), ('check-hours', 0);
