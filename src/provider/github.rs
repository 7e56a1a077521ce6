//! GitHub webhooks: `X-Hub-Signature-256` over the exact body (docs.github.com, "Validating webhook deliveries").
//!
//! The signature covers neither a time nor `X-GitHub-Delivery`. Whoever captured one delivery could send it
//! again under a fresh id, so an equal body counts as a repeat as well. GitHub never retries by itself; a
//! manual redelivery keeps its id and is possible for three days, which is the window of that guard.

use std::borrow::Cow;

use http::{HeaderMap, HeaderValue};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::model::{Assurance, Parsed, Person, Reason, Secret};

use super::api::active;
use super::{Envelope, Provider, RawRequest, Rejected, Sample, Stored, Verified, json, mac};

const SIGNATURE: &str = "x-hub-signature-256";
const EVENT: &str = "x-github-event";
const DELIVERY: &str = "x-github-delivery";
const FORM: &str = "application/x-www-form-urlencoded";
const BODY_WINDOW: SignedDuration = SignedDuration::from_hours(72);

/// GitHub repository, organisation and app webhooks.
#[derive(Debug)]
pub(super) struct Github;

impl Provider for Github {
    fn accepts(&self, media_type: Option<&str>) -> bool {
        matches!(media_type, Some("application/json" | FORM))
    }

    fn check_secret(&self, _secret: &Secret) -> Result<(), String> {
        Ok(())
    }

    fn verify(&self, secrets: &[Secret], request: &RawRequest, now: Timestamp) -> Result<Verified, Rejected> {
        let header = request.required(SIGNATURE)?;
        let malformed =
            || Rejected::new(Reason::MalformedHeader, format!("{SIGNATURE} is not sha256= and 64 hexadecimal digits"));
        let mut signature = [0; 32];
        let digits = header.strip_prefix("sha256=").ok_or_else(malformed)?;
        hex::decode_to_slice(digits, &mut signature).map_err(|_| malformed())?;
        let mut tried = Vec::new();
        for (number, secret) in active(secrets, now, &mut tried) {
            if mac::verifies(secret.expose().as_bytes(), &[&request.body], &signature) {
                return Ok(Verified { assurance: Assurance::Body, time: None, id: None });
            }
            tried
                .push(format!("secret {number}: HMAC-SHA256 over {} bytes of body does not match", request.body.len()));
        }
        let detail = "no active secret made this signature over this body";
        Err(Rejected { tried, ..Rejected::new(Reason::Signature, detail) })
    }

    fn identify(&self, request: &RawRequest, _verified: &Verified) -> Vec<Envelope> {
        #[derive(Deserialize)]
        struct Head<'a> {
            #[serde(borrow, default)]
            action: Option<Cow<'a, str>>,
        }

        let event = request.one(EVENT).ok().flatten().filter(|name| is_word(name));
        let delivery = request.one(DELIVERY).ok().flatten().filter(|id| !id.is_empty() && id.len() <= 128);
        let payload = payload(request.media_type().as_deref(), &request.body);
        let head = payload.as_deref().map(serde_json::from_slice::<Head<'_>>);
        let dead = match (&event, &delivery, &head) {
            (None, ..) => Some(format!("{EVENT} is missing or not a word")),
            (_, None, _) => Some(format!("{DELIVERY} is missing or too long")),
            (_, _, None) => Some("the form has no payload".to_owned()),
            (_, _, Some(Err(error))) => Some(format!("the body is not the JSON of an event: {error}")),
            _ => None,
        };
        let action = head.and_then(Result::ok).and_then(|head| head.action).filter(|action| is_word(action));
        let kind = match (event, action) {
            (None, _) => "github.unknown".to_owned(),
            (Some(event), None) => format!("github.{event}"),
            (Some(event), Some(action)) => format!("github.{event}.{action}"),
        };
        vec![Envelope {
            kind,
            time: None,
            key: delivery.map(str::to_owned),
            body_window: Some(BODY_WINDOW),
            data: request.body.clone(),
            content: None,
            dead,
        }]
    }

