//! Paths into a JSON document: `$.a.b[0]["c d"]`.

use crate::model::Value;

/// Steps a path may have.
const MAX_STEPS: usize = 32;

/// A path of names and numbers, a small part of RFC 9535: no wildcards, filters or slices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonPath {
    text: String,
    steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Key(String),
    Index(usize),
}

impl JsonPath {
    /// Reads a path.
    ///
    /// # Errors
    /// The offset of the mistake in bytes, and what was expected there.
    pub fn parse(text: &str) -> Result<Self, (usize, &'static str)> {
        let Some(mut rest) = text.strip_prefix('$') else {
            return Err((0, "a path begins with `$`, as in `$.status`"));
        };
        let mut steps = Vec::new();
        while !rest.is_empty() {
            let at = text.len() - rest.len();
            if steps.len() == MAX_STEPS {
                return Err((at, "a path may have at most 32 steps"));
            }
            let (step, length) = step(rest).map_err(|why| (at, why))?;
            steps.push(step);
            rest = &rest[length..];
        }
        Ok(Self { text: text.to_owned(), steps })
    }

    /// As it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The names on the way.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.steps.iter().filter_map(|step| match step {
            Step::Key(key) => Some(key.as_str()),
            Step::Index(_) => None,
        })
    }

    /// What stands at the path.
    #[must_use]
    pub fn find<'a>(&self, document: &'a serde_json::Value) -> Option<&'a serde_json::Value> {
        self.steps.iter().try_fold(document, |at, step| match step {
            Step::Key(key) => at.get(key),
            Step::Index(index) => at.get(index),
        })
    }
}

/// One step at the beginning of `rest`, and its length.
fn step(rest: &str) -> Result<(Step, usize), &'static str> {
    if let Some(name) = rest.strip_prefix('.') {
        let length = name.find(['.', '[']).unwrap_or(name.len());
        if length == 0 {
            return Err("expected a name after `.`");
        }
        return Ok((Step::Key(name[..length].to_owned()), 1 + length));
    }
    let inner = rest.strip_prefix('[').ok_or("expected `.name` or `[0]`")?;
    if let Some(quote @ ('"' | '\'')) = inner.chars().next() {
        let name = &inner[1..];
        let end = name.find(quote).ok_or("this name is never closed")?;
        if !name[end + 1..].starts_with(']') {
            return Err("expected `]` after the name");
        }
        return Ok((Step::Key(name[..end].to_owned()), end + 4));
    }
    let end = inner.find(']').ok_or("expected `]`")?;
    let index = inner[..end].parse().map_err(|_| "expected a number from 0 or a name in quotes within `[ ]`")?;
    Ok((Step::Index(index), end + 2))
}

/// A value of a JSON document for a comparison: `null` is missing, lists and objects are their own text.
#[must_use]
pub fn json_value(value: &serde_json::Value) -> Value {
    match value {
        serde_json::Value::Null => Value::Missing,
        serde_json::Value::Bool(value) => Value::Bool(*value),
        serde_json::Value::Number(value) => value.as_f64().map_or(Value::Missing, Value::Number),
        serde_json::Value::String(value) => Value::Text(value.clone()),
        serde_json::Value::Array(_) | serde_json::Value::Object(_) => Value::Text(value.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_find_their_values() {
        let document = serde_json::json!({"a": {"b": [true, {"c d": 5}]}, "": 1, "n": null});
        let cases = [
            ("$.a.b[0]", Some(Value::Bool(true))),
            ("$.a.b[1]['c d']", Some(Value::Number(5.0))),
            ("$['a'].b[1]", Some(Value::Text("{\"c d\":5}".into()))),
            ("$.n", Some(Value::Missing)),
            ("$.a.b[7]", None),
            ("$.a.b.c", None),
        ];
        for (path, expected) in cases {
            let path = JsonPath::parse(path).expect("a path");
            assert_eq!(path.find(&document).map(json_value), expected, "{}", path.text());
        }
    }

    #[test]
    fn mistakes_have_their_place() {
        for (path, at) in [("a", 0), ("$a", 1), ("$.a..b", 3), ("$.a[x]", 3), ("$[\"a]", 1), ("$['a'", 1), ("$.ä[", 4)]
        {
            assert_eq!(JsonPath::parse(path).expect_err("a mistake").0, at, "{path}");
        }
        assert!(JsonPath::parse(&format!("${}", ".a".repeat(33))).is_err());
    }
}
