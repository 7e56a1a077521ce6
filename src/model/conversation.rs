//! Conversations: the messages that belong together, and how they stand in a list.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    ChannelId, Contact, ContactId, ConversationId, Count, Label, Marks, MessageId, MessageRow, OperatorName, Snooze,
};

/// Where a conversation stands in the list: the greatest first. It is the cursor of the list, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    /// 2 when something in it is unread, else 1 when something in it is taken by nobody, else 0.
    pub tier: u8,
    /// The place of its newest message, or where the inbox stood when its snooze ended.
    pub seq: i64,
    /// Tells apart what is equal otherwise.
    pub n: i64,
}

/// One conversation as it stands in a list. What it says of its message and its sender is about the newest one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConversationRow {
    /// Unique id.
    pub id: ConversationId,
    /// Where it stands.
    pub place: Place,
    /// The channel it is on.
    pub channel: ChannelId,
    /// Its newest message.
    pub newest: MessageId,
    /// The type of that message's event.
    #[serde(rename = "type")]
    pub kind: String,
    /// Who wrote it.
    pub contact: Option<ContactId>,
    /// What to call them: the name, else the address, else empty.
    pub from: String,
    /// Whether they are a VIP.
    pub vip: bool,
    /// One line: what it is about.
    pub subject: String,
    /// The beginning of its text on one line.
    pub preview: String,
    /// When it was received.
    pub received: Timestamp,
    /// Messages in the conversation.
    pub messages: u64,
    /// Of these, how many nobody has read.
    pub unread: u64,
    /// When the newest was taken; only when all are taken.
    pub acked: Option<Timestamp>,
    /// Who took it.
    pub acked_by: Option<String>,
    /// Its labels, by name.
    pub labels: Vec<Label>,
    /// Who is to care for it.
    pub assignee: Option<OperatorName>,
    /// For how long it is out of sight.
    pub snoozed: Option<Snooze>,
    /// Notes beside it.
    pub notes: u64,
    /// How often its newest message was said before, if it was.
    pub repeats: Option<Repeats>,
    /// Under how many addresses whoever wrote it is known: more than 1 when several contacts are one person.
    #[serde(default = "one")]
    pub addresses: u64,
}

fn one() -> u64 {
    1
}

/// A part of a list of conversations.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConversationList {
    /// The conversations, in their order.
    pub rows: Vec<ConversationRow>,
    /// Whether more may match: of what holds the words that were asked for only the newest 10,000 messages were looked
    /// at, or as many as there was time for.
    pub partly: bool,
}

/// Messages of one conversation with the same type, sender and subject; numbers in the subject make no difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repeats {
    /// How many there are, the newest included; counted to 1,000.
    pub count: Count,
    /// When the first was received.
    pub first: Timestamp,
    /// When the last was.
    pub last: Timestamp,
}

/// What an operator wrote beside a conversation. It never leaves aurora.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// Its number.
    pub n: i64,
    /// When it was written.
    pub at: Timestamp,
    /// By whom.
    pub who: String,
    /// What it says.
    pub text: String,
}

/// One thing in a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Entry {
    /// A message.
    Message {
        /// As it stands in a list.
        row: Box<MessageRow>,
        /// The beginning of its text, at most 16 KiB.
        text: String,
        /// Whether there is more of the text.
        cut: bool,
        /// It is in another conversation of the same person: what is done to this one leaves it as it is.
        #[serde(default)]
        elsewhere: bool,
    },
    /// A note.
    Note(Note),
}

/// A part of a conversation. Where several contacts are one person it is one thread: what that person wrote in other
/// conversations, on any channel, stands in it too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConversationPage {
    /// How it stands in a list.
    pub row: ConversationRow,
    /// The messages, oldest first, and the notes beside this conversation where they were written.
    pub entries: Vec<Entry>,
    /// Where to go on with older ones, when there are any.
    pub older: Option<i64>,
    /// The contacts of the person it is one thread with, the last to write first; empty when that is one contact.
    #[serde(default)]
    pub person: Vec<Contact>,
}

/// What changed on the desk, for everybody who looks at it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeskChange {
    /// Who did it: an operator, or `aurora` when a snooze has ended.
    pub by: String,
    /// The conversations as they stand now; of many only the newest.
    pub conversations: Vec<ConversationRow>,
    /// The marks messages have now, by place; of many only some.
    pub marks: Vec<(i64, Marks)>,
    /// Conversations and messages left out.
    pub omitted: u64,
}
