//! The one sanitising function.
//!
//! Whatever somebody sends may hold escape sequences, bidirectional overrides, invisible characters and
//! stacks of combining marks. None of it may move the operator's cursor, set a title, write the clipboard,
//! reorder or hide other text. What is taken out leaves a visible mark, so that nobody is fooled quietly.

use std::fmt::Write;

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// What stands for a character that was taken out.
const MARK: char = '\u{fffd}';
/// Combining marks kept on one character. Scripts need two or three; more only reach into other lines.
pub(super) const MAX_COMBINING: usize = 4;
/// A tab, which has no fixed width on a screen.
const TAB: &str = "    ";

/// `text` on one line: line breaks become spaces.
#[must_use]
pub fn line(text: &str) -> String {
    clean(text, false)
}

/// `text` with its line breaks; `\r\n` and lone `\r` count as one.
#[must_use]
pub fn lines(text: &str) -> String {
    clean(text, true)
}

/// Columns `text` takes on a terminal.
#[must_use]
pub fn width(text: &str) -> usize {
    text.graphemes(true).map(UnicodeWidthStr::width).sum()
}

/// JSON `text` with everything a terminal might obey, reorder or hide written as `\\uXXXX`.
///
/// Outside its strings JSON holds no such character, so what a program reads stays the same.
#[must_use]
pub fn json(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c != '\n' && is_harmful(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let result = write!(out, "\\u{unit:04x}");
                debug_assert!(result.is_ok(), "writing to a String cannot fail");
            }
        } else {
            out.push(c);
        }
    }
    out
}

fn clean(text: &str, keep_breaks: bool) -> String {
    // Most text is harmless; one look saves the copy character by character.
    if text.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut combining = 0;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if !is_combining(c) {
            combining = 0;
        }
        match c {
            '\n' | '\u{2028}' | '\u{2029}' | '\u{85}' => out.push(if keep_breaks { '\n' } else { ' ' }),
            '\r' => {
                chars.next_if_eq(&'\n');
                out.push(if keep_breaks { '\n' } else { ' ' });
            }
            '\t' => out.push_str(TAB),
            '\0'..='\u{1f}' => out.push(picture(c)),
            '\u{7f}'..='\u{9f}' => out.push(MARK),
            _ if is_silent(c) => {}
            _ if is_deceptive(c) => out.push(MARK),
            _ if is_combining(c) => {
                combining += 1;
                // At the very beginning it would join whatever stands before the text.
                if combining <= MAX_COMBINING && !out.is_empty() {
                    out.push(c);
                }
            }
            _ => out.push(c),
        }
    }
    out
}

/// The picture of a control character: `␛` for ESC.
fn picture(c: char) -> char {
    char::from_u32(0x2400 + u32::from(c)).unwrap_or(MARK)
}

/// What a terminal might obey, reorder or hide.
pub(super) fn is_harmful(c: char) -> bool {
    c.is_control() || is_silent(c) || is_deceptive(c) || matches!(c, '\u{2028}' | '\u{2029}')
}

/// Joiners and variation selectors: terminals disagree about the width of what they make, so the parts are
/// shown one by one. Nothing readable is lost.
pub(super) fn is_silent(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}' | '\u{feff}' | '\u{ad}')
}

/// What reorders or hides text, or is read as something else than is shown.
pub(super) fn is_deceptive(c: char) -> bool {
    matches!(
        c,
        '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}'  // marks of direction, zero-width space
        | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' // embeddings, overrides, isolates, invisible operators
        | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}' // annotations, tags
        | '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}' | '\u{2800}' // blanks that are letters
        | '\u{34f}' | '\u{180e}' | '\u{17b4}' | '\u{17b5}'
        | '\u{1d173}'..='\u{1d17a}'
    )
}

/// A character that is drawn onto the one before it.
pub(super) fn is_combining(c: char) -> bool {
    c > '\u{2ff}' && c.width() == Some(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn control_becomes_visible_and_harmless() {
        let cases = [
            ("plain", "plain"),
            ("a\x1b[2Jb", "a␛[2Jb"),
            ("\x1b]52;c;aGk=\x07", "␛]52;c;aGk=␇"),
            ("a\u{9b}31mb", "a\u{fffd}31mb"),
            ("a\u{202e}b", "a\u{fffd}b"),
            ("a\u{200b}b", "a\u{fffd}b"),
            ("tab\there", "tab    here"),
            ("one\r\ntwo\rthree", "one two three"),
            ("\u{1f468}\u{200d}\u{1f469}", "\u{1f468}\u{1f469}"),
            ("日本語", "日本語"),
            ("e\u{301}", "e\u{301}"),
            ("\u{301}e", "e"),
        ];
        for (text, shown) in cases {
            assert_eq!(line(text), shown, "{text:?}");
        }
        assert_eq!(lines("one\r\ntwo\u{2028}three"), "one\ntwo\nthree");
    }

    #[test]
    fn towers_of_marks_are_cut() {
        let tower = format!("e{}", "\u{301}".repeat(500));
        assert_eq!(line(&tower).chars().count(), 1 + MAX_COMBINING);
    }

    proptest! {
        #[test]
        fn json_reads_the_same(text in any::<String>()) {
            let shown = json(&serde_json::to_string_pretty(&[&text]).expect("serialises"));
            prop_assert!(shown.chars().all(|c| c == '\n' || (!c.is_control() && !is_deceptive(c) && !is_silent(c))));
            let read: Vec<String> = serde_json::from_str(&shown).expect("JSON");
            prop_assert_eq!(read, [text]);
        }

        #[test]
        fn nothing_that_controls_a_terminal_is_left(text in any::<String>()) {
            let shown = lines(&text);
            prop_assert!(shown.chars().all(|c| c == '\n' || !c.is_control()), "{shown:?}");
            prop_assert!(!shown.chars().any(|c| is_deceptive(c) || is_silent(c)), "{shown:?}");
            prop_assert!(!line(&text).contains('\n'));
            prop_assert_eq!(lines(&shown), shown.clone(), "cleaning twice changes nothing");
        }

        #[test]
        fn nothing_is_left_of_bytes_either(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let shown = line(&String::from_utf8_lossy(&bytes));
            prop_assert!(shown.chars().all(|c| !c.is_control()));
        }
    }
}
