//! A delivery as it came off the wire.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method};

use crate::model::Reason;

use super::{Form, Rejected};

/// One HTTP request, before anybody believes it.
#[derive(Debug, Clone)]
pub struct RawRequest {
    /// The method.
    pub method: Method,
    /// The address the provider was told, without a query: `https://hub.example.org/whatsapp/webhook`.
    /// It comes from the configuration; the header `Host` says whatever its sender likes.
    pub address: Arc<str>,
    /// The query, without `?`; empty when there is none.
    pub query: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The exact bytes of the body: signatures cover these and nothing derived from them. Empty where the provider takes
    /// forms apart, as no signature covers the bytes of one.
    pub body: Bytes,
    /// The form that the body was, where it was taken apart on its way in.
    pub form: Option<Form>,
}

#[cfg(test)]
impl RawRequest {
    /// A POST, to be made more of in tests.
    pub(super) fn posted(headers: HeaderMap, body: impl Into<Bytes>) -> Self {
        Self { method: Method::POST, address: "".into(), query: String::new(), headers, body: body.into(), form: None }
    }
}

impl RawRequest {
    /// The one value of header `name`.
    ///
    /// A header that is there twice is refused: sender and receiver might each believe another one.
    ///
    /// # Errors
    /// When it is, or its value is not visible ASCII.
    pub fn one(&self, name: &str) -> Result<Option<&str>, Rejected> {
        let mut values = self.headers.get_all(name).iter();
        let Some(value) = values.next() else { return Ok(None) };
        if values.next().is_some() {
            return Err(Rejected::new(Reason::DoubledHeader, format!("{name} is there more than once")));
        }
        match value.to_str() {
            Ok(text) => Ok(Some(text.trim())),
            Err(_) => Err(Rejected::new(Reason::MalformedHeader, format!("{name} is not visible ASCII"))),
        }
    }

    /// The one value of header `name`, which must be there and hold something.
    pub(super) fn required(&self, name: &str) -> Result<&str, Rejected> {
        self.one(name)?
            .filter(|value| !value.is_empty())
            .ok_or_else(|| Rejected::new(Reason::MissingHeader, format!("{name} is missing")))
    }

    /// The media type without its parameters, in lower case.
    #[must_use]
    pub fn media_type(&self) -> Option<Cow<'_, str>> {
        let value = self.headers.get(http::header::CONTENT_TYPE)?.to_str().ok()?;
        let media_type = value.split(';').next().unwrap_or_default().trim();
        let is_lower = !media_type.bytes().any(|byte| byte.is_ascii_uppercase());
        Some(if is_lower { media_type.into() } else { media_type.to_ascii_lowercase().into() })
    }
}
