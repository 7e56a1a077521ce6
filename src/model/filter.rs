//! Which events, messages and contacts somebody wants to see.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{ChannelId, ContactId};

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

/// Which messages.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InboxFilter {
    /// Only of this channel.
    pub channel: Option<ChannelId>,
    /// Only by this contact.
    pub contact: Option<ContactId>,
    /// Only what nobody has read.
    pub unread: bool,
    /// Only by VIPs.
    pub vip: bool,
    /// Only what nobody has taken.
    pub open: bool,
}

/// Which contacts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContactFilter {
    /// Only of this channel.
    pub channel: Option<ChannelId>,
    /// Only VIPs.
    pub vip: bool,
}
