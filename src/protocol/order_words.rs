//! The words of an order, and what is wrong with them.

use std::fmt;
use std::str::FromStr;

use crate::model::Item;

/// A line that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("column {column}: {what}")]
pub struct BadLine {
    /// Where, in characters from 1.
    pub column: usize,
    /// What is wrong, and what to do.
    pub what: String,
}

impl BadLine {
    /// A mistake at `column`.
    pub(crate) fn new(column: usize, what: impl fmt::Display) -> Self {
        Self { column, what: what.to_string() }
    }
}

/// A word of a line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Word<'a> {
    /// Where it begins, in characters from 1.
    pub column: usize,
    pub text: &'a str,
}

impl Word<'_> {
    pub(super) fn parsed<T: FromStr<Err: fmt::Display>>(&self) -> Result<T, BadLine> {
        self.text.parse().map_err(|error| BadLine::new(self.column, error))
    }
}

pub(super) fn words(line: &str) -> Vec<Word<'_>> {
    let starts = line.split_whitespace().map(|text| (text.as_ptr() as usize - line.as_ptr() as usize, text));
    starts.map(|(at, text)| Word { column: line[..at].chars().count() + 1, text }).collect()
}

pub(super) fn only<'a, 'b>(words: &'b [Word<'a>], verb: &str) -> Result<&'b Word<'a>, BadLine> {
    match words {
        [one, more, ..] => Err(BadLine::new(more.column, format!("`{verb}` takes one, which is `{}`", one.text))),
        [one] => Ok(one),
        [] => Err(BadLine::new(1, format!("`{verb}` needs to know which"))),
    }
}

/// The words as they were typed, with single blanks.
pub(super) fn joined(words: &[Word<'_>]) -> String {
    words.iter().map(|word| word.text).collect::<Vec<_>>().join(" ")
}

/// What stands behind the ids.
pub(super) struct Value {
    /// Where it begins, in characters from 1.
    pub column: usize,
    pub text: String,
}

impl Value {
    pub(super) fn parsed<T: FromStr<Err: fmt::Display>>(&self) -> Result<T, BadLine> {
        self.text.parse().map_err(|error| BadLine::new(self.column, error))
    }
}

/// The ids that a line begins with, and how many words they are. What looks like one has to be one.
pub(super) fn items(words: &[Word<'_>]) -> Result<Vec<Item>, BadLine> {
    let begun = |word: &&Word<'_>| word.text.starts_with("msg_") || word.text.starts_with("cnv_");
    words.iter().take_while(begun).map(Word::parsed).collect()
}
