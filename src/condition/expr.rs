//! A condition that was read, and how it is written.

use std::fmt::{self, Write};

use regex::Regex;

use crate::model::{Value, names_a_secret};

use super::{JsonPath, literal};

/// A condition, read and checked. It writes itself so that reading it again gives an equal one,
/// as long as that has no more than [`super::MAX_BYTES`] bytes: a backslash may become two.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    pub(super) expr: Expr,
}

/// Nested at most as deep as the parser lets it be, so that walking it needs no more than a bounded stack.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Expr {
    /// Every part holds. No part is an `All` itself, and there are at least two.
    All(Vec<Self>),
    /// One part holds. No part is an `Any` itself, and there are at least two.
    Any(Vec<Self>),
    Not(Box<Self>),
    Leaf(Leaf),
}

/// One comparison.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Leaf {
    /// It is true.
    Truth(Subject),
    Compare(Subject, Comparison, Operand),
    Matches(Subject, Pattern),
    Known(Subject),
    Missing(Subject),
}

impl Leaf {
    pub(super) fn subject(&self) -> &Subject {
        match self {
            Self::Truth(subject)
            | Self::Compare(subject, ..)
            | Self::Matches(subject, _)
            | Self::Known(subject)
            | Self::Missing(subject) => subject,
        }
    }
}

/// What is looked at.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Subject {
    Variable(String),
    Call(String, Argument),
}

/// What stands between the parentheses of a function.
#[derive(Debug, Clone, PartialEq)]
pub enum Argument {
    /// A name, in lower case.
    Name(String),
    /// A path into a JSON document.
    Path(JsonPath),
}

impl Argument {
    /// As it is written, without quotes.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Self::Name(name) => name,
            Self::Path(path) => path.text(),
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Operand {
    Literal(Value),
    Subject(Subject),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    AtMost,
    Greater,
    AtLeast,
    Contains,
}

impl Comparison {
    pub(super) const ALL: [Self; 7] =
        [Self::Equal, Self::NotEqual, Self::Less, Self::AtMost, Self::Greater, Self::AtLeast, Self::Contains];

    pub(super) fn needs_order(self) -> bool {
        matches!(self, Self::Less | Self::AtMost | Self::Greater | Self::AtLeast)
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::Greater => ">",
            Self::AtLeast => ">=",
            Self::Contains => "contains",
        }
    }
}

/// A regular expression. Two are equal when they are written the same.
#[derive(Debug, Clone)]
pub(super) struct Pattern(pub(super) Regex);

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.expr.fmt(f)
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let joined = |f: &mut fmt::Formatter<'_>, parts: &[Self], word: &str| {
            for (number, part) in parts.iter().enumerate() {
                if number > 0 {
                    f.write_str(word)?;
                }
                if matches!(part, Self::Any(_)) { write!(f, "({part})") } else { write!(f, "{part}") }?;
            }
            Ok(())
        };
        match self {
            Self::All(parts) => joined(f, parts, " and "),
            Self::Any(parts) => joined(f, parts, " or "),
            Self::Not(inner) if matches!(**inner, Self::Leaf(_) | Self::Not(_)) => write!(f, "not {inner}"),
            Self::Not(inner) => write!(f, "not ({inner})"),
            Self::Leaf(leaf) => leaf.fmt(f),
        }
    }
}

impl fmt::Display for Leaf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.subject().fmt(f)?;
        match self {
            Self::Truth(_) => Ok(()),
            Self::Compare(_, how, right) => write!(f, " {} {right}", how.as_str()),
            Self::Matches(_, pattern) => write!(f, " matches {}", literal::quoted(pattern.0.as_str())),
            Self::Known(_) => f.write_str(" is known"),
            Self::Missing(_) => f.write_str(" is missing"),
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable(name) => f.write_str(name),
            Self::Call(name, argument) => write!(f, "{name}({})", literal::quoted(argument.text())),
        }
    }
}

impl fmt::Display for Operand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal(value) => f.write_str(&literal::written(value)),
            Self::Subject(subject) => subject.fmt(f),
        }
    }
}

impl Subject {
    /// Whether its value must not be shown.
    pub(super) fn is_secret(&self) -> bool {
        match self {
            Self::Variable(name) | Self::Call(_, Argument::Name(name)) => names_a_secret(name),
            Self::Call(_, Argument::Path(path)) => path.keys().any(names_a_secret),
        }
    }

    /// With the comparison `leaf` makes, but without what it is compared with.
    pub(super) fn hidden(&self, leaf: &Leaf) -> String {
        let mut text = self.to_string();
        let how = match leaf {
            Leaf::Compare(_, how, _) => how.as_str(),
            Leaf::Matches(..) => "matches",
            Leaf::Truth(_) | Leaf::Known(_) | Leaf::Missing(_) => return leaf.to_string(),
        };
        // Writing to a string cannot fail.
        let _ = write!(text, " {how} (hidden)");
        text
    }
}
