//! Keys as people write them: `a`, `ctrl-r`, `shift-tab`, and chords as `g i`.

use std::fmt;
use std::str::FromStr;

/// What is printed on a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyCap {
    /// A character; a letter with shift is the capital one.
    Char(char),
    /// Enter, which terminals do not tell from ctrl-m.
    Enter,
    /// Escape, which terminals do not tell from ctrl-[.
    Esc,
    /// Tab, which terminals do not tell from ctrl-i.
    Tab,
    /// Backspace; some terminals send it as ctrl-h.
    Backspace,
    /// Delete.
    Delete,
    /// Insert.
    Insert,
    /// Home.
    Home,
    /// End.
    End,
    /// Page up.
    PageUp,
    /// Page down.
    PageDown,
    /// Arrow up.
    Up,
    /// Arrow down.
    Down,
    /// Arrow left.
    Left,
    /// Arrow right.
    Right,
    /// A function key, 1 to 12.
    Function(u8),
}

/// The names of keys that are no character, as they are written.
const NAMED: [(&str, KeyCap); 15] = [
    ("space", KeyCap::Char(' ')),
    ("enter", KeyCap::Enter),
    ("esc", KeyCap::Esc),
    ("tab", KeyCap::Tab),
    ("backspace", KeyCap::Backspace),
    ("delete", KeyCap::Delete),
    ("insert", KeyCap::Insert),
    ("home", KeyCap::Home),
    ("end", KeyCap::End),
    ("pgup", KeyCap::PageUp),
    ("pgdn", KeyCap::PageDown),
    ("up", KeyCap::Up),
    ("down", KeyCap::Down),
    ("left", KeyCap::Left),
    ("right", KeyCap::Right),
];

impl FromStr for KeyCap {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut chars = text.chars();
        if let (Some(c), None) = (chars.next(), chars.next())
            && !c.is_control()
            && !c.is_whitespace()
        {
            return Ok(Self::Char(c));
        }
        let function = text.strip_prefix('f').filter(|number| !number.starts_with(['0', '+']));
        if let Some(number) = function.and_then(|number| number.parse().ok()).filter(|number| (1..=12).contains(number))
        {
            return Ok(Self::Function(number));
        }
        let named = NAMED.into_iter().find(|(name, _)| *name == text);
        named.map(|(_, cap)| cap).ok_or_else(|| format!("unknown key {text:?}"))
    }
}

impl fmt::Display for KeyCap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (NAMED.into_iter().find(|(_, cap)| cap == self), self) {
            (Some((name, _)), _) => f.write_str(name),
            (None, Self::Char(c)) => write!(f, "{c}"),
            (None, Self::Function(number)) => write!(f, "f{number}"),
            (None, _) => unreachable!("every other key has a name in the table"),
        }
    }
}

/// The keys that are held down while another is pressed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Held {
    /// Control.
    pub ctrl: bool,
    /// Alt, which terminals send as an escape before the key.
    pub alt: bool,
    /// Shift; characters have it in themselves.
    pub shift: bool,
}

/// One press of a key, as every terminal tells it: two presses that some terminal cannot tell apart are one `Key`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    cap: KeyCap,
    held: Held,
}

impl Key {
    /// The key that leaves whatever is pending, typed or open.
    pub const ESC: Self = Self { cap: KeyCap::Esc, held: Held { ctrl: false, alt: false, shift: false } };
    /// The key that always leaves.
    pub const CTRL_C: Self = Self { cap: KeyCap::Char('c'), held: Held { ctrl: true, alt: false, shift: false } };

