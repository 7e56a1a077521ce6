//! What every link between nodes has to carry: one suite, run against each kind of link.
//!
//! A kind of link is a function that makes a way from one node to another, which answers with its [`Feed`].

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use uuid::Uuid;

use crate::model::{
    ChainHash, EpochId, Head, Hlc, NodeKey, NodeName, Origin, PinnedKey, SharedEvent, SharedId, SharedKind, Trust,
};
use crate::protocol::{
    BODY_BYTES, Beat, BeatAnswer, PAGE_BYTES, PAGE_EVENTS, Page, PageAsk, PageRefusal, Probe, ProbeAnswer, RemoteAct,
    RemoteActAnswer,
};
use crate::store::{KeepShared, KnownNode, NewShared, Options, Publication, Quarantine, SharedLog, Store};

use super::conformance_asks::{answer_act, answer_probe, what_else_is_asked_is_answered_as_it_is};
use super::{Answer, EventLink, Feed, Fetched, LinkError, Outcome, Question, Sync, SyncEffect, epoch_after, fetch};

/// A way from the first node to the second one.
pub(crate) type Link = Arc<dyn EventLink>;

/// The moment of all tests.
pub(crate) fn moment() -> Timestamp {
    Timestamp::from_second(1_700_000_000).expect("in range")
}

pub(crate) fn name(name: &str) -> NodeName {
    name.parse().expect("a name")
}

/// The key of the node of that name. Its signatures are made of hashes: fast, and of no use to anybody else.
pub(crate) fn key(node: &NodeName) -> NodeKey {
    NodeKey::from_bytes(Sha256::digest(node.as_str()).into())
}

pub(crate) fn sign(origin: &Origin, seq: u64, hash: &ChainHash, key: NodeKey) -> Head {
    let signature = Sha256::digest([key.as_bytes(), &Head::signed(origin, seq, hash)[..]].concat());
    Head { origin: origin.clone(), seq, hash: *hash, key, signature: signature.to_vec() }
}

pub(crate) fn verify(head: &Head) -> bool {
    sign(&head.origin, head.seq, &head.hash, head.key).signature == head.signature
}

/// A node with a store of its own, gone with it.
pub(crate) struct TestNode {
    pub(crate) name: NodeName,
    pub(crate) store: Arc<Store>,
    pub(crate) feed: Feed,
    dir: TempDir,
}

impl TestNode {
    /// A node that relays, and whose log has begun.
    pub(crate) async fn new(node: &str) -> Arc<Self> {
        let dir = tempfile::tempdir().expect("temp dir");
        let store = Arc::new(Store::open(dir.path(), Options::default()).expect("opens"));
        let me = name(node);
        let signer = key(&me);
        let feed = Feed {
            store: Arc::clone(&store),
            me: me.clone(),
            relay: true,
            sign: Arc::new(move |origin, seq, hash| sign(origin, seq, hash, signer)),
        };
        store.own_log(me.clone(), epoch_after(None, moment(), [1; 10])).await.expect("begins");
        Arc::new(Self { name: me, store, feed, dir })
    }

    /// Where its store is.
    pub(crate) fn store_dir(&self) -> &std::path::Path {
        self.dir.path()
    }

    /// Writes entries with these bodies to its log.
    pub(crate) async fn write(&self, bodies: impl IntoIterator<Item = String>) {
        let entry = |body: String| NewShared {
            id: SharedId::from_uuid(Uuid::now_v7()),
            kind: SharedKind::Check,
            subject: format!("c{}", body.len() % 7),
            body: RawValue::from_string(body).expect("JSON"),
        };
        let life = self.store.own_at(0).expect("reads").0.origin.epoch;
        let publication = Publication { life, entries: bodies.into_iter().map(entry).collect(), up_to: None };
        self.store.append_shared(publication, Hlc::default().next(moment()), moment()).await.expect("writes");
    }

    /// Writes so many entries to its log.
    pub(crate) async fn say(&self, count: usize) {
        self.write((0..count).map(|n| format!("{{\"n\":{n}}}"))).await;
    }

    pub(crate) async fn trusts(&self, other: &NodeName) {
        let node = KnownNode {
            name: other.clone(),
            url: None,
            pin: None,
            via: None,
            trust: Trust::Report,
            configured: false,
            added: moment(),
            keys: vec![PinnedKey { key: key(other), since: moment(), until: None }],
            quarantine: None,
        };
        self.store.keep_node(node, Vec::new()).await.expect("keeps");
    }

