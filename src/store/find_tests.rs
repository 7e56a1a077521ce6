//! Finding messages, and the counts that are kept with them.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::Connection;
use tempfile::TempDir;

use crate::model::{Act, ContactFilter, InboxFilter, Item, MessagePage, Order};

use super::tests::{act, channels, event, open, project, record, refresh_vips};
use super::{Patience, Store, StoreError};

/// Thirty messages: `ann`, `bob` and `cid` in turn, every tenth on channel `b`.
async fn filled(dir: &TempDir) -> Store {
    let store = open(dir);
    let (a, b) = channels(&store).await;
    for n in 1..=30 {
        let who = ["ann", "bob", "cid"][n % 3];
        let word = if n % 5 == 0 { "orders" } else { "order" };
        let body = format!("{who}: {word} number{n} common{}", " rare".repeat(usize::from(n == 7)));
        let channel = if n % 10 == 0 { b } else { a };
        record(&store, event(channel, Some(&n.to_string()), &body, 0)).await;
    }
    project(&store).await;
    while store.index(4).await.expect("indexes") > 0 {}
    store
}

fn find(store: &Store, query: &str, order: Order, before: Option<i64>, limit: usize) -> MessagePage {
    let filter: InboxFilter = query.parse().expect("a query");
    store.find(&filter, order, before, limit, &Patience::endless()).expect("finds")
}

/// Which places a query should find.
type Holds = fn(i64) -> bool;

/// Everything `query` finds, asked for in pages of `limit`.
fn all(store: &Store, query: &str, limit: usize) -> Vec<i64> {
    let (mut seqs, mut before) = (Vec::new(), None);
    loop {
        let page = find(store, query, Order::Newest, before, limit);
        seqs.extend(page.rows.iter().map(|row| row.seq));
        let Some(next) = page.next else { return seqs };
        assert!(before.is_none_or(|before| next < before), "it goes on");
        before = Some(next);
    }
}

#[tokio::test]
async fn every_filter_finds_the_same_in_pages_of_any_size() {
    let dir = tempfile::tempdir().expect("temp dir");
    let store = filled(&dir).await;
    refresh_vips(&store, |address| address.starts_with("bob")).await;
    let rows = store.inbox(&InboxFilter::default(), None, 100).expect("lists").rows;
    let every = |of: i64| rows.iter().filter(|row| row.seq % of == 0).map(|row| Item::from(row.id)).collect::<Vec<_>>();
    act(&store, "op", &every(2), Act::Read, 9).await;
    act(&store, "op", &every(3), Act::Ack, 9).await;
    act(&store, "op", &every(7), Act::Label("late".parse().expect("a label")), 9).await;
    act(&store, "op", &every(29), Act::Assign("otto".parse().expect("a name")), 9).await;
    let bob = store.contacts(&ContactFilter::default(), 10).expect("lists");
    let bob = bob.iter().find(|contact| contact.name == "bob").expect("bob wrote").id;
    let contact = format!("contact:{bob}");
    let unread: Holds = |n| n % 2 != 0 && n % 3 != 0;
    let cases: [(&str, Holds); 22] = [
        // Everything on one channel is one conversation here.
        ("label:late", |n| n % 10 != 0),
        ("label:other", |_| false),
        ("assignee:otto common ", |n| n % 10 != 0),
        ("assignee:nobody", |n| n % 10 == 0),
        ("", |_| true),
        ("unread", unread),
        ("vip", |n| n % 3 == 1),
        ("vip unread", |n| n % 3 == 1 && n % 2 != 0),
        ("open", |n| n % 3 != 0),
        ("channel:b", |n| n % 10 == 0),
        ("channel:b open", |n| n % 10 == 0 && n % 3 != 0),
        ("channel:a unread", |n| n % 10 != 0 && n % 2 != 0 && n % 3 != 0),
        ("channel:b vip", |n| n % 10 == 0 && n % 3 == 1),
        ("channel:nowhere", |_| false),
        (&contact, |n| n % 3 == 1 && n % 10 != 0),
        ("common ", |_| true),
        ("orders ", |n| n % 5 == 0),
        ("order", |_| true),
        ("common unread", unread),
        ("common vip channel:b", |n| n % 10 == 0 && n % 3 == 1),
        ("from:bob order ", |n| n % 3 == 1 && n % 5 != 0),
        ("from:common", |_| false),
    ];
    for (query, holds) in cases {
        let expected: Vec<i64> = (1..=30).rev().filter(|n| holds(*n)).collect();
        for limit in [1, 4, 100] {
            assert_eq!(all(&store, query, limit), expected, "{query:?} in pages of {limit}");
        }
        let filter = query.parse().expect("a query");
        assert_eq!(store.inbox_count(&filter).expect("counts"), expected.len() as u64, "{query:?}");
    }
    let next: Vec<i64> = store.unread(4).expect("reads").iter().map(|row| row.seq).collect();
    assert_eq!(next, [1, 7, 13, 19], "VIPs first, the longest waiting first");
}

