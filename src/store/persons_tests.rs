//! Contacts that are one person, against the same said plainly.

use std::collections::BTreeSet;

use proptest::prelude::*;
use rusqlite::Connection;
use tempfile::TempDir;

use crate::model::{
    Act, ActId, Contact, ContactFilter, ContactId, ConversationPage, Entry, InboxFilter, Order, PersonAct, PersonActed,
    Undone,
};

use super::desk_tests::{assert_counts, listed, project_threads, rows, undo_id};
use super::tests::{act, at, channels, event, open, record, refresh_vips};
use super::{NotSaid, Patience, PersonOrder, Store};

/// Ann, Bob and Vera, who is a VIP, on two channels each; a thread a sender and channel, several messages in it.
async fn filled() -> (TempDir, Store) {
    let dir = tempfile::tempdir().expect("temp dir");
    let store = open(&dir);
    let (a, b) = channels(&store).await;
    for round in 0..3 {
        for (channel, on) in [(a, "a"), (b, "b")] {
            for who in ["ann", "bob", "vera"] {
                record(&store, event(channel, None, &format!("{who} {who}-{on} {round}"), 0)).await;
            }
        }
    }
    project_threads(&store).await;
    (dir, store)
}

/// `ann a`, `ann b`, `bob a` …, in that order.
fn contacts(store: &Store) -> Vec<Contact> {
    let mut all: Vec<Contact> = store
        .contacts(&ContactFilter::default(), 99)
        .expect("lists")
        .into_iter()
        .flat_map(|mut contact| {
            let others = std::mem::take(&mut contact.others);
            others.into_iter().chain([contact])
        })
        .collect();
    all.sort_by(|a, b| (&a.name, &a.channel).cmp(&(&b.name, &b.channel)));
    all
}

async fn try_say(store: &Store, act: PersonAct) -> Result<PersonActed, NotSaid> {
    let order = PersonOrder { id: undo_id(), act, who: "otto".parse().expect("a name") };
    store.say_person(order, at(0)).await.expect("writes").map(|(acted, _)| acted)
}

async fn merge(store: &Store, contact: ContactId, with: ContactId) -> PersonActed {
    try_say(store, PersonAct::Merge { contact, with }).await.expect("it can be so")
}

async fn split(store: &Store, contact: ContactId) -> PersonActed {
    try_say(store, PersonAct::Split { contact }).await.expect("it can be so")
}

async fn undo(store: &Store, id: ActId) -> Undone {
    store.undo(id, undo_id(), "otto".to_owned(), at(1)).await.expect("answers").expect("in time").0
}

fn texts(page: &ConversationPage) -> Vec<(String, bool)> {
    let text = |entry: &Entry| match entry {
        Entry::Message { text, elsewhere, .. } => (text.clone(), *elsewhere),
        Entry::Note(note) => (note.text.clone(), false),
    };
    page.entries.iter().map(text).collect()
}

#[tokio::test]
async fn what_a_person_wrote_is_one_thread_and_is_found_by_any_of_their_contacts() {
    let (_dir, store) = filled().await;
    let [ann_a, ann_b, bob_a, ..] = &contacts(&store)[..] else { panic!("six") };
    let of = |contact: &Contact| InboxFilter { contact: Some(contact.id), ..InboxFilter::default() };
    let found = |filter: &InboxFilter| -> Vec<i64> {
        let mut before = None;
        let mut seqs = Vec::new();
        loop {
            let page = store.find(filter, Order::Newest, before, 2, &Patience::endless()).expect("finds");
            seqs.extend(page.rows.iter().map(|row| row.seq));
            before = page.next;
            if before.is_none() {
                return seqs;
            }
        }
    };
    assert_eq!(found(&of(ann_a)), [13, 7, 1]);
    let acted = merge(&store, ann_a.id, ann_b.id).await;
    assert_eq!((acted.changed, acted.contact.others.len()), (2, 1));
    for one in [ann_a, ann_b] {
        assert_eq!(found(&of(one)), [16, 13, 10, 7, 4, 1]);
        assert_eq!(store.inbox_count(&of(one)).expect("counts"), 6);
        assert_eq!(store.conversations(&of(one), None, 9).expect("lists").rows.len(), 2);
    }
    let some: InboxFilter = format!("contact:{} channel:b unread", ann_a.id).parse().expect("a query");
    assert_eq!(found(&some), [16, 10, 4]);

    let rows = listed(&store);
    let row = |subject: &str| rows.iter().find(|row| row.subject == subject).expect("a conversation");
    assert_eq!((row("ann-a").addresses, row("bob-a").addresses), (2, 1));
    let page = |limit, before| store.conversation(row("ann-a").id, before, limit).expect("reads").expect("known");
    let whole: Vec<(String, bool)> = (0..3)
        .flat_map(|round| [(format!("ann ann-a {round}"), false), (format!("ann ann-b {round}"), true)])
        .collect();
    assert_eq!(texts(&page(99, None)), whole);
    let newest = page(4, None);
    assert_eq!(texts(&newest), whole[2..]);
    assert_eq!(texts(&page(4, newest.older)), whole[..2]);
    assert_eq!(newest.person.iter().map(|contact| contact.channel.as_str()).collect::<Vec<_>>(), ["b", "a"]);

    // An act on the thread is about the conversation it was opened as.
    act(&store, "otto", &[row("ann-a").id.into()], Act::Ack, 2).await;
    let now = listed(&store);
    let unread = |subject: &str| now.iter().find(|row| row.subject == subject).expect("a conversation").unread;
    assert_eq!((unread("ann-a"), unread("ann-b")), (0, 3));
    split(&store, ann_b.id).await;
    let alone = store.conversation(row("ann-a").id, None, 99).expect("reads").expect("known");
    assert_eq!((alone.entries.len(), alone.person.len()), (3, 0));
    assert_eq!(found(&of(bob_a)), [14, 8, 2]);
    assert_counts(&store);
}

