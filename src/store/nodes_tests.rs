//! Logs of nodes in the store: written, applied, given on, forgotten.

use jiff::{SignedDuration, Timestamp};
use serde_json::value::RawValue;
use tempfile::TempDir;
use uuid::Uuid;

use crate::model::{
    ChainHash, EpochId, Head, Hlc, NodeKey, NodeName, Origin, PinnedKey, PinnedKeys, SharedEvent, SharedId, SharedKind,
    Trust,
};

use super::tests::{at, channels, event, open, project, record};
use super::{
    Applied, CheckedPage, KeepShared, KnownNode, LogEnd, NewShared, Publication, Quarantine, SharedLog, Store, Vouched,
};

fn name(name: &str) -> NodeName {
    name.parse().expect("a name")
}

fn epoch(n: u128) -> EpochId {
    EpochId::from_uuid(Uuid::from_u128(n))
}

fn key(n: u8) -> NodeKey {
    NodeKey::from_bytes([n; 32])
}

fn new(kind: SharedKind, subject: &str, body: &str) -> NewShared {
    let body = RawValue::from_string(body.to_owned()).expect("JSON");
    NewShared { id: SharedId::from_uuid(Uuid::now_v7()), kind, subject: subject.to_owned(), body }
}

fn node(node: &str, trust: Trust) -> KnownNode {
    KnownNode {
        name: name(node),
        url: Some("http://127.0.0.1:9292".into()),
        pin: Some([7; 32]),
        via: None,
        trust,
        configured: false,
        added: at(0),
        keys: vec![PinnedKey { key: key(1), since: at(0), until: None }],
        quarantine: None,
    }
}

async fn publish(store: &Store, entries: Vec<NewShared>) -> Vec<SharedEvent> {
    let life = store.own_at(0).expect("reads").0.origin.epoch;
    let publication = Publication { life, entries, up_to: None };
    store.append_shared(publication, Hlc::default().next(at(0)), at(0)).await.expect("writes").expect("in that life")
}

/// An origin with `count` entries, and a store that follows it.
async fn pair(count: usize) -> ((TempDir, Store), (TempDir, Store)) {
    let dirs = [tempfile::tempdir().expect("temp dir"), tempfile::tempdir().expect("temp dir")];
    let [origin, follower] = [open(&dirs[0]), open(&dirs[1])];
    origin.own_log(name("a"), epoch(1)).await.expect("begins");
    publish(&origin, (0..count).map(|n| new(SharedKind::Check, &format!("c{}", n % 3), &n.to_string())).collect())
        .await;
    follower.keep_node(node("a", Trust::Report), Vec::new()).await.expect("keeps");
    let [first, second] = dirs;
    ((first, origin), (second, follower))
}

/// A page of the own log of `store`, as if it had been checked.
fn page(store: &Store, after: u64, limit: usize) -> CheckedPage {
    let slice = store.shared_slice(&name("a"), true, after, limit, 1 << 20).expect("reads").expect("a log");
    checked(&slice.log, after, store.own_at(after).expect("reads").1, slice.events)
}

fn checked(log: &SharedLog, after: u64, before: Option<ChainHash>, events: Vec<SharedEvent>) -> CheckedPage {
    let last = events.last().expect("entries");
    let head = Head { origin: log.origin.clone(), seq: last.seq, hash: last.hash, key: key(1), signature: vec![7; 64] };
    CheckedPage {
        origin: log.origin.clone(),
        after,
        before: before.unwrap_or(log.before),
        events,
        head,
        hops: 0,
        skips: false,
        missed: 0,
    }
}

fn held(store: &Store) -> SharedLog {
    store.shared_logs().expect("reads").into_iter().find(|log| !log.own).expect("a log")
}

