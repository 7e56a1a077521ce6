//! Nodes: aurora engines that know each other, what each may do here, and how each stands.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

super::name::name_id! {
    /// The name of a node: `node.name`. No two nodes that know each other have the same.
    NodeName,
    /// A node name that cannot be used.
    BadNodeName, "node"
}

/// The public key of a node: Ed25519 (RFC 8032). Written as `ed25519:` and 44 characters of base64.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NodeKey([u8; 32]);

/// Text that is not the public key of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the public key of a node is `ed25519:` and 44 characters of base64; `aurora node list` shows it")]
pub struct BadNodeKey;

impl NodeKey {
    /// The key of these bytes. Whether they are a point of the curve shows with the first signature.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// What two people compare over the telephone: the first 16 bytes of its SHA-256 in eight groups.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let digest = Sha256::digest(self.0);
        let groups: Vec<String> = digest[..16].chunks(2).map(hex::encode).collect();
        groups.join("-")
    }
}

impl fmt::Display for NodeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ed25519:{}", STANDARD.encode(self.0))
    }
}

impl fmt::Debug for NodeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for NodeKey {
    type Err = BadNodeKey;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = text.trim().strip_prefix("ed25519:").and_then(|text| STANDARD.decode(text).ok());
        bytes.and_then(|bytes| bytes.try_into().ok()).map(Self).ok_or(BadNodeKey)
    }
}

impl TryFrom<String> for NodeKey {
    type Error = BadNodeKey;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<NodeKey> for String {
    fn from(key: NodeKey) -> Self {
        key.to_string()
    }
}

/// What a node may do here, least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Trust {
    /// It may read what this node shares. What it says of itself is not taken over.
    Observe,
    /// What it shares is shown here, too.
    #[default]
    Report,
    /// Its operators may also run what this node's own policy allows.
    Command,
}

impl Trust {
    /// Every one, least first.
    pub const ALL: [Self; 3] = [Self::Observe, Self::Report, Self::Command];

    /// The name used in configuration, on screens and in `--json`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Observe => "observe",
            Self::Report => "report",
            Self::Command => "command",
        }
    }
}

impl fmt::Display for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Trust {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|trust| trust.as_str() == text)
            .ok_or_else(|| format!("unknown trust `{text}`; it is observe, report or command"))
    }
}

/// How a node stands, as seen from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NodeState {
    /// Its heartbeats come.
    Alive,
    /// Nothing is known of it: nothing has come yet, or nobody is heard who would know.
    Unknown,
    /// It said that it goes, and went.
    Left,
    /// A heartbeat is late.
    Suspect,
    /// It is this node that hears nobody: nothing is known of the others.
    IsolatedSelf,
    /// It does not answer, and others cannot reach it either.
    Down,
    /// What it sent cannot be true. Nothing of it is taken over until an operator has decided.
    Quarantined,
}

impl NodeState {
    /// Every state.
    pub const ALL: [Self; 7] =
        [Self::Alive, Self::Unknown, Self::Left, Self::Suspect, Self::IsolatedSelf, Self::Down, Self::Quarantined];

    /// The word shown beside the colour, and in `--json`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Alive => "alive",
            Self::Unknown => "unknown",
            Self::Left => "left",
            Self::Suspect => "suspect",
            Self::IsolatedSelf => "isolated-self",
            Self::Down => "down",
            Self::Quarantined => "quarantined",
        }
    }

    /// Whether what was last heard of it may be shown as it stands: nothing speaks for its being old.
    #[must_use]
    pub fn is_current(self) -> bool {
        matches!(self, Self::Alive | Self::Suspect)
    }
}

