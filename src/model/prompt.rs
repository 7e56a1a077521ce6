//! Prompts: what is typed into a pane of a host, for an interactive program, and where it goes.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::HostName;

/// Which pane a prompt goes to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PanePlace {
    /// The tmux server, as `tmux -L NAME`; the user's own when absent.
    pub socket: Option<String>,
    /// The session by its exact name; the only one there is when absent.
    pub session: Option<String>,
    /// The number of the window in the session and of the pane in the window; the active pane when absent.
    pub pane: Option<(u32, u32)>,
}

impl fmt::Display for PanePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let session = self.session.as_deref();
        match self.pane {
            Some((window, pane)) => write!(f, "pane {}:{window}.{pane}", session.unwrap_or_default())?,
            None => write!(f, "the active pane of {}", session.unwrap_or("the only session"))?,
        }
        match &self.socket {
            Some(socket) => write!(f, " of tmux -L {socket}"),
            None => Ok(()),
        }
    }
}

/// Text that names no pane of a session.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a pane is written SESSION:WINDOW.PANE, as claude:0.1, or SESSION for its active pane")]
pub struct BadPanePlace;

impl FromStr for PanePlace {
    type Err = BadPanePlace;

    /// Reads `SESSION:WINDOW.PANE`, or `SESSION`. tmux resolves targets and formats in names, so only plain words are
    /// let in.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (session, pane) = match text.split_once(':') {
            Some((session, place)) => (session, Some(place.split_once('.').ok_or(BadPanePlace)?)),
            None => (text, None),
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        if session.is_empty() || session.len() > 64 || session.starts_with('-') || !session.chars().all(plain) {
            return Err(BadPanePlace);
        }
        let number = |digits: &str| {
            let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
            digits.parse().ok().filter(|_| is_number).ok_or(BadPanePlace)
        };
        let pane = pane.map(|(window, pane)| Ok((number(window)?, number(pane)?))).transpose()?;
        Ok(Self { socket: None, session: Some(session.to_owned()), pane })
    }
}

/// What a command types, before its values are known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromptTemplate {
    /// The text. It may hold `{name}`.
    pub text: String,
    /// Where, as the command itself says.
    pub place: PanePlace,
    /// Where on each host that has a tmux of its own written down; for commands that say nothing.
    pub places: BTreeMap<HostName, PanePlace>,
}

impl PromptTemplate {
    /// Where it goes on `host`.
    #[must_use]
    pub fn place_on(&self, host: &HostName) -> PanePlace {
        let says_nothing = self.place == PanePlace::default();
        self.places.get(host).filter(|_| says_nothing).unwrap_or(&self.place).clone()
    }
}

/// Exactly what is typed, and where. Enter comes after it, by itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prompt {
    /// The text.
    pub text: String,
    /// The pane.
    pub place: PanePlace,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_session_and_perhaps_a_pane_in_it() {
        let place: PanePlace = "claude:0.12".parse().expect("a place");
        assert_eq!((place.session.as_deref(), place.pane), (Some("claude"), Some((0, 12))));
        assert_eq!(place.to_string(), "pane claude:0.12");
        let place = PanePlace { socket: Some("work".into()), ..PanePlace::default() };
        assert_eq!(place.to_string(), "the active pane of the only session of tmux -L work");
        for bad in ["", ":0.1", "a:", "a:0", "a:0.", "a:+1.0", "=a", "a b", "-a", "a#{x}:0.1", "%3", "a:0.1.2"] {
            assert_eq!(bad.parse::<PanePlace>(), Err(BadPanePlace), "{bad}");
        }
    }

    #[test]
    fn what_a_command_says_counts_before_what_its_host_says() {
        let host: HostName = "web-1".parse().expect("a name");
        let of_host = PanePlace { session: Some("claude".into()), ..PanePlace::default() };
        let places = BTreeMap::from([(host.clone(), of_host.clone())]);
        let silent = PromptTemplate { text: "x".into(), place: PanePlace::default(), places };
        assert_eq!(silent.place_on(&host), of_host);
        assert_eq!(silent.place_on(&"web-2".parse().expect("a name")), PanePlace::default());
        let own: PanePlace = "work".parse().expect("a place");
        assert_eq!(PromptTemplate { place: own.clone(), ..silent }.place_on(&host), own);
    }
}