    /// The log of a node as it is held here.
    pub(crate) fn log_of(&self, node: &NodeName) -> Option<SharedLog> {
        self.store.shared_logs().expect("reads").into_iter().find(|log| log.origin.node == *node)
    }

    /// All entries of the log of a node that are held here, without gaps.
    pub(crate) fn entries_of(&self, node: &NodeName) -> Vec<SharedEvent> {
        let Some(log) = self.log_of(node) else { return Vec::new() };
        let mut entries: Vec<SharedEvent> = Vec::new();
        let mut after = log.low - 1;
        while after < log.high {
            let slice = self.store.shared_slice(node, log.own, after, 500, 1 << 20).expect("reads").expect("a log");
            after = slice.events.last().expect("entries").seq;
            entries.extend(slice.events);
        }
        entries
    }
}

/// A node that keeps logs in step over links, in time of its own.
pub(crate) struct Follower {
    pub(crate) node: Arc<TestNode>,
    pub(crate) sync: Sync,
    pub(crate) now: Duration,
    /// What was quarantined.
    pub(crate) quarantined: Vec<NodeName>,
    /// Gaps that were met.
    pub(crate) gaps: Vec<(u64, u64)>,
    /// How many entries of each life of each log were applied.
    pub(crate) applied: BTreeMap<Origin, u64>,
    links: BTreeMap<NodeName, (Arc<TestNode>, Link)>,
}

impl Follower {
    /// `node` follows `origins` over links to these nodes.
    pub(crate) async fn new(node: &Arc<TestNode>, links: Vec<(Arc<TestNode>, Link)>, origins: &[&NodeName]) -> Self {
        let mut sync = Sync::default();
        for (peer, _) in &links {
            sync.add_peer(peer.name.clone());
            sync.reachable(&peer.name, true);
        }
        for origin in origins {
            node.trusts(origin).await;
            sync.follow((*origin).clone(), node.log_of(origin).map(|log| log.end()));
        }
        Self {
            node: Arc::clone(node),
            sync,
            now: Duration::ZERO,
            quarantined: Vec::new(),
            gaps: Vec::new(),
            applied: BTreeMap::new(),
            links: links.into_iter().map(|(peer, link)| (peer.name.clone(), (peer, link))).collect(),
        }
    }

    /// The others say what they hold, as heartbeats do; then whatever is to be asked now is asked, without waiting. Says
    /// whether anything was applied.
    pub(crate) async fn round(&mut self, chance: f64) -> bool {
        for (peer, _) in self.links.values() {
            for log in peer.store.shared_logs().expect("reads") {
                let origin = log.origin;
                self.sync.offered(&peer.name, &origin.node, Some(origin.epoch), log.high, self.now);
            }
        }
        let mut applied = false;
        for mut question in self.sync.next(self.now) {
            question.wait = 0;
            let fetched = self.ask(&question).await;
            if let Outcome::Taken { events, end, gap, .. } = &fetched.outcome {
                applied = true;
                self.gaps.extend(gap);
                *self.applied.entry(end.origin.clone()).or_default() += events.len() as u64;
            }
            for SyncEffect::Quarantine { node, why } in self.sync.heard(&question, &fetched, self.now, chance) {
                let quarantine = Quarantine { since: moment(), why };
                self.node.store.quarantine_node(node.clone(), quarantine, Vec::new()).await.expect("writes");
                self.quarantined.push(node);
            }
        }
        applied
    }

    /// Asks one question.
    pub(crate) async fn ask(&self, question: &Question) -> Fetched {
        let keys = [key(&question.follows.origin)];
        fetch(&*self.links[&question.peer].1, &self.node.store, question, &keys, &verify, &moment).await
    }

    /// Goes on until nothing comes any more.
    pub(crate) async fn catch_up(&mut self) {
        let mut idle = 0;
        while idle < 4 {
            self.now += Duration::from_secs(2);
            idle = if self.round(0.0).await { 0 } else { idle + 1 };
        }
    }

    /// Whether the log of `origin` is held as it was written.
    pub(crate) fn is_in_step(&self, origin: &TestNode) -> bool {
        let own = origin.log_of(&origin.name).expect("a log");
        self.node.log_of(&origin.name).is_some_and(|log| log.end() == own.end())
    }
}

/// A link without a wire: the other node's answer, as it is.
pub(crate) struct MemoryLink(pub(crate) Arc<TestNode>);

impl EventLink for MemoryLink {
    fn page<'a>(&'a self, ask: &'a PageAsk) -> Answer<'a, Result<Page, PageRefusal>> {
        Box::pin(async {
            self.0.feed.page(ask.clone()).await.map_err(|error| LinkError::Unreachable(error.to_string()))
        })
    }

