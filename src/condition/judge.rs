//! Whether a condition holds, and which comparisons decided that it does not.

use std::borrow::Cow;
use std::cmp::Ordering;

use crate::model::Value;

use super::expr::{Comparison, Expr, Leaf, Operand, Subject};
use super::{Argument, Condition};

/// Characters of a text from outside that an explanation shows.
const SHOWN: usize = 60;
/// Comparisons an explanation names.
const NAMED: usize = 8;

/// What a condition asks for its values.
pub trait Values {
    /// The value of a variable; [`Value::Missing`] when it is not known.
    fn value(&self, name: &str) -> Cow<'_, Value>;

    /// The value of a function.
    fn call(&self, function: &str, argument: &Argument) -> Cow<'_, Value>;
}

impl Values for [(String, Value)] {
    fn value(&self, name: &str) -> Cow<'_, Value> {
        let found = self.iter().find(|(known, _)| known == name);
        found.map_or(Cow::Owned(Value::Missing), |(_, value)| Cow::Borrowed(value))
    }

    /// There are no functions; their values are missing.
    fn call(&self, _: &str, _: &Argument) -> Cow<'_, Value> {
        Cow::Owned(Value::Missing)
    }
}

/// What came of judging a condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// Whether it holds.
    pub holds: bool,
    /// When it does not: the comparisons that decided it, with what was found: `status == 200: got 503`.
    ///
    /// At most eight, texts cut to sixty characters, without the values of what is named like a secret. They may hold
    /// text from outside; whoever shows them sanitises them.
    pub because: Vec<String>,
}

impl Condition {
    /// Judges `values`.
    #[must_use]
    pub fn judge(&self, values: &(impl Values + ?Sized)) -> Judged {
        if outcome(&self.expr, values) == Some(true) {
            return Judged { holds: true, because: Vec::new() };
        }
        let mut because = Vec::new();
        explain(&self.expr, true, values, &mut because);
        if because.len() > NAMED {
            let more = because.len() - NAMED;
            because.truncate(NAMED);
            because.push(format!("and {more} more"));
        }
        Judged { holds: false, because }
    }
}

/// True, false, or `None` when it cannot be known (Kleene).
fn outcome(expr: &Expr, values: &(impl Values + ?Sized)) -> Option<bool> {
    // The first part that settles it ends the walk; one that is not known keeps the whole open.
    let settle = |parts: &[Expr], settling: bool| {
        let mut open = false;
        for part in parts {
            match outcome(part, values) {
                Some(value) if value == settling => return Some(settling),
                Some(_) => {}
                None => open = true,
            }
        }
        (!open).then_some(!settling)
    };
    match expr {
        Expr::All(parts) => settle(parts, false),
        Expr::Any(parts) => settle(parts, true),
        Expr::Not(inner) => outcome(inner, values).map(|value| !value),
        Expr::Leaf(leaf) => leaf_outcome(leaf, values),
    }
}

fn get<'a>(subject: &Subject, values: &'a (impl Values + ?Sized)) -> Cow<'a, Value> {
    match subject {
        Subject::Variable(name) => values.value(name),
        Subject::Call(function, argument) => values.call(function, argument),
    }
}

fn leaf_outcome(leaf: &Leaf, values: &(impl Values + ?Sized)) -> Option<bool> {
    let left = get(leaf.subject(), values);
    match leaf {
        Leaf::Known(_) => Some(*left != Value::Missing),
        Leaf::Missing(_) => Some(*left == Value::Missing),
        Leaf::Truth(_) => match *left {
            Value::Bool(value) => Some(value),
            _ => None,
        },
        Leaf::Matches(_, pattern) => match &*left {
            Value::Text(text) => Some(pattern.0.is_match(text)),
            _ => None,
        },
        Leaf::Compare(_, how, Operand::Literal(right)) => compare(&left, *how, right),
        Leaf::Compare(_, how, Operand::Subject(right)) => compare(&left, *how, &get(right, values)),
    }
}

fn compare(left: &Value, how: Comparison, right: &Value) -> Option<bool> {
    let order = match (left, right) {
        (Value::Missing, _) | (_, Value::Missing) => return None,
        (Value::Text(left), Value::Text(right)) if how == Comparison::Contains => {
            return Some(left.contains(right.as_str()));
        }
        (Value::Bool(left), Value::Bool(right)) => Some(left.cmp(right)),
        (Value::Number(left), Value::Number(right)) | (Value::Percent(left), Value::Percent(right)) => {
            left.partial_cmp(right)
        }
        (Value::Duration(left), Value::Duration(right)) => Some(left.cmp(right)),
        (Value::Bytes(left), Value::Bytes(right)) => Some(left.cmp(right)),
        (Value::Text(left), Value::Text(right)) => Some(left.cmp(right)),
        // Only a value of a JSON document can be of another type. It is not equal, and there is no order.
        _ => {
            return match how {
                Comparison::Equal => Some(false),
                Comparison::NotEqual => Some(true),
                _ => None,
            };
        }
    };
    order.and_then(|order| match how {
        Comparison::Equal => Some(order == Ordering::Equal),
        Comparison::NotEqual => Some(order != Ordering::Equal),
        Comparison::Less => Some(order == Ordering::Less),
        Comparison::AtMost => Some(order != Ordering::Greater),
        Comparison::Greater => Some(order == Ordering::Greater),
        Comparison::AtLeast => Some(order != Ordering::Less),
        Comparison::Contains => None,
    })
}

/// Names the comparisons because of which `expr` is not as it was `wanted`.
fn explain(expr: &Expr, wanted: bool, values: &(impl Values + ?Sized), because: &mut Vec<String>) {
    if outcome(expr, values) == Some(wanted) {
        return;
    }
    match expr {
        Expr::All(parts) | Expr::Any(parts) => parts.iter().for_each(|part| explain(part, wanted, values, because)),
        Expr::Not(inner) => explain(inner, !wanted, values, because),
        Expr::Leaf(leaf) => because.push(sentence(leaf, wanted, values)),
    }
}

