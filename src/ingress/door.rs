//! The way of one delivery: route, limits, body, signature, identity, commit, answer.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::model::{Assurance, EventId, Reason};
use crate::net::{Handler, ListenerTls, Manner, client_address};
use crate::provider::{self, Answer, FormDecoder, Outcome, Provider, RawRequest, Verified};
use crate::store::{NewEvent, OneTime, Recorded, Store, StoreError};

use super::body;
use super::budget::{BodyBudget, Share};
use super::form::{self, SpooledForm};
use super::{Channel, Receiving, Refusals, Route, Spool, Swap};

/// How long a delivery may wait for its commit. A sender that gives up sends again, and is a repeat then.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(15);

/// Largest body of a provider whose forms are taken apart, where it is no form: an event, held in memory whole.
const BESIDE_FORMS: u64 = 2 << 20;

/// Longest cause of a dead letter that is kept.
const MAX_CAUSE: usize = 300;

/// Headers that are never stored. Secrets must not be, and a signature beside its body is what a replay needs;
/// the rest say nothing about the event. A row without them is a third smaller, and so is every commit.
const UNSTORED: [&str; 15] = [
    "x-aurora-secret",
    "authorization",
    "proxy-authorization",
    "cookie",
    "x-hub-signature",
    "x-hub-signature-256",
    "webhook-signature",
    "svix-signature",
    "x-aurora-signature",
    "typeform-signature",
    "x-twilio-signature",
    "host",
    "connection",
    "content-length",
    "accept-encoding",
];

/// One listener's door.
#[derive(Debug)]
pub struct Door {
    /// Its address.
    pub address: SocketAddr,
    /// What is behind it, and behind every other door.
    pub behind: Arc<Swap<Receiving>>,
    /// Where events go.
    pub store: Arc<Store>,
    /// Where refusals are counted.
    pub refusals: Arc<Refusals>,
    /// What bodies on their way may hold.
    pub budget: Arc<BodyBudget>,
    /// Where the files of forms go.
    pub spool: Arc<Spool>,
}

/// A refusal on its way to the answer.
struct Refused {
    reason: Reason,
    detail: String,
}

impl Refused {
    fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into() }
    }
}

impl Handler for Door {
    async fn handle(&self, request: Request<Incoming>, peer: SocketAddr) -> Response<Full<Bytes>> {
        let behind = self.behind.get();
        let source = client_address(peer.ip(), request.headers(), &behind.proxies);
        let now = Timestamp::now();
        let routes = behind.routes.get(&self.address);
        let Some(route) = routes.and_then(|routes| routes.get(request.uri().path())) else {
            let refused = Refused::new(Reason::UnknownPath, "no channel has this path");
            let providers: Vec<&dyn Provider> =
                routes.into_iter().flat_map(HashMap::values).map(|route| &*route.channel.provider).collect();
            let answer = |outcome| provider::answer_stranger(request.headers(), &providers, outcome);
            return self.refuse(&behind, None, source, now, &refused, answer);
        };
        let channel = &*route.channel;
        match self.receive(&behind, route, request, source, now).await {
            Ok(recorded) => {
                let outcome = self.judge(channel, recorded, source, now);
                respond(channel.provider.answer(outcome))
            }
            Err(refused) => {
                let answer = |outcome| channel.provider.answer(outcome);
                self.refuse(&behind, Some(channel), source, now, &refused, answer)
            }
        }
    }

    fn tls(&self) -> Option<Arc<ListenerTls>> {
        self.behind.get().certificates.get(&self.address).cloned()
    }

    fn manner(&self) -> Manner {
        // Both from one look: what a connection was told is what ends with it.
        let behind = self.behind.get();
        Manner {
            tls: behind.certificates.get(&self.address).cloned(),
            over: behind.speaking.get(&self.address).cloned().unwrap_or_default(),
        }
    }
}

