//! What operators do with conversations, against what is counted anew.

use proptest::prelude::*;
use rusqlite::Connection;
use uuid::Uuid;

use crate::model::{Act, ActId, ConversationRow, Entry, EventFilter, InboxFilter, Item, Parsed, Person, Snooze};

use super::tests::{act, at, channels, event, open, project, record};
use super::{ActOrder, NotUndone, Projection, Store};

/// Conversations as their columns say, and as everything says that is counted again.
const KEPT: &str =
    "SELECT n, messages, unread, open, last_seq, contact, vip, hidden, place FROM conversation ORDER BY n";
const COUNTED: &str = "SELECT v.n,
    (SELECT count(*) FROM message m WHERE m.conversation = v.n),
    (SELECT count(*) FROM message m LEFT JOIN mark k ON k.seq = m.seq WHERE m.conversation = v.n AND k.read_at IS NULL),
    (SELECT count(*) FROM message m LEFT JOIN mark k ON k.seq = m.seq WHERE m.conversation = v.n AND k.acked_at IS NULL),
    coalesce((SELECT max(m.seq) FROM message m WHERE m.conversation = v.n), 0),
    (SELECT m.contact FROM message m WHERE m.conversation = v.n ORDER BY m.seq DESC LIMIT 1),
    coalesce((SELECT c.vip FROM message m JOIN contact c ON c.n = m.contact WHERE m.conversation = v.n
              AND m.seq = (SELECT max(seq) FROM message WHERE conversation = v.n)), 0),
    EXISTS (SELECT 1 FROM desk d WHERE d.conversation = v.n AND d.snoozed IS NOT NULL),
    max(coalesce((SELECT max(m.seq) FROM message m WHERE m.conversation = v.n), 0),
        coalesce((SELECT d.woken FROM desk d WHERE d.conversation = v.n), 0))
    FROM conversation v ORDER BY v.n";
/// Unread messages as they are kept apart, and as the marks say.
const UNREAD: &str = "SELECT seq, vip FROM unread ORDER BY seq";
const UNMARKED: &str = "SELECT m.seq, coalesce(c.vip, 0) FROM message m LEFT JOIN mark k ON k.seq = m.seq
    LEFT JOIN contact c ON c.n = m.contact WHERE k.read_at IS NULL ORDER BY m.seq";
/// Marks as lines show them, and as they were made.
const LINES: &str = "SELECT seq, read_at, acked_at, length(acked_by) FROM message ORDER BY seq";
const MARKS: &str = "SELECT m.seq, k.read_at, k.acked_at, length(k.acked_by) FROM message m
    LEFT JOIN mark k ON k.seq = m.seq ORDER BY m.seq";
/// Messages of VIPs as they are kept apart, and as the contacts say.
const VIPS: &str = "SELECT seq FROM vip_message ORDER BY seq";
const OF_VIPS: &str = "SELECT m.seq FROM message m JOIN contact c ON c.n = m.contact WHERE c.vip ORDER BY m.seq";

pub(super) fn rows(connection: &Connection, sql: &str) -> rusqlite::Result<Vec<Vec<Option<i64>>>> {
    let mut statement = connection.prepare(sql)?;
    let columns = statement.column_count();
    statement.query_map([], |row| (0..columns).map(|column| row.get(column)).collect())?.collect()
}

pub(super) fn assert_counts(store: &Store) {
    store
        .read(|connection| {
            assert_eq!(rows(connection, KEPT)?, rows(connection, COUNTED)?, "conversations");
            assert_eq!(rows(connection, UNREAD)?, rows(connection, UNMARKED)?, "unread");
            assert_eq!(rows(connection, LINES)?, rows(connection, MARKS)?, "marks in lines");
            assert_eq!(rows(connection, VIPS)?, rows(connection, OF_VIPS)?, "messages of VIPs");
            Ok(())
        })
        .expect("reads");
}

/// Projects everything that is pending. A body is `sender thread text`.
pub(super) async fn project_threads(store: &Store) {
    let batch = store.pending(100).expect("reads");
    if !batch.is_empty() {
        store.project(batch.into_iter().map(threaded).collect(), true).await.expect("projects");
    }
}

async fn replay(store: &Store) {
    let batch = store.stored_after(0, &EventFilter::default(), 1_000).expect("reads");
    store.project(batch.into_iter().map(threaded).collect(), false).await.expect("projects");
}

