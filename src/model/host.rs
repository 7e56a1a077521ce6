//! Remote machines: what they are called, the roads to them, and how each road is.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Label;

super::name::name_id! {
    /// The name of a host: the table name under `[hosts.*]`. It is never an address and never given to a shell.
    HostName,
    /// A host name that cannot be used.
    BadHostName, "host"
}

/// A road to a host. The order is the usual order of preference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LayerKind {
    /// A child `aurora agent stdio` on this machine.
    Local,
    /// The agent's socket.
    Socket,
    /// One long-lived `aurora agent stdio` over ssh.
    Tmux,
    /// Files in a directory both sides see.
    Trigger,
    /// One fresh ssh connection a question.
    Exec,
    /// A person who pastes a line.
    Manual,
}

impl LayerKind {
    /// Every layer, in the usual order of preference.
    pub const ALL: [Self; 6] = [Self::Local, Self::Socket, Self::Tmux, Self::Trigger, Self::Exec, Self::Manual];

    /// The name used in configuration, on screens and in `--json`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Socket => "socket",
            Self::Tmux => "tmux",
            Self::Trigger => "trigger",
            Self::Exec => "exec",
            Self::Manual => "manual",
        }
    }
}

impl fmt::Display for LayerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for LayerKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|layer| layer.as_str() == text)
            .ok_or_else(|| format!("unknown layer `{text}`; the layers are local, socket, tmux, trigger, exec, manual"))
    }
}

/// How a road is. *Up* means that the agent itself has answered over it, not that a port is open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LayerState {
    /// Nothing is known yet.
    Unknown,
    /// It is being opened.
    Connecting,
    /// The agent answers.
    Up,
    /// The agent answers again, and has to go on doing so before the road is used first again.
    Proving,
    /// It does not answer.
    Down,
    /// It must not be used until a person has looked: a changed host key, a foreign spool.
    Barred,
}

impl LayerState {
    /// One word for screens and `--json`.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Connecting => "connecting",
            Self::Up => "up",
            Self::Proving => "proving",
            Self::Down => "down",
            Self::Barred => "barred",
        }
    }
}

/// One road to one host, as screens show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerPanel {
    /// Which.
    pub kind: LayerKind,
    /// How it is.
    pub state: LayerState,
    /// Since when.
    pub since: Timestamp,
    /// Time to the agent and back, as last measured.
    pub rtt: Option<Duration>,
    /// When the agent last answered over it.
    pub last_good: Option<Timestamp>,
    /// Why it is as it is, in one line: what failed at which step, and what to do. It may hold text from outside.
    pub why: String,
    /// How often it went down in the last hour.
    pub flaps: u32,
}

/// A host, as screens show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostPanel {
    /// Its name.
    pub name: HostName,
    /// Its labels.
    pub labels: Vec<Label>,
    /// Its roads, in the order they are tried.
    pub layers: Vec<LayerPanel>,
    /// The road that would carry the next command.
    pub active: Option<LayerKind>,
    /// Jobs that run there.
    pub running: u32,
    /// Jobs that wait for it.
    pub queued: u32,
    /// What the agent says of itself, once it has.
    pub agent: Option<AgentCard>,
}

/// What an agent says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentCard {
    /// Its version.
    pub version: String,
    /// What it cannot promise: nothing for the binary; for the shim one line each.
    pub lost: Vec<String>,
    /// Its clock less ours, in milliseconds.
    pub skew_ms: i64,
    /// The load of its machine over one minute, in hundredths.
    pub load_percent: Option<u32>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_read_back_and_stand_in_order() {
        assert!(LayerKind::ALL.is_sorted());
        for kind in LayerKind::ALL {
            assert_eq!(kind.to_string().parse(), Ok(kind));
        }
        assert!("ftp".parse::<LayerKind>().expect_err("unknown").contains("socket, tmux"));
    }
}
