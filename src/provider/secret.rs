//! Anything that can send the header `x-aurora-secret`, or better, `x-aurora-signature`.
//!
//! The plain header proves only that the sender knew the secret. `x-aurora-signature` is Standard Webhooks
//! `v1` over `x-aurora-id`, `x-aurora-timestamp` and the body, and proves those as well.

use http::{HeaderMap, HeaderValue};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::model::{Assurance, Parsed, Reason, Secret};

use super::api::{active, fresh, unix_seconds};
use super::standard::{self, Names};
use super::{Envelope, Options, Provider, RawRequest, Rejected, Sample, Stored, Verified, json, mac};

const SECRET: &str = "x-aurora-secret";
const SIGNED: Names = Names { id: "x-aurora-id", timestamp: "x-aurora-timestamp", signature: "x-aurora-signature" };
/// Longest id; it becomes a key in the store.
const MAX_ID: usize = 256;

/// Senders that share a secret.
#[derive(Debug)]
pub(super) struct SharedSecret {
    options: Options,
}

impl SharedSecret {
    pub(super) fn new(options: Options) -> Self {
        Self { options }
    }

    /// The id in the body, where the channel says it is.
    fn pointed(&self, body: &[u8]) -> Option<String> {
        let pointer = self.options.dedupe_pointer.as_deref()?;
        let value: Value = serde_json::from_slice(body).ok()?;
        let id = match value.pointer(pointer)? {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            _ => return None,
        };
        (!id.is_empty() && id.len() <= MAX_ID).then_some(id)
    }
}

impl Provider for SharedSecret {
    fn accepts(&self, _media_type: Option<&str>) -> bool {
        true
    }

    fn check_secret(&self, secret: &Secret) -> Result<(), String> {
        if secret.expose().is_ascii() { Ok(()) } else { Err("a header carries ASCII only".to_owned()) }
    }

    fn is_guessable(&self) -> bool {
        true
    }

    fn verify(&self, secrets: &[Secret], request: &RawRequest, now: Timestamp) -> Result<Verified, Rejected> {
        refuse_telling_query(&request.query)?;
        if request.headers.contains_key(SIGNED.signature) {
            return standard::verify(&SIGNED, secrets, request, now);
        }
        let sent = request.required(SECRET)?;
        let mut tried = Vec::new();
        let mut known = false;
        for (number, secret) in active(secrets, now, &mut tried) {
            // Every secret is compared, so that the time tells nothing of which one it was.
            let same = mac::same_secret(sent.as_bytes(), secret.expose().as_bytes());
            known |= same;
            if !same {
                tried.push(format!("secret {number}: the header holds another value"));
            }
        }
        if !known {
            let detail = format!("{SECRET} is not one of the active secrets");
            return Err(Rejected { tried, ..Rejected::new(Reason::Signature, detail) });
        }
        // Only now, when the sender has shown that it knows the secret: before, the time this takes would help to guess.
        refuse_secret_in_query(sent, &request.query)?;
        let id = request.one(SIGNED.id)?.filter(|id| !id.is_empty());
        if id.is_some_and(|id| id.len() > MAX_ID) {
            let detail = format!("{} has more than {MAX_ID} characters", SIGNED.id);
            return Err(Rejected::new(Reason::MalformedHeader, detail));
        }
        let time = request.one(SIGNED.timestamp)?.map(|text| unix_seconds(SIGNED.timestamp, text)).transpose()?;
        if let Some(time) = time {
            fresh(SIGNED.timestamp, time, now)?;
        }
        Ok(Verified { assurance: Assurance::Static, time, id: id.map(str::to_owned) })
    }

    fn identify(&self, request: &RawRequest, verified: &Verified) -> Vec<Envelope> {
        let key = verified.id.clone().or_else(|| self.pointed(&request.body));
        let window = i64::from(self.options.dedupe_window);
        vec![Envelope {
            kind: standard::kind(&request.body).unwrap_or_else(|| "message.received".to_owned()),
            time: verified.time,
            body_window: (key.is_none() && window > 0).then(|| SignedDuration::from_secs(window)),
            key,
            data: request.body.clone(),
            content: None,
            dead: None,
        }]
    }

    fn parse(&self, stored: &Stored<'_>) -> Parsed {
        json::read(stored)
    }

    fn sample(&self, secrets: &[Secret], now: Timestamp, id: &str, text: &str, _url: &str) -> Result<Sample, String> {
        let secret = secrets.iter().find(|secret| secret.is_active(now)).ok_or("no active secret")?;
        let body = json!({
            "subject": text,
            "text": format!("A sample from `aurora send-test`, {id}."),
            "from": "ann@example.org",
        });
        let mut value = HeaderValue::from_str(secret.expose()).map_err(|_| "the secret cannot be a header")?;
        value.set_sensitive(true);
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static("application/json"));
        headers.insert(SECRET, value);
        headers.insert(SIGNED.id, HeaderValue::from_str(id).map_err(|e| e.to_string())?);
        Ok(Sample { headers, body: body.to_string().into() })
    }

    /// The body is not covered; the secret is another.
    fn forge(&self, mut sample: Sample) -> Sample {
        sample.headers.insert(SECRET, HeaderValue::from_static("forged"));
        sample
    }
}

fn in_query() -> Rejected {
    Rejected::new(Reason::SecretInQuery, format!("the secret belongs into the header {SECRET}, not into the address"))
}