fn threaded(event: super::PendingEvent) -> Projection {
    let text = String::from_utf8(event.body.clone()).expect("text");
    let mut words = text.split(' ');
    let sender = words.next().unwrap_or_default();
    let person = Person { address: format!("{sender}@example.org"), name: sender.to_owned() };
    let thread = words.next().unwrap_or_default().to_owned();
    let parsed =
        Parsed { from: Some(person), subject: thread.clone(), thread, text: text.clone(), ..Parsed::default() };
    Projection { parsed: Some(parsed), vip: sender == "vera", event }
}

pub(super) fn listed(store: &Store) -> Vec<ConversationRow> {
    store.conversations(&InboxFilter::default(), None, 100).expect("lists").rows
}

/// A store with one message a `body`, in order.
async fn filled(bodies: &[&str]) -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().expect("temp dir");
    let store = open(&dir);
    arrive(&store, bodies).await;
    (dir, store)
}

async fn arrive(store: &Store, bodies: &[&str]) {
    let (a, _) = channels(store).await;
    for body in bodies {
        record(store, event(a, None, body, 0)).await;
    }
    project_threads(store).await;
}

pub(super) fn undo_id() -> ActId {
    ActId::from_uuid(Uuid::now_v7())
}

#[tokio::test]
async fn unread_conversations_come_first_and_pages_meet() {
    let (_dir, store) = filled(&["ann t1 x", "bob t2 x", "ann t1 y", "vera t3 x", "bob t4 x"]).await;
    let subjects = |rows: &[ConversationRow]| rows.iter().map(|row| row.subject.clone()).collect::<Vec<_>>();
    let all = listed(&store);
    assert_eq!(subjects(&all), ["t4", "t3", "t1", "t2"]);
    assert_eq!((all[2].messages, all[2].unread, all[2].preview.as_str()), (2, 2, "ann t1 y"));
    act(&store, "otto", &[all[0].id.into()], Act::Read, 1).await;
    act(&store, "otto", &[all[1].id.into()], Act::Ack, 2).await;
    let all = listed(&store);
    assert_eq!(subjects(&all), ["t1", "t2", "t4", "t3"], "unread, then read, then taken");
    assert_eq!(all[3].acked_by.as_deref(), Some("otto"));
    assert!(all.is_sorted_by_key(|row| std::cmp::Reverse(row.place)));
    let mut paged = Vec::new();
    while let Some(row) = store
        .conversations(&InboxFilter::default(), paged.last().map(|row: &ConversationRow| row.place), 1)
        .expect("lists")
        .rows
        .pop()
    {
        paged.push(row);
    }
    assert_eq!(paged, all);
    let only = |filter: InboxFilter| subjects(&store.conversations(&filter, None, 9).expect("lists").rows);
    let none = InboxFilter::default;
    assert_eq!(only(InboxFilter { unread: true, ..none() }), ["t1", "t2"]);
    assert_eq!(only(InboxFilter { open: true, ..none() }), ["t1", "t2", "t4"]);
    assert_eq!(only(InboxFilter { vip: true, ..none() }), ["t3"]);
    assert_eq!(only(InboxFilter { contact: all[1].contact, ..none() }), ["t2", "t4"]);
    assert_eq!(only(InboxFilter { channel: Some("b".parse().expect("an id")), ..none() }), [""; 0]);
    assert_counts(&store);
}

#[tokio::test]
async fn a_snooze_ends_with_a_message_or_at_its_time() {
    let (_dir, store) = filled(&["ann t1 x", "bob t2 x", "eve t3 x"]).await;
    let [eve, bob, ann] = &listed(&store)[..] else { panic!("three") };
    act(&store, "otto", &[ann.id.into()], Act::Snooze(Snooze::Reply), 1).await;
    let (_, work) = act(&store, "otto", &[bob.id.into(), eve.id.into()], Act::Snooze(Snooze::Until(at(60))), 1).await;
    act(&store, "otto", &[bob.id.into()], Act::Ack, 1).await;
    assert_eq!(work.next_wake, Some(at(60)));
    assert_eq!(listed(&store), []);
    replay(&store).await;
    assert_eq!(listed(&store), [], "a replay wakes nobody");
    arrive(&store, &["ann t1 again", "zoe t4 x"]).await;
    let rows = listed(&store);
    assert_eq!((rows.len(), rows[1].id, rows[1].snoozed), (2, ann.id, None), "a message came");
    assert_eq!(store.wake_due(at(59)).await.expect("wakes").change.conversations, []);
    let woken = store.wake_due(at(60)).await.expect("wakes");
    assert_eq!((woken.change.by.as_str(), woken.change.conversations.len(), woken.next_wake), ("aurora", 2, None));
    let rows = listed(&store);
    assert_eq!(rows[0].place.seq, rows[2].place.seq, "as new as the newest of all");
    assert!(rows[..3].iter().any(|row| row.id == bob.id && row.unread == 1), "it is seen that it is back: {rows:?}");
    assert_counts(&store);
}

