//! One message in full.

use std::collections::BTreeMap;

use rusqlite::OptionalExtension;

use crate::model::{ChannelId, ConversationId, Message, MessageId};

use super::events::{head_and_body, headers, uuid};
use super::inbox::{AFTER_ROW, JOINS, ROW, row};
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
                "SELECT {ROW}, v.id, c.address, t.text FROM event e JOIN message m ON m.seq = e.seq {JOINS}
                 JOIN conversation v ON v.n = m.conversation JOIN message_text t ON t.seq = m.seq WHERE e.id = ?1"
            );
            let found = connection
                .prepare_cached(&sql)?
                .query_row([&id.as_uuid().as_bytes()[..]], |found| {
                    Ok(Message {
                        row: row(found)?,
                        conversation: ConversationId::from_uuid(uuid(found, AFTER_ROW)?),
                        address: found.get(AFTER_ROW + 1)?,
                        text: found.get(AFTER_ROW + 2)?,
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
}