/// Refuses a query with a parameter that is called like a secret: addresses end in logs, headers do not.
fn refuse_telling_query(query: &str) -> Result<(), Rejected> {
    let telling = |name: &str| matches!(name, "secret" | "x-aurora-secret" | "aurora-secret" | "token" | "key");
    let tells = form_urlencoded::parse(query.as_bytes()).any(|(name, _)| telling(&name.to_ascii_lowercase()));
    if tells { Err(in_query()) } else { Ok(()) }
}

/// Refuses a query that holds the secret anywhere: as it is, percent-encoded, or with `+` for a space.
fn refuse_secret_in_query(secret: &str, query: &str) -> Result<(), Rejected> {
    let decode = |query: &str| {
        let pairs = form_urlencoded::parse(query.as_bytes());
        pairs.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
    };
    // A literal `+` is what stands in the log, whatever a form would make of it.
    let forms = [query.to_owned(), decode(query), decode(&query.replace('+', "%2B"))];
    if forms.iter().any(|form| form.contains(secret)) { Err(in_query()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_700_000_000;

    fn provider(window: u32, pointer: Option<&str>) -> SharedSecret {
        SharedSecret::new(Options { dedupe_window: window, dedupe_pointer: pointer.map(str::to_owned) })
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).expect("in range")
    }

    fn secrets() -> Vec<Secret> {
        vec![
            Secret::new("old-old-old-old-old-old-old-old-old".into(), Some(at(NOW - 1))),
            Secret::new("new-new-new-new-new-new-new-new-new".into(), None),
        ]
    }

    fn request(headers: &[(&'static str, &str)], query: &str, body: &'static str) -> RawRequest {
        let headers = headers
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), HeaderValue::from_str(value).expect("a header")))
            .collect();
        RawRequest { query: query.to_owned(), ..RawRequest::posted(headers, body) }
    }

    fn verify(request: &RawRequest) -> Result<Verified, Reason> {
        provider(600, None).verify(&secrets(), request, at(NOW)).map_err(|rejected| rejected.reason)
    }

    #[test]
    fn only_an_active_secret_counts() {
        let with = |value: &str| verify(&request(&[(SECRET, value)], "", "x"));
        assert_eq!(with("new-new-new-new-new-new-new-new-new").map(|v| v.assurance), Ok(Assurance::Static));
        assert_eq!(with("old-old-old-old-old-old-old-old-old"), Err(Reason::Signature), "it has ended");
        assert_eq!(with("new-new-new-new-new-new-new-new-ne"), Err(Reason::Signature));
        assert_eq!(with(""), Err(Reason::MissingHeader));
        assert_eq!(verify(&request(&[], "", "x")), Err(Reason::MissingHeader));
    }

    #[test]
    fn a_secret_in_the_address_is_refused_even_beside_the_header() {
        let good = (SECRET, "new-new-new-new-new-new-new-new-new");
        for query in ["secret=x", "x=new-new-new-new-new-new-new-new-new", "X-Aurora-Secret=x"] {
            assert_eq!(verify(&request(&[good], query, "x")), Err(Reason::SecretInQuery), "{query}");
        }
        assert!(verify(&request(&[good], "page=2", "x")).is_ok());
        let plus = [Secret::new("a+b c".into(), None)];
        for query in ["x=a+b%20c", "x=a%2Bb%20c", "a%2Bb+c=1", "x=Bearer%20a%2Bb%20c;y"] {
            let sent = request(&[(SECRET, "a+b c")], query, "x");
            let rejected = provider(600, None).verify(&plus, &sent, at(NOW)).expect_err(query);
            assert_eq!(rejected.reason, Reason::SecretInQuery, "{query}");
        }
    }

    #[test]
    fn a_timestamp_is_optional_but_must_be_fresh() {
        let with = |time: &str| {
            verify(&request(&[(SECRET, "new-new-new-new-new-new-new-new-new"), (SIGNED.timestamp, time)], "", "x"))
        };
        assert!(with("1700000300").is_ok());
        assert_eq!(with("1700000301"), Err(Reason::Stale));
        assert_eq!(with("soon"), Err(Reason::MalformedHeader));
    }

    #[test]
    fn a_signature_is_standard_webhooks_and_proves_more() {
        let secret = Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into(), None);
        let signed = request(
            &[
                (SIGNED.id, "msg_p5jXN8AQM9LWM0D4loKWxJek"),
                (SIGNED.timestamp, "1614265330"),
                (SIGNED.signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
            ],
            "",
            r#"{"test": 2432232314}"#,
        );
        let verified =
            provider(600, None).verify(std::slice::from_ref(&secret), &signed, at(1_614_265_330)).expect("verifies");
        assert_eq!(verified.assurance, Assurance::BodyAndTime);
        let altered = RawRequest { body: r#"{"test": 2432232315}"#.into(), ..signed };
        assert!(provider(600, None).verify(&[secret], &altered, at(1_614_265_330)).is_err());
    }

    #[test]
    fn what_names_the_event() {
        let verified =
            |id: Option<&str>| Verified { assurance: Assurance::Static, time: None, id: id.map(str::to_owned) };
        let body = request(&[], "", r#"{"data":{"id":42}}"#);
        let key = |provider: &SharedSecret, id| {
            let envelope = provider.identify(&body, &verified(id)).remove(0);
            (envelope.key, envelope.body_window.map(|window| window.as_secs()))
        };
        assert_eq!(key(&provider(600, Some("/data/id")), Some("h")), (Some("h".into()), None));
        assert_eq!(key(&provider(600, Some("/data/id")), None), (Some("42".into()), None));
        assert_eq!(key(&provider(600, None), None), (None, Some(600)));
        assert_eq!(key(&provider(0, None), None), (None, None));
    }
}
