//! What a pane shows, captured in one moment.

use super::order::{PARTS, captures};
use super::rebuild::{Captured, STATE, State};
use super::{Server, TmuxError};

/// How often it is looked at again when it changed its size meanwhile.
const LOOKS: u32 = 3;

/// A pane as it was in one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shot {
    /// Its width in columns.
    pub cols: u16,
    /// Its height in rows.
    pub rows: u16,
    /// Lines of history that come first in `bytes`.
    pub history: u32,
    /// What, fed to an empty screen of that size, shows what the pane shows, with the cursor, the modes, and the lines
    /// of history scrolled out at its top. UTF-8 where the program in the pane keeps to it.
    pub bytes: Vec<u8>,
}

impl Server {
    /// Captures a pane, with at most `history` lines that have scrolled out, oldest first. The capture goes its own way:
    /// in the stream of a control client what a program prints could pass for the end of the answer.
    ///
    /// # Errors
    /// When there is no such pane, and when tmux does not answer. [`TmuxError::TooMuch`] and [`TmuxError::Slow`]: with less
    /// history there is less.
    pub async fn shot(&self, pane: u32, history: u32) -> Result<Shot, TmuxError> {
        for _ in 0..LOOKS {
            if let Some(shot) = self.capture(pane, history).await? {
                return Ok(shot);
            }
        }
        Err(TmuxError::Strange("a pane that changes its size all the time"))
    }

    /// `None`: it changed its size meanwhile. tmux runs the commands of one client without a pause, so it should not.
    async fn capture(&self, pane: u32, history: u32) -> Result<Option<Shot>, TmuxError> {
        let target = format!("%{pane}");
        let key = format!("{:032x}", rand::random::<u128>());
        let state = ["display-message", "-p", "-t", &target, STATE];
        let (pending, parts) = captures(pane, history);
        let mut words: Vec<&str> = state.to_vec();
        for part in [&pending].into_iter().chain(&parts) {
            words.extend([";", "display-message", "-p", &key, ";"]);
            words.extend(part.split(' '));
        }
        words.extend([";", "display-message", "-p", &key, ";"]);
        words.extend(state);
        let answer = self.ask(&words).await?;
        let [before, pending, rows, below, joined, after] = sections(&answer, &key)?;
        if before != after {
            return Ok(None);
        }
        let state = String::from_utf8_lossy(before);
        Shot::of(pane, history, &state, pending, [rows, below, joined]).map(Some)
    }
}

impl Shot {
    /// Puts it together of what tmux said of the pane and the parts of a capture with `asked` lines of history.
    pub(super) fn of(
        pane: u32,
        asked: u32,
        state: &str,
        pending: &[u8],
        [rows, below, joined]: [&[u8]; PARTS],
    ) -> Result<Self, TmuxError> {
        let state = State::read(state).ok_or(TmuxError::NoPane(pane))?;
        let pending = pending.strip_suffix(b"\n").unwrap_or(pending);
        let captured = Captured { state, asked, rows, below, joined, pending };
        let bytes = captured.rebuilt()?;
        Ok(Self { cols: captured.state.cols, rows: captured.state.rows, history: captured.history(), bytes })
    }
}

/// Takes the parts of an answer apart. The key between them was made for this answer: no pane can know it.
fn sections<'a, const N: usize>(answer: &'a [u8], key: &str) -> Result<[&'a [u8]; N], TmuxError> {
    let key = format!("{key}\n");
    let mut parts = Vec::with_capacity(N);
    let mut rest = answer;
    while let Some(at) = memchr::memmem::find(rest, key.as_bytes()) {
        parts.push(&rest[..at]);
        rest = &rest[at + key.len()..];
    }
    parts.push(rest);
    parts.try_into().map_err(|_| TmuxError::Strange("a capture without all of its parts"))
}
