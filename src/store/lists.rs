//! Lists of places, the newest first, and the places that stand in all of several.
//!
//! A list is read a piece at a time. What stands in several is found by leaps: each list in turn says which of its places
//! comes next at or below where the others are, so that what a short list leaves out is hardly read in a long one.

use std::ops::ControlFlow;

use rusqlite::{CachedStatement, Connection, params, params_from_iter};

use super::patience::Patience;
use super::search_index::{Part, parts};

/// Places in the first piece of a list that is one of several, and in the first after a leap.
const LEAP: usize = 16;
/// Places in a piece, at most.
const PIECE: usize = 1_024;

/// Where a list goes on.
enum Reach {
    /// Its newest place at or below the one that was asked for.
    At(i64),
    /// Somewhere below; it holds nothing from there to the one that was asked for.
    Below(i64),
    /// Nowhere.
    End,
}

/// Where the places come from.
enum Source<'c> {
    /// A statement that lists them. Its last parameters are the place to begin at, and how many.
    Table { statement: CachedStatement<'c>, parameter: Option<i64> },
    /// The places that stand in any of these; none of them has words.
    AnyOf(Vec<List<'c>>),
    /// The parts of the search index that are left, for these words.
    Words { connection: &'c Connection, words: &'c str, parts: std::vec::IntoIter<Part>, part: Option<Part> },
}

/// A list of places, read from the newest down.
pub(super) struct List<'c> {
    source: Source<'c>,
    /// The piece that was read last.
    piece: Vec<i64>,
    /// How much of it is above what was asked for.
    passed: usize,
    /// Places in the next piece.
    size: usize,
    /// Places in the first piece after a leap.
    least: usize,
    is_over: bool,
}

impl<'c> List<'c> {
    /// What a statement lists. Its last parameters are the place to begin at and how many, behind `parameter` if given.
    pub(super) fn table(connection: &'c Connection, sql: &str, parameter: Option<i64>) -> rusqlite::Result<Self> {
        Ok(Self::new(Source::Table { statement: connection.prepare_cached(sql)?, parameter }, LEAP))
    }

    /// What a statement lists for any of `parameters`, as one list.
    pub(super) fn any_of(connection: &'c Connection, sql: &str, parameters: &[i64]) -> rusqlite::Result<Self> {
        let lists = parameters.iter().map(|parameter| Self::table(connection, sql, Some(*parameter)));
        Ok(Self::new(Source::AnyOf(lists.collect::<Result<_, _>>()?), LEAP))
    }

    /// The messages before `before` that hold `words`.
    pub(super) fn words(connection: &'c Connection, words: &'c str, before: i64) -> rusqlite::Result<Self> {
        let mut parts = parts(connection, before)?.into_iter();
        let part = parts.next();
        // For a word that is only begun each question gathers all words that begin so, so there had better be few.
        let least = if words.contains('*') { PIECE } else { LEAP };
        Ok(Self::new(Source::Words { connection, words, parts, part }, least))
    }

    fn new(source: Source<'c>, least: usize) -> Self {
        Self { source, piece: Vec::new(), passed: 0, size: least, least, is_over: false }
    }

    fn reach(&mut self, place: i64) -> rusqlite::Result<Reach> {
        if let Some(found) = self.in_piece(place) {
            return Ok(Reach::At(found));
        }
        if self.is_over {
            return Ok(Reach::End);
        }
        self.grow(place);
        self.piece.clear();
        self.passed = 0;
        let rest = self.read(place)?;
        Ok(match (self.piece.first(), rest) {
            (Some(found), _) => Reach::At(*found),
            (None, Some(rest)) => Reach::Below(rest),
            (None, None) => Reach::End,
        })
    }

    fn in_piece(&mut self, place: i64) -> Option<i64> {
        self.passed += self.piece[self.passed..].partition_point(|found| *found > place);
        self.piece.get(self.passed).copied()
    }

    /// A longer piece for whoever takes one place after the other, a short one for whoever leaps.
    fn grow(&mut self, place: i64) {
        if let (Some(first), Some(last)) = (self.piece.first(), self.piece.last()) {
            self.size = if last - place <= first - last { (self.size * 2).min(PIECE) } else { self.least };
        }
    }

