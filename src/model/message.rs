//! Messages, contacts, and what operators have said about them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{ChannelId, ContactId, ConversationId, MessageId};

/// Who wrote, as a provider names them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Person {
    /// Unique within the channel: `github:octocat`, an address, a number.
    pub address: String,
    /// What to call them; empty when only the address is known.
    pub name: String,
}

/// What a provider reads out of one event. Text is as it came; the screen sanitises it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Parsed {
    /// Who wrote it, when that can be told.
    pub from: Option<Person>,
    /// One line: what it is about.
    pub subject: String,
    /// What was written, as plain text.
    pub text: String,
    /// What joins messages to one conversation within the channel.
    pub thread: String,
    /// What it says about an earlier message, when it is no message itself.
    pub report: Option<Report>,
}

/// What a provider says about a message that went out: sent, delivered, read, failed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Report {
    /// The provider's id of the message it is about.
    pub about: String,
    /// The provider's word: `delivered`.
    pub status: String,
    /// How far the message has come by it. Reports come in any order; the highest rank holds.
    pub rank: u8,
    /// Why, when it failed; empty otherwise. Text is as it came.
    pub detail: String,
    /// Whether somebody has to look. Only then it is a message in the inbox too.
    pub needs_somebody: bool,
}

/// What the operators have done with a message. Shared by everyone who is attached.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Marks {
    /// When it was first read.
    pub read: Option<Timestamp>,
    /// When somebody took it.
    pub acked: Option<Timestamp>,
    /// Who took it.
    pub acked_by: Option<String>,
}

/// One change to the marks of a message. Saying it twice changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mark {
    /// It was read.
    Read,
    /// It is to be seen as new again.
    Unread,
    /// Somebody takes it; it also counts as read.
    Ack,
    /// Nobody has it any more.
    Unack,
}

/// One message as it stands in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageRow {
    /// Position of its event; newest is highest.
    pub seq: i64,
    /// Unique id.
    pub id: MessageId,
    /// The channel it came in on.
    pub channel: ChannelId,
    /// The type of its event.
    #[serde(rename = "type")]
    pub kind: String,
    /// Who wrote it.
    pub contact: Option<ContactId>,
    /// What to call them: the name, else the address, else empty.
    pub from: String,
    /// Whether its contact is a VIP.
    pub vip: bool,
    /// One line: what it is about.
    pub subject: String,
    /// The beginning of the text on one line.
    pub preview: String,
    /// When it was received.
    pub received: Timestamp,
    /// What the operators have done with it.
    pub marks: Marks,
}

/// One message in full.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// The row it has in a list.
    #[serde(flatten)]
    pub row: MessageRow,
    /// The conversation it belongs to.
    pub conversation: ConversationId,
    /// The address it was written from.
    pub address: Option<String>,
    /// The whole text.
    pub text: String,
    /// The headers of the delivery, in order; secrets are never among them.
    pub headers: Vec<(String, String)>,
    /// The raw body, when it is text; what does not decode is replaced.
    pub raw: String,
    /// Bytes of the raw body; `raw` shows at most the first 256 KiB.
    pub raw_len: u64,
}

/// Somebody who writes on a channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// Unique id.
    pub id: ContactId,
    /// The channel they write on.
    pub channel: ChannelId,
    /// Their address within the channel.
    pub address: String,
    /// Their name, or empty.
    pub name: String,
    /// Whether their messages come first.
    pub vip: bool,
    /// How many messages they have written.
    pub messages: u64,
    /// When they last wrote.
    pub last: Option<Timestamp>,
}
