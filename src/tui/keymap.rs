//! Keys to actions: the one table that dispatches, and from which help, palette and hints are made.

use crate::config::{self, Chord, Context, Key, KeyMap};
use crate::model::KeyOverrides;

use super::action::Action;

/// The keys of a screen.
#[derive(Debug, Clone)]
pub(super) struct Keymap(KeyMap);

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
        Self(map.clone())
    }

    /// What is different from the defaults.
    pub(super) fn overrides(&self) -> &KeyOverrides {
        self.0.overrides()
    }

    /// What `keys` do where `contexts` count, innermost first. The first context that knows them decides.
    pub(super) fn found(&self, contexts: &[Context], keys: &[Key]) -> Found {
        match self.0.found(contexts, keys) {
            config::Found::Binding(binding) => Action::named(&binding.action).map_or(Found::Nothing, Found::Action),
            config::Found::Pending => Found::Pending,
            config::Found::Nothing => Found::Nothing,
        }
    }

    /// Everything that can be done in `contexts`, the innermost first, each once.
    pub(super) fn valid(&self, contexts: &[Context]) -> Vec<Valid> {
        let valid = |(action, chords): config::Reached<'_>| {
            Some(Valid { action: Action::named(action)?, chords: chords.into_iter().cloned().collect() })
        };
        self.0.reached(contexts).into_iter().filter_map(valid).collect()
    }

    /// How `begun` may go on in `contexts`: the keys that are missing, and what they do then.
    pub(super) fn endings(&self, contexts: &[Context], begun: &[Key]) -> Vec<(String, Action)> {
        let mut endings = Vec::new();
        for valid in self.valid(contexts) {
            let rest = valid.chords.iter().filter_map(|chord| chord.keys().strip_prefix(begun));
            endings.extend(rest.filter(|rest| !rest.is_empty()).map(|rest| (written(rest), valid.action)));
        }
        endings
    }
}

/// Keys as they are written.
pub(super) fn written(keys: &[Key]) -> String {
    keys.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_action_is_in_the_default_map_and_the_map_names_only_actions() {
        let map = KeyMap::default();
        let named: BTreeSet<&str> = map.bindings().iter().map(|binding| binding.action.as_str()).collect();
        let known: BTreeSet<&str> = Action::all().map(Action::name).collect();
        assert_eq!(named, known, "[keys] in config.example.toml, and actions! in tui/action.rs");
    }

    #[test]
    fn every_action_has_a_key_or_is_known_to_have_none() {
        let map = KeyMap::default();
        let has_key = |action: &Action| {
            map.bindings().iter().any(|binding| binding.action == action.name() && !binding.chords.is_empty())
        };
        let without: Vec<&str> = Action::all().filter(|action| !has_key(action)).map(Action::name).collect();
        // Who leaves an action without a key says here why.
        let meant: [&str; 0] = [];
        assert_eq!(without, meant);
    }
}
