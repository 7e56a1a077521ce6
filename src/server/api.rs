//! `listen.api`: REST, metrics and the stream of updates, for scripts and monitoring.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::body::Body;
use axum::extract::Extension;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{MethodRouter, get};
use axum::{Router, http};
use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use jiff::Timestamp;
use tower::ServiceExt;

use crate::config::Cidr;
use crate::engine::{Credential, Handle, TaskContext, TaskSpec, TurnedAway};
use crate::model::{RecognisedBy, TokenId};
use crate::net::{self, DoorLimits, Handler, ListenerTls, RateLimit};
use crate::protocol::{self, Reply};

use super::caller::{self, Caller, credential, turned_away, unexpected};
use super::problem::{problem, problem_with, unauthorised};
use super::updates::{self, Stream};
use super::{metrics, openapi};

/// Wrong tokens a minute, per source address.
const WRONG_PER_MINUTE: u32 = 30;

/// How the API listens.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where.
    pub address: SocketAddr,
    /// Connections open at once.
    pub connections: usize,
    /// Requests a minute, per token and per source address.
    pub per_minute: u32,
    /// The TLS spoken there.
    pub tls: Option<Arc<ListenerTls>>,
    /// Proxies that are believed about who called them.
    pub proxies: Vec<Cidr>,
}

/// The task that serves the API.
#[must_use]
pub fn api(settings: Settings, handle: Handle) -> TaskSpec {
    TaskSpec::new(format!("api {}", settings.address), move |context| serve(settings.clone(), handle.clone(), context))
}

async fn serve(settings: Settings, handle: Handle, context: TaskContext) -> Result<(), String> {
    let listener = net::bind(settings.address).await.map_err(|error| error.to_string())?;
    context.running();
    let stream = Stream::new(handle.clone(), context.stop.clone());
    let api = Arc::new(Api {
        handle,
        router: router(stream.clone()),
        by_source: RateLimit::new(settings.per_minute),
        by_token: RateLimit::new(settings.per_minute),
        wrong: RateLimit::new(WRONG_PER_MINUTE),
        tls: settings.tls,
        proxies: settings.proxies,
    });
    let limits = DoorLimits { connections: settings.connections, ..DoorLimits::default() };
    let turned_away = Box::new(|peer| tracing::warn!(%peer, "more connections to the API than it takes"));
    // A certificate that cannot be taken over is the task's trouble.
    let following = net::follow_files(|| api.tls(), |trouble| context.trouble(trouble));
    tokio::select! {
        () = net::serve(listener, Arc::clone(&api), limits, turned_away, context.stop.clone()) => {}
        () = following => unreachable!("files are followed for ever"),
    }
    stream.ended().await;
    Ok(())
}

