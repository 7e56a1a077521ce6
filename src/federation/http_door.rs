//! The listener where other nodes ask: who it is first, then how much, then the question, and a signed answer.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use http_body_util::Full;
use hyper::body::Incoming;
use jiff::Timestamp;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::config::Cidr;
use crate::model::NodeName;
use crate::net::{
    self, Asked, Barred, DoorLimits, Handler, KnownNodes, ListenerTls, NodeGate, NodeKeys, Nonce, Proof, Proven,
    RateLimit,
};
use crate::protocol::{Beat, Join};

use super::http_bodies::{
    JSON, PROBLEM, Refused, answered, encoded, json, parsed, problem, problem_body, read, refused, versioned,
};
use super::http_limits::{NodeLimits, Slot};
use super::http_seeds;
use super::http_wire::{
    self as wire, ACT, ACT_MAX, BEAT_MAX, ERRAND, ERRANDS, EVENTS, HEARTBEAT, JOIN, PROBE, SMALL_MAX,
};
use super::{Answerer, ErrandFault, Errands, TokenAnswerer, is_invited};

/// What nobody has proven, a minute and source address.
const UNPROVEN_PER_MINUTE: u32 = 60;
/// Joins that are looked at at once.
const JOINS: usize = 2;

/// A request that was refused, for whoever shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedQuestion {
    /// Where it came from.
    pub source: IpAddr,
    /// The node it says it is of. Whether it is, says `proven`.
    pub node: Option<NodeName>,
    /// Whether it is that node's.
    pub proven: bool,
    /// Why, in one line.
    pub why: String,
}

/// What the door stands on.
pub struct DoorSettings {
    /// This node.
    pub me: NodeName,
    /// Its keys.
    pub keys: Arc<NodeKeys>,
    /// The nodes that are known.
    pub known: Arc<KnownNodes>,
    /// What nodes are asked that cannot be called.
    pub errands: Arc<Errands>,
    /// Who answers other nodes.
    pub answerer: Arc<dyn Answerer>,
    /// Who answers holders of a token.
    pub tokens: Arc<dyn TokenAnswerer>,
    /// Whether a token may stand in an address.
    pub allow_query_token: bool,
    /// The TLS spoken here.
    pub tls: Option<Arc<ListenerTls>>,
    /// Proxies that are believed about who called them.
    pub proxies: Vec<Cidr>,
    /// Told of each refusal. It must not wait.
    pub refused: Box<dyn Fn(RefusedQuestion) + Send + Sync>,
}

/// What is remembered of who asked. It outlives a door whose settings change: what came before does not count again.
pub struct DoorMemory {
    gate: NodeGate,
    limits: NodeLimits,
    pub(super) unproven: RateLimit<IpAddr>,
    joins: Semaphore,
}

impl DoorMemory {
    /// Nothing yet, of the node `me`, whose process started at `started`.
    #[must_use]
    pub fn new(me: NodeName, started: Timestamp) -> Self {
        Self {
            gate: NodeGate::new(me, started),
            limits: NodeLimits::default(),
            unproven: RateLimit::new(UNPROVEN_PER_MINUTE),
            joins: Semaphore::new(JOINS),
        }
    }

    /// Forgets what is remembered of a node that was removed.
    pub fn forget(&self, node: &NodeName) {
        self.gate.sweep(Timestamp::now());
        self.limits.forget(node);
    }
}

/// The routes of nodes, and of holders of a token.
pub struct HttpDoor {
    pub(super) settings: DoorSettings,
    pub(super) memory: Arc<DoorMemory>,
}

