//! Labels: short names that operators put on conversations.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Longest label, in characters.
const LONGEST: usize = 32;

/// A label: 1 to 32 letters, digits and `. _ -`, the first a letter or digit. Letters are kept in lower case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Label(Arc<str>);

/// Text that is no label.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("label {0:?} must be 1 to {LONGEST} letters, digits and . _ - and begin with a letter or digit")]
pub struct BadLabel(String);

impl Label {
    /// The label as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Label {
    type Err = BadLabel;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let label = text.to_lowercase();
        let safe = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-');
        let first_ok = label.chars().next().is_some_and(char::is_alphanumeric);
        if first_ok && label.chars().count() <= LONGEST && label.chars().all(safe) {
            Ok(Self(label.into()))
        } else {
            Err(BadLabel(text.to_owned()))
        }
    }
}

impl TryFrom<String> for Label {
    type Error = BadLabel;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Label> for String {
    fn from(label: Label) -> Self {
        label.0.as_ref().to_owned()
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_short_words_in_lower_case() {
        for (text, label) in [("urgent", "urgent"), ("R\u{fc}ckruf", "r\u{fc}ckruf"), ("q4.2026_x-y", "q4.2026_x-y")] {
            assert_eq!(text.parse::<Label>().map(|label| label.to_string()), Ok(label.to_owned()));
        }
        let long = "x".repeat(33);
        for bad in ["", "-x", "two words", "a:b", "a\u{1b}[2J", "\u{202e}x", &long] {
            let error = bad.parse::<Label>().expect_err(bad);
            assert!(error.to_string().contains("1 to 32 letters"), "{error}");
        }
    }
}
