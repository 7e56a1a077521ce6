//! The bodies of questions, read within their bounds, and what is answered: JSON, or why not.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::net::{self, Proof};
use crate::protocol::FEDERATION_VERSION;

/// Time for a whole body.
const BODY_TIME: Duration = Duration::from_secs(10);

/// Why a question is answered with a problem.
pub(super) struct Refused {
    pub status: StatusCode,
    pub why: String,
}

pub(super) fn refused(status: StatusCode, why: impl Into<String>) -> Refused {
    Refused { status, why: why.into() }
}

/// Reads a body of at most `max` bytes, which has to be the one that was signed.
pub(super) async fn read(body: Incoming, max: usize, proof: &Proof) -> Result<Bytes, Refused> {
    let too_large = || refused(StatusCode::PAYLOAD_TOO_LARGE, format!("a body of this path has at most {max} bytes"));
    if body.size_hint().lower() > max as u64 {
        return Err(too_large());
    }
    let mut body = body;
    let reading = async {
        let mut whole = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| refused(StatusCode::BAD_REQUEST, "the body broke off"))?;
            let Ok(data) = frame.into_data() else { continue };
            if whole.len() + data.len() > max {
                return Err(too_large());
            }
            whole.extend_from_slice(&data);
        }
        Ok(whole.freeze())
    };
    let late = |_| refused(StatusCode::REQUEST_TIMEOUT, "the body took longer than 10 s");
    let whole = tokio::time::timeout(BODY_TIME, reading).await.map_err(late)??;
    if net::digest(&whole) != proof.digest {
        return Err(refused(StatusCode::FORBIDDEN, "the body is another one than was signed"));
    }
    Ok(whole)
}

pub(super) fn parsed<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refused> {
    serde_json::from_slice(body)
        .map_err(|error| refused(StatusCode::BAD_REQUEST, format!("it cannot be read: {error}")))
}

/// The same for a document that says its version: one of another version is no broken one.
pub(super) fn versioned<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refused> {
    #[derive(serde::Deserialize)]
    struct Version {
        version: u32,
    }
    let Version { version } = parsed(body)?;
    if version != FEDERATION_VERSION {
        let why = format!("it speaks version {version}, and this node {FEDERATION_VERSION}; bring both to one version");
        return Err(refused(StatusCode::BAD_REQUEST, why));
    }
    parsed(body)
}

pub(super) const JSON: &str = "application/json";
pub(super) const PROBLEM: &str = "application/problem+json";

pub(super) fn encoded(value: &impl Serialize) -> Vec<u8> {
    // Everything that is answered has text for keys, so it always serialises.
    serde_json::to_vec(value).unwrap_or_default()
}

pub(super) fn json(status: StatusCode, body: Vec<u8>) -> Response<Full<Bytes>> {
    answered(status, JSON, body)
}

/// A problem document (RFC 9457).
pub(super) fn problem(status: StatusCode, why: &str) -> Response<Full<Bytes>> {
    answered(status, PROBLEM, problem_body(status, why))
}

pub(super) fn problem_body(status: StatusCode, why: &str) -> Vec<u8> {
    let title = status.canonical_reason().unwrap_or("Error");
    let mut document = serde_json::json!({ "title": title, "status": status.as_u16() });
    if !why.is_empty() {
        document["detail"] = why.into();
    }
    encoded(&document)
}

pub(super) fn answered(status: StatusCode, media: &'static str, body: Vec<u8>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    response
}
