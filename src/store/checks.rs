//! Results of checks: as they came, counted by minute and hour, failures in full.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use crate::model::{CheckId, Failure, Verdict};

use super::events::timestamp;
use super::{Store, StoreError};

/// Failures kept in full, of each check.
const FAILURES: i64 = 20;
/// Longest failure; steps beyond it are left out.
const FAILURE_BYTES: usize = 16 << 10;

/// A result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckResult {
    /// The number of the check.
    pub check: i64,
    /// When the look began.
    pub at: Timestamp,
    /// What it found.
    pub verdict: Verdict,
    /// How long it took.
    pub took: Duration,
}

/// The counts of a check in one minute or hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckCounts {
    /// The number of the check.
    pub check: i64,
    /// Which minute or hour since 1970.
    pub at: i64,
    /// Results that were ok, a warning, critical, and looks that could say nothing.
    pub counts: [u32; 4],
    /// The longest look.
    pub longest: Duration,
    /// The histogram of latencies; the store does not look into it.
    pub latencies: Vec<u8>,
}

/// Stretches of time results are counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    /// Minutes, kept for 30 days.
    Minute,
    /// Hours, kept for 400 days.
    Hour,
}

impl Span {
    /// Its length in seconds.
    #[must_use]
    pub fn seconds(self) -> i64 {
        match self {
            Self::Minute => 60,
            Self::Hour => 3_600,
        }
    }

    /// The one `at` lies in, counted since 1970.
    #[must_use]
    pub fn of(self, at: Timestamp) -> i64 {
        at.as_second().div_euclid(self.seconds())
    }

    fn table(self) -> &'static str {
        match self {
            Self::Minute => "check_minute",
            Self::Hour => "check_hour",
        }
    }

    fn watermark(self) -> &'static str {
        match self {
            Self::Minute => "check-minutes",
            Self::Hour => "check-hours",
        }
    }
}

/// Everything that is written in one transaction.
#[derive(Debug, Clone, Default)]
pub struct CheckBatch {
    /// Results, in the order they came.
    pub results: Vec<CheckResult>,
    /// Failures in full, by the number of the check.
    pub failures: Vec<(i64, Failure)>,
    /// What results have come to, by the number of the check; the store does not look into it.
    pub states: Vec<(i64, String)>,
    /// Minutes that are over.
    pub minutes: Vec<CheckCounts>,
    /// Hours that are over.
    pub hours: Vec<CheckCounts>,
    /// The first minute that is not over.
    pub minute: Option<i64>,
    /// The first hour that is not over.
    pub hour: Option<i64>,
}

impl CheckBatch {
    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.results.is_empty() && self.failures.is_empty() && self.states.is_empty() && self.minute.is_none()
    }
}

/// What is kept of one check when the engine starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptCheck {
    /// Its id.
    pub id: CheckId,
    /// Its number.
    pub number: i64,
    /// What its results had come to.
    pub state: Option<String>,
}

impl Store {
    /// The numbers and states of `ids`; a new check gets a number.
    ///
    /// # Errors
    /// When the store cannot write.
    pub async fn kept_checks(&self, ids: Vec<CheckId>) -> Result<Vec<KeptCheck>, StoreError> {
        self.write(move |transaction| {
            ids.into_iter()
                .map(|id| {
                    transaction.execute("INSERT OR IGNORE INTO check_name (id) VALUES (?1)", [id.as_str()])?;
                    transaction.query_row("SELECT n, state FROM check_name WHERE id = ?1", [id.as_str()], |row| {
                        Ok(KeptCheck { id: id.clone(), number: row.get(0)?, state: row.get(1)? })
                    })
                })
                .collect()
        })
        .await
    }

    /// The number of a check that has results.
    ///
    /// # Errors
    /// When the store cannot read.
    pub fn check_number(&self, id: &CheckId) -> Result<Option<i64>, StoreError> {
        self.read(|connection| {
            connection.query_row("SELECT n FROM check_name WHERE id = ?1", [id.as_str()], |row| row.get(0)).optional()
        })
    }

