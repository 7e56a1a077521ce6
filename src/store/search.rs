//! Finding messages: what a filter asks for, newest first or best first, within the patience of whoever asks.

use std::collections::HashMap;
use std::fmt::Write;
use std::ops::ControlFlow;

use rusqlite::{CachedStatement, Connection, params};

use crate::model::{InboxFilter, MessagePage, MessageRow, Order, WORDS_MAX, search_words};

use super::inbox::LINE;
use super::known::Known;
use super::patience::Patience;
use super::search_index::parts;
use super::walk::Walk;
use super::{Store, StoreError};

/// Newest matches that are ranked; older ones are not looked at.
const RANKED: usize = 1_000;

impl Store {
    /// Messages before `before` that match `filter`: at most `limit`, fewer where `patience` is over first.
    ///
    /// Newest first is exact. Best first ranks the newest 1,000 matches, or as many as there is time for, by BM25: how
    /// rare the words are, how often they stand in a message, and where (subject before sender before text). It counts
    /// rarity in each part of the index by itself. `next` is where the ranked ones end, so asking on ranks older ones
    /// among themselves. A word that is only begun finds and does not rank; without finished words, best is newest.
    ///
    /// A last word of one letter or digit is taken as it is, not as a beginning: nearly everything begins so.
    ///
    /// # Errors
    /// When the store cannot read or `patience` was ended.
    pub fn find(
        &self,
        filter: &InboxFilter,
        order: Order,
        before: Option<i64>,
        limit: usize,
        patience: &Patience,
    ) -> Result<MessagePage, StoreError> {
        let before = before.unwrap_or(i64::MAX);
        self.read_until(patience, |connection, known| {
            let walk = Walk::new(connection, filter)?;
            let mut lines = Lines { check: walk.check(connection, LINE)?, known: known.now(connection)? };
            match ranking(filter) {
                Some(words) if order == Order::Best => {
                    best(connection, &walk, &mut lines, &words, before, limit, patience)
                }
                _ => newest(connection, &walk, &mut lines, before, limit, patience),
            }
        })
    }

    /// How many messages match.
    ///
    /// # Errors
    /// When the store cannot read.
    pub fn inbox_count(&self, filter: &InboxFilter) -> Result<u64, StoreError> {
        let patience = Patience::endless();
        self.read(|connection| {
            let walk = Walk::new(connection, filter)?;
            let mut count = 0;
            let mut check = walk.check(connection, "1")?;
            walk.each(connection, i64::MAX, usize::MAX, &patience, |seq| {
                count += u64::from(walk.is_exact() || check.exists(walk.parameters(seq))?);
                Ok(ControlFlow::Continue(()))
            })?;
            Ok(count)
        })
    }
}

/// Reads lines: what a message must be, and what it shows beside its own.
struct Lines<'c, 'k> {
    check: CachedStatement<'c>,
    known: &'k mut Known,
}

impl Lines<'_, '_> {
    /// The line of the message at `seq`, when it is what `walk` looks for.
    fn line(&mut self, connection: &Connection, walk: &Walk, seq: i64) -> rusqlite::Result<Option<MessageRow>> {
        let mut found = self.check.query(walk.parameters(seq))?;
        found.next()?.map(|found| self.known.line(connection, found)).transpose()
    }

    /// The lines of these messages, in their order, by one statement: to begin one costs as much as a row.
    fn all(&mut self, connection: &Connection, seqs: &[i64]) -> rusqlite::Result<Vec<MessageRow>> {
        let mut statement = connection.prepare_cached(&format!(
            "SELECT {LINE} FROM json_each(?1) AS wanted CROSS JOIN message m ON m.seq = wanted.value"
        ))?;
        let mut found = statement.query([numbers(seqs)])?;
        let mut rows = Vec::with_capacity(seqs.len());
        while let Some(found) = found.next()? {
            rows.push(self.known.line(connection, found)?);
        }
        Ok(rows)
    }
}

/// Numbers as `json_each` reads them.
pub(super) fn numbers(seqs: &[i64]) -> String {
    let mut list = String::with_capacity(2 + seqs.len() * 8);
    for seq in seqs {
        list.push(if list.is_empty() { '[' } else { ',' });
        let _ = write!(list, "{seq}");
    }
    list.push_str(if list.is_empty() { "[]" } else { "]" });
    list
}

