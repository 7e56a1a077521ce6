//! Checks: what is watched, and what one look at it found.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Value;

super::name::name_id! {
    /// The id of a check: `id` under `[[checks]]`.
    CheckId,
    /// A check id that cannot be used.
    BadCheckId, "check"
}

/// What a check looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckKind {
    /// An HTTP or HTTPS address.
    Http,
    /// A TCP port, and what is said on it.
    Tcp,
    /// The certificate behind a TCP port.
    Tls,
    /// A process on this machine.
    Process,
    /// Space and inodes of a file system of this machine.
    Disk,
    /// Memory of this machine.
    Memory,
    /// Processors and load of this machine.
    Load,
}

impl CheckKind {
    /// Every kind that is built.
    pub const ALL: [Self; 7] = [Self::Http, Self::Tcp, Self::Tls, Self::Process, Self::Disk, Self::Memory, Self::Load];

    /// The name used in configuration, on screens and in `--json`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Process => "process",
            Self::Disk => "disk",
            Self::Memory => "memory",
            Self::Load => "load",
        }
    }

    /// Whether it needs a network that works. Without one its result says nothing about its target.
    #[must_use]
    pub fn needs_network(self) -> bool {
        matches!(self, Self::Http | Self::Tcp | Self::Tls)
    }
}

impl fmt::Display for CheckKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for CheckKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or_else(|| format!("unknown check type `{text}`"))
    }
}

/// What one look found, mildest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Everything that must hold holds.
    Ok,
    /// What `warn` demands does not hold.
    Warn,
    /// What `when` demands does not hold, or the target did not answer.
    Critical,
    /// Nothing can be said: not permitted, no network of our own, a clock that jumped.
    Unknown,
}

/// A part of the time a look took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Looking up the name.
    Dns,
    /// Opening the connection.
    Connect,
    /// The TLS handshake.
    Tls,
    /// From the request to the first byte of the answer.
    FirstByte,
    /// The rest of the answer.
    Transfer,
}

/// One thing a look did, for `aurora check run --explain`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// When, counted from the beginning of the look.
    pub at: Duration,
    /// What was done and what came of it, without secrets. Text from outside; whoever shows it sanitises it.
    pub text: String,
}

/// What one look at a target found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// When it began.
    pub at: Timestamp,
    /// How long it took.
    pub took: Duration,
    /// What came of it.
    pub verdict: Verdict,
    /// Why it is not ok, in one line; expected and actual values are in it, secrets are not.
    pub cause: Option<String>,
    /// Where the time went, in order.
    pub phases: Vec<(Phase, Duration)>,
    /// What the conditions were given.
    pub values: Vec<(String, Value)>,
    /// Everything that was done.
    pub steps: Vec<Step>,
}
