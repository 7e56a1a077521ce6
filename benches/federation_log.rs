//! Logs of nodes: how many entries a second are written, given on, judged and applied.
//!
//! `cargo bench --bench federation_log -- [ENTRIES]` writes entries of 300 bytes to a log in batches, fetches them over a
//! link without a wire in pages of 500, and prints entries a second. Every batch and every page is a transaction that is
//! on the disk. Judging a page includes all hashes; a signature of Ed25519 takes 60 µs a page more.
#![expect(clippy::expect_used, reason = "a benchmark ends where it fails")]
#![expect(clippy::cast_precision_loss, reason = "figures for people")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use aurora::federation::{Feed, Follows, check, epoch_after};
use aurora::model::{ChainHash, Head, Hlc, NodeKey, NodeName, SharedId, SharedKind, Trust};
use aurora::protocol::{PAGE_EVENTS, PageAsk};
use aurora::store::{Applied, KeepShared, KnownNode, NewShared, Options, Publication, Store};
use jiff::Timestamp;
use serde_json::value::RawValue;
use uuid::Uuid;

fn main() {
    let count = std::env::args().skip(1).find_map(|arg| arg.parse().ok()).unwrap_or(120_000);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(measure(count));
}

fn open(dir: &tempfile::TempDir) -> Arc<Store> {
    Arc::new(Store::open(dir.path(), Options::default()).expect("opens"))
}

fn tell(what: &str, entries: usize, took: Duration) {
    println!("{what:32} {:>9.0} entries/s  {:>8.1} ms", entries as f64 / took.as_secs_f64(), took.as_secs_f64() * 1e3);
}

async fn write(store: &Store, count: usize, batch: usize) -> Duration {
    let life = store.own_at(0).expect("reads").0.origin.epoch;
    let began = Instant::now();
    for first in (0..count).step_by(batch) {
        let entries = (first..count.min(first + batch)).map(entry).collect();
        let publication = Publication { life, entries, up_to: None };
        let now = Timestamp::now();
        store.append_shared(publication, Hlc::default().next(now), now).await.expect("writes");
    }
    began.elapsed()
}

fn entry(n: usize) -> NewShared {
    let body = format!("{{\"n\":\"{n:06}\",\"text\":\"{}\"}}", "x".repeat(275));
    NewShared {
        id: SharedId::from_uuid(Uuid::now_v7()),
        kind: SharedKind::Check,
        subject: format!("check-{}", n % 100),
        body: RawValue::from_string(body).expect("JSON"),
    }
}

async fn measure(count: usize) {
    let dirs = [tempfile::tempdir().expect("temp dir"), tempfile::tempdir().expect("temp dir")];
    let (origin, follower) = (open(&dirs[0]), open(&dirs[1]));
    let me: NodeName = "hub-1".parse().expect("a name");
    let log = origin.own_log(me.clone(), epoch_after(None, Timestamp::now(), [0; 10])).await.expect("begins");
    for batch in [1, 10, 100] {
        let some = (count / 100).min(batch * 500);
        tell(&format!("written, {batch} at once"), some, write(&origin, some, batch).await);
    }
    tell("written, 500 at once", count, write(&origin, count, 500).await);

    let key = NodeKey::from_bytes([7; 32]);
    let node = KnownNode {
        name: me.clone(),
        url: None,
        pin: None,
        via: None,
        trust: Trust::Report,
        configured: false,
        added: Timestamp::now(),
        keys: Vec::new(),
        quarantine: None,
    };
    follower.keep_node(node, Vec::new()).await.expect("keeps");
    let feed = Feed {
        store: origin,
        me: me.clone(),
        relay: false,
        sign: Arc::new(move |origin, seq, hash| Head {
            origin: origin.clone(),
            seq,
            hash: *hash,
            key,
            signature: vec![0; 64],
        }),
    };
    let (mut given, mut judged, mut applied) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
    let (mut after, mut hash, mut slowest) = (0, ChainHash::BEGINNING, Duration::ZERO);
    let began = Instant::now();
    loop {
        let ask = PageAsk { origin: me.clone(), epoch: None, after, limit: PAGE_EVENTS, wait: 0 };
        let mut step = Instant::now();
        let mut lap = |sum: &mut Duration| {
            let took = step.elapsed();
            *sum += took;
            step = Instant::now();
            took
        };
        let page = feed.look(&ask).expect("reads").expect("a page");
        lap(&mut given);
        let follows =
            Follows { origin: me.clone(), epoch: Some(log.origin.epoch), after, hash, skips: false, missed: 0 };
        let Some(page) = check(page, &follows, &me, &[key], |_| true).expect("holds") else { break };
        lap(&mut judged);
        let Applied::Taken { end, .. } = follower.apply_shared(page, Timestamp::now()).await.expect("writes") else {
            break;
        };
        slowest = slowest.max(lap(&mut applied));
        (after, hash) = (end.seq, end.hash);
    }
    let (all, entries) = (began.elapsed(), usize::try_from(after).unwrap_or(0));
    tell("given, pages of 500", entries, given);
    tell("judged", entries, judged);
    tell("applied", entries, applied);
    tell("given, judged and applied", entries, all);
    println!("the slowest page took {:.1} ms to apply", slowest.as_secs_f64() * 1e3);
    let (keep, began) = (KeepShared { entries: 0, ..KeepShared::default() }, Instant::now());
    let mut longest = Duration::ZERO;
    loop {
        let slice = Instant::now();
        let more = follower.forget_shared(keep, Timestamp::now(), 200).await.expect("forgets");
        longest = longest.max(slice.elapsed());
        if !more {
            break;
        }
    }
    tell("forgotten, 200 at once", entries, began.elapsed());
    println!("the longest slice took {:.1} ms", longest.as_secs_f64() * 1e3);
}