#[tokio::test]
async fn the_best_come_first_and_the_newer_of_equals() {
    let dir = tempfile::tempdir().expect("temp dir");
    let store = open(&dir);
    let (a, _) = channels(&store).await;
    for (key, body) in [
        ("1", "ann: invoice invoice invoice"),
        ("2", "bob: a long text about this and that, and somewhere in it an invoice, and then it goes on and on"),
        ("3", "ann: nothing"),
        ("4", "bob: a long text about this and that, and somewhere in it an invoice, and then it goes on and on"),
    ] {
        record(&store, event(a, Some(key), body, 0)).await;
    }
    project(&store).await;
    while store.index(4).await.expect("indexes") > 0 {}
    let seqs = |page: MessagePage| page.rows.iter().map(|row| row.seq).collect::<Vec<_>>();
    assert_eq!(seqs(find(&store, "invoice ", Order::Best, None, 10)), [1, 4, 2]);
    assert_eq!(seqs(find(&store, "invoice ", Order::Newest, None, 10)), [4, 2, 1]);
    assert_eq!(seqs(find(&store, "invoice ", Order::Best, None, 1)), [1]);
    assert_eq!(seqs(find(&store, "invoice ", Order::Best, Some(4), 10)), [1, 2], "of the older ones");
    assert_eq!(seqs(find(&store, "unread", Order::Best, None, 2)), [4, 3], "without words the newest are the best");
}

#[tokio::test]
async fn an_answer_whose_time_is_over_says_where_to_go_on() {
    let dir = tempfile::tempdir().expect("temp dir");
    let store = filled(&dir).await;
    let patience = Patience::for_answer();
    std::thread::sleep(std::time::Duration::from_millis(30));
    let rare: InboxFilter = "common channel:b assignee:otto".parse().expect("a query");
    let page = store.find(&rare, Order::Newest, None, 10, &patience).expect("finds");
    assert_eq!((page.rows.len(), page.next), (0, Some(30)), "one place is always looked at, so asking on ends");
    patience.end();
    let ended = store.find(&rare, Order::Newest, None, 10, &patience).expect_err("nobody waits");
    assert!(matches!(ended, StoreError::Ended), "{ended}");
    assert_eq!(all(&store, "rare", 10), [7], "the connection serves the next one");
}

#[tokio::test]
async fn a_line_names_its_contact_as_it_is_now() {
    let dir = tempfile::tempdir().expect("temp dir");
    let store = filled(&dir).await;
    let named = || {
        let row = find(&store, "number1 ", Order::Newest, None, 1).rows.remove(0);
        (row.from, row.vip, row.channel.to_string(), row.kind)
    };
    let as_it_was = ("bob".to_owned(), false, "a".to_owned(), "note".to_owned());
    assert_eq!(named(), as_it_was);
    assert_eq!(named(), as_it_was, "what is remembered");
    refresh_vips(&store, |address| address.starts_with("bob")).await;
    assert_eq!(named(), ("bob".to_owned(), true, "a".to_owned(), "note".to_owned()));
    let (a, _) = channels(&store).await;
    record(&store, event(a, Some("31"), "bob: hello", 0)).await;
    let event = store.pending(1).expect("reads").remove(0);
    let address = store.contacts(&ContactFilter { vip: true, ..ContactFilter::default() }, 9).expect("lists");
    let address = address.iter().find(|contact| contact.channel.as_str() == "a").expect("bob").address.clone();
    let from = crate::model::Person { address, name: "Robert".into() };
    let parsed = crate::model::Parsed { from: Some(from), ..crate::model::Parsed::default() };
    store.project(vec![super::Projection { event, parsed: Some(parsed), vip: true }], true).await.expect("projects");
    assert_eq!(named().0, "Robert", "under the name of the newest message");
}