    fn beat<'a>(&'a self, beat: &'a Beat) -> Answer<'a, BeatAnswer> {
        Box::pin(async { Ok(self.0.answer_beat(beat)) })
    }

    fn probe<'a>(&'a self, probe: &'a Probe) -> Answer<'a, ProbeAnswer> {
        Box::pin(async { Ok(answer_probe(probe)) })
    }

    fn act<'a>(&'a self, act: &'a RemoteAct) -> Answer<'a, RemoteActAnswer> {
        Box::pin(async { Ok(answer_act(act)) })
    }
}

/// Runs the whole suite over the links that `way` makes.
pub(crate) async fn conforms<F: Future<Output = Link>>(way: impl Fn(Arc<TestNode>, Arc<TestNode>) -> F) {
    logs_come_as_they_were_written(&way).await;
    refusals_come_as_they_are(&way).await;
    a_question_waits_for_what_comes(&way).await;
    a_log_that_begins_anew_replaces_the_one_before(&way).await;
    what_was_swept_is_a_gap(&way).await;
    logs_come_over_relays(&way).await;
    what_else_is_asked_is_answered_as_it_is(&way).await;
}

async fn follower<F: Future<Output = Link>>(
    way: &impl Fn(Arc<TestNode>, Arc<TestNode>) -> F,
    node: &Arc<TestNode>,
    peers: &[&Arc<TestNode>],
    origins: &[&NodeName],
) -> Follower {
    let mut links = Vec::new();
    for peer in peers {
        links.push((Arc::clone(peer), way(Arc::clone(node), Arc::clone(peer)).await));
    }
    Follower::new(node, links, origins).await
}

