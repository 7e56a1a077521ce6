//! Results of checks in the store: written in batches, read back, forgotten in time.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tempfile::TempDir;

use crate::model::{CheckState, Failure, Observation, Step, Verdict};

use super::{CheckBatch, CheckCounts, CheckResult, Options, Span, Store};

const NOW: i64 = 1_699_920_000;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(NOW + seconds).expect("in range")
}

fn open(dir: &TempDir) -> Store {
    Store::open(dir.path(), Options::default()).expect("opens")
}

fn result(check: i64, second: i64) -> CheckResult {
    CheckResult { check, at: at(second), verdict: Verdict::Ok, took: Duration::from_micros(1_234) }
}

fn counts(check: i64, at: i64, ok: u32, bytes: usize) -> CheckCounts {
    CheckCounts { check, at, counts: [ok, 0, 0, 0], longest: Duration::from_millis(9), latencies: vec![7; bytes] }
}

fn failure(cause: &str, steps: usize) -> Failure {
    let step = |n: usize| Step { at: Duration::from_millis(n as u64), text: format!("step {n} {}", "x".repeat(100)) };
    Failure {
        state: CheckState::Critical,
        observation: Observation {
            at: at(0),
            took: Duration::from_millis(3),
            verdict: Verdict::Critical,
            cause: Some(cause.to_owned()),
            phases: Vec::new(),
            values: Vec::new(),
            steps: (0..steps).map(step).collect(),
        },
    }
}

async fn keep(store: &Store, batch: CheckBatch) {
    store.keep_checks(Arc::new(batch)).await.expect("keeps");
}

#[tokio::test]
async fn results_states_and_failures_come_back() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(&dir);
    let ids = vec!["web".parse().expect("an id"), "db".parse().expect("an id")];
    let kept = store.kept_checks(ids.clone()).await.expect("numbers");
    let (web, db) = (kept[0].number, kept[1].number);
    assert_eq!((kept[0].state.as_deref(), web == db), (None, false));
    let results = vec![result(web, 0), result(db, 1), result(web, 30)];
    let failures = (0..25).map(|n| (web, failure(&format!("cause {n}"), 2))).collect();
    keep(&store, CheckBatch { results, failures, states: vec![(web, "{}".into())], ..CheckBatch::default() }).await;
    drop(store);
    let store = open(&dir);
    assert_eq!(store.kept_checks(ids).await.expect("states")[0].state.as_deref(), Some("{}"));
    assert_eq!(store.check_results(Some(web), at(-60), 10).expect("reads"), [result(web, 30), result(web, 0)]);
    assert_eq!(store.check_results(None, at(1), 10).expect("reads").len(), 2);
    let failures = store.check_failures(web).expect("reads");
    assert_eq!(failures.len(), 20);
    assert_eq!(failures[0].observation.cause.as_deref(), Some("cause 24"), "newest first");
    assert!(store.check_failures(db).expect("reads").is_empty());
}

#[tokio::test]
async fn a_failure_is_kept_within_bounds() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(&dir);
    let long = failure("why", 5_000);
    keep(&store, CheckBatch { failures: vec![(1, long)], ..CheckBatch::default() }).await;
    let kept = &store.check_failures(1).expect("reads")[0];
    assert_eq!(
        kept.observation.steps.last().map(|step| step.at),
        Some(Duration::from_millis(4_999)),
        "the last say most"
    );
    assert!(serde_json::to_string(kept).expect("JSON").len() <= 16 << 10);
}

#[tokio::test]
async fn minutes_are_read_by_check_and_late_ones_are_parts() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(&dir);
    let minute = Span::Minute.of(at(0));
    let minutes = vec![counts(1, minute, 2, 3), counts(2, minute, 9, 3), counts(1, minute + 1, 3, 3)];
    keep(&store, CheckBatch { minutes, minute: Some(minute + 2), ..CheckBatch::default() }).await;
    keep(
        &store,
        CheckBatch { minutes: vec![counts(1, minute, 1, 3)], minute: Some(minute + 1), ..CheckBatch::default() },
    )
    .await;
    let ok = |rows: Vec<CheckCounts>| rows.iter().map(|row| row.counts[0]).collect::<Vec<_>>();
    assert_eq!(ok(store.check_counts(Span::Minute, 1, 0, minute + 9).expect("reads")), [2, 1, 3]);
    let mut newest = Vec::new();
    store.each_check_counts(Span::Minute, minute..i64::MAX, 2, |row| newest.push(row.at - minute)).expect("reads");
    assert_eq!(newest, [1, 0], "newest first, and no more than wanted");
    let mark = |now: i64| store.check_mark(Span::Minute, at(now)).expect("reads");
    assert_eq!(mark(600), minute + 2, "a late batch does not move it back");
    assert_eq!(mark(60), minute + 1, "it is never later than now");
    assert_eq!(store.check_counts(Span::Hour, 1, 0, minute).expect("reads"), []);
}