impl Door {
    async fn receive(
        &self,
        behind: &Receiving,
        Route { channel, address }: &Route,
        request: Request<Incoming>,
        source: IpAddr,
        now: Timestamp,
    ) -> Result<Recorded, Refused> {
        let (head, body) = request.into_parts();
        if channel.provider.is_guessable() && behind.limit.is_exhausted(source, slot(Some(channel)), now) {
            return Err(Refused::new(Reason::RateLimited, "too many failures in the last minute"));
        }
        if !channel.config.allow_from.is_empty()
            && !channel.config.allow_from.iter().any(|range| range.contains(source))
        {
            return Err(Refused::new(Reason::Address, "the address is not in allow_from"));
        }
        if !channel.provider.methods().contains(&head.method.as_str()) {
            return Err(Refused::new(Reason::Method, "the provider never sends by this method"));
        }
        let mut raw = RawRequest {
            method: head.method,
            address: Arc::clone(address),
            query: head.uri.query().unwrap_or_default().to_owned(),
            headers: head.headers,
            body: Bytes::new(),
            form: None,
        };
        if !channel.provider.accepts(raw.media_type().as_deref()) {
            return Err(Refused::new(Reason::ContentType, "the provider never sends this content type"));
        }
        if raw.headers.get(header::CONTENT_ENCODING).is_some_and(|coding| coding != "identity") {
            // Whoever has not proved who they are decides nothing about how large a body becomes.
            return Err(Refused::new(Reason::ContentType, "compressed bodies are not taken"));
        }
        // Both are held until the commit: a body that waits for it takes room as one that is read does.
        let (_share, mut spooled) = self.take_body(channel, &mut raw, body, source).await?;
        let verified = channel
            .provider
            .verify(&channel.secrets, &raw, now)
            .map_err(|rejected| Refused::new(rejected.reason, rejected.detail))?;
        if !channel.is_enough(verified.assurance) {
            let detail = format!("the signature proves only `{}`", verified.assurance);
            return Err(Refused::new(Reason::Assurance, detail));
        }
        let events = events(channel, &raw, &verified, now);
        if let Some(form) = &mut spooled
            && form.has_files()
            && !self.is_spent(&events).await?
        {
            let kept = form.keep(&self.spool).await;
            kept.map_err(|error| Refused::new(Reason::StoreFailed, format!("failed to keep a file: {error}")))?;
        }
        let recorded = tokio::time::timeout(COMMIT_TIMEOUT, self.store.record(events)).await;
        // Only where it is certain: what took too long may be stored yet.
        let is_unnamed = match &recorded {
            Ok(Ok(recorded)) => recorded.fresh + recorded.repeated == 0,
            Ok(Err(error)) => matches!(error, StoreError::Full),
            Err(_) => false,
        };
        if is_unnamed && let Some(form) = spooled {
            form.give_up().await;
        }
        match recorded {
            Ok(Ok(recorded)) => Ok(recorded),
            Ok(Err(StoreError::Full)) => Err(Refused::new(Reason::Overloaded, "the queue to the store is full")),
            Ok(Err(error)) => Err(Refused::new(Reason::StoreFailed, error.to_string())),
            Err(_) => Err(Refused::new(Reason::StoreFailed, "the commit took too long")),
        }
    }

    /// Reads the body into `raw`: its bytes, or the form it is with its files in the spool.
    async fn take_body(
        &self,
        channel: &Channel,
        raw: &mut RawRequest,
        body: Incoming,
        source: IpAddr,
    ) -> Result<(Option<Share>, Option<SpooledForm>), Refused> {
        let max = channel.config.body_max;
        let memory = Share::of(&self.budget, source);
        let takes_forms = channel.provider.takes_forms();
        if takes_forms && FormDecoder::reads(raw.media_type().as_deref()) {
            let content_type = raw.one(header::CONTENT_TYPE.as_str());
            let content_type = content_type.map_err(|rejected| Refused::new(rejected.reason, rejected.detail))?;
            let disk = Share::of(&self.spool.disk, source);
            let read = form::read(body, content_type.unwrap_or_default(), max, memory, disk, &self.spool).await;
            let (form, spooled) = read.map_err(|unread| Refused::new(unread.reason, unread.detail))?;
            raw.form = Some(form);
            return Ok((None, Some(spooled)));
        }
        let max = if takes_forms { max.min(BESIDE_FORMS) } else { max };
        let read = body::read(body, max, memory).await;
        let (body, share) = read.map_err(|reason| Refused::new(reason, body_detail(reason, max)))?;
        raw.body = body;
        Ok((Some(share), None))
    }

    /// Whether the delivery came with a one-time token that is known, so that nothing of it will be stored.
    async fn is_spent(&self, events: &[NewEvent]) -> Result<bool, Refused> {
        let Some(event) = events.first().cloned() else { return Ok(false) };
        let store = Arc::clone(&self.store);
        let asked = tokio::task::spawn_blocking(move || store.is_spent(&event)).await;
        let answer =
            asked.map_err(|error| error.to_string()).and_then(|answer| answer.map_err(|error| error.to_string()));
        answer.map_err(|why| Refused::new(Reason::StoreFailed, why))
    }

