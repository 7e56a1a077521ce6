//! Errors as problem documents (RFC 9457).

use axum::body::Body;
use axum::response::Response;
use http::{HeaderName, HeaderValue, StatusCode, header};
use schemars::JsonSchema;
use serde::Serialize;

/// The media type of a problem document.
pub(super) const MEDIA_TYPE: &str = "application/problem+json";

/// An error of the API. `type` is absent: the status says it all (RFC 9457, 4.2.1).
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Problem {
    /// The status in words.
    title: &'static str,
    /// The status.
    status: u16,
    /// What exactly was wrong, and what to do.
    detail: String,
}

/// An answer that says what was wrong.
pub(super) fn problem(status: StatusCode, detail: impl Into<String>) -> Response {
    let title = status.canonical_reason().unwrap_or("Error");
    let problem = Problem { title, status: status.as_u16(), detail: detail.into() };
    // Three plain fields always serialise.
    let body = serde_json::to_vec(&problem).unwrap_or_default();
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    response
}

/// The same with one more header.
pub(super) fn problem_with(
    status: StatusCode,
    detail: impl Into<String>,
    name: HeaderName,
    value: impl Into<HeaderValue>,
) -> Response {
    let mut response = problem(status, detail);
    response.headers_mut().insert(name, value.into());
    response
}

/// Who asks must show a token.
pub(super) fn unauthorised(detail: impl Into<String>) -> Response {
    let challenge = HeaderValue::from_static("Bearer realm=\"aurora\"");
    problem_with(StatusCode::UNAUTHORIZED, detail, header::WWW_AUTHENTICATE, challenge)
}

/// The engine cannot answer now.
pub(super) fn unavailable(detail: impl Into<String>) -> Response {
    problem_with(StatusCode::SERVICE_UNAVAILABLE, detail, header::RETRY_AFTER, 1)
}
