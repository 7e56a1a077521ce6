//! Typeform webhooks: `Typeform-Signature` over the exact body (typeform.com/developers, "Secure your webhooks").
//!
//! The signature covers `event_id`, so that alone tells a repeat. Typeform disables a webhook at once and for good
//! when it is answered 404 or 410; 503 makes it try again every two to three minutes for ten hours.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::{HeaderMap, HeaderValue};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::json;

use crate::model::{Assurance, Parsed, Reason, Secret};

use super::api::active;
use super::{Answer, Envelope, Outcome, Provider, RawRequest, Rejected, Sample, Stored, Verified, mac, typeform_read};

/// Carries `sha256=` and the base64 of the HMAC.
pub(super) const SIGNATURE: &str = "typeform-signature";
/// Longest `event_id`; it becomes a key in the store.
const MAX_ID: usize = 128;
/// For how long an equal body without an id counts as a repeat: longer than Typeform tries again.
const NAMELESS: SignedDuration = SignedDuration::from_hours(72);
/// Seconds after which a delivery that found nobody may come again.
const COME_BACK: u32 = 120;

/// Forms at Typeform.
#[derive(Debug)]
pub(super) struct Typeform;

/// What names an event.
#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow, default)]
    event_id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    event_type: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    form_response: Option<Response<'a>>,
}

#[derive(Deserialize)]
struct Response<'a> {
    #[serde(borrow, default)]
    submitted_at: Option<Cow<'a, str>>,
}

impl Provider for Typeform {
    fn accepts(&self, media_type: Option<&str>) -> bool {
        media_type == Some("application/json")
    }

    fn check_secret(&self, secret: &Secret) -> Result<(), String> {
        if secret.expose().starts_with("tfp_") {
            return Err("that is a personal access token; the webhook has a secret of its own".to_owned());
        }
        Ok(())
    }

    fn verify(&self, secrets: &[Secret], request: &RawRequest, now: Timestamp) -> Result<Verified, Rejected> {
        let header = request.required(SIGNATURE)?;
        let signature = header.strip_prefix("sha256=").and_then(|text| BASE64.decode(text).ok());
        let Some(signature) = signature.filter(|bytes| bytes.len() == 32) else {
            let detail = format!("{SIGNATURE} is not sha256= and the base64 of 32 bytes");
            return Err(Rejected::new(Reason::MalformedHeader, detail));
        };
        let mut tried = Vec::new();
        let mut known = false;
        for (number, secret) in active(secrets, now, &mut tried) {
            known |= mac::verifies(secret.expose().as_bytes(), &[&request.body], &signature);
            tried
                .push(format!("secret {number}: HMAC-SHA256 over {} bytes of body does not match", request.body.len()));
        }
        if known {
            return Ok(Verified { assurance: Assurance::Body, time: None, id: None });
        }
        let detail = "no active secret made this signature over this body";
        Err(Rejected { tried, ..Rejected::new(Reason::Signature, detail) })
    }

    fn identify(&self, request: &RawRequest, _verified: &Verified) -> Vec<Envelope> {
        let head = serde_json::from_slice::<Head<'_>>(&request.body);
        let problem = head.as_ref().err().map(|error| format!("the body is not the JSON of an event: {error}"));
        let head = head.ok();
        let time = head.as_ref().and_then(|head| head.form_response.as_ref()?.submitted_at.as_deref()?.parse().ok());
        let kind = match head.as_ref().and_then(|head| head.event_type.as_deref()) {
            Some("form_response") => "form.submitted".to_owned(),
            Some(other) if is_word(other) => format!("typeform.{other}"),
            _ => "typeform.unknown".to_owned(),
        };
        let key = head.and_then(|head| head.event_id).filter(|id| is_id(id)).map(Cow::into_owned);
        let nameless = || key.is_none().then(|| "event_id is missing, too long or not printable".to_owned());
        let dead = problem.or_else(nameless);
        vec![Envelope {
            kind,
            time,
            body_window: key.is_none().then_some(NAMELESS),
            key,
            data: request.body.clone(),
            content: None,
            dead,
        }]
    }

