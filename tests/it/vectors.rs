//! Known answers: the official vectors of every provider that is built.

use aurora::model::{ProviderKind, Secret};
use aurora::provider::{Options, Provider, RawRequest, build};
use http::{HeaderMap, HeaderValue};
use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::Value;

fn vectors(provider: &str) -> Vec<Value> {
    let all: Vec<Value> = serde_json::from_str(include_str!("vectors.json")).expect("vectors");
    all.into_iter().filter(|vector| vector["provider"] == provider).collect()
}

fn text<'a>(vector: &'a Value, pointer: &str) -> &'a str {
    vector.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("{pointer} in {vector}"))
}

fn provider(kind: ProviderKind) -> Box<dyn Provider> {
    build(kind, Options::default())
}

fn request(headers: &[(&'static str, &str)], body: &[u8]) -> RawRequest {
    let headers: HeaderMap = headers
        .iter()
        .map(|(name, value)| (name.parse().expect("a name"), HeaderValue::from_str(value).expect("a value")))
        .collect();
    RawRequest { method: http::Method::POST, query: String::new(), headers, body: body.to_vec().into() }
}

fn secret(value: &str) -> [Secret; 1] {
    [Secret::new(value.into(), None)]
}

#[test]
fn github() {
    let vectors = vectors("github");
    assert_eq!(vectors.len(), 2);
    for vector in vectors {
        let request =
            request(&[("x-hub-signature-256", text(&vector, "/expect"))], text(&vector, "/input/body").as_bytes());
        let secrets = secret(text(&vector, "/input/secret"));
        provider(ProviderKind::Github).verify(&secrets, &request, Timestamp::UNIX_EPOCH).expect("verifies");
    }
}

#[test]
fn standard_webhooks() {
    let vectors = vectors("standard-webhooks");
    assert_eq!(vectors.len(), 3);
    for vector in vectors {
        let seconds = vector["input"]["ts"].as_i64().expect("seconds");
        let timestamp = seconds.to_string();
        let (id, signature) = (text(&vector, "/input/id"), text(&vector, "/expect"));
        let headers = [("webhook-id", id), ("webhook-timestamp", timestamp.as_str()), ("webhook-signature", signature)];
        let request = request(&headers, text(&vector, "/input/body").as_bytes());
        let key = vector["input"]["secret"].as_str().or(vector["input"]["public"].as_str()).expect("a key");
        let now = Timestamp::from_second(seconds).expect("in range");
        provider(ProviderKind::Standard).verify(&secret(key), &request, now).expect("verifies");
    }
}

fn at() -> Timestamp {
    Timestamp::from_second(1_700_000_000).expect("in range")
}

const KEYS: [(ProviderKind, &str, &[&str]); 2] = [
    (ProviderKind::Github, "secret", &["x-hub-signature-256"]),
    (
        ProviderKind::Standard,
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        &["webhook-id", "webhook-timestamp", "webhook-signature"],
    ),
];

proptest! {
    /// Flips one bit of something that is signed; the delivery must be refused.
    #[test]
    fn any_altered_signed_byte_is_refused(which in 0usize..2, place in any::<prop::sample::Index>(), bit in 0u8..8, subject in "[a-z]{1,20}") {
        let (kind, key, headers) = KEYS[which];
        let provider = provider(kind);
        let sample = provider.sample(&secret(key), at(), "0123", &subject).expect("signs");
        let mut request = RawRequest { method: http::Method::POST, query: String::new(), headers: sample.headers, body: sample.body };
        prop_assert!(provider.verify(&secret(key), &request, at()).is_ok());
        let lengths: Vec<usize> = headers.iter().map(|name| request.headers[*name].len()).chain([request.body.len()]).collect();
        let mut at_byte = place.index(lengths.iter().sum());
        let part = lengths.iter().position(|length| { let here = at_byte < *length; if !here { at_byte -= length; } here }).expect("inside");
        if part == headers.len() {
            let mut body = request.body.to_vec();
            body[at_byte] ^= 1 << bit;
            request.body = body.into();
        } else {
            let name = headers[part];
            let mut value = request.headers[name].as_bytes().to_vec();
            let before = value[at_byte];
            value[at_byte] ^= 1 << bit;
            // Hexadecimal digits mean the same in either case, and white space around a value is no part of it.
            let same = kind == ProviderKind::Github && before.eq_ignore_ascii_case(&value[at_byte]) && at_byte >= 7;
            let Ok(altered) = HeaderValue::from_bytes(&value) else { return Ok(()) };
            if same || altered.to_str().is_ok_and(|text| text.trim().len() != value.len()) {
                return Ok(());
            }
            request.headers.insert(name, altered);
        }
        prop_assert!(provider.verify(&secret(key), &request, at()).is_err());
    }

    /// Whatever comes, nothing panics: not the signature, not the identity, not the message.
    #[test]
    fn parsers_never_panic(body in prop::collection::vec(any::<u8>(), 0..400), event in "\\PC{0,20}", form in any::<bool>()) {
        super::corpus::exercise(&body, &event, form);
    }

    #[test]
    fn json_like_bodies_never_panic(body in "[\\[\\]{}\":,a-z0-9\\\\ ]{0,300}") {
        super::corpus::exercise(body.as_bytes(), "issues", false);
    }
}
