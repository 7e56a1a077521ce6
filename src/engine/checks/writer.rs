//! What is to be written down of results: gathered, and handed out about once a second.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::model::Failure;
use crate::store::{CheckBatch, CheckResult, Span, StoreError};

use super::restore::counts;
use super::watch::Watch;

/// How often there is a transaction.
const EVERY: Duration = Duration::from_secs(1);
/// A minute is over this long after its end: most looks that began in it are over too.
const LATE: SignedDuration = SignedDuration::from_secs(15);
/// Rows of each kind that wait for a store that cannot write; beyond it the oldest are given up.
const MOST: usize = 100_000;
/// How often old rows are forgotten.
const FORGET_EVERY: Duration = Duration::from_secs(10);
/// Nothing is forgotten for so long after the clock has jumped: it may jump back.
const UNSURE: Duration = Duration::from_mins(15);
/// Minutes by which the clock is back before it was ahead; less is a correction.
const BACK: i64 = 60;

/// Results on their way into the store.
#[derive(Debug)]
pub(super) struct Writer {
    batch: CheckBatch,
    /// One state a check: the newest.
    states: HashMap<i64, String>,
    /// Checks that are gone but not written down.
    leaving: HashMap<i64, Watch>,
    writing: bool,
    forgetting: bool,
    next: Duration,
    next_forget: Duration,
    minute: i64,
    /// Why the last batch could not be written.
    failed: Option<String>,
}

impl Writer {
    /// A writer that begins now.
    pub(super) fn new() -> Self {
        Self {
            batch: CheckBatch::default(),
            states: HashMap::new(),
            leaving: HashMap::new(),
            writing: false,
            forgetting: false,
            next: Duration::ZERO,
            next_forget: Duration::ZERO,
            minute: 0,
            failed: None,
        }
    }

    /// A result, the failure to keep in full, and the state to keep.
    pub(super) fn note(&mut self, result: CheckResult, failure: Option<Failure>, state: Option<String>) {
        self.batch.results.push(result);
        self.batch.failures.extend(failure.map(|failure| (result.check, failure)));
        self.states.extend(state.map(|state| (result.check, state)));
    }

    /// Whether nothing is on its way.
    pub(super) fn rests(&self) -> bool {
        self.batch.is_empty() && self.states.is_empty() && !self.writing && !self.forgetting
    }

    /// The state to keep of a check, if there is another.
    pub(super) fn keep(&mut self, check: i64, state: Option<String>) {
        self.states.extend(state.map(|state| (check, state)));
    }

    /// What is to be written now, if it is time.
    pub(super) fn batch(
        &mut self,
        watches: &mut HashMap<i64, Watch>,
        now: Duration,
        wall: Timestamp,
    ) -> Option<Arc<CheckBatch>> {
        if self.writing || now < self.next {
            return None;
        }
        self.next = now + EVERY;
        let over = wall.checked_sub(LATE).map_or(0, |wall| Span::Minute.of(wall));
        if over < self.minute - BACK {
            // What was counted meanwhile is handed out when its time comes, and no longer shown.
            for watch in watches.values_mut() {
                watch.ledger.forget_after(wall);
            }
            self.minute = 0;
        }
        if over > self.minute {
            self.minute = over;
            self.close_minutes(watches, over);
        }
        self.batch.states.extend(self.states.drain());
        if self.batch.is_empty() {
            return None;
        }
        self.writing = true;
        Some(Arc::new(std::mem::take(&mut self.batch)))
    }

    fn close_minutes(&mut self, watches: &mut HashMap<i64, Watch>, minute: i64) {
        self.hand_out(watches, minute);
        self.batch.minute = Some(minute);
        self.batch.hour = Some(minute.div_euclid(60));
    }

    /// Minutes before `minute` are to be written, and the hours before that minute's.
    fn hand_out(&mut self, watches: &mut HashMap<i64, Watch>, minute: i64) {
        let hour = minute.div_euclid(60);
        for (number, watch) in watches.iter_mut().chain(&mut self.leaving) {
            let minutes = watch.ledger.take_minutes(minute);
            self.batch.minutes.extend(minutes.iter().map(|(at, rollup)| counts(*number, *at, rollup)));
            let hours = watch.ledger.take_hours(hour);
            self.batch.hours.extend(hours.iter().map(|(at, rollup)| counts(*number, *at, rollup)));
        }
        self.leaving.retain(|_, watch| !watch.ledger.is_written());
    }

    /// Checks that are gone: they stay until the minutes and hours they were part of are written down.
    pub(super) fn part_with(&mut self, watches: HashMap<i64, Watch>) {
        for (number, mut watch) in watches {
            watch.leave();
            self.states.extend(watch.changed().map(|state| (number, state)));
            if !watch.ledger.is_written() {
                self.leaving.insert(number, watch);
            }
        }
    }

