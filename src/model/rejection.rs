//! Deliveries that were refused, and why.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Why a delivery was refused. The sender is told less than this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// No channel has this path.
    UnknownPath,
    /// A method other than the provider's.
    Method,
    /// A content type the provider never sends.
    ContentType,
    /// The sender's address is not in `allow_from`.
    Address,
    /// A header or field that must be there is missing.
    MissingHeader,
    /// A header that must be there once is there twice.
    DoubledHeader,
    /// A header cannot be read.
    MalformedHeader,
    /// The body is not the form or JSON it says it is, or is cut off.
    MalformedBody,
    /// No active secret made this signature.
    Signature,
    /// The signed time is further away than the provider's protocol allows.
    Stale,
    /// The secret was put into the address, where logs keep it.
    SecretInQuery,
    /// The signature proves less than `require_assurance` demands.
    Assurance,
    /// The same id or one-time token came before with another body.
    Conflict,
    /// A body that was seen before came under a fresh id; it was not stored again.
    Replay,
    /// The body is larger than the channel takes.
    TooLarge,
    /// The body did not arrive in time, or broke off.
    BodyTimeout,
    /// This source has failed too often in the last minute.
    RateLimited,
    /// The queue to the store is full.
    Overloaded,
    /// The store could not make the event durable.
    StoreFailed,
    /// More connections than the listener takes.
    Connections,
}

impl Reason {
    /// All of them.
    pub const ALL: [Self; 20] = [
        Self::UnknownPath,
        Self::Method,
        Self::ContentType,
        Self::Address,
        Self::MissingHeader,
        Self::DoubledHeader,
        Self::MalformedHeader,
        Self::MalformedBody,
        Self::Signature,
        Self::Stale,
        Self::SecretInQuery,
        Self::Assurance,
        Self::Conflict,
        Self::Replay,
        Self::TooLarge,
        Self::BodyTimeout,
        Self::RateLimited,
        Self::Overloaded,
        Self::StoreFailed,
        Self::Connections,
    ];

    /// The word kept in the store and in `--json`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UnknownPath => "unknown-path",
            Self::Method => "method",
            Self::ContentType => "content-type",
            Self::Address => "address",
            Self::MissingHeader => "missing-header",
            Self::DoubledHeader => "doubled-header",
            Self::MalformedHeader => "malformed-header",
            Self::MalformedBody => "malformed-body",
            Self::Signature => "signature",
            Self::Stale => "stale",
            Self::SecretInQuery => "secret-in-query",
            Self::Assurance => "assurance",
            Self::Conflict => "conflict",
            Self::Replay => "replay",
            Self::TooLarge => "too-large",
            Self::BodyTimeout => "body-timeout",
            Self::RateLimited => "rate-limited",
            Self::Overloaded => "overloaded",
            Self::StoreFailed => "store-failed",
            Self::Connections => "connections",
        }
    }

    /// Whether a person should look: somebody has tampered, or aurora itself fails its senders.
    #[must_use]
    pub fn is_alarm(self) -> bool {
        matches!(self, Self::Conflict | Self::Replay | Self::Overloaded | Self::StoreFailed)
    }
}

/// Equal refusals of one source within a short time, counted together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejection {
    /// Why.
    pub reason: String,
    /// Whether a person should look.
    pub alarm: bool,
    /// The channel, when the path named one.
    pub channel: Option<String>,
    /// The address it came from.
    pub source: String,
    /// What exactly was wrong; never a secret and never an expected value.
    pub detail: String,
    /// How many.
    pub count: u64,
    /// When the first came.
    pub first: Timestamp,
    /// When the last came.
    pub last: Timestamp,
}
