//! Events: immutable records of something that happened.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Assurance, ChannelId, EventId};

/// What became of an event after it was acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EventState {
    /// Durable and acknowledged; its message is not projected yet.
    Stored,
    /// Its message, conversation and contact are projected.
    Projected,
    /// A dead letter: verified and kept, but not understood.
    Dead,
}

impl EventState {
    /// The name used on screens and in `--json`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stored => "stored",
            Self::Projected => "projected",
            Self::Dead => "dead",
        }
    }
}

/// One event as it is listed: the attributes of `CloudEvents` 1.0 without the data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Position in the order of acknowledgement; grows by one an event.
    pub seq: i64,
    /// Unique id.
    pub id: EventId,
    /// The channel it came in on; `CloudEvents` `source`.
    pub channel: ChannelId,
    /// What happened, as `github.issues.opened`; `CloudEvents` `type`.
    #[serde(rename = "type")]
    pub kind: String,
    /// When it happened, as the sender says, else when it was received.
    pub time: Timestamp,
    /// When aurora received it.
    pub received: Timestamp,
    /// What it is about, once projected.
    pub subject: Option<String>,
    /// What makes it the same event when it is sent again.
    pub dedupe_key: String,
    /// What its signature proves.
    pub assurance: Assurance,
    /// What became of it.
    pub state: EventState,
    /// Why it is a dead letter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
}
