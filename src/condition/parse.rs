//! Reading a condition: every mistake with its place and with what was expected there.

use std::ops::Range;

use regex::RegexBuilder;

use crate::model::Value;

use super::expr::{Comparison, Expr, Leaf, Operand, Pattern, Subject};
use super::token::{Token, tokens};
use super::{Argument, Condition, ConditionError, JsonPath, Schema, Takes, Type};

/// Bytes a condition may have.
pub const MAX_BYTES: usize = 4096;
/// How deep `not` and parentheses may nest.
const MAX_DEPTH: usize = 64;
/// Bytes a compiled regular expression may take.
const MAX_PATTERN: usize = 256 * 1024;
/// Words that are no names.
const KEYWORDS: [&str; 10] = ["and", "or", "not", "is", "missing", "known", "contains", "matches", "true", "false"];

impl Condition {
    /// Reads `text` with the names of `schema`.
    ///
    /// # Errors
    /// At the first mistake: syntax, an unknown name, a comparison of different types, a pattern that is none,
    /// more than [`MAX_BYTES`] bytes or 64 levels.
    pub fn parse(text: &str, schema: &Schema) -> Result<Self, ConditionError> {
        if text.len() > MAX_BYTES {
            return Err(ConditionError::new(0..0, format!("a condition may have at most {MAX_BYTES} bytes")));
        }
        let mut parser = Parser { tokens: tokens(text)?, next: 0, end: text.len(), depth: 0, schema };
        let expr = parser.any()?;
        match parser.tokens.get(parser.next) {
            None => Ok(Self { expr }),
            Some(_) => Err(parser.unexpected("`and`, `or` or the end")),
        }
    }
}

struct Parser<'a> {
    tokens: Vec<(Token, Range<usize>)>,
    next: usize,
    end: usize,
    depth: usize,
    schema: &'a Schema,
}

type Read<T> = Result<T, ConditionError>;

