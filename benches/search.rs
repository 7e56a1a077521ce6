//! Search, pages of the inbox and the start, with a million messages.
//!
//! `cargo bench --bench search -- [MESSAGES]` fills a store through the store's own doors (kept below `target/` for the
//! next run), then prints p50, p99 and the longest of each kind of question in milliseconds, at the store and through an
//! engine, the start of an engine, and in a terminal that answers no query the time from `exec` to the newest subject and
//! from a search to its newest hit on an attached screen.
//! With `ANCHOR_FTS` naming the anchor's binary, its figures for as many messages stand beside.
#![expect(clippy::expect_used, reason = "a benchmark ends where it fails")]
#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "figures for people"
)]

#[path = "search/on_screen.rs"]
mod on_screen;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use aurora::client::Client;
use aurora::engine::{Doors, start};
use aurora::model::{Assurance, ChannelId, ContactFilter, EventId, InboxFilter, Order, Parsed, Person};
use aurora::protocol::{Reply, Request};
use aurora::store::{NewEvent, Options, Patience, Projection, Store};
use jiff::Timestamp;
use sha2::{Digest, Sha256};

const VOCABULARY: usize = 200_000;
const CONTACTS: usize = 20_000;
const NEWEST: &str = "thenewestsubject";

fn main() {
    let count = std::env::args().skip(1).find_map(|arg| arg.parse().ok()).unwrap_or(1_000_000);
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("search-{count}"));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    if !dir.join("filled").exists() {
        // What is there is a store that was not filled to its end.
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir).expect("a directory");
        runtime.block_on(fill(&dir, count));
        std::fs::write(dir.join("filled"), "").expect("writes");
    }
    for round in ["first", "again"] {
        println!("engine started ({round}): {:.1} ms", runtime.block_on(started(&dir)).as_secs_f64() * 1e3);
    }
    for round in 1..=3 {
        println!(
            "newest subject on the screen ({round}): {:.1} ms after exec",
            on_screen::after_exec(&dir, NEWEST).as_secs_f64() * 1e3
        );
    }
    questions(&dir);
    runtime.block_on(through_an_engine(&dir));
    let questions = typed(&dir);
    print("query to hit on a screen", on_screen::after_key(&dir, &questions, NEWEST), 0, 0);
    if let Ok(anchor) = std::env::var("ANCHOR_FTS") {
        beside(&anchor, &dir, count);
    }
}

// What is looked for

/// Numbers that are the same in every run (xorshift).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 11
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn share(&mut self) -> f64 {
        self.next() as f64 / (1u64 << 53) as f64
    }
}

/// The word of a rank: the commonest are short, and each is another.
fn word(rank: usize) -> String {
    let mut text = String::new();
    let mut rest = rank + 30;
    while rest > 0 {
        text.push(char::from(b"bdfghklmnprstvwz"[rest % 16]));
        text.push(char::from(b"aeiou"[(rest / 16 + rank) % 5]));
        rest /= 16;
    }
    let mut rest = rank;
    while rest > 0 && rank > 50 {
        text.push(char::from(b'a' + (rest % 26) as u8));
        rest /= 26;
    }
    text
}

/// Words as often as ranks say (Zipf), about 300 bytes a message.
struct Words {
    words: Vec<String>,
    reached: Vec<f64>,
    random: Random,
}

impl Words {
    fn new() -> Self {
        let mut sum = 0.0;
        let mut reached = Vec::with_capacity(VOCABULARY);
        for rank in 0..VOCABULARY {
            sum += 1.0 / (rank as f64 + 2.7);
            reached.push(sum);
        }
        Self { words: (0..VOCABULARY).map(word).collect(), reached, random: Random(88_172_645_463_325_252) }
    }

    fn text(&mut self, bytes: usize) -> String {
        let all = self.reached[VOCABULARY - 1];
        let mut text = String::with_capacity(bytes + 16);
        while text.len() < bytes {
            let at = self.random.share() * all;
            let rank = self.reached.partition_point(|reached| *reached < at).min(VOCABULARY - 1);
            text.push_str(&self.words[rank]);
            text.push(' ');
        }
        text
    }
}