    fn parse(&self, stored: &Stored<'_>) -> Parsed {
        typeform_read::read(stored)
    }

    fn answer(&self, outcome: Outcome) -> Answer {
        match outcome {
            Outcome::Stored => Answer::new(200, "accepted\n"),
            Outcome::Refused(Reason::UnknownPath | Reason::Method) => {
                Answer::new(503, "not now\n").retry_after(COME_BACK)
            }
            _ => Answer::usual(outcome),
        }
    }

    fn sample(&self, secrets: &[Secret], now: Timestamp, id: &str, text: &str, _url: &str) -> Result<Sample, String> {
        let secret = secrets.iter().find(|secret| secret.is_active(now)).ok_or("no active secret")?;
        let field = |id: &str, kind: &str, title: &str| json!({ "id": id, "type": kind, "ref": id, "title": title });
        let body = json!({
            "event_id": id,
            "event_type": "form_response",
            "form_response": {
                "form_id": "sample",
                "token": id,
                "submitted_at": now.to_string(),
                "definition": {
                    "id": "sample",
                    "title": "Contact us",
                    "fields": [
                        field("name", "short_text", "What is your name?"),
                        field("email", "email", "Your email"),
                        field("topic", "multiple_choice", "What is it about?"),
                        field("text", "long_text", "Your message"),
                    ],
                },
                "answers": [
                    { "type": "text", "text": "Ann Example", "field": { "id": "name", "type": "short_text" } },
                    { "type": "email", "email": "ann@example.org", "field": { "id": "email", "type": "email" } },
                    { "type": "choice", "choice": { "label": "An order" }, "field": { "id": "topic", "type": "multiple_choice" } },
                    { "type": "text", "text": text, "field": { "id": "text", "type": "long_text" } },
                ],
                "calculated": { "score": 7 },
                "hidden": { "source": "aurora send-test" },
            },
        })
        .to_string();
        let signature = BASE64.encode(mac::sign(secret.expose().as_bytes(), &[body.as_bytes()]));
        let signature = HeaderValue::from_str(&format!("sha256={signature}")).map_err(|e| e.to_string())?;
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static("application/json"));
        headers.insert("user-agent", HeaderValue::from_static("aurora-send-test"));
        headers.insert(SIGNATURE, signature);
        Ok(Sample { headers, body: body.into() })
    }
}

/// What may become part of a type.
fn is_word(text: &str) -> bool {
    !text.is_empty() && text.len() <= 64 && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
}

