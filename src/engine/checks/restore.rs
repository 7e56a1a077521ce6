//! Checks as the store remembers them.

use std::collections::HashMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::health::{Histogram, Rollup};
use crate::model::CheckPanel;
use crate::store::{CheckCounts, CheckResult, Span, Store, StoreError};

use super::super::projector::blocking;
use super::watch::{Prepared, Watch};

/// Rows read of each kind. What is older stays blank on the strip after a restart; the history has it.
const ROWS: usize = 200_000;
/// Strips are filled for so many hours back.
const STRIP_HOURS: i64 = 12;

/// The checks of `set` with what is known of them, by the number the store gives them.
pub(super) async fn restore(
    store: &std::sync::Arc<Store>,
    set: Vec<Prepared>,
    now: Duration,
    wall: Timestamp,
) -> Result<HashMap<i64, Watch>, StoreError> {
    let ids = set.iter().map(|plan| plan.config.id.clone()).collect();
    let kept = store.kept_checks(ids).await?;
    let watches = set.into_iter().zip(kept);
    let mut watches: HashMap<i64, Watch> =
        watches.map(|(plan, kept)| (kept.number, Watch::new(plan, kept.state.as_deref(), now, wall))).collect();
    let reading = std::sync::Arc::clone(store);
    let past = blocking(move || Past::read(&reading, wall)).await?;
    past.recall(&mut watches);
    for watch in watches.values_mut() {
        watch.plan_first(now, wall);
    }
    Ok(watches)
}

/// The checks of `set` as they are shown before anybody looks.
pub(super) async fn panels(
    store: &std::sync::Arc<Store>,
    set: Vec<Prepared>,
    wall: Timestamp,
) -> Result<Vec<CheckPanel>, StoreError> {
    let watches = restore(store, set, Duration::ZERO, wall).await?;
    Ok(watches.values().map(|watch| watch.panel(None, wall)).collect())
}

/// What is kept of all checks.
struct Past {
    hour_mark: i64,
    minute_mark: i64,
    hours: Vec<CheckCounts>,
    minutes: Vec<CheckCounts>,
    results: Vec<CheckResult>,
}

impl Past {
    fn read(store: &Store, wall: Timestamp) -> Result<Self, StoreError> {
        let (minute_mark, hour_mark) = (store.check_mark(Span::Minute)?, store.check_mark(Span::Hour)?);
        let hour = Span::Hour.of(wall);
        // Hours that are not counted yet are made of their minutes again, minutes of their results.
        let from = (hour_mark.max(hour - 24) * 60).min((hour - STRIP_HOURS) * 60);
        let mark = Timestamp::from_second(minute_mark * 60).unwrap_or(Timestamp::UNIX_EPOCH);
        let since = mark.max(wall.checked_sub(SignedDuration::from_hours(24)).unwrap_or(mark));
        Ok(Self {
            hour_mark,
            minute_mark,
            hours: store.all_check_counts(Span::Hour, hour - 24, ROWS)?,
            minutes: store.all_check_counts(Span::Minute, from, ROWS)?,
            results: store.check_results(None, since, ROWS)?,
        })
    }

    fn recall(self, watches: &mut HashMap<i64, Watch>) {
        for row in &self.hours {
            let Some(watch) = watches.get_mut(&row.check) else { continue };
            let rollup = rollup(row);
            watch.ledger.recall_hour(row.at, &rollup);
            if watch.ledger.step() >= 60 {
                watch.ledger.recall_slot(row.at * 60, &rollup);
            }
        }
        for row in &self.minutes {
            let Some(watch) = watches.get_mut(&row.check) else { continue };
            let (rollup, hour) = (rollup(row), row.at.div_euclid(60));
            if hour >= self.hour_mark {
                watch.ledger.recall_hour(hour, &rollup);
                watch.ledger.count_hour(hour, &rollup);
            }
            if watch.ledger.step() < 60 || hour >= self.hour_mark {
                watch.ledger.recall_slot(row.at, &rollup);
            }
        }
        for result in self.results.iter().rev() {
            let Some(watch) = watches.get_mut(&result.check) else { continue };
            watch.recall(result.at);
            if Span::Minute.of(result.at) >= self.minute_mark {
                watch.ledger.note(result.at, result.verdict, result.took);
            }
        }
    }
}

/// Counts as the store keeps them. A histogram that cannot be read is left out.
pub(super) fn rollup(row: &CheckCounts) -> Rollup {
    let [ok, warn, critical, unknown] = row.counts;
    let latencies = Histogram::from_bytes(&row.latencies).unwrap_or_default();
    Rollup { ok, warn, critical, unknown, longest: row.longest, latencies }
}

/// A rollup as the store keeps it.
pub(super) fn counts(check: i64, at: i64, rollup: &Rollup) -> CheckCounts {
    CheckCounts {
        check,
        at,
        counts: [rollup.ok, rollup.warn, rollup.critical, rollup.unknown],
        longest: rollup.longest,
        latencies: rollup.latencies.to_bytes(),
    }
}