#[tokio::test]
async fn an_act_that_arrives_late_leaves_alone_what_came_meanwhile() {
    let (_dir, store) = filled(&["ann t1 x", "ann t1 y"]).await;
    let on: Vec<Item> = vec![listed(&store)[0].id.into()];
    arrive(&store, &["ann t1 z"]).await;
    let order = |act| ActOrder { id: undo_id(), on: on.clone(), act, who: "otto".into(), seen: Some(2) };
    let late = async |act| store.act(order(act), at(0)).await.expect("acts").expect("can").0.changed;
    assert_eq!(late(Act::Ack).await, 2, "nobody who took it has seen the third");
    assert_eq!((listed(&store)[0].unread, listed(&store)[0].acked), (1, None));
    assert_eq!(late(Act::Unread).await, 1, "the newest that was seen");
    assert_eq!(late(Act::Read).await, 1);
    assert_eq!(late(Act::Unack).await, 2);
    assert_eq!(late(Act::Snooze(Snooze::Reply)).await, 0, "the reply is there already");
    assert_eq!(act(&store, "otto", &on, Act::Snooze(Snooze::Reply), 1).await.0.changed, 1);
    assert_counts(&store);
}

#[tokio::test]
async fn an_act_is_done_once_and_undone_where_nobody_touched_it_since() {
    let (_dir, store) = filled(&["ann t1 x", "bob t2 x", "bob t2 y"]).await;
    let before = listed(&store);
    let on: Vec<Item> = before.iter().map(|row| row.id.into()).collect();
    let order = ActOrder { id: undo_id(), on: on.clone(), act: Act::Ack, who: "otto".into(), seen: None };
    let (acted, _) = store.act(order.clone(), at(0)).await.expect("acts").expect("can");
    let (again, work) = store.act(order.clone(), at(1)).await.expect("acts").expect("can");
    assert_eq!((acted.changed, &acted), (3, &again));
    assert_eq!(work.change.conversations, [], "asked twice, done once");
    act(&store, "anna", &[before[1].id.into()], Act::Unack, 2).await;
    let undo = |who: &str, seconds| store.undo(order.id, undo_id(), who.to_owned(), at(seconds));
    let refused = undo("anna", 3).await.expect("answers").expect_err("not hers");
    assert_eq!(refused, NotUndone::SomebodyElses("otto".into()));
    let (undone, work) = undo("otto", 25).await.expect("answers").expect("in time");
    assert_eq!((undone.restored, undone.left_alone), (2, 1));
    assert_eq!(work.change.conversations.len(), 1);
    assert_eq!(undo("otto", 26).await.expect("answers").expect("the same again").0, undone);
    let rows = listed(&store);
    assert_eq!(rows[0], before[0], "as it was");
    assert_eq!((rows[1].unread, rows[1].acked), (0, None), "anna gave it back after otto had read it");
    let (acted, _) = act(&store, "otto", &on, Act::Wake, 30).await;
    assert_eq!(acted.changed, 0);
    let late = store.undo(acted.id, undo_id(), "otto".into(), at(56)).await.expect("answers").expect_err("late");
    assert_eq!(late, NotUndone::TooLate);
    assert_counts(&store);
}

#[tokio::test]
async fn a_wake_that_is_undone_hides_nothing_that_came_since() {
    let (_dir, store) = filled(&["ann t1 x", "bob t2 x"]).await;
    let on: Vec<Item> = listed(&store).iter().map(|row| row.id.into()).collect();
    act(&store, "otto", &on, Act::Snooze(Snooze::Until(at(600))), 0).await;
    let (acted, _) = act(&store, "otto", &on, Act::Wake, 1).await;
    let (a, _) = channels(&store).await;
    record(&store, event(a, None, "ann t1 again", 2)).await;
    project_threads(&store).await;
    let (undone, _) = store.undo(acted.id, undo_id(), "otto".into(), at(3)).await.expect("answers").expect("in time");
    assert_eq!((undone.restored, undone.left_alone), (1, 1));
    let rows = listed(&store);
    assert_eq!((rows.len(), rows[0].from.as_str()), (1, "ann"), "{rows:?}");
    assert_counts(&store);
}

