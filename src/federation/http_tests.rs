//! The listener and the link over real sockets: what is let in, what is refused, and how keys change meanwhile.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::model::{
    BootId, EpochId, Hlc, Identity, NodeKey, NodeName, Origin, PinnedKey, PinnedKeys, RecognisedBy, Role, TokenHash,
    Trust,
};
use crate::net::{Asked, KnownNodes, ListenerTls, NodeKeys, Proof, certificate_pin, node_client};
use crate::protocol::{
    Beat, BeatAnswer, FEDERATION_VERSION, Join, JoinAnswer, NodeOrder, NodeReply, NodesPanel, Page, PageAsk,
    PageRefusal, Probe, ProbeAnswer, Refusal, RemoteAct, RemoteActAnswer,
};

use super::{
    Answered, Answerer, DoorMemory, DoorSettings, Errands, EventLink, HttpDoor, HttpLink, JoinToken, LinkError,
    RefusedQuestion, TokenAnswerer, TokenRefusal, join_at, serve_nodes,
};

fn name(text: &str) -> NodeName {
    text.parse().expect("a name")
}

/// A node with a key of its own.
struct Party {
    name: NodeName,
    keys: Arc<NodeKeys>,
    dir: tempfile::TempDir,
}

impl Party {
    fn new(text: &str) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let keys = Arc::new(NodeKeys::open(dir.path(), Timestamp::now()).expect("a key"));
        Self { name: name(text), keys, dir }
    }

    fn pinned(&self) -> PinnedKeys {
        PinnedKeys::of(self.keys.key(), Timestamp::now())
    }

    fn beat(&self) -> Beat {
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
    fn request(&self, to: &str, path: &str, body: &[u8], when: Timestamp) -> Vec<u8> {
        let method = if body.is_empty() { "GET" } else { "POST" };
        let proof = Proof::new(&self.keys, &self.name, &name(to), &Asked { method, path }, body, when).header();
        written(method, path, &format!("authorization: {proof}\r\n"), body)
    }
}

fn epoch() -> EpochId {
    EpochId::from_uuid(Uuid::from_u128(1))
}

fn written(method: &str, path: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}content-length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

/// Answers for a node, and remembers who asked.
struct Desk {
    node: Party,
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
struct Hub {
    address: SocketAddr,
    desk: Arc<Desk>,
    known: Arc<KnownNodes>,
    refused: Arc<Mutex<Vec<RefusedQuestion>>>,
    stop: CancellationToken,
}

impl Drop for Hub {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Hub {
    async fn new(known: &[&Party]) -> Self {
        Self::with(known, false, None).await
    }

    async fn with(known: &[&Party], allow_query_token: bool, tls: Option<Arc<ListenerTls>>) -> Self {
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
    async fn send(&self, bytes: &[u8]) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address).await.expect("connects");
        // It may be answered, and closed, before all of it is sent.
        let _ = stream.write_all(bytes).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        let text = String::from_utf8_lossy(&answer).into_owned();
        let status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
        (status, text)
    }

    fn link(&self, from: &Party) -> HttpLink {
        let known = Arc::new(KnownNodes::default());
        known.put(self.desk.node.name.clone(), self.desk.node.pinned());
        link(self.address, from, known)
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.desk.asked.lock().expect("not poisoned"))
    }

    fn refusals(&self) -> Vec<String> {
        self.refused.lock().expect("not poisoned").drain(..).map(|refused| refused.why).collect()
    }
}

fn link(address: SocketAddr, from: &Party, known: Arc<KnownNodes>) -> HttpLink {
    let url = format!("http://{address}");
    let http = node_client(&url, None).expect("a client");
    HttpLink::new(http, &url, name("hub-1"), from.name.clone(), Arc::clone(&from.keys), known)
}

fn ask(after: u64) -> PageAsk {
    PageAsk { origin: name("hub-1"), epoch: Some(epoch()), after, limit: 500, wait: 0 }
}