// The store

async fn fill(dir: &Path, count: usize) {
    let store = Store::open(dir, Options::default()).expect("opens");
    let ids: Vec<ChannelId> = ["standard", "mail", "github", "secret"].map(|id| id.parse().expect("an id")).to_vec();
    let channels: Vec<i64> = store.channel_numbers(ids).await.expect("numbers").into_iter().map(|(_, n)| n).collect();
    let mut words = Words::new();
    let mut random = Random(42);
    let (mut recording, mut projecting, mut indexing) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
    for first in (0..count).step_by(4_096) {
        let events: Vec<NewEvent> = (first..count.min(first + 4_096))
            .map(|n| {
                let body = format!("{}{}", words.text(296), if n + 1 == count { NEWEST } else { "" });
                let channel = match random.below(100) {
                    0 => 3,
                    1..=9 => 2,
                    10..=29 => 1,
                    _ => 0,
                };
                NewEvent {
                    id: EventId::from_uuid(uuid::Uuid::now_v7()),
                    channel: channels[channel],
                    kind: "note".into(),
                    time: None,
                    received: Timestamp::now(),
                    key: Some(n.to_string()),
                    body_hash: Sha256::digest(&body).into(),
                    body_window: None,
                    once: None,
                    assurance: Assurance::Body,
                    dead: None,
                    head: bytes::Bytes::from_static(b"content-type: text/plain\n"),
                    body: body.into(),
                }
            })
            .collect();
        let began = Instant::now();
        for batch in events.chunks(256) {
            store.record(batch.to_vec()).await.expect("records");
        }
        recording += began.elapsed();
        let began = Instant::now();
        loop {
            let pending = store.pending(128).expect("reads");
            if pending.is_empty() {
                break;
            }
            let batch = pending.into_iter().map(|event| read(event, &mut random)).collect();
            store.project(batch, true).await.expect("projects");
        }
        projecting += began.elapsed();
        let began = Instant::now();
        while store.index(256).await.expect("indexes") > 0 {}
        indexing += began.elapsed();
    }
    let rate = |time: Duration| count as f64 / time.as_secs_f64();
    println!(
        "filled with {count}: recorded {:.0}/s, projected {:.0}/s, indexed {:.0}/s",
        rate(recording),
        rate(projecting),
        rate(indexing)
    );
    for contact in store.contacts(&ContactFilter::default(), 200).expect("lists").iter().step_by(2) {
        store.set_vip(contact.id, true).await.expect("sets");
    }
    while store.tidy_index().await.expect("tidies") {}
    drop(store);
    // An inbox that is worked through: one in a hundred is unread, one in thirty open, and what is newest.
    let connection = rusqlite::Connection::open(Store::path(dir)).expect("opens");
    let read = format!(
        "BEGIN; INSERT INTO mark (seq, read_at, acked_at, acked_by)
             SELECT seq, 1, iif(seq * 7919 % 30 = 0, NULL, 1), 'otto' FROM message
             WHERE seq * 104729 % 100 > 0 AND seq < {count} - 300;
         DELETE FROM unread WHERE seq IN (SELECT seq FROM mark);
         UPDATE conversation SET (unread, open) = (SELECT count(u.seq), count(k.seq) FROM message m
             LEFT JOIN unread u ON u.seq = m.seq LEFT JOIN unacked k ON k.seq = m.seq WHERE m.conversation = n); COMMIT;"
    );
    connection.execute_batch(&read).expect("marks");
}

fn read(event: aurora::store::PendingEvent, random: &mut Random) -> Projection {
    let text = String::from_utf8(event.body.clone()).expect("text");
    // A few write much.
    let contact = (random.share() * random.share() * CONTACTS as f64) as usize;
    let newest = text.strip_suffix(NEWEST).map(|_| NEWEST);
    let parsed = Parsed {
        from: Some(Person { address: format!("p{contact}@{}.example", word(contact % 500)), name: word(contact) }),
        subject: newest.map_or_else(|| text.split_whitespace().take(6).collect::<Vec<_>>().join(" "), str::to_owned),
        thread: contact.to_string(),
        text,
        ..Parsed::default()
    };
    Projection { event, parsed: Some(parsed), vip: false }
}