#[tokio::test]
async fn a_mark_that_was_set_while_the_clock_was_ahead_goes_back() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(&dir);
    let (minute, hour) = (Span::Minute.of(at(0)), Span::Hour.of(at(0)));
    for days in [10, 0] {
        let (minute, hour) = (Some(minute + days * 1_440), Some(hour + days * 24));
        keep(&store, CheckBatch { minute, hour, ..CheckBatch::default() }).await;
    }
    let later = at(20 * 86_400);
    assert_eq!(store.check_mark(Span::Minute, later).expect("reads"), minute);
    assert_eq!(store.check_mark(Span::Hour, later).expect("reads"), hour);
}

#[tokio::test]
async fn results_from_while_the_clock_was_ahead_hold_up_no_others() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(&dir);
    let day = 86_400;
    let ahead = (0..25).map(|n| result(1, 90 * day + n));
    let results: Vec<CheckResult> = ahead.chain((0..25).map(|n| result(1, n))).collect();
    keep(&store, CheckBatch { results: results.clone(), ..CheckBatch::default() }).await;
    while store.forget_checks(at(day), 10).await.expect("forgets") {}
    assert_eq!(store.check_results(None, at(0), 100).expect("reads").len(), 50, "they are a day old");
    while store.forget_checks(at(3 * day), 10).await.expect("forgets") {}
    assert!(store.check_results(None, at(0), 100).expect("reads").is_empty());
    // A clock that is behind forgets nothing.
    keep(&store, CheckBatch { results, ..CheckBatch::default() }).await;
    store.forget_checks(at(-900 * day), 10).await.expect("forgets");
    assert_eq!(store.check_results(None, at(0), 100).expect("reads").len(), 50);
}

#[tokio::test]
async fn what_is_old_is_forgotten_in_slices() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(&dir);
    let day = 86_400;
    let results = (0..25).map(|n| result(1, n)).chain([result(1, 3 * day)]).collect();
    let (minute, hour) = (Span::Minute.of(at(0)), Span::Hour.of(at(0)));
    let minutes = vec![counts(1, minute, 1, 3), counts(1, minute + 31 * 1_440, 1, 3)];
    let hours = vec![counts(1, hour, 1, 3), counts(1, hour + 401 * 24, 1, 3)];
    keep(&store, CheckBatch { results, minutes, hours, minute: Some(1), ..CheckBatch::default() }).await;
    let now = at(3 * day);
    let mut slices = 1;
    while store.forget_checks(now, 10).await.expect("forgets") {
        slices += 1;
    }
    assert_eq!(slices, 3, "25 rows are two full slices and a rest");
    assert_eq!(store.check_results(None, at(0), 100).expect("reads"), [result(1, 3 * day)]);
    store.forget_checks(at(31 * day), 10).await.expect("forgets");
    assert_eq!(store.check_counts(Span::Minute, 1, minute, minute + 1).expect("reads"), []);
    assert_eq!(store.check_counts(Span::Hour, 1, hour, hour + 1).expect("reads").len(), 1, "hours stay longer");
    store.forget_checks(at(401 * day), 10).await.expect("forgets");
    let mut left = 0;
    store.each_check_counts(Span::Hour, hour..i64::MAX, 9, |_| left += 1).expect("reads");
    assert_eq!(left, 1);
}

/// A hundred checks over two days, each hour with a histogram of 60 buckets.
#[tokio::test]
async fn an_hour_of_a_check_takes_at_most_200_bytes() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(&dir);
    let size = |store: &Store| {
        store
            .read(|connection| {
                connection.query_row("SELECT sum(pgsize) FROM dbstat WHERE name = 'check_hour'", [], |row| {
                    row.get::<_, i64>(0)
                })
            })
            .expect("dbstat")
    };
    for hour in 0..48 {
        let hours = (0..100).map(|check| counts(check, 472_200 + hour, 120, 120)).collect();
        keep(&store, CheckBatch { hours, minute: Some(1), hour: Some(1), ..CheckBatch::default() }).await;
    }
    let each = size(&store) / (48 * 100);
    assert!(each <= 200, "{each} bytes");
}
