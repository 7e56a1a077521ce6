//! What keys come to where several contexts count: the one answer for the screen, for help and for `aurora keys check`.

use super::key::{Chord, Key};
use super::key_context::Context;
use super::key_map::{KeyBinding, KeyMap};

/// What keys that were pressed one after the other come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found<'a> {
    /// The action of this binding.
    Binding(&'a KeyBinding),
    /// More keys are to come.
    Pending,
    /// Nothing.
    Nothing,
}

/// An action, and the chords that do it where it was asked for; none where only help and palette do.
pub type Reached<'a> = (&'a str, Vec<&'a Chord>);

impl KeyMap {
    fn of(&self, context: Context) -> impl Iterator<Item = &KeyBinding> {
        self.bindings().iter().filter(move |binding| binding.context == context)
    }

    /// What `keys` do where `contexts` count, innermost first. The first context that knows them decides.
    #[must_use]
    pub fn found(&self, contexts: &[Context], keys: &[Key]) -> Found<'_> {
        for context in contexts {
            let mut pending = false;
            for binding in self.of(*context) {
                for chord in &binding.chords {
                    if chord.keys() == keys {
                        return Found::Binding(binding);
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

    /// The binding that keeps `chord` from doing `action` in `contexts`; `None` when it does it.
    pub(super) fn hides(&self, contexts: &[Context], chord: &Chord, action: &str) -> Option<&KeyBinding> {
        let keys = chord.keys();
        let first = |typed: usize| match self.found(contexts, &keys[..typed]) {
            Found::Binding(binding) if typed < keys.len() || binding.action != action => Some(binding),
            // A longer chord of an inner context begins with these keys.
            Found::Pending if typed == keys.len() => contexts
                .iter()
                .flat_map(|context| self.of(*context))
                .find(|binding| binding.chords.iter().any(|longer| longer != chord && longer.keys().starts_with(keys))),
            _ => None,
        };
        (1..=keys.len()).find_map(first)
    }

    /// Everything that can be done where `contexts` count, the innermost first, each action once.
    #[must_use]
    pub fn reached(&self, contexts: &[Context]) -> Vec<Reached<'_>> {
        let mut reached: Vec<Reached<'_>> = Vec::new();
        for binding in contexts.iter().flat_map(|context| self.of(*context)) {
            let action = binding.action.as_str();
            let index = reached.iter().position(|(known, _)| *known == action).unwrap_or_else(|| {
                reached.push((action, Vec::new()));
                reached.len() - 1
            });
            let chords = &mut reached[index].1;
            for chord in &binding.chords {
                if self.hides(contexts, chord, action).is_none() && !chords.contains(&chord) {
                    chords.push(chord);
                }
            }
        }
        reached
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    fn map(text: &str) -> KeyMap {
        parse(text, None).unwrap_or_else(|e| panic!("{text}: {e}")).keys
    }

    fn chord(text: &str) -> Chord {
        text.parse().expect("a chord")
    }

    fn keys(map: &KeyMap, context: Context, action: &str) -> Vec<String> {
        let contexts: Vec<Context> = context.outwards().collect();
        let reached = map.reached(&contexts);
        let (_, chords) = reached.iter().find(|(known, _)| *known == action).expect("can be done");
        chords.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_innermost_context_wins() {
        let map = map("");
        let action = |contexts: &[Context], text: &str| match map.found(contexts, chord(text).keys()) {
            Found::Binding(binding) => binding.action.clone(),
            other => format!("{other:?}"),
        };
        assert_eq!(action(&[Context::Inbox, Context::Global], "enter"), "open");
        assert_eq!(action(&[Context::Global], "enter"), "Nothing");
        assert_eq!(action(&[Context::Inbox, Context::Global], "Q"), "quit");
    }

    #[test]
    fn what_an_inner_context_uses_otherwise_is_no_key_of_the_outer_action() {
        let map = map("[keys.inbox]\nack = \"n\"\n[keys.message]\nack = \"/ x\"\n");
        let none: [&str; 0] = [];
        assert_eq!(keys(&map, Context::Inbox, "next_urgent"), none, "it can be done all the same, from the palette");
        assert_eq!(keys(&map, Context::Health, "next_urgent"), ["n"]);
        assert_eq!(keys(&map, Context::Message, "search"), none, "a chord begins with its key");
        assert_eq!(keys(&map, Context::Message, "ack"), ["/ x"]);
        assert_eq!(keys(&map, Context::List, "down"), ["j", "down"]);
    }

    #[test]
    fn a_chord_waits_for_its_end_in_any_context() {
        let map = map("[keys.list]\nfirst = \"g g\"\n[keys.global]\ngo_inbox = [\"g i\", \"3\"]\n");
        let contexts = [Context::Inbox, Context::List, Context::Global];
        let found = |text: &str| map.found(&contexts, chord(text).keys());
        assert_eq!(found("g"), Found::Pending);
        assert!(matches!(found("g g"), Found::Binding(binding) if binding.action == "first"));
        assert!(matches!(found("g i"), Found::Binding(binding) if binding.action == "go_inbox"));
        assert_eq!(found("g x"), Found::Nothing);
    }

    #[test]
    fn in_every_context_every_key_does_its_action_or_something_hides_it() {
        let remapped = "[keys.inbox]\nack = [\"x x\", \"ctrl-x s\"]\nnext_urgent = \"x n\"\n[keys.global]\n\
                        go_inbox = [\"g i\", \"3\"]\n[keys.list]\nfirst = \"g g\"\n[keys.tasks]\nrestart_task = \"g\"\n";
        for map in [map(""), map(remapped)] {
            for context in Context::ALL {
                let contexts: Vec<Context> = context.outwards().collect();
                for (index, outer) in contexts.iter().enumerate() {
                    for (binding, chord) in map.of(*outer).flat_map(|b| b.chords.iter().map(move |chord| (b, chord))) {
                        let mut inner = contexts[..index].iter().flat_map(|inner| map.of(*inner));
                        let hidden = inner.any(|inner| {
                            inner.action != binding.action && inner.chords.iter().any(|other| other.excludes(chord))
                        });
                        let does = map.hides(&contexts, chord, &binding.action).is_none();
                        assert_eq!(does, !hidden, "{chord} ({}) in {}", binding.action, context.name());
                    }
                }
            }
        }
    }
}
