//! What goes wrong with tmux.

use std::time::Duration;

/// Most characters of tmux's own words that an error repeats.
const WORDS_MAX: usize = 200;

/// Why tmux did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum TmuxError {
    /// The program is not there.
    #[error("tmux is not installed here")]
    NotInstalled,
    /// The name of a socket that is none.
    #[error(
        "a tmux socket is named by up to 64 letters, digits, `_`, `.` and `-`, and begins with a letter or a digit"
    )]
    BadSocket,
    /// Others could put a socket of theirs where ours is looked for.
    #[error("the directory of tmux sockets {path} {why}; tmux makes it with mode 0700")]
    Directory {
        /// Where it is.
        path: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// No server runs at the socket.
    #[error("no tmux server is running")]
    NoServer,
    /// There is no such session.
    #[error("tmux has no session of that name")]
    NoSession,
    /// There is no such pane, or not any more.
    #[error("tmux has no pane %{0}")]
    NoPane(u32),
    /// The pane takes no keys now.
    #[error("pane %{pane} takes no keys: {why}")]
    TakesNoKeys {
        /// Which.
        pane: u32,
        /// Why.
        why: NoKeys,
    },
    /// Somebody pipes the pane already, and tmux has one pipe a pane.
    #[error("pane %{0} is piped already (pipe-pane), and tmux has one pipe a pane")]
    PipeTaken(u32),
    /// It is older than control clients with `ignore-size` are.
    #[error("tmux is version {0}; 3.2 is the oldest that can be watched")]
    TooOld(String),
    /// No answer in time.
    #[error("tmux did not answer within {} s", .0.as_secs())]
    Slow(Duration),
    /// More than is taken.
    #[error("tmux answered with more than {} MiB", .0 >> 20)]
    TooMuch(usize),
    /// An answer that makes no sense.
    #[error("tmux answered something else than was asked: {0}")]
    Strange(&'static str),
    /// It refused, in its own words.
    #[error("tmux said: {0}")]
    Said(String),
    /// It could not be run or talked with.
    #[error("failed to talk with tmux")]
    Io(#[from] std::io::Error),
}

/// Why a pane takes no keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoKeys {
    /// Its program has ended.
    #[error("its program has ended")]
    Dead,
    /// Somebody reads its history, for instance; keys would be orders to tmux.
    #[error("it is in a mode of tmux, as copy-mode")]
    Mode,
    /// Its input is switched off.
    #[error("its input is switched off (select-pane -d)")]
    Off,
    /// They would go into other panes, too.
    #[error("tmux would type into the other panes of its window, too (synchronize-panes)")]
    Synchronized,
    /// It is of a server that has gone.
    #[error("another tmux server answers by now")]
    Other,
}

impl NoKeys {
    const ALL: [Self; 5] = [Self::Dead, Self::Mode, Self::Off, Self::Synchronized, Self::Other];

    /// The word tmux is told to say for it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Dead => "dead",
            Self::Mode => "mode",
            Self::Off => "off",
            Self::Synchronized => "synchronized",
            Self::Other => "other",
        }
    }

    /// What tmux has said.
    pub(super) fn said(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|why| why.word() == word)
    }
}

impl TmuxError {
    /// Reads what tmux wrote to its standard error. Only its first line is kept, and of that only what can be printed.
    pub(super) fn said(stderr: &[u8]) -> Self {
        let text = String::from_utf8_lossy(stderr);
        let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or("nothing").trim();
        // tmux's own words, which are the same in every language.
        if line.starts_with("no server running on") || line.contains("(No such file or directory)") {
            return Self::NoServer;
        }
        if line.starts_with("can't find session") {
            return Self::NoSession;
        }
        if let Some(pane) = line.strip_prefix("can't find pane: %").and_then(|number| number.parse().ok()) {
            return Self::NoPane(pane);
        }
        Self::Said(line.chars().filter(|c| !c.is_control()).take(WORDS_MAX).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_tmux_are_known_and_cannot_draw() {
        assert!(matches!(TmuxError::said(b"no server running on /tmp/tmux-0/x\n"), TmuxError::NoServer));
        let missing = b"error connecting to /tmp/tmux-0/x (No such file or directory)\n";
        assert!(matches!(TmuxError::said(missing), TmuxError::NoServer));
        assert!(matches!(TmuxError::said(b"can't find pane: %17\n"), TmuxError::NoPane(17)));
        assert_eq!(TmuxError::said(b"\n\x1b]52;c;x\x07bad \xff\nmore").to_string(), "tmux said: ]52;c;xbad \u{fffd}");
    }
}
