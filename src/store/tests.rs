//! The store as a whole: what is recorded, projected, marked and found again.

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use uuid::Uuid;

use crate::model::{
    Act, ActId, Acted, Assurance, Attachment, AuditKind, AuditNote, ChannelId, ContactFilter, EventFilter, EventId,
    EventState, InboxFilter, Item, Parsed, Person, Report, Role, Scope, StoreFault, Token, TokenHash, TokenId,
};

use super::{ActOrder, DeskWork, NewEvent, OneTime, Options, Projection, Recorded, Store, StoreError};

pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + seconds).expect("in range")
}

pub(super) fn event(channel: i64, key: Option<&str>, body: &str, received: i64) -> NewEvent {
    NewEvent {
        id: EventId::from_uuid(Uuid::now_v7()),
        channel,
        kind: "note".into(),
        time: None,
        received: at(received),
        key: key.map(str::to_owned),
        body_hash: Sha256::digest(body).into(),
        body_window: None,
        once: None,
        assurance: Assurance::Body,
        dead: None,
        head: Bytes::from_static(b"content-type: text/plain\nx-note: a: b\n"),
        body: body.to_owned().into(),
    }
}

fn guarded(channel: i64, key: Option<&str>, body: &str, received: i64) -> NewEvent {
    NewEvent { body_window: Some(SignedDuration::from_secs(600)), ..event(channel, key, body, received) }
}

pub(super) fn open(dir: &TempDir) -> Store {
    Store::open(dir.path(), Options::default()).expect("opens")
}

pub(super) async fn channels(store: &Store) -> (i64, i64) {
    let ids: Vec<ChannelId> = ["a", "b"].map(|id| id.parse().expect("an id")).to_vec();
    let numbers = store.channel_numbers(ids).await.expect("numbers");
    (numbers[0].1, numbers[1].1)
}

pub(super) async fn record(store: &Store, event: NewEvent) -> Recorded {
    store.record(vec![event]).await.expect("records")
}

pub(super) async fn refresh_vips(store: &Store, is_vip: impl Fn(&str) -> bool) -> usize {
    let changes = store.vip_changes(is_vip).expect("reads");
    store.change_vips(changes).await.expect("refreshes")
}

/// Does something as `who`.
pub(super) async fn act(store: &Store, who: &str, on: &[Item], act: Act, seconds: i64) -> (Acted, DeskWork) {
    let id = ActId::from_uuid(Uuid::now_v7());
    let order = ActOrder { id, on: on.to_vec(), act, who: who.to_owned(), seen: None };
    store.act(order, at(seconds)).await.expect("acts").expect("it can be done")
}

/// Projects everything that is pending: the body is the text, `from:` its sender.
pub(super) async fn project(store: &Store) {
    loop {
        let pending = store.pending(3).expect("reads");
        if pending.is_empty() {
            return;
        }
        let batch = pending
            .into_iter()
            .map(|event| {
                let text = String::from_utf8(event.body.clone()).expect("text");
                let from = text
                    .split_once(':')
                    .map(|(name, _)| Person { address: format!("{name}@example.org"), name: name.to_owned() });
                let parsed = Parsed {
                    from,
                    subject: format!("about {text}"),
                    thread: event.kind.clone(),
                    text,
                    ..Parsed::default()
                };
                Projection { parsed: event.dead.is_none().then_some(parsed), vip: false, event }
            })
            .collect();
        store.project(batch, true).await.expect("projects");
    }
}

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
async fn attachments_are_written_once_and_conversations_found_by_name() {
    let dir = tempfile::tempdir().expect("temp dir");
    let store = open(&dir);
    let (a, _) = channels(&store).await;
    let names = [("c", &["b"][..]), ("b", &["a"]), ("a", &[]), ("z", &[])];
    for (name, _) in names {
        record(&store, event(a, Some(name), name, 0)).await;
    }
    let projections = || {
        let read = |event: super::PendingEvent| {
            let (name, refs) = names.into_iter().find(|(name, _)| *name == event.key).expect("a name");
            let parsed = Parsed {
                thread: refs.first().unwrap_or(&name).to_string(),
                name: Some(name.to_owned()),
                refs: refs.iter().map(ToString::to_string).collect(),
                attachments: vec![Attachment { name: format!("{name}.txt"), size: 3, ..Attachment::default() }; 2],
                ..Parsed::default()
            };
            Projection { parsed: Some(parsed), vip: false, event }
        };
        store
            .stored_after(0, &EventFilter::default(), 10)
            .map(|events| events.into_iter().map(read).collect::<Vec<_>>())
    };
    let first = store.pending(10).expect("reads");
    assert_eq!(first.len(), 4);
    project(&store).await;
    for _ in 0..2 {
        store.project(projections().expect("reads"), false).await.expect("projects");
    }
    let messages: Vec<_> =
        first.iter().map(|event| store.message(event.id.into()).expect("reads").expect("a message")).collect();
    let conversation = |index: usize| messages[index].conversation;
    assert_eq!((conversation(0), conversation(0)), (conversation(1), conversation(2)), "a, b and c are one");
    assert_ne!(conversation(0), conversation(3));
    assert_eq!(messages[0].attachments.len(), 2);
    assert_eq!(store.attachment(first[1].id.into(), 2).expect("reads").expect("a file").name, "b.txt");
    assert_eq!(store.attachment(first[1].id.into(), 3).expect("reads"), None);
}

