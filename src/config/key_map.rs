//! The key map: the defaults, and what `[keys.<context>]` makes of them.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::model::{KeyOverrides, nearest};

use super::file::{self, KeysFile, KeysTable};
use super::key::{Chord, Key};
use super::key_context::Context;
use super::load::EXAMPLE;
use super::mistake::{Mistake, Source};

/// The keys of one action in one context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyBinding {
    /// Where they count.
    pub context: Context,
    /// The stable name of the action.
    pub action: String,
    /// What is pressed for it. None of them leaves it to help and palette.
    pub chords: Vec<Chord>,
    /// The line of the configuration file that says so; `None` is the default.
    pub line: Option<usize>,
}

/// Which keys do what. No two chords of one context exclude each other.
#[derive(Clone)]
pub struct KeyMap {
    bindings: Vec<KeyBinding>,
    overrides: KeyOverrides,
}

/// Where a key came from is no part of what a configuration says: the same keys are the same configuration.
impl fmt::Debug for KeyMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.effective().fmt(f)
    }
}

/// The active lines below `[keys.<context>]` in the documented configuration.
static DEFAULTS: LazyLock<Vec<KeyBinding>> = LazyLock::new(|| {
    #[derive(Deserialize)]
    struct Documented {
        keys: KeysTable,
    }

    let documented: Documented = toml::from_str(EXAMPLE)
        .unwrap_or_else(|why| unreachable!("the tests read the documented configuration: {why}"));
    let mut bindings = Vec::new();
    for line in typed(&documented.keys) {
        let Some(context) = Context::named(line.context.text) else {
            unreachable!("the tests know {}", line.context.text)
        };
        let chords = line.keys.iter().filter_map(|key| key.text.parse().ok()).collect();
        bindings.push(KeyBinding { context, action: line.action.text.to_owned(), chords, line: None });
    }
    bindings
});

/// The action whose keys always hold the reserved one.
const QUIT: &str = "quit";

/// A word of the configuration and where it stands; nowhere when it came from elsewhere.
#[derive(Clone)]
struct Word<'a> {
    text: &'a str,
    span: Option<Range<usize>>,
}

/// One `action = keys` as it was typed.
struct Line<'a> {
    context: Word<'a>,
    action: Word<'a>,
    keys: Vec<Word<'a>>,
}

/// A chord of the file, and what it is for.
struct Taken {
    context: Context,
    chord: Chord,
    action: &'static str,
    line: Option<usize>,
}

/// The lines of the tables in the order of the file.
fn typed(table: &KeysTable) -> Vec<Line<'_>> {
    let mut lines = Vec::new();
    for (context, actions) in table {
        for (action, keys) in actions {
            let span = Some(file::span(keys));
            let keys = match keys.get_ref() {
                KeysFile::One(text) => vec![Word { text, span }],
                KeysFile::Several(keys) => {
                    keys.iter().map(|key| Word { text: key.get_ref(), span: Some(file::span(key)) }).collect()
                }
            };
            let word = |word| Word { text: toml::Spanned::<String>::get_ref(word), span: Some(file::span(word)) };
            lines.push(Line { context: word(context), action: word(action), keys });
        }
    }
    lines.sort_by_key(|line| line.action.span.as_ref().map(|span| span.start));
    lines
}

impl Word<'_> {
    fn mistake(&self, message: String, help: Option<String>) -> Mistake {
        Mistake { span: self.span.clone(), message, help }
    }
}

impl Default for KeyMap {
    fn default() -> Self {
        Self { bindings: DEFAULTS.clone(), overrides: KeyOverrides::new() }
    }
}

impl KeyMap {
    /// Validates the table `[keys]`.
    pub(super) fn from_file(table: &KeysTable, source: &Source) -> Result<Self, Mistake> {
        Self::new(&typed(table), |word| {
            let before = source.text.get(..word.span.as_ref()?.start)?;
            Some(before.matches('\n').count() + 1)
        })
    }

    /// The map with `overrides`, as an engine passes them on.
    ///
    /// # Errors
    /// When the engine knows contexts, actions or keys this program does not know.
    pub fn with(overrides: &KeyOverrides) -> Result<Self, String> {
        let word = |text| Word { text, span: None };
        let mut lines = Vec::new();
        for (context, actions) in overrides {
            for (action, keys) in actions {
                let keys = keys.iter().map(|key| word(key)).collect();
                lines.push(Line { context: word(context), action: word(action), keys });
            }
        }
        Self::new(&lines, |_| None).map_err(|mistake| mistake.message)
    }