    /// Writes `batch`, all of it or nothing.
    ///
    /// # Errors
    /// When the store cannot write.
    pub async fn keep_checks(&self, batch: Arc<CheckBatch>) -> Result<(), StoreError> {
        self.write(move |transaction| {
            let mut insert = transaction
                .prepare_cached("INSERT INTO check_result (at, n, verdict, took) VALUES (?1, ?2, ?3, ?4)")?;
            for result in &batch.results {
                let took = micros(result.took);
                insert.execute(params![result.at.as_microsecond(), result.check, rank(result.verdict), took])?;
            }
            let mut insert = transaction.prepare_cached("UPDATE check_name SET state = ?2 WHERE n = ?1")?;
            for (check, state) in &batch.states {
                insert.execute(params![check, state])?;
            }
            keep_failures(transaction, &batch.failures)?;
            for (span, counted, mark) in
                [(Span::Minute, &batch.minutes, batch.minute), (Span::Hour, &batch.hours, batch.hour)]
            {
                keep_counts(transaction, span, counted)?;
                if let Some(mark) = mark {
                    // A little back is a late batch or a corrected clock; far back, the clock was ahead when it was set.
                    let sql = "UPDATE watermark SET seq = CASE WHEN ?2 < seq - ?3 THEN ?2 ELSE max(seq, ?2) END
                               WHERE name = ?1";
                    let hour = 3_600 / span.seconds();
                    transaction.prepare_cached(sql)?.execute(params![span.watermark(), mark, hour])?;
                }
            }
            Ok(())
        })
        .await
    }

    /// The first `span` that is not counted in rows yet, at most that of `now`: one beyond it was set while the clock
    /// was ahead.
    ///
    /// # Errors
    /// When the store cannot read.
    pub fn check_mark(&self, span: Span, now: Timestamp) -> Result<i64, StoreError> {
        let mark: i64 = self.read(|connection| {
            let sql = "SELECT seq FROM watermark WHERE name = ?1";
            connection.query_row(sql, [span.watermark()], |row| row.get(0))
        })?;
        Ok(mark.min(span.of(now)))
    }

    /// The newest `limit` results that are not older than `since`, newest first; those of `check` alone when it
    /// is given. What came much later than it began may be missing.
    ///
    /// # Errors
    /// When the store cannot read.
    pub fn check_results(
        &self,
        check: Option<i64>,
        since: Timestamp,
        limit: usize,
    ) -> Result<Vec<CheckResult>, StoreError> {
        // Results come in the order of their ends: one that began earlier than its neighbours may stand among them.
        const DISORDER: i64 = 600_000_000;
        self.read(|connection| {
            let mut select =
                connection.prepare_cached("SELECT at, n, verdict, took FROM check_result ORDER BY seq DESC")?;
            let mut rows = select.query([])?;
            let (since, mut found) = (since.as_microsecond(), Vec::new());
            while let Some(row) = rows.next()? {
                let (at, number): (i64, i64) = (row.get(0)?, row.get(1)?);
                if at < since - DISORDER || found.len() >= limit {
                    break;
                }
                if at >= since && check.is_none_or(|check| check == number) {
                    let took = Duration::from_micros(row.get(3)?);
                    found.push(CheckResult { check: number, at: timestamp(at), verdict: verdict(row.get(2)?), took });
                }
            }
            Ok(found)
        })
    }

    /// Hands out the counts of all checks in the minutes or hours of `range`, newest first, at most `limit`.
    ///
    /// # Errors
    /// When the store cannot read.
    pub fn each_check_counts(
        &self,
        span: Span,
        range: Range<i64>,
        limit: usize,
        mut take: impl FnMut(CheckCounts),
    ) -> Result<(), StoreError> {
        self.read(|connection| {
            let sql =
                format!("SELECT {COUNTS} FROM {} WHERE at >= ?1 AND at < ?2 ORDER BY at DESC LIMIT ?3", span.table());
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let mut select = connection.prepare_cached(&sql)?;
            for row in select.query_map(params![range.start, range.end, limit], counts)? {
                take(row?);
            }
            Ok(())
        })
    }

    /// The counts of one check in the minutes or hours `from` to before `to`, oldest first.
    ///
    /// # Errors
    /// When the store cannot read.
    pub fn check_counts(&self, span: Span, check: i64, from: i64, to: i64) -> Result<Vec<CheckCounts>, StoreError> {
        self.read(|connection| {
            // Time comes first in the key: one look for each minute reads less than all checks of the range.
            let sql = format!("SELECT {COUNTS} FROM {} WHERE at = ?1 AND n = ?2", span.table());
            let first = format!("SELECT at FROM {} WHERE at >= ?1 ORDER BY at LIMIT 1", span.table());
            let begins: Option<i64> =
                connection.prepare_cached(&first)?.query_row([from], |row| row.get(0)).optional()?;
            let mut select = connection.prepare_cached(&sql)?;
            let mut found = Vec::new();
            for at in begins.unwrap_or(to)..to {
                for row in select.query_map(params![at, check], counts)? {
                    found.push(row?);
                }
            }
            Ok(found)
        })
    }

    /// The last failures of a check in full, newest first. One that cannot be read is left out.
    ///
    /// # Errors
    /// When the store cannot read.
    pub fn check_failures(&self, check: i64) -> Result<Vec<Failure>, StoreError> {
        self.read(|connection| {
            let sql = "SELECT body FROM check_failure WHERE n = ?1 ORDER BY seq DESC LIMIT ?2";
            let mut select = connection.prepare_cached(sql)?;
            let rows = select.query_map(params![check, FAILURES], |row| row.get::<_, String>(0))?;
            let bodies = rows.collect::<Result<Vec<String>, _>>()?;
            Ok(bodies.iter().filter_map(|body| serde_json::from_str(body).ok()).collect())
        })
    }

