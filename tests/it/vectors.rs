//! Known answers: the official vectors of every provider that is built.

use aurora::model::{ProviderKind, Secret};
use aurora::provider::{Form, Options, Provider, RawRequest, build};
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
    RawRequest {
        method: http::Method::POST,
        address: URL.into(),
        query: String::new(),
        headers,
        body: body.to_vec().into(),
        form: None,
    }
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

#[test]
fn typeform() {
    let vectors = vectors("typeform");
    assert_eq!(vectors.len(), 1);
    for vector in vectors {
        let headers = [("typeform-signature", text(&vector, "/expect"))];
        let request = request(&headers, text(&vector, "/input/body").as_bytes());
        let secrets = secret(text(&vector, "/input/secret"));
        provider(ProviderKind::Typeform).verify(&secrets, &request, Timestamp::UNIX_EPOCH).expect("verifies");
    }
}

/// The body whose hash a vector's address names; the vectors give one body, and `{}` in the name of another.
fn hashed_body(vectors: &[Value], query: &str) -> Option<String> {
    let hash = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "bodySHA256")?.1.into_owned();
    let given = vectors.iter().find(|vector| vector["expect"] == hash.as_str());
    Some(given.map_or("{}", |vector| text(vector, "/input/body")).to_owned())
}

#[test]
fn twilio() {
    let vectors = vectors("twilio");
    let signed: Vec<&Value> = vectors.iter().filter(|vector| vector["input"]["token"].is_string()).collect();
    assert_eq!(signed.len(), 10);
    for vector in signed {
        let (address, query) = text(vector, "/input/request_url").split_once('?').expect("a query");
        let mut form = form_urlencoded::Serializer::new(String::new());
        for (name, value) in vector["input"]["params"].as_object().expect("parameters") {
            for value in value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice) {
                form.append_pair(name, value.as_str().expect("text"));
            }
        }
        let (media, body) = match hashed_body(&vectors, query) {
            Some(body) => ("application/json", body),
            None => ("application/x-www-form-urlencoded", form.finish()),
        };
        let headers = [("x-twilio-signature", text(vector, "/expect")), ("content-type", media)];
        let good =
            RawRequest { address: address.into(), query: query.to_owned(), ..request(&headers, body.as_bytes()) };
        let verify = |request: &RawRequest| {
            let secrets = secret(text(vector, "/input/token"));
            provider(ProviderKind::Twilio).verify(&secrets, request, Timestamp::UNIX_EPOCH)
        };
        verify(&good).unwrap_or_else(|rejected| panic!("{}: {rejected} {:?}", vector["name"], rejected.tried));
        verify(&RawRequest { query: format!("{query}1"), ..good.clone() }).expect_err("another address");
        verify(&RawRequest { body: format!("{body}1").into(), ..good }).expect_err("another body");
    }
}

/// A form of Mailgun as the door hands it over.
fn mailgun_form(timestamp: &str, token: &str, signature: &str) -> RawRequest {
    let fields = [("timestamp", timestamp), ("token", token), ("signature", signature), ("recipient", "a@example.org")];
    let text: String = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let form = Form::decode("application/x-www-form-urlencoded", text.as_bytes()).expect("a form");
    RawRequest { form: Some(form), ..request(&[("content-type", "application/x-www-form-urlencoded")], b"") }
}

#[test]
fn mailgun() {
    let vectors = vectors("mailgun");
    assert_eq!(vectors.len(), 3);
    for vector in vectors {
        let (timestamp, token) = (text(&vector, "/input/timestamp"), text(&vector, "/input/token"));
        let signature = text(&vector, "/expect");
        let now = Timestamp::from_second(timestamp.parse().expect("seconds")).expect("in range");
        let provider = provider(ProviderKind::Mailgun);
        let secrets = secret(text(&vector, "/input/key"));
        provider.verify(&secrets, &mailgun_form(timestamp, token, signature), now).expect("verifies");
        let event = serde_json::json!({
            "signature": { "timestamp": timestamp, "token": token, "signature": signature },
            "event-data": { "event": "delivered", "id": "1" },
        });
        let event = request(&[("content-type", "application/json")], event.to_string().as_bytes());
        provider.verify(&secrets, &event, now).expect("verifies");
        for (place, _) in token.char_indices() {
            let mut other = token.to_owned();
            other.replace_range(place..=place, if &token[place..=place] == "0" { "1" } else { "0" });
            assert!(provider.verify(&secrets, &mailgun_form(timestamp, &other, signature), now).is_err(), "{other}");
        }
        for place in 0..64 {
            let mut other = signature.to_owned();
            other.replace_range(place..=place, if &signature[place..=place] == "0" { "1" } else { "0" });
            assert!(provider.verify(&secrets, &mailgun_form(timestamp, token, &other), now).is_err(), "{other}");
        }
        assert!(provider.verify(&secrets, &mailgun_form(&format!("0{timestamp}"), token, signature), now).is_err());
    }
}

