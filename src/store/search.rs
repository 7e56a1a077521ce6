//! Full-text search, newest first.

use rusqlite::params;

use crate::model::MessageRow;

use super::inbox::{JOINS, ROW, row};
use super::{Store, StoreError};

/// Words of a query that are looked at; more only cost time.
const MAX_WORDS: usize = 16;

impl Store {
    /// The newest messages before `before` that hold every word of `query`; the last word may be unfinished.
    ///
    /// Newest first needs no ranking, so a common word costs no more than a rare one.
    ///
    /// # Errors
    /// When the store cannot read.
    pub fn search(&self, query: &str, before: Option<i64>, limit: usize) -> Result<Vec<MessageRow>, StoreError> {
        let Some(expression) = expression(query) else { return Ok(Vec::new()) };
        self.read(|connection| {
            let sql = format!(
                "SELECT {ROW} FROM (SELECT rowid FROM message_search WHERE message_search MATCH ?1 AND rowid < ?2
                 ORDER BY rowid DESC LIMIT ?3) s JOIN message m ON m.seq = s.rowid {JOINS} ORDER BY m.seq DESC"
            );
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            connection
                .prepare_cached(&sql)?
                .query_map(params![expression, before.unwrap_or(i64::MAX), limit], row)?
                .collect()
        })
    }
}

/// The FTS5 expression for what was typed: every word quoted, so that none is an operator.
fn expression(query: &str) -> Option<String> {
    let finished = query.ends_with(char::is_whitespace);
    let words: Vec<&str> =
        query.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).take(MAX_WORDS).collect();
    let last = words.len().checked_sub(1)?;
    let quoted = words.iter().enumerate().map(|(index, word)| {
        let star = if index == last && !finished { "*" } else { "" };
        format!("\"{word}\"{star}")
    });
    Some(quoted.collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_never_operators() {
        assert_eq!(expression("late orde").as_deref(), Some("\"late\" \"orde\"*"));
        assert_eq!(expression("late order ").as_deref(), Some("\"late\" \"order\""));
        assert_eq!(
            expression("a\" OR NEAR(b) subject:c*").as_deref(),
            Some("\"a\" \"OR\" \"NEAR\" \"b\" \"subject\" \"c\"*")
        );
        assert_eq!(expression("  \"*- "), None);
    }
}