fn order() -> RemoteAct {
    let by = Identity {
        operator: "anna".parse().expect("a name"),
        role: Role::Operator,
        scopes: None,
        by: RecognisedBy::Owner(1),
    };
    RemoteAct { by, order: NodeOrder::RestartTask("projector".into()) }
}

fn beat_bytes(party: &Party) -> Vec<u8> {
    serde_json::to_vec(&party.beat()).expect("JSON")
}

const BEAT: &str = "/fed/v1/heartbeat";

#[tokio::test]
async fn a_node_that_is_known_is_answered() {
    let party = Party::new("hub-2");
    let hub = Hub::new(&[&party]).await;
    let link = hub.link(&party);
    let answer = link.beat(&party.beat()).await.expect("it is answered");
    assert_eq!(answer.beat.node, name("hub-1"));
    assert_eq!(link.page(&ask(5)).await.expect("it is answered").expect("a page").high, 5);
    assert_eq!(link.page(&ask(7)).await, Ok(Err(PageRefusal::OtherEpoch { epoch: epoch(), low: 3, high: 9 })));
    assert_eq!(link.page(&ask(8)).await, Ok(Err(PageRefusal::Unknown)));
    assert!(matches!(link.page(&ask(9)).await, Ok(Err(PageRefusal::Gone { low: 3, .. }))));
    assert_eq!(link.probe(&Probe { whom: name("hub-3") }).await.expect("it is answered").reached, Some(3));
    assert_eq!(link.act(&order()).await, Ok(Ok::<_, Refusal>(NodeReply::Done)));
    assert_eq!(hub.asked().first().map(String::as_str), Some("hub-2 beat"));
    assert_eq!(hub.refusals(), Vec::<String>::new());
}

#[tokio::test]
async fn who_is_not_known_is_told_nothing() {
    let (party, stranger) = (Party::new("hub-2"), Party::new("hub-9"));
    let hub = Hub::new(&[&party]).await;
    let now = Timestamp::now();
    let forged = Party { name: party.name.clone(), ..Party::new("hub-9") };
    let bearer = written("GET", "/fed/v1/events?origin=hub-1", "authorization: Bearer aur_good\r\n", b"");
    let body = beat_bytes(&party);
    for (what, bytes) in [
        ("a stranger", stranger.request("hub-1", BEAT, &beat_bytes(&stranger), now)),
        ("another key", forged.request("hub-1", BEAT, &body, now)),
        ("no proof", written("POST", BEAT, "", &body)),
        ("a token", bearer),
    ] {
        let (status, text) = hub.send(&bytes).await;
        assert_eq!(status, 401, "{what}: {text}");
        assert!(
            !text.contains("detail") && !text.contains("aurora-signed") && !text.contains("hub-"),
            "{what}: {text}"
        );
    }
    hub.known.forget(&party.name);
    let (status, _) = hub.send(&party.request("hub-1", BEAT, &body, now)).await;
    assert_eq!(status, 401, "its key was revoked");
    assert_eq!(hub.asked(), Vec::<String>::new());
    assert_eq!(hub.refusals().len(), 5);
    let error = hub.link(&party).beat(&party.beat()).await.expect_err("refused");
    assert!(error.to_string().contains("does not know this node by its key"), "{error}");
}

#[tokio::test]
async fn an_altered_request_is_nobody_s() {
    let party = Party::new("hub-2");
    let hub = Hub::new(&[&party]).await;
    let body = beat_bytes(&party);
    let good = party.request("hub-1", BEAT, &body, Timestamp::now());
    let text = String::from_utf8(good).expect("text");
    for (from, to) in [(BEAT, "/fed/v1/probe"), ("node=hub-2", "node=hub-3"), ("nonce=", "nonce=A")] {
        let (status, _) = hub.send(text.replacen(from, to, 1).as_bytes()).await;
        assert_eq!(status, 401, "{from}");
    }
    // The head is good, and the body another one of the same length.
    let (status, answer) = hub.send(text.replace("\"number\":1", "\"number\":2").as_bytes()).await;
    assert_eq!(status, 403, "{answer}");
    assert!(answer.contains("another one than was signed"), "{answer}");
    assert_eq!(hub.asked(), Vec::<String>::new());
}

