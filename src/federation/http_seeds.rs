//! `/federation/nodes` and `/federation/events`: what holders of a token see of the nodes, and of this node's own log.

use std::net::IpAddr;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use jiff::Timestamp;
use serde_json::json;

use crate::model::{EpochId, NodePanel, TokenHash};
use crate::protocol::{NodesPanel, PAGE_EVENTS, PageAsk, PageRefusal};

use super::Answered;
use super::http_bodies::{self as bodies, encoded, problem};
use super::http_door::HttpDoor;

/// The nodes.
pub(super) const NODES: &str = "/federation/nodes";
/// The entries of this node's log.
pub(super) const ENTRIES: &str = "/federation/events";
/// No token is longer.
const LONGEST: usize = 128;

/// Why the holder of a token is told nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenRefusal {
    /// The token is not known, or no longer counts.
    Unknown(String),
    /// It is limited to something else.
    Denied(String),
    /// Nobody can answer now.
    Unavailable(String),
}

/// Who answers holders of a token.
pub trait TokenAnswerer: Send + Sync + 'static {
    /// The nodes, when this token opens them.
    fn nodes(&self, token: TokenHash) -> Answered<'_, Result<Box<NodesPanel>, TokenRefusal>>;
}

/// `GET /federation/nodes`.
pub(super) async fn nodes(
    door: &HttpDoor,
    request: &Request<Incoming>,
    source: IpAddr,
    now: Timestamp,
) -> Response<Full<Bytes>> {
    match admitted(door, request, source, now).await {
        Ok(panel) => {
            let row = |node: &NodePanel| json!({ "name": node.name, "url": node.url, "status": node.state, "last_seen": node.last_seen });
            let rows: Vec<_> = panel.me.iter().chain(&panel.nodes).map(row).collect();
            bodies::json(StatusCode::OK, encoded(&json!({ "nodes": rows })))
        }
        Err(refused) => refused,
    }
}

/// `GET /federation/events?after=CURSOR`. A cursor is the life of the log and the number of the last entry that is known.
/// Where entries are gone, or the log began anew, `gap` is true and the oldest that is there comes next.
pub(super) async fn entries(
    door: &HttpDoor,
    request: &Request<Incoming>,
    source: IpAddr,
    now: Timestamp,
) -> Response<Full<Bytes>> {
    if let Err(refused) = admitted(door, request, source, now).await {
        return refused;
    }
    let after = parameter(request, "after").filter(|text| !text.is_empty());
    let known: Option<(EpochId, u64)> = match after.as_deref().map(cursor) {
        None => None,
        Some(Some(known)) => Some(known),
        Some(None) => return problem(StatusCode::BAD_REQUEST, "`after` is the `next` of an earlier answer"),
    };
    let me = &door.settings.me;
    let mut ask = PageAsk {
        origin: me.clone(),
        epoch: known.map(|(epoch, _)| epoch),
        after: known.map_or(0, |(_, seq)| seq),
        limit: PAGE_EVENTS,
        wait: 0,
    };
    let mut gap = false;
    // Entries may be swept between two questions; who asks comes again.
    for _ in 0..3 {
        match door.settings.answerer.page(me.clone(), ask.clone()).await {
            Ok(page) => {
                let last = page.events.last().map_or(ask.after, |event| event.seq);
                let next = format!("{}:{last}", page.origin.epoch);
                let answer = json!({ "events": page.events, "next": next, "gap": gap });
                return bodies::json(StatusCode::OK, encoded(&answer));
            }
            Err(PageRefusal::OtherEpoch { epoch, low, .. }) => {
                gap = known.is_some();
                (ask.epoch, ask.after) = (Some(epoch), low.saturating_sub(1));
            }
            Err(PageRefusal::Gone { low, .. }) => {
                gap = known.is_some();
                ask.after = low.saturating_sub(1);
            }
            Err(PageRefusal::Unknown) => break,
        }
    }
    problem(StatusCode::SERVICE_UNAVAILABLE, "the log cannot be read now")
}

fn cursor(text: &str) -> Option<(EpochId, u64)> {
    let (epoch, seq) = text.rsplit_once(':')?;
    Some((epoch.parse().ok()?, seq.parse().ok()?))
}

/// The nodes, when the request carries a token that opens them.
async fn admitted(
    door: &HttpDoor,
    request: &Request<Incoming>,
    source: IpAddr,
    now: Timestamp,
) -> Result<Box<NodesPanel>, Response<Full<Bytes>>> {
    let wrong = |why: &str| {
        if door.memory.unproven.take(source, now) {
            return problem(StatusCode::TOO_MANY_REQUESTS, "too many wrong tokens from this address");
        }
        let mut response = problem(StatusCode::UNAUTHORIZED, why);
        let challenge = HeaderValue::from_static("Bearer realm=\"aurora\"");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        response
    };
    let token = token(door, request).map_err(wrong)?;
    // Looked up only for who may still guess: the limit is on guesses, not on how they are answered.
    if door.memory.unproven.is_exhausted(&source, now) {
        return Err(wrong(""));
    }
    door.settings.tokens.nodes(token).await.map_err(|why| match why {
        TokenRefusal::Unknown(why) => wrong(&why),
        TokenRefusal::Denied(why) => problem(StatusCode::FORBIDDEN, &why),
        TokenRefusal::Unavailable(why) => problem(StatusCode::SERVICE_UNAVAILABLE, &why),
    })
}

fn token(door: &HttpDoor, request: &Request<Incoming>) -> Result<TokenHash, &'static str> {
    let sent: Vec<&HeaderValue> = request.headers().get_all(header::AUTHORIZATION).iter().collect();
    let queried = parameter(request, "token");
    let token = match (&sent[..], queried) {
        ([], Some(_)) if !door.settings.allow_query_token => {
            return Err("a token in the address is not taken here; send it as `Authorization: Bearer aur_...`");
        }
        ([], queried) => queried.ok_or("send a token as `Authorization: Bearer aur_...`")?,
        ([value], None) => {
            let bearer = value.to_str().ok().and_then(|value| value.split_once(' '));
            let bearer = bearer.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
            bearer
                .map(|(_, token)| token.trim().to_owned())
                .ok_or("the Authorization header is not `Bearer aur_...`")?
        }
        _ => return Err("there is more than one token"),
    };
    if token.len() > LONGEST || !token.starts_with(TokenHash::PREFIX) {
        return Err("this is no token of aurora; they begin with aur_");
    }
    Ok(TokenHash::of(&token))
}

/// The value of a parameter that is there once.
fn parameter(request: &Request<Incoming>, name: &str) -> Option<String> {
    let query = request.uri().query().unwrap_or_default();
    let mut found = form_urlencoded::parse(query.as_bytes()).filter(|(known, _)| known == name);
    let (_, value) = found.next()?;
    found.next().is_none().then(|| value.into_owned())
}
