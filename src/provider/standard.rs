//! Standard Webhooks 1.0 (standardwebhooks.com), and Svix with its own header names.
//!
//! Signed are `{id}.{timestamp}.{exact body}`: `v1` is HMAC-SHA256, `v1a` is ed25519.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD as BASE64, URL_SAFE_NO_PAD};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use http::{HeaderMap, HeaderValue};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;

use crate::model::{Assurance, Parsed, Reason, Secret};

use super::api::{active, fresh, unix_seconds};
use super::{Answer, Envelope, Outcome, Provider, RawRequest, Rejected, Sample, Stored, Verified, json, mac};

/// Senders of Standard Webhooks.
#[derive(Debug)]
pub(super) struct Standard;

/// The names of the three headers.
pub(super) struct Names {
    pub id: &'static str,
    pub timestamp: &'static str,
    pub signature: &'static str,
}

const WEBHOOK: Names = Names { id: "webhook-id", timestamp: "webhook-timestamp", signature: "webhook-signature" };
const SVIX: Names = Names { id: "svix-id", timestamp: "svix-timestamp", signature: "svix-signature" };

/// Signatures looked at in one header. Senders use one a secret; more would only cost us.
const MAX_SIGNATURES: usize = 64;
/// Longest id; it becomes a key in the store.
const MAX_ID: usize = 256;

/// A secret as the protocol writes it.
enum Key {
    /// `whsec_`: a shared secret.
    Shared(Vec<u8>),
    /// `whpk_`: the sender's public key.
    Public(VerifyingKey),
    /// `whsk_`: the sender's private key.
    Private(Box<SigningKey>),
}

impl Key {
    fn read(text: &str) -> Result<Self, &'static str> {
        const EXPECTED: &str = "expected whsec_, whpk_ or whsk_ and base64";
        let decode = |text: &str| BASE64.decode(text).or_else(|_| URL_SAFE_NO_PAD.decode(text)).map_err(|_| EXPECTED);
        let half = |bytes: &[u8]| {
            bytes.get(..32).and_then(|half| <[u8; 32]>::try_from(half).ok()).ok_or("an ed25519 key has 32 bytes")
        };
        let key = if let Some(text) = text.strip_prefix("whpk_") {
            let bytes = decode(text)?;
            Self::Public(VerifyingKey::from_bytes(&half(&bytes)?).map_err(|_| "not an ed25519 public key")?)
        } else if let Some(text) = text.strip_prefix("whsk_") {
            // The seed, followed by the public key it makes.
            Self::Private(Box::new(SigningKey::from_bytes(&half(&decode(text)?)?)))
        } else {
            Self::Shared(decode(text.strip_prefix("whsec_").unwrap_or(text))?)
        };
        match &key {
            Self::Shared(bytes) if bytes.is_empty() => Err("the secret is empty"),
            _ => Ok(key),
        }
    }

    fn version(&self) -> &'static str {
        match self {
            Self::Shared(_) => "v1",
            Self::Public(_) | Self::Private(_) => "v1a",
        }
    }

    fn verifies(&self, signed: &[&[u8]], signature: &[u8]) -> bool {
        let by_public = |key: &VerifyingKey| {
            Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify_strict(&signed.concat(), &signature).is_ok())
        };
        match self {
            Self::Shared(secret) => mac::verifies(secret, signed, signature),
            Self::Public(key) => by_public(key),
            Self::Private(key) => by_public(&key.verifying_key()),
        }
    }

    fn sign(&self, signed: &[&[u8]]) -> Option<Vec<u8>> {
        match self {
            Self::Shared(secret) => Some(mac::sign(secret, signed).to_vec()),
            Self::Private(key) => Some(key.sign(&signed.concat()).to_bytes().to_vec()),
            Self::Public(_) => None,
        }
    }
}

/// Why `secret` cannot be a secret of Standard Webhooks.
pub(super) fn check_secret(secret: &Secret) -> Result<(), String> {
    Key::read(secret.expose()).map(drop).map_err(str::to_owned)
}

