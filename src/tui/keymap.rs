//! Keys to actions: the one table that dispatches, and from which help, palette and hints are made.

use crate::config::{Chord, Context, Key, KeyMap};
use crate::model::KeyOverrides;

use super::action::Action;

/// One row of the table.
#[derive(Debug, Clone)]
struct Binding {
    context: Context,
    action: Action,
    chords: Vec<Chord>,
}

/// The keys of a screen.
#[derive(Debug, Clone)]
pub(super) struct Keymap {
    bindings: Vec<Binding>,
    overrides: KeyOverrides,
}

/// What keys that were pressed one after the other come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// This.
    Action(Action),
    /// More keys are to come.
    Pending,
    /// Nothing.
    Nothing,
}

/// What can be done now, and the keys that do it now; none where palette and help are the only way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Valid {
    pub action: Action,
    pub chords: Vec<Chord>,
}

impl Valid {
    /// The keys as they are written.
    pub(super) fn keys(&self) -> String {
        self.chords.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    }
}

impl Keymap {
    /// The keys of `map`.
    pub(super) fn new(map: &KeyMap) -> Self {
        let row = |binding: &crate::config::KeyBinding| {
            let action = Action::named(&binding.action)?;
            Some(Binding { context: binding.context, action, chords: binding.chords.clone() })
        };
        Self { bindings: map.bindings().iter().filter_map(row).collect(), overrides: map.overrides().clone() }
    }

    /// What is different from the defaults.
    pub(super) fn overrides(&self) -> &KeyOverrides {
        &self.overrides
    }

    fn of(&self, context: Context) -> impl Iterator<Item = &Binding> {
        self.bindings.iter().filter(move |binding| binding.context == context)
    }

    /// What `keys` do where `contexts` count, innermost first. The first context that knows them decides.
    pub(super) fn found(&self, contexts: &[Context], keys: &[Key]) -> Found {
        for context in contexts {
            let mut pending = false;
            for binding in self.of(*context) {
                for chord in &binding.chords {
                    if chord.keys() == keys {
                        return Found::Action(binding.action);
                    }
                    pending |= chord.keys().starts_with(keys);
                }
            }
            if pending {
                return Found::Pending;
            }
        }
        Found::Nothing
    }

    /// Whether `chord` does `action` in `contexts`; an inner context may have another use for its keys.
    fn does(&self, contexts: &[Context], chord: &Chord, action: Action) -> bool {
        let keys = chord.keys();
        (1..keys.len()).all(|begun| self.found(contexts, &keys[..begun]) == Found::Pending)
            && self.found(contexts, keys) == Found::Action(action)
    }

    /// Everything that can be done in `contexts`, the innermost first, each once.
    pub(super) fn valid(&self, contexts: &[Context]) -> Vec<Valid> {
        let mut valid: Vec<Valid> = Vec::new();
        for binding in contexts.iter().flat_map(|context| self.of(*context)) {
            let chords = binding.chords.iter().filter(|chord| self.does(contexts, chord, binding.action));
            match valid.iter_mut().find(|known| known.action == binding.action) {
                Some(known) => {
                    for chord in chords {
                        if !known.chords.contains(chord) {
                            known.chords.push(chord.clone());
                        }
                    }
                }
                None => valid.push(Valid { action: binding.action, chords: chords.cloned().collect() }),
            }
        }
        valid
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn chord(text: &str) -> Chord {
        text.parse().expect("a chord")
    }

    fn with(lines: &[(&str, &str, &[&str])]) -> Keymap {
        let mut overrides = KeyOverrides::new();
        for (context, action, keys) in lines {
            let keys = keys.iter().map(ToString::to_string).collect();
            overrides.entry((*context).to_owned()).or_default().insert((*action).to_owned(), keys);
        }
        Keymap::new(&KeyMap::with(&overrides).expect("a map"))
    }

    #[test]
    fn every_action_is_in_the_default_map_and_the_map_names_only_actions() {
        let named: BTreeSet<String> =
            KeyMap::default().bindings().iter().map(|binding| binding.action.clone()).collect();
        let known: BTreeSet<String> = Action::all().map(|action| action.name().to_owned()).collect();
        assert_eq!(named, known, "config.example.toml and tui/action.rs");
    }

    #[test]
    fn every_action_has_a_key_or_is_known_to_have_none() {
        let without: Vec<&str> = Action::all()
            .filter(|action| {
                let map = KeyMap::default();
                !map.bindings().iter().any(|binding| binding.action == action.name() && !binding.chords.is_empty())
            })
            .map(Action::name)
            .collect();
        assert_eq!(without, [""; 0]);
    }

    #[test]
    fn in_every_context_every_key_of_the_map_does_its_action() {
        for map in [
            with(&[]),
            with(&[
                ("inbox", "ack", &["x x", "ctrl-x s"]),
                ("global", "go_inbox", &["g i", "3"]),
                ("list", "first", &["g g"]),
            ]),
        ] {
            for context in Context::ALL {
                let contexts: Vec<Context> = context.outwards().collect();
                for binding in map.bindings.iter().filter(|binding| contexts.contains(&binding.context)) {
                    for chord in &binding.chords {
                        let inner = contexts.iter().take_while(|inner| **inner != binding.context);
                        let mut hidden = inner.flat_map(|inner| map.of(*inner)).flat_map(|inner| &inner.chords);
                        if hidden.any(|inner| inner.excludes(chord)) {
                            continue;
                        }
                        assert!(map.does(&contexts, chord, binding.action), "{chord} in {}", context.name());
                    }
                }
                for valid in map.valid(&contexts) {
                    for chord in &valid.chords {
                        assert!(map.does(&contexts, chord, valid.action), "{chord} in {}", context.name());
                    }
                }
            }
        }
    }

    #[test]
    fn the_innermost_context_wins() {
        let map = with(&[]);
        let a = chord("a");
        assert_eq!(map.found(&[Context::Inbox, Context::Global], a.keys()), Found::Action(Action::Ack));
        assert_eq!(map.found(&[Context::Global], a.keys()), Found::Nothing);
        assert_eq!(map.found(&[Context::Global], chord("Q").keys()), Found::Action(Action::Quit));
    }

    #[test]
    fn what_an_inner_context_uses_otherwise_is_no_key_of_the_outer_action() {
        let map = with(&[("inbox", "ack", &["n"]), ("message", "ack", &["/ x"])]);
        let keys = |context: Context, action| {
            let contexts: Vec<Context> = context.outwards().collect();
            map.valid(&contexts).into_iter().find(|valid| valid.action == action).expect("is valid").keys()
        };
        assert_eq!(keys(Context::Inbox, Action::Next), "", "the action is there all the same, for the palette");
        assert_eq!(keys(Context::Health, Action::Next), "n");
        assert_eq!(keys(Context::Message, Action::Search), "", "a chord begins with its key");
        assert_eq!(keys(Context::Message, Action::Ack), "/ x");
        assert_eq!(keys(Context::List, Action::Down), "j, down");
    }

    #[test]
    fn a_chord_waits_for_its_end() {
        let map = with(&[("list", "first", &["g g"]), ("global", "go_inbox", &["g i", "3"])]);
        let contexts = [Context::Inbox, Context::List, Context::Global];
        let found = |text: &str| map.found(&contexts, chord(text).keys());
        assert_eq!(found("g"), Found::Pending);
        assert_eq!(found("g g"), Found::Action(Action::First));
        assert_eq!(found("g i"), Found::Action(Action::Go(crate::tui::View::Inbox)), "of an outer context");
        assert_eq!(found("g x"), Found::Nothing);
    }
}