    /// Checks that are gone and not written down.
    pub(super) fn leaving(&self) -> impl Iterator<Item = (&i64, &Watch)> {
        self.leaving.iter()
    }

    /// Checks that are gone, should they be wanted again.
    pub(super) fn take_leaving(&mut self) -> HashMap<i64, Watch> {
        std::mem::take(&mut self.leaving)
    }

    /// What is left when the task ends.
    pub(super) fn last(&mut self, watches: &mut HashMap<i64, Watch>) -> CheckBatch {
        for (number, watch) in &mut *watches {
            self.states.extend(watch.changed().map(|state| (*number, state)));
        }
        self.batch.states.extend(self.states.drain());
        // What came after its minute was over: nobody would count it again.
        self.hand_out(watches, self.minute);
        std::mem::take(&mut self.batch)
    }

    /// Whether a batch is being written.
    pub(super) fn is_writing(&self) -> bool {
        self.writing
    }

    /// A batch was written, or is to be written again.
    pub(super) fn written(&mut self, batch: Arc<CheckBatch>, result: Result<(), StoreError>) {
        self.writing = false;
        let Err(error) = result else {
            self.failed = None;
            return;
        };
        self.failed = Some(format!("results wait to be written: {error}"));
        let newer = std::mem::replace(&mut self.batch, Arc::unwrap_or_clone(batch));
        let all = &mut self.batch;
        append(&mut all.results, newer.results);
        append(&mut all.failures, newer.failures);
        append(&mut all.states, newer.states);
        append(&mut all.minutes, newer.minutes);
        append(&mut all.hours, newer.hours);
        all.minute = newer.minute.or(all.minute);
        all.hour = newer.hour.or(all.hour);
    }

    /// Why results wait, if they do.
    pub(super) fn failed(&self) -> Option<&str> {
        self.failed.as_deref()
    }

    /// Whether it is time to forget old rows.
    pub(super) fn may_forget(&mut self, now: Duration) -> bool {
        let may = !self.forgetting && now >= self.next_forget;
        if may {
            self.forgetting = true;
            self.next_forget = now + FORGET_EVERY;
        }
        may
    }

    /// The clock has jumped: what is old by it may not be.
    pub(super) fn doubt_the_clock(&mut self, now: Duration) {
        self.next_forget = now + UNSURE;
    }

    /// Old rows were forgotten; with `more` the next slice follows at once.
    pub(super) fn forgotten(&mut self, more: bool) {
        self.forgetting = false;
        if more {
            self.next_forget = self.next_forget.saturating_sub(FORGET_EVERY);
        }
    }
}

fn append<T>(older: &mut Vec<T>, newer: Vec<T>) {
    older.extend(newer);
    let over = older.len().saturating_sub(MOST);
    older.drain(..over);
}

#[cfg(test)]
mod tests {
    use crate::model::Verdict;

    use super::*;

    fn result(n: i64) -> CheckResult {
        let at = Timestamp::from_second(1_700_000_000 + n).expect("in range");
        CheckResult { check: 1, at, verdict: Verdict::Ok, took: Duration::from_millis(n.unsigned_abs()) }
    }

    #[test]
    fn what_could_not_be_written_is_written_with_the_next() {
        let (mut writer, mut none) = (Writer::new(), HashMap::new());
        let second = Duration::from_secs;
        writer.note(result(1), None, Some("a".into()));
        let first = writer.batch(&mut none, second(1), result(1).at).expect("something");
        assert!(first.minute.is_some(), "everything before is counted");
        writer.note(result(2), None, Some("b".into()));
        assert!(writer.batch(&mut none, second(3), result(3).at).is_none(), "one at a time");
        writer.written(first, Err(StoreError::Full));
        let both = writer.batch(&mut none, second(4), result(4).at).expect("something");
        assert_eq!(both.results, [result(1), result(2)]);
        assert_eq!(both.states, [(1, "a".to_owned()), (1, "b".to_owned())], "the newest comes last");
        assert!(both.minute.is_some());
        writer.written(both, Ok(()));
        assert!(writer.batch(&mut none, second(5), result(5).at).is_none(), "there is nothing");
    }

    #[test]
    fn slices_follow_while_there_is_more() {
        let mut writer = Writer::new();
        assert!(writer.may_forget(Duration::from_secs(1)));
        assert!(!writer.may_forget(Duration::from_mins(1)), "one at a time");
        writer.forgotten(true);
        assert!(writer.may_forget(Duration::from_secs(2)));
        writer.forgotten(false);
        assert!(!writer.may_forget(Duration::from_secs(3)));
        writer.doubt_the_clock(Duration::from_secs(20));
        assert!(!writer.may_forget(Duration::from_mins(15)), "the clock has jumped");
        assert!(writer.may_forget(Duration::from_mins(16)));
    }
}
