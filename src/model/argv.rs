//! The words of a command's template: literal text and `{name}`, taken apart.

use std::ops::Range;

/// A part of a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Literal text.
    Text(String),
    /// The value of the argument of this name.
    Value {
        /// The name.
        name: String,
        /// Where `{name}` stands in the word, in bytes.
        at: Range<usize>,
    },
}

/// A word that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct BadWord {
    /// What is wrong.
    what: &'static str,
    /// Where in the word, in bytes.
    pub at: Range<usize>,
}

/// Takes a word apart. `{{` is a brace, and so is `}}`.
///
/// # Errors
/// A brace that stands alone, and a name that is none.
pub fn argv_pieces(word: &str) -> Result<Vec<Piece>, BadWord> {
    let mut pieces = Vec::new();
    let mut text = String::new();
    let mut rest = word;
    while let Some(place) = rest.find(['{', '}']) {
        let at = word.len() - rest.len() + place;
        text.push_str(&rest[..place]);
        rest = &rest[place..];
        if let Some(behind) = rest.strip_prefix("{{").or_else(|| rest.strip_prefix("}}")) {
            text.push_str(&rest[..1]);
            rest = behind;
            continue;
        }
        let inner = rest.strip_prefix('{').ok_or(BadWord { what: "a `}` stands alone; write `}}`", at: at..at + 1 })?;
        let end =
            inner.find('}').ok_or(BadWord { what: "a `{` is not closed; a brace itself is `{{`", at: at..at + 1 })?;
        let name = &inner[..end];
        let whole = at..at + end + 2;
        if !is_argument_name(name) {
            let what = "between braces stands the name of an argument: a-z, 0-9, `_`; a brace itself is `{{`";
            return Err(BadWord { what, at: whole });
        }
        if !text.is_empty() {
            pieces.push(Piece::Text(std::mem::take(&mut text)));
        }
        pieces.push(Piece::Value { name: name.to_owned(), at: whole });
        rest = &inner[end + 1..];
    }
    text.push_str(rest);
    if !text.is_empty() {
        pieces.push(Piece::Text(text));
    }
    Ok(pieces)
}

/// Whether `name` can be the name of an argument: 1 to 64 of `a-z A-Z 0-9 _`, beginning with a letter.
#[must_use]
pub fn is_argument_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.len() <= 64
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Piece {
        Piece::Text(text.to_owned())
    }

    fn value(name: &str, at: Range<usize>) -> Piece {
        Piece::Value { name: name.to_owned(), at }
    }

    #[test]
    fn words_are_taken_apart() {
        assert_eq!(argv_pieces("plain"), Ok(vec![text("plain")]));
        assert_eq!(argv_pieces(""), Ok(vec![]));
        assert_eq!(argv_pieces("{a}"), Ok(vec![value("a", 0..3)]));
        assert_eq!(argv_pieces("ä{a}{b}x"), Ok(vec![text("ä"), value("a", 2..5), value("b", 5..8), text("x")]));
        assert_eq!(argv_pieces("{{{{json .}}}}"), Ok(vec![text("{{json .}}")]));
        assert_eq!(argv_pieces("{{{a}}}"), Ok(vec![text("{"), value("a", 2..5), text("}")]));
    }

    #[test]
    fn what_cannot_be_read_is_shown_where_it_is() {
        for (word, at) in [("a}", 1..2), ("{", 0..1), ("x{a", 1..2), ("{}", 0..2), ("{a b}", 0..5), ("{1}", 0..3)] {
            assert_eq!(argv_pieces(word).expect_err(word).at, at, "{word}");
        }
    }
}
