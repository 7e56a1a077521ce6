//! Full-text search.

use rusqlite::{OptionalExtension, params, params_from_iter};

use crate::model::{InboxFilter, MessagePage};

use super::inbox::{Conditions, JOINS, ROW, conditions, row};
use super::{Store, StoreError};

/// Words of a query that are looked at; more only cost time.
const MAX_WORDS: usize = 16;

/// Newest hits that are ranked; older ones are not looked at.
const RANKED: i64 = 2_000;

impl Store {
    /// The messages before `before` that match `filter` best, of the newest 2,000 that hold its words. How rare the words
    /// are and where they stand decides (BM25); `next` is where the ranked ones end.
    ///
    /// # Errors
    /// When the store cannot read.
    pub fn best(&self, filter: &InboxFilter, before: Option<i64>, limit: usize) -> Result<MessagePage, StoreError> {
        let Some(expression) = expression(filter) else { return self.inbox(filter, before, limit) };
        let Conditions { sql, mut values, .. } = conditions(filter)?;
        let before = before.unwrap_or(i64::MAX);
        self.read(|connection| {
            let oldest: Option<i64> = connection
                .prepare_cached(
                    "SELECT rowid FROM message_search WHERE message_search MATCH ?1 AND rowid < ?2
                     ORDER BY rowid DESC LIMIT 1 OFFSET ?3",
                )?
                .query_row(params![expression, before, RANKED - 1], |row| row.get(0))
                .optional()?;
            let ranked = format!(
                "SELECT {ROW} FROM message_search s JOIN message m ON m.seq = s.rowid {JOINS}
                 WHERE {sql} AND s.rowid < ? AND s.rowid >= ? ORDER BY s.rank, m.seq DESC LIMIT ?"
            );
            values.extend([before.into(), oldest.unwrap_or(0).into(), i64::try_from(limit).unwrap_or(i64::MAX).into()]);
            let mut statement = connection.prepare_cached(&ranked)?;
            let rows = statement.query_map(params_from_iter(values), row)?.collect::<Result<_, _>>()?;
            Ok(MessagePage { rows, next: oldest })
        })
    }
}

/// The FTS5 expression for the words of a filter: each in quotation marks, so that none is an operator. `None` when it
/// has none.
pub(super) fn expression(filter: &InboxFilter) -> Option<String> {
    let from = filter.from.as_deref().map(|from| words(from, "sender : "));
    let text = filter.text.as_deref().map(|text| words(text, ""));
    let words: Vec<String> = from.into_iter().chain(text).flatten().collect();
    (!words.is_empty()).then(|| words.join(" AND "))
}

fn words(typed: &str, column: &str) -> Vec<String> {
    let finished = typed.ends_with(char::is_whitespace);
    let words: Vec<&str> =
        typed.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).take(MAX_WORDS).collect();
    let last = words.len().saturating_sub(1);
    let quoted = words.iter().enumerate().map(|(index, word)| {
        let star = if index == last && !finished { "*" } else { "" };
        format!("{column}\"{word}\"{star}")
    });
    quoted.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_never_operators() {
        let expression = |text: &str| expression(&InboxFilter { text: Some(text.into()), ..InboxFilter::default() });
        assert_eq!(expression("late orde").as_deref(), Some("\"late\" AND \"orde\"*"));
        assert_eq!(expression("late order ").as_deref(), Some("\"late\" AND \"order\""));
        assert_eq!(
            expression("a\" OR NEAR(b) subject:c*").as_deref(),
            Some("\"a\" AND \"OR\" AND \"NEAR\" AND \"b\" AND \"subject\" AND \"c\"*")
        );
        assert_eq!(expression("  \"*- "), None);
    }
}
