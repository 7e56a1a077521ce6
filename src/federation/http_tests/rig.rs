//! The parties of these tests: nodes with keys, one that answers, and what they send.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::federation::{
    Answered, Answerer, DoorMemory, DoorSettings, Errands, HttpDoor, HttpLink, RefusedQuestion, TokenAnswerer,
    TokenRefusal, serve_nodes,
};
use crate::model::{
    BootId, EpochId, Hlc, Identity, NodeName, Origin, PinnedKeys, RecognisedBy, Role, TokenHash, Trust,
};
use crate::net::{Asked, KnownNodes, ListenerTls, NodeKeys, Proof, node_client};
use crate::protocol::{
    Beat, BeatAnswer, FEDERATION_VERSION, Join, JoinAnswer, NodeOrder, NodeReply, NodesPanel, Page, PageAsk,
    PageRefusal, Probe, ProbeAnswer, RemoteAct, RemoteActAnswer,
};

pub(super) fn name(text: &str) -> NodeName {
    text.parse().expect("a name")
}

/// A node with a key of its own.
pub(super) struct Party {
    pub(super) name: NodeName,
    pub(super) keys: Arc<NodeKeys>,
    pub(super) dir: tempfile::TempDir,
}

impl Party {
    pub(super) fn new(text: &str) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let keys = Arc::new(NodeKeys::open(dir.path(), Timestamp::now()).expect("a key"));
        Self { name: name(text), keys, dir }
    }

    pub(super) fn pinned(&self) -> PinnedKeys {
        PinnedKeys::of(self.keys.key(), Timestamp::now())
    }

    pub(super) fn beat(&self) -> Beat {
        Beat {
            version: FEDERATION_VERSION,
            node: self.name.clone(),
            boot: BootId::from_uuid(Uuid::nil()),
            started: Timestamp::UNIX_EPOCH,
            number: 1,
            incarnation: 0,
            epoch: epoch(),
            high: 0,
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

    /// A request as this node would send it at `when`, byte by byte.
    pub(super) fn request(&self, to: &str, path: &str, body: &[u8], when: Timestamp) -> Vec<u8> {
        let method = if body.is_empty() { "GET" } else { "POST" };
        let proof = Proof::new(&self.keys, &self.name, &name(to), &Asked { method, path }, body, when).header();
        written(method, path, &format!("authorization: {proof}\r\n"), body)
    }
}

pub(super) fn epoch() -> EpochId {
    EpochId::from_uuid(Uuid::from_u128(1))
}

pub(super) fn written(method: &str, path: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}content-length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

/// Answers for a node, and remembers who asked.
pub(super) struct Desk {
    pub(super) node: Party,
    asked: Mutex<Vec<String>>,
}

impl Desk {
    fn note(&self, from: &NodeName, what: &str) {
        self.asked.lock().expect("not poisoned").push(format!("{from} {what}"));
    }
}

impl Answerer for Desk {
    fn page(&self, from: NodeName, ask: PageAsk) -> Answered<'_, Result<Page, PageRefusal>> {
        self.note(&from, "page");
        Box::pin(async move {
            match ask.after {
                7 => Err(PageRefusal::OtherEpoch { epoch: epoch(), low: 3, high: 9 }),
                8 => Err(PageRefusal::Unknown),
                9 => Err(PageRefusal::Gone { low: 3, before: crate::model::ChainHash::BEGINNING }),
                _ => Ok(Page {
                    origin: Origin { node: ask.origin, epoch: epoch() },
                    events: Vec::new(),
                    head: None,
                    high: ask.after,
                    low: 1,
                    more: false,
                    hops: 0,
                }),
            }
        })
    }

    fn beat(&self, from: NodeName, _: Beat) -> Answered<'_, Result<BeatAnswer, String>> {
        self.note(&from, "beat");
        let beat = self.node.beat();
        Box::pin(async move { Ok(BeatAnswer { beat, received: Timestamp::now(), holds: None, asks: false }) })
    }

    fn probe(&self, from: NodeName, _: Probe) -> Answered<'_, ProbeAnswer> {
        self.note(&from, "probe");
        Box::pin(async { ProbeAnswer { reached: Some(3) } })
    }

    fn act(&self, from: NodeName, _: RemoteAct) -> Answered<'_, RemoteActAnswer> {
        self.note(&from, "act");
        Box::pin(async { Ok(NodeReply::Done) })
    }

    fn join(&self, join: Join) -> Answered<'_, Result<JoinAnswer, String>> {
        self.note(&join.node, "join");
        let (node, key) = (self.node.name.clone(), self.node.keys.key());
        Box::pin(async move { Ok(JoinAnswer { node, key, trust: Trust::Report }) })
    }
}