/// Listens on `address` until `stop`; `running` is called once it does, `trouble` about the certificate.
///
/// # Errors
/// When the address is taken, or not ours.
pub async fn serve_nodes(
    address: SocketAddr,
    door: Arc<HttpDoor>,
    connections: usize,
    stop: CancellationToken,
    running: impl FnOnce(),
    trouble: impl Fn(Option<String>),
) -> Result<(), String> {
    let listener = tokio::select! {
        listener = net::take_over(address) => listener.map_err(|error| error.to_string())?,
        () = stop.cancelled() => return Ok(()),
    };
    running();
    let limits = DoorLimits { connections, ..DoorLimits::default() };
    let turned_away = Box::new(|peer| tracing::warn!(%peer, "more connections of nodes than the listener takes"));
    let following = net::follow_files(|| door.tls(), trouble);
    tokio::select! {
        () = net::serve(listener, Arc::clone(&door), limits, turned_away, stop) => Ok(()),
        () = following => unreachable!("files are followed for ever"),
    }
}

impl Handler for HttpDoor {
    fn tls(&self) -> Option<Arc<ListenerTls>> {
        self.settings.tls.clone()
    }

    async fn handle(&self, request: Request<Incoming>, peer: SocketAddr) -> Response<Full<Bytes>> {
        let source = net::source(net::client_address(peer.ip(), request.headers(), &self.settings.proxies));
        let mut response = self.answer(request, source).await;
        net::mark_as_data(response.headers_mut());
        response
    }
}

/// A good answer: its status, and its JSON.
type Good = (StatusCode, Vec<u8>);

impl HttpDoor {
    /// The door with what `memory` remembers.
    #[must_use]
    pub fn new(settings: DoorSettings, memory: Arc<DoorMemory>) -> Self {
        Self { settings, memory }
    }

    async fn answer(&self, request: Request<Incoming>, source: IpAddr) -> Response<Full<Bytes>> {
        let now = Timestamp::now();
        match (request.method(), request.uri().path()) {
            (&Method::GET | &Method::HEAD, "/health") => {
                json(StatusCode::OK, encoded(&serde_json::json!({ "status": "ok", "node": self.settings.me })))
            }
            (&Method::GET, http_seeds::NODES) => http_seeds::nodes(self, &request, source, now).await,
            (&Method::GET, http_seeds::ENTRIES) => http_seeds::entries(self, &request, source, now).await,
            (&Method::GET, EVENTS | ERRANDS) | (&Method::POST, HEARTBEAT | PROBE | ACT | ERRAND | JOIN) => {
                match Proof::read(request.headers()) {
                    Some(proof) if request.uri().path() == JOIN => self.joining(proof, request, source, now).await,
                    Some(proof) => self.question(proof, request, source, now).await,
                    None => self.unproven(None, source, now),
                }
            }
            (
                _,
                http_seeds::NODES
                | http_seeds::ENTRIES
                | "/health"
                | EVENTS
                | ERRANDS
                | HEARTBEAT
                | PROBE
                | ACT
                | ERRAND
                | JOIN,
            ) => problem(StatusCode::METHOD_NOT_ALLOWED, "this path takes another method"),
            _ => problem(StatusCode::NOT_FOUND, "there is no such path"),
        }
    }

    /// Nothing is said to who has proven nothing.
    fn unproven(&self, node: Option<NodeName>, source: IpAddr, now: Timestamp) -> Response<Full<Bytes>> {
        let why = Barred::Unproven.to_string();
        (self.settings.refused)(RefusedQuestion { source, node, proven: false, why });
        if self.memory.unproven.take(source, now) {
            return problem(StatusCode::TOO_MANY_REQUESTS, "too many requests from this address");
        }
        problem(StatusCode::UNAUTHORIZED, "")
    }