fn at() -> Timestamp {
    Timestamp::from_second(1_700_000_000).expect("in range")
}

/// What the providers of the samples were told.
const URL: &str = "https://hub.example.org/x";

const KEYS: [(ProviderKind, &str, &[&str]); 4] = [
    (ProviderKind::Typeform, "secret", &["typeform-signature"]),
    (ProviderKind::Twilio, "0123456789abcdef0123456789abcdef", &["x-twilio-signature"]),
    (ProviderKind::Github, "secret", &["x-hub-signature-256"]),
    (
        ProviderKind::Standard,
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        &["webhook-id", "webhook-timestamp", "webhook-signature"],
    ),
];

fn parameters(form: &[u8]) -> Vec<(String, String)> {
    let mut parameters: Vec<_> = form_urlencoded::parse(form).into_owned().collect();
    parameters.sort();
    parameters
}

proptest! {
    /// Flips one bit of a query that is signed; the delivery must be refused.
    #[test]
    fn an_altered_address_is_refused(query in "[a-z]{1,8}=[a-z0-9.+]{0,8}(&[a-z]{1,8}=[a-z0-9%27]{0,8})?", place in any::<prop::sample::Index>(), bit in 0u8..7) {
        let (_, key, _) = KEYS[1];
        let twilio = provider(ProviderKind::Twilio);
        let sample = twilio.sample(&secret(key), at(), "0123", "hello", &format!("{URL}?{query}")).expect("signs");
        let request = RawRequest { query: query.clone(), headers: sample.headers, body: sample.body, ..request(&[], b"") };
        prop_assert!(twilio.verify(&secret(key), &request, at()).is_ok());
        let mut altered = query.clone().into_bytes();
        let at_byte = place.index(altered.len());
        altered[at_byte] ^= 1 << bit;
        let altered = String::from_utf8(altered).expect("ASCII");
        if parameters(altered.as_bytes()) != parameters(query.as_bytes()) {
            let altered = RawRequest { query: altered, ..request.clone() };
            prop_assert!(twilio.verify(&secret(key), &altered, at()).is_err());
        }
        let elsewhere = RawRequest { address: "https://hub.example.org/y".into(), ..request };
        prop_assert!(twilio.verify(&secret(key), &elsewhere, at()).is_err());
    }

    /// Flips one bit of something that is signed; the delivery must be refused.
    #[test]
    fn any_altered_signed_byte_is_refused(which in 0usize..KEYS.len(), place in any::<prop::sample::Index>(), bit in 0u8..8, subject in "[a-z]{1,20}") {
        let (kind, key, headers) = KEYS[which];
        let provider = provider(kind);
        let sample = provider.sample(&secret(key), at(), "0123", &subject, URL).expect("signs");
        let mut request = RawRequest { method: http::Method::POST, address: URL.into(), query: String::new(), headers: sample.headers, body: sample.body, form: None };
        prop_assert!(provider.verify(&secret(key), &request, at()).is_ok());
        let lengths: Vec<usize> = headers.iter().map(|name| request.headers[*name].len()).chain([request.body.len()]).collect();
        let mut at_byte = place.index(lengths.iter().sum());
        let part = lengths.iter().position(|length| { let here = at_byte < *length; if !here { at_byte -= length; } here }).expect("inside");
        if part == headers.len() {
            let mut body = request.body.to_vec();
            body[at_byte] ^= 1 << bit;
            // Parameters are signed, not how they are written.
            if kind == ProviderKind::Twilio && parameters(&body) == parameters(&request.body) {
                return Ok(());
            }
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
