//! Long lines in few columns.

use unicode_segmentation::UnicodeSegmentation;

use super::text::width as width_of;

/// Columns below which an indent is worth less than the room it takes.
const LEAST: usize = 16;

/// Breaks a line at spaces where it can, inside words where it must. What stands at a word without a space, as a full
/// stop, stays with it; scripts without spaces are broken between their words.
#[must_use]
pub fn wrap(line: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in pieces(line, width) {
        let takes = width_of(word);
        if used + takes > width && used > 0 {
            lines.push(String::new());
            used = 0;
            if word.trim().is_empty() {
                continue;
            }
        }
        for grapheme in word.graphemes(true) {
            let wide = width_of(grapheme);
            if used + wide > width && used > 0 {
                lines.push(String::new());
                used = 0;
            }
            used += wide;
            if let Some(last) = lines.last_mut() {
                last.push_str(grapheme);
            }
        }
    }
    lines
}

/// The same, with what follows the first line below where that begins.
#[must_use]
pub fn wrap_below(line: &str, width: usize) -> Vec<String> {
    let text = line.trim_start_matches(' ');
    let indent = line.len() - text.len();
    if indent == 0 || indent + LEAST > width {
        return wrap(line, width);
    }
    wrap(text, width - indent).into_iter().map(|line| format!("{}{line}", " ".repeat(indent))).collect()
}

/// What is not broken while it fits in `width` columns: words with what is written at them, and the spaces between.
fn pieces(line: &str, width: usize) -> Vec<&str> {
    let mut pieces = Vec::new();
    for part in line.split_inclusive(char::is_whitespace) {
        let word = part.trim_end_matches(char::is_whitespace);
        if width_of(word) <= width && word.graphemes(true).all(|grapheme| width_of(grapheme) < 2) {
            pieces.push(word);
        } else {
            pieces.extend(word.split_word_bounds());
        }
        pieces.push(&part[word.len()..]);
    }
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

#[cfg(test)]
mod tests {
    use super::{wrap, wrap_below};

    #[test]
    fn lines_break_at_spaces_and_inside_long_words() {
        assert_eq!(wrap("one two three", 8), ["one two ", "three"]);
        assert_eq!(wrap("one `two`.", 8), ["one ", "`two`."], "nothing is torn off a word");
        assert_eq!(wrap("at /a/long/path", 8), ["at /a/", "long/", "path"]);
        assert_eq!(wrap("abcdefgh", 3), ["abc", "def", "gh"]);
        assert_eq!(wrap("日本語", 4), ["日本", "語"]);
        assert_eq!(wrap("", 4), [""]);
        assert_eq!(wrap("日", 1), ["日"], "what is wider than the screen stands alone");
    }

    #[test]
    fn what_is_indented_stays_so() {
        assert_eq!(wrap_below("  one two three", 20), ["  one two three"]);
        let narrow = wrap_below(&format!("    {}", "word ".repeat(6)), 24);
        assert!(narrow.len() == 2 && narrow.iter().all(|line| line.starts_with("    word")), "{narrow:?}");
        assert_eq!(wrap_below("one two", 5), ["one ", "two"]);
    }
}
