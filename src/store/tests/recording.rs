//! Deliveries that come again, in whatever way, are known, and a batch is one.

use sha2::{Digest, Sha256};

use crate::model::EventFilter;
use crate::store::{NewEvent, OneTime, Recorded};

use super::rig::{at, channels, event, guarded, open, project, record};

#[tokio::test]
async fn the_same_key_is_a_repeat_or_a_conflict() {
    let dir = tempfile::tempdir().expect("temp dir");
    let store = open(&dir);
    let (a, b) = channels(&store).await;
    assert_eq!(record(&store, event(a, Some("k"), "x", 0)).await.fresh, 1);
    assert_eq!(record(&store, event(a, Some("k"), "x", 1)).await.repeated, 1);
    assert_eq!(record(&store, event(a, Some("k"), "y", 2)).await.conflicting, 1);
    assert_eq!(record(&store, event(b, Some("k"), "y", 3)).await.fresh, 1, "keys are per channel");
    assert_eq!(record(&store, event(a, None, "x", 4)).await.fresh, 1, "no key, no window: always fresh");
    let count = |id: &str| {
        let filter = EventFilter { channel: Some(id.parse().expect("an id")), ..EventFilter::default() };
        store.event_count(&filter).expect("counts")
    };
    assert_eq!((count("a"), count("b"), count("c")), (2, 1, 0));
}

#[tokio::test]
async fn a_token_is_spent_with_its_event_and_remembered_for_a_week() {
    const WEEK: i64 = 7 * 86_400;
    let dir = tempfile::tempdir().expect("temp dir");
    let store = open(&dir);
    let (a, b) = channels(&store).await;
    let with = |channel, token: &str, key, body, received| NewEvent {
        once: Some(OneTime { signed: at(if received < WEEK { 0 } else { WEEK }), token: token.to_owned() }),
        ..event(channel, Some(key), body, received)
    };
    assert_eq!(record(&store, with(a, "t1", "k1", "x", 0)).await.fresh, 1);
    assert_eq!(record(&store, with(a, "t1", "k1", "x", 1)).await.repeated, 1, "the same again");
    assert_eq!(record(&store, with(a, "t1", "k2", "y", 2)).await.conflicting, 1, "the token with another body");
    assert_eq!(record(&store, with(a, "t2", "k1", "x", 3)).await.repeated, 1, "sent again under a new token");
    assert_eq!(record(&store, with(a, "t2", "k3", "z", 4)).await.conflicting, 1, "that token is spent as well");
    assert_eq!(record(&store, with(b, "t1", "k1", "y", 5)).await.conflicting, 1, "on every channel");
    assert_eq!(record(&store, with(b, "t1", "k1", "x", 5)).await.fresh, 1, "the same mail for two channels");
    assert_eq!(record(&store, with(b, "t1", "k1", "x", 6)).await.repeated, 1, "the same again there");
    assert_eq!(record(&store, with(a, "t3", "k4", "w", WEEK)).await.fresh, 1);
    project(&store).await;
    let late = |key| NewEvent { once: with(a, "t1", key, "y", 0).once, ..with(a, "t1", key, "y", WEEK) };
    assert_eq!(record(&store, late("k5")).await.conflicting, 1, "not a week yet");
    assert_eq!(record(&store, with(a, "t4", "k6", "v", WEEK + 10)).await.fresh, 1);
    project(&store).await;
    assert_eq!(record(&store, late("k5")).await.fresh, 1, "forgotten");
}

#[tokio::test]
async fn a_token_that_is_not_filed_yet_is_spent_after_a_crash_and_after_another_was_rolled_back() {
    let dir = tempfile::tempdir().expect("temp dir");
    let with = |channel, token: &str, key, body| NewEvent {
        once: Some(OneTime { signed: at(0), token: token.to_owned() }),
        ..event(channel, Some(key), body, 0)
    };
    let store = open(&dir);
    let (a, b) = channels(&store).await;
    assert!(!store.is_spent(&with(a, "t1", "k1", "x")).expect("reads"));
    assert_eq!(record(&store, with(a, "t1", "k1", "x")).await.fresh, 1);
    assert!(store.is_spent(&with(a, "t1", "k2", "y")).expect("reads"), "before it is filed");
    let again = with(b, "t1", "k1", "x");
    let clash = NewEvent { id: again.id, ..with(b, "t2", "k2", "y") };
    assert!(store.record(vec![again, clash]).await.is_err(), "two events cannot have one id");
    assert_eq!(record(&store, with(b, "t1", "k3", "z")).await.conflicting, 1, "the first event holds");
    drop(store);
    let store = open(&dir);
    assert_eq!(record(&store, with(a, "t1", "k4", "y")).await.conflicting, 1, "nothing was filed");
    project(&store).await;
    drop(store);
    let store = open(&dir);
    assert_eq!(record(&store, with(a, "t1", "k5", "y")).await.conflicting, 1, "filed");
    assert!(store.is_spent(&with(a, "t1", "k1", "x")).expect("reads"));
}