/// Verifies the three headers `names` over the exact body.
pub(super) fn verify(
    names: &Names,
    secrets: &[Secret],
    request: &RawRequest,
    now: Timestamp,
) -> Result<Verified, Rejected> {
    let id = request.required(names.id)?;
    if id.contains('.') || id.len() > MAX_ID {
        let detail = format!("{} holds a dot or more than {MAX_ID} characters", names.id);
        return Err(Rejected::new(Reason::MalformedHeader, detail));
    }
    let timestamp = request.required(names.timestamp)?;
    let time = unix_seconds(names.timestamp, timestamp)?;
    let candidates: Vec<(&str, Vec<u8>)> = request
        .required(names.signature)?
        .split(' ')
        .take(MAX_SIGNATURES)
        .filter_map(|entry| {
            let (version, text) = entry.split_once(',')?;
            Some((version, BASE64.decode(text).ok()?))
        })
        .collect();
    let signed: [&[u8]; 5] = [id.as_bytes(), b".", timestamp.as_bytes(), b".", &request.body];
    let mut tried = Vec::new();
    for (number, secret) in active(secrets, now, &mut tried) {
        let key = match Key::read(secret.expose()) {
            Ok(key) => key,
            Err(why) => {
                tried.push(format!("secret {number}: {why}"));
                continue;
            }
        };
        let version = key.version();
        let of_version = candidates.iter().filter(|(candidate, _)| *candidate == version);
        if of_version.clone().any(|(_, signature)| key.verifies(&signed, signature)) {
            fresh(names.timestamp, time, now)?;
            return Ok(Verified { assurance: Assurance::BodyAndTime, time: Some(time), id: Some(id.to_owned()) });
        }
        tried.push(format!("secret {number}: none of {} readable {version} signatures matches", of_version.count()));
    }
    let detail = "no active secret made one of these signatures over id, time and body";
    Err(Rejected { tried, ..Rejected::new(Reason::Signature, detail) })
}

impl Provider for Standard {
    fn accepts(&self, _media_type: Option<&str>) -> bool {
        true
    }

    fn check_secret(&self, secret: &Secret) -> Result<(), String> {
        check_secret(secret)
    }

    fn verify(&self, secrets: &[Secret], request: &RawRequest, now: Timestamp) -> Result<Verified, Rejected> {
        let svix = !request.headers.contains_key(WEBHOOK.id) && request.headers.contains_key(SVIX.id);
        verify(if svix { &SVIX } else { &WEBHOOK }, secrets, request, now)
    }

    fn identify(&self, request: &RawRequest, verified: &Verified) -> Vec<Envelope> {
        vec![Envelope {
            kind: kind(&request.body).unwrap_or_else(|| "webhook.received".to_owned()),
            time: verified.time,
            key: verified.id.clone(),
            body_window: None,
            data: request.body.clone(),
            content: None,
            dead: None,
        }]
    }

    fn parse(&self, stored: &Stored<'_>) -> Parsed {
        json::read(stored)
    }

    fn answer(&self, outcome: Outcome) -> Answer {
        match outcome {
            Outcome::Stored => Answer::no_content(),
            _ => Answer::usual(outcome),
        }
    }

    fn sample(&self, secrets: &[Secret], now: Timestamp, id: &str, text: &str, _url: &str) -> Result<Sample, String> {
        let body = json!({
            "type": "message.received",
            "timestamp": now.to_string(),
            "data": { "subject": text, "text": format!("A sample from `aurora send-test`, {id}."), "from": "ann@example.org" },
        })
        .to_string();
        let id = format!("msg_{id}");
        let timestamp = now.as_second().to_string();
        let signed: [&[u8]; 5] = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body.as_bytes()];
        let signature = secrets
            .iter()
            .filter(|secret| secret.is_active(now))
            .filter_map(|secret| Key::read(secret.expose()).ok())
            .find_map(|key| Some(format!("{},{}", key.version(), BASE64.encode(key.sign(&signed)?))))
            .ok_or("no active whsec_ or whsk_ secret to sign with")?;
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("content-type", "application/json"),
            (WEBHOOK.id, &id),
            (WEBHOOK.timestamp, &timestamp),
            (WEBHOOK.signature, &signature),
        ] {
            headers.insert(name, HeaderValue::from_str(value).map_err(|e| e.to_string())?);
        }
        Ok(Sample { headers, body: body.into() })
    }
}

