//! What a key map without mistakes still leaves to be desired: keys that were lost, actions that no key reaches.

use std::fmt;

use super::key::Chord;
use super::key_context::Context;
use super::key_map::{KeyBinding, KeyMap};

/// Something to know about a key map. It is no mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyNote {
    /// The line of the configuration file that is the reason.
    pub line: Option<usize>,
    /// What it comes to.
    pub text: String,
}

impl fmt::Display for KeyNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl KeyMap {
    /// What was there by default and is lost, context by context. Whatever has no key is in help and palette still.
    #[must_use]
    pub fn notes(&self) -> Vec<KeyNote> {
        let usual = Self::default();
        let mut notes = Vec::new();
        for context in Context::ALL {
            let contexts: Vec<Context> = context.outwards().collect();
            let outer = &contexts[1..];
            let now = self.reached(&contexts);
            for (action, before) in usual.reached(&contexts) {
                let reached = now.iter().find(|(known, _)| *known == action);
                let chords = reached.map(|(_, chords)| chords.as_slice()).unwrap_or_default();
                if let Some(note) = self.unreached(context, &contexts, action, &before).filter(|_| chords.is_empty()) {
                    // What no key reaches anywhere is said once, for the outermost context.
                    let said =
                        !outer.is_empty() && self.is_unreached(outer, action) && !usual.is_unreached(outer, action);
                    notes.extend((!said).then_some(note));
                } else if self.line(context, action).is_none() {
                    notes.extend(self.lost(context, &usual, action));
                }
            }
        }
        notes
    }

    fn binding(&self, context: Context, action: &str) -> Option<&KeyBinding> {
        self.bindings().iter().find(|binding| binding.context == context && binding.action == action)
    }

    fn line(&self, context: Context, action: &str) -> Option<usize> {
        self.binding(context, action)?.line
    }

    /// Whether `action` can be done in `contexts` and no key does it.
    fn is_unreached(&self, contexts: &[Context], action: &str) -> bool {
        self.reached(contexts).iter().any(|(known, chords)| *known == action && chords.is_empty())
    }

    /// That no key reaches `action` in `context`, where the keys `before` did.
    fn unreached(&self, context: Context, contexts: &[Context], action: &str, before: &[&Chord]) -> Option<KeyNote> {
        let first = before.first()?;
        let unbound = contexts.iter().find_map(|outer| self.line(*outer, action));
        let (line, why) = match (unbound, self.taker(contexts, first, action)) {
            (Some(line), _) if self.bound(contexts, action).is_empty() => (Some(line), "it has none".to_owned()),
            (_, Some(taker)) => (taker.line, format!("`{first}` is {}", said(taker))),
            (line, None) => (line, "its keys mean something else there".to_owned()),
        };
        Some(KeyNote { line, text: format!("no key reaches `{action}` in `{}`: {why}", context.name()) })
    }

    /// The chords that are bound to `action` in `contexts`, hidden or not.
    fn bound(&self, contexts: &[Context], action: &str) -> Vec<&Chord> {
        contexts.iter().filter_map(|context| self.binding(*context, action)).flat_map(|b| &b.chords).collect()
    }

    /// The binding that has what was the chord of `action`.
    fn taker(&self, contexts: &[Context], chord: &Chord, action: &str) -> Option<&KeyBinding> {
        let all = contexts.iter().flat_map(|context| self.bindings().iter().filter(move |b| b.context == *context));
        all.filter(|binding| binding.action != action).find(|b| b.chords.iter().any(|other| other.excludes(chord)))
    }

    /// The default keys that `action` has given up to lines of the file in the same context.
    fn lost(&self, context: Context, usual: &Self, action: &str) -> Vec<KeyNote> {
        let (Some(before), Some(now)) = (usual.binding(context, action), self.binding(context, action)) else {
            return Vec::new();
        };
        let gone = before.chords.iter().filter(|chord| !now.chords.contains(chord));
        gone.filter_map(|chord| {
            let taker = self.taker(&[context], chord, action)?;
            let text = format!("`{action}` in `{}` lost `{chord}`, which is {}", context.name(), said(taker));
            Some(KeyNote { line: taker.line, text })
        })
        .collect()
    }
}

/// A binding in words.
fn said(binding: &KeyBinding) -> String {
    format!("for `{}` in `{}`", binding.action, binding.context.name())
}

#[cfg(test)]
mod tests {
    use super::super::parse;

    fn notes(text: &str) -> Vec<(Option<usize>, String)> {
        let map = parse(text, None).unwrap_or_else(|e| panic!("{text}: {e}")).keys;
        map.notes().into_iter().map(|note| (note.line, note.text)).collect()
    }

    #[test]
    fn the_default_map_hides_nothing() {
        assert_eq!(notes(""), []);
        assert_eq!(notes("[keys.inbox]\nack = [\"a\", \"x\"]\n"), [], "one key more takes nothing away");
    }

    #[test]
    fn lost_keys_and_unreached_actions_are_said_once_with_their_line() {
        let cases: [(&str, &[(usize, &str)]); 5] = [
            (
                "[keys.inbox]\nack = \"n\"\n",
                &[(2, "no key reaches `next_urgent` in `inbox`: `n` is for `ack` in `inbox`")],
            ),
            ("[keys.inbox]\nack = \"f\"\n", &[(2, "no key reaches `filter` in `inbox`: `f` is for `ack` in `inbox`")]),
            ("[keys.global]\nhelp = []\n", &[(2, "no key reaches `help` in `global`: it has none")]),
            ("[keys.list]\nlast = \"g g\"\n", &[(2, "`first` in `list` lost `g`, which is for `last` in `list`")]),
            (
                "[keys.tasks]\nrestart_task = [\"R\", \"? x\"]\n",
                &[(2, "no key reaches `help` in `tasks`: `?` is for `restart_task` in `tasks`")],
            ),
        ];
        for (text, expected) in cases {
            let expected: Vec<_> = expected.iter().map(|(line, text)| (Some(*line), (*text).to_owned())).collect();
            assert_eq!(notes(text), expected, "{text}");
        }
    }
}
