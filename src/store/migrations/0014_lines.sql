-- A message as a list shows it, so that a line of a list is one look-up: what was in `event` and `mark` stands here too,
-- and the text has a table of its own.
CREATE TABLE line (
    seq          INTEGER PRIMARY KEY,   -- the event's
    channel      INTEGER NOT NULL REFERENCES channel (n),
    conversation INTEGER NOT NULL REFERENCES conversation (n),
    contact      INTEGER REFERENCES contact (n),
    alike        INTEGER,               -- NULL: it was projected before this was kept
    received     INTEGER NOT NULL,      -- the event's, as are the next two
    id           BLOB    NOT NULL,
    kind         TEXT    NOT NULL,
    read_at      INTEGER,               -- the mark's, as are the next two
    acked_at     INTEGER,
    acked_by     TEXT,
    subject      TEXT    NOT NULL,
    preview      TEXT    NOT NULL
);
INSERT INTO line SELECT m.seq, m.channel, m.conversation, m.contact, m.alike, e.received, e.id, e.kind,
    k.read_at, k.acked_at, k.acked_by, m.subject, m.preview
    FROM message m JOIN event e ON e.seq = m.seq LEFT JOIN mark k ON k.seq = m.seq ORDER BY m.seq;
CREATE TABLE message_text (
    seq  INTEGER PRIMARY KEY,
    text TEXT NOT NULL
);
INSERT INTO message_text SELECT seq, text FROM message ORDER BY seq;
-- It names the table that goes.
DROP TRIGGER unacked_returns;
DROP TABLE message;
ALTER TABLE line RENAME TO message;
-- Each of these ends in the row id, so newest first needs no sorting.
CREATE INDEX message_channel ON message (channel);
CREATE INDEX message_contact ON message (contact);
CREATE INDEX message_conversation ON message (conversation);
CREATE INDEX message_alike ON message (conversation, alike);
CREATE TRIGGER unacked_comes AFTER INSERT ON message
    WHEN NOT EXISTS (SELECT 1 FROM mark WHERE seq = NEW.seq AND acked_at IS NOT NULL) BEGIN
    INSERT OR IGNORE INTO unacked VALUES (NEW.seq);
END;
CREATE TRIGGER unacked_returns AFTER UPDATE OF acked_at ON mark WHEN NEW.acked_at IS NULL AND OLD.acked_at IS NOT NULL BEGIN
    INSERT OR IGNORE INTO unacked SELECT seq FROM message WHERE seq = NEW.seq;
END;

-- `mark` is what operators have said, and whoever writes to it need not think of the lines.
CREATE TRIGGER line_comes AFTER INSERT ON message WHEN EXISTS (SELECT 1 FROM mark WHERE seq = NEW.seq) BEGIN
    UPDATE message SET (read_at, acked_at, acked_by) = (SELECT read_at, acked_at, acked_by FROM mark WHERE seq = NEW.seq)
    WHERE seq = NEW.seq;
END;
CREATE TRIGGER line_is_marked AFTER INSERT ON mark BEGIN
    UPDATE message SET read_at = NEW.read_at, acked_at = NEW.acked_at, acked_by = NEW.acked_by WHERE seq = NEW.seq;
END;
CREATE TRIGGER line_is_marked_again AFTER UPDATE ON mark BEGIN
    UPDATE message SET read_at = NEW.read_at, acked_at = NEW.acked_at, acked_by = NEW.acked_by WHERE seq = NEW.seq;
END;

-- Messages of VIPs.
CREATE TABLE vip_message (
    seq INTEGER PRIMARY KEY
);
INSERT INTO vip_message SELECT m.seq FROM message m JOIN contact c ON c.n = m.contact WHERE c.vip ORDER BY m.seq;
CREATE TRIGGER vip_message_comes AFTER INSERT ON message WHEN (SELECT vip FROM contact WHERE n = NEW.contact) BEGIN
    INSERT OR IGNORE INTO vip_message VALUES (NEW.seq);
END;
CREATE TRIGGER vip_message_turns AFTER UPDATE OF contact ON message WHEN OLD.contact IS NOT NEW.contact BEGIN
    DELETE FROM vip_message WHERE seq = NEW.seq;
    INSERT INTO vip_message SELECT NEW.seq FROM contact WHERE n = NEW.contact AND vip;
END;
CREATE TRIGGER contact_becomes_vip AFTER UPDATE OF vip ON contact WHEN NEW.vip AND NOT OLD.vip BEGIN
    INSERT OR IGNORE INTO vip_message SELECT seq FROM message WHERE contact = NEW.n;
END;
CREATE TRIGGER contact_was_vip AFTER UPDATE OF vip ON contact WHEN OLD.vip AND NOT NEW.vip BEGIN
    DELETE FROM vip_message WHERE seq IN (SELECT seq FROM message WHERE contact = NEW.n);
END;
DROP INDEX contact_vips;

-- Counts the changes to what lines show of contacts, so that a reader knows whether what it remembers still holds.
INSERT INTO remembered VALUES ('contacts', '0');
CREATE TRIGGER contact_changes AFTER UPDATE OF name, vip ON contact
    WHEN OLD.name <> NEW.name OR OLD.vip <> NEW.vip BEGIN
    UPDATE remembered SET value = value + 1 WHERE name = 'contacts';
END;