impl TokenAnswerer for Desk {
    fn nodes(&self, token: TokenHash) -> Answered<'_, Result<Box<NodesPanel>, TokenRefusal>> {
        let good = token == TokenHash::of("aur_good");
        let limited = token == TokenHash::of("aur_stats");
        Box::pin(async move {
            match (good, limited) {
                (true, _) => Ok(Box::default()),
                (_, true) => Err(TokenRefusal::Denied("this needs the scope federation".into())),
                _ => Err(TokenRefusal::Unknown("the token is not known".into())),
            }
        })
    }
}

/// A listener of `hub-1`, which knows whoever was put into `known`.
pub(super) struct Hub {
    pub(super) address: SocketAddr,
    pub(super) desk: Arc<Desk>,
    pub(super) known: Arc<KnownNodes>,
    pub(super) refused: Arc<Mutex<Vec<RefusedQuestion>>>,
    pub(super) stop: CancellationToken,
}

impl Drop for Hub {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Hub {
    pub(super) async fn new(known: &[&Party]) -> Self {
        Self::with(known, false, None).await
    }

    pub(super) async fn with(known: &[&Party], allow_query_token: bool, tls: Option<Arc<ListenerTls>>) -> Self {
        let desk = Arc::new(Desk { node: Party::new("hub-1"), asked: Mutex::default() });
        let nodes = Arc::new(KnownNodes::default());
        for party in known {
            nodes.put(party.name.clone(), party.pinned());
        }
        let refused = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&refused);
        let settings = DoorSettings {
            me: desk.node.name.clone(),
            keys: Arc::clone(&desk.node.keys),
            known: Arc::clone(&nodes),
            errands: Arc::new(Errands::new(CancellationToken::new())),
            answerer: Arc::clone(&desk) as _,
            tokens: Arc::clone(&desk) as _,
            allow_query_token,
            tls,
            proxies: Vec::new(),
            refused: Box::new(move |question| noted.lock().expect("not poisoned").push(question)),
        };
        let started = Timestamp::now() - Duration::from_hours(1);
        let memory = DoorMemory::new(settings.me.clone(), started);
        let door = Arc::new(HttpDoor::new(settings, Arc::new(memory)));
        let free = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let address = free.local_addr().expect("an address");
        drop(free);
        let (ready, listening) = tokio::sync::oneshot::channel();
        let stop = CancellationToken::new();
        let stopping = stop.clone();
        tokio::spawn(async move {
            serve_nodes(address, door, 64, stopping, || ready.send(()).expect("somebody waits"), |_| {})
                .await
                .expect("it listens");
        });
        listening.await.expect("it listens");
        Self { address, desk, known: nodes, refused, stop }
    }

    /// What comes back for these bytes: the status and the whole answer.
    pub(super) async fn send(&self, bytes: &[u8]) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address).await.expect("connects");
        // It may be answered, and closed, before all of it is sent.
        let _ = stream.write_all(bytes).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        let text = String::from_utf8_lossy(&answer).into_owned();
        let status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
        (status, text)
    }

    pub(super) fn link(&self, from: &Party) -> HttpLink {
        let known = Arc::new(KnownNodes::default());
        known.put(self.desk.node.name.clone(), self.desk.node.pinned());
        link(self.address, from, known)
    }

    pub(super) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.desk.asked.lock().expect("not poisoned"))
    }

    pub(super) fn refusals(&self) -> Vec<String> {
        self.refused.lock().expect("not poisoned").drain(..).map(|refused| refused.why).collect()
    }
}

pub(super) fn link(address: SocketAddr, from: &Party, known: Arc<KnownNodes>) -> HttpLink {
    let url = format!("http://{address}");
    let http = node_client(&url, None).expect("a client");
    HttpLink::new(http, &url, name("hub-1"), from.name.clone(), Arc::clone(&from.keys), known)
}

pub(super) fn ask(after: u64) -> PageAsk {
    PageAsk { origin: name("hub-1"), epoch: Some(epoch()), after, limit: 500, wait: 0 }
}

pub(super) fn order() -> RemoteAct {
    let by = Identity {
        operator: "anna".parse().expect("a name"),
        role: Role::Operator,
        scopes: None,
        by: RecognisedBy::Owner(1),
    };
    RemoteAct { by, order: NodeOrder::RestartTask("projector".into()) }
}

pub(super) fn beat_bytes(party: &Party) -> Vec<u8> {
    serde_json::to_vec(&party.beat()).expect("JSON")
}

pub(super) const BEAT: &str = "/fed/v1/heartbeat";

pub(super) fn trusting(party: &Party) -> Arc<KnownNodes> {
    let known = Arc::new(KnownNodes::default());
    known.put(name("hub-1"), party.pinned());
    known
}
