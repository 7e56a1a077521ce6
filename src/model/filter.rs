//! Which events, messages and contacts somebody wants to see, and in which order.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{ChannelId, ContactId, MessageRow, OperatorName};

/// Which events.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventFilter {
    /// Only of this channel.
    pub channel: Option<ChannelId>,
    /// Only of this type; with `*` at the end, of all types that begin so.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// Only received at or after this moment.
    pub since: Option<Timestamp>,
    /// Only dead letters.
    pub dead: bool,
}

/// Which messages. As text it is the query language that `inbox_query.rs` reads and prints.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_excessive_bools, reason = "independent conditions, each on or off")]
pub struct InboxFilter {
    /// Only of this channel.
    pub channel: Option<ChannelId>,
    /// Only by the person whose contact this is, under whichever address.
    pub contact: Option<ContactId>,
    /// Only by contacts whose name or address has these words; the last may be unfinished.
    pub from: Option<String>,
    /// Only what nobody has read.
    pub unread: bool,
    /// Only by VIPs.
    pub vip: bool,
    /// Only what nobody has taken.
    pub open: bool,
    /// Only what was put off until later.
    pub snoozed: bool,
    /// Only with this label.
    pub label: Option<String>,
    /// Only what is this operator's.
    pub assignee: Option<Assignee>,
    /// Only of this node.
    pub node: Option<String>,
    /// Only with all of these words in subject, sender or text: one space between them, and one at the end when the
    /// last is finished; else words that begin with it count, too.
    pub text: Option<String>,
}

/// Whose a message is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Assignee {
    /// Whoever asks.
    Me,
    /// Nobody's yet.
    Nobody,
    /// This operator's.
    Operator(OperatorName),
}

impl fmt::Display for Assignee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Me => f.pad("me"),
            Self::Nobody => f.pad("nobody"),
            Self::Operator(name) => f.pad(name.as_str()),
        }
    }
}

/// What comes first in an answer to a search.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// The newest.
    #[default]
    Newest,
    /// What fits best, among the newest that match.
    Best,
}

/// A part of a list of messages.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessagePage {
    /// The messages, in their order. They may be fewer than asked for, or none, and more may follow: an answer takes
    /// a bounded time.
    pub rows: Vec<MessageRow>,
    /// Where the list goes on: only messages before this place were not looked at. `None` when it is complete.
    pub next: Option<i64>,
}

/// Which contacts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContactFilter {
    /// Only of this channel.
    pub channel: Option<ChannelId>,
    /// Only VIPs.
    pub vip: bool,
}