#[tokio::test]
async fn one_line_a_person_is_listed_and_a_vip_is_one_whichever_way_they_write() {
    let (_dir, store) = filled().await;
    let [ann_a, ann_b, bob_a, _, vera_a, vera_b] = &contacts(&store)[..] else { panic!("six") };
    merge(&store, ann_a.id, ann_b.id).await;
    merge(&store, ann_b.id, bob_a.id).await;
    let lines = |filter: &ContactFilter| -> Vec<String> {
        let all = store.contacts(filter, 99).expect("lists");
        all.iter().map(|contact| format!("{} {} {}", contact.name, contact.channel, contact.others.len())).collect()
    };
    let none = ContactFilter::default;
    assert_eq!(lines(&none()), ["vera b 0", "bob b 0", "ann b 2", "vera a 0"]);
    let on_a = ContactFilter { channel: Some("a".parse().expect("an id")), ..none() };
    assert_eq!(lines(&on_a), ["vera a 0", "bob a 2"], "of those on the channel the one who wrote last");
    let vips = || lines(&ContactFilter { vip: true, ..none() });
    assert_eq!(vips(), ["vera b 0", "vera a 0"]);
    merge(&store, bob_a.id, vera_a.id).await;
    assert_eq!(vips(), ["vera b 0", "ann b 3"]);
    assert_eq!(store.inbox_count(&"vip unread".parse().expect("a query")).expect("counts"), 15);
    assert_counts(&store);
    // What the configuration says of one address is said of it alone.
    refresh_vips(&store, |_| false).await;
    assert_eq!(vips(), [""; 0]);
    refresh_vips(&store, |address| address.starts_with("vera")).await;
    split(&store, vera_a.id).await;
    assert_eq!(vips(), ["vera b 0", "vera a 0"]);
    // What an operator says is said of the person.
    let (_, work) = store.set_vip(ann_a.id, true).await.expect("writes").expect("known");
    assert_eq!(work.vips.len(), 3);
    split(&store, bob_a.id).await;
    assert!(store.contact(bob_a.id).expect("reads").expect("known").vip);
    assert!(store.set_vip(vera_b.id, true).await.expect("writes").expect("known").1.vips.is_empty());
    assert_counts(&store);
}

#[tokio::test]
async fn what_cannot_be_so_is_refused_and_what_is_so_changes_nothing() {
    let (_dir, store) = filled().await;
    let [ann_a, ann_b, bob_a, ..] = &contacts(&store)[..] else { panic!("six") };
    let said = |contact: ContactId, with: ContactId| try_say(&store, PersonAct::Merge { contact, with });
    assert_eq!(said(ann_a.id, ann_a.id).await, Err(NotSaid::Itself(ann_a.id)));
    let nobody = ContactId::from_uuid(uuid::Uuid::nil());
    assert_eq!(said(ann_a.id, nobody).await, Err(NotSaid::Unknown(nobody)));
    assert_eq!(said(nobody, ann_a.id).await, Err(NotSaid::Unknown(nobody)));
    assert_eq!(split(&store, ann_a.id).await.told(), "ann@example.org is a person by itself already");
    merge(&store, ann_a.id, bob_a.id).await;
    merge(&store, bob_a.id, ann_b.id).await;
    let round = merge(&store, ann_b.id, ann_a.id).await;
    assert_eq!(round.changed, 0, "they are one person already");
    assert!(round.told().ends_with("already"), "{}", round.told());
    assert_eq!(undo(&store, round.id).await, Undone { restored: 0, left_alone: 0 });

    // Asked again over a broken line, it is not done again.
    let order = PersonOrder {
        id: undo_id(),
        act: PersonAct::Split { contact: bob_a.id },
        who: "otto".parse().expect("a name"),
    };
    let say = || store.say_person(order.clone(), at(0));
    let (first, work) = say().await.expect("writes").expect("can be");
    assert_eq!((first.changed, work.audited.len()), (1, 1));
    assert_eq!(work.audited[0].note.what, "is a person by itself");
    merge(&store, bob_a.id, ann_a.id).await;
    let (again, work) = say().await.expect("writes").expect("can be");
    assert_eq!((again.changed, again.contact.others.len(), work.audited.len()), (1, 2, 0));
    let by_all = store.audited(Some(&bob_a.id.to_string()), None, 9).expect("reads");
    assert_eq!(by_all.len(), 3, "each that changed something is in the audit log: {by_all:?}");
}

