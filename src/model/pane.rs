//! Panes: the terminals of a host's tmux, as they are listed, watched and driven.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{HostName, OperatorName, base64_bytes};

/// One pane in one life of a tmux server. It never means another pane later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PaneId {
    /// The process id of the tmux server.
    pub server: u32,
    /// Its own number there, `%3` without the sign.
    pub number: u32,
}

/// A pane of a host.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PaneAddress {
    /// The host.
    pub host: HostName,
    /// The pane.
    pub pane: PaneId,
}

/// How a person names a pane: `web-1:0.1`, or `web-1:claude:0.1` where the host has several sessions.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PaneName {
    /// The host.
    pub host: HostName,
    /// The session; the only one when absent.
    pub session: Option<String>,
    /// The number of the window in it.
    pub window: u32,
    /// The number of the pane in the window.
    pub index: u32,
}

/// A text that names no pane.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` names no pane; it is written HOST:WINDOW.PANE or HOST:SESSION:WINDOW.PANE, as web-1:0.1")]
pub struct BadPaneName(String);

impl FromStr for PaneName {
    type Err = BadPaneName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || BadPaneName(text.chars().take(80).collect());
        let (host, rest) = text.split_once(':').ok_or_else(bad)?;
        let (session, place) = match rest.rsplit_once(':') {
            Some((session, place)) if !session.is_empty() => (Some(session.to_owned()), place),
            Some(_) => return Err(bad()),
            None => (None, rest),
        };
        let (window, index) = place.split_once('.').ok_or_else(bad)?;
        let number = |digits: &str| -> Result<u32, BadPaneName> {
            let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            if plain { digits.parse().map_err(|_| bad()) } else { Err(bad()) }
        };
        Ok(Self { host: host.parse().map_err(|_| bad())?, session, window: number(window)?, index: number(index)? })
    }
}

impl fmt::Display for PaneName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.session {
            Some(session) => write!(f, "{}:{session}:{}.{}", self.host, self.window, self.index),
            None => write!(f, "{}:{}.{}", self.host, self.window, self.index),
        }
    }
}

/// By which way the agent hears what a pane prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PaneFeedKind {
    /// A control client of its session: every byte, at once.
    Control,
    /// That control client is told nothing of it but once a second, because it prints more than anybody can follow.
    Glimpses,
    /// `pipe-pane`: every byte, one reader a pane.
    Pipe,
    /// Captures now and then: what was printed between two may be missing.
    Poll,
}

impl PaneFeedKind {
    /// Whether a control client of its session tells of its changes.
    #[must_use]
    pub fn is_by_control(self) -> bool {
        matches!(self, Self::Control | Self::Glimpses)
    }

    /// One word for screens and `--json`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Control => "control",
            Self::Glimpses => "glimpses",
            Self::Pipe => "pipe",
            Self::Poll => "poll",
        }
    }
}

/// What tmux says of a pane, and what an agent adds: generation, feed and driver. All text comes from outside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PaneFacts {
    /// Which.
    pub id: PaneId,
    /// Its session.
    pub session: String,
    /// The number of its window in the session.
    pub window: u32,
    /// The name of its window.
    pub window_name: String,
    /// Its number in the window.
    pub index: u32,
    /// How many panes there were by this name since the agent began to look, this one counted; from 1.
    pub generation: u32,
    /// What runs in front there, as tmux sees it.
    pub command: String,
    /// The title its program set.
    pub title: String,
    /// The process tmux started there.
    pub pid: u32,
    /// Its width in columns.
    pub cols: u16,
    /// Its height in rows.
    pub rows: u16,
    /// Its program has ended, with this status where tmux knows it.
    pub dead: Option<Option<i32>>,
    /// The mode somebody has put it in, as `copy-mode`: keys then go to that mode.
    pub mode: Option<String>,
    /// Whether its program uses the alternate screen.
    pub alternate: bool,
    /// Whether tmux types into the other panes of its window, too, what is typed here (`synchronize-panes`). It is not
    /// driven then.
    pub synchronized: bool,
    /// Whether it is the active pane of the active window of its session.
    pub active: bool,
    /// Terminals of people that are attached to its session on the host.
    pub attached: u32,
    /// How it is heard; `None` while nobody watches it.
    pub feed: Option<PaneFeedKind>,
    /// Who drives it through an agent, and since when.
    pub driver: Option<PaneDriver>,
}