#[tokio::test]
async fn a_name_joins_messages_of_one_contact_only_and_cannot_be_taken_away() {
    let dir = tempfile::tempdir().expect("temp dir");
    let store = open(&dir);
    let (a, _) = channels(&store).await;
    // Eve names a message of Ann before it came and one after.
    let mails = [("e1", "eve", "m1"), ("m1", "ann", "m0"), ("e2", "eve", "m1"), ("m2", "ann", "m1"), ("m0", "ann", "")];
    for (name, _, _) in mails {
        record(&store, event(a, Some(name), name, 0)).await;
    }
    let pending = store.pending(10).expect("reads");
    let ids: Vec<_> = pending.iter().map(|event| event.id).collect();
    let read = |event: super::PendingEvent| {
        let (name, from, answers) = mails.into_iter().find(|(name, ..)| *name == event.key).expect("a name");
        let parsed = Parsed {
            from: Some(crate::model::Person { address: from.into(), name: String::new() }),
            thread: format!("{from} {name}"),
            name: Some(name.to_owned()),
            refs: if answers.is_empty() { Vec::new() } else { vec![answers.to_owned()] },
            ..Parsed::default()
        };
        Projection { parsed: Some(parsed), vip: false, event }
    };
    store.project(pending.into_iter().map(read).collect(), true).await.expect("projects");
    let found: Vec<_> =
        ids.iter().map(|id| store.message((*id).into()).expect("reads").expect("a message").conversation).collect();
    assert_eq!((found[1], found[1]), (found[3], found[4]), "Ann's are one, the first of them last");
    assert_eq!(found[0], found[2]);
    assert_ne!(found[0], found[1]);
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
async fn projection_makes_messages_and_marks_outlive_a_replay() {
    let dir = tempfile::tempdir().expect("temp dir");
    let store = open(&dir);
    let (a, _) = channels(&store).await;
    for (key, body) in [("1", "ann: late order"), ("2", "bob: thanks"), ("3", "ann: orders again")] {
        record(&store, event(a, Some(key), body, 0)).await;
    }
    record(&store, NewEvent { dead: Some("broken".into()), ..event(a, Some("4"), "?", 0) }).await;
    let everything = InboxFilter::default();
    assert_eq!(store.inbox_count(&everything).expect("counts"), 0);
    project(&store).await;
    let rows = store.inbox(&everything, None, 10).expect("lists").rows;
    assert_eq!(rows.iter().map(|row| row.from.as_str()).collect::<Vec<_>>(), ["ann", "bob", "ann"]);
    let (_, work) = act(&store, "op", &[rows[0].id.into()], Act::Ack, 9).await;
    assert_eq!(work.marks[0].1.acked_by.as_deref(), Some("op"));
    assert_eq!(work.unread[&rows[0].channel], (0, -1));
    let (acted, again) = act(&store, "other", &[rows[0].id.into()], Act::Ack, 10).await;
    assert_eq!((acted.changed, again.unread.len()), (0, 0), "acking twice counts once");

    let stored = store.stored_after(0, &EventFilter::default(), 10).expect("reads");
    let batch: Vec<Projection> = stored
        .into_iter()
        .map(|event| Projection {
            parsed: event.dead.is_none().then(|| Parsed {
                subject: "new reading".into(),
                text: "t".into(),
                thread: "z".into(),
                ..Parsed::default()
            }),
            vip: false,
            event,
        })
        .collect();
    let projected = store.project(batch, false).await.expect("projects again");
    assert!(projected.rows.is_empty(), "nothing is new");
    let row = &store.inbox(&everything, None, 1).expect("lists").rows[0];
    assert_eq!(row.subject, "new reading");
    assert_eq!(row.marks.acked_by.as_deref(), Some("op"), "the first ack stands");
    assert_eq!(store.inbox_count(&everything).expect("counts"), 3);
    assert_eq!(
        store.contacts(&ContactFilter::default(), 10).expect("lists").iter().map(|c| c.messages).sum::<u64>(),
        0
    );
    let states: Vec<EventState> =
        store.events(&EventFilter::default(), None, 10).expect("lists").iter().map(|e| e.state).collect();
    assert_eq!(states, [EventState::Dead, EventState::Projected, EventState::Projected, EventState::Projected]);
}

#[tokio::test]
async fn search_finds_words_accents_and_beginnings_newest_first() {
    let dir = tempfile::tempdir().expect("temp dir");
    let store = open(&dir);
    let (a, _) = channels(&store).await;
    for (key, body) in [("1", "ann: late order"), ("2", "bob: café closed"), ("3", "ann: orders again")] {
        record(&store, event(a, Some(key), body, 0)).await;
    }
    project(&store).await;
    while store.index(2).await.expect("indexes") > 0 {}
    let hits = |query: &str| {
        let page = store.inbox(&query.parse().expect("a query"), None, 10).expect("searches");
        page.rows.iter().map(|row| row.seq).collect::<Vec<_>>()
    };
    assert_eq!(hits("order"), [3, 1], "an unfinished word");
    assert_eq!(hits("order "), [1], "a finished word");
    assert_eq!(hits("CAFE"), [2]);
    assert_eq!(hits("ann late"), [1]);
    assert_eq!(hits("nothing"), Vec::<i64>::new());
    assert_eq!(hits("NEAR * OR-"), Vec::<i64>::new(), "operators are words");
    assert_eq!(hits("* -"), Vec::<i64>::new(), "what holds no letter is nowhere");
    assert_eq!(hits("from:ann"), [3, 1]);
    assert_eq!(hits("from:ann late "), [1]);
    assert_eq!(hits("from:late"), Vec::<i64>::new());
    assert_eq!(hits("channel:b ann"), Vec::<i64>::new());
}

#[tokio::test]
async fn vips_by_operator_win_over_the_configuration() {
    let dir = tempfile::tempdir().expect("temp dir");
    let store = open(&dir);
    let (a, _) = channels(&store).await;
    record(&store, event(a, Some("1"), "ann: x", 0)).await;
    project(&store).await;
    let vips = InboxFilter { vip: true, unread: true, ..InboxFilter::default() };
    refresh_vips(&store, |address| address.starts_with("ann")).await;
    assert_eq!(store.inbox_count(&vips).expect("counts"), 1);
    let ann = store.contacts(&ContactFilter::default(), 1).expect("lists")[0].id;
    let (contact, unread) = store.set_vip(ann, false).await.expect("sets").expect("known");
    assert!(!contact.vip);
    assert_eq!(unread[&contact.channel], (-1, 1));
    refresh_vips(&store, |_| true).await;
    assert_eq!(store.inbox_count(&vips).expect("counts"), 0, "what an operator said stays");
}

#[tokio::test]
async fn a_full_queue_refuses_at_once() {
    let dir = tempfile::tempdir().expect("temp dir");
    let store = Store::open(dir.path(), Options { commit_batch: 1, queue: 1 }).expect("opens");
    let (a, _) = channels(&store).await;
    let all = (0..200).map(|n| store.record(vec![event(a, Some(&n.to_string()), "x", 0)]));
    let results = futures_util::future::join_all(all).await;
    let accepted = results.iter().filter(|result| result.is_ok()).count() as u64;
    assert!(results.iter().any(|result| matches!(result, Err(StoreError::Full))));
    assert_eq!(store.event_count(&EventFilter::default()).expect("counts"), accepted);
}

#[tokio::test]
async fn closing_leaves_everything_in_one_file() {
    let dir = tempfile::tempdir().expect("temp dir");
    let store = open(&dir);
    let (a, _) = channels(&store).await;
    record(&store, event(a, Some("1"), "x", 0)).await;
    assert_eq!(store.event_count(&EventFilter::default()).expect("counts"), 1);
    drop(store);
    assert!(!dir.path().join("aurora.db-wal").exists(), "the log is copied back");
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

#[tokio::test]
async fn a_writer_that_is_stuck_answers_nobody() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(&dir);
    let pulse = store.pulse();
    pulse.answered().await.expect("it works");
    let (go_on, stuck) = std::sync::mpsc::channel::<()>();
    let blocked = store.write(move |_| Ok(stuck.recv().is_ok()));
    let (mut blocked, mut asked) = (Box::pin(blocked), Box::pin(pulse.answered()));
    // Polled in this order, so the work that blocks is queued first.
    tokio::select! {
        biased;
        _ = &mut blocked => panic!("nobody let it go on"),
        _ = &mut asked => panic!("the writer is stuck"),
        () = tokio::time::sleep(std::time::Duration::from_millis(200)) => {}
    }
    go_on.send(()).expect("it waits");
    assert!(blocked.await.expect("it went on"));
    asked.await.expect("it works again");
    drop(store);
    assert!(pulse.answered().await.is_err(), "a closed store says so");
}

#[tokio::test]
async fn a_full_disk_refuses_at_once_and_is_found_free_again() {
    let dir = tempfile::tempdir().expect("temp dir");
    let store = open(&dir);
    let (a, _) = channels(&store).await;
    let mut trouble = store.trouble();
    let pages = |count: i64| {
        move |connection: &rusqlite::Connection| {
            connection.query_row(&format!("PRAGMA max_page_count = {count}"), [], |_| Ok(()))
        }
    };
    // SQLite answers as it does on a full disk when the file may hold no more pages.
    store.write(pages(120)).await.expect("sets");
    let body = "x".repeat(10_000);
    let mut accepted = 0;
    let error = loop {
        match store.record(vec![event(a, Some(&accepted.to_string()), &body, 0)]).await {
            Ok(_) => accepted += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, StoreError::Disk { fault: StoreFault::DiskFull, .. }), "{error}");
    assert!(accepted > 0);
    assert_eq!(trouble.borrow_and_update().as_ref().map(|trouble| trouble.fault), Some(StoreFault::DiskFull));
    assert!(store.record(vec![event(a, Some("small"), "x", 0)]).await.is_err(), "at once, though it would fit");
    assert!(matches!(store.write(|_| Ok(())).await, Err(StoreError::Disk { .. })), "marks hear the reason, too");
    tokio::time::timeout(std::time::Duration::from_secs(10), trouble.changed()).await.expect("in time").expect("open");
    assert!(trouble.borrow_and_update().is_none(), "the writer has tried by itself");
    store.write(pages(1_000_000)).await.expect("sets");
    assert_eq!(record(&store, event(a, Some("last"), &body, 0)).await.fresh, 1);
    assert_eq!(store.event_count(&EventFilter::default()).expect("counts"), accepted + 1);
}

/// A page of the database below `dir`, by the table it is the root of.
struct Page {
    file: std::fs::File,
    offset: u64,
    was: Vec<u8>,
}

impl Page {
    /// While no store is open: closing any descriptor of the file would drop the locks of the process.
    fn of(dir: &TempDir, table: &str) -> Self {
        use std::os::unix::fs::FileExt;

        let path = Store::path(dir.path());
        let database = rusqlite::Connection::open(&path).expect("opens");
        let root: u64 = database
            .query_row("SELECT rootpage FROM sqlite_schema WHERE name = ?1", [table], |row| row.get(0))
            .expect("a table");
        let size: u64 = database.query_row("PRAGMA page_size", [], |row| row.get(0)).expect("a size");
        drop(database);
        let file = std::fs::File::options().read(true).write(true).open(path).expect("opens");
        let mut page = Self { file, offset: (root - 1) * size, was: vec![0; usize::try_from(size).expect("small")] };
        page.file.read_exact_at(&mut page.was, page.offset).expect("reads");
        page
    }

    fn overwrite(&self) {
        self.put(&vec![0xff; self.was.len()]);
    }

    fn put(&self, bytes: &[u8]) {
        use std::os::unix::fs::FileExt;

        self.file.write_all_at(bytes, self.offset).expect("writes");
    }

    fn restore(&self) {
        self.put(&self.was);
    }
}

fn is_corrupt<T>(result: &Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::Disk { fault: StoreFault::Corrupt, .. }))
}