    /// Reads a piece from `place` down; answers where there may be more when it is empty.
    fn read(&mut self, place: i64) -> rusqlite::Result<Option<i64>> {
        let size = i64::try_from(self.size).unwrap_or(i64::MAX);
        match &mut self.source {
            Source::Table { statement, parameter } => {
                let mut rows = statement.query(params_from_iter(parameter.iter().chain([&place, &size])))?;
                while let Some(row) = rows.next()? {
                    self.piece.push(row.get(0)?);
                }
                self.is_over = self.piece.len() < self.size;
                Ok(None)
            }
            Source::AnyOf(lists) => {
                let mut place = place;
                while self.piece.len() < self.size {
                    let mut newest = None;
                    for list in lists.iter_mut() {
                        if let Reach::At(found) = list.reach(place)? {
                            newest = newest.max(Some(found));
                        }
                    }
                    let Some(found) = newest else { break };
                    self.piece.push(found);
                    place = found - 1;
                }
                self.is_over = self.piece.len() < self.size;
                Ok(None)
            }
            Source::Words { connection, words, parts, part } => {
                while part.is_some_and(|part| part.first > place) {
                    *part = parts.next();
                }
                let Some(Part { n, first }) = *part else { return Ok(None) };
                let mut statement = connection.prepare_cached(&format!(
                    "SELECT rowid FROM search_{n} WHERE search_{n} MATCH ?1 AND rowid <= ?2 ORDER BY rowid DESC LIMIT ?3"
                ))?;
                let mut rows = statement.query(params![*words, place, size])?;
                while let Some(row) = rows.next()? {
                    self.piece.push(row.get(0)?);
                }
                if self.piece.len() < self.size {
                    *part = parts.next();
                    self.is_over = part.is_none();
                }
                Ok(part.map(|_| first - 1))
            }
        }
    }
}