    /// Forgets what is older than it is kept, at most `slice` rows of each kind, so that it takes a few
    /// milliseconds. Answers whether there is more.
    ///
    /// # Errors
    /// When the store cannot write.
    pub async fn forget_checks(&self, now: Timestamp, slice: usize) -> Result<bool, StoreError> {
        const DAY: i64 = 86_400;
        self.write(move |transaction| {
            let limit = i64::try_from(slice).unwrap_or(i64::MAX);
            let oldest = (now.as_second() - 2 * DAY) * 1_000_000;
            // What was written while the clock was ahead is as old as the first row after it that it was not.
            let mut forgotten = vec![
                transaction
                    .prepare_cached(
                        "DELETE FROM check_result WHERE seq IN
                         (SELECT seq FROM (SELECT seq, at FROM check_result ORDER BY seq LIMIT ?2) WHERE at < ?1
                          OR at > ?3 AND (SELECT at FROM check_result WHERE at <= ?3 ORDER BY seq LIMIT 1) < ?1)",
                    )?
                    .execute(params![oldest, limit, now.as_microsecond()])?,
            ];
            for (span, days) in [(Span::Minute, 30), (Span::Hour, 400)] {
                let sql = format!(
                    "DELETE FROM {0} WHERE (at, n, part) IN (SELECT at, n, part FROM {0} WHERE at < ?1 ORDER BY at LIMIT ?2)",
                    span.table()
                );
                let before = span.of(now) - days * DAY / span.seconds();
                forgotten.push(transaction.prepare_cached(&sql)?.execute(params![before, limit])?);
            }
            Ok(forgotten.into_iter().any(|count| count >= slice))
        })
        .await
    }
}

const COUNTS: &str = "at, n, ok, warn, critical, unknown, longest, latencies";

fn counts(row: &rusqlite::Row<'_>) -> rusqlite::Result<CheckCounts> {
    Ok(CheckCounts {
        at: row.get(0)?,
        check: row.get(1)?,
        counts: [row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?],
        longest: Duration::from_micros(row.get(6)?),
        latencies: row.get(7)?,
    })
}

fn keep_counts(transaction: &Connection, span: Span, counted: &[CheckCounts]) -> rusqlite::Result<()> {
    let sql = format!(
        "INSERT INTO {0} (at, n, part, ok, warn, critical, unknown, longest, latencies)
         VALUES (?1, ?2, (SELECT coalesce(max(part) + 1, 0) FROM {0} WHERE at = ?1 AND n = ?2), ?3, ?4, ?5, ?6, ?7, ?8)",
        span.table()
    );
    let mut insert = transaction.prepare_cached(&sql)?;
    for row in counted {
        let [ok, warn, critical, unknown] = row.counts;
        insert.execute(params![row.at, row.check, ok, warn, critical, unknown, micros(row.longest), row.latencies])?;
    }
    Ok(())
}

fn keep_failures(transaction: &Connection, failures: &[(i64, Failure)]) -> rusqlite::Result<()> {
    let mut insert = transaction.prepare_cached("INSERT INTO check_failure (n, body) VALUES (?1, ?2)")?;
    let mut forget = transaction.prepare_cached(
        "DELETE FROM check_failure WHERE n = ?1 AND seq <=
         (SELECT seq FROM check_failure WHERE n = ?1 ORDER BY seq DESC LIMIT 1 OFFSET ?2)",
    )?;
    for (check, failure) in failures {
        if let Some(body) = failure_body(failure) {
            insert.execute(params![check, body])?;
            forget.execute(params![check, FAILURES])?;
        }
    }
    Ok(())
}

/// A failure as JSON of a bounded length: what was done last says most, so steps go from the front.
fn failure_body(failure: &Failure) -> Option<String> {
    let mut failure = failure.clone();
    loop {
        let body = serde_json::to_string(&failure).ok()?;
        if body.len() <= FAILURE_BYTES {
            return Some(body);
        }
        let steps = &mut failure.observation.steps;
        if steps.is_empty() {
            failure.observation.values.pop()?;
        } else {
            steps.drain(..steps.len().div_ceil(2));
        }
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

fn rank(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Ok => 0,
        Verdict::Warn => 1,
        Verdict::Critical => 2,
        Verdict::Unknown => 3,
    }
}

fn verdict(rank: u8) -> Verdict {
    match rank {
        0 => Verdict::Ok,
        1 => Verdict::Warn,
        2 => Verdict::Critical,
        _ => Verdict::Unknown,
    }
}