    /// What `cap` with `held` comes to; `None` where no terminal sends it.
    ///
    /// A control character is one byte below 32, or 127: ctrl with a letter loses the case, and ctrl-i, ctrl-m,
    /// ctrl-[ and ctrl-h are tab, enter, escape and backspace. Terminals with the kitty protocol could tell them
    /// apart; a map that works in one terminal and not in the next would be worse.
    #[must_use]
    pub fn new(cap: KeyCap, held: Held) -> Option<Self> {
        let Held { ctrl, alt, shift } = held;
        let (cap, held) = match cap {
            KeyCap::Char(c) if c.is_control() => return None,
            KeyCap::Char(c) if ctrl => {
                let (cap, ctrl) = control(c)?;
                (cap, Held { ctrl, alt, shift: false })
            }
            KeyCap::Char(c) if shift => (KeyCap::Char(capital(c)), Held { ctrl, alt, shift: false }),
            KeyCap::Function(number) if !(1..=12).contains(&number) => return None,
            KeyCap::Enter | KeyCap::Backspace => (cap, Held { ctrl: false, alt, shift: false }),
            KeyCap::Tab => (cap, Held { ctrl: false, alt, shift }),
            KeyCap::Esc => (cap, Held::default()),
            _ => (cap, held),
        };
        Some(Self { cap, held })
    }
}

/// What ctrl and the character `c` come to: ECMA-48's control characters, and what terminals send for digits.
fn control(c: char) -> Option<(KeyCap, bool)> {
    let found = match c.to_ascii_lowercase() {
        'i' => (KeyCap::Tab, false),
        'm' => (KeyCap::Enter, false),
        'h' | '8' | '?' => (KeyCap::Backspace, false),
        '[' | '3' => (KeyCap::Esc, false),
        ' ' | '@' | '2' => (KeyCap::Char(' '), true),
        '\\' | '4' => (KeyCap::Char('\\'), true),
        ']' | '5' => (KeyCap::Char(']'), true),
        '^' | '6' => (KeyCap::Char('^'), true),
        '_' | '/' | '7' => (KeyCap::Char('_'), true),
        letter @ 'a'..='z' => (KeyCap::Char(letter), true),
        _ => return None,
    };
    Some(found)
}

/// The capital of a letter that has one of a single character; anything else as it is.
fn capital(c: char) -> char {
    let mut upper = c.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(upper), None) => upper,
        _ => c,
    }
}

impl FromStr for Key {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut held = Held::default();
        let mut rest = text;
        loop {
            let found = [("ctrl-", &mut held.ctrl), ("alt-", &mut held.alt), ("shift-", &mut held.shift)]
                .into_iter()
                .find_map(|(prefix, flag)| Some((rest.strip_prefix(prefix).filter(|rest| !rest.is_empty())?, flag)));
            match found {
                Some((_, flag)) if *flag => return Err(format!("{text:?} names a key twice")),
                Some((after, flag)) => {
                    *flag = true;
                    rest = after;
                }
                None => break,
            }
        }
        let cap: KeyCap = rest.parse()?;
        let key = Self::new(cap, held).ok_or_else(|| format!("no terminal sends {text}"))?;
        if (key.cap, key.held) != (cap, held) {
            return Err(format!("terminals send {text} as {key}; write {:?}", key.to_string()));
        }
        Ok(key)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Held { ctrl, alt, shift } = self.held;
        for (prefix, held) in [("ctrl-", ctrl), ("alt-", alt), ("shift-", shift)] {
            if held {
                f.write_str(prefix)?;
            }
        }
        write!(f, "{}", self.cap)
    }
}

/// Most keys of one chord.
const LONGEST: usize = 4;

/// Keys that are pressed one after the other; mostly one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Chord(Vec<Key>);

impl Chord {
    /// The keys in their order; never none.
    #[must_use]
    pub fn keys(&self) -> &[Key] {
        &self.0
    }

    /// Whether only one of the two can be typed in one context: they are equal, or one is how the other begins.
    #[must_use]
    pub fn excludes(&self, other: &Self) -> bool {
        self.0.starts_with(&other.0) || other.0.starts_with(&self.0)
    }
}

impl From<Key> for Chord {
    fn from(key: Key) -> Self {
        Self(vec![key])
    }
}

