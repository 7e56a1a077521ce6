-- Who did what. Each row's hash is over the one before and its own bytes; nothing changes or removes a row.
CREATE TABLE audit (
    seq   INTEGER PRIMARY KEY,          -- from 1, without gaps
    at    INTEGER NOT NULL,
    by    TEXT,                         -- NULL: aurora itself
    kind  TEXT    NOT NULL,
    about TEXT    NOT NULL,
    what  TEXT    NOT NULL,
    hash  TEXT    NOT NULL
);
CREATE INDEX audit_about ON audit (about, seq);
CREATE TRIGGER audit_is_kept BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is never changed'); END;
CREATE TRIGGER audit_is_whole BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is never shortened'); END;

-- Plans that wait for other people's yes, or have had their answer.
CREATE TABLE approval (
    n    INTEGER PRIMARY KEY,
    id   BLOB    NOT NULL UNIQUE,       -- a UUIDv7: in the order they were asked for
    open INTEGER NOT NULL,              -- 1: it waits
    body TEXT    NOT NULL               -- JSON
);
CREATE INDEX approval_open ON approval (id) WHERE open;
