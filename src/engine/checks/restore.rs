//! Checks as the store remembers them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::health::{Histogram, Rollup};
use crate::model::CheckPanel;
use crate::store::{CheckCounts, Span, Store, StoreError};

use super::super::projector::blocking;
use super::watch::{Prepared, Watch};

/// Rows read of each kind. What is older stays blank on the strip after a restart; the history has it.
const ROWS: usize = 200_000;
/// Strips are filled for so many hours back.
const STRIP_HOURS: i64 = 12;

/// The checks of `set` with what is known of them, by the number the store gives them.
pub(super) async fn restore(
    store: &Arc<Store>,
    set: Vec<Arc<Prepared>>,
    now: Duration,
    wall: Timestamp,
) -> Result<HashMap<i64, Watch>, StoreError> {
    let ids = set.iter().map(|plan| plan.config.id.clone()).collect();
    let kept = store.kept_checks(ids).await?;
    let watches = set.into_iter().zip(kept);
    let mut watches: HashMap<i64, Watch> =
        watches.map(|(plan, kept)| (kept.number, Watch::new(plan, kept.state.as_deref(), now, wall))).collect();
    let reading = Arc::clone(store);
    let mut watches = blocking(move || {
        recall(&reading, &mut watches, wall)?;
        Ok(watches)
    })
    .await?;
    for watch in watches.values_mut() {
        watch.plan_first(now, wall);
    }
    Ok(watches)
}

/// The checks of `set` as they are shown before anybody looks.
pub(super) async fn panels(
    store: &Arc<Store>,
    set: Vec<Arc<Prepared>>,
    wall: Timestamp,
) -> Result<Vec<CheckPanel>, StoreError> {
    let watches = restore(store, set, Duration::ZERO, wall).await?;
    Ok(watches.values().map(|watch| watch.panel(None, wall)).collect())
}