#[tokio::test]
async fn parts_of_the_index_are_searched_as_one() {
    let dir = tempfile::tempdir().expect("temp dir");
    let store = filled(&dir).await;
    // The part is full: the next message begins another.
    let full = |n: i64| {
        let path = Store::path(dir.path());
        let connection = Connection::open(path).expect("opens");
        connection.execute("UPDATE search_part SET messages = 1000000 WHERE n = ?1", [n]).expect("updates");
    };
    full(1);
    let (a, _) = channels(&store).await;
    for n in 31..=35 {
        record(&store, event(a, Some(&n.to_string()), "dan: common late", 0)).await;
    }
    project(&store).await;
    while store.index(4).await.expect("indexes") > 0 {}
    full(2);
    record(&store, event(a, Some("36"), "dan: common rare", 0)).await;
    project(&store).await;
    while store.index(4).await.expect("indexes") > 0 {}
    for limit in [1, 3, 100] {
        assert_eq!(all(&store, "common ", limit), (1..=36).rev().collect::<Vec<_>>());
        assert_eq!(all(&store, "rare", limit), [36, 7]);
    }
    let best: Vec<i64> = find(&store, "rare", Order::Best, None, 9).rows.iter().map(|row| row.seq).collect();
    assert_eq!(best.len(), 2);
    let mut steps = 0;
    while store.tidy_index().await.expect("tidies") {
        steps += 1;
        assert!(steps < 100, "it ends");
    }
    assert_eq!(all(&store, "common ", 5).len(), 36);
    let again = store.stored_after(6, &crate::model::EventFilter::default(), 1).expect("reads").remove(0);
    let parsed = crate::model::Parsed { text: "changed".into(), ..crate::model::Parsed::default() };
    store
        .project(vec![super::Projection { event: again, parsed: Some(parsed), vip: false }], false)
        .await
        .expect("projects");
    assert_eq!(all(&store, "rare", 9), [36], "a message that reads as something else is found as that");
    assert_eq!(all(&store, "changed", 9), [7]);
}

#[tokio::test]
async fn what_there_is_no_time_to_rank_comes_later_and_nothing_twice() {
    let dir = tempfile::tempdir().expect("temp dir");
    let store = filled(&dir).await;
    refresh_vips(&store, |address| address.starts_with("bob")).await;
    let whole: Vec<i64> = find(&store, "common vip ", Order::Best, None, 100).rows.iter().map(|row| row.seq).collect();
    let hurried = Patience::for_answer();
    std::thread::sleep(std::time::Duration::from_millis(30));
    let filter: InboxFilter = "common vip ".parse().expect("a query");
    let (mut seqs, mut before) = (Vec::new(), None);
    loop {
        let page = store.find(&filter, Order::Best, before, 100, &hurried).expect("finds");
        seqs.extend(page.rows.iter().map(|row| row.seq));
        let Some(next) = page.next else { break };
        assert!(before.is_none_or(|before| next < before), "it goes on");
        before = Some(next);
    }
    assert!(seqs.is_sorted_by(|a, b| a > b), "one at a time: {seqs:?}");
    assert_eq!(seqs.len(), 10);
    assert_eq!(seqs.iter().collect::<BTreeSet<_>>(), whole.iter().collect(), "all of them");
}

/// The kept counts of every channel, and the same counted again.
fn counts(dir: &TempDir) -> [BTreeMap<i64, [i64; 5]>; 2] {
    let connection = Connection::open(Store::path(dir.path())).expect("opens");
    let read = |sql: &str| {
        let mut statement = connection.prepare(sql).expect("prepares");
        let row = |row: &rusqlite::Row<'_>| {
            let mut counts = [0; 5];
            for (column, count) in counts.iter_mut().enumerate() {
                *count = row.get(column + 1)?;
            }
            Ok((row.get(0)?, counts))
        };
        statement.query_map([], row).expect("reads").collect::<Result<_, _>>().expect("rows")
    };
    [
        read("SELECT channel, events, dead, messages, unread, unread_vip FROM channel_count"),
        read(
            "SELECT n, (SELECT count(*) FROM event WHERE channel = n AND seq <= w.seq),
                 (SELECT count(*) FROM event WHERE channel = n AND dead IS NOT NULL AND seq <= w.seq),
                 (SELECT count(*) FROM message WHERE channel = n),
                 (SELECT count(*) FROM message m LEFT JOIN mark k ON k.seq = m.seq LEFT JOIN contact c ON c.n = m.contact
                  WHERE m.channel = ch.n AND k.read_at IS NULL AND NOT coalesce(c.vip, 0)),
                 (SELECT count(*) FROM message m LEFT JOIN mark k ON k.seq = m.seq LEFT JOIN contact c ON c.n = m.contact
                  WHERE m.channel = ch.n AND k.read_at IS NULL AND coalesce(c.vip, 0))
             FROM channel ch, watermark w WHERE w.name = 'messages'",
        ),
    ]
}