#[tokio::test]
async fn a_broken_page_refuses_only_who_needs_it_and_nobody_once_it_is_well() {
    let dir = tempfile::tempdir().expect("temp dir");
    let (a, b) = channels(&open(&dir)).await;
    let page = Page::of(&dir, "body_seen");
    let store = open(&dir);
    page.overwrite();
    let needs = |body: &str| vec![guarded(b, None, body, 0)];
    for round in 0..3 {
        let (key, body) = (format!("plain {round}"), format!("guarded {round}"));
        let both = tokio::join!(store.record(vec![event(a, Some(&key), "x", 0)]), store.record(needs(&body)));
        assert!(both.0.is_ok(), "{:?}", both.0);
        assert!(is_corrupt(&both.1), "{:?}", both.1);
    }
    let told = store.trouble().borrow().clone().expect("it is told");
    assert_eq!(told.fault, StoreFault::Corrupt);
    page.restore();
    assert_eq!(store.record(needs("guarded 0")).await.expect("it is read").fresh, 1, "nothing stale is kept in memory");
    assert_eq!(store.record(needs("guarded 0")).await.expect("it is read").repeated, 1, "its body is known");
    assert_eq!(store.event_count(&EventFilter::default()).expect("counts"), 4);
}

#[tokio::test]
async fn a_database_that_cannot_be_read_for_a_while_is_tried_again() {
    let dir = tempfile::tempdir().expect("temp dir");
    let store = open(&dir);
    let (a, b) = channels(&store).await;
    record(&store, guarded(b, None, "before", 0)).await;
    drop(store);
    let pages = ["event", "body_seen"].map(|table| Page::of(&dir, table));
    let store = open(&dir);
    pages.iter().for_each(Page::overwrite);
    assert!(is_corrupt(&store.record(vec![guarded(b, None, "other", 0)]).await));
    let refused = store.record(vec![event(a, Some("plain"), "x", 0)]).await;
    assert!(is_corrupt(&refused), "nobody queues in front of it: {refused:?}");
    assert!(is_corrupt(&store.pending(1)), "readers say so, too");
    pages.iter().for_each(Page::restore);
    for _ in 0..100 {
        if store.record(vec![event(a, Some("plain"), "x", 0)]).await.is_ok() {
            assert_eq!(record(&store, guarded(b, None, "before", 1)).await.repeated, 1, "bodies are still known");
            assert_eq!(store.event_count(&EventFilter::default()).expect("reads"), 2);
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("it is never tried again");
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

#[test]
fn a_file_that_is_no_database_is_named() {
    let dir = tempfile::tempdir().expect("temp dir");
    std::fs::write(dir.path().join("aurora.db"), [7; 8192]).expect("writes");
    let error = Store::open(dir.path(), Options::default()).expect_err("no database");
    assert!(matches!(error, StoreError::Disk { fault: StoreFault::Corrupt, .. }), "{error}");
    assert!(error.to_string().contains("aurora.db"), "{error}");
}

/// Records a report in `body`, as `status rank`, and projects it; somebody is needed at rank 5.
async fn report(store: &Store, channel: i64, about: &str, body: &str) -> EventId {
    let new = event(channel, Some(&format!("{about}:{body}")), body, 0);
    let id = new.id;
    record(store, new).await;
    let pending = store.pending(10).expect("reads");
    store.project(pending.into_iter().map(|event| reported(event, about)).collect(), true).await.expect("projects");
    id
}

fn reported(event: super::PendingEvent, about: &str) -> Projection {
    let body = String::from_utf8(event.body.clone()).expect("text");
    let (status, rank) = body.split_once(' ').expect("status and rank");
    let rank = rank.parse().expect("a number");
    let report =
        Report { about: about.into(), status: status.into(), rank, detail: String::new(), needs_somebody: rank == 5 };
    let subject = format!("{status}: a message");
    Projection { parsed: Some(Parsed { subject, report: Some(report), ..Parsed::default() }), vip: false, event }
}

#[tokio::test]
async fn reports_are_ranked_whatever_order_they_come_in() {
    let orders: [&[&str]; 3] = [
        &["queued 1", "sent 3", "delivered 6", "read 7"],
        &["read 7", "delivered 6", "queued 1", "sent 3"],
        &["delivered 6", "read 7", "sent 3", "sent 3", "queued 1"],
    ];
    for order in orders {
        let dir = tempfile::tempdir().expect("temp dir");
        let store = open(&dir);
        let (a, b) = channels(&store).await;
        let mut last = EventId::from_uuid(Uuid::now_v7());
        for body in order {
            last = report(&store, a, "SM1", body).await;
        }
        let other = report(&store, a, "SM2", "sent 3").await;
        let elsewhere = report(&store, b, "SM1", "queued 1").await;
        let standing = |id| store.event(id).expect("reads").and_then(|event| event.report).map(|report| report.status);
        let known = if order.len() == 5 { report(&store, a, "SM1", "late 2").await } else { last };
        assert_eq!(standing(known).as_deref(), Some("read"), "{order:?}");
        assert_eq!(standing(other).as_deref(), Some("sent"), "another message");
        assert_eq!(standing(elsewhere).as_deref(), Some("queued"), "another channel");
        assert_eq!(store.inbox_count(&InboxFilter::default()).expect("counts"), 0, "nobody is needed");
    }
}

#[tokio::test]
async fn a_report_is_listed_and_only_one_that_needs_somebody_is_a_message() {
    let dir = tempfile::tempdir().expect("temp dir");
    let store = open(&dir);
    let (a, _) = channels(&store).await;
    report(&store, a, "SM1", "sent 3").await;
    let failed = report(&store, a, "SM1", "failed 5").await;
    let subjects: Vec<_> = store
        .events(&EventFilter::default(), None, 10)
        .expect("lists")
        .into_iter()
        .map(|event| event.subject)
        .collect();
    assert_eq!(subjects, [Some("failed: a message".to_owned()), Some("sent: a message".to_owned())]);
    let rows = store.inbox(&InboxFilter::default(), None, 10).expect("lists").rows;
    assert_eq!(rows.iter().map(|row| row.subject.as_str()).collect::<Vec<_>>(), ["failed: a message"]);
    assert_eq!(
        store.event(failed).expect("reads").and_then(|event| event.report).map(|r| r.needs_somebody),
        Some(true)
    );
    let again = store.stored_after(0, &EventFilter::default(), 10).expect("reads");
    let projected =
        store.project(again.into_iter().map(|event| reported(event, "SM1")).collect(), false).await.expect("projects");
    assert!(projected.rows.is_empty(), "nothing is new");
    assert_eq!(store.inbox_count(&InboxFilter::default()).expect("counts"), 1);
}

#[tokio::test]
async fn stats_count_by_channel_and_day() {
    let dir = tempfile::tempdir().expect("temp dir");
    let store = open(&dir);
    let (a, b) = channels(&store).await;
    let mut old = event(a, Some("1"), "ann: old", 0);
    old.id = EventId::from_uuid(Uuid::from_u128(1_700_000_000_000 << 80));
    record(&store, old).await;
    record(&store, event(a, Some("2"), "ann: new", 0)).await;
    record(&store, event(b, Some("3"), "bob: new", 0)).await;
    project(&store).await;
    refresh_vips(&store, |address| address.starts_with("ann")).await;
    let read = store.inbox(&InboxFilter::default(), None, 1).expect("lists").rows[0].id;
    act(&store, "anna", &[read.into()], Act::Read, 1).await;
    let today = Timestamp::now() - SignedDuration::from_secs(60);
    let counts: Vec<_> = store.channel_stats(today).expect("counts");
    let counts: Vec<_> = counts.iter().map(|s| (s.messages, s.unread, s.vip, s.processed_today)).collect();
    assert_eq!(counts, [(2, 2, 2, 1), (1, 0, 0, 1)]);
}

#[tokio::test]
async fn tokens_are_kept_until_they_are_revoked() {
    let dir = tempfile::tempdir().expect("temp dir");
    let store = open(&dir);
    let token = |number, scopes: Option<Vec<Scope>>| Token {
        id: TokenId::from_uuid(Uuid::from_u128(number)),
        operator: "anna".parse().expect("a name"),
        role: Role::Approver,
        configured: scopes.is_some(),
        scopes,
        created: at(0),
        expires: Some(at(10)),
        used: None,
    };
    let note = |number: u8| AuditNote::new(at(0), None, AuditKind::Changed, number, "a token");
    let tokens = [token(1, Some(vec![Scope::Stats, Scope::Updates])), token(2, None)];
    for (number, token) in (1..).zip(&tokens) {
        store.add_token(TokenHash([number; 32]), token.clone(), note(number)).await.expect("adds");
    }
    store.token_used(tokens[1].id, at(5)).await.expect("notes");
    drop(store);
    let store = open(&dir);
    let kept = store.tokens().expect("lists");
    assert_eq!(kept[0], (TokenHash([1; 32]), tokens[0].clone()));
    assert_eq!(kept[1].1, Token { used: Some(at(5)), ..tokens[1].clone() });
    store.revoke_token(tokens[0].id, note(3)).await.expect("revokes");
    assert_eq!(store.verify_audit().expect("reads").entries, 3);
    assert_eq!(store.tokens().expect("lists").len(), 1);
}

#[tokio::test]
async fn many_vips_are_made_without_keeping_deliveries_waiting_or_overruling_anybody() {
    let dir = tempfile::tempdir().expect("temp dir");
    let store = open(&dir);
    let (a, _) = channels(&store).await;
    let insert = "WITH RECURSIVE n (n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM n WHERE n < 2000)
        INSERT INTO contact (id, channel, address, name, vip) SELECT randomblob(16), ?1, n || '@x.example', '', 0 FROM n";
    store.write(move |connection| connection.execute(insert, [a])).await.expect("contacts");
    let changes = store.vip_changes(|_| true).expect("reads");
    let somebody = store.contacts(&ContactFilter::default(), 1).expect("reads")[0].id;
    store.set_vip(somebody, false).await.expect("an operator decides meanwhile");
    let ended = std::sync::Mutex::new(Vec::new());
    let changing = async {
        assert_eq!(store.change_vips(changes).await.expect("changes"), 1_999);
        ended.lock().expect("not poisoned").push("vips");
    };
    let recording = async {
        assert_eq!(record(&store, event(a, Some("k"), "x", 0)).await.fresh, 1);
        ended.lock().expect("not poisoned").push("delivery");
    };
    tokio::join!(changing, recording);
    assert_eq!(ended.into_inner().expect("not poisoned"), ["delivery", "vips"]);
    assert!(!store.contact(somebody).expect("reads").expect("is there").vip);
    assert_eq!(refresh_vips(&store, |_| true).await, 0, "nothing is left to do");
}
