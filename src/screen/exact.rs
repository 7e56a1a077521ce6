//! Text from outside where every byte counts: what is approved is what is shown.

use std::fmt::Write;

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthChar;

use super::text::{is_harmful, width};

/// `text` in quotes, so that it reads as exactly these characters: whatever a terminal would obey, reorder, hide or
/// draw onto something else is written as `\u{…}`, and so is every blank but the space.
///
/// Two texts that differ are shown differently.
#[must_use]
pub fn exact(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            ' '..='~' => out.push(c),
            _ if is_harmful(c) || c.is_whitespace() || c.width().unwrap_or(0) == 0 => {
                let result = write!(out, "\\u{{{:x}}}", u32::from(c));
                debug_assert!(result.is_ok(), "writing to a String cannot fail");
            }
            _ => out.push(c),
        }
    }
    out.push('"');
    out
}

/// What of `text` can be taken for another letter: the first of its letters that are not ASCII, as `U+0430`.
#[must_use]
pub fn lookalikes(text: &str) -> Option<String> {
    const NAMED: usize = 4;
    let mut letters: Vec<char> = text.chars().filter(|c| !c.is_ascii()).collect();
    letters.sort_unstable();
    letters.dedup();
    let more = if letters.len() > NAMED { " …" } else { "" };
    let named: Vec<String> = letters.iter().take(NAMED).map(|c| format!("U+{:04X}", u32::from(*c))).collect();
    (!named.is_empty()).then(|| format!("{}{more}", named.join(" ")))
}

/// `text` in rows of at most `columns`, without losing a character or a blank.
#[must_use]
pub fn chop(text: &str, columns: usize) -> Vec<String> {
    let mut rows = vec![String::new()];
    let mut used = 0;
    for grapheme in text.graphemes(true) {
        let wide = width(grapheme);
        if used + wide > columns && used > 0 {
            rows.push(String::new());
            used = 0;
        }
        used += wide;
        if let Some(row) = rows.last_mut() {
            row.push_str(grapheme);
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nothing_hides_in_what_is_shown_exactly() {
        for (text, shown) in [
            ("plain -x", r#""plain -x""#),
            ("trailing ", r#""trailing ""#),
            ("a\u{202e}b", r#""a\u{202e}b""#),
            ("a\u{200b}b", r#""a\u{200b}b""#),
            ("a\u{ad}b", r#""a\u{ad}b""#),
            ("e\u{301}", r#""e\u{301}""#),
            ("a\u{a0}b\u{3000}", r#""a\u{a0}b\u{3000}""#),
            ("\u{1b}]52;c;aGk=\u{7}", r#""\u{1b}]52;c;aGk=\u{7}""#),
            ("a\nb\tc\\u{7}\"", r#""a\nb\tc\\u{7}\"""#),
            ("größe 日本", r#""größe 日本""#),
            ("", r#""""#),
        ] {
            assert_eq!(exact(text), shown, "{text:?}");
        }
        assert_eq!(lookalikes("systemctl"), None);
        assert_eq!(lookalikes("p\u{430}ypal").as_deref(), Some("U+0430"));
        assert_eq!(lookalikes("日本語です").as_deref(), Some("U+3059 U+3067 U+65E5 U+672C …"));
    }

    proptest! {
        #[test]
        fn different_texts_are_shown_differently(one in any::<String>(), other in any::<String>()) {
            prop_assert_eq!(one == other, exact(&one) == exact(&other));
            prop_assert!(!exact(&one).chars().any(is_harmful));
            prop_assert_eq!(super::super::line(&exact(&one)), exact(&one), "nothing is left to be taken out");
        }

        #[test]
        fn nothing_is_lost_between_rows(text in "[ a-z日é]{0,60}", columns in 0..20_usize) {
            let rows = chop(&text, columns);
            prop_assert_eq!(rows.concat(), text);
            prop_assert!(rows.iter().all(|row| width(row) <= columns.max(2)));
        }
    }
}
