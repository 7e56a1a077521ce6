//! A node of the test's own: it has a key and a log, beats and answers as an engine does, and lies as it is told to.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aurora::federation::{
    Answered, Answerer, DoorMemory, DoorSettings, Errands, EventLink, HttpDoor, HttpLink, TokenAnswerer, TokenRefusal,
    serve_nodes,
};
use aurora::model::{
    BootId, ChainHash, EpochId, Hlc, NodeKey, NodeName, Origin, PinnedKeys, SharedEvent, SharedId, SharedKind,
    TokenHash, Trust,
};
use aurora::net::{Asked, KnownNodes, NodeKeys, Proof, node_client};
use aurora::protocol::{
    Beat, BeatAnswer, FEDERATION_VERSION, Join, JoinAnswer, NodesPanel, PAGE_EVENTS, Page, PageAsk, PageRefusal, Probe,
    ProbeAnswer, Refusal, RemoteAct, RemoteActAnswer,
};
use jiff::Timestamp;
use serde_json::value::RawValue;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::support::free_port;

/// How it answers whoever wants entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lie {
    /// As it should.
    None,
    /// One number is left out: chained, signed, and not what follows.
    Skips,
    /// More entries than anybody asked for.
    TooMany,
    /// More bytes than a page may have.
    TooLong,
    /// Another number for the newest entry than there is.
    BoastsHigh,
}

/// What it has and says; shared by who answers and who beats.
struct Desk {
    name: NodeName,
    keys: Arc<NodeKeys>,
    log: Mutex<Log>,
}

struct Log {
    origin: Origin,
    events: Vec<SharedEvent>,
    lie: Lie,
    beats: u64,
}

impl Log {
    fn add(&mut self, subject: &str, body: &str, skipped: u64) {
        let before = self.events.last().map_or(ChainHash::BEGINNING, |last| last.hash);
        let mut event = SharedEvent {
            id: SharedId::from_uuid(Uuid::now_v7()),
            seq: self.events.last().map_or(0, |last| last.seq) + 1 + skipped,
            hlc: Hlc::default().next(Timestamp::now()),
            kind: SharedKind::Incident,
            subject: subject.to_owned(),
            body: RawValue::from_string(body.to_owned()).expect("JSON"),
            hash: before,
        };
        event.hash = event.chained(&self.origin, &before);
        self.events.push(event);
    }

    fn high(&self) -> u64 {
        self.events.last().map_or(0, |last| last.seq)
    }
}

impl Desk {
    fn beat(&self) -> Beat {
        let mut log = self.log.lock().expect("not poisoned");
        log.beats += 1;
        Beat {
            version: FEDERATION_VERSION,
            node: self.name.clone(),
            boot: BootId::from_uuid(Uuid::from_u128(1)),
            started: Timestamp::UNIX_EPOCH,
            number: log.beats,
            incarnation: 0,
            epoch: log.origin.epoch,
            high: log.high(),
            sent: Timestamp::now(),
            hlc: Hlc::default(),
            slowness: 0,
            program: "test".into(),
            leaving: false,
            sees: Vec::new(),
            whole: true,
            keys: self.keys.public(),
        }
    }

    fn page(&self, ask: &PageAsk) -> Page {
        let log = self.log.lock().expect("not poisoned");
        let later = || log.events.iter().filter(|event| event.seq > ask.after).cloned();
        let events: Vec<SharedEvent> = match log.lie {
            Lie::TooMany => later().cycle().take(PAGE_EVENTS + 1).collect(),
            Lie::TooLong => later().map(|event| SharedEvent { subject: "x".repeat(2 << 20), ..event }).collect(),
            Lie::None | Lie::Skips | Lie::BoastsHigh => later().take(ask.limit).collect(),
        };
        let head = events.last().map(|last| self.keys.head(log.origin.clone(), last.seq, last.hash));
        let high = if log.lie == Lie::BoastsHigh { 0 } else { log.high() };
        Page { origin: log.origin.clone(), events, head, high, low: 1, more: false, hops: 0 }
    }

    fn has_more(&self, ask: &PageAsk) -> bool {
        self.log.lock().expect("not poisoned").high() > ask.after
    }
}

impl Answerer for Desk {
    fn page(&self, _: NodeName, ask: PageAsk) -> Answered<'_, Result<Page, PageRefusal>> {
        Box::pin(async move {
            let until = tokio::time::Instant::now() + Duration::from_secs(ask.wait);
            while !self.has_more(&ask) && tokio::time::Instant::now() < until {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            Ok(self.page(&ask))
        })
    }

    fn beat(&self, _: NodeName, _: Beat) -> Answered<'_, Result<BeatAnswer, String>> {
        Box::pin(async { Ok(BeatAnswer { beat: self.beat(), received: Timestamp::now(), holds: None, asks: false }) })
    }

    fn probe(&self, _: NodeName, _: Probe) -> Answered<'_, ProbeAnswer> {
        Box::pin(async { ProbeAnswer { reached: None } })
    }

    fn act(&self, _: NodeName, _: RemoteAct) -> Answered<'_, RemoteActAnswer> {
        Box::pin(async { Err(Refusal::Failed("it does nothing".to_owned())) })
    }

    fn join(&self, _: Join) -> Answered<'_, Result<JoinAnswer, String>> {
        Box::pin(async { Ok(JoinAnswer { node: self.name.clone(), key: self.keys.key(), trust: Trust::Report }) })
    }
}

