//! The words of a condition, each with its place.

use std::ops::Range;

use crate::model::Value;

use super::{ConditionError, literal};

/// One word.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    /// A name or a keyword.
    Word(String),
    /// A number, a duration, a size, a percentage or a text.
    Literal(Value),
    /// `( ) == != < <= > >=`
    Sign(&'static str),
}

const SIGNS: [&str; 8] = ["(", ")", "==", "!=", "<=", ">=", "<", ">"];
/// What other languages write, and what is written here.
const FOREIGN: [(&str, &str); 5] = [("&&", "and"), ("||", "or"), ("=~", "matches"), ("=", "=="), ("!", "not")];

/// Cuts `text` into words.
///
/// # Errors
/// At a sign that means nothing, a number that is none, a quote that is never closed.
pub(super) fn tokens(text: &str) -> Result<Vec<(Token, Range<usize>)>, ConditionError> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(next) = text[at..].chars().next() {
        if next.is_whitespace() {
            at += next.len_utf8();
            continue;
        }
        let rest = &text[at..];
        let (token, length) = match next {
            '"' | '\'' => quoted(rest, next, at)?,
            '0'..='9' | '-' => number(rest, at)?,
            'a'..='z' | 'A'..='Z' | '_' => {
                let length = length_while(rest, |c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.'));
                (Token::Word(rest[..length].to_owned()), length)
            }
            _ => sign(rest, at)?,
        };
        found.push((token, at..at + length));
        at += length;
    }
    Ok(found)
}

fn length_while(text: &str, belongs: impl Fn(char) -> bool) -> usize {
    text.find(|c| !belongs(c)).unwrap_or(text.len())
}

fn quoted(rest: &str, quote: char, at: usize) -> Result<(Token, usize), ConditionError> {
    let mut value = String::new();
    let mut chars = rest.char_indices().skip(1).peekable();
    while let Some((offset, c)) = chars.next() {
        if c == quote {
            return Ok((Token::Literal(Value::Text(value)), offset + 1));
        }
        // Any other backslash stays, so that a pattern is written as it is: "\d+".
        let escaped = chars.next_if(|(_, next)| c == '\\' && quote == '"' && matches!(next, '"' | '\\'));
        value.push(escaped.map_or(c, |(_, next)| next));
    }
    Err(ConditionError::new(at..at + rest.len(), "this text is never closed").help(format!("add `{quote}` at its end")))
}

fn number(rest: &str, at: usize) -> Result<(Token, usize), ConditionError> {
    let sign = usize::from(rest.starts_with('-'));
    let mut length = sign + length_while(&rest[sign..], |c| c.is_ascii_digit());
    if length == sign {
        return Err(ConditionError::new(at..at + 1, "expected digits after `-`"));
    }
    if let Some(fraction) = rest[length..].strip_prefix('.') {
        let digits = length_while(fraction, |c| c.is_ascii_digit());
        if digits == 0 {
            return Err(ConditionError::new(at..at + length + 1, "expected digits after the decimal point"));
        }
        length += 1 + digits;
    }
    let digits = &rest[..length];
    let after = &rest[length..];
    let gap = length_while(after, |c| c == ' ');
    let word = &after[gap..gap + length_while(&after[gap..], |c| c.is_ascii_alphanumeric() || c == '_')];
    let unit = if after[gap..].starts_with('%') {
        "%"
    } else if literal::is_unit(word) {
        word
    } else if gap == 0 && !word.is_empty() {
        return Err(ConditionError::new(at + length..at + length + word.len(), format!("`{word}` is not a unit"))
            .help("units are % us ms s m h d w B kB MB GB KiB MiB GiB"));
    } else {
        ""
    };
    let length = if unit.is_empty() { length } else { length + gap + unit.len() };
    let value = literal::value(digits, unit).map_err(|why| ConditionError::new(at..at + length, why))?;
    Ok((Token::Literal(value), length))
}

fn sign(rest: &str, at: usize) -> Result<(Token, usize), ConditionError> {
    if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
        return Ok((Token::Sign(sign), sign.len()));
    }
    let foreign = FOREIGN.iter().find(|(sign, _)| rest.starts_with(sign));
    let length = foreign.map_or_else(|| rest.chars().next().map_or(0, char::len_utf8), |(sign, _)| sign.len());
    let error = ConditionError::new(at..at + length, format!("`{}` means nothing here", &rest[..length]));
    Err(match foreign {
        Some((_, ours)) => error.help(format!("write `{ours}`")),
        None => error,
    })
}
