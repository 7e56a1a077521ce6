//! What every provider can do.

use std::fmt;

use bytes::Bytes;
use http::HeaderMap;
use jiff::{SignedDuration, Timestamp};

use crate::model::{Assurance, Parsed, Reason, Secret};

use super::{Answer, Outcome, RawRequest};

/// One service's protocol. A provider holds its options and no state.
///
/// A delivery goes through `accepts`, `verify` and `identify` before it is stored; `parse` reads it
/// afterwards, as often as it is projected.
pub trait Provider: Send + Sync + fmt::Debug {
    /// The methods the service sends by.
    fn methods(&self) -> &'static [&'static str] {
        &["POST"]
    }

    /// Whether the service ever sends this media type.
    fn accepts(&self, media_type: Option<&str>) -> bool;

    /// Why `secret` cannot be one of this service's secrets.
    ///
    /// # Errors
    /// What is wrong with it, without repeating it.
    fn check_secret(&self, secret: &Secret) -> Result<(), String>;

    /// Whether the proof is a secret that can be guessed. A source that failed too often is then not compared at all.
    fn is_guessable(&self) -> bool {
        false
    }

    /// Whether a body that is a form is taken apart while it comes in, so that its files never are in memory. The body
    /// it then gets is the [`super::Form`] as JSON.
    fn takes_forms(&self) -> bool {
        false
    }

    /// Whether one of `secrets` made the signature, and what it proves.
    ///
    /// Where the signature covers bytes these are the exact bytes of the body, and nothing is parsed first.
    ///
    /// # Errors
    /// Why the delivery is refused.
    fn verify(&self, secrets: &[Secret], request: &RawRequest, now: Timestamp) -> Result<Verified, Rejected>;

    /// The events in a delivery that verified: one, or as many as its batch holds.
    ///
    /// What cannot be understood comes back as an envelope with `dead` set; it was signed, so it is kept.
    fn identify(&self, request: &RawRequest, verified: &Verified) -> Vec<Envelope>;

    /// The one-time token that was signed, and when, where the signature covers them instead of the body. It must not
    /// come again with another body.
    fn once(&self, _verified: &Verified) -> Option<(Timestamp, String)> {
        None
    }

    /// Reads a message out of a stored event. Never fails: what it cannot read it shows as it is.
    fn parse(&self, stored: &Stored<'_>) -> Parsed;

    /// The file, by its SHA-256, that belongs to the text of an event and is to be read with it.
    fn file(&self, _stored: &Stored<'_>) -> Option<String> {
        None
    }

    /// The same as `parse` with the beginning of that file.
    fn parse_with(&self, stored: &Stored<'_>, _file: &[u8]) -> Parsed {
        self.parse(stored)
    }

    /// The content of attachment `part` that is inside the event or that file.
    fn part(&self, _stored: &Stored<'_>, _file: &[u8], _part: u32) -> Option<Vec<u8>> {
        None
    }

    /// What the sender is told.
    fn answer(&self, outcome: Outcome) -> Answer {
        Answer::usual(outcome)
    }

    /// Signs a sample delivery to `url` as the service would.
    ///
    /// # Errors
    /// When no active secret can sign.
    fn sample(&self, secrets: &[Secret], now: Timestamp, id: &str, text: &str, url: &str) -> Result<Sample, String>;

    /// The same sample as somebody without the secret would send it. Where the body is signed, its last byte is another.
    fn forge(&self, sample: Sample) -> Sample {
        let mut body = sample.body.to_vec();
        if let Some(last) = body.last_mut() {
            *last = if *last == b'!' { b'?' } else { b'!' };
        }
        Sample { body: body.into(), ..sample }
    }
}

/// Options of a channel that its provider needs.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Seconds in which an equal body without an id counts as a repeat; 0 is never.
    pub dedupe_window: u32,
    /// JSON pointer to the value that names an event.
    pub dedupe_pointer: Option<String>,
}

/// What a signature proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// How much of the delivery it covers.
    pub assurance: Assurance,
    /// When it was signed, where the signature says so.
    pub time: Option<Timestamp>,
    /// The id it names, where the protocol has one in a header.
    pub id: Option<String>,
}