fn sentence(leaf: &Leaf, wanted: bool, values: &(impl Values + ?Sized)) -> String {
    let subject = leaf.subject();
    let found = get(subject, values);
    let secret = subject.is_secret() && !matches!(*found, Value::Missing);
    let comparison = if subject.is_secret() { subject.hidden(leaf) } else { leaf.to_string() };
    let negation = if wanted { "" } else { "not " };
    let compared = match leaf {
        Leaf::Compare(_, _, Operand::Subject(right)) if !secret && !right.is_secret() => {
            format!(" and {right} is {}", shown(&get(right, values)))
        }
        _ => String::new(),
    };
    let found = if secret { "something else (hidden)".to_owned() } else { shown(&found) };
    format!("{negation}{comparison}: got {found}{compared}")
}

fn shown(value: &Value) -> String {
    match value {
        Value::Text(text) => match text.char_indices().nth(SHOWN) {
            Some((end, _)) => format!("{:?}…", &text[..end]),
            None => format!("{text:?}"),
        },
        value => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::{JsonPath, Schema, Takes, Type, json_value};
    use super::*;

    struct Answer {
        values: Vec<(String, Value)>,
        json: serde_json::Value,
    }

    impl Values for Answer {
        fn value(&self, name: &str) -> Cow<'_, Value> {
            self.values.as_slice().value(name)
        }

        fn call(&self, function: &str, argument: &Argument) -> Cow<'_, Value> {
            let find = |path: &JsonPath| path.find(&self.json).map_or(Value::Missing, json_value);
            Cow::Owned(match argument {
                Argument::Path(path) => find(path),
                Argument::Name(name) => Value::Text(format!("{function} {name}")),
            })
        }
    }

    fn judge(text: &str) -> Judged {
        let schema = Schema::new(&[
            ("status", Type::Number),
            ("latency", Type::Duration),
            ("limit", Type::Duration),
            ("body", Type::Text),
            ("trusted", Type::Bool),
            ("gone", Type::Number),
            ("token", Type::Text),
        ])
        .with_function("json", Takes::JsonPath, Type::Json)
        .with_function("header", Takes::Name, Type::Text);
        let values = [
            ("status", Value::Number(503.0)),
            ("latency", Value::Duration(Duration::from_millis(700))),
            ("limit", Value::Duration(Duration::from_millis(500))),
            ("body", Value::Text("down \u{1b}[2J".repeat(100))),
            ("trusted", Value::Bool(false)),
            ("token", Value::Text("hunter2".into())),
        ];
        let values = values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let json = serde_json::json!({"status": "DOWN", "count": 3, "secret": "hunter2"});
        let condition = Condition::parse(text, &schema).unwrap_or_else(|error| panic!("{text}: {error:?}"));
        condition.judge(&Answer { values, json })
    }

    #[test]
    fn what_holds_needs_no_reason() {
        for text in [
            "status == 503",
            "status != 200 and latency >= 700ms",
            "not trusted",
            "not (status == 200 or trusted)",
            "body contains \"down\"",
            "body matches \"^down\"",
            "json(\"$.count\") > 2",
            "json(\"$.status\") != 5",
            "gone is missing and status is known",
            "gone == 1 or status == 503",
            "latency > limit",
            "header(\"X-Version\") == \"header x-version\"",
        ] {
            assert_eq!(judge(text), Judged { holds: true, because: vec![] }, "{text}");
        }
    }

    #[test]
    fn what_does_not_hold_says_which_comparison_decided_it() {
        for (text, because) in [
            ("status == 200 and latency < 1s", vec!["status == 200: got 503"]),
            ("status == 200 or latency < 500ms", vec!["status == 200: got 503", "latency < 500ms: got 700ms"]),
            ("not (status == 503 and latency > 1s) and trusted", vec!["trusted: got false"]),
            ("not (status == 503)", vec!["not status == 503: got 503"]),
            ("(trusted or status == 503) and status < 500", vec!["status < 500: got 503"]),
            ("json(\"$.status\") == \"UP\"", vec!["json(\"$.status\") == \"UP\": got \"DOWN\""]),
            ("json(\"$.status\") > 5", vec!["json(\"$.status\") > 5: got \"DOWN\""]),
            ("latency < limit", vec!["latency < limit: got 700ms and limit is 500ms"]),
            ("status is missing", vec!["status is missing: got 503"]),
        ] {
            assert_eq!(judge(text).because, because, "{text}");
        }
    }

    #[test]
    fn what_is_not_known_never_makes_a_condition_hold() {
        for text in ["gone == 1", "gone != 1", "not (gone == 1)", "gone == 1 or gone != 1", "not not (gone > 0)"] {
            assert!(!judge(text).holds, "{text}");
        }
        assert_eq!(judge("not (gone == 1)").because, ["not gone == 1: got nothing"]);
    }

    #[test]
    fn secrets_are_hidden_and_texts_are_cut() {
        for text in
            ["token == \"hunter3\"", "header(\"Authorization\") == \"hunter3\"", "json(\"$.secret\") == \"hunter3\""]
        {
            let because = judge(text).because.concat();
            assert!(because.contains("hidden") && !because.contains("hunter"), "{because}");
        }
        let because = judge("body == \"ok\"").because.concat();
        assert!(because.chars().count() < 150, "{because}");
        let many = vec!["status == 1"; 50].join(" or ");
        let because = judge(&many).because;
        assert_eq!((because.len(), because.last().map(String::as_str)), (9, Some("and 42 more")));
    }
}