    /// A question of a node that is known.
    async fn question(
        &self,
        proof: Proof,
        request: Request<Incoming>,
        source: IpAddr,
        now: Timestamp,
    ) -> Response<Full<Bytes>> {
        let path = request.uri().path_and_query().map_or("", |path| path.as_str()).to_owned();
        let method = request.method().as_str().to_owned();
        let asked = Asked { method: &method, path: &path };
        let keys = self.settings.known.keys(&proof.node, now);
        let once = request.uri().path() == ACT;
        let outcome = match self.memory.gate.admit(&proof, &asked, &keys, once, now) {
            Ok(proven) => {
                let key = proven.key;
                let outcome = self.admitted(proven, &proof, request, now).await;
                // It may have been removed while it waited for entries: nothing is given to it any more.
                if !self.settings.known.keys(&proof.node, Timestamp::now()).contains(&key) {
                    return self.unproven(Some(proof.node), source, now);
                }
                outcome
            }
            Err(Barred::Unproven) => return self.unproven(Some(proof.node), source, now),
            Err(barred) => Err(told(&barred)),
        };
        self.signed(&proof.node, &proof.nonce, outcome, source)
    }

    /// A question whose node is proven.
    async fn admitted(
        &self,
        proven: Proven,
        proof: &Proof,
        request: Request<Incoming>,
        now: Timestamp,
    ) -> Result<Good, Refused> {
        let slot = match request.uri().path() {
            EVENTS | ERRANDS => Slot::Waits,
            ACT => Slot::Acts,
            _ => Slot::Beats,
        };
        let busy = |why| refused(StatusCode::TOO_MANY_REQUESTS, why);
        let _place = self.memory.limits.take(&proven.node, slot, now).map_err(busy)?;
        let good = self.work(&proven, proof, request).await?;
        self.memory.limits.gave(&proven.node, good.1.len(), Timestamp::now());
        Ok(good)
    }

    async fn work(&self, proven: &Proven, proof: &Proof, request: Request<Incoming>) -> Result<Good, Refused> {
        let (answerer, from) = (&self.settings.answerer, proven.node.clone());
        let (head, body) = request.into_parts();
        match head.uri.path() {
            EVENTS => {
                read(body, 0, proof).await?;
                let ask = wire::page_ask(head.uri.query().unwrap_or_default())
                    .map_err(|why| refused(StatusCode::BAD_REQUEST, why))?;
                Ok(match answerer.page(from, ask).await {
                    Ok(page) => (StatusCode::OK, encoded(&page)),
                    Err(why) => (wire::status_of(&why), encoded(&why)),
                })
            }
            HEARTBEAT => {
                let beat: Beat = versioned(&read(body, BEAT_MAX, proof).await?)?;
                if beat.node != from {
                    return Err(refused(StatusCode::FORBIDDEN, "a heartbeat is sent by its own node"));
                }
                self.settings.known.learn(&from, &beat.keys, proven.key, Timestamp::now());
                let answer = answerer.beat(from, beat).await;
                answer
                    .map(|answer| (StatusCode::OK, encoded(&answer)))
                    .map_err(|why| refused(StatusCode::FORBIDDEN, why))
            }
            PROBE => {
                let probe = parsed(&read(body, SMALL_MAX, proof).await?)?;
                Ok((StatusCode::OK, encoded(&answerer.probe(from, probe).await)))
            }
            ERRANDS => {
                read(body, 0, proof).await?;
                let wait = number(&head.uri, "wait")?;
                let errands = self.settings.errands.fetch(&from, wait).await.map_err(unasked)?;
                Ok((StatusCode::OK, encoded(&errands)))
            }
            ERRAND => {
                let number = number(&head.uri, "number")?;
                let room = self.settings.errands.room(&from, number).map_err(unasked)?;
                let answer = parsed(&read(body, room, proof).await?)?;
                self.settings.errands.answered(&from, number, answer).map_err(unasked)?;
                Ok((StatusCode::OK, encoded(&())))
            }
            _ => {
                let act = parsed(&read(body, ACT_MAX, proof).await?)?;
                Ok((StatusCode::OK, encoded(&answerer.act(from, act).await)))
            }
        }
    }