    fn new(lines: &[Line<'_>], line_of: impl Fn(&Word<'_>) -> Option<usize>) -> Result<Self, Mistake> {
        let mut map = Self::default();
        let mut taken: Vec<Taken> = Vec::new();
        for line in lines {
            let context = known_context(&line.context)?;
            let action = known_action(context, &line.action)?;
            let number = line_of(&line.action);
            let mut chords = Vec::new();
            for word in &line.keys {
                let chord: Chord = word.text.parse().map_err(|error| word.mistake(error, Some(NOTATION.to_owned())))?;
                refuse_reserved(context, action, &chord, word)?;
                refuse_taken(context, action, &chord, word, &taken)?;
                taken.push(Taken { context, chord: chord.clone(), action, line: number });
                chords.push(chord);
            }
            map.bind(KeyBinding { context, action: action.to_owned(), chords, line: number }, &line.action)?;
        }
        // What the file says counts; a default that cannot be typed beside it gives way.
        for binding in &mut map.bindings {
            let typed = |chord: &Chord| {
                taken.iter().any(|taken| {
                    taken.context == binding.context && taken.action != binding.action && taken.chord.excludes(chord)
                })
            };
            binding.chords.retain(|chord| !typed(chord));
        }
        Ok(map)
    }

    /// Puts one line of the file in force.
    fn bind(&mut self, mut binding: KeyBinding, word: &Word<'_>) -> Result<(), Mistake> {
        let (context, action) = (binding.context, binding.action.clone());
        if context == Context::Global && action == QUIT && !binding.chords.iter().any(|chord| *chord == reserved()) {
            binding.chords.push(reserved());
        }
        let usual = DEFAULTS.iter().find(|usual| usual.context == context && usual.action == action);
        if usual.is_none_or(|usual| usual.chords != binding.chords) {
            let keys = binding.chords.iter().map(ToString::to_string).collect();
            self.overrides.entry(context.name().to_owned()).or_default().insert(action.clone(), keys);
        }
        match self.bindings.iter_mut().find(|known| known.context == context && known.action == action) {
            Some(known) => *known = binding,
            None if binding.chords.is_empty() => {
                let home = home(&action).map(Context::name).unwrap_or_default();
                let message = format!("`{action}` has no key in `{}` that could be taken away", context.name());
                return Err(word.mistake(message, Some(format!("its keys are in [keys.{home}]"))));
            }
            None => {
                let after = self.bindings.iter().rposition(|known| known.context == context);
                self.bindings.insert(after.map_or(self.bindings.len(), |last| last + 1), binding);
            }
        }
        Ok(())
    }

    /// Every binding, context by context, in the order in which help shows them.
    #[must_use]
    pub fn bindings(&self) -> &[KeyBinding] {
        &self.bindings
    }

    /// What is different from the defaults.
    #[must_use]
    pub fn overrides(&self) -> &KeyOverrides {
        &self.overrides
    }

    /// The map as data.
    pub(super) fn effective(&self) -> Value {
        let mut contexts: BTreeMap<&str, BTreeMap<&str, Vec<String>>> = BTreeMap::new();
        for binding in &self.bindings {
            let keys = binding.chords.iter().map(ToString::to_string).collect();
            contexts.entry(binding.context.name()).or_default().insert(&binding.action, keys);
        }
        json!(contexts)
    }
}

/// What is said below a key that cannot be read.
const NOTATION: &str = "a key is a character, f1 to f12, space, enter, esc, tab, backspace, delete, insert, home, end, pgup, \
     pgdn, up, down, left or right; before it ctrl-, alt- or shift-; a chord is keys with spaces between them";

/// The chord of the key that always leaves.
fn reserved() -> Chord {
    Chord::from(Key::CTRL_C)
}

fn known_context(word: &Word<'_>) -> Result<Context, Mistake> {
    word.text.parse().map_err(|error: String| word.mistake(error, None))
}

/// The outermost context in which `action` has keys by default.
fn home(action: &str) -> Option<Context> {
    DEFAULTS.iter().filter(|usual| usual.action == action).map(|usual| usual.context).min()
}