fn is_id(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_ID && text.bytes().all(|b| b.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(values: &[&str]) -> Vec<Secret> {
        values.iter().map(|value| Secret::new((*value).into(), None)).collect()
    }

    fn now() -> Timestamp {
        Timestamp::from_second(1_700_000_000).expect("in range")
    }

    fn delivery() -> RawRequest {
        let sample = Typeform.sample(&secrets(&["k"]), now(), "01HX", "hello", "").expect("signs");
        RawRequest::posted(sample.headers, sample.body)
    }

    fn identified(body: &'static [u8]) -> Envelope {
        let verified = Verified { assurance: Assurance::Body, time: None, id: None };
        Typeform.identify(&RawRequest { body: body.into(), ..delivery() }, &verified).remove(0)
    }

    #[test]
    fn rotation_accepts_either_secret() {
        for held in [&["k"][..], &["old", "k"], &["k", "new"]] {
            assert!(Typeform.verify(&secrets(held), &delivery(), now()).is_ok(), "{held:?}");
        }
        let rejected = Typeform.verify(&secrets(&["a", "b"]), &delivery(), now()).expect_err("neither");
        assert_eq!((rejected.reason, rejected.tried.len()), (Reason::Signature, 2));
        let ended = [Secret::new("k".into(), Some(now() - SignedDuration::from_secs(1)))];
        assert!(Typeform.verify(&ended, &delivery(), now()).is_err(), "it has ended");
    }

    #[test]
    fn headers_missing_doubled_or_malformed_are_refused() {
        let reason =
            |request: &RawRequest| Typeform.verify(&secrets(&["k"]), request, now()).expect_err("refused").reason;
        let mut request = delivery();
        let right = request.headers.remove(SIGNATURE).expect("a signature");
        assert_eq!(reason(&request), Reason::MissingHeader);
        let hexed = format!("sha256={}", "ab".repeat(32));
        for bad in ["", "sha256=", "sha1=abcd", &right.to_str().expect("ASCII")[7..], "sha256=YWJj", hexed.as_str()] {
            request.headers.insert(SIGNATURE, HeaderValue::from_str(bad).expect("a value"));
            assert!(matches!(reason(&request), Reason::MissingHeader | Reason::MalformedHeader), "{bad}");
        }
        request.headers.insert(SIGNATURE, right.clone());
        assert!(Typeform.verify(&secrets(&["k"]), &request, now()).is_ok());
        request.headers.append(SIGNATURE, right);
        assert_eq!(reason(&request), Reason::DoubledHeader);
    }

    #[test]
    fn the_event_is_named_and_timed_by_its_body() {
        let envelope = identified(
            br#"{"event_id":"e1","event_type":"form_response","form_response":{"submitted_at":"2026-11-21T10:00:00Z"}}"#,
        );
        assert_eq!((envelope.kind.as_str(), envelope.key.as_deref()), ("form.submitted", Some("e1")));
        assert_eq!(envelope.time.map(|time| time.to_string()).as_deref(), Some("2026-11-21T10:00:00Z"));
        assert_eq!((envelope.dead, envelope.body_window), (None, None));
        let other = identified(br#"{"event_id":"e2","event_type":"form_response_partial"}"#);
        assert_eq!((other.kind.as_str(), other.dead), ("typeform.form_response_partial", None), "stored, not failed");
        let odd = identified(br#"{"event_id":"e3","event_type":"\u001b[2J"}"#);
        assert_eq!((odd.kind.as_str(), odd.dead), ("typeform.unknown", None));
    }

    #[test]
    fn what_cannot_be_named_is_a_dead_letter() {
        let deep = format!("{{\"event_id\":\"e\",\"x\":{}", "[".repeat(100_000)).leak().as_bytes();
        for body in [
            &b"{"[..],
            b"",
            b"\xff\xfe",
            b"[]",
            br#"{"event_type":"form_response"}"#,
            br#"{"event_id":7}"#,
            br#"{"event_id":""}"#,
            br#"{"event_id":"a b"}"#,
            br#"{"event_id":"e","event_id":"f"}"#,
            deep,
        ] {
            let envelope = identified(body);
            assert!(envelope.dead.is_some() && envelope.key.is_none(), "{envelope:?}");
            assert_eq!(envelope.body_window, Some(NAMELESS));
        }
    }

    #[test]
    fn nothing_is_ever_answered_404_or_410() {
        for reason in Reason::ALL {
            let status = Typeform.answer(Outcome::Refused(reason)).status;
            assert!(!matches!(status, 404 | 410), "{reason:?}");
        }
        for reason in [Reason::UnknownPath, Reason::Method] {
            let answer = Typeform.answer(Outcome::Refused(reason));
            assert_eq!((answer.status, answer.retry_after), (503, Some(COME_BACK)));
        }
    }

    #[test]
    fn a_forged_sample_does_not_verify() {
        let sample = Typeform.sample(&secrets(&["k"]), now(), "01HX", "hello", "").expect("signs");
        let forged = Typeform.forge(sample);
        let request = RawRequest { headers: forged.headers, body: forged.body, ..delivery() };
        assert!(Typeform.verify(&secrets(&["k"]), &request, now()).is_err());
    }
}
