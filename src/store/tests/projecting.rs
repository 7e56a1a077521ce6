//! What is recorded becomes messages, conversations, contacts and reports, and is found and counted.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::model::{Act, Attachment, ContactFilter, EventFilter, EventId, EventState, InboxFilter, Parsed, Report};
use crate::store::{NewEvent, PendingEvent, Projection, Store};

use super::rig::{act, channels, event, open, project, record, refresh_vips};

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
        let read = |event: PendingEvent| {
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
    let read = |event: PendingEvent| {
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

/// Records a report in `body`, as `status rank`, and projects it; somebody is needed at rank 5.
async fn report(store: &Store, channel: i64, about: &str, body: &str) -> EventId {
    let new = event(channel, Some(&format!("{about}:{body}")), body, 0);
    let id = new.id;
    record(store, new).await;
    let pending = store.pending(10).expect("reads");
    store.project(pending.into_iter().map(|event| reported(event, about)).collect(), true).await.expect("projects");
    id
}

fn reported(event: PendingEvent, about: &str) -> Projection {
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