    /// What a sender is told about a delivery that verified, and what the operator is told besides.
    fn judge(&self, channel: &Channel, recorded: Recorded, source: IpAddr, now: Timestamp) -> Outcome {
        let note = |reason, detail| self.refusals.note(reason, Some(&channel.config.id), source, detail, now);
        if recorded.conflicting > 0 {
            note(Reason::Conflict, "the same id or token came before with another body");
        }
        if recorded.replayed > 0 {
            note(Reason::Replay, "a body that is stored came again under a fresh id; it was not stored again");
        }
        if recorded.fresh > 0 {
            Outcome::Stored
        } else if recorded.conflicting > 0 {
            Outcome::Refused(Reason::Conflict)
        } else if recorded.replayed > 0 {
            Outcome::Refused(Reason::Replay)
        } else {
            Outcome::Repeated
        }
    }

    fn refuse(
        &self,
        behind: &Receiving,
        channel: Option<&Channel>,
        source: IpAddr,
        now: Timestamp,
        refused: &Refused,
        answer: impl FnOnce(Outcome) -> Answer,
    ) -> Response<Full<Bytes>> {
        let senders_fault = !matches!(refused.reason, Reason::Overloaded | Reason::StoreFailed | Reason::RateLimited);
        let too_many = senders_fault && behind.limit.fail(source, slot(channel), now);
        let reason = if too_many { Reason::RateLimited } else { refused.reason };
        let id = channel.map(|channel| &channel.config.id);
        self.refusals.note(reason, id, source, &refused.detail, now);
        let answer = answer(Outcome::Refused(reason));
        let mut response = respond(answer);
        if answer.status == 405
            && let Some(channel) = channel
            && let Ok(methods) = HeaderValue::from_str(&channel.provider.methods().join(", "))
        {
            response.headers_mut().insert(header::ALLOW, methods);
        }
        let unread =
            [Reason::TooLarge, Reason::BodyTimeout, Reason::Overloaded, Reason::MalformedBody, Reason::StoreFailed];
        if unread.contains(&refused.reason) {
            // The rest of the body is not read, so the connection cannot be used again.
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

fn body_detail(reason: Reason, max: u64) -> String {
    match reason {
        Reason::TooLarge => format!("the body is larger than {max} bytes"),
        Reason::Overloaded => "too many large bodies at once".to_owned(),
        _ => "the body broke off or took too long".to_owned(),
    }
}

/// The counter of a channel in the failure limit; 0 is for paths that no channel has.
fn slot(channel: Option<&Channel>) -> usize {
    channel.map_or(0, |channel| usize::try_from(channel.number).unwrap_or(0))
}

/// The events of a delivery on `channel` that verified, as they are stored.
#[must_use]
pub fn events(channel: &Channel, raw: &RawRequest, verified: &Verified, now: Timestamp) -> Vec<NewEvent> {
    let assurance: Assurance = verified.assurance;
    let head = stored_head(&raw.headers);
    channel
        .provider
        .identify(raw, verified)
        .into_iter()
        .map(|envelope| NewEvent {
            id: EventId::from_uuid(Uuid::now_v7()),
            channel: channel.number,
            kind: envelope.kind,
            time: envelope.time,
            received: now,
            key: envelope.key,
            body_hash: envelope.content.unwrap_or_else(|| Sha256::digest(&envelope.data).into()),
            body_window: envelope.body_window,
            once: channel.provider.once(verified).map(|(signed, token)| OneTime { signed, token }),
            assurance,
            // It may quote the body.
            dead: envelope.dead.map(|cause| cause[..cause.floor_char_boundary(MAX_CAUSE)].to_owned()),
            head: head.clone(),
            body: envelope.data,
        })
        .collect()
}

/// The headers as they are stored: one `name: value` a line, in order, without secrets and signatures.
fn stored_head(headers: &HeaderMap) -> Bytes {
    let mut head = BytesMut::with_capacity(512);
    for (name, value) in headers {
        if !UNSTORED.contains(&name.as_str()) {
            head.put_slice(name.as_str().as_bytes());
            head.put_slice(b": ");
            head.put_slice(value.as_bytes());
            head.put_u8(b'\n');
        }
    }
    head.freeze()
}

fn respond(answer: Answer) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(answer.body.as_bytes())));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    if !answer.body.is_empty() {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(answer.content_type));
    }
    if let Some(seconds) = answer.retry_after {
        headers.insert(header::RETRY_AFTER, seconds.into());
    }
    response
}
