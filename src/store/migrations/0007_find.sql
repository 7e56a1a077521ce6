-- Counts of every channel up to the watermark of projection, so that a start need not count.
CREATE TABLE channel_count (
    channel    INTEGER PRIMARY KEY,
    events     INTEGER NOT NULL DEFAULT 0,
    dead       INTEGER NOT NULL DEFAULT 0,      -- dead letters among them
    messages   INTEGER NOT NULL DEFAULT 0,
    unread     INTEGER NOT NULL DEFAULT 0,      -- of others than VIPs
    unread_vip INTEGER NOT NULL DEFAULT 0
);
INSERT INTO channel_count SELECT n,
    (SELECT count(*) FROM event WHERE channel = n AND seq <= (SELECT seq FROM watermark WHERE name = 'messages')),
    (SELECT count(*) FROM event WHERE channel = n AND dead IS NOT NULL
     AND seq <= (SELECT seq FROM watermark WHERE name = 'messages')),
    (SELECT count(*) FROM message WHERE channel = n),
    (SELECT count(*) FROM unread WHERE channel = n AND NOT vip),
    (SELECT count(*) FROM unread WHERE channel = n AND vip)
    FROM channel;
CREATE TRIGGER channel_comes AFTER INSERT ON channel BEGIN
    INSERT OR IGNORE INTO channel_count (channel) VALUES (NEW.n);
END;
-- Whoever writes to `unread` need not think of the counts. Projection counts events and messages a batch at a time.
CREATE TRIGGER unread_comes AFTER INSERT ON unread BEGIN
    UPDATE channel_count SET unread = unread + NOT NEW.vip, unread_vip = unread_vip + NEW.vip WHERE channel = NEW.channel;
END;
CREATE TRIGGER unread_goes AFTER DELETE ON unread BEGIN
    UPDATE channel_count SET unread = unread - NOT OLD.vip, unread_vip = unread_vip - OLD.vip WHERE channel = OLD.channel;
END;
CREATE TRIGGER unread_turns AFTER UPDATE OF vip ON unread WHEN OLD.vip <> NEW.vip BEGIN
    UPDATE channel_count SET unread = unread + OLD.vip - NEW.vip, unread_vip = unread_vip + NEW.vip - OLD.vip
    WHERE channel = NEW.channel;
END;

-- Messages nobody has taken: what is not in `mark` as acked.
CREATE TABLE unacked (
    seq INTEGER PRIMARY KEY
);
INSERT INTO unacked SELECT seq FROM message WHERE seq NOT IN (SELECT seq FROM mark WHERE acked_at IS NOT NULL);
CREATE TRIGGER unacked_comes AFTER INSERT ON message
    WHEN NOT EXISTS (SELECT 1 FROM mark WHERE seq = NEW.seq AND acked_at IS NOT NULL) BEGIN
    INSERT OR IGNORE INTO unacked VALUES (NEW.seq);
END;
CREATE TRIGGER unacked_goes AFTER UPDATE OF acked_at ON mark WHEN NEW.acked_at IS NOT NULL BEGIN
    DELETE FROM unacked WHERE seq = NEW.seq;
END;
CREATE TRIGGER unacked_goes_at_once AFTER INSERT ON mark WHEN NEW.acked_at IS NOT NULL BEGIN
    DELETE FROM unacked WHERE seq = NEW.seq;
END;
CREATE TRIGGER unacked_returns AFTER UPDATE OF acked_at ON mark WHEN NEW.acked_at IS NULL AND OLD.acked_at IS NOT NULL BEGIN
    INSERT OR IGNORE INTO unacked SELECT seq FROM message WHERE seq = NEW.seq;
END;

-- Each of these ends in the row id, so newest first needs no sorting.
DROP INDEX unread_channel;
CREATE INDEX unread_channel ON unread (channel);
CREATE INDEX unread_vips ON unread (seq) WHERE vip;
CREATE INDEX contact_vips ON contact (n) WHERE vip;

-- What the store remembers about the configuration.
CREATE TABLE remembered (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

-- The search index, in parts of bounded size: what it takes to look into one is bounded, too. Part n is the full-text
-- table `search_n`, made as it begins, and holds the messages from its first place to the next part's.
DROP TABLE message_search;
CREATE TABLE search_part (
    n        INTEGER PRIMARY KEY,
    first    INTEGER NOT NULL,
    messages INTEGER NOT NULL DEFAULT 0,
    bytes    INTEGER NOT NULL DEFAULT 0,        -- of text
    merged   INTEGER NOT NULL DEFAULT 0         -- 1: full, and one segment
);
UPDATE watermark SET seq = 0 WHERE name = 'search';
