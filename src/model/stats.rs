//! Counts per channel.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ChannelId;

/// What a channel has brought so far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ChannelStats {
    /// Which channel.
    #[schemars(with = "String")]
    pub channel: ChannelId,
    /// Messages kept.
    pub messages: u64,
    /// Messages nobody has read.
    pub unread: u64,
    /// Messages by VIPs.
    pub vip: u64,
    /// Messages received since midnight UTC.
    pub processed_today: u64,
}
