-- Conversations as their list needs them. Projection and marks keep these columns in the transactions that change what
-- they count. No conversation is ever deleted, so that its number and id stay.
ALTER TABLE conversation ADD COLUMN messages INTEGER NOT NULL DEFAULT 0;
ALTER TABLE conversation ADD COLUMN unread   INTEGER NOT NULL DEFAULT 0;
ALTER TABLE conversation ADD COLUMN open     INTEGER NOT NULL DEFAULT 0;    -- messages nobody has taken
ALTER TABLE conversation ADD COLUMN contact  INTEGER;                       -- who wrote the newest message
ALTER TABLE conversation ADD COLUMN vip      INTEGER NOT NULL DEFAULT 0;    -- whether they are a VIP
ALTER TABLE conversation ADD COLUMN hidden   INTEGER NOT NULL DEFAULT 0;    -- 1: it is snoozed
ALTER TABLE conversation ADD COLUMN place    INTEGER NOT NULL DEFAULT 0;    -- last_seq, or desk.woken
ALTER TABLE conversation ADD COLUMN tier     INTEGER AS (CASE WHEN unread > 0 THEN 2 WHEN open > 0 THEN 1 ELSE 0 END) VIRTUAL;
UPDATE conversation SET
    messages = (SELECT count(*) FROM message m WHERE m.conversation = conversation.n),
    unread = (SELECT count(*) FROM message m JOIN unread u ON u.seq = m.seq WHERE m.conversation = conversation.n),
    open = (SELECT count(*) FROM message m LEFT JOIN mark k ON k.seq = m.seq
            WHERE m.conversation = conversation.n AND k.acked_at IS NULL),
    last_seq = (SELECT coalesce(max(m.seq), 0) FROM message m WHERE m.conversation = conversation.n);
UPDATE conversation SET place = last_seq, contact = (SELECT m.contact FROM message m WHERE m.seq = last_seq);
UPDATE conversation SET vip = coalesce((SELECT c.vip FROM contact c WHERE c.n = conversation.contact), 0);
CREATE INDEX conversation_list ON conversation (hidden, tier, place);
CREATE INDEX conversation_channel ON conversation (channel, hidden, tier, place);
CREATE INDEX conversation_vip ON conversation (hidden, tier, place) WHERE vip;
CREATE INDEX conversation_contact ON conversation (contact);

-- What operators have said. Facts, not projections: a replay leaves them alone.
ALTER TABLE mark ADD COLUMN read_by TEXT;
CREATE TABLE desk (
    conversation INTEGER PRIMARY KEY,
    snoozed      INTEGER,                       -- until when; the greatest number: until a new message
    woken        INTEGER NOT NULL DEFAULT 0,    -- the newest place of all when a snooze ended
    assignee     TEXT
);
CREATE INDEX desk_snoozed ON desk (snoozed) WHERE snoozed IS NOT NULL;
CREATE INDEX desk_assignee ON desk (assignee) WHERE assignee IS NOT NULL;
CREATE TABLE label (
    n    INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
);
CREATE TABLE labelled (
    conversation INTEGER NOT NULL,
    label        INTEGER NOT NULL REFERENCES label (n),
    PRIMARY KEY (conversation, label)
) WITHOUT ROWID;
CREATE INDEX labelled_label ON labelled (label, conversation);
CREATE TABLE note (
    n            INTEGER PRIMARY KEY,
    conversation INTEGER NOT NULL,
    after        INTEGER NOT NULL,              -- the newest message of the conversation then
    at           INTEGER NOT NULL,
    who          TEXT    NOT NULL,
    text         TEXT    NOT NULL
);
CREATE INDEX note_conversation ON note (conversation, after);

-- Every act of an operator, and what it changed.
CREATE TABLE act (
    n          INTEGER PRIMARY KEY,
    id         BLOB    NOT NULL UNIQUE,
    at         INTEGER NOT NULL,
    who        TEXT    NOT NULL,
    what       TEXT    NOT NULL,                -- JSON
    changed    INTEGER NOT NULL DEFAULT 0,
    unknown    INTEGER NOT NULL DEFAULT 0,
    full       INTEGER NOT NULL DEFAULT 0,
    more       INTEGER NOT NULL DEFAULT 0,
    restored   INTEGER,                         -- NULL: it was not undone
    left_alone INTEGER
);
-- What was before and after; kept for thirty days. `thing` is a message's seq or a conversation's number.
CREATE TABLE act_change (
    act    INTEGER NOT NULL,
    thing  INTEGER NOT NULL,
    before TEXT,
    after  TEXT,
    PRIMARY KEY (act, thing)
) WITHOUT ROWID;