/// A delivery that is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Rejected {
    /// Why.
    pub reason: Reason,
    /// What exactly was wrong; never a secret and never an expected value.
    pub detail: String,
    /// Every candidate that was tried, in order, and how it failed.
    pub tried: Vec<String>,
}

impl Rejected {
    pub(super) fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into(), tried: Vec::new() }
    }
}

/// One event of a delivery, ready to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// What happened, as `github.issues.opened`.
    pub kind: String,
    /// When it happened, where the sender says so.
    pub time: Option<Timestamp>,
    /// What makes it the same event when it is sent again, unique within the channel for good.
    /// `None` when the sender names nothing.
    pub key: Option<String>,
    /// For how long an equal body counts as a repeat even under another key.
    pub body_window: Option<SignedDuration>,
    /// The bytes of this event: the whole body, or its part of a batch.
    pub data: Bytes,
    /// SHA-256 of what is the same whenever it is sent, where the bytes hold more: a token that is another each time.
    pub content: Option<[u8; 32]>,
    /// Why it is a dead letter.
    pub dead: Option<String>,
}

/// A stored event, as it is parsed.
#[derive(Debug, Clone, Copy)]
pub struct Stored<'a> {
    /// Its type.
    pub kind: &'a str,
    /// What makes it the same event when it is sent again.
    pub key: &'a str,
    /// The headers it came with.
    pub headers: &'a [(String, String)],
    /// Its bytes.
    pub data: &'a [u8],
}

/// A signed sample.
#[derive(Debug, Clone)]
pub struct Sample {
    /// The headers to send.
    pub headers: HeaderMap,
    /// The body to send.
    pub body: Bytes,
}

/// The tolerance for signed times, both ways (Standard Webhooks 1.0, "Verifying webhook authenticity").
const TOLERANCE: SignedDuration = SignedDuration::from_secs(300);

/// Reads unix seconds as a provider writes them: digits only.
pub(super) fn unix_seconds(name: &str, text: &str) -> Result<Timestamp, Rejected> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits
        .then(|| text.parse::<i64>().ok())
        .flatten()
        .and_then(|seconds| Timestamp::from_second(seconds).ok())
        .ok_or_else(|| Rejected::new(Reason::MalformedHeader, format!("{name} is not a number of seconds")))
}

/// Refuses a time more than five minutes away.
pub(super) fn fresh(name: &str, time: Timestamp, now: Timestamp) -> Result<(), Rejected> {
    let off = SignedDuration::from_secs(now.as_second() - time.as_second());
    if off.abs() <= TOLERANCE {
        return Ok(());
    }
    let way = if off.is_positive() { "old" } else { "in the future" };
    Err(Rejected::new(
        Reason::Stale,
        format!("{name} is {} s {way}; the clocks may differ by 300 s", off.abs().as_secs()),
    ))
}

/// The active secrets with their number in the configuration, counted from 1; those that ended are noted in `tried`.
pub(super) fn active<'a>(secrets: &'a [Secret], now: Timestamp, tried: &mut Vec<String>) -> Vec<(usize, &'a Secret)> {
    let mut active = Vec::with_capacity(secrets.len());
    for (number, secret) in (1..).zip(secrets) {
        if secret.is_active(now) {
            active.push((number, secret));
        } else {
            tried.push(format!("secret {number}: no longer active"));
        }
    }
    active
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_digits_only() {
        assert!(unix_seconds("t", "1614265330").is_ok());
        for bad in ["", "+1", "-1", " 1", "1e3", "1.0", "99999999999999999999", "x"] {
            assert!(unix_seconds("t", bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn five_minutes_either_way() {
        let now = Timestamp::from_second(1_000_000).expect("in range");
        for (off, ok) in [(0, true), (300, true), (-300, true), (301, false), (-301, false)] {
            let time = Timestamp::from_second(1_000_000 + off).expect("in range");
            assert_eq!(fresh("t", time, now).is_ok(), ok, "{off}");
        }
    }
}