/// Another node, or this one, as screens show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodePanel {
    /// Its name.
    pub name: NodeName,
    /// Where it listens, when it is reached directly.
    pub url: Option<String>,
    /// The node over which it is reached, when it is not reached directly.
    pub via: Option<NodeName>,
    /// How it stands.
    pub state: NodeState,
    /// Since when.
    pub since: Timestamp,
    /// Why, in one line. It may hold text from outside; whoever shows it sanitises it.
    pub why: Option<String>,
    /// What it may do here.
    pub trust: Trust,
    /// Its keys: the one that counts, and while they are changed the other one.
    pub keys: Vec<NodeKey>,
    /// Its version, once it has said it. Text from outside.
    pub version: Option<String>,
    /// When it was last heard.
    pub last_seen: Option<Timestamp>,
    /// When its process started, as far as it is known.
    pub started: Option<Timestamp>,
    /// Time to it and back.
    pub rtt: Option<Duration>,
    /// Its clock less ours, in milliseconds.
    pub skew_ms: Option<i64>,
    /// How much it is suspected, in tenths of phi (see `federation`).
    pub phi_tenths: Option<u32>,
    /// How slow it says it is itself, 0 to 8.
    pub slowness: u8,
    /// The newest entry of its log that is known to exist.
    pub high: u64,
    /// The newest entry of its log that is applied here.
    pub applied: u64,
    /// How old the oldest entry is that is known to exist and not applied here.
    pub lag: Option<Duration>,
    /// Entries applied in the last minute.
    pub rate: u32,
    /// Entries of its log that are gone for good: they were swept before they were fetched.
    pub missing: u64,
    /// Bytes received from it and sent to it since this engine started.
    pub bytes: (u64, u64),
    /// The nodes it hears directly, as it says.
    pub hears: Vec<NodeName>,
}

impl NodePanel {
    /// A node of which nothing is known yet.
    #[must_use]
    pub fn unknown(name: NodeName, since: Timestamp) -> Self {
        Self {
            name,
            url: None,
            via: None,
            state: NodeState::Unknown,
            since,
            why: None,
            trust: Trust::default(),
            keys: Vec::new(),
            version: None,
            last_seen: None,
            started: None,
            rtt: None,
            skew_ms: None,
            phi_tenths: None,
            slowness: 0,
            high: 0,
            applied: 0,
            lag: None,
            rate: 0,
            missing: 0,
            bytes: (0, 0),
            hears: Vec::new(),
        }
    }

    /// When it was last known how it is, where nothing newer can be shown; `None` while it is current.
    #[must_use]
    pub fn old_since(&self) -> Option<Timestamp> {
        (!self.state.is_current()).then(|| self.last_seen.unwrap_or(self.since))
    }

    /// Entries that are known to exist and not applied here.
    #[must_use]
    pub fn behind(&self) -> u64 {
        self.high.saturating_sub(self.applied)
    }
}

#[cfg(test)]
impl NodePanel {
    /// A node of which nothing is known but how it stands.
    pub(crate) fn sample(name: &str, state: NodeState, since: Timestamp) -> Self {
        Self { state, ..Self::unknown(name.parse().expect("a name"), since) }
    }
}

/// One-time permission to join.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitation {
    /// What the other side gives to `aurora node join`. It is a secret until it is used.
    pub token: String,
    /// This node's fingerprint, to be compared on the other side.
    pub fingerprint: String,
    /// What who joins may do here.
    pub trust: Trust,
    /// The moment after which it no longer counts.
    pub expires: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_text_and_have_a_fingerprint_to_be_compared() {
        let key = NodeKey::from_bytes([7; 32]);
        assert_eq!(key.to_string().parse(), Ok(key));
        assert_eq!(key.fingerprint().len(), 39);
        assert_ne!(key.fingerprint(), NodeKey::from_bytes([8; 32]).fingerprint());
        for text in ["", "ed25519:", "ed25519:AAAA", "rsa:AAAA", &format!("{key}AAAA")] {
            assert_eq!(text.parse::<NodeKey>(), Err(BadNodeKey), "{text}");
        }
    }

    #[test]
    fn trust_grows() {
        assert!(Trust::Observe < Trust::Report && Trust::Report < Trust::Command);
        assert!("admin".parse::<Trust>().is_err());
        assert_eq!(Trust::default(), Trust::Report);
    }
}