/// Takes each place before `before` that stands in all of `lists`, the newest first, until `take` has enough or
/// `patience` is over. Answers where to go on, `None` at the end. `wanted` is how many places `take` hopes for.
pub(super) fn each(
    mut lists: Vec<List<'_>>,
    before: i64,
    wanted: usize,
    patience: &Patience,
    mut take: impl FnMut(i64) -> rusqlite::Result<ControlFlow<()>>,
) -> rusqlite::Result<Option<i64>> {
    if let [only] = lists.as_mut_slice() {
        only.size = wanted.clamp(1, PIECE);
    }
    let all = lists.len();
    // How many lists in a row hold the place.
    let (mut place, mut holding, mut turn) = (before.saturating_sub(1), 0, 0);
    while let Some(list) = lists.get_mut(turn) {
        match list.reach(place)? {
            Reach::End => return Ok(None),
            Reach::At(found) if found == place => holding += 1,
            Reach::At(found) => (place, holding) = (found, 1),
            Reach::Below(rest) => (place, holding) = (rest, 0),
        }
        turn = (turn + 1) % all;
        if holding == all {
            if take(place)?.is_break() {
                return Ok(Some(place));
            }
            (place, holding) = (place - 1, 0);
        } else if place + 1 < before && patience.is_over() {
            return Ok(Some(place + 1));
        }
    }
    // There is no list, so nothing stands in all of them.
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use proptest::prelude::*;

    use super::*;

    const SQL: [&str; 3] = [
        "SELECT seq FROM a WHERE seq <= ?1 ORDER BY seq DESC LIMIT ?2",
        "SELECT seq FROM b WHERE seq <= ?1 ORDER BY seq DESC LIMIT ?2",
        "SELECT seq FROM c WHERE seq <= ?1 ORDER BY seq DESC LIMIT ?2",
    ];

    fn tables(held: &[BTreeSet<i64>]) -> Connection {
        let connection = Connection::open_in_memory().expect("opens");
        for (name, held) in ["a", "b", "c"].iter().zip(held) {
            connection.execute_batch(&format!("CREATE TABLE {name} (seq INTEGER PRIMARY KEY)")).expect("creates");
            let mut insert = connection.prepare(&format!("INSERT INTO {name} VALUES (?1)")).expect("prepares");
            for seq in held {
                insert.execute([seq]).expect("inserts");
            }
        }
        connection
    }

    /// What stands in all lists before `before`, at most `limit`, and where to go on.
    fn page(connection: &Connection, lists: usize, before: i64, limit: usize) -> (Vec<i64>, Option<i64>) {
        let lists = SQL[..lists].iter().map(|sql| List::table(connection, sql, None).expect("a list"));
        let mut found = Vec::new();
        let next = each(lists.collect(), before, limit, &Patience::endless(), |place| {
            found.push(place);
            Ok(if found.len() == limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        });
        (found, next.expect("reads"))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn what_stands_in_all_lists_is_found_once_and_in_order(
            held in prop::collection::vec((1i64..40, prop::collection::btree_set(1i64..2_000, 0..400)), 1..=3),
            limit in 1usize..90,
        ) {
            // Some lists are dense and some are sparse.
            let held: Vec<BTreeSet<i64>> = held
                .into_iter()
                .map(|(dense, more)| (1..=2_000).filter(|seq| seq % 40 < dense - 1).chain(more).collect())
                .collect();
            let connection = tables(&held);
            let (mut found, mut before) = (Vec::new(), i64::MAX);
            loop {
                let (more, next) = page(&connection, held.len(), before, limit);
                found.extend(more);
                let Some(next) = next else { break };
                prop_assert!(next < before);
                before = next;
            }
            let in_all = |seq: &i64| held.iter().all(|held| held.contains(seq));
            prop_assert_eq!(found, (1..=2_000).rev().filter(in_all).collect::<Vec<_>>());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn what_stands_in_any_of_some_lists_is_one_list(
            held in prop::collection::vec(prop::collection::btree_set(1i64..2_000, 0..300), 1..5),
            other in prop::collection::btree_set(1i64..2_000, 0..900),
            limit in 1usize..90,
        ) {
            const OF: &str = "SELECT seq FROM of WHERE who = ?1 AND seq <= ?2 ORDER BY seq DESC LIMIT ?3";
            let connection = tables(std::slice::from_ref(&other));
            connection.execute_batch("CREATE TABLE of (who, seq, PRIMARY KEY (who, seq))").expect("creates");
            for (who, held) in held.iter().enumerate() {
                for seq in held {
                    connection.execute("INSERT INTO of VALUES (?1, ?2)", [i64::try_from(who).expect("few"), *seq]).expect("inserts");
                }
            }
            let who: Vec<i64> = (0..).take(held.len()).collect();
            let (mut found, mut before) = (Vec::new(), i64::MAX);
            loop {
                let any = List::any_of(&connection, OF, &who).expect("a list");
                let both = vec![any, List::table(&connection, SQL[0], None).expect("a list")];
                let so_far = found.len();
                let next = each(both, before, limit, &Patience::endless(), |place| {
                    found.push(place);
                    let enough = found.len() - so_far == limit;
                    Ok(if enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
                });
                let Some(next) = next.expect("reads") else { break };
                before = next;
            }
            let any: BTreeSet<i64> = held.into_iter().flatten().collect();
            let both: BTreeSet<i64> = any.intersection(&other).copied().collect();
            prop_assert_eq!(found, both.into_iter().rev().collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_long_list_is_hardly_read_where_a_short_one_leaps() {
        let short = BTreeSet::from([1, 2_000, 40_000]);
        let mut connection = tables(&[(1..=50_000).collect(), short.clone(), (1..=50_000).collect()]);
        let steps = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&steps);
        let count = move || {
            counted.fetch_add(1, Ordering::Relaxed);
            false
        };
        connection.progress_handler(1, Some(count)).expect("counts");
        assert_eq!(page(&connection, 3, i64::MAX, 100), (short.into_iter().rev().collect(), None));
        let steps = steps.load(Ordering::Relaxed);
        assert!((100..5_000).contains(&steps), "{steps} steps for three places among 50,000");
    }

    #[test]
    fn who_has_no_patience_is_told_where_to_go_on_and_comes_to_an_end() {
        let (odd, even) = (1..=9_999).partition::<BTreeSet<i64>, _>(|seq| seq % 2 == 1);
        let connection = tables(&[odd, even]);
        let patience = Patience::for_answer();
        std::thread::sleep(std::time::Duration::from_millis(30));
        let (mut before, mut asked) = (10_000, 0);
        loop {
            let lists = SQL[..2].iter().map(|sql| List::table(&connection, sql, None).expect("a list"));
            let take = |_| -> rusqlite::Result<ControlFlow<()>> { unreachable!("nothing stands in both") };
            let next = each(lists.collect(), before, 10, &patience, take).expect("reads");
            let Some(next) = next else { break };
            assert!(next < before, "{next} is not before {before}");
            (before, asked) = (next, asked + 1);
        }
        assert!(asked > 1_000, "it was asked on {asked} times");
        assert_eq!(each(Vec::new(), 10, 10, &patience, |_| unreachable!("there is no list")).expect("reads"), None);
    }
}