impl TokenAnswerer for Desk {
    fn nodes(&self, _: TokenHash) -> Answered<'_, Result<Box<NodesPanel>, TokenRefusal>> {
        Box::pin(async { Err(TokenRefusal::Unavailable("it knows nobody".to_owned())) })
    }
}

/// The node. It ends with the test.
pub(super) struct Peer {
    pub(super) name: NodeName,
    pub(super) url: String,
    desk: Arc<Desk>,
    known: Arc<KnownNodes>,
    runtime: tokio::runtime::Runtime,
    stop: CancellationToken,
    _dir: tempfile::TempDir,
}

impl Peer {
    /// A node that listens, and knows `other` by `key`, which listens at `url`: it beats there every second.
    pub(super) fn new(name: &str, other: &NodeName, key: NodeKey, url: &str) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let name: NodeName = name.parse().expect("a name");
        let keys = Arc::new(NodeKeys::open(dir.path(), Timestamp::now()).expect("a key"));
        let origin = Origin { node: name.clone(), epoch: EpochId::from_uuid(Uuid::now_v7()) };
        let log = Mutex::new(Log { origin, events: Vec::new(), lie: Lie::None, beats: 0 });
        let desk = Arc::new(Desk { name: name.clone(), keys: Arc::clone(&keys), log });
        let known = Arc::new(KnownNodes::default());
        known.put(other.clone(), PinnedKeys::of(key, Timestamp::now()));
        let settings = DoorSettings {
            me: name.clone(),
            keys: Arc::clone(&keys),
            known: Arc::clone(&known),
            errands: Arc::new(Errands::new(CancellationToken::new())),
            answerer: Arc::clone(&desk) as _,
            tokens: Arc::clone(&desk) as _,
            allow_query_token: false,
            tls: None,
            proxies: Vec::new(),
            refused: Box::new(|_| {}),
        };
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let stop = CancellationToken::new();
        let memory = DoorMemory::new(name.clone(), Timestamp::now());
        let door = Arc::new(HttpDoor::new(settings, Arc::new(memory)));
        let (until, stopping) = (stop.clone(), stop.clone());
        runtime.spawn(async move { serve_nodes(address, door, 64, until, || {}, |_| {}).await.expect("it listens") });
        let peer = Self { name, url: format!("http://{address}"), desk, known, runtime, stop, _dir: dir };
        let (link, desk) = (peer.link(other, url), Arc::clone(&peer.desk));
        peer.runtime.spawn(async move {
            while !stopping.is_cancelled() {
                // Who does not know it yet, or no more, refuses.
                let _ = link.beat(&desk.beat()).await;
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        });
        peer
    }

    /// The key that proves what it says.
    pub(super) fn key(&self) -> NodeKey {
        self.desk.keys.key()
    }

    fn link(&self, other: &NodeName, url: &str) -> HttpLink {
        let http = node_client(url, None).expect("a client");
        let (keys, known) = (Arc::clone(&self.desk.keys), Arc::clone(&self.known));
        HttpLink::new(http, url, other.clone(), self.name.clone(), keys, known)
    }

    /// Writes an incident about `subject` to its log, which it gives in this way from now on.
    pub(super) fn says(&self, subject: &str, lie: Lie) {
        let mut log = self.desk.log.lock().expect("not poisoned");
        log.lie = lie;
        let body = r#"{"state":"critical","since":"2026-01-01T00:00:00Z","cause":"made up"}"#;
        log.add(subject, body, u64::from(lie == Lie::Skips));
    }

    /// Signs another log than it did, as long as the one before and one more.
    pub(super) fn rewrites(&self) {
        let mut log = self.desk.log.lock().expect("not poisoned");
        let count = log.events.len();
        log.events.clear();
        for number in 0..=count {
            log.add(&format!("other-{number}"), "{}", 0);
        }
    }

    /// Has a log without the last entry again, as if it never had been.
    pub(super) fn takes_back(&self) {
        let mut log = self.desk.log.lock().expect("not poisoned");
        log.events.pop();
        log.lie = Lie::None;
    }

    /// A heartbeat to `to` that says it is `claimed`, with its own signature, byte by byte.
    pub(super) fn forged(&self, claimed: &NodeName, to: &NodeName) -> Vec<u8> {
        let beat = Beat { node: claimed.clone(), leaving: true, ..self.desk.beat() };
        let body = serde_json::to_vec(&beat).expect("JSON");
        let asked = Asked { method: "POST", path: "/fed/v1/heartbeat" };
        let proof = Proof::new(&self.desk.keys, claimed, to, &asked, &body, Timestamp::now()).header();
        crate::support::request(asked.method, asked.path, &[("authorization", &proof)], &body)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