/// Messages of VIPs as they are kept apart, and as the contacts say.
fn vips(dir: &TempDir) -> [Vec<i64>; 2] {
    let connection = Connection::open(Store::path(dir.path())).expect("opens");
    [
        "SELECT seq FROM vip_message ORDER BY seq",
        "SELECT m.seq FROM message m JOIN contact c ON c.n = m.contact WHERE c.vip ORDER BY m.seq",
    ]
    .map(|sql| {
        let mut statement = connection.prepare(sql).expect("prepares");
        statement.query_map([], |row| row.get(0)).expect("reads").collect::<Result<_, _>>().expect("rows")
    })
}

#[tokio::test]
async fn counts_are_those_of_a_recount_whatever_happens() {
    let dir = tempfile::tempdir().expect("temp dir");
    let store = filled(&dir).await;
    let same = |what: &str| {
        let [kept, counted] = counts(&dir);
        assert_eq!(kept, counted, "{what}");
        let [kept, counted] = vips(&dir);
        assert_eq!(kept, counted, "VIPs {what}");
    };
    same("projected");
    let rows = store.inbox(&InboxFilter::default(), None, 100).expect("lists").rows;
    let ids = |of: i64| rows.iter().filter(|row| row.seq % of == 0).map(|row| Item::from(row.id)).collect::<Vec<_>>();
    for (of, what) in [(2, Act::Read), (3, Act::Ack), (2, Act::Read), (4, Act::Unread), (6, Act::Unack)] {
        act(&store, "op", &ids(of), what, 1).await;
        same("marked");
    }
    assert_eq!(all(&store, "open", 100), (1..=30).rev().filter(|n| n % 3 != 0 || n % 6 == 0).collect::<Vec<_>>());
    refresh_vips(&store, |address| !address.starts_with("ann")).await;
    same("other VIPs by configuration");
    let contact = store.contacts(&ContactFilter::default(), 1).expect("lists")[0].id;
    for vip in [true, false, false] {
        store.set_vip(contact, vip).await.expect("sets");
        same("other VIPs by an operator");
    }
    let again = store.stored_after(0, &crate::model::EventFilter::default(), 5).expect("reads").into_iter();
    let vera = crate::model::Person { address: "vera@example.org".into(), name: "vera".into() };
    let reads = crate::model::Parsed { from: Some(vera), ..crate::model::Parsed::default() };
    let again = again.map(|event| super::Projection { event, parsed: Some(reads.clone()), vip: true }).collect();
    store.project(again, false).await.expect("projects");
    same("read again, as somebody else's");
    let (a, _) = channels(&store).await;
    let mut dead = event(a, Some("dead"), "x", 0);
    dead.dead = Some("not understood".into());
    record(&store, dead).await;
    same("recorded and not projected");
    drop(store);
    let store = open(&dir);
    project(&store).await;
    same("opened again");
    assert_eq!(store.dead_letters().expect("counts"), 1);
    let by_id = store.channel_counts().expect("counts");
    let [kept, _] = counts(&dir);
    let events: u64 = by_id.values().map(|counts| counts.events).sum();
    assert_eq!(events, kept.values().map(|counts| counts[0].unsigned_abs()).sum::<u64>());
}

#[tokio::test]
async fn conversations_that_were_not_all_looked_at_say_so() {
    let dir = tempfile::tempdir().expect("temp dir");
    let store = filled(&dir).await;
    let filter: InboxFilter = "order ".parse().expect("a query");
    let found =
        |most| store.read(|connection| super::conversations::found(connection, &filter, most)).expect("finds").1;
    assert_eq!((found(2), found(1_000)), (true, false));
    assert!(!store.conversations(&filter, None, 100).expect("lists").partly);
}