    fn parse(&self, stored: &Stored<'_>) -> Parsed {
        let media_type = header(stored, "content-type").map(|value| value.split(';').next().unwrap_or_default().trim());
        let payload = payload(media_type, stored.data);
        match payload.and_then(|payload| serde_json::from_slice::<Value>(&payload).ok()) {
            Some(value) => read(stored.kind, &value),
            None => json::plain(stored),
        }
    }

    fn sample(&self, secrets: &[Secret], now: Timestamp, id: &str, text: &str, _url: &str) -> Result<Sample, String> {
        let secret = secrets.iter().find(|secret| secret.is_active(now)).ok_or("no active secret")?;
        let body = json!({
            "action": "opened",
            "issue": { "number": 1, "title": text, "body": format!("A sample from `aurora send-test`, {id}.") },
            "repository": { "full_name": "example/garden" },
            "sender": { "login": "octocat" },
            "sent_at": now.to_string(),
        })
        .to_string();
        let signature = format!("sha256={}", hex::encode(mac::sign(secret.expose().as_bytes(), &[body.as_bytes()])));
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("content-type", "application/json"),
            ("user-agent", "GitHub-Hookshot/aurora-send-test"),
            (EVENT, "issues"),
            (DELIVERY, id),
            (SIGNATURE, &signature),
        ] {
            headers.insert(name, HeaderValue::from_str(value).map_err(|e| e.to_string())?);
        }
        Ok(Sample { headers, body: body.into() })
    }
}

/// The JSON of a delivery: the body, or the field `payload` of a form.
fn payload<'a>(media_type: Option<&str>, body: &'a [u8]) -> Option<Cow<'a, [u8]>> {
    if media_type != Some(FORM) {
        return Some(Cow::Borrowed(body));
    }
    let (_, payload) = form_urlencoded::parse(body).find(|(name, _)| name == "payload")?;
    Some(Cow::Owned(payload.into_owned().into_bytes()))
}

fn header<'a>(stored: &Stored<'a>, name: &str) -> Option<&'a str> {
    stored.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

/// Event and action names: what may become part of a type.
fn is_word(text: &str) -> bool {
    !text.is_empty() && text.len() <= 64 && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
}

fn read(kind: &str, value: &Value) -> Parsed {
    let text_at = |pointer: &str| value.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let repository = text_at("/repository/full_name");
    let scope =
        [repository, text_at("/organization/login")].into_iter().find(|name| !name.is_empty()).unwrap_or("github");
    let what = kind.strip_prefix("github.").unwrap_or(kind).replace('.', " ");
    let number = ["/issue/number", "/pull_request/number", "/discussion/number", "/alert/number"]
        .iter()
        .find_map(|pointer| value.pointer(pointer).and_then(Value::as_u64));
    let title = [
        "/issue/title",
        "/pull_request/title",
        "/discussion/title",
        "/release/name",
        "/head_commit/message",
        "/workflow_run/name",
        "/ref",
        "/zen",
    ]
    .iter()
    .map(|pointer| text_at(pointer))
    .find(|title| !title.is_empty())
    .unwrap_or_default();
    let title = title.lines().next().unwrap_or_default();
    let place = number.map_or_else(|| scope.to_owned(), |number| format!("{scope}#{number}"));
    let subject = if title.is_empty() { format!("{place} {what}") } else { format!("{place} {what}: {title}") };
    let body = [
        "/comment/body",
        "/review/body",
        "/issue/body",
        "/pull_request/body",
        "/discussion/body",
        "/release/body",
        "/head_commit/message",
    ]
    .iter()
    .map(|pointer| text_at(pointer))
    .find(|body| !body.is_empty())
    .unwrap_or_default();
    let commits = value.get("commits").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let text = if commits.is_empty() { body.to_owned() } else { list_commits(commits) };
    let login = text_at("/sender/login");
    Parsed {
        from: (!login.is_empty()).then(|| Person { address: format!("github:{login}"), name: login.to_owned() }),
        subject,
        text,
        thread: place,
        ..Parsed::default()
    }
}