#[cfg(test)]
impl PaneFacts {
    /// A shell that nobody watches, alone in its session, to be made more of in tests.
    pub(crate) fn sample(number: u32) -> Self {
        Self {
            id: PaneId { server: 7, number },
            session: "main".to_owned(),
            window: 0,
            window_name: "sh".to_owned(),
            index: 0,
            generation: 1,
            command: "sh".to_owned(),
            title: "web-1".to_owned(),
            pid: 1_000 + number,
            cols: 80,
            rows: 24,
            dead: None,
            mode: None,
            alternate: false,
            synchronized: false,
            active: true,
            attached: 0,
            feed: None,
            driver: None,
        }
    }
}

impl PaneFacts {
    /// What to say of a pane that prints too much; `None` of others.
    #[must_use]
    pub fn too_fast(&self) -> Option<&'static str> {
        (self.feed == Some(PaneFeedKind::Glimpses)).then_some("too fast to follow, looked at once a second")
    }

    /// How a person names it among `all` panes of its host. The session is left out where it is the only one.
    #[must_use]
    pub fn name<'a>(&self, host: &HostName, all: impl IntoIterator<Item = &'a Self>) -> PaneName {
        let is_only = all.into_iter().all(|other| other.session == self.session);
        let session = (!is_only).then(|| self.session.clone());
        PaneName { host: host.clone(), session, window: self.window, index: self.index }
    }

    /// Its session, window and number: lists are in this order.
    #[must_use]
    pub fn place(&self) -> (&str, u32, u32) {
        (&self.session, self.window, self.index)
    }

    /// Whether it may be meant by `name`, on the host that is.
    #[must_use]
    pub fn is_called(&self, name: &PaneName) -> bool {
        let session = name.session.as_ref().is_none_or(|session| *session == self.session);
        session && (self.window, self.index) == (name.window, name.index)
    }
}

/// Who types into a pane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PaneDriver {
    /// Who.
    pub who: OperatorName,
    /// Since when, by the host's clock.
    pub since: Timestamp,
}

/// A whole screen to begin with: what, fed to an empty screen of this size, shows what the pane shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PaneSeed {
    /// Which pane.
    pub pane: PaneId,
    /// The place in the stream it stands for: the next piece begins here. A stream begins at any place; one that is
    /// watched again after the connection broke goes on with its places, and another stream has others.
    pub offset: u64,
    /// Bytes of the stream that nobody will see, because they were lost or left out before this. 0 at the beginning.
    pub missed: u64,
    /// Whether the pane printed more than anybody can follow before this, and it was left out where it is printed, for the
    /// program's sake. Nobody knows how much that was: it is not in `missed`.
    pub too_fast: bool,
    /// Width in columns.
    pub cols: u16,
    /// Height in rows.
    pub rows: u16,
    /// How many lines of history come first in `bytes`; they scroll out at the top as they are fed.
    pub history: u32,
    /// The bytes.
    #[serde(with = "base64_bytes")]
    pub bytes: Vec<u8>,
}

/// A piece of what a pane printed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PaneChunk {
    /// Which pane.
    pub pane: PaneId,
    /// The place of its first byte in the stream.
    pub offset: u64,
    /// The bytes.
    #[serde(with = "base64_bytes")]
    pub bytes: Vec<u8>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pane_is_named_as_it_is_read() {
        for text in ["web-1:0.1", "web-1:claude:0.1", "here:my work:12.0"] {
            assert_eq!(text.parse::<PaneName>().expect(text).to_string(), text);
        }
        for bad in ["", "web-1", "web-1:", "web-1:0", "web-1:0.", "web-1::0.1", "-x:0.1", "web-1:+1.1", "web-1:0.1.2"] {
            assert!(bad.parse::<PaneName>().is_err(), "{bad}");
        }
    }
}