impl Parser<'_> {
    fn any(&mut self) -> Read<Expr> {
        let mut parts = Vec::new();
        loop {
            match self.all()? {
                Expr::Any(inner) => parts.extend(inner),
                part => parts.push(part),
            }
            if !self.take_word("or") {
                return Ok(one_or(parts, Expr::Any));
            }
        }
    }

    fn all(&mut self) -> Read<Expr> {
        let mut parts = Vec::new();
        loop {
            match self.not()? {
                Expr::All(inner) => parts.extend(inner),
                part => parts.push(part),
            }
            if !self.take_word("and") {
                return Ok(one_or(parts, Expr::All));
            }
        }
    }

    fn not(&mut self) -> Read<Expr> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(ConditionError::new(self.place(), format!("nested deeper than {MAX_DEPTH} levels")));
        }
        let expr = if self.take_word("not") {
            Expr::Not(Box::new(self.not()?))
        } else if self.take_sign("(") {
            let inner = self.any()?;
            if !self.take_sign(")") {
                return Err(self.unexpected("`)`"));
            }
            inner
        } else {
            Expr::Leaf(self.leaf()?)
        };
        self.depth -= 1;
        Ok(expr)
    }

    fn leaf(&mut self) -> Read<Leaf> {
        if let Some((Token::Literal(_), span)) = self.tokens.get(self.next) {
            return Err(ConditionError::new(span.clone(), "a comparison begins with a name, not with a value")
                .help(format!("known names are {}", self.schema.names())));
        }
        let place = self.place();
        let (subject, kind) = self.subject("a name")?;
        if self.take_word("is") {
            return if self.take_word("missing") {
                Ok(Leaf::Missing(subject))
            } else if self.take_word("known") {
                Ok(Leaf::Known(subject))
            } else {
                Err(self.unexpected("`missing` or `known`"))
            };
        }
        let sign_place = self.place();
        if self.take_word("matches") {
            is_text(&subject, kind, "matches", sign_place)?;
            return self.pattern().map(|pattern| Leaf::Matches(subject, pattern));
        }
        match Comparison::ALL.into_iter().find(|how| self.take_sign(how.as_str()) || self.take_word(how.as_str())) {
            Some(how) => self.compare(subject, kind, how, sign_place),
            None if kind == Type::Bool => Ok(Leaf::Truth(subject)),
            None => {
                let error = self.unexpected("a comparison such as `==` or `<`");
                // At the end the name itself is the better place.
                let span = if error.span.is_empty() { place } else { error.span };
                let help = format!("`{subject}` is {}, as in `{subject} == {}`", kind.words(), kind.example());
                Err(ConditionError { span, help: Some(help), ..error })
            }
        }
    }

    fn compare(&mut self, subject: Subject, kind: Type, how: Comparison, sign: Range<usize>) -> Read<Leaf> {
        let place = self.place();
        let (right, other) = self.operand(kind)?;
        let place = place.start..self.before().end;
        if how == Comparison::Contains {
            is_text(&subject, kind, "contains", sign)?;
            if !matches!(other, Type::Text | Type::Json) {
                return Err(ConditionError::new(place, format!("`contains` needs text, not {}", other.words())));
            }
        } else if !kind.compares_with(other) {
            let message = format!("`{subject}` is {} and cannot be compared with {}", kind.words(), other.words());
            let help = format!("write {}, as in `{subject} {} {}`", kind.words(), how.as_str(), kind.example());
            return Err(ConditionError::new(place, message).help(help));
        } else if how.needs_order() && !(kind.is_ordered() && other.is_ordered()) {
            let unordered = if kind.is_ordered() { other } else { kind };
            let message = format!("`{}` needs an order, and {} has none", how.as_str(), unordered.words());
            return Err(ConditionError::new(sign, message).help("use `==` or `!=`"));
        }
        Ok(Leaf::Compare(subject, how, right))
    }

    /// What something of type `kind` is compared with.
    fn operand(&mut self, kind: Type) -> Read<(Operand, Type)> {
        if let Some((Token::Literal(value), _)) = self.tokens.get(self.next) {
            let value = value.clone();
            self.next += 1;
            let kind = literal_type(&value);
            return Ok((Operand::Literal(value), kind));
        }
        for (word, value) in [("true", true), ("false", false)] {
            if self.take_word(word) {
                return Ok((Operand::Literal(Value::Bool(value)), Type::Bool));
            }
        }
        let typed = self.tokens.get(self.next).cloned();
        let wanted = format!("{}, as in `{}`", kind.words(), kind.example());
        self.subject(&wanted).map(|(subject, kind)| (Operand::Subject(subject), kind)).map_err(|error| match typed {
            // Most likely a text without quotes.
            Some((Token::Word(word), span)) if error.span == span && matches!(kind, Type::Text | Type::Json) => {
                error.help(format!("text is written in quotes: \"{word}\""))
            }
            _ => error,
        })
    }

    fn subject(&mut self, wanted: &str) -> Read<(Subject, Type)> {
        let (name, span) = match self.tokens.get(self.next) {
            Some((Token::Word(name), span)) if !KEYWORDS.contains(&name.as_str()) => (name.clone(), span.clone()),
            _ => return Err(self.unexpected(wanted)),
        };
        self.next += 1;
        let is_called = matches!(self.tokens.get(self.next), Some((Token::Sign("("), _)));
        match (self.schema.variable(&name), self.schema.function(&name)) {
            (Some(kind), _) if !is_called => Ok((Subject::Variable(name), kind)),
            (_, Some((takes, gives))) => {
                let argument = self.argument(&name, takes)?;
                Ok((Subject::Call(name, argument), gives))
            }
            (Some(_), None) => Err(ConditionError::new(span, format!("`{name}` takes no argument"))
                .help(format!("write `{name}` without parentheses"))),
            (None, None) => {
                let help = match self.schema.nearest(&name) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("known names are {}", self.schema.names()),
                };
                Err(ConditionError::new(span, format!("unknown name `{name}`")).help(help))
            }
        }
    }

    fn argument(&mut self, function: &str, takes: Takes) -> Read<Argument> {
        let example = match takes {
            Takes::Name => format!("{function}(\"content-type\")"),
            Takes::JsonPath => format!("{function}(\"$.status\")"),
        };
        if !self.take_sign("(") {
            return Err(self.unexpected("`(`").help(format!("as in `{example}`")));
        }
        let (text, place) = match self.tokens.get(self.next) {
            Some((Token::Literal(Value::Text(text)), place)) => (text.clone(), place.clone()),
            _ => return Err(self.unexpected("a text in quotes").help(format!("as in `{example}`"))),
        };
        self.next += 1;
        let argument = match takes {
            Takes::Name if text.is_empty() => return Err(ConditionError::new(place, "expected a name")),
            Takes::Name => Argument::Name(text.to_ascii_lowercase()),
            Takes::JsonPath => Argument::Path(JsonPath::parse(&text).map_err(|(at, why)| {
                let start = (place.start + 1 + at).min(place.end - 1);
                ConditionError::new(start..place.end, why).help(format!("as in `{example}`"))
            })?),
        };
        if self.take_sign(")") { Ok(argument) } else { Err(self.unexpected("`)`")) }
    }

    fn pattern(&mut self) -> Read<Pattern> {
        let (text, place) = match self.tokens.get(self.next) {
            Some((Token::Literal(Value::Text(text)), place)) => (text.clone(), place.clone()),
            _ => return Err(self.unexpected("a regular expression in quotes, as in `\"^v[0-9]\"`")),
        };
        self.next += 1;
        let built = RegexBuilder::new(&text).size_limit(MAX_PATTERN).dfa_size_limit(4 * MAX_PATTERN).build();
        built.map(Pattern).map_err(|error| {
            let message = match error {
                regex::Error::CompiledTooBig(_) => "this regular expression is too big".to_owned(),
                // The library draws the pattern over several lines; the last one says what is wrong.
                error => {
                    let text = error.to_string();
                    let reason = text.lines().last().unwrap_or_default().trim_start_matches("error: ");
                    format!("this is not a regular expression: {reason}")
                }
            };
            ConditionError::new(place, message)
        })
    }

    fn take_word(&mut self, word: &str) -> bool {
        let is_next = matches!(self.tokens.get(self.next), Some((Token::Word(next), _)) if next == word);
        self.next += usize::from(is_next);
        is_next
    }

    fn take_sign(&mut self, sign: &str) -> bool {
        let is_next = matches!(self.tokens.get(self.next), Some((Token::Sign(next), _)) if *next == sign);
        self.next += usize::from(is_next);
        is_next
    }

    /// Where the next word stands, or the end.
    fn place(&self) -> Range<usize> {
        self.tokens.get(self.next).map_or(self.end..self.end, |(_, span)| span.clone())
    }

    /// Where the last word that was taken stands.
    fn before(&self) -> Range<usize> {
        self.next.checked_sub(1).and_then(|last| self.tokens.get(last)).map_or(0..0, |(_, span)| span.clone())
    }

    fn unexpected(&self, wanted: &str) -> ConditionError {
        let found = match self.tokens.get(self.next) {
            None => "the end".to_owned(),
            Some((Token::Word(word), _)) => format!("`{word}`"),
            Some((Token::Sign(sign), _)) => format!("`{sign}`"),
            Some((Token::Literal(value), _)) => literal_type(value).words().to_owned(),
        };
        ConditionError::new(self.place(), format!("expected {wanted}, found {found}"))
    }
}

fn one_or(mut parts: Vec<Expr>, several: impl FnOnce(Vec<Expr>) -> Expr) -> Expr {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        last => {
            parts.extend(last);
            several(parts)
        }
    }
}

fn is_text(subject: &Subject, kind: Type, word: &str, place: Range<usize>) -> Read<()> {
    if matches!(kind, Type::Text | Type::Json) {
        return Ok(());
    }
    let message = format!("`{word}` needs text, and `{subject}` is {}", kind.words());
    Err(ConditionError::new(place, message).help(format!("as in `{subject} == {}`", kind.example())))
}

fn literal_type(value: &Value) -> Type {
    match value {
        Value::Bool(_) => Type::Bool,
        Value::Number(_) => Type::Number,
        Value::Percent(_) => Type::Percent,
        Value::Duration(_) => Type::Duration,
        Value::Bytes(_) => Type::Size,
        Value::Text(_) => Type::Text,
        Value::Missing => Type::Json,
    }
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