fn taken(applied: &Applied) -> Vec<u64> {
    match applied {
        Applied::Taken { events, .. } => events.iter().map(|event| event.seq).collect(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn messages_are_shared_from_when_that_was_first_asked_for() {
    let dir = tempfile::tempdir().expect("temp dir");
    let store = open(&dir);
    let (channel, _) = channels(&store).await;
    let receive = async |key| {
        record(&store, event(channel, Some(key), key, 1_000)).await;
        project(&store).await;
    };
    receive("of years before").await;
    let from = store.published_up_to().await.expect("writes");
    assert_eq!(from, store.projected_up_to().expect("reads"));
    receive("since").await;
    assert_eq!(store.published_up_to().await.expect("reads"), from, "a task that begins again leaves nothing out");
    assert_eq!(store.messages_after(from, 9).expect("reads").len(), 1);
}

#[tokio::test]
async fn another_life_shares_the_newest_messages_again_and_takes_nothing_of_the_one_before() {
    let dir = tempfile::tempdir().expect("temp dir");
    let store = open(&dir);
    let (channel, _) = channels(&store).await;
    store.own_log(name("a"), epoch(1)).await.expect("begins");
    let from = store.published_up_to().await.expect("writes");
    let events = (0..130).map(|n| event(channel, Some(&n.to_string()), &n.to_string(), 1_000)).collect();
    store.record(events).await.expect("records");
    project(&store).await;
    let rows = store.messages_after(from, 500).expect("reads");
    assert_eq!(rows.len(), 130);
    let publication = |life, up_to| Publication { life, entries: Vec::new(), up_to: Some(up_to) };
    let append = async |publication| store.append_shared(publication, Hlc::default(), at(0)).await.expect("writes");
    assert!(append(publication(epoch(1), rows[129].seq)).await.is_some());
    store.begin_epoch(Origin { node: name("a"), epoch: epoch(2) }).await.expect("begins");
    assert_eq!(append(publication(epoch(1), rows[129].seq)).await, None, "what was meant for the life before");
    let up_to = store.published_up_to().await.expect("reads");
    assert_eq!(store.messages_after(up_to, 500).expect("reads").len(), 100, "also after a crash in between");
    // What was not published in the life before is not left out for it.
    assert!(append(publication(epoch(2), rows[129].seq)).await.is_some());
    store
        .write(move |c| c.execute("UPDATE watermark SET seq = ?1 WHERE name = 'shared'", [from]))
        .await
        .expect("writes");
    store.begin_epoch(Origin { node: name("a"), epoch: epoch(3) }).await.expect("begins");
    assert_eq!(store.published_up_to().await.expect("reads"), from);
}

#[tokio::test]
async fn entries_are_numbered_chained_and_later_than_those_before_whatever_the_clock_says() {
    let dir = tempfile::tempdir().expect("temp dir");
    let store = open(&dir);
    let nothing = Publication { life: epoch(1), entries: Vec::new(), up_to: None };
    assert!(store.append_shared(nothing, Hlc::default(), at(0)).await.is_err(), "nothing has begun");
    let log = store.own_log(name("a"), epoch(1)).await.expect("begins");
    assert_eq!((log.low, log.high, log.hash), (1, 0, ChainHash::BEGINNING));
    let mut changes = store.shared_changes();
    let late = Hlc::default().next(at(100));
    let entries = |n| Publication {
        life: epoch(1),
        entries: vec![new(SharedKind::Check, "web", "1"), new(SharedKind::Message, "m", "2")],
        up_to: Some(n),
    };
    let first = store.append_shared(entries(9), late, at(100)).await.expect("writes").expect("in that life");
    assert!(changes.has_changed().expect("open"));
    changes.mark_unchanged();
    let second = store.append_shared(entries(5), Hlc::default().next(at(0)), at(0)).await.expect("writes");
    let second = second.expect("in that life");
    assert_eq!(store.published_up_to().await.expect("reads"), 9, "it never goes back");
    let all = [first, second].concat();
    let mut before = ChainHash::BEGINNING;
    for (seq, event) in (1..).zip(&all) {
        assert_eq!((event.seq, event.hash), (seq, event.chained(&log.origin, &before)));
        before = event.hash;
    }
    assert!(all.windows(2).all(|pair| pair[0].hlc < pair[1].hlc) && all[0].hlc == late);
    drop(store);
    let store = open(&dir);
    let again = store.own_log(name("a"), epoch(2)).await.expect("reads");
    assert_eq!((again.origin.epoch, again.high, again.hash), (epoch(1), 4, before), "it goes on");
    let slice = store.shared_slice(&name("a"), true, 0, 500, 1 << 20).expect("reads").expect("a log");
    assert_eq!(slice.events, all);
    let some = store.shared_slice(&name("a"), true, 1, 500, 1).expect("reads").expect("a log");
    assert_eq!(some.events, all[1..2], "one fits always");
    let renamed = store.own_log(name("b"), epoch(3)).await.expect("begins");
    assert_eq!((renamed.origin, renamed.high), (Origin { node: name("b"), epoch: epoch(3) }, 0));
}

#[tokio::test]
async fn a_page_is_applied_once_and_whatever_overlaps_is_compared() {
    let ((_a, origin), (_b, follower)) = pair(10).await;
    let apply = |page| follower.apply_shared(page, at(1));
    assert_eq!(taken(&apply(page(&origin, 0, 4)).await.expect("writes")), [1, 2, 3, 4]);
    assert!(matches!(apply(page(&origin, 0, 4)).await.expect("writes"), Applied::Known(end) if end.seq == 4));
    assert!(matches!(apply(page(&origin, 0, 2)).await.expect("writes"), Applied::Known(end) if end.seq == 4));
    assert_eq!(taken(&apply(page(&origin, 2, 4)).await.expect("writes")), [5, 6]);
    assert!(matches!(apply(page(&origin, 7, 2)).await.expect("writes"), Applied::Behind(end) if end.seq == 6));
    let mut forged = page(&origin, 2, 4);
    forged.events[3].hash = ChainHash::from_bytes([9; 32]);
    assert_eq!(apply(forged).await.expect("writes"), Applied::Forked(6));
    let mut forged = page(&origin, 2, 2);
    forged.events[1].hash = ChainHash::from_bytes([9; 32]);
    assert_eq!(apply(forged).await.expect("writes"), Applied::Forked(4));
    let mut forged = page(&origin, 6, 2);
    forged.before = ChainHash::from_bytes([9; 32]);
    assert_eq!(apply(forged).await.expect("writes"), Applied::Forked(6));
    assert_eq!(taken(&apply(page(&origin, 6, 9)).await.expect("writes")), [7, 8, 9, 10]);
    let own = origin.shared_logs().expect("reads").remove(0);
    let log = held(&follower);
    assert_eq!((log.hash, log.low, log.high, log.missing), (own.hash, 1, 10, 0));
    let states = follower.shared_states(&name("a"), false).expect("reads");
    let said: Vec<_> = states.iter().map(|state| (state.subject.as_str(), state.body.get())).collect();
    assert_eq!(said, [("c0", "9"), ("c1", "7"), ("c2", "8")]);
    let news = follower.shared_newest(2).expect("reads");
    assert_eq!(news.iter().map(|row| row.event.seq).collect::<Vec<_>>(), [10, 9]);
}

#[tokio::test]
async fn a_subject_that_is_gone_leaves_no_state() {
    let ((_a, origin), (_b, follower)) = pair(3).await;
    publish(&origin, vec![new(SharedKind::Check, "c1", "null"), new(SharedKind::Message, "m", "\"hello\"")]).await;
    follower.apply_shared(page(&origin, 0, 9), at(1)).await.expect("writes");
    for (store, own) in [(&origin, true), (&follower, false)] {
        let states = store.shared_states(&name("a"), own).expect("reads");
        assert_eq!(states.iter().map(|state| state.subject.as_str()).collect::<Vec<_>>(), ["c0", "c2"]);
    }
    let messages = follower.shared_messages(&name("a"), 9).expect("reads");
    assert_eq!(messages.iter().map(|event| event.seq).collect::<Vec<_>>(), [5]);
}

#[tokio::test]
async fn another_life_replaces_what_is_shown_and_none_comes_back() {
    let ((_a, origin), (_b, follower)) = pair(3).await;
    let old = page(&origin, 0, 9);
    follower.apply_shared(page(&origin, 0, 2), at(1)).await.expect("writes");
    origin.begin_epoch(Origin { node: name("a"), epoch: epoch(2) }).await.expect("begins");
    assert!(origin.shared_states(&name("a"), true).expect("reads").is_empty(), "all of it is published anew");
    publish(&origin, vec![new(SharedKind::Check, "c9", "9")]).await;
    let mut later = page(&origin, 0, 9);
    later.missed = 4;
    assert_eq!(taken(&follower.apply_shared(later, at(2)).await.expect("writes")), [1]);
    let log = held(&follower);
    assert_eq!((log.origin.epoch, log.high, log.missing), (epoch(2), 1, 4));
    let states = follower.shared_states(&name("a"), false).expect("reads");
    assert_eq!(states.iter().map(|state| state.subject.as_str()).collect::<Vec<_>>(), ["c9"]);
    assert_eq!(follower.apply_shared(old, at(3)).await.expect("writes"), Applied::Older);
    assert_eq!(follower.shared_newest(9).expect("reads").len(), 3, "the former life is history");
}

#[tokio::test]
async fn entries_that_are_gone_leave_a_gap_that_is_counted() {
    let ((_a, origin), (_b, follower)) = pair(10).await;
    follower.apply_shared(page(&origin, 0, 3), at(1)).await.expect("writes");
    let mut behind = page(&origin, 6, 9);
    behind.skips = true;
    match follower.apply_shared(behind, at(2)).await.expect("writes") {
        Applied::Taken { gap, events, .. } => assert_eq!((gap, events.len()), (Some((4, 6)), 4)),
        other => panic!("{other:?}"),
    }
    let log = held(&follower);
    assert_eq!((log.low, log.high, log.missing), (7, 10, 3));
    let slice = follower.shared_slice(&name("a"), false, 0, 500, 1 << 20).expect("reads").expect("a log");
    assert!(slice.events.is_empty(), "no page goes over a gap");
    // What nothing is held of begins where it is said to begin, and only there.
    follower.remove_node(name("a"), at(3), Vec::new()).await.expect("forgets");
    follower.keep_node(node("a", Trust::Report), Vec::new()).await.expect("keeps");
    assert!(matches!(
        follower.apply_shared(page(&origin, 6, 9), at(4)).await.expect("writes"),
        Applied::Behind(LogEnd { seq: 0, .. })
    ));
    let mut begins = page(&origin, 6, 9);
    begins.skips = true;
    assert_eq!(taken(&follower.apply_shared(begins, at(4)).await.expect("writes")), [7, 8, 9, 10]);
    assert_eq!(held(&follower).missing, 0);
}

#[tokio::test]
async fn a_relay_gives_on_what_a_head_covers_and_keeps_few_heads() {
    let ((_a, origin), (_b, follower)) = pair(1_200).await;
    for after in 0..700 {
        follower.apply_shared(page(&origin, after, 1), at(1)).await.expect("writes");
    }
    follower.apply_shared(page(&origin, 700, 500), at(1)).await.expect("writes");
    let heads: i64 = follower.read(|c| c.query_row("SELECT count(*) FROM node_head", [], |r| r.get(0))).expect("reads");
    assert!(heads <= 5, "{heads}");
    let (mut after, mut pages) = (0, 0);
    while after < 1_200 {
        let slice = follower.shared_slice(&name("a"), false, after, 500, 1 << 20).expect("reads").expect("a log");
        let (last, head) = (slice.events.last().expect("entries"), slice.head.expect("a head"));
        assert_eq!((head.seq, head.hash, slice.events[0].seq), (last.seq, last.hash, after + 1));
        assert!(slice.events.len() <= 500);
        (after, pages) = (last.seq, pages + 1);
    }
    assert!(pages <= 5, "{pages}");
    // In the midst of what one head covers, and with a smaller limit than that needs.
    let slice = follower.shared_slice(&name("a"), false, 730, 10, 1 << 20).expect("reads").expect("a log");
    assert_eq!(slice.events.last().map(|event| event.seq), Some(1_200));
    assert_eq!(follower.held_head(&name("a")).expect("reads").map(|head| head.seq), Some(1_200));
}

#[tokio::test]
async fn nothing_is_taken_over_of_who_is_not_trusted() {
    let ((_a, origin), (_b, follower)) = pair(3).await;
    let apply = || follower.apply_shared(page(&origin, 0, 9), at(1));
    follower.keep_node(node("a", Trust::Observe), Vec::new()).await.expect("keeps");
    assert_eq!(apply().await.expect("writes"), Applied::Refused);
    follower.keep_node(node("a", Trust::Command), Vec::new()).await.expect("keeps");
    let quarantine = |why: &str| Quarantine { since: at(5), why: why.to_owned() };
    follower.quarantine_node(name("a"), quarantine("it lied"), Vec::new()).await.expect("writes");
    follower.quarantine_node(name("a"), quarantine("again"), Vec::new()).await.expect("writes");
    assert_eq!(apply().await.expect("writes"), Applied::Refused);
    assert_eq!(follower.nodes().expect("reads")[0].quarantine, Some(quarantine("it lied")));
    follower.keep_node(node("a", Trust::Report), Vec::new()).await.expect("keeps");
    assert_eq!(taken(&apply().await.expect("writes")), [1, 2, 3]);
    follower.remove_node(name("a"), at(9), Vec::new()).await.expect("forgets");
    assert_eq!(apply().await.expect("writes"), Applied::Refused);
    assert!(follower.shared_logs().expect("reads").is_empty() && follower.shared_newest(9).expect("reads").is_empty());
}

#[tokio::test]
async fn the_word_of_another_node_pins_what_is_unknown_and_changes_nothing_else() {
    let dir = tempfile::tempdir().expect("temp dir");
    let store = open(&dir);
    let vouched = KnownNode { via: Some(name("hub")), url: None, ..node("far", Trust::Report) };
    assert_eq!(store.vouch(vouched.clone()).await.expect("writes"), Vouched::Pinned);
    assert_eq!(store.nodes().expect("reads"), std::slice::from_ref(&vouched));
    let other = KnownNode { keys: vec![PinnedKey { key: key(3), since: at(9), until: None }], ..vouched.clone() };
    assert_eq!(store.vouch(other).await.expect("writes"), Vouched::Known);
    assert_eq!(store.nodes().expect("reads"), std::slice::from_ref(&vouched));
    store.remove_node(name("far"), at(5), Vec::new()).await.expect("forgets");
    assert_eq!(store.vouch(vouched.clone()).await.expect("writes"), Vouched::Removed);
    assert!(store.nodes().expect("reads").is_empty());
    store.keep_node(vouched.clone(), Vec::new()).await.expect("keeps");
    assert_eq!(store.nodes().expect("reads"), [vouched], "an operator brings it back");
}

#[tokio::test]
async fn who_is_known_by_the_word_of_a_node_that_is_removed_is_forgotten_with_it() {
    let ((_a, origin), (_b, store)) = pair(3).await;
    store.remove_node(name("a"), at(1), Vec::new()).await.expect("forgets");
    let (hub, by_hub) =
        (node("hub", Trust::Report), |text| KnownNode { via: Some(name("hub")), ..node(text, Trust::Report) });
    let of_the_file = KnownNode { configured: true, ..by_hub("b") };
    for known in [hub, by_hub("a"), of_the_file.clone()] {
        store.keep_node(known, Vec::new()).await.expect("keeps");
    }
    store.apply_shared(page(&origin, 0, 9), at(2)).await.expect("writes");
    assert_eq!(held(&store).high, 3);
    store.remove_node(name("hub"), at(3), Vec::new()).await.expect("forgets");
    assert_eq!(store.nodes().expect("reads"), [of_the_file], "its key is the operator's");
    assert!(store.shared_logs().expect("reads").is_empty());
    assert_eq!(store.vouch(by_hub("a")).await.expect("writes"), Vouched::Pinned, "another one may vouch for it");
    assert_eq!(store.vouch(node("hub", Trust::Report)).await.expect("writes"), Vouched::Removed);
}

#[tokio::test]
async fn neither_another_trust_nor_another_key_brings_back_who_was_removed() {
    let ((_a, _origin), (_b, store)) = pair(0).await;
    let quarantine = Quarantine { since: at(1), why: "it lied".to_owned() };
    store.quarantine_node(name("a"), quarantine.clone(), Vec::new()).await.expect("writes");
    let other = PinnedKeys(vec![PinnedKey { key: key(9), since: at(2), until: None }]);
    store.keep_keys(name("a"), other.clone(), Vec::new()).await.expect("keeps");
    let before = node("a", Trust::Report);
    let rekeyed = KnownNode { keys: other.0.clone(), ..before };
    let lied = KnownNode { quarantine: Some(quarantine), ..rekeyed.clone() };
    assert_eq!(store.nodes().expect("reads"), [lied], "its quarantine is not over by that");
    store.trust_node(name("a"), Trust::Command, Vec::new()).await.expect("keeps");
    assert_eq!(store.nodes().expect("reads"), [KnownNode { trust: Trust::Command, ..rekeyed }]);
    store.remove_node(name("a"), at(3), Vec::new()).await.expect("forgets");
    store.trust_node(name("a"), Trust::Report, Vec::new()).await.expect("writes");
    store.keep_keys(name("a"), other, Vec::new()).await.expect("writes");
    assert!(store.nodes().expect("reads").is_empty());
}

#[tokio::test]
async fn an_invitation_counts_once_and_for_a_time() {
    let dir = tempfile::tempdir().expect("temp dir");
    let store = open(&dir);
    for n in 0..3 {
        store.invite([n; 32], Trust::Command, at(0), at(900), Vec::new()).await.expect("writes");
    }
    let accept = |n: u8, now| store.accept_invitation([n; 32], node("b", Trust::Observe), at(now), Vec::new());
    assert!(accept(9, 1).await.expect("writes").is_none(), "nobody was invited by that");
    assert!(accept(0, 900).await.expect("writes").is_none(), "it is over");
    assert!(store.nodes().expect("reads").is_empty());
    assert_eq!(accept(1, 899).await.expect("writes").map(|(trust, _)| trust), Some(Trust::Command));
    assert_eq!(store.nodes().expect("reads")[0].trust, Trust::Command);
    assert!(accept(1, 899).await.expect("writes").is_none(), "it is used up");
    store.invite([8; 32], Trust::Report, at(900), at(1_800), Vec::new()).await.expect("writes");
    let left: i64 =
        store.read(|c| c.query_row("SELECT count(*) FROM node_invitation", [], |r| r.get(0))).expect("reads");
    assert_eq!(left, 1, "those that are over are forgotten");
}

#[tokio::test]
async fn logs_are_forgotten_in_slices_and_say_from_where_on_they_are_held() {
    let ((_a, origin), (_b, follower)) = pair(20).await;
    follower.apply_shared(page(&origin, 0, 12), at(1)).await.expect("writes");
    follower.apply_shared(page(&origin, 12, 8), at(1)).await.expect("writes");
    let keep = KeepShared { entries: 15, ..KeepShared::default() };
    assert!(follower.forget_shared(keep, at(2), 3).await.expect("writes"), "there is more");
    assert!(!follower.forget_shared(keep, at(2), 3).await.expect("writes"));
    let log = held(&follower);
    assert_eq!((log.low, log.high, log.before), (6, 20, origin.own_at(5).expect("reads").1.expect("held")));
    let slice = follower.shared_slice(&name("a"), false, 5, 500, 1 << 20).expect("reads").expect("a log");
    assert_eq!((slice.events[0].seq, slice.head.expect("a head").seq), (6, 20));
    let one = log.bytes / 15;
    let keep = KeepShared { bytes: one * 10, ..KeepShared::default() };
    assert!(!follower.forget_shared(keep, at(2), 100).await.expect("writes"));
    assert!(held(&follower).bytes <= one * 10 && held(&follower).low >= 11);
    let late = at(1).checked_add(SignedDuration::from_hours(8 * 24)).expect("in range");
    assert!(!follower.forget_shared(KeepShared::default(), late, 100).await.expect("writes"));
    let log = held(&follower);
    assert_eq!((log.low, log.high), (20, 20), "the newest of all stays, so that no place is given twice");
    assert_eq!(follower.shared_states(&name("a"), false).expect("reads").len(), 3, "what is known stays");
    let keep = KeepShared { states: 1, ..KeepShared::default() };
    follower.forget_shared(keep, Timestamp::UNIX_EPOCH, 100).await.expect("writes");
    assert_eq!(follower.shared_states(&name("a"), false).expect("reads").len(), 1);
    // The head of a log of which nothing is left still says what its node once wrote.
    let told = follower.held_head(&name("a")).expect("reads");
    follower.own_log(name("b"), epoch(9)).await.expect("begins");
    publish(&follower, vec![new(SharedKind::Message, "own", "1")]).await;
    follower.forget_shared(KeepShared::default(), late, 100).await.expect("writes");
    assert_eq!((held(&follower).low, held(&follower).high), (21, 20));
    assert_eq!(follower.held_head(&name("a")).expect("reads"), told);
    assert_eq!(told.map(|head| (head.seq, head.hash)), origin.own_at(20).expect("reads").1.map(|hash| (20, hash)));
    // It goes on from there.
    publish(&origin, vec![new(SharedKind::Check, "c0", "21")]).await;
    assert_eq!(taken(&follower.apply_shared(page(&origin, 20, 9), late).await.expect("writes")), [21]);
    follower.remove_node(name("a"), late, Vec::new()).await.expect("forgets");
    follower.forget_shared(KeepShared::default(), late, 100).await.expect("writes");
    let rows = |table: &str| {
        let sql = format!("SELECT count(*) FROM {table}");
        follower.read(|c| c.query_row(&sql, [], |r| r.get::<_, i64>(0))).expect("reads")
    };
    // The head of 20 goes with the next entry that is swept.
    assert_eq!((rows("node_entry"), rows("node_state"), rows("node_head")), (1, 0, 2), "only the newest entry");
}
