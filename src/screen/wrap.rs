//! Long lines in few columns.

use unicode_segmentation::UnicodeSegmentation;

use super::text::width as width_of;

/// Breaks a line at spaces where it can, inside words where it must.
#[must_use]
pub fn wrap(line: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in line.split_word_bounds() {
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

#[cfg(test)]
mod tests {
    use super::wrap;

    #[test]
    fn lines_break_at_spaces_and_inside_long_words() {
        assert_eq!(wrap("one two three", 8), ["one two ", "three"]);
        assert_eq!(wrap("abcdefgh", 3), ["abc", "def", "gh"]);
        assert_eq!(wrap("日本語", 4), ["日本", "語"]);
        assert_eq!(wrap("", 4), [""]);
        assert_eq!(wrap("日", 1), ["日"], "what is wider than the screen stands alone");
    }
}