#[tokio::test]
async fn labels_assignees_and_notes_stay_through_a_replay_and_can_be_undone() {
    let (_dir, store) = filled(&["ann t1 x", "ann t1 y"]).await;
    let row = &listed(&store)[0];
    let on = [Item::from(row.id)];
    let label = |name: &str| Act::Label(name.parse().expect("a label"));
    let mut acts = Vec::new();
    for what in
        [label("late"), label("big"), Act::Assign("anna".parse().expect("a name")), Act::Note("call back".into())]
    {
        acts.push(act(&store, "otto", &on, what, 0).await.0.id);
    }
    arrive(&store, &["ann t1 z"]).await;
    act(&store, "otto", &[row.newest.into()], Act::Note("of a message".into()), 0).await;
    replay(&store).await;
    let labelled = &listed(&store)[0];
    let labels: Vec<&str> = labelled.labels.iter().map(crate::model::Label::as_str).collect();
    assert_eq!((labels, labelled.notes), (vec!["big", "late"], 2));
    assert_eq!(labelled.assignee.as_ref().map(crate::model::OperatorName::as_str), Some("anna"));
    let page = store.conversation(row.id, None, 2).expect("reads").expect("known");
    let shown = |entries: &[Entry]| -> Vec<String> {
        let show = |entry: &Entry| match entry {
            Entry::Message { text, .. } => text.clone(),
            Entry::Note(note) => format!("{}: {}", note.who, note.text),
        };
        entries.iter().map(show).collect()
    };
    assert_eq!(shown(&page.entries), ["ann t1 y", "otto: call back", "ann t1 z", "otto: of a message"]);
    let first = store.conversation(row.id, page.older, 2).expect("reads").expect("known");
    assert_eq!((shown(&first.entries), first.older), (vec!["ann t1 x".to_owned()], None));
    for id in acts {
        let (undone, _) = store.undo(id, undo_id(), "otto".into(), at(1)).await.expect("answers").expect("in time");
        assert_eq!((undone.restored, undone.left_alone), (1, 0));
    }
    let plain = &listed(&store)[0];
    assert_eq!((plain.labels.len(), &plain.assignee, plain.notes), (0, &None, 1));
}

#[tokio::test]
async fn what_is_said_again_is_counted_and_what_is_new_stands_alone() {
    let (_dir, store) = filled(&["web t1 x", "web t2 x", "web t1 y", "ann t1 z", "web t1 z"]).await;
    let repeats = |store: &Store| -> Vec<Option<u32>> {
        listed(store).iter().map(|row| row.repeats.map(|repeats| repeats.count.n)).collect()
    };
    assert_eq!(repeats(&store), [Some(3), None], "ann said something else; t2 is another conversation");
    replay(&store).await;
    assert_eq!(repeats(&store), [Some(3), None], "projecting twice changes nothing");
    arrive(&store, &["ann t2 x"]).await;
    assert_eq!(repeats(&store), [None, Some(3)], "a first occurrence is shown as one");
}

#[tokio::test]
async fn what_is_too_much_is_refused_or_left() {
    let (_dir, store) = filled(&["ann t1 x"]).await;
    let on = [Item::from(listed(&store)[0].id)];
    for n in 0..21 {
        let (acted, _) = act(&store, "otto", &on, Act::Label(format!("l{n}").parse().expect("a label")), 0).await;
        assert_eq!((acted.changed, acted.full), if n < 20 { (1, 0) } else { (0, 1) });
    }
    let nobody = Item::Conversation(crate::model::ConversationId::from_uuid(Uuid::nil()));
    let (acted, _) = act(&store, "otto", &[nobody], Act::Read, 0).await;
    assert_eq!((acted.changed, acted.unknown), (0, 1));
}

#[tokio::test]
async fn a_list_never_sorts() {
    let (_dir, store) = filled(&["ann t1 x"]).await;
    let plan = |sql: &str| {
        let read = |connection: &Connection| {
            let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
            let values = vec![rusqlite::types::Null; statement.parameter_count()];
            let steps = statement.query_map(rusqlite::params_from_iter(values), |row| row.get::<_, String>(3))?;
            steps.collect::<Result<Vec<_>, _>>()
        };
        store.read(read).expect("explains").join("\n")
    };
    let channel = InboxFilter { channel: Some("a".parse().expect("an id")), ..InboxFilter::default() };
    for filter in [InboxFilter::default(), channel, InboxFilter { vip: true, ..InboxFilter::default() }] {
        let sql = store.read(|connection| Ok(super::conversations::sql_of(connection, &filter))).expect("reads");
        let plan = plan(&sql);
        assert!(!plan.contains("TEMP B-TREE FOR ORDER") && plan.contains("conversation_"), "{filter:?}: {plan}");
    }
}

