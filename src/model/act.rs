//! What operators do with conversations and messages.

use std::fmt;
use std::str::FromStr;

use jiff::{SignedDuration, Timestamp, Zoned};
use serde::{Deserialize, Serialize};

use super::{ActId, BadId, BadMoment, ConversationId, Label, MessageId, OperatorName, moment};

/// For how long a screen offers to undo an act. The engine takes the order a while longer: a line may be slow.
pub const UNDO_OFFERED: SignedDuration = SignedDuration::from_secs(10);

/// Longest note, in bytes.
pub const NOTE_MAX: usize = 4_096;

/// What an act is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Item {
    /// A whole conversation.
    Conversation(ConversationId),
    /// One message. An act that only conversations know is about the conversation of the message.
    Message(MessageId),
}

/// Text that names neither a conversation nor a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is neither a conversation nor a message; expected `cnv_` or `msg_` and 32 hexadecimal digits")]
pub struct BadItem(String);

impl FromStr for Item {
    type Err = BadItem;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let message = |_: BadId| text.parse().map(Self::Message);
        text.parse().map(Self::Conversation).or_else(message).map_err(|_| BadItem(text.to_owned()))
    }
}

impl TryFrom<String> for Item {
    type Error = BadItem;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Item> for String {
    fn from(item: Item) -> Self {
        item.to_string()
    }
}

impl From<ConversationId> for Item {
    fn from(id: ConversationId) -> Self {
        Self::Conversation(id)
    }
}

impl From<MessageId> for Item {
    fn from(id: MessageId) -> Self {
        Self::Message(id)
    }
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conversation(id) => fmt::Display::fmt(id, f),
            Self::Message(id) => fmt::Display::fmt(id, f),
        }
    }
}

/// For how long a conversation is out of sight. A new message always ends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Snooze {
    /// Until this moment.
    Until(Timestamp),
    /// Until a new message arrives.
    Reply,
}

impl Snooze {
    /// Reads `until-reply`, or a time as [`moment()`] reads it.
    ///
    /// # Errors
    /// When `text` is neither, or the time has passed at `now`.
    pub fn parse(text: &str, now: &Zoned) -> Result<Self, BadMoment> {
        match text.trim() {
            "until-reply" | "reply" => Ok(Self::Reply),
            text => moment(text, now).map(Self::Until),
        }
    }
}

impl fmt::Display for Snooze {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Until(moment) => write!(f, "until {}", moment.strftime("%Y-%m-%d %H:%MZ")),
            Self::Reply => f.write_str("until a new message"),
        }
    }
}

/// One thing done to conversations and messages. Doing it twice changes nothing, except for a note.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Act {
    /// It was read. Of a conversation: all its messages.
    Read,
    /// It is to be seen as new again. Of a conversation: its newest message.
    Unread,
    /// Somebody takes it; it also counts as read. Of a conversation: all its messages.
    Ack,
    /// Nobody has it any more. Of a conversation: all its messages.
    Unack,
    /// Put it out of sight.
    Snooze(Snooze),
    /// Bring it back.
    Wake,
    /// Put a label on it.
    Label(Label),
    /// Take a label off.
    Unlabel(Label),
    /// Give it to an operator.
    Assign(OperatorName),
    /// Let nobody have to care for it.
    Unassign,
    /// Write a note beside it, at most [`NOTE_MAX`] bytes. It never leaves aurora.
    Note(String),
}

impl Act {
    /// Whether it is about messages; otherwise it is about conversations.
    #[must_use]
    pub fn is_mark(&self) -> bool {
        matches!(self, Self::Read | Self::Unread | Self::Ack | Self::Unack)
    }

    /// What was done to `changed` of them, as a sentence says it: `3 snoozed until a new message`.
    #[must_use]
    pub fn done(&self, changed: u64) -> String {
        match self {
            Self::Read => format!("{changed} read"),
            Self::Unread => format!("{changed} unread again"),
            Self::Ack => format!("{changed} taken"),
            Self::Unack => format!("{changed} given back"),
            Self::Snooze(snooze) => format!("{changed} snoozed {snooze}"),
            Self::Wake => format!("{changed} brought back"),
            Self::Label(label) => format!("{changed} labelled {label}"),
            Self::Unlabel(label) => format!("{changed} no longer labelled {label}"),
            Self::Assign(who) => format!("{changed} assigned to {who}"),
            Self::Unassign => format!("{changed} assigned to nobody"),
            Self::Note(_) => format!("{changed} noted"),
        }
    }
}

/// What became of an act.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acted {
    /// Which act; [`Act`] can be undone by it.
    pub id: ActId,
    /// Messages, or conversations, that are otherwise than before.
    pub changed: u64,
    /// Targets nobody knows.
    pub unknown: u64,
    /// Conversations that have as many labels or notes as they may.
    pub full: u64,
    /// Whether messages were left, because an act changes only so many. The same act again takes the next.
    pub more: bool,
}

/// What became of undoing an act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undone {
    /// How many are again as they were.
    pub restored: u64,
    /// How many were left alone, because somebody has changed them since.
    pub left_alone: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_told_by_their_prefix() {
        let hex = "01900000000070008000000000000001";
        for prefix in ["cnv_", "msg_"] {
            let text = format!("{prefix}{hex}");
            assert_eq!(text.parse::<Item>().map(|item| item.to_string()), Ok(text));
        }
        let error = format!("con_{hex}").parse::<Item>().expect_err("a contact");
        assert!(error.to_string().contains("neither a conversation nor a message"), "{error}");
    }
}