#[tokio::test]
async fn a_person_has_a_bounded_number_of_addresses() {
    let (_dir, store) = filled().await;
    let (a, _) = channels(&store).await;
    let insert = "WITH RECURSIVE n (n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM n WHERE n < 40)
        INSERT INTO contact (id, channel, address, name, vip, last_seq)
        SELECT randomblob(16), ?1, 'x' || n, 'x', 0, 0 FROM n";
    store.write(move |connection| connection.execute(insert, [a])).await.expect("contacts");
    let all = contacts(&store);
    let mut many: Vec<ContactId> = all.iter().filter(|contact| contact.name == "x").map(|contact| contact.id).collect();
    many.truncate(33);
    for with in &many[1..32] {
        merge(&store, many[0], *with).await;
    }
    let refused = try_say(&store, PersonAct::Merge { contact: many[32], with: many[0] }).await.expect_err("too many");
    assert_eq!(refused.to_string(), "together they would have 33 addresses; a person has 32 at most");
    assert_eq!(store.contact(many[5]).expect("reads").expect("known").others.len(), 31);
}

#[derive(Debug, Clone)]
enum Step {
    Merge(usize, usize),
    Split(usize),
    Undo(usize),
    Vip(usize, bool),
    Configured(usize),
    Arrive(usize),
}

fn a_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0usize..6, 0usize..6).prop_map(|(one, other)| Step::Merge(one, other)),
        3 => (0usize..6).prop_map(Step::Split),
        3 => (0usize..4).prop_map(Step::Undo),
        1 => (0usize..6, any::<bool>()).prop_map(|(one, vip)| Step::Vip(one, vip)),
        1 => (0usize..4).prop_map(Step::Configured),
        1 => (0usize..6).prop_map(Step::Arrive),
    ]
}

/// Who is one person, said plainly: contacts with the same number are.
type Partition = Vec<usize>;

fn merged(partition: &[usize], one: usize, other: usize) -> Partition {
    let (from, to) = (partition[one], partition[other]);
    partition.iter().map(|person| if *person == from { to } else { *person }).collect()
}

fn apart(partition: &[usize], one: usize) -> Partition {
    let mut partition = partition.to_vec();
    partition[one] = partition.iter().max().map_or(0, |last| last + 1);
    partition
}

fn groups(partition: &[usize]) -> BTreeSet<BTreeSet<usize>> {
    let of = |one: &usize| (0..partition.len()).filter(|other| partition[*other] == partition[*one]).collect();
    (0..partition.len()).map(|one| of(&one)).collect()
}

/// Who is one person, as the store says it of each contact.
fn stored(store: &Store, ids: &[ContactId]) -> BTreeSet<BTreeSet<usize>> {
    let place = |id: ContactId| ids.iter().position(|known| *known == id).expect("known");
    ids.iter()
        .map(|id| store.contact(*id).expect("reads").expect("known"))
        .map(|contact| contact.all().map(|one| place(one.id)).collect())
        .collect()
}

/// Everything that is shown or counted of contacts and messages.
fn everything(store: &Store) -> Vec<Vec<Vec<Option<i64>>>> {
    let tables = [
        "SELECT n, vip, own_vip, messages, last_seq FROM contact ORDER BY n",
        "SELECT n, messages, unread, open, last_seq, contact, vip, hidden, place, tier FROM conversation ORDER BY n",
        "SELECT seq, conversation, contact, read_at, acked_at FROM message ORDER BY seq",
        "SELECT seq, vip FROM unread ORDER BY seq",
        "SELECT seq FROM vip_message ORDER BY seq",
        "SELECT channel, events, messages, unread, unread_vip FROM channel_count ORDER BY channel",
        "SELECT contact, person FROM person ORDER BY contact",
    ];
    store.read(|connection: &Connection| tables.iter().map(|sql| rows(connection, sql)).collect()).expect("reads")
}