#[tokio::test]
async fn messages_that_a_replay_moves_are_counted_where_they_are() {
    let (_dir, store) = filled(&["ann t1 x", "ann t1 y"]).await;
    let rows = listed(&store);
    act(&store, "otto", &[rows[0].newest.into()], Act::Ack, 0).await;
    // The helper of the other tests reads another thread and other senders.
    let batch = store.stored_after(0, &EventFilter::default(), 10).expect("reads");
    let moved = batch.into_iter().map(|event| Projection {
        parsed: Some(Parsed { thread: event.id.to_string(), text: "z".into(), ..Parsed::default() }),
        vip: false,
        event,
    });
    store.project(moved.collect(), false).await.expect("projects");
    assert_eq!(listed(&store).iter().map(|row| row.messages).collect::<Vec<_>>(), [1, 1]);
    assert_counts(&store);
    replay(&store).await;
    assert_eq!(listed(&store).iter().map(|row| row.messages).collect::<Vec<_>>(), [2]);
    assert_counts(&store);
    project(&store).await;
}

fn acts() -> impl Strategy<Value = Act> {
    prop_oneof![
        Just(Act::Read),
        Just(Act::Unread),
        Just(Act::Ack),
        Just(Act::Unack),
        Just(Act::Snooze(Snooze::Reply)),
        (1i64..50).prop_map(|seconds| Act::Snooze(Snooze::Until(at(seconds)))),
        Just(Act::Wake),
        Just(Act::Label("x".parse().expect("a label"))),
        Just(Act::Unlabel("x".parse().expect("a label"))),
        Just(Act::Assign("anna".parse().expect("a name"))),
        Just(Act::Unassign),
        Just(Act::Note("n".into())),
    ]
}

#[derive(Debug, Clone)]
enum Step {
    Arrive(usize, usize),
    Act(Act, Vec<usize>, bool),
    Undo(usize),
    Wake(i64),
    Vip(usize, bool),
    Replay,
}

fn a_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0usize..3, 0usize..4).prop_map(|(sender, thread)| Step::Arrive(sender, thread)),
        6 => (acts(), proptest::collection::vec(0usize..6, 0..4), any::<bool>())
            .prop_map(|(act, on, whole)| Step::Act(act, on, whole)),
        2 => (0usize..4).prop_map(Step::Undo),
        1 => (0i64..60).prop_map(Step::Wake),
        1 => (0usize..3, any::<bool>()).prop_map(|(contact, vip)| Step::Vip(contact, vip)),
        1 => Just(Step::Replay),
    ]
}

async fn take(store: &Store, done: &mut Vec<ActId>, step: Step) {
    match step {
        Step::Arrive(sender, thread) => {
            let sender = ["ann", "bob", "vera"][sender];
            arrive(store, &[&format!("{sender} t{thread} x")]).await;
        }
        Step::Act(what, on, whole) => {
            let rows = listed(store);
            let on: Vec<Item> = on
                .into_iter()
                .filter_map(|place| rows.get(place))
                .map(|row| if whole { row.id.into() } else { row.newest.into() })
                .collect();
            done.push(act(store, "otto", &on, what, 0).await.0.id);
        }
        Step::Undo(back) => {
            if let Some(id) = done.iter().rev().nth(back) {
                store.undo(*id, undo_id(), "otto".into(), at(1)).await.expect("answers").expect("in time");
            }
        }
        Step::Wake(seconds) => drop(store.wake_due(at(seconds)).await.expect("wakes")),
        Step::Vip(contact, vip) => {
            let contacts = store.contacts(&crate::model::ContactFilter::default(), 9).expect("lists");
            if let Some(contact) = contacts.get(contact) {
                store.set_vip(contact.id, vip).await.expect("writes");
            }
        }
        Step::Replay => {
            let before = listed(store);
            replay(store).await;
            assert_eq!(listed(store), before, "projecting twice changes nothing");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn whatever_is_done_the_counts_are_those_of_a_recount(steps in proptest::collection::vec(a_step(), 1..30)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let (_dir, store) = filled(&["ann t0 x", "bob t1 x"]).await;
            let mut done = Vec::new();
            for step in steps {
                take(&store, &mut done, step).await;
                assert_counts(&store);
            }
        });
    }
}
