//! Characters that nobody sees, or that move what is seen: never part of a command, and shown as escapes.

/// Format characters (general category Cf of Unicode 17), and what is left free between them, as ranges.
const FORMAT: [(u32, u32); 19] = [
    (0xad, 0xad),
    (0x600, 0x605),
    (0x61c, 0x61c),
    (0x6dd, 0x6dd),
    (0x70f, 0x70f),
    (0x890, 0x891),
    (0x8e2, 0x8e2),
    (0x180e, 0x180e),
    (0x200b, 0x200f),
    (0x202a, 0x202e),
    (0x2060, 0x206f),
    (0xfeff, 0xfeff),
    (0xfff9, 0xfffb),
    (0x1_10bd, 0x1_10bd),
    (0x1_10cd, 0x1_10cd),
    (0x1_3430, 0x1_343f),
    (0x1_bca0, 0x1_bca3),
    (0x1_d173, 0x1_d17a),
    (0xe_0000, 0xe_007f),
];

/// Whether `c` is a control character, a format character (bidirectional marks, joiners, zero width), a line or
/// paragraph separator, a variation selector, or a letter that is drawn as nothing.
#[must_use]
pub fn is_unseen(c: char) -> bool {
    let is_format = || FORMAT.iter().any(|(first, last)| (*first..=*last).contains(&u32::from(c)));
    let is_blank = || {
        matches!(c, '\u{2028}' | '\u{2029}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{2800}'
            | '\u{3164}' | '\u{ffa0}' | '\u{180b}'..='\u{180f}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}')
    };
    !matches!(c, ' '..='~') && (c.is_control() || is_format() || is_blank())
}

/// `text` with an escape (`\u{202e}`, `\n`) for each character that is not seen, for every space that only looks like
/// one, and for the backslash, so that two texts that differ look different.
#[must_use]
pub fn escaped(text: &str) -> String {
    escape(text, |c| is_unseen(c) || c == '\\' || (c != ' ' && c.is_whitespace()))
}

/// `text` with an escape for each character that is not seen, and nothing else changed.
#[must_use]
pub fn seen(text: &str) -> String {
    escape(text, is_unseen)
}

fn escape(text: &str, is_escaped: impl Fn(char) -> bool) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_escaped(c) {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_and_control_character_is_unseen() {
        let class = regex::Regex::new(r"[\p{Cf}\p{Cc}\p{Zl}\p{Zp}]").expect("a class");
        for c in '\0'..=char::MAX {
            if class.is_match(c.encode_utf8(&mut [0; 4])) {
                assert!(is_unseen(c), "{c:?}");
            }
        }
        for c in ['a', ' ', '~', 'ä', '漢', '👍', '\u{301}', '$'] {
            assert!(!is_unseen(c), "{c:?}");
        }
    }

    #[test]
    fn what_deceives_is_shown() {
        assert_eq!(escaped("rm \u{202e}gpj.x\\n\n"), "rm \\u{202e}gpj.x\\\\n\\n");
        assert_eq!(escaped("a\u{a0}b\u{3000}c"), "a\\u{a0}b\\u{3000}c");
        assert_eq!(escaped("Grüße, 漢字 'x'"), "Grüße, 漢字 'x'");
        assert_ne!(escaped("\u{202e}"), escaped("\\u{202e}"));
    }
}