/// What was said, plainly.
struct Plain {
    partition: Partition,
    /// Who is a VIP by themselves, and about whom an operator has said it.
    own: [bool; 6],
    decided: [bool; 6],
    /// The acts, and who was one person before each.
    done: Vec<(ActId, Partition)>,
    /// Whether nothing else was said since the last act.
    is_last: bool,
}

impl Plain {
    fn begin() -> Self {
        let own = [false, false, false, false, true, true];
        Self { partition: (0..6).collect(), own, decided: [false; 6], done: Vec::new(), is_last: false }
    }

    fn say(&mut self, acted: &PersonActed, after: Partition) {
        let before = std::mem::replace(&mut self.partition, after);
        self.done.push((acted.id, before));
        self.is_last = true;
    }

    /// Says it to the store as well.
    async fn take(&mut self, store: &Store, ids: &[ContactId], step: Step) {
        match step {
            Step::Merge(one, other) if one == other => {
                let act = PersonAct::Merge { contact: ids[one], with: ids[one] };
                try_say(store, act).await.expect_err("itself");
            }
            Step::Merge(one, other) => {
                let acted = merge(store, ids[one], ids[other]).await;
                assert_eq!(acted.changed == 0, self.partition[one] == self.partition[other]);
                self.say(&acted, merged(&self.partition, one, other));
            }
            Step::Split(one) => {
                let acted = split(store, ids[one]).await;
                self.say(&acted, apart(&self.partition, one));
            }
            Step::Undo(back) => self.undo(store, ids, back).await,
            Step::Vip(one, vip) => {
                store.set_vip(ids[one], vip).await.expect("writes");
                for other in (0..6).filter(|other| self.partition[*other] == self.partition[one]) {
                    (self.own[other], self.decided[other]) = (vip, true);
                }
            }
            Step::Configured(who) => {
                let name = ["ann", "bob", "vera", "nobody"][who];
                refresh_vips(store, |address| address.starts_with(name)).await;
                for other in (0..6).filter(|other| !self.decided[*other]) {
                    self.own[other] = other / 2 == who;
                }
            }
            Step::Arrive(one) => {
                let (a, b) = channels(store).await;
                let who = ["ann", "bob", "vera"][one / 2];
                let channel = if one % 2 == 0 { a } else { b };
                record(store, event(channel, None, &format!("{who} t{one} again"), 0)).await;
                project_threads(store).await;
            }
        }
    }

    async fn undo(&mut self, store: &Store, ids: &[ContactId], back: usize) {
        let Some((id, was)) = self.done.iter().rev().nth(back).cloned() else { return };
        let before = stored(store, ids);
        let undone = undo(store, id).await;
        let now = stored(store, ids);
        if back == 0 && std::mem::take(&mut self.is_last) {
            assert_eq!(undone.left_alone, 0, "nobody came between");
            self.partition = was;
            self.done.pop();
        } else if undone.restored == 0 {
            assert_eq!(now, before, "all or nothing");
        } else {
            // Whoever it was about is as before; nobody else changed.
            let old = groups(&was);
            assert!(now.iter().all(|group| old.contains(group) || before.contains(group)), "{now:?}");
            for (person, group) in now.iter().enumerate() {
                for one in group {
                    self.partition[*one] = person;
                }
            }
            self.done.retain(|(other, _)| *other != id);
            self.is_last = false;
        }
    }

    fn assert_stored(&self, store: &Store, ids: &[ContactId]) {
        assert_eq!(stored(store, ids), groups(&self.partition));
        for (one, id) in ids.iter().enumerate() {
            let vip = (0..6).any(|other| self.partition[other] == self.partition[one] && self.own[other]);
            assert_eq!(store.contact(*id).expect("reads").expect("known").vip, vip, "{one}");
        }
        assert_counts(store);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]
    #[test]
    fn persons_are_what_was_said_plainly_and_splitting_all_leaves_everything_as_it_was(
        steps in proptest::collection::vec(a_step(), 1..25),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let (_dir, store) = filled().await;
            let ids: Vec<ContactId> = contacts(&store).iter().map(|contact| contact.id).collect();
            let before = everything(&store);
            let more = steps.iter().any(|step| matches!(step, Step::Vip(..) | Step::Configured(_) | Step::Arrive(_)));
            let mut plain = Plain::begin();
            for step in steps {
                plain.take(&store, &ids, step).await;
                plain.assert_stored(&store, &ids);
            }
            for id in &ids {
                split(&store, *id).await;
            }
            let after = everything(&store);
            assert!(after.last().is_some_and(Vec::is_empty), "nobody is linked");
            if !more {
                assert_eq!(after, before);
            }
        });
    }
}
