//! The loop of the checks when the store, the plan or the clock changes under it.

use tokio::sync::mpsc;

use crate::config;
use crate::store::{Options, Store};

use super::*;

fn set(ids: &[&str], more: &str) -> CheckSet {
    let checks: Vec<String> =
        ids.iter().map(|id| format!("[[checks]]\nid = \"{id}\"\ntype = \"load\"\n{more}\n")).collect();
    CheckSet::new(&config::parse(&checks.concat(), None).unwrap_or_else(|error| panic!("{error}"))).expect("no secrets")
}

async fn runner(store: &Arc<Store>, ids: &[&str]) -> (Runner, mpsc::Receiver<Input>) {
    let (inputs, told) = mpsc::channel(64);
    let checks = Arc::new(Checks::new(set(ids, ""), Arc::clone(store), inputs));
    (Runner::new(checks).await.expect("begins"), told)
}

fn critical() -> Observation {
    Observation {
        at: Timestamp::now(),
        took: Duration::from_millis(5),
        verdict: Verdict::Critical,
        cause: Some("connect: timed out".to_owned()),
        phases: Vec::new(),
        values: Vec::new(),
        steps: Vec::new(),
    }
}

#[tokio::test]
async fn a_store_that_cannot_take_a_new_check_ends_none_that_is_watched() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Arc::new(Store::open(dir.path(), Options::default()).expect("opens"));
    let (mut runner, _told) = runner(&store, &["a"]).await;
    let sql = |text: &'static str| {
        let files = std::fs::read_dir(dir.path()).expect("reads").filter_map(Result::ok);
        let file = files.map(|file| file.path()).find(|path| path.extension().is_some_and(|name| name == "db"));
        rusqlite::Connection::open(file.expect("a database")).and_then(|db| db.execute_batch(text)).expect(text);
    };
    sql("CREATE TRIGGER refuse BEFORE INSERT ON check_name BEGIN SELECT RAISE(ABORT, 'no room'); END");
    runner.service.replace(set(&["a", "b"], ""));
    runner.replace().await;
    assert!(runner.trouble().is_some_and(|why| why.contains("no room")), "{:?}", runner.trouble());
    assert_eq!(runner.watches.len(), 1, "it is still watched");
    sql("DROP TRIGGER refuse");
    runner.replace().await;
    assert_eq!((runner.trouble(), runner.watches.len()), (None, 2));
    runner.close().await;
}

#[tokio::test]
async fn bad_news_of_a_plan_that_is_gone_is_none() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Arc::new(Store::open(dir.path(), Options::default()).expect("opens"));
    let (mut runner, _told) = runner(&store, &["a", "b"]).await;
    for (number, watch) in &runner.watches {
        runner.held.push((*number, Arc::clone(&watch.plan), Duration::ZERO, critical()));
    }
    let changed = CheckSet { checks: vec![Arc::clone(&set(&["a"], "interval = \"7s\"").checks[0])], ..set(&["a"], "") };
    runner.service.replace(changed);
    runner.replace().await;
    runner.settle_held(Duration::ZERO);
    let panel = runner.panel(*runner.watches.keys().next().expect("one"), Timestamp::now()).expect("a panel");
    assert_eq!((panel.last, panel.soft), (None, None));
    runner.close().await;
}

#[tokio::test]
async fn bad_news_waits_for_witnesses_that_are_asked_after_it_came() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Arc::new(Store::open(dir.path(), Options::default()).expect("opens"));
    let (mut runner, _told) = runner(&store, &["a"]).await;
    runner.gate = Gate::new(1, 1);
    let (number, plan) = runner.watches.iter().map(|(n, watch)| (*n, Arc::clone(&watch.plan))).next().expect("one");
    let came = runner.now();
    runner.held.push((number, plan, came, critical()));
    runner.witnessed(1, came.saturating_sub(Duration::from_millis(1)));
    assert_eq!(runner.held.len(), 1, "they answered while all was well");
    let asked = runner.now();
    // The process was suspended while they were asked: no answer came in time.
    runner.clock.pulse(asked + Duration::from_secs(9), Timestamp::now());
    runner.witnessed(0, asked);
    assert_eq!((runner.held.len(), runner.gate.closed_since()), (1, None));
    runner.clock = Clock::new(runner.now(), Timestamp::now());
    runner.witnessed(1, runner.now());
    assert!(runner.held.is_empty());
    assert!(runner.panel(number, Timestamp::now()).is_some_and(|panel| panel.soft.is_some()));
    runner.close().await;
}

#[tokio::test]
async fn what_came_late_is_counted_after_a_restart() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Arc::new(Store::open(dir.path(), Options::default()).expect("opens"));
    let (mut runner, _told) = runner(&store, &["a"]).await;
    let (number, wall) = (*runner.watches.keys().next().expect("one"), Timestamp::now());
    runner.pulse(runner.now(), wall).await;
    // It began three minutes ago; that minute is over.
    let at = wall.checked_sub(SignedDuration::from_mins(3)).expect("in range");
    runner.settle(number, Observation { at, ..critical() });
    runner.close().await;
    let (runner, _told) = self::runner(&store, &["a"]).await;
    let panel = runner.panel(number, Timestamp::now()).expect("a panel");
    assert_eq!(panel.uptime_24h, Some(0.0));
}

#[tokio::test]
async fn who_asks_whether_somebody_looks_is_nobody_who_looks() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Arc::new(Store::open(dir.path(), Options::default()).expect("opens"));
    let (inputs, _told) = mpsc::channel(64);
    let checks = Checks::new(set(&["a"], ""), store, inputs);
    let _at_the_same_moment = checks.received.try_lock().expect("nobody runs");
    assert!(!checks.are_looked_at());
}
