//! What one look at a channel tells.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{ChannelId, ProviderKind};

/// Whether a channel can receive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChannelState {
    /// Its listener is bound.
    Listening,
    /// Its listener is not bound; the task retries.
    Down,
    /// The engine has not said yet.
    Unknown,
}

impl ChannelState {
    /// The word shown beside the colour.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Listening => "listening",
            Self::Down => "down",
            Self::Unknown => "unknown",
        }
    }
}

/// The state and counts of one channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelPanel {
    /// Which channel.
    pub id: ChannelId,
    /// The service behind it.
    pub provider: ProviderKind,
    /// Whether it can receive.
    pub state: ChannelState,
    /// Where senders reach it, as `http://127.0.0.1:9296/hooks/github`.
    pub urls: Vec<String>,
    /// Events acknowledged since the state directory was made.
    pub events: u64,
    /// Messages nobody has read, of VIPs.
    pub unread_vip: u64,
    /// Messages nobody has read, of everybody else.
    pub unread: u64,
    /// Events in the last sixty seconds.
    pub per_minute: u64,
    /// When the last event was received.
    pub last_event: Option<Timestamp>,
    /// Deliveries refused since the engine started.
    pub rejected: u64,
    /// The last thing that went wrong, and when.
    pub last_error: Option<(Timestamp, String)>,
}

#[cfg(test)]
impl ChannelPanel {
    /// A channel that receives and has had nothing yet, to be made more of in tests.
    pub(crate) fn sample(id: &str, provider: ProviderKind) -> Self {
        Self {
            id: id.parse().expect("an id"),
            provider,
            state: ChannelState::Listening,
            urls: Vec::new(),
            events: 0,
            unread_vip: 0,
            unread: 0,
            per_minute: 0,
            last_event: None,
            rejected: 0,
            last_error: None,
        }
    }
}
