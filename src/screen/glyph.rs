//! What a character from outside becomes in a cell, and the characters that are drawn into one cell together.

use std::collections::HashMap;

use unicode_width::UnicodeWidthChar;

use super::text::{MAX_COMBINING, is_combining, is_deceptive, is_silent};

/// What to do with a character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Glyph {
    /// Show it in so many columns.
    Show(char, usize),
    /// Show this twice, in place of something two columns wide.
    Twice(char),
    /// Draw it onto the character before it.
    Onto(char),
    /// The next character belongs to the one before it: nothing here can hold both.
    Join,
    /// Nothing of it is shown.
    Nothing,
}

/// Stand-ins of one column: the last of the private use area, which no font collection uses.
const NARROW: u32 = 0x10_e000;
/// Stand-ins of two columns: the end of plane 3, which is not assigned and wide.
const WIDE: u32 = 0x3_e000;
/// Most stand-ins of a kind. A pane that shows more different ones at once loses their marks.
const MAX_CLUSTERS: usize = 0x1000;

/// What becomes of `c`. No control, nothing invisible and nothing that reorders ever reaches a cell.
pub(super) fn glyph(c: char) -> Glyph {
    if (' '..='~').contains(&c) {
        return Glyph::Show(c, 1);
    }
    let width = c.width().unwrap_or(0);
    match c {
        '\u{200d}' => Glyph::Join,
        // Programs draw with the empty pattern of Braille.
        '\u{2800}' => Glyph::Show(' ', 1),
        _ if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') => Glyph::Nothing,
        _ if is_silent(c) || is_deceptive(c) || is_stand_in(c) => match width {
            0 => Glyph::Nothing,
            1 => Glyph::Show(char::REPLACEMENT_CHARACTER, 1),
            _ => Glyph::Twice(char::REPLACEMENT_CHARACTER),
        },
        _ if is_combining(c) => Glyph::Onto(c),
        _ if width == 0 => Glyph::Nothing,
        _ => Glyph::Show(c, width),
    }
}

fn is_stand_in(c: char) -> bool {
    let most = u32::try_from(MAX_CLUSTERS).unwrap_or(u32::MAX);
    [NARROW, WIDE].iter().any(|first| (*first..first + most).contains(&u32::from(c)))
}

/// Characters with their marks. The emulator holds one character a cell, so each of these is held as another
/// character that never comes from outside.
#[derive(Debug, Default)]
pub(super) struct Clusters {
    narrow: Vec<String>,
    wide: Vec<String>,
    known: HashMap<String, char>,
}

impl Clusters {
    /// What the cell that holds `c` shows: a character, and the marks on it.
    pub(super) fn resolve(&self, c: char) -> (char, &str) {
        let number = |first: u32| usize::try_from(u32::from(c).checked_sub(first)?).ok();
        let kept = if u32::from(c) >= NARROW {
            number(NARROW).and_then(|index| self.narrow.get(index))
        } else {
            number(WIDE).and_then(|index| self.wide.get(index))
        };
        match kept {
            None => (c, ""),
            Some(text) => {
                let mut chars = text.chars();
                (chars.next().unwrap_or(' '), chars.as_str())
            }
        }
    }

    /// What holds the character that `c` holds, with `mark` on it. `None` where it bears no more marks.
    pub(super) fn marked(&mut self, c: char, wide: bool, mark: char) -> Option<char> {
        let (base, marks) = self.resolve(c);
        if marks.chars().count() >= MAX_COMBINING {
            return None;
        }
        let text: String = [base].into_iter().chain(marks.chars()).chain([mark]).collect();
        if let Some(known) = self.known.get(&text) {
            return Some(*known);
        }
        let (kept, first) = if wide { (&mut self.wide, WIDE) } else { (&mut self.narrow, NARROW) };
        if kept.len() == MAX_CLUSTERS {
            return None;
        }
        let stand_in = char::from_u32(first + u32::try_from(kept.len()).ok()?)?;
        kept.push(text.clone());
        self.known.insert(text, stand_in);
        Some(stand_in)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_hides_or_reorders_reaches_no_cell() {
        for (c, becomes) in [
            ('a', Glyph::Show('a', 1)),
            ('日', Glyph::Show('日', 2)),
            ('\u{301}', Glyph::Onto('\u{301}')),
            ('\u{200d}', Glyph::Join),
            ('\u{202e}', Glyph::Nothing),
            ('\u{200b}', Glyph::Nothing),
            ('\u{9b}', Glyph::Nothing),
            ('\u{2028}', Glyph::Nothing),
            ('\u{fe0f}', Glyph::Nothing),
            ('\u{2800}', Glyph::Show(' ', 1)),
            ('\u{115f}', Glyph::Twice('\u{fffd}')),
            ('\u{10e000}', Glyph::Show('\u{fffd}', 1)),
            ('\u{3e001}', Glyph::Twice('\u{fffd}')),
            ('\u{f0001}', Glyph::Show('\u{f0001}', 1)),
        ] {
            assert_eq!(glyph(c), becomes, "{c:?}");
        }
    }

    #[test]
    fn marks_are_held_up_to_a_bound() {
        let mut clusters = Clusters::default();
        let e = clusters.marked('e', false, '\u{301}').expect("held");
        assert_eq!(clusters.resolve(e), ('e', "\u{301}"));
        assert_eq!(clusters.marked('e', false, '\u{301}'), Some(e), "held once");
        assert_eq!(e.width(), Some(1));
        let wide = clusters.marked('日', true, '\u{301}').expect("held");
        assert_eq!((wide.width(), clusters.resolve(wide)), (Some(2), ('日', "\u{301}")));
        let mut tower = e;
        for _ in 1..MAX_COMBINING {
            tower = clusters.marked(tower, false, '\u{302}').expect("held");
        }
        assert_eq!(clusters.marked(tower, false, '\u{302}'), None);
        for base in 0x4e00..0x4e00 + 2 * u32::try_from(MAX_CLUSTERS).expect("small") {
            clusters.marked(char::from_u32(base).expect("a character"), true, '\u{301}');
        }
        assert_eq!(clusters.wide.len(), MAX_CLUSTERS);
    }

    proptest! {
        #[test]
        fn whatever_is_shown_is_what_a_line_allows(c in any::<char>()) {
            match glyph(c) {
                Glyph::Show(c, width) => {
                    prop_assert_eq!(super::super::line(&c.to_string()), c.to_string());
                    prop_assert_eq!(Some(width), c.width());
                }
                Glyph::Twice(c) => prop_assert_eq!(c.width(), Some(1)),
                Glyph::Onto(c) => prop_assert_eq!(c.width(), Some(0)),
                Glyph::Join | Glyph::Nothing => {}
            }
        }
    }
}