    /// Somebody who was invited. It is not known yet: it proves that it has the key it names, and the invitation.
    async fn joining(
        &self,
        proof: Proof,
        request: Request<Incoming>,
        source: IpAddr,
        now: Timestamp,
    ) -> Response<Full<Bytes>> {
        if self.memory.unproven.is_exhausted(&source, now) {
            return self.unproven(Some(proof.node), source, now);
        }
        let join = match read(request.into_body(), SMALL_MAX, &proof).await {
            Ok(body) => versioned::<Join>(&body),
            Err(refused) => Err(refused),
        };
        let join = match join {
            Ok(join) => join,
            Err(Refused { status, why }) => {
                let answer = problem(status, &why);
                (self.settings.refused)(RefusedQuestion { source, node: Some(proof.node), proven: false, why });
                self.memory.unproven.take(source, now);
                return answer;
            }
        };
        let asked = Asked { method: "POST", path: JOIN };
        let is_invited = is_invited(&join, &self.settings.me);
        let outcome = match self.memory.gate.prove(&proof, &asked, &[join.key], true, now) {
            Ok(_) if join.node == proof.node && is_invited => self.joined(join).await,
            Ok(_) | Err(Barred::Unproven) => return self.unproven(Some(proof.node), source, now),
            Err(barred) => Err(told(&barred)),
        };
        if outcome.is_err() {
            // Whoever tries invitations one after another is let down to a few a minute.
            self.memory.unproven.take(source, now);
        }
        self.signed(&proof.node, &proof.nonce, outcome, source)
    }

    /// Lets somebody in whose word is complete: nobody holds a place by being slow.
    async fn joined(&self, join: Join) -> Result<Good, Refused> {
        let _place = self
            .memory
            .joins
            .try_acquire()
            .map_err(|_| refused(StatusCode::TOO_MANY_REQUESTS, "others are joining; ask again"))?;
        let answer = self.settings.answerer.join(join).await;
        answer.map(|answer| (StatusCode::OK, encoded(&answer))).map_err(|why| refused(StatusCode::FORBIDDEN, why))
    }

    /// The answer, signed for whoever asked.
    fn signed(
        &self,
        to: &NodeName,
        nonce: &Nonce,
        outcome: Result<Good, Refused>,
        source: IpAddr,
    ) -> Response<Full<Bytes>> {
        let (status, body, media) = match outcome {
            Ok((status, body)) => (status, body, JSON),
            Err(Refused { status, why }) => {
                let body = problem_body(status, &why);
                (self.settings.refused)(RefusedQuestion { source, node: Some(to.clone()), proven: true, why });
                (status, body, PROBLEM)
            }
        };
        let answer = net::Answered { node: &self.settings.me, to, nonce, status: status.as_u16(), body: &body };
        let proof = answer.header(&self.settings.keys);
        let mut response = answered(status, media, body);
        if let Ok(proof) = HeaderValue::from_str(&proof) {
            response.headers_mut().insert(net::SIGNED, proof);
        }
        if status == StatusCode::TOO_MANY_REQUESTS {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

/// The one number in a query.
fn number(uri: &Uri, name: &str) -> Result<u64, Refused> {
    wire::only(uri.query().unwrap_or_default(), name).map_err(|why| refused(StatusCode::BAD_REQUEST, why))
}

/// An errand that is none.
fn unasked(fault: ErrandFault) -> Refused {
    let status = match fault {
        ErrandFault::NoErrands => StatusCode::NOT_FOUND,
        ErrandFault::NobodyWaits => StatusCode::GONE,
    };
    refused(status, fault.to_string())
}

/// What is said to a node that is proven, and barred all the same.
fn told(barred: &Barred) -> Refused {
    let status = match barred {
        Barred::OtherNode { .. } => StatusCode::MISDIRECTED_REQUEST,
        Barred::BeforeStart => StatusCode::TOO_EARLY,
        Barred::Unproven | Barred::Skewed(_) | Barred::Replayed => StatusCode::FORBIDDEN,
    };
    refused(status, barred.to_string())
}
