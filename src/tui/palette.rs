//! The palette: everything that can be done now, by name.

use tui_textarea::TextArea;

use crate::config::Context;

use super::action::Action;
use super::keymap::{Keymap, Valid};

/// One entry: what it does, and the keys that do it without the palette.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub action: Action,
    pub words: &'static str,
    pub keys: String,
}

/// The palette while it is open.
#[derive(Debug)]
pub(super) struct Palette {
    pub field: TextArea<'static>,
    pub selected: usize,
    entries: Vec<Entry>,
}

impl Palette {
    /// The palette over what can be done in `contexts`.
    pub(super) fn new(keymap: &Keymap, contexts: &[Context]) -> Self {
        Self { field: TextArea::default(), selected: 0, entries: entries(keymap, contexts) }
    }

    /// The entries that match what was typed, best first.
    pub(super) fn matches(&self) -> Vec<&Entry> {
        let typed = self.field.lines().first().map_or("", String::as_str).to_lowercase();
        let mut scored: Vec<(usize, &Entry)> =
            self.entries.iter().filter_map(|entry| Some((score(&typed, entry.words)?, entry))).collect();
        scored.sort_by_key(|(score, _)| *score);
        scored.into_iter().map(|(_, entry)| entry).collect()
    }
}

/// Everything that can be done in `contexts`, each once.
pub(super) fn entries(keymap: &Keymap, contexts: &[Context]) -> Vec<Entry> {
    let entry = |valid: &Valid| Entry { action: valid.action, words: valid.action.words(), keys: valid.keys() };
    keymap.valid(contexts).iter().map(entry).collect()
}

/// How far `typed` is from `words`: 0 where words begin with it, then where they hold it, then where its
/// letters come in order; `None` where they do not.
fn score(typed: &str, words: &str) -> Option<usize> {
    let words = words.to_lowercase();
    if let Some(at) = words.find(typed) {
        let begins = at == 0 || words[..at].ends_with(' ');
        return Some(if begins { at.min(1) } else { 2 });
    }
    let mut letters = words.chars();
    typed.chars().filter(|c| !c.is_whitespace()).all(|wanted| letters.any(|c| c == wanted)).then_some(3)
}

#[cfg(test)]
mod tests {
    use crate::config::KeyMap;

    use super::*;

    #[test]
    fn beginnings_come_before_middles_and_letters() {
        assert_eq!(score("", "quit"), Some(0));
        assert_eq!(score("inb", "go to inbox"), Some(1));
        assert_eq!(score("box", "go to inbox"), Some(2));
        assert_eq!(score("gibx", "go to inbox"), Some(3));
        assert_eq!(score("xyz", "go to inbox"), None);
    }

    #[test]
    fn every_entry_has_its_key() {
        let entries = entries(&Keymap::new(&KeyMap::default()), &[Context::Inbox, Context::Global]);
        assert!(entries.iter().all(|entry| !entry.keys.is_empty()));
        assert!(entries.iter().any(|entry| entry.action == Action::Ack && entry.keys == "a"));
    }
}