// The figures

fn print(kind: &str, mut times: Vec<Duration>, rows: usize, cut: usize) {
    times.sort_unstable();
    let count = times.len();
    let at = |percent: usize| times[(count * percent / 100).min(count - 1)].as_secs_f64() * 1e3;
    println!(
        "{kind:28} p50 {:8.3}  p99 {:8.3}  longest {:8.3}  rows {:5.1}  cut {cut}/{count}",
        at(50),
        at(99),
        at(100),
        rows as f64 / count as f64
    );
}

type Question = (&'static str, Order, Box<dyn Fn(usize) -> String>);

fn searches() -> Vec<Question> {
    fn newest(name: &'static str, query: impl Fn(usize) -> String + 'static) -> Question {
        (name, Order::Newest, Box::new(query))
    }
    fn best(name: &'static str, query: impl Fn(usize) -> String + 'static) -> Question {
        (name, Order::Best, Box::new(query))
    }
    let but_last = |rank: usize| word(rank)[..word(rank).len() - 1].to_owned();
    vec![
        newest("rare", |i| word(150_000 + i) + " "),
        newest("mid", |i| word(2_000 + i) + " "),
        newest("common", |i| word(i % 20) + " "),
        newest("two common", |i| format!("{} {} ", word(i % 20), word(20 + i % 20))),
        newest("common and rare", |i| format!("{} {} ", word(i % 20), word(20_000 + i))),
        newest("common and nowhere", |i| format!("{} qqq{i} ", word(i % 20))),
        newest("nowhere", |i| format!("qqq{i} ")),
        newest("two letters", |i| word(100 + i)[..2].to_owned()),
        newest("three letters", |i| word(100 + i)[..3].to_owned()),
        newest("common unfinished", move |i| but_last(i % 20)),
        newest("mid unfinished", move |i| but_last(2_000 + i)),
        newest("common, common unfinished", move |i| format!("{} {}", word(i % 20), but_last(20 + i % 20))),
        newest("from", |i| format!("from:{} ", word(i % 500))),
        newest("from and common", |i| format!("from:{} {} ", word(i % 500), word(i % 20))),
        newest("vip and common", |i| format!("vip {} ", word(i % 20))),
        newest("vip and mid", |i| format!("vip {} ", word(2_000 + i))),
        newest("vip and common unfinished", move |i| format!("vip {}", but_last(i % 20))),
        newest("vip and mid unfinished", move |i| format!("vip {}", but_last(2_000 + i))),
        newest("unread and common", |i| format!("unread {} ", word(i % 20))),
        newest("rare channel and common", |i| format!("channel:secret {} ", word(i % 20))),
        best("rare, best", |i| word(150_000 + i) + " "),
        best("mid, best", |i| word(2_000 + i) + " "),
        best("common, best", |i| word(i % 20) + " "),
        best("two common, best", |i| format!("{} {} ", word(i % 20), word(20 + i % 20))),
        best("two letters, best", |i| word(100 + i)[..2].to_owned()),
        best("common unfinished, best", move |i| but_last(i % 20)),
        best("vip and common, best", |i| format!("vip {} ", word(i % 20))),
        best("nowhere, best", |i| format!("qqq{i} ")),
    ]
}

fn questions(dir: &Path) {
    let store = Store::open(dir, Options::default()).expect("opens");
    let contacts = store.contacts(&ContactFilter::default(), 200).expect("lists");
    let contacts: Vec<String> = contacts.iter().map(|contact| contact.id.to_string()).collect();
    println!("searches at the store, 100 rows");
    for (name, order, query) in searches() {
        ask(&store, name, order, |i| query(i).parse().expect("a query"), |_| None, 100);
    }
    println!("pages of the inbox, 200 rows, from any place");
    let newest = store.inbox(&InboxFilter::default(), None, 1).expect("lists").rows[0].seq;
    for query in [
        "",
        "unread",
        "vip",
        "vip unread",
        "open",
        "channel:mail",
        "channel:secret",
        "channel:secret unread",
        "channel:secret open",
        "vip open",
        "vip channel:secret",
        "contact",
        "from:bado",
    ] {
        let filter = |i: usize| match query {
            "contact" => format!("contact:{}", contacts[i % contacts.len()]).parse().expect("a query"),
            query => query.parse().expect("a query"),
        };
        let place = |i: usize| (!i.is_multiple_of(4)).then(|| (newest as usize * ((i * 37) % 100) / 100) as i64 + 1);
        ask(&store, if query.is_empty() { "everything" } else { query }, Order::Newest, filter, place, 200);
    }
    let began = Instant::now();
    store.unread(1).expect("reads");
    println!("next unread: {:.3} ms", began.elapsed().as_secs_f64() * 1e3);
}

fn ask(
    store: &Store,
    name: &str,
    order: Order,
    filter: impl Fn(usize) -> InboxFilter,
    place: impl Fn(usize) -> Option<i64>,
    limit: usize,
) {
    let (mut times, mut rows, mut cut) = (Vec::new(), 0, 0);
    for i in 0..200 {
        let filter = filter(i);
        let began = Instant::now();
        let page = store.find(&filter, order, place(i), limit, &Patience::for_answer()).expect("finds");
        times.push(began.elapsed());
        rows += page.rows.len();
        cut += usize::from(order == Order::Newest && page.next.is_some() && page.rows.len() < limit);
    }
    print(name, times, rows, cut);
}

fn config(dir: &Path) -> aurora::config::Config {
    let mut config = aurora::config::parse("checks = []\n[listen]\napi = \"off\"\n", None).expect("a configuration");
    config.move_to(dir);
    config
}

async fn started(dir: &Path) -> Duration {
    let began = Instant::now();
    let running = start(config(dir), Doors::Closed, None, None).await.expect("starts");
    let took = began.elapsed();
    running.handle.stop();
    running.ended().await.expect("ends");
    took
}

async fn through_an_engine(dir: &Path) {
    let running = start(config(dir), Doors::Closed, None, None).await.expect("starts");
    let mut client = Client::embedded(&running.handle, false, true).await.expect("a client");
    let mut times = Vec::new();
    for (_, order, query) in searches() {
        for i in 0..100 {
            let filter = query(i).parse().expect("a query");
            let began = Instant::now();
            let reply = client.answer(Request::Search { filter, order, before: None, limit: 200 }).await;
            assert!(matches!(reply, Ok(Reply::Page(_))), "an answer");
            times.push(began.elapsed());
        }
    }
    print("all, through the engine", times, 0, 0);
    drop(client);
    running.handle.stop();
    running.ended().await.expect("ends");
}

/// What is typed into the search box of an attached screen, and how the subject of its newest hit begins.
fn typed(dir: &Path) -> Vec<(String, String)> {
    let store = Store::open(dir, Options::default()).expect("opens");
    let asked = searches().into_iter().filter(|(_, order, _)| *order == Order::Newest);
    let queries = asked.flat_map(|(_, _, query)| (0..6).map(move |i| query(i * 7).trim().to_owned()));
    let hit = |query: &String| {
        let page = store.find(&query.parse().expect("a query"), Order::Newest, None, 1, &Patience::for_answer());
        Some(page.expect("finds").rows.first()?.subject.chars().take(16).collect())
    };
    queries.filter_map(|query| hit(&query).map(|hit| (query, hit))).collect()
}

/// The anchor's figures for as many messages.
fn beside(anchor: &str, dir: &Path, count: usize) {
    let (text, db) = (dir.join("anchor.txt"), dir.join("anchor.db"));
    let run = |args: &[&std::ffi::OsStr]| {
        let output = Command::new(anchor).args(args).output().expect("the anchor runs");
        print!("{}", String::from_utf8_lossy(&output.stdout));
    };
    println!("the anchor, {anchor}");
    if !db.exists() {
        run(&["gen".as_ref(), text.as_os_str(), count.to_string().as_ref()]);
        run(&["build".as_ref(), text.as_os_str(), db.as_os_str(), "full".as_ref(), "0".as_ref()]);
    }
    run(&["query".as_ref(), db.as_os_str(), "200".as_ref()]);
}
