//! The audit log: who did what, each entry chained to the one before by a hash.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::OperatorName;

/// What kind of thing was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AuditKind {
    /// Somebody asked for something.
    Requested,
    /// It was refused.
    Refused,
    /// It waits for approval.
    Held,
    /// Somebody said yes.
    Granted,
    /// Somebody said no.
    Denied,
    /// It was brought to a host.
    Delivered,
    /// It is over.
    Ended,
    /// Somebody stopped it.
    Cancelled,
    /// Somebody decided what an unknown end was.
    Resolved,
    /// Something else was changed: a task restarted, a token made.
    Changed,
}

impl AuditKind {
    /// Every kind.
    pub const ALL: [Self; 10] = [
        Self::Requested,
        Self::Refused,
        Self::Held,
        Self::Granted,
        Self::Denied,
        Self::Delivered,
        Self::Ended,
        Self::Cancelled,
        Self::Resolved,
        Self::Changed,
    ];

    /// One word for screens and `--json`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Refused => "refused",
            Self::Held => "held",
            Self::Granted => "granted",
            Self::Denied => "denied",
            Self::Delivered => "delivered",
            Self::Ended => "ended",
            Self::Cancelled => "cancelled",
            Self::Resolved => "resolved",
            Self::Changed => "changed",
        }
    }
}

/// What is to be written down. The store gives it its place and its hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditNote {
    /// When.
    pub at: Timestamp,
    /// Who; `None` is aurora itself.
    pub by: Option<OperatorName>,
    /// What kind of thing.
    pub kind: AuditKind,
    /// About what: `job_…`, `apr_…`, a host, a task.
    pub about: String,
    /// In one line. Never a secret. It may hold text from outside.
    pub what: String,
}

/// One entry of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// Its number, counted from 1 without gaps.
    pub seq: u64,
    /// What was written down.
    #[serde(flatten)]
    pub note: AuditNote,
    /// SHA-256 over the hash of the entry before and this one's bytes, as 64 hexadecimal digits.
    pub hash: String,
}
