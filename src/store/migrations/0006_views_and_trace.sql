-- Queries that operators have given a name, for everybody.
CREATE TABLE view (
    name  TEXT PRIMARY KEY COLLATE NOCASE,
    query TEXT NOT NULL
) WITHOUT ROWID;

-- When events came past a point on their way, many at once. What is not here is not known.
CREATE TABLE passage (
    point INTEGER NOT NULL,     -- 0 stored, 1 projected, 2 indexed, 3 shown
    last  INTEGER NOT NULL,     -- the events from `first` to `last`
    first INTEGER NOT NULL,
    at    INTEGER NOT NULL,
    PRIMARY KEY (point, last)
) WITHOUT ROWID;