async fn logs_come_as_they_were_written<F: Future<Output = Link>>(way: &impl Fn(Arc<TestNode>, Arc<TestNode>) -> F) {
    let (a, b) = (TestNode::new("a").await, TestNode::new("b").await);
    // More than two pages, bytes that a careless reader would write otherwise, and pages that are full by their bytes.
    a.say(2 * PAGE_EVENTS + 7).await;
    a.write([r#"{ "a" : 1.50, "b":"\u00e9é\ud83d\ude00\n","a":null }"#, " [\t]\n", "-0.0e+00"].map(str::to_owned))
        .await;
    a.write((0..40).map(|n| format!("\"{}\"", char::from(b'a' + n % 26).to_string().repeat(BODY_BYTES - 2)))).await;
    let mut follower = follower(way, &b, &[&a], &[&a.name]).await;
    follower.catch_up().await;
    assert!(follower.is_in_step(&a), "{:?}", follower.sync.standing(&a.name, follower.now));
    assert_eq!(b.entries_of(&a.name), a.entries_of(&a.name));
    assert_eq!((b.log_of(&a.name).expect("a log").missing, follower.quarantined.len()), (0, 0));
    let ask = PageAsk { origin: a.name.clone(), epoch: None, after: 0, limit: PAGE_EVENTS, wait: 0 };
    let page = follower.links[&a.name].1.page(&ask).await.expect("answers").expect("a page");
    assert_eq!(page, a.feed.look(&ask).expect("reads").expect("a page"), "nothing is lost on the way");
    let full = PageAsk { after: 2 * PAGE_EVENTS as u64 + 10, ..ask };
    let page = follower.links[&a.name].1.page(&full).await.expect("answers").expect("a page");
    assert!(page.more && page.events.len() > 10, "{}", page.events.len());
    assert!(serde_json::to_vec(&page).expect("JSON").len() <= PAGE_BYTES);
}

async fn refusals_come_as_they_are<F: Future<Output = Link>>(way: &impl Fn(Arc<TestNode>, Arc<TestNode>) -> F) {
    let (a, b) = (TestNode::new("a").await, TestNode::new("b").await);
    a.say(9).await;
    let keep = KeepShared { entries: 4, ..KeepShared::default() };
    a.store.forget_shared(keep, moment(), 100).await.expect("forgets");
    let link = way(b, Arc::clone(&a)).await;
    let ask = PageAsk { origin: a.name.clone(), epoch: None, after: 0, limit: 9, wait: 0 };
    let asks = [
        ask.clone(),
        PageAsk { epoch: Some(EpochId::from_uuid(Uuid::from_u128(5))), ..ask.clone() },
        PageAsk { origin: name("nobody"), ..ask.clone() },
        PageAsk { after: 7, ..ask.clone() },
        PageAsk { after: 9, ..ask.clone() },
        PageAsk { after: u64::MAX, ..ask },
    ];
    for ask in asks {
        let heard = link.page(&ask).await.expect("answers");
        assert_eq!(heard, a.feed.look(&ask).expect("reads"), "{ask:?}");
    }
}

async fn a_question_waits_for_what_comes<F: Future<Output = Link>>(way: &impl Fn(Arc<TestNode>, Arc<TestNode>) -> F) {
    let (a, b) = (TestNode::new("a").await, TestNode::new("b").await);
    let link = way(b, Arc::clone(&a)).await;
    let ask = PageAsk { origin: a.name.clone(), epoch: None, after: 0, limit: 9, wait: 20 };
    let (page, ()) = tokio::join!(link.page(&ask), async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        a.say(1).await;
    });
    assert_eq!(page.expect("answers").expect("a page").events.len(), 1);
    let page = link.page(&PageAsk { after: 1, wait: 1, ..ask }).await.expect("answers").expect("a page");
    assert!(page.events.is_empty() && page.head.is_none() && !page.more, "nothing came in its time");
}

async fn a_log_that_begins_anew_replaces_the_one_before<F: Future<Output = Link>>(
    way: &impl Fn(Arc<TestNode>, Arc<TestNode>) -> F,
) {
    let (a, b) = (TestNode::new("a").await, TestNode::new("b").await);
    a.say(20).await;
    let mut follower = follower(way, &b, &[&a], &[&a.name]).await;
    follower.catch_up().await;
    let before = a.log_of(&a.name).expect("a log").origin.epoch;
    let epoch = epoch_after(Some(before), Timestamp::UNIX_EPOCH, [2; 10]);
    a.store.begin_epoch(Origin { node: a.name.clone(), epoch }).await.expect("begins");
    a.write(["\"anew\"".to_owned()]).await;
    follower.catch_up().await;
    assert!(follower.is_in_step(&a) && follower.quarantined.is_empty());
    let states = b.store.shared_states(&a.name, false).expect("reads");
    assert_eq!(states.iter().map(|state| state.body.get()).collect::<Vec<_>>(), ["\"anew\""]);
}

async fn what_was_swept_is_a_gap<F: Future<Output = Link>>(way: &impl Fn(Arc<TestNode>, Arc<TestNode>) -> F) {
    let (a, b, late) = (TestNode::new("a").await, TestNode::new("b").await, TestNode::new("late").await);
    a.say(10).await;
    let mut behind = follower(way, &b, &[&a], &[&a.name]).await;
    behind.catch_up().await;
    a.say(30).await;
    let keep = KeepShared { entries: 5, ..KeepShared::default() };
    a.store.forget_shared(keep, moment(), 100).await.expect("forgets");
    behind.catch_up().await;
    assert!(behind.is_in_step(&a));
    assert_eq!((&behind.gaps[..], b.log_of(&a.name).expect("a log").missing), (&[(11, 35)][..], 25));
    // Who comes later has missed nothing.
    let mut first = follower(way, &late, &[&a], &[&a.name]).await;
    first.catch_up().await;
    assert!(first.is_in_step(&a) && first.gaps.is_empty());
    assert_eq!(late.log_of(&a.name).expect("a log").missing, 0);
}

async fn logs_come_over_relays<F: Future<Output = Link>>(way: &impl Fn(Arc<TestNode>, Arc<TestNode>) -> F) {
    let mut nodes = Vec::new();
    for node in ["a", "b", "c", "d", "e"] {
        nodes.push(TestNode::new(node).await);
    }
    nodes[0].say(700).await;
    nodes[1].say(3).await;
    let mut hops = Vec::new();
    for pair in nodes.windows(2) {
        let [from, to] = pair else { continue };
        let mut follower = follower(way, to, &[from], &[&nodes[0].name, &nodes[1].name]).await;
        follower.catch_up().await;
        hops.push((follower.is_in_step(&nodes[0]), to.log_of(&nodes[0].name).map(|log| log.hops)));
        assert!(follower.quarantined.is_empty());
    }
    // Two relays at most: the fifth gets nothing of the first, and all of the second.
    assert_eq!(hops, [(true, Some(0)), (true, Some(1)), (true, Some(2)), (false, None)]);
    assert_eq!(nodes[3].entries_of(&nodes[0].name), nodes[0].entries_of(&nodes[0].name));
    assert_eq!(nodes[4].entries_of(&nodes[1].name), nodes[1].entries_of(&nodes[1].name));
}

#[tokio::test]
async fn the_link_without_a_wire_conforms() {
    conforms(|_, to| async move { Arc::new(MemoryLink(to)) as Link }).await;
}