/// Every path the API serves.
pub(super) fn routes() -> [(&'static str, MethodRouter); 6] {
    [
        (openapi::HEALTH, get(health)),
        (openapi::METRICS, get(numbers)),
        (openapi::STATS, get(stats)),
        (openapi::CHECKS, get(checks)),
        (openapi::UPDATES, get(updates::open)),
        (openapi::DESCRIPTION, get(async || Json(openapi::description()))),
    ]
}

fn router(stream: Stream) -> Router {
    let router = routes().into_iter().fold(Router::new(), |router, (path, methods)| router.route(path, methods));
    router
        .fallback(async || problem(StatusCode::NOT_FOUND, "there is no such path; /openapi.json names them"))
        .method_not_allowed_fallback(async || problem(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are served"))
        .layer(Extension(stream))
}

async fn health(Extension(caller): Extension<Caller>) -> Result<Response, Response> {
    let Reply::Overall(overall) = caller.ask(protocol::Request::Overall).await? else { return Err(unexpected()) };
    let status = match overall {
        protocol::Overall::Up | protocol::Overall::Degraded => StatusCode::OK,
        protocol::Overall::Down => StatusCode::SERVICE_UNAVAILABLE,
    };
    Ok((status, Json(openapi::Health { status: overall })).into_response())
}

async fn stats(Extension(caller): Extension<Caller>) -> Result<Response, Response> {
    let Reply::Stats(channels) = caller.ask(protocol::Request::Stats).await? else { return Err(unexpected()) };
    Ok(Json(openapi::Stats { channels }).into_response())
}

async fn checks(Extension(caller): Extension<Caller>) -> Result<Response, Response> {
    let Reply::Health(checks) = caller.ask(protocol::Request::Health).await? else { return Err(unexpected()) };
    Ok(Json(openapi::Checks(checks)).into_response())
}

async fn numbers(Extension(caller): Extension<Caller>) -> Result<Response, Response> {
    let Reply::Figures(figures) = caller.ask(protocol::Request::Figures).await? else { return Err(unexpected()) };
    let text = metrics::render(*figures).map_err(|_| unexpected())?;
    Ok(([(header::CONTENT_TYPE, metrics::MEDIA_TYPE)], text).into_response())
}

struct Api {
    handle: Handle,
    router: Router,
    by_source: RateLimit<IpAddr>,
    by_token: RateLimit<TokenId>,
    wrong: RateLimit<IpAddr>,
    tls: Option<Arc<ListenerTls>>,
    proxies: Vec<Cidr>,
}

impl Handler for Api {
    fn tls(&self) -> Option<Arc<ListenerTls>> {
        self.tls.clone()
    }

    async fn handle(&self, request: Request<Incoming>, peer: SocketAddr) -> http::Response<Full<Bytes>> {
        let source = net::source(net::client_address(peer.ip(), request.headers(), &self.proxies));
        let response = match self.admit(&request, source, Timestamp::now()).await {
            Ok(caller) => {
                let mut request = request.map(Body::new);
                request.extensions_mut().insert(caller);
                self.router.clone().oneshot(request).await.unwrap_or_else(|never| match never {})
            }
            Err(refused) => refused,
        };
        let (mut head, body) = response.into_parts();
        net::mark_as_data(&mut head.headers);
        // Every body was made in memory, so collecting it neither waits nor fails.
        let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        http::Response::from_parts(head, Full::new(body))
    }
}

impl Api {
    /// Lets a request in: limits first, then who it is.
    async fn admit(&self, request: &Request<Incoming>, source: IpAddr, now: Timestamp) -> Result<Caller, Response> {
        if self.by_source.take(source, now) {
            return Err(too_many("too many requests from this address", self.by_source.pause()));
        }
        if has_body(request) {
            let close = HeaderValue::from_static("close");
            return Err(problem_with(StatusCode::PAYLOAD_TOO_LARGE, "no path takes a body", header::CONNECTION, close));
        }
        let shown = if request.uri().path() == openapi::HEALTH {
            Ok(Credential::Nobody)
        } else {
            credential(request.headers())
        };
        let credential = shown.map_err(|why| self.wrong_token(unauthorised(why), source, now))?;
        let joined = match self.handle.join(credential.clone(), false, true).await {
            Ok(joined) => joined,
            Err(why @ TurnedAway::Unrecognised(_)) => {
                return Err(self.wrong_token(turned_away(&why), source, now));
            }
            Err(why) => return Err(caller::turned_away(&why)),
        };
        if let RecognisedBy::Token(id) = joined.identity.by
            && self.by_token.take(id, now)
        {
            return Err(too_many("too many requests with this token", self.by_token.pause()));
        }
        Ok(Caller::new(credential, joined))
    }

    /// Counts a wrong token; past the limit the answer no longer says what was wrong with it. A right token never
    /// meets this limit, so nobody is locked out by others behind the same address.
    fn wrong_token(&self, answer: Response, source: IpAddr, now: Timestamp) -> Response {
        if self.wrong.take(source, now) {
            return too_many("too many wrong tokens from this address", self.wrong.pause());
        }
        answer
    }
}

fn too_many(detail: &str, pause: u64) -> Response {
    problem_with(StatusCode::TOO_MANY_REQUESTS, detail, header::RETRY_AFTER, pause)
}

fn has_body(request: &Request<Incoming>) -> bool {
    use hyper::body::Body as _;

    !request.body().is_end_stream()
}