/// The `type` of a JSON body, where it can be part of a type: dotted words.
pub(super) fn kind(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Head {
        #[serde(rename = "type", default)]
        kind: Option<String>,
    }

    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'/' | b':');
    let kind = serde_json::from_slice::<Head>(body).ok()?.kind?;
    (!kind.is_empty() && kind.len() <= 128 && kind.bytes().all(allowed)).then_some(kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const NOW: i64 = 1_614_265_330;

    fn secrets(values: &[&str]) -> Vec<Secret> {
        values.iter().map(|value| Secret::new((*value).into(), None)).collect()
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).expect("in range")
    }

    fn known_answer(names: &Names) -> RawRequest {
        let mut headers = HeaderMap::new();
        headers.insert(names.id, HeaderValue::from_static("msg_p5jXN8AQM9LWM0D4loKWxJek"));
        headers.insert(names.timestamp, HeaderValue::from_static("1614265330"));
        headers.insert(names.signature, HeaderValue::from_static("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="));
        RawRequest::posted(headers, r#"{"test": 2432232314}"#)
    }

    fn reason(request: &RawRequest) -> Reason {
        Standard.verify(&secrets(&[SECRET]), request, at(NOW)).expect_err("refused").reason
    }

    #[test]
    fn both_header_families_verify() {
        for names in [&WEBHOOK, &SVIX] {
            let verified = Standard.verify(&secrets(&[SECRET]), &known_answer(names), at(NOW)).expect("verifies");
            assert_eq!(verified.assurance, Assurance::BodyAndTime);
        }
        let bare = SECRET.strip_prefix("whsec_").expect("prefixed");
        assert!(
            Standard.verify(&secrets(&[bare]), &known_answer(&WEBHOOK), at(NOW)).is_ok(),
            "the prefix may be left out"
        );
    }

    #[test]
    fn the_right_signature_may_stand_anywhere_in_the_list() {
        let mut request = known_answer(&WEBHOOK);
        let wrong = "v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc=";
        let right = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        request.headers.insert(
            WEBHOOK.signature,
            HeaderValue::from_str(&format!("{wrong} v2,abcd {right} {wrong}")).expect("a header"),
        );
        assert!(Standard.verify(&secrets(&[SECRET]), &request, at(NOW)).is_ok());
        request
            .headers
            .insert(WEBHOOK.signature, HeaderValue::from_str(&format!("{wrong} {wrong} {wrong}")).expect("a header"));
        assert_eq!(reason(&request), Reason::Signature);
    }

    #[test]
    fn the_negative_cases_of_the_specification() {
        for name in [WEBHOOK.id, WEBHOOK.timestamp, WEBHOOK.signature] {
            let mut request = known_answer(&WEBHOOK);
            request.headers.remove(name);
            assert_eq!(reason(&request), Reason::MissingHeader, "{name}");
        }
        for bad in [
            "v1,",
            "v1",
            "v1,g0hM9SsE",
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OF=",
            "v1a,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        ] {
            let mut request = known_answer(&WEBHOOK);
            request.headers.insert(WEBHOOK.signature, HeaderValue::from_static(bad));
            assert_eq!(reason(&request), Reason::Signature, "{bad}");
        }
        for bad in ["hello", "1614265330.0", "-1"] {
            let mut request = known_answer(&WEBHOOK);
            request.headers.insert(WEBHOOK.timestamp, HeaderValue::from_static(bad));
            assert_eq!(reason(&request), Reason::MalformedHeader, "{bad}");
        }
        let mut request = known_answer(&WEBHOOK);
        request.headers.insert(WEBHOOK.id, HeaderValue::from_static("a.b"));
        assert_eq!(reason(&request), Reason::MalformedHeader);
        for (off, ok) in [(300, true), (-300, true), (301, false), (-301, false)] {
            let verified = Standard.verify(&secrets(&[SECRET]), &known_answer(&WEBHOOK), at(NOW + off));
            assert_eq!(verified.is_ok(), ok, "{off}");
        }
        assert!(check_secret(&secrets(&["whsec_"])[0]).is_err(), "an empty secret");
    }

    #[test]
    fn a_private_key_signs_what_its_public_key_verifies() {
        let signing = SigningKey::from_bytes(&[7; 32]);
        let private = format!("whsk_{}", BASE64.encode(signing.to_keypair_bytes()));
        let public = format!("whpk_{}", BASE64.encode(signing.verifying_key().to_bytes()));
        let sample = Standard.sample(&secrets(&[&private]), at(NOW), "1", "hello", "").expect("signs");
        let request = RawRequest { headers: sample.headers, body: sample.body, ..known_answer(&WEBHOOK) };
        assert!(Standard.verify(&secrets(&[&public]), &request, at(NOW)).is_ok());
        assert!(Standard.sample(&secrets(&[&public]), at(NOW), "1", "hello", "").is_err(), "a public key cannot sign");
    }

    #[test]
    fn types_that_are_not_words_are_left_out() {
        assert_eq!(kind(br#"{"type":"user.created"}"#).as_deref(), Some("user.created"));
        for body in [&br#"{"type":"a b"}"#[..], b"{\"type\":\"\\u001b[2J\"}", br#"{"type":7}"#, b"x", b"\xff"] {
            assert_eq!(kind(body), None);
        }
    }
}
