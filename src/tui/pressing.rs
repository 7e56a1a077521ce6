//! Keys where nothing is typed: one at a time, or the keys of a chord one after the other.

use crossterm::event::{KeyEvent, KeyEventKind};
use jiff::{SignedDuration, Timestamp};

use crate::config::Key;
use crate::protocol::Severity;

use super::app::{App, Cmd};
use super::keymap::Found;
use super::keys;

/// After this long, whoever has begun a chord is told how it may go on. Who knows it has typed it by then.
const HESITATION: SignedDuration = SignedDuration::from_millis(400);

/// The keys of a chord that has no end yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pending {
    pub keys: Vec<Key>,
    since: Timestamp,
}

impl App {
    /// Takes a key for whatever has the focus.
    pub(super) fn press(&mut self, event: KeyEvent) -> Vec<Cmd> {
        let Some(key) = keys::key(event) else { return Vec::new() };
        let begun = self.pending.take();
        if begun.is_some() {
            if key == Key::ESC || key == Key::CTRL_C {
                return Vec::new();
            }
            if event.kind == KeyEventKind::Repeat {
                // The first key is still held down, and is no second one.
                self.pending = begun;
                return Vec::new();
            }
        }
        let known = begun.as_ref().filter(|begun| self.has_hesitated(begun)).map(|begun| begun.since);
        let mut pressed = begun.map(|begun| begun.keys).unwrap_or_default();
        pressed.push(key);
        match self.keymap.found(&self.contexts(), &pressed) {
            Found::Action(action) => return self.act(action),
            Found::Pending => self.pending = Some(Pending { keys: pressed, since: known.unwrap_or(self.now) }),
            Found::Nothing if pressed.len() > 1 => {
                let written = pressed.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
                self.toast(Severity::Info, format!("{written} does nothing here"));
            }
            Found::Nothing => {}
        }
        Vec::new()
    }

    fn has_hesitated(&self, pending: &Pending) -> bool {
        self.now.duration_since(pending.since) >= HESITATION
    }

    /// When the screen looks different without a key or news: then it wants a `Msg::Tick`. `None` is never.
    #[must_use]
    pub fn wakes_at(&self) -> Option<Timestamp> {
        let pending = self.pending.as_ref().filter(|pending| !self.has_hesitated(pending))?;
        pending.since.checked_add(HESITATION).ok()
    }
}