#[tokio::test]
async fn a_recorded_request_counts_once() {
    let party = Party::new("hub-2");
    let hub = Hub::new(&[&party]).await;
    let act = serde_json::to_vec(&order()).expect("JSON");
    let recorded = party.request("hub-1", "/fed/v1/act", &act, Timestamp::now());
    assert_eq!(hub.send(&recorded).await.0, 200);
    for _ in 0..3 {
        let (status, text) = hub.send(&recorded).await;
        assert_eq!(status, 403, "{text}");
        assert!(text.contains("it came before"), "{text}");
    }
    assert_eq!(hub.asked(), ["hub-2 act"]);
    // One that is older than this run of the process might have been done by the run before.
    let old = Timestamp::now() - Duration::from_secs(250);
    let young = Hub::new(&[&party]).await;
    assert_eq!(young.send(&party.request("hub-1", "/fed/v1/act", &act, old)).await.0, 200, "it has run for an hour");
}

#[tokio::test]
async fn a_clock_that_is_off_and_a_wrong_receiver_are_said() {
    let party = Party::new("hub-2");
    let hub = Hub::new(&[&party]).await;
    let body = beat_bytes(&party);
    let now = Timestamp::now();
    for (off, status) in [(-320, 403), (-280, 200), (280, 200), (320, 403)] {
        let when = now + jiff::SignedDuration::from_secs(off);
        let (got, text) = hub.send(&party.request("hub-1", BEAT, &body, when)).await;
        assert_eq!(got, status, "{off}: {text}");
        assert_eq!(text.contains("its clock is off by"), status == 403, "{text}");
        assert!(text.contains("aurora-signed"), "a proven node gets a signed answer: {text}");
    }
    let (status, text) = hub.send(&party.request("hub-7", BEAT, &body, now)).await;
    assert_eq!(status, 421, "{text}");
    assert!(text.contains("meant for hub-7, and this is hub-1"), "{text}");
    let other = serde_json::to_vec(&Party::new("hub-3").beat()).expect("JSON");
    let (status, text) = hub.send(&party.request("hub-1", BEAT, &other, now)).await;
    assert_eq!(status, 403, "it speaks for another: {text}");
}

