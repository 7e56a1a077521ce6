//! One message in full, and the marks operators give it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use crate::model::{ChannelId, ConversationId, Mark, Marks, Message, MessageId};

use super::events::{channel_id, head_and_body, headers, uuid};
use super::inbox::{JOINS, ROW, marks, row};
use super::{Store, StoreError};

/// How the number of unread messages of a channel has changed: VIPs and everybody else.
pub type Unread = BTreeMap<ChannelId, (i64, i64)>;

/// Raw bytes shown; the whole body is `aurora events show ID --raw`.
const RAW_SHOWN: usize = 256 * 1024;

impl Store {
    /// One message in full.
    ///
    /// # Errors
    /// When the store cannot read.
    pub fn message(&self, id: MessageId) -> Result<Option<Message>, StoreError> {
        self.read(|connection| {
            let sql = format!(
                "SELECT {ROW}, v.id, c.address, m.text FROM message m {JOINS}
                 JOIN conversation v ON v.n = m.conversation WHERE e.id = ?1"
            );
            let found = connection
                .prepare_cached(&sql)?
                .query_row([&id.as_uuid().as_bytes()[..]], |found| {
                    Ok(Message {
                        row: row(found)?,
                        conversation: ConversationId::from_uuid(uuid(found, 13)?),
                        address: found.get(14)?,
                        text: found.get(15)?,
                        attachments: Vec::new(),
                        headers: Vec::new(),
                        raw: String::new(),
                        raw_len: 0,
                    })
                })
                .optional()?;
            let Some(mut message) = found else { return Ok(None) };
            let (head, body) = head_and_body(connection, message.row.seq)?;
            message.attachments = super::attachments::of(connection, message.row.seq)?;
            message.headers = headers(&head);
            message.raw_len = body.len() as u64;
            message.raw = String::from_utf8_lossy(&body[..body.len().min(RAW_SHOWN)]).into_owned();
            Ok(Some(message))
        })
    }

    /// Puts `mark` on messages; answers the marks they have now and how the unread counts changed.
    /// Ids that are not known are left out of the answer.
    ///
    /// # Errors
    /// When the store cannot write.
    pub async fn mark(
        &self,
        ids: Vec<MessageId>,
        mark: Mark,
        who: String,
        now: Timestamp,
    ) -> Result<(Vec<(i64, Marks)>, Unread), StoreError> {
        self.write(move |connection| {
            let mut changed = Vec::with_capacity(ids.len());
            let mut unread = Unread::new();
            for id in ids {
                if let Some((seq, marks)) = mark_one(connection, id, mark, &who, now, &mut unread)? {
                    changed.push((seq, marks));
                }
            }
            Ok((changed, unread))
        })
        .await
    }
}

fn mark_one(
    connection: &Connection,
    id: MessageId,
    mark: Mark,
    who: &str,
    now: Timestamp,
    unread: &mut Unread,
) -> rusqlite::Result<Option<(i64, Marks)>> {
    let found = connection
        .prepare_cached(
            "SELECT m.seq, ch.id, coalesce(c.vip, 0) FROM event e JOIN message m ON m.seq = e.seq
             JOIN channel ch ON ch.n = m.channel LEFT JOIN contact c ON c.n = m.contact WHERE e.id = ?1",
        )?
        .query_row([&id.as_uuid().as_bytes()[..]], |row| {
            Ok((row.get::<_, i64>(0)?, channel_id(row, 1)?, row.get::<_, bool>(2)?))
        })
        .optional()?;
    let Some((seq, channel, vip)) = found else { return Ok(None) };
    let at = now.as_microsecond();
    connection.prepare_cached("INSERT OR IGNORE INTO mark (seq) VALUES (?1)")?.execute([seq])?;
    // Only the first time counts: marking again changes nothing.
    match mark {
        Mark::Read => connection
            .prepare_cached("UPDATE mark SET read_at = coalesce(read_at, ?2) WHERE seq = ?1")?
            .execute(params![seq, at])?,
        Mark::Unread => connection.prepare_cached("UPDATE mark SET read_at = NULL WHERE seq = ?1")?.execute([seq])?,
        Mark::Ack => connection
            .prepare_cached(
                "UPDATE mark SET read_at = coalesce(read_at, ?2), acked_by = CASE WHEN acked_at IS NULL THEN ?3 ELSE acked_by END,
                 acked_at = coalesce(acked_at, ?2) WHERE seq = ?1",
            )?
            .execute(params![seq, at, who])?,
        Mark::Unack => connection
            .prepare_cached("UPDATE mark SET acked_at = NULL, acked_by = NULL WHERE seq = ?1")?
            .execute([seq])?,
    };
    let changed: i64 = match mark {
        Mark::Read | Mark::Ack => {
            -i64::from(connection.prepare_cached("DELETE FROM unread WHERE seq = ?1")?.execute([seq])? == 1)
        }
        Mark::Unread => i64::from(
            connection
                .prepare_cached(
                    "INSERT OR IGNORE INTO unread (seq, channel, vip) SELECT ?1, channel, ?2 FROM message WHERE seq = ?1",
                )?
                .execute(params![seq, vip])?
                == 1,
        ),
        Mark::Unack => 0,
    };
    let (vips, others) = unread.entry(channel).or_default();
    *(if vip { vips } else { others }) += changed;
    let marks = connection
        .prepare_cached("SELECT read_at, acked_at, acked_by FROM mark WHERE seq = ?1")?
        .query_row([seq], |row| marks(row, 0))?;
    Ok(Some((seq, marks)))
}