/// Lets `watches` know what is kept of them. Row by row: there may be many. What is later than `wall` is of a clock that
/// was ahead.
fn recall(store: &Store, watches: &mut HashMap<i64, Watch>, wall: Timestamp) -> Result<(), StoreError> {
    let (minute_mark, hour_mark) = (store.check_mark(Span::Minute, wall)?, store.check_mark(Span::Hour, wall)?);
    let hour = Span::Hour.of(wall);
    store.each_check_counts(Span::Hour, hour - 24..hour + 1, ROWS, |row| {
        let Some(watch) = watches.get_mut(&row.check) else { return };
        let rollup = rollup(&row);
        watch.ledger.recall_hour(row.at, &rollup);
        if watch.ledger.step() >= 60 {
            watch.ledger.recall_slot(row.at * 60, &rollup);
        }
    })?;
    // Hours that are not counted yet are made of their minutes again, minutes of their results.
    let from = (hour_mark.max(hour - 24) * 60).min((hour - STRIP_HOURS) * 60);
    store.each_check_counts(Span::Minute, from..Span::Minute.of(wall) + 1, ROWS, |row| {
        let Some(watch) = watches.get_mut(&row.check) else { return };
        let (rollup, hour) = (rollup(&row), row.at.div_euclid(60));
        if hour >= hour_mark {
            watch.ledger.recall_hour(hour, &rollup);
            watch.ledger.count_hour(hour, &rollup);
        }
        if watch.ledger.step() < 60 || hour >= hour_mark {
            watch.ledger.recall_slot(row.at, &rollup);
        }
    })?;
    let mark = Timestamp::from_second(minute_mark * 60).unwrap_or(Timestamp::UNIX_EPOCH);
    let since = mark.max(wall.checked_sub(SignedDuration::from_hours(24)).unwrap_or(mark));
    for result in store.check_results(None, since, ROWS)?.iter().rev().filter(|result| result.at <= wall) {
        let Some(watch) = watches.get_mut(&result.check) else { continue };
        watch.recall(result);
        watch.ledger.note(result.at, result.verdict, result.took);
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use crate::config;
    use crate::engine::checks::history;
    use crate::engine::checks::writer::Writer;
    use crate::model::{Observation, Slot, Verdict};
    use crate::store::{CheckResult, Options};

    use super::*;

    /// The first second of a day.
    const DAY: i64 = 1_699_920_000;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(DAY + second).expect("in range")
    }

    fn since_1970(second: i64) -> Duration {
        Duration::from_secs((DAY + second).unsigned_abs())
    }

    fn seen(second: i64) -> Observation {
        let verdict = if second % 600 == 0 { Verdict::Critical } else { Verdict::Ok };
        Observation {
            at: at(second),
            took: Duration::from_millis(5),
            verdict,
            cause: None,
            phases: Vec::new(),
            values: Vec::new(),
            steps: Vec::new(),
        }
    }

    fn plan() -> Vec<Arc<Prepared>> {
        let config =
            config::parse("[[checks]]\nid = \"a\"\ntype = \"load\"\ninterval = \"30s\"\n", None).expect("a check");
        vec![Arc::new(Prepared { config: Arc::clone(&config.health.checks[0]), secret: None })]
    }

    /// Looks every 30 s from `from` to before `to`; everything is written as it comes, and then the process dies.
    async fn run(store: &Arc<Store>, from: i64, to: i64) {
        steps(store, &[(from, to)]).await;
    }

    /// The same with a clock that goes from one stretch to the next.
    async fn steps(store: &Arc<Store>, stretches: &[(i64, i64)]) {
        let from = stretches[0].0;
        let mut watches = restore(store, plan(), since_1970(from), at(from)).await.expect("restores");
        let mut writer = Writer::new();
        let seconds = stretches.iter().flat_map(|(from, to)| (*from..*to).step_by(30));
        for (second, passed) in seconds.zip((from..).step_by(30)) {
            for (number, watch) in &mut watches {
                let found = seen(second);
                let settled = watch.settle(&found, at(second));
                let result = CheckResult { check: *number, at: found.at, verdict: found.verdict, took: found.took };
                writer.note(result, settled.failure, settled.state);
            }
            let batch = writer.batch(&mut watches, since_1970(passed), at(second)).expect("something");
            store.keep_checks(Arc::clone(&batch)).await.expect("writes");
            writer.written(batch, Ok(()));
        }
    }

    #[tokio::test]
    async fn a_clock_that_was_ahead_costs_no_results_of_before_or_after() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = Arc::new(Store::open(dir.path(), Options::default()).expect("opens"));
        let ahead = 3 * 86_400;
        // One engine sees the clock step forward and back again, the next one begins after that.
        steps(&store, &[(0, 600), (ahead, ahead + 600), (600, 1_200)]).await;
        run(&store, 1_200, 1_800).await;
        let now = at(1_800);
        let past = history(&store, &"a".parse().expect("an id"), at(0), 90, now).expect("reads").expect("known");
        assert_eq!(past.total.ok + past.total.critical, 60, "{past:?}");
        let watches = restore(&store, plan(), since_1970(1_800), now).await.expect("restores");
        let panel = watches.values().next().expect("one").panel(None, now);
        assert_eq!((panel.uptime_24h, panel.last), (past.total.uptime, Some(at(1_770))));
    }

    #[tokio::test]
    async fn after_a_crash_every_written_result_counts_once() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = Arc::new(Store::open(dir.path(), Options::default()).expect("opens"));
        // Died in the middle of minutes and hours, close to their ends, and for a while.
        for (from, to) in [(0, 3_590), (3_600, 3_690), (3_690, 7_290), (10_890, 12_000)] {
            run(&store, from, to).await;
        }
        let looks = 120 + 3 + 120 + 37;
        let now = at(12_000);
        let past = history(&store, &"a".parse().expect("an id"), at(0), 90, now).expect("reads").expect("known");
        assert_eq!(past.total.ok + past.total.critical, looks, "{past:?}");
        let by_hour = history(&store, &"a".parse().expect("an id"), at(-86_400 * 9), 90, now).expect("reads");
        let total = by_hour.expect("known").total;
        assert_eq!((total.ok, total.critical), (past.total.ok, past.total.critical), "hours say the same");
        let watches = restore(&store, plan(), since_1970(12_000), now).await.expect("restores");
        let panel = watches.values().next().expect("one").panel(None, now);
        assert_eq!(panel.uptime_24h, past.total.uptime, "and so do figures");
        assert_eq!(panel.last, Some(at(11_970)));
        let blank = panel.strip.slots.iter().filter(|slot| **slot == Slot::default()).count();
        assert!((60..75).contains(&blank), "the hour nobody looked is blank: {blank}");
    }
}
