//! What answers carry that are data for a program, not a page.

use http::{HeaderMap, HeaderName, HeaderValue, header};

/// It is nothing a browser should guess at, keep, run or tell others of.
const DATA: [(HeaderName, &str); 4] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::CACHE_CONTROL, "no-store"),
    (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    (header::REFERRER_POLICY, "no-referrer"),
];

/// Says in `headers` that the answer is data, for whoever asked, now.
pub fn mark_as_data(headers: &mut HeaderMap) {
    for (name, value) in DATA {
        headers.insert(name, HeaderValue::from_static(value));
    }
}