impl FromStr for Chord {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let keys = text.split(' ').filter(|key| !key.is_empty()).map(str::parse).collect::<Result<Vec<Key>, _>>()?;
        match keys.len() {
            0 => return Err("a key is missing; space is written \"space\"".to_owned()),
            1 => {}
            2..=LONGEST if keys.contains(&Key::ESC) => {
                return Err("esc leaves a chord, so it can be no part of one".to_owned());
            }
            2..=LONGEST => {}
            _ => return Err(format!("a chord has at most {LONGEST} keys")),
        }
        Ok(Self(keys))
    }
}

impl fmt::Display for Chord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, key) in self.0.iter().enumerate() {
            write!(f, "{}{key}", if index == 0 { "" } else { " " })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_written_again() {
        for text in [
            "a",
            "A",
            "ä",
            "/",
            "-",
            "?",
            "space",
            "enter",
            "esc",
            "tab",
            "shift-tab",
            "pgup",
            "delete",
            "f1",
            "f12",
            "ctrl-r",
            "ctrl-space",
            "ctrl-\\",
            "ctrl-_",
            "alt-a",
            "alt-A",
            "alt--",
            "alt-enter",
            "ctrl-alt-x",
            "shift-up",
            "ctrl-alt-shift-left",
            "shift-f5",
            "g g",
            "ctrl-x s",
            "space a b c",
            "日",
        ] {
            let chord: Chord = text.parse().unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!(chord.to_string(), text);
        }
        assert_eq!("alt-ctrl-x".parse::<Key>().expect("any order").to_string(), "ctrl-alt-x");
        assert_eq!("  g   i ".parse::<Chord>().expect("any space").to_string(), "g i");
    }

    #[test]
    fn what_terminals_do_not_tell_apart_is_refused_with_what_to_write() {
        for (text, written) in [
            ("ctrl-i", "tab"),
            ("ctrl-m", "enter"),
            ("ctrl-h", "backspace"),
            ("ctrl-[", "esc"),
            ("ctrl-A", "ctrl-a"),
            ("shift-a", "A"),
            ("shift-ä", "Ä"),
            ("ctrl-shift-a", "ctrl-a"),
            ("ctrl-@", "ctrl-space"),
            ("ctrl-4", "ctrl-\\\\"),
            ("ctrl-/", "ctrl-_"),
            ("ctrl-tab", "tab"),
            ("ctrl-enter", "enter"),
            ("shift-enter", "enter"),
            ("shift-space", "space"),
            ("alt-esc", "esc"),
            ("ctrl-alt-i", "alt-tab"),
        ] {
            let error = text.parse::<Chord>().expect_err(text);
            assert!(error.ends_with(&format!("write \"{written}\"")), "{text}: {error}");
        }
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for (text, words) in [
            ("", "missing"),
            ("  ", "missing"),
            ("ctrl-", "unknown key"),
            ("escape", "unknown key"),
            ("f13", "unknown key"),
            ("f01", "unknown key"),
            ("gg", "unknown key"),
            ("ctrl-ä", "no terminal sends"),
            ("ctrl-1", "no terminal sends"),
            ("ctrl-ctrl-a", "twice"),
            ("g esc", "esc leaves a chord"),
            ("a b c d e", "at most 4"),
            ("\u{7}", "unknown key"),
        ] {
            let error = text.parse::<Chord>().expect_err(text);
            assert!(error.contains(words), "{text}: {error}");
        }
    }

    #[test]
    fn a_key_that_begins_a_chord_excludes_it() {
        let chord = |text: &str| text.parse::<Chord>().expect("a chord");
        assert!(chord("g").excludes(&chord("g g")));
        assert!(chord("g g").excludes(&chord("g")));
        assert!(chord("g g").excludes(&chord("g g")));
        assert!(!chord("g g").excludes(&chord("g i")));
        assert!(!chord("g").excludes(&chord("G")));
    }
}