fn newest(
    connection: &Connection,
    walk: &Walk,
    lines: &mut Lines<'_, '_>,
    before: i64,
    limit: usize,
    patience: &Patience,
) -> rusqlite::Result<MessagePage> {
    let mut rows = Vec::new();
    if walk.is_exact() {
        let mut found = Vec::new();
        let next = walk.each(connection, before, limit, patience, |seq| {
            found.push(seq);
            let enough = found.len() >= limit || patience.is_over();
            Ok(if enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        return Ok(MessagePage { rows: lines.all(connection, &found)?, next });
    }
    let next = walk.each(connection, before, limit, patience, |seq| {
        rows.extend(lines.line(connection, walk, seq)?);
        let enough = rows.len() >= limit || patience.is_over();
        Ok(if enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })?;
    Ok(MessagePage { rows, next })
}

fn best(
    connection: &Connection,
    walk: &Walk,
    lines: &mut Lines<'_, '_>,
    words: &str,
    before: i64,
    limit: usize,
    patience: &Patience,
) -> rusqlite::Result<MessagePage> {
    let mut matches = Vec::new();
    let mut check = walk.check(connection, "1")?;
    let next = walk.each(connection, before, RANKED, patience, |seq| {
        if walk.is_exact() || check.exists(walk.parameters(seq))? {
            matches.push(seq);
        }
        let enough = matches.len() >= RANKED || patience.is_over_for_ranking();
        Ok(if enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })?;
    let ranks = ranks(connection, words, &matches, patience)?;
    let rank = |seq: &i64| ranks.get(seq).copied().unwrap_or_default();
    // What there was no time to rank comes with those before it.
    let next = if let Some(first) = matches.iter().position(|seq| !ranks.contains_key(seq)).filter(|first| *first > 0) {
        matches.truncate(first);
        matches.last().copied()
    } else {
        next
    };
    // It is stable: of two that fit as well the newer comes first.
    matches.sort_by(|a, b| rank(a).total_cmp(&rank(b)));
    matches.truncate(limit);
    Ok(MessagePage { rows: lines.all(connection, &matches)?, next })
}

/// How well the messages at `matches` fit, the newest first, until `patience` is over; the least number is the best.
fn ranks(
    connection: &Connection,
    words: &str,
    matches: &[i64],
    patience: &Patience,
) -> rusqlite::Result<HashMap<i64, f64>> {
    let mut ranks = HashMap::new();
    let (Some(newest), Some(oldest)) = (matches.first(), matches.last()) else { return Ok(ranks) };
    let list = numbers(matches);
    for part in parts(connection, newest + 1)? {
        let n = part.n;
        // With a `+` the list is no way to look rows up, one by one, but a sieve before what is dear: the rank.
        let mut statement = connection.prepare_cached(&format!(
            "SELECT rowid, bm25(search_{n}, 4.0, 2.0, 1.0) FROM search_{n}
             WHERE search_{n} MATCH ?1 AND rowid >= ?2 AND rowid <= ?3 AND +rowid IN (SELECT value FROM json_each(?4))
             ORDER BY rowid DESC"
        ))?;
        let mut rows = statement.query(params![words, oldest, newest, list])?;
        while let Some(row) = rows.next()? {
            ranks.insert(row.get(0)?, row.get(1)?);
            if patience.is_over() {
                return Ok(ranks);
            }
        }
        if part.first <= *oldest {
            break;
        }
    }
    Ok(ranks)
}

/// The FTS5 expression for the words of a filter that are finished; `None` when it has none.
fn ranking(filter: &InboxFilter) -> Option<String> {
    let expression = expression(filter)?;
    let finished: Vec<&str> = expression.split(" AND ").filter(|word| !word.ends_with('*')).collect();
    (!finished.is_empty()).then(|| finished.join(" AND "))
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
    let words: Vec<&str> = search_words(typed).take(WORDS_MAX).collect();
    let last = words.len().saturating_sub(1);
    let quoted = words.iter().enumerate().map(|(index, word)| {
        let star = if index == last && !finished && word.len() > 1 { "*" } else { "" };
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
        assert_eq!(expression("late o").as_deref(), Some("\"late\" AND \"o\""), "nearly everything begins so");
        assert_eq!(
            expression("a\" OR NEAR(b) subject:cd*").as_deref(),
            Some("\"a\" AND \"OR\" AND \"NEAR\" AND \"b\" AND \"subject\" AND \"cd\"*")
        );
        assert_eq!(expression("  \"*- "), None);
    }
}
