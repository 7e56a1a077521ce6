//! The search index: full-text tables of bounded size, one after the other.
//!
//! In one table for everything, the beginning of a word, a rank, or two common words that never stand together cost
//! what the whole inbox holds. In parts each costs what a part holds, and a reader can stop between two of them.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::passages::Point;
use super::project::cut;
use super::{Store, StoreError};

/// Messages in a part.
const PART_MESSAGES: i64 = 65_536;
/// Bytes of text in a part; the last message may go over it.
const PART_BYTES: i64 = 24 << 20;
/// Longest text that is indexed.
const MAX_INDEXED: usize = 64 * 1024;
/// Pages that one step of merging a full part writes: about as long as a batch of deliveries.
const MERGED: i64 = 128;

/// A part.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    pub n: i64,
    /// The first place in it.
    pub first: i64,
}

/// The parts that begin before `before`, the newest first.
pub(super) fn parts(connection: &Connection, before: i64) -> rusqlite::Result<Vec<Part>> {
    connection
        .prepare_cached("SELECT n, first FROM search_part WHERE first < ?1 ORDER BY n DESC")?
        .query_map([before], |row| Ok(Part { n: row.get(0)?, first: row.get(1)? }))?
        .collect()
}

/// What a search for messages of the channel with number `n` asks for beside words. Nobody can type it: characters of
/// the private use area belong to words in the index and never to those of a query.
pub(super) fn channel_word(n: i64) -> String {
    format!("\u{e000}{n}")
}

impl Store {
    /// Adds up to `limit` messages to the search index and tells how many it added.
    ///
    /// # Errors
    /// When the store cannot write.
    pub async fn index(&self, limit: usize) -> Result<usize, StoreError> {
        let passages = self.passages().clone();
        self.write(move |connection| {
            let seqs: Vec<i64> = connection
                .prepare_cached(
                    "SELECT seq FROM message WHERE seq > (SELECT seq FROM watermark WHERE name = 'search')
                     AND seq <= (SELECT seq FROM watermark WHERE name = 'messages') ORDER BY seq LIMIT ?1",
                )?
                .query_map([i64::try_from(limit).unwrap_or(i64::MAX)], |row| row.get(0))?
                .collect::<Result<_, _>>()?;
            let Some((first, last)) = seqs.first().zip(seqs.last()) else { return Ok(0) };
            let part = open_part(connection, *first)?;
            let mut bytes = 0;
            for seq in &seqs {
                bytes += write(connection, part, *seq)?;
            }
            connection
                .prepare_cached("UPDATE search_part SET messages = messages + ?2, bytes = bytes + ?3 WHERE n = ?1")?
                .execute(params![part, seqs.len(), bytes])?;
            passages.note(Point::Indexed, *first, *last, Timestamp::now());
            passages.write(connection)?;
            connection.prepare_cached("UPDATE watermark SET seq = ?1 WHERE name = 'search'")?.execute([last])?;
            Ok(seqs.len())
        })
        .await
    }

    /// Brings a full part nearer to one segment, which is read fastest; answers whether there was anything to do.
    ///
    /// # Errors
    /// When the store cannot write.
    pub async fn tidy_index(&self) -> Result<bool, StoreError> {
        self.write(|connection| {
            let full: Option<i64> = connection
                .prepare_cached(
                    "SELECT n FROM search_part WHERE NOT merged AND n < (SELECT max(n) FROM search_part) LIMIT 1",
                )?
                .query_row([], |row| row.get(0))
                .optional()?;
            let Some(n) = full else { return Ok(false) };
            let before = total_changes(connection)?;
            // A negative number begins with all segments, as `optimize` would, and does so much of it (FTS5, 6.8).
            connection
                .execute(&format!("INSERT INTO search_{n} (search_{n}, rank) VALUES ('merge', ?1)"), [-MERGED])?;
            if total_changes(connection)? - before < 2 {
                connection.execute("UPDATE search_part SET merged = 1 WHERE n = ?1", [n])?;
            }
            Ok(true)
        })
        .await
    }
}

fn total_changes(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("SELECT total_changes()", [], |row| row.get(0))
}

/// Writes the entry of a message again, or for the first time when it was read only now.
pub(super) fn replace(connection: &Connection, seq: i64) -> rusqlite::Result<()> {
    let part: i64 = connection
        .prepare_cached("SELECT n FROM search_part WHERE first <= ?1 ORDER BY n DESC LIMIT 1")?
        .query_row([seq], |row| row.get(0))?;
    write(connection, part, seq)?;
    Ok(())
}

/// The part that new messages go into; `first` begins another when it is full.
fn open_part(connection: &Connection, first: i64) -> rusqlite::Result<i64> {
    let newest: Option<(i64, i64, i64)> = connection
        .prepare_cached("SELECT n, messages, bytes FROM search_part ORDER BY n DESC LIMIT 1")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let (n, first) = match newest {
        Some((n, messages, bytes)) if messages < PART_MESSAGES && bytes < PART_BYTES => return Ok(n),
        Some((n, ..)) => (n + 1, first),
        // What a replay finds to be a message after all may come before the first.
        None => (1, 0),
    };
    connection.execute_batch(&format!(
        "CREATE VIRTUAL TABLE search_{n} USING fts5 (subject, sender, text, content = '', contentless_delete = 1,
         tokenize = 'unicode61 remove_diacritics 2')"
    ))?;
    connection.execute("INSERT INTO search_part (n, first) VALUES (?1, ?2)", [n, first])?;
    Ok(n)
}

/// Writes one message into part `n`; answers the bytes of its text.
fn write(connection: &Connection, n: i64, seq: i64) -> rusqlite::Result<usize> {
    let (subject, sender, text, channel): (String, String, String, i64) = connection
        .prepare_cached(
            "SELECT m.subject, coalesce(c.name || ' ' || c.address, ''), t.text, m.channel
             FROM message m JOIN message_text t ON t.seq = m.seq LEFT JOIN contact c ON c.n = m.contact WHERE m.seq = ?1",
        )?
        .query_row([seq], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
    let sender = format!("{sender} {}", channel_word(channel));
    let text = cut(&text, MAX_INDEXED);
    connection
        .prepare_cached(&format!(
            "INSERT OR REPLACE INTO search_{n} (rowid, subject, sender, text) VALUES (?1, ?2, ?3, ?4)"
        ))?
        .execute(params![seq, subject, sender, text])?;
    Ok(subject.len() + sender.len() + text.len())
}