#[tokio::test]
async fn nobody_takes_a_key_from_another_event_under_a_token() {
    let dir = tempfile::tempdir().expect("temp dir");
    let store = open(&dir);
    let (a, _) = channels(&store).await;
    let mail = |token: &str, body| NewEvent {
        once: Some(OneTime { signed: at(0), token: token.to_owned() }),
        ..event(a, Some("m@x ann"), body, 0)
    };
    assert_eq!(record(&store, mail("t1", "forged before the rightful one")).await.fresh, 1);
    assert_eq!(record(&store, mail("t2", "the rightful one")).await.fresh, 1);
    assert_eq!(record(&store, mail("t3", "the rightful one")).await.repeated, 1);
    assert_eq!(record(&store, mail("t4", "a third")).await.fresh, 1);
    let keys: Vec<String> = store.pending(10).expect("reads").into_iter().map(|event| event.key).collect();
    let named = |body: &str| format!("m@x ann {}", hex::encode(&Sha256::digest(body)[..8]));
    assert_eq!(keys, ["m@x ann".to_owned(), named("the rightful one"), named("a third")]);
}

#[tokio::test]
async fn what_is_refused_for_its_token_leaves_no_trace_of_a_rolled_back_delivery() {
    let dir = tempfile::tempdir().expect("temp dir");
    let store = open(&dir);
    let (a, _) = channels(&store).await;
    let with = |token: &str, key, body| NewEvent {
        once: Some(OneTime { signed: at(0), token: token.to_owned() }),
        ..event(a, Some(key), body, 0)
    };
    let twin = NewEvent { id: with("t1", "k1", "x").id, ..with("t1", "k1", "x") };
    let clash = NewEvent { id: twin.id, ..with("t2", "k2", "y") };
    assert!(store.record(vec![twin.clone(), clash]).await.is_err(), "two events cannot have one id");
    assert_eq!(record(&store, with("t1", "k9", "other")).await.fresh, 1, "the token was not spent without its event");
}

#[tokio::test]
async fn an_equal_body_is_a_replay_inside_its_window_filed_or_not() {
    for filed in [false, true] {
        let dir = tempfile::tempdir().expect("temp dir");
        let store = open(&dir);
        let (a, b) = channels(&store).await;
        assert_eq!(record(&store, guarded(a, Some("k1"), "x", 0)).await.fresh, 1);
        if filed {
            project(&store).await;
        }
        assert_eq!(record(&store, guarded(b, Some("k1"), "x", 1)).await.fresh, 1, "another channel");
        assert_eq!(record(&store, guarded(a, Some("k1"), "x", 2)).await.repeated, 1);
        assert_eq!(record(&store, guarded(a, Some("k2"), "x", 3)).await.replayed, 1);
        assert_eq!(record(&store, guarded(a, None, "x", 4)).await.repeated, 1);
        assert_eq!(record(&store, guarded(a, Some("k2"), "x", 700)).await.fresh, 1, "the window is over");
    }
}

#[tokio::test]
async fn a_known_key_with_a_known_body_of_another_event_is_a_conflict() {
    let dir = tempfile::tempdir().expect("temp dir");
    let store = open(&dir);
    let (a, _) = channels(&store).await;
    record(&store, guarded(a, Some("k1"), "x", 0)).await;
    record(&store, guarded(a, Some("k2"), "y", 0)).await;
    assert_eq!(record(&store, guarded(a, Some("k2"), "x", 1)).await.conflicting, 1);
}

#[tokio::test]
async fn unfiled_bodies_survive_a_restart() {
    let dir = tempfile::tempdir().expect("temp dir");
    let store = open(&dir);
    let (a, _) = channels(&store).await;
    record(&store, guarded(a, Some("k1"), "x", 0)).await;
    drop(store);
    let store = open(&dir);
    assert_eq!(record(&store, guarded(a, Some("k2"), "x", 1)).await.replayed, 1);
}

#[tokio::test]
async fn a_clock_set_back_makes_no_repeats_of_new_events() {
    let dir = tempfile::tempdir().expect("temp dir");
    let store = open(&dir);
    let (a, _) = channels(&store).await;
    assert_eq!(record(&store, guarded(a, None, "x", 3_600)).await.fresh, 1);
    assert_eq!(record(&store, guarded(a, None, "x", 3_599)).await.repeated, 1, "a small step is inside the window");
    assert_eq!(record(&store, guarded(a, None, "x", 0)).await.fresh, 1, "an hour is not");
    assert_eq!(record(&store, guarded(a, None, "x", 1)).await.repeated, 1);
}

#[tokio::test]
async fn a_batch_is_all_or_nothing_and_counts_each() {
    let dir = tempfile::tempdir().expect("temp dir");
    let store = open(&dir);
    let (a, _) = channels(&store).await;
    record(&store, event(a, Some("k1"), "x", 0)).await;
    let batch = vec![event(a, Some("k1"), "x", 1), event(a, Some("k2"), "y", 1), event(a, Some("k1"), "z", 1)];
    let recorded = store.record(batch).await.expect("records");
    assert_eq!(recorded, Recorded { fresh: 1, repeated: 1, conflicting: 1, replayed: 0 });
}

#[tokio::test]
async fn headers_and_bodies_come_back_as_they_were() {
    let dir = tempfile::tempdir().expect("temp dir");
    let store = open(&dir);
    let (a, _) = channels(&store).await;
    let new = event(a, Some("1"), "ann: \u{1b}[2J x", 0);
    let id = new.id;
    record(&store, new).await;
    let raw = store.event(id).expect("reads").expect("known");
    assert_eq!(raw.body, b"ann: \x1b[2J x");
    assert_eq!(raw.headers[1], ("x-note".to_owned(), "a: b".to_owned()));
}