#[tokio::test]
async fn what_is_too_long_is_refused_before_it_is_read() {
    let party = Party::new("hub-2");
    let hub = Hub::new(&[&party]).await;
    let now = Timestamp::now();
    let long = vec![b' '; 300 << 10];
    for path in [BEAT, "/fed/v1/probe", "/fed/v1/act"] {
        let (status, text) = hub.send(&party.request("hub-1", path, &long, now)).await;
        assert_eq!(status, 413, "{path}: {text}");
    }
    // One that says no length: chunks, one after another.
    let asked = Asked { method: "POST", path: "/fed/v1/probe" };
    let proof = Proof::new(&party.keys, &party.name, &name("hub-1"), &asked, b"x", now).header();
    let chunk = format!("4000\r\n{}\r\n", "a".repeat(0x4000));
    let head = format!(
        "POST /fed/v1/probe HTTP/1.1\r\nhost: x\r\nauthorization: {proof}\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n{chunk}"
    );
    assert_eq!(hub.send(head.as_bytes()).await.0, 413);
    let huge = format!("x-filler: {}\r\n", "a".repeat(400 << 10));
    // The end of the connection may come before its answer is read.
    assert!(matches!(hub.send(&written("POST", BEAT, &huge, b"{}")).await.0, 0 | 400 | 431));
    assert_eq!(hub.asked(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn who_trickles_is_let_go_and_others_are_undisturbed() {
    let (party, other) = (Party::new("hub-2"), Party::new("hub-3"));
    let hub = Hub::new(&[&party, &other]).await;
    let bytes = party.request("hub-1", BEAT, &beat_bytes(&party), Timestamp::now());
    let mut stream = TcpStream::connect(hub.address).await.expect("connects");
    let (head, body) = bytes.split_at(bytes.len() - 60);
    stream.write_all(head).await.expect("writes");
    let body = body.to_vec();
    let (mut reading, mut writing) = stream.into_split();
    let trickle = tokio::spawn(async move {
        for byte in body {
            tokio::time::sleep(Duration::from_secs(1)).await;
            if writing.write_all(&[byte]).await.is_err() {
                break;
            }
        }
    });
    hub.link(&other).beat(&other.beat()).await.expect("others are answered");
    let mut answer = vec![0; 16];
    reading.read_exact(&mut answer).await.expect("it is answered");
    assert!(answer.starts_with(b"HTTP/1.1 408"), "{}", String::from_utf8_lossy(&answer));
    trickle.abort();
    assert_eq!(hub.asked(), ["hub-3 beat"]);
}

#[tokio::test]
async fn another_version_is_said_and_nonsense_too() {
    let party = Party::new("hub-2");
    let hub = Hub::new(&[&party]).await;
    let now = Timestamp::now();
    let newer = serde_json::json!({ "version": 9, "something": "else" }).to_string();
    let (status, text) = hub.send(&party.request("hub-1", BEAT, newer.as_bytes(), now)).await;
    assert_eq!(status, 400);
    assert!(text.contains("it speaks version 9, and this node 1"), "{text}");
    for (path, body) in [(BEAT, "{\"version\":1}"), (BEAT, "nonsense"), ("/fed/v1/act", "[]"), ("/fed/v1/probe", "{}")]
    {
        assert_eq!(hub.send(&party.request("hub-1", path, body.as_bytes(), now)).await.0, 400, "{path} {body}");
    }
    assert_eq!(hub.send(&party.request("hub-1", "/fed/v1/events?origin=-", b"", now)).await.0, 400);
    assert_eq!(hub.send(&written("DELETE", BEAT, "", b"")).await.0, 405);
    assert_eq!(hub.send(&written("GET", "/fed/v2/events", "", b"")).await.0, 404);
    assert_eq!(hub.asked(), Vec::<String>::new());
}

#[tokio::test]
async fn a_key_is_changed_without_one_refused_heartbeat() {
    let party = Party::new("hub-2");
    let hub = Hub::new(&[&party]).await;
    let trusting = Arc::new(KnownNodes::default());
    trusting.put(name("hub-1"), hub.desk.node.pinned());
    let link = link(hub.address, &party, Arc::clone(&trusting));
    let beats = async |times: usize| {
        for _ in 0..times {
            link.beat(&party.beat()).await.expect("no heartbeat is refused");
        }
    };
    beats(2).await;
    let old = party.keys.key();
    let (new, until) = party.keys.rotate(Timestamp::now()).expect("it is changed");
    let (hubs, _) = hub.desk.node.keys.rotate(Timestamp::now()).expect("it is changed on the other side, too");
    beats(3).await;
    let learned = hub.known.take_learned();
    assert!(learned.iter().eq([&party.name]), "it is to be kept once: {learned:?}");
    assert_eq!(hub.known.keys(&party.name, Timestamp::now()), [new, old]);
    assert_eq!(trusting.keys(&name("hub-1"), Timestamp::now())[0], hubs, "learned by the answer");
    // A day later.
    let later = until + Duration::from_secs(1);
    assert!(party.keys.settle(later).expect("it is over") && hub.desk.node.keys.settle(later).expect("it is over"));
    beats(3).await;
    assert_eq!(hub.known.keys(&party.name, Timestamp::now()), [new], "the other one counts no more");
    assert_eq!(hub.refusals(), Vec::<String>::new());
}

#[tokio::test]
async fn the_key_before_counts_for_a_day_and_no_longer() {
    let party = Party::new("hub-2");
    let hub = Hub::new(&[]).await;
    let now = Timestamp::now();
    let pinned = |end: Timestamp| {
        let before = PinnedKey { key: party.keys.key(), since: Timestamp::UNIX_EPOCH, until: Some(end) };
        PinnedKeys(vec![before, PinnedKey { key: NodeKey::from_bytes([9; 32]), since: now, until: None }])
    };
    for (end, status) in [(now + Duration::from_mins(1), 200), (now - Duration::from_secs(1), 401)] {
        hub.known.put(party.name.clone(), pinned(end));
        let request = party.request("hub-1", BEAT, &beat_bytes(&party), Timestamp::now());
        assert_eq!(hub.send(&request).await.0, status);
    }
    // Meanwhile it can name no other key.
    assert!(hub.known.take_learned().is_empty());
}

#[tokio::test]
async fn joining_takes_the_key_of_the_invitation_and_one_s_own() {
    let party = Party::new("hub-2");
    let hub = Hub::new(&[]).await;
    let (inviting, now) = (&hub.desk.node, Timestamp::now());
    let token =
        JoinToken::new(inviting.name.clone(), format!("http://{}", hub.address), inviting.keys.key(), None, now);
    let join = token.wish(&party.name, party.keys.key(), None, now).expect("it counts");
    let answer = join_at(&token, &join, &party.name, Arc::clone(&party.keys)).await.expect("it is let in");
    assert_eq!((answer.node, answer.key), (name("hub-1"), inviting.keys.key()));
    assert_eq!(hub.asked(), ["hub-2 join"]);

    // Who heard it cannot join with a key of their own, and not under another name.
    let thief = Party::new("hub-2");
    let stolen = Join { key: thief.keys.key(), ..join.clone() };
    let error = join_at(&token, &stolen, &thief.name, Arc::clone(&thief.keys)).await.expect_err("refused");
    assert!(error.to_string().contains("no such invitation"), "{error}");
    let renamed = Join { node: name("hub-5"), ..join.clone() };
    assert!(join_at(&token, &renamed, &name("hub-5"), Arc::clone(&party.keys)).await.is_err());
    // Another node under the name of the one that invited.
    let impostor = Party::new("hub-1");
    let mut token = token;
    token.key = impostor.keys.key();
    let error = join_at(&token, &join, &party.name, Arc::clone(&party.keys)).await.expect_err("another key");
    assert!(matches!(error, LinkError::Unusable(_)), "{error}");
    assert_eq!(hub.asked(), ["hub-2 join"], "it was asked once more, and its answer not believed");
}

#[tokio::test]
async fn under_tls_the_certificate_is_known_by_the_token() {
    let dir = tempfile::tempdir().expect("a directory");
    let made = || rcgen::generate_simple_self_signed(["hub-1.example".to_owned()]).expect("a certificate");
    let (cert, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
    let (own, other) = (made(), made());
    std::fs::write(&cert, own.cert.pem()).expect("writes");
    std::fs::write(&key, own.signing_key.serialize_pem()).expect("writes");
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("chmod");
    let pin = certificate_pin(&cert).expect("a pin");
    let tls = Arc::new(ListenerTls::load(cert.clone(), key).expect("a certificate"));
    let party = Party::new("hub-2");
    let hub = Hub::with(&[&party], false, Some(tls)).await;
    let (inviting, now) = (&hub.desk.node, Timestamp::now());
    std::fs::write(&cert, other.cert.pem()).expect("writes");
    let wrong = certificate_pin(&cert).expect("a pin");
    for (pin, good) in [(Some(pin), true), (Some(wrong), false), (None, false)] {
        let url = format!("https://{}", hub.address);
        let token = JoinToken::new(inviting.name.clone(), url.clone(), inviting.keys.key(), pin, now);
        let join = token.wish(&party.name, party.keys.key(), None, now).expect("it counts");
        let joined = join_at(&token, &join, &party.name, Arc::clone(&party.keys)).await;
        assert_eq!(joined.is_ok(), good, "{joined:?}");
        let http = node_client(&url, pin).expect("a client");
        let (keys, known) = (Arc::clone(&party.keys), trusting(inviting));
        let link = HttpLink::new(http, &url, name("hub-1"), party.name.clone(), keys, known);
        let answer = link.beat(&party.beat()).await;
        assert_eq!(answer.is_ok(), good, "{answer:?}");
        assert!(good || matches!(answer, Err(LinkError::Unreachable(_))), "{answer:?}");
    }
}

#[tokio::test]
async fn who_tries_invitations_one_after_another_is_slowed_down() {
    let party = Party::new("hub-2");
    let hub = Hub::new(&[]).await;
    let (key, now) = (hub.desk.node.keys.key(), Timestamp::now());
    let token = JoinToken::new(name("hub-1"), format!("http://{}", hub.address), key, None, now);
    let join = token.wish(&party.name, party.keys.key(), None, now).expect("it counts");
    let wrong = Join { proof: vec![0; 64], ..join };
    let body = serde_json::to_vec(&wrong).expect("JSON");
    let mut last = 0;
    for _ in 0..70 {
        last = hub.send(&party.request("hub-1", "/fed/v1/join", &body, Timestamp::now())).await.0;
    }
    assert_eq!(last, 429);
    assert_eq!(hub.asked(), Vec::<String>::new());
}

#[tokio::test]
async fn who_joins_slowly_keeps_nobody_out_and_every_failure_counts() {
    let (party, hub) = (Party::new("hub-2"), Hub::new(&[]).await);
    let (inviting, now) = (&hub.desk.node, Timestamp::now());
    let url = format!("http://{}", hub.address);
    let token = JoinToken::new(inviting.name.clone(), url, inviting.keys.key(), None, now);
    let join = token.wish(&party.name, party.keys.key(), None, now).expect("it counts");
    let slow = party.request("hub-1", "/fed/v1/join", &serde_json::to_vec(&join).expect("JSON"), now);
    let mut held = Vec::new();
    for _ in 0..6 {
        let mut stream = TcpStream::connect(hub.address).await.expect("connects");
        stream.write_all(&slow[..slow.len() - 1]).await.expect("writes");
        held.push(stream);
        join_at(&token, &join, &party.name, Arc::clone(&party.keys)).await.expect("it is let in");
    }
    assert_eq!(hub.asked(), ["hub-2 join"; 6]);
    let mut last = 0;
    for _ in 0..70 {
        last = hub.send(&party.request("hub-1", "/fed/v1/join", b"{}", Timestamp::now())).await.0;
    }
    assert_eq!((last, hub.refusals().is_empty()), (429, false), "what cannot be read counts, too");
}

#[tokio::test]
async fn who_has_guessed_too_often_is_not_listened_to() {
    let hub = Hub::new(&[]).await;
    let get = |token: &str| written("GET", "/federation/nodes", &format!("authorization: Bearer {token}\r\n"), b"");
    let mut last = 0;
    for _ in 0..70 {
        last = hub.send(&get("aur_other")).await.0;
    }
    assert_eq!(last, 429);
    assert_eq!(hub.send(&get("aur_good")).await.0, 429, "the right one is not told from a wrong one any more");
}

/// Somebody who answers every connection with these bytes, and then `more` of it every second.
async fn somebody(bytes: Vec<u8>, more: Option<u8>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let bytes = bytes.clone();
            tokio::spawn(async move {
                let mut head = [0; 4096];
                let _ = stream.read(&mut head).await;
                let _ = stream.write_all(&bytes).await;
                while let Some(byte) = more {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    if stream.write_all(&[byte]).await.is_err() {
                        break;
                    }
                }
            });
        }
    });
    address
}

fn trusting(party: &Party) -> Arc<KnownNodes> {
    let known = Arc::new(KnownNodes::default());
    known.put(name("hub-1"), party.pinned());
    known
}

/// Whether an error is the one that was expected.
type Fits = fn(&LinkError) -> bool;

#[tokio::test]
async fn only_a_signed_answer_is_believed() {
    let (me, hub) = (Party::new("hub-2"), Party::new("hub-1"));
    let page = br#"{"node":"hub-1","epoch":"epo_00000000000000000000000000000001","events":[],"head":null,"high":9,"low":1,"more":false,"hops":0}"#;
    let answers = |status: &str, body: &[u8]| {
        let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
        [head.as_bytes(), body].concat()
    };
    let unusable: Fits = |error| matches!(error, LinkError::Unusable(_));
    let cases: [(&str, Vec<u8>, Fits); 5] = [
        ("unsigned", answers("200 OK", page), unusable),
        ("redirected", answers("302 Found", b""), unusable),
        ("too long", answers("200 OK", &vec![b' '; 2 << 20]), unusable),
        ("busy", answers("503 Service Unavailable", b""), |error| matches!(error, LinkError::Unreachable(_))),
        ("unknown", answers("401 Unauthorized", b""), |error| matches!(error, LinkError::Refused(_))),
    ];
    for (what, bytes, fits) in cases {
        let address = somebody(bytes, None).await;
        let error = link(address, &me, trusting(&hub)).page(&ask(0)).await.expect_err(what);
        assert!(fits(&error), "{what}: {error}");
    }
    let nobody = link("127.0.0.1:1".parse().expect("an address"), &me, trusting(&hub));
    assert!(matches!(nobody.beat(&me.beat()).await, Err(LinkError::Unreachable(_))));
    // The right node, answering with a key that is not pinned.
    let real = Hub::new(&[&me]).await;
    let error = link(real.address, &me, trusting(&hub)).beat(&me.beat()).await.expect_err("another key");
    assert!(unusable(&error), "{error}");
    assert!(hub.dir.path().exists());
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_trickles_its_answer_is_given_up() {
    let (me, hub) = (Party::new("hub-2"), Party::new("hub-1"));
    let endless = b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n".to_vec();
    let address = somebody(endless, Some(b' ')).await;
    let started = tokio::time::Instant::now();
    let error = link(address, &me, trusting(&hub)).page(&ask(0)).await.expect_err("given up");
    assert_eq!(error, LinkError::Unreachable("it did not answer in time".into()));
    assert!(started.elapsed() <= Duration::from_secs(12), "{:?}", started.elapsed());
}

#[tokio::test]
async fn holders_of_a_token_see_nodes_and_entries() {
    let hub = Hub::new(&[]).await;
    let get = |path: &str, token: &str| {
        let header = if token.is_empty() { String::new() } else { format!("authorization: Bearer {token}\r\n") };
        written("GET", path, &header, b"")
    };
    let (status, text) = hub.send(&get("/health", "")).await;
    assert_eq!(status, 200);
    assert!(text.ends_with(r#"{"status":"ok","node":"hub-1"}"#), "{text}");
    for path in ["/federation/nodes", "/federation/events"] {
        for (token, expected) in
            [("", 401), ("hunter2", 401), ("aur_other", 401), ("aur_stats", 403), ("aur_good", 200)]
        {
            assert_eq!(hub.send(&get(path, token)).await.0, expected, "{path} {token}");
        }
        let (status, text) = hub.send(&get(&format!("{path}?token=aur_good"), "")).await;
        assert_eq!(status, 401, "a token in the address");
        assert!(text.contains("is not taken here"), "{text}");
    }
    let (_, text) = hub.send(&get("/federation/nodes", "aur_good")).await;
    assert!(text.ends_with(r#"{"nodes":[]}"#), "{text}");
    let (_, text) = hub.send(&get("/federation/events", "aur_good")).await;
    let next = format!("{}:0", epoch());
    assert!(text.ends_with(&format!(r#"{{"events":[],"next":"{next}","gap":false}}"#)), "{text}");
    let (_, text) = hub.send(&get(&format!("/federation/events?after={}:7", epoch()), "aur_good")).await;
    assert!(text.contains(r#""gap":true"#) && text.contains(":2\""), "{text}");
    assert_eq!(hub.send(&get("/federation/events?after=x", "aur_good")).await.0, 400);
    let open = Hub::with(&[], true, None).await;
    assert_eq!(open.send(&get("/federation/nodes?token=aur_good", "")).await.0, 200);
    assert_eq!(open.send(&get("/federation/nodes?token=aur_good", "aur_good")).await.0, 401, "two of them");
}
