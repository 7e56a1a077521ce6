//! What a sender is told.

use crate::model::Reason;

/// What became of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Durable for the first time.
    Stored,
    /// Durable since an earlier delivery.
    Repeated,
    /// Refused.
    Refused(Reason),
}

/// Status and body of an answer. Bodies are fixed texts: nothing of the request is repeated in them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status code.
    pub status: u16,
    /// The body.
    pub body: &'static str,
    /// Its media type.
    pub content_type: &'static str,
    /// Seconds for `Retry-After`.
    pub retry_after: Option<u32>,
}

impl Answer {
    pub(super) const fn new(status: u16, body: &'static str) -> Self {
        Self { status, body, content_type: "text/plain; charset=utf-8", retry_after: None }
    }

    pub(super) const fn retry_after(self, seconds: u32) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }

    /// The answer of most providers; each overrides what its protocol wants otherwise.
    ///
    /// Every failure of authentication reads the same, so that an answer helps nobody to guess.
    #[must_use]
    pub fn usual(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Stored => Self::new(202, "accepted\n"),
            Outcome::Repeated | Outcome::Refused(Reason::Replay) => Self::new(200, "duplicate\n"),
            Outcome::Refused(reason) => match reason {
                Reason::UnknownPath => Self::new(404, "not found\n"),
                Reason::Method => Self::new(405, "method not allowed\n"),
                Reason::ContentType => Self::new(415, "unsupported media type\n"),
                Reason::TooLarge => Self::new(413, "body too large\n"),
                Reason::MalformedBody => Self::new(400, "the body cannot be read\n"),
                Reason::BodyTimeout => Self::new(408, "body did not arrive\n"),
                Reason::Conflict => Self::new(409, "this id came before with another body\n"),
                Reason::RateLimited => Self::new(429, "too many failures\n").retry_after(60),
                Reason::Overloaded => Self::new(503, "busy\n").retry_after(1),
                Reason::StoreFailed => Self::new(503, "cannot store\n").retry_after(30),
                Reason::Connections => Self::new(503, "too many connections\n").retry_after(1),
                Reason::Address
                | Reason::MissingHeader
                | Reason::DoubledHeader
                | Reason::MalformedHeader
                | Reason::Signature
                | Reason::Stale
                | Reason::SecretInQuery
                | Reason::Assurance
                | Reason::Replay => Self::new(401, "unauthorized\n"),
            },
        }
    }

    /// The same as another media type.
    pub(super) const fn content_type(self, content_type: &'static str) -> Self {
        Self { content_type, ..self }
    }

    /// Without a body, as status 204 wants.
    pub(super) const fn no_content() -> Self {
        Self::new(204, "")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failed_authentication_reads_the_same() {
        let failures = [
            Reason::Address,
            Reason::MissingHeader,
            Reason::DoubledHeader,
            Reason::MalformedHeader,
            Reason::Signature,
            Reason::Stale,
            Reason::SecretInQuery,
            Reason::Assurance,
        ];
        for reason in failures {
            assert_eq!(Answer::usual(Outcome::Refused(reason)), Answer::new(401, "unauthorized\n"));
        }
    }
}