fn known_action(context: Context, word: &Word<'_>) -> Result<&'static str, Mistake> {
    let counts = |usual: &&'static KeyBinding| context.outwards().any(|outer| outer == usual.context);
    if let Some(usual) = DEFAULTS.iter().filter(counts).find(|usual| usual.action == word.text) {
        return Ok(&usual.action);
    }
    if let Some(home) = home(word.text) {
        let message = format!("`{}` does nothing in `{}`", word.text, context.name());
        return Err(word.mistake(message, Some(format!("it belongs to [keys.{}]", home.name()))));
    }
    let near = nearest(word.text, DEFAULTS.iter().filter(counts).map(|usual| usual.action.as_str()));
    let help =
        near.map_or_else(|| "`aurora keys list` has every action".to_owned(), |name| format!("did you mean `{name}`?"));
    Err(word.mistake(format!("unknown action `{}`", word.text), Some(help)))
}

fn refuse_reserved(context: Context, action: &str, chord: &Chord, word: &Word<'_>) -> Result<(), Mistake> {
    let leaves = context == Context::Global && action == QUIT && chord.keys().len() == 1;
    if leaves || !chord.keys().contains(&Key::CTRL_C) {
        return Ok(());
    }
    Err(word.mistake("ctrl-c always leaves, and can do nothing else".to_owned(), None))
}

fn refuse_taken(
    context: Context,
    action: &str,
    chord: &Chord,
    word: &Word<'_>,
    taken: &[Taken],
) -> Result<(), Mistake> {
    let other = taken.iter().find(|taken| taken.context == context && taken.chord.excludes(chord));
    let Some(other) = other else { return Ok(()) };
    let line = other.line.map(|line| format!(" on line {line}")).unwrap_or_default();
    let message = if other.chord == *chord {
        format!("`{chord}` is `{}` already{line}", other.action)
    } else if other.chord.keys().len() < chord.keys().len() {
        format!("`{chord}` could never be typed: `{}` is `{}` already{line}", other.chord, other.action)
    } else {
        format!("with `{chord}` nobody could type `{}`, which is `{}`{line}", other.chord, other.action)
    };
    Err(word.mistake(message, Some(format!("give `{action}` another key, or take it from `{}`", other.action))))
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    fn map(text: &str) -> KeyMap {
        parse(text, None).unwrap_or_else(|e| panic!("{text}: {e}")).keys
    }

    fn keys(map: &KeyMap, context: Context, action: &str) -> Vec<String> {
        let binding = map.bindings().iter().find(|known| known.context == context && known.action == action);
        binding.expect("is bound").chords.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_default_map_is_read_whole_and_holds_no_collision() {
        let documented: toml::Table = EXAMPLE.parse().expect("TOML");
        let table = documented["keys"].as_table().expect("a table");
        let lines: usize = table.values().map(|actions| actions.as_table().expect("a table").len()).sum();
        assert_eq!(KeyMap::default().bindings().len(), lines);
        for context in Context::ALL {
            assert!(table.contains_key(context.name()), "[keys.{}] is not in the example", context.name());
        }
        let example = map(EXAMPLE);
        assert_eq!(*example.overrides(), KeyOverrides::new(), "what is the default is no override");
        assert_eq!(format!("{example:?}"), format!("{:?}", KeyMap::default()));
        for binding in example.bindings() {
            let source = binding.line.and_then(|line| EXAMPLE.lines().nth(line - 1)).expect("has a line");
            assert!(source.starts_with(&binding.action), "{binding:?}: {source}");
        }
    }

    #[test]
    fn a_line_of_the_file_takes_the_place_of_the_default() {
        let map = map("[keys.inbox]\nack = [\"x\", \"ctrl-x s\"]\nfilter = []\n[keys.global]\nnext_urgent = \"N\"\n");
        assert_eq!(keys(&map, Context::Inbox, "ack"), ["x", "ctrl-x s"]);
        assert_eq!(keys(&map, Context::Inbox, "filter"), [""; 0]);
        assert_eq!(keys(&map, Context::Message, "ack"), ["a"], "another context is another line");
        assert_eq!(keys(&map, Context::Global, "next_urgent"), ["N"]);
        let lines: Vec<_> =
            map.bindings().iter().filter_map(|known| Some((known.action.as_str(), known.line?))).collect();
        assert_eq!(lines, [("next_urgent", 5), ("ack", 2), ("filter", 3)]);
    }

    #[test]
    fn a_default_gives_way_to_what_the_file_says_of_its_key() {
        let map = map("[keys.inbox]\nack = \"f\"\n[keys.list]\nlast = \"g g\"\n");
        assert_eq!(keys(&map, Context::Inbox, "filter"), [""; 0]);
        assert_eq!(keys(&map, Context::List, "first"), ["home"], "g alone could no longer be told from g g");
        assert_eq!(keys(&map, Context::List, "last"), ["g g"]);
    }

    #[test]
    fn an_action_of_an_outer_context_may_have_keys_in_an_inner_one() {
        let map = map("[keys.tasks]\nnext_urgent = \"x\"\nnext_tab = \"t\"\ndown = \"s\"\n");
        assert_eq!(keys(&map, Context::Tasks, "next_urgent"), ["x"]);
        assert_eq!(keys(&map, Context::Global, "next_urgent"), ["n"]);
    }

    #[test]
    fn ctrl_c_always_leaves() {
        let map = map("[keys.global]\nquit = \"X\"\n");
        assert_eq!(keys(&map, Context::Global, "quit"), ["X", "ctrl-c"]);
    }

    #[test]
    fn mistakes_are_shown_at_their_place() {
        let cases = [
            ("[keys.inbx]\nack = \"a\"\n", (1, 7), "unknown context `inbx`; did you mean `inbox`?", ""),
            ("[keys.zzzzzzzz]\nack = \"a\"\n", (1, 7), "the contexts are global, tour, list", ""),
            ("[keys.inbox]\nakc = \"a\"\n", (2, 1), "unknown action `akc`", "did you mean `ack`?"),
            ("[keys.inbox]\nnext_error = \"x\"\n", (2, 1), "does nothing in `inbox`", "[keys.lines]"),
            ("[keys.inbox]\nnext_urgent = []\n", (2, 1), "no key in `inbox`", "[keys.global]"),
            ("[keys.inbox]\nack = \"ctrl-i\"\n", (2, 7), "terminals send ctrl-i as tab; write \"tab\"", "a key is"),
            ("[keys.inbox]\nack = [\"x\", \"shift-a\"]\n", (2, 13), "write \"A\"", "a key is"),
            ("[keys.inbox]\nack = \"ctrl-c\"\n", (2, 7), "ctrl-c always leaves", ""),
            ("[keys.inbox]\nack = \"x ctrl-c\"\n", (2, 7), "ctrl-c always leaves", ""),
            ("[keys.inbox]\nack = \"\"\n", (2, 7), "a key is missing", "a key is"),
            ("[keys.inbox]\nack = 7\n", (2, 7), "a key like", ""),
            (
                "[keys.inbox]\nack = \"x\"\nfilter = [\"y\", \"x\"]\n",
                (3, 16),
                "`x` is `ack` already on line 2",
                "give `filter` another key",
            ),
            (
                "[keys.list]\nlast = \"z\"\nfirst = \"z z\"\n",
                (3, 9),
                "`z z` could never be typed: `z` is `last` already on line 2",
                "",
            ),
            (
                "[keys.list]\nlast = \"z z\"\nfirst = \"z\"\n",
                (3, 9),
                "with `z` nobody could type `z z`, which is `last` on line 2",
                "",
            ),
        ];
        for (text, place, words, help) in cases {
            let error = parse(text, None).expect_err(text);
            assert_eq!(error.position(), Some(place), "{error}");
            assert!(error.message.contains(words), "{error}");
            assert!(error.help.as_deref().unwrap_or_default().contains(help), "{error}");
        }
    }

    #[test]
    fn the_overrides_of_a_map_make_the_same_map() {
        let typed = map(
            "[keys.inbox]\nack = [\"x\", \"f\"]\nnext_urgent = \"ctrl-x n\"\n[keys.global]\nquit = []\nback = \"esc\"\n",
        );
        let again = KeyMap::with(typed.overrides()).expect("no mistake");
        assert_eq!(format!("{again:?}"), format!("{typed:?}"));
        assert_eq!(again.overrides(), typed.overrides());
        assert!(!typed.overrides()["global"].contains_key("ack"));
        let unknown = KeyOverrides::from([("inbox".to_owned(), [("fly".to_owned(), vec![])].into())]);
        assert_eq!(KeyMap::with(&unknown).expect_err("of another version"), "unknown action `fly`");
    }
}
