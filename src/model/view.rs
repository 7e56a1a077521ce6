//! Saved views: queries of the inbox that have a name.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Views that are always there: their names and queries.
pub const BUILT_IN_VIEWS: [(&str, &str); 5] = [
    ("unread", "unread"),
    ("vip", "vip"),
    ("mine", "assignee:me"),
    ("snoozed", "snoozed"),
    ("unassigned", "assignee:nobody"),
];

/// Longest name of a view, in characters.
const LONGEST: usize = 32;

/// Text that cannot be the name of a view.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadViewName {
    /// It is too long, empty, or cannot be shown.
    #[error("the name of a view has 1 to {LONGEST} letters, digits, blanks and . _ -")]
    Unfit,
    /// A view that is always there has it.
    #[error("the view {0:?} is always there; choose another name")]
    Taken(&'static str),
}

/// The name in `text`, without blanks around it.
///
/// # Errors
/// When it cannot be the name of a view.
pub fn view_name(text: &str) -> Result<String, BadViewName> {
    let name = text.trim();
    let fits = |c: char| c.is_alphanumeric() || matches!(c, ' ' | '.' | '_' | '-');
    if name.is_empty() || name.chars().count() > LONGEST || !name.chars().all(fits) {
        return Err(BadViewName::Unfit);
    }
    match BUILT_IN_VIEWS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
        Some((known, _)) => Err(BadViewName::Taken(known)),
        None => Ok(name.to_owned()),
    }
}

/// A number that is not counted to its end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// How many were counted.
    pub n: u32,
    /// Whether there may be more.
    pub more: bool,
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}{}", self.n, if self.more { "+" } else { "" }))
    }
}

/// A query with a name, and how many unread conversations match it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedView {
    /// Its name.
    pub name: String,
    /// The query, as [`super::InboxFilter`] reads it.
    pub query: String,
    /// Whether it is always there.
    pub builtin: bool,
    /// Unread conversations that match, 1,000 at most.
    pub unread: Count,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::InboxFilter;

    #[test]
    fn names_are_short_and_free() {
        assert_eq!(view_name(" Late orders "), Ok("Late orders".to_owned()));
        for bad in ["", " ", "a\nb", "a:b", "\u{202e}x", &"x".repeat(33)] {
            assert_eq!(view_name(bad), Err(BadViewName::Unfit), "{bad:?}");
        }
        assert_eq!(view_name("VIP"), Err(BadViewName::Taken("vip")));
    }

    #[test]
    fn views_that_are_always_there_can_be_read() {
        for (_, query) in BUILT_IN_VIEWS {
            assert_eq!(query.parse::<InboxFilter>().map(|filter| filter.to_string()), Ok(query.to_owned()));
        }
    }
}