fn list_commits(commits: &[Value]) -> String {
    let line = |commit: &Value| {
        let text_at = |pointer: &str| commit.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let id: String = text_at("/id").chars().take(8).collect();
        let first = text_at("/message").lines().next().unwrap_or_default().to_owned();
        format!("{id} {first} ({})", text_at("/author/name"))
    };
    commits.iter().map(line).collect::<Vec<_>>().join("\n")
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
        let sample =
            Github.sample(&secrets(&["k"]), now(), "11111111-2222-4333-8444-555555555555", "hello", "").expect("signs");
        RawRequest::posted(sample.headers, sample.body)
    }

    #[test]
    fn rotation_accepts_either_secret() {
        for held in [&["k"][..], &["old", "k"], &["k", "new"]] {
            assert!(Github.verify(&secrets(held), &delivery(), now()).is_ok(), "{held:?}");
        }
        let rejected = Github.verify(&secrets(&["a", "b"]), &delivery(), now()).expect_err("neither");
        assert_eq!(rejected.tried.len(), 2);
    }

    #[test]
    fn headers_missing_doubled_or_malformed_are_refused() {
        let mut request = delivery();
        request.headers.remove(SIGNATURE);
        let reason =
            |request: &RawRequest| Github.verify(&secrets(&["k"]), request, now()).expect_err("refused").reason;
        assert_eq!(reason(&request), Reason::MissingHeader);
        for bad in ["", "sha256=", "sha1=abcd", "sha256=zz", "abcd"] {
            request.headers.insert(SIGNATURE, HeaderValue::from_static(bad));
            assert!(matches!(reason(&request), Reason::MissingHeader | Reason::MalformedHeader), "{bad}");
        }
        let mut request = delivery();
        let copy = request.headers[SIGNATURE].clone();
        request.headers.append(SIGNATURE, copy);
        assert_eq!(reason(&request), Reason::DoubledHeader);
    }

    #[test]
    fn what_cannot_be_identified_is_a_dead_letter() {
        let verified = Verified { assurance: Assurance::Body, time: None, id: None };
        let good = delivery();
        assert_eq!(Github.identify(&good, &verified)[0].dead, None);
        assert_eq!(Github.identify(&good, &verified)[0].kind, "github.issues.opened");
        for name in [EVENT, DELIVERY] {
            let mut request = good.clone();
            request.headers.remove(name);
            assert!(Github.identify(&request, &verified)[0].dead.is_some(), "{name}");
        }
        let not_json = RawRequest { body: "{".into(), ..good };
        assert!(Github.identify(&not_json, &verified)[0].dead.is_some());
    }

    #[test]
    fn a_form_carries_the_same_payload() {
        let body: String = form_urlencoded::Serializer::new(String::new())
            .append_pair(
                "payload",
                r#"{"action":"closed","issue":{"number":7,"title":"T"},"repository":{"full_name":"a/b"}}"#,
            )
            .finish();
        let mut request = RawRequest { body: body.into(), ..delivery() };
        request.headers.insert("content-type", HeaderValue::from_static(FORM));
        let verified = Verified { assurance: Assurance::Body, time: None, id: None };
        let envelope = Github.identify(&request, &verified).remove(0);
        assert_eq!((envelope.kind.as_str(), &envelope.dead), ("github.issues.closed", &None));
        let headers = vec![("content-type".to_owned(), FORM.to_owned())];
        let parsed = Github.parse(&Stored { kind: &envelope.kind, key: "k", headers: &headers, data: &envelope.data });
        assert_eq!(parsed.subject, "a/b#7 issues closed: T");
        assert_eq!(parsed.thread, "a/b#7");
    }

    #[test]
    fn a_push_lists_its_commits() {
        let data = json!({"ref": "refs/heads/main", "repository": {"full_name": "a/b"},
            "commits": [{"id": "0123456789abcdef", "message": "Fix it\n\nWhy", "author": {"name": "Ann"}}]});
        let parsed = read("github.push", &data);
        assert_eq!(parsed.text, "01234567 Fix it (Ann)");
        assert_eq!(parsed.subject, "a/b push: refs/heads/main");
    }
}
