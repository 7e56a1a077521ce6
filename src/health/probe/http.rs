//! A request over a connection of its own, so that every part of the way is measured.

use std::borrow::Cow;
use std::error::Error as _;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http::header::{ACCEPT, CONNECTION, HOST, HeaderValue, LOCATION, USER_AGENT};
use http::{HeaderMap, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;

use crate::model::{HttpAddress, HttpTarget, Phase, Value, names_a_secret};

use super::connect::connect;
use super::failure::{Failure, words};
use super::record::Record;
use super::stream::Stream;
use super::{Tools, tls};

/// Bytes of a body that are read; what comes after is left where it is.
const BODY_MAX: usize = 1 << 20;
/// Bytes of the head of an answer.
const HEAD_MAX: usize = 64 * 1024;
/// Who asks.
const AGENT: HeaderValue = HeaderValue::from_static(concat!("aurora/", env!("CARGO_PKG_VERSION")));

/// Asks, and follows redirects as far as the target wants it.
pub(super) async fn look(
    target: &HttpTarget,
    timeout: Duration,
    tools: &Tools,
    record: &mut Record,
) -> Result<(), Failure> {
    let mut address = Cow::Borrowed(&target.address);
    let mut method = target.method.clone();
    let mut followed = 0;
    loop {
        record.value("redirects", Value::Number(f64::from(followed)));
        let status = ask(target, &address, &method, timeout, tools, record).await?;
        let location =
            record.headers.get(LOCATION).map(|location| String::from_utf8_lossy(location.as_bytes()).into_owned());
        let Some(location) = location.filter(|_| target.redirects > 0 && leads_on(status)) else { return Ok(()) };
        if followed == target.redirects {
            return Err(Failure::critical(format!(
                "more than {followed} redirects, the last one to {}",
                cut(&location)
            )));
        }
        let next = address
            .follow(&location)
            .map_err(|error| Failure::critical(format!("redirect to {}: {error}", cut(&location))))?;
        if address.secure && !next.secure {
            return Err(Failure::critical(format!("redirect from https to {next} is not followed")));
        }
        record.step(format!("redirect to {next}"));
        // RFC 9110, 15.4: a 303 is asked with GET, and everybody does so after a POST.
        if status == StatusCode::SEE_OTHER || (method == Method::POST && status.as_u16() < 303) {
            method = if method == Method::HEAD { Method::HEAD } else { Method::GET };
        }
        address = Cow::Owned(next);
        followed += 1;
    }
}

fn leads_on(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// What came from outside, short enough for one line and without its query.
fn cut(text: &str) -> String {
    text.split('?').next().unwrap_or_default().chars().take(120).collect()
}

async fn ask(
    target: &HttpTarget,
    address: &HttpAddress,
    method: &Method,
    timeout: Duration,
    tools: &Tools,
    record: &mut Record,
) -> Result<StatusCode, Failure> {
    let tcp = connect(&address.endpoint, target.family, timeout, tools, record).await?;
    let stream = if address.secure {
        let (stream, distrust) = tls::handshake(&address.endpoint.host, tcp, &target.roots, tools, record).await?;
        // Nothing is said to a server that cannot prove who it is: the request may hold secrets.
        if let Some(why) = distrust {
            return Err(Failure::critical(format!("certificate is not trusted: {why}")));
        }
        Stream::tls(stream)
    } else {
        Stream::plain(tcp)
    };
    let first_byte = stream.first_byte();
    record.begin(Phase::FirstByte, "waiting for an answer");
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(HEAD_MAX)
        .max_header_size(HEAD_MAX)
        .handshake::<_, Full<Bytes>>(TokioIo::new(stream))
        .await
        .map_err(|error| refused(&error))?;
    let mut connection = pin!(connection);
    let mut ended = false;
    let request = request(target, address, method);
    let answer = beside(connection.as_mut(), &mut ended, sender.send_request(request)).await;
    let answer = answer.map_err(|error| refused(&error))?;
    let began = first_byte.get().copied().unwrap_or_else(Instant::now);
    record.end_at(began);
    record.begin_at(Phase::Transfer, "reading the answer", began);
    let (head, body) = answer.into_parts();
    record.step(format!("{method} {address} answered {}", head.status));
    record.value("status", Value::Number(f64::from(head.status.as_u16())));
    record.headers = head.headers;
    record.body = None;
    let read = beside(connection.as_mut(), &mut ended, read(body, record)).await;
    record.end();
    read?;
    Ok(head.status)
}

fn request(target: &HttpTarget, address: &HttpAddress, method: &Method) -> Request<Full<Bytes>> {
    let mut headers = HeaderMap::with_capacity(4 + target.headers.len());
    headers.insert(HOST, address.host_header.clone());
    headers.insert(USER_AGENT, AGENT);
    headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    for (number, (name, value)) in target.headers.iter().enumerate() {
        let is_secret = value.is_sensitive() || names_a_secret(name.as_str());
        // Secrets and another name for the host are for the server they were written for.
        if !target.address.is_same_origin(address) && (is_secret || name == HOST) {
            continue;
        }
        // One that is there twice is sent twice; ours is replaced.
        if target.headers[..number].iter().any(|(other, _)| other == name) {
            headers.append(name, value.clone());
        } else {
            headers.insert(name, value.clone());
        }
    }
    let body = if *method == target.method { target.body.clone() } else { Bytes::new() };
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = method.clone();
    *request.uri_mut() = Uri::from(address.path.clone());
    *request.headers_mut() = headers;
    request
}

/// Reads the body, as far as it is read.
async fn read(mut body: Incoming, record: &mut Record) -> Result<(), Failure> {
    let mut first = Bytes::new();
    let mut all = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            let had = first.len() + all.len();
            Failure::critical(format!("the answer broke off within its body, after {had} bytes: {}", source(&error)))
        })?;
        let Ok(data) = frame.into_data() else { continue };
        // Most bodies come in one piece, which needs no copy.
        if first.is_empty() {
            first = data;
        } else {
            if all.is_empty() {
                all.extend_from_slice(&first);
            }
            all.extend_from_slice(&data);
        }
        if first.len().max(all.len()) >= BODY_MAX {
            record.step(format!("reading stopped after {BODY_MAX} bytes"));
            record.remark("json", format!("only the first {BODY_MAX} bytes of the body were read"));
            break;
        }
    }
    let mut body = if all.is_empty() { first } else { all.freeze() };
    body.truncate(BODY_MAX);
    record.value("body_size", Value::Bytes(u64::try_from(body.len()).unwrap_or(u64::MAX)));
    record.body = Some(body);
    Ok(())
}

/// Drives `connection` until `work`, which waits for it, is done. A task of its own would cost more than the request.
async fn beside<C: Future, W: Future>(mut connection: std::pin::Pin<&mut C>, ended: &mut bool, work: W) -> W::Output {
    let mut work = pin!(work);
    poll_fn(|context| {
        if let Poll::Ready(output) = work.as_mut().poll(context) {
            return Poll::Ready(output);
        }
        // How it ended is what the work hears.
        if !*ended && connection.as_mut().poll(context).is_ready() {
            *ended = true;
        }
        Poll::Pending
    })
    .await
}

fn refused(error: &hyper::Error) -> Failure {
    Failure::critical(if error.is_parse_too_large() {
        format!("the head of the answer is larger than {HEAD_MAX} bytes or has too many headers")
    } else if error.is_parse() {
        format!("the answer is not HTTP: {error}")
    } else if error.is_incomplete_message() {
        "the connection ended before an answer came".to_owned()
    } else {
        format!("no answer: {}", source(error))
    })
}

/// The reason at the bottom.
fn source(error: &hyper::Error) -> String {
    match error.source().and_then(|source| source.downcast_ref::<std::io::Error>()) {
        Some(error) => words(error),
        None => error.to_string(),
    }
}
