-- A command on its way over several hosts. Its jobs name it; what became of each is theirs.
CREATE TABLE rollout (
    id    BLOB    NOT NULL PRIMARY KEY,     -- the id of its first job
    asked INTEGER NOT NULL,
    open  INTEGER NOT NULL,                 -- 1: it is not over
    body  TEXT    NOT NULL                  -- JSON
) WITHOUT ROWID;
CREATE INDEX rollout_open ON rollout (id) WHERE open;
