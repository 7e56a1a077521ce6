//! Mailgun: inbound mail from routes and events about mail that was sent (documentation.mailgun.com, "Receiving
//! messages", "Webhooks").
//!
//! The signature is the hexadecimal HMAC-SHA256 of timestamp and token, with no separator, under the *HTTP webhook
//! signing key*. It does not cover the body. So a token that comes again with another body is refused and alarmed.

use http::{HeaderMap, HeaderValue};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::model::{Assurance, Parsed, Reason, Secret};

use super::api::{active, unix_seconds};
use super::{
    Answer, Envelope, Form, FormDecoder, Outcome, Provider, RawRequest, Rejected, Sample, Stored, Verified, json, mac,
    mail, mail_headers, mailgun_event, mime,
};

/// Mailgun tries for eight hours, and its documentation warns not to be strict about the time.
const OLDEST: SignedDuration = SignedDuration::from_hours(24);
/// Clocks may differ.
const NEWEST: SignedDuration = SignedDuration::from_mins(5);
/// Seconds after which a delivery whose time is too far away may come again.
const CLOCK_WRONG: u32 = 600;
/// Longest token that is remembered; Mailgun's have 50 characters.
const MAX_TOKEN: usize = 128;
/// Longest key of an event that is kept as it is.
const MAX_KEY: usize = 400;

/// The type of an inbound mail.
const RECEIVED: &str = "mail.received";
/// The fields that a stored form must not keep: beside the token they are what a replay needs.
const SIGNATURES: [&str; 2] = ["signature", "parent-signature"];

/// Mailgun routes and webhooks.
#[derive(Debug)]
pub(super) struct Mailgun;

/// What a delivery is signed with.
struct Signed {
    timestamp: String,
    token: String,
    /// The signature, and the one of a parent account where there is one.
    signatures: Vec<String>,
}

impl Signed {
    fn read(request: &RawRequest) -> Result<Self, Rejected> {
        let signed = match &request.form {
            Some(form) => Self::of_form(form)?,
            None => Self::of_json(&request.body)?,
        };
        signed
            .filter(|signed| !signed.timestamp.is_empty() && !signed.token.is_empty() && !signed.signatures.is_empty())
            .ok_or_else(|| Rejected::new(Reason::MissingHeader, "timestamp, token or signature is missing"))
    }

    /// User variables are fields too and come first, so the last of equal names is Mailgun's.
    fn of_form(form: &Form) -> Result<Option<Self>, Rejected> {
        let is_cut = |name: &&&str| form.field(name).is_some_and(|field| field.cut);
        if let Some(name) = ["timestamp", "token"].iter().chain(&SIGNATURES).find(is_cut) {
            return Err(Rejected::new(Reason::TooLarge, format!("field {name} is too long or no text")));
        }
        let last = |name: &str| form.last(name).map(str::to_owned);
        let signatures = SIGNATURES.iter().filter_map(|name| last(name)).collect();
        let (Some(timestamp), Some(token)) = (last("timestamp"), last("token")) else { return Ok(None) };
        Ok(Some(Self { timestamp, token, signatures }))
    }

    fn of_json(body: &[u8]) -> Result<Option<Self>, Rejected> {
        #[derive(Deserialize)]
        struct Head {
            signature: Option<Signature>,
        }

        #[derive(Deserialize)]
        struct Signature {
            #[serde(default)]
            timestamp: Value,
            token: Option<String>,
            signature: Option<String>,
            #[serde(rename = "parent-signature")]
            parent: Option<String>,
        }

        // A name that is there twice is refused here: serde's derive does not choose between them.
        let head: Head = serde_json::from_slice(body).map_err(|error| {
            Rejected::new(Reason::MalformedBody, format!("the body is not the JSON of an event: {error}"))
        })?;
        Ok(head.signature.map(|signature| Self {
            timestamp: match signature.timestamp {
                Value::String(text) => text,
                Value::Number(number) => number.to_string(),
                _ => String::new(),
            },
            token: signature.token.unwrap_or_default(),
            signatures: signature.signature.into_iter().chain(signature.parent).collect(),
        }))
    }
}

impl Provider for Mailgun {
    fn accepts(&self, media_type: Option<&str>) -> bool {
        media_type == Some("application/json") || FormDecoder::reads(media_type)
    }

    fn check_secret(&self, secret: &Secret) -> Result<(), String> {
        if secret.expose().starts_with("key-") {
            return Err("it looks like an API key; the HTTP webhook signing key is another".to_owned());
        }
        Ok(())
    }

    fn takes_forms(&self) -> bool {
        true
    }

    fn verify(&self, secrets: &[Secret], request: &RawRequest, now: Timestamp) -> Result<Verified, Rejected> {
        let signed = Signed::read(request)?;
        if signed.token.len() > MAX_TOKEN {
            return Err(Rejected::new(
                Reason::MalformedHeader,
                format!("the token has more than {MAX_TOKEN} characters"),
            ));
        }
        let time = unix_seconds("timestamp", &signed.timestamp)?;
        let parts: [&[u8]; 2] = [signed.timestamp.as_bytes(), signed.token.as_bytes()];
        let mut tried = Vec::new();
        for (number, secret) in active(secrets, now, &mut tried) {
            let made = |signature: &String| {
                hex::decode(signature)
                    .is_ok_and(|signature| mac::verifies(secret.expose().as_bytes(), &parts, &signature))
            };
            if signed.signatures.iter().any(made) {
                fresh(time, now)?;
                return Ok(Verified { assurance: Assurance::TokenOnly, time: Some(time), id: Some(signed.token) });
            }
            let count = signed.signatures.len();
            tried.push(format!("secret {number}: none of {count} signatures over timestamp and token matches"));
        }
        let detail = "no active secret made this signature over timestamp and token";
        Err(Rejected { tried, ..Rejected::new(Reason::Signature, detail) })
    }

    fn once(&self, verified: &Verified) -> Option<(Timestamp, String)> {
        verified.time.zip(verified.id.clone())
    }

    fn identify(&self, request: &RawRequest, verified: &Verified) -> Vec<Envelope> {
        let Some(form) = &request.form else {
            return vec![mailgun_event::identify(&request.body, verified)];
        };
        let dead = misconfigured(form);
        let kind = if form.field("event").is_some() && dead.is_some() { "mailgun.legacy" } else { RECEIVED };
        vec![Envelope {
            kind: kind.to_owned(),
            time: verified.time,
            key: Some(key(form, verified)),
            body_window: None,
            data: form.to_bytes(&SIGNATURES),
            content: Some(content(form)),
            dead,
        }]
    }

    fn parse(&self, stored: &Stored<'_>) -> Parsed {
        self.parse_with(stored, &[])
    }

    fn file(&self, stored: &Stored<'_>) -> Option<String> {
        let form = stored_form(stored)?;
        form.field(mime::FIELD).filter(|field| field.cut)?;
        form.files.iter().rev().find(|file| file.field == mime::FIELD).map(|file| file.sha256.clone())
    }

    fn parse_with(&self, stored: &Stored<'_>, file: &[u8]) -> Parsed {
        match stored_form(stored) {
            Some(form) => mail::read(&form, file),
            None if stored.kind == RECEIVED => json::plain(stored),
            None => mailgun_event::read(stored),
        }
    }

    fn part(&self, stored: &Stored<'_>, file: &[u8], part: u32) -> Option<Vec<u8>> {
        let form = stored_form(stored)?;
        mime::part(&mime::bytes(&form, file)?, part)
    }

    /// 406 is the only refusal that Mailgun does not answer with another try, for eight hours. A time that is too far
    /// away was signed by Mailgun: a clock may be wrong, and the mail must not be lost by it.
    fn answer(&self, outcome: Outcome) -> Answer {
        let usual = Answer::usual(outcome);
        match outcome {
            Outcome::Stored => Answer { status: 200, ..usual },
            Outcome::Refused(Reason::Conflict | Reason::Replay | Reason::UnknownPath) => {
                Answer { status: 406, ..usual }
            }
            Outcome::Refused(Reason::Stale) => Answer { status: 503, ..usual }.retry_after(CLOCK_WRONG),
            Outcome::Refused(_) if usual.status == 401 => Answer { status: 406, ..usual },
            _ => usual,
        }
    }

    fn sample(&self, secrets: &[Secret], now: Timestamp, id: &str, text: &str, _url: &str) -> Result<Sample, String> {
        let secret = secrets.iter().find(|secret| secret.is_active(now)).ok_or("no active secret")?;
        let timestamp = now.as_second().to_string();
        let token = hex::encode(&Sha256::digest(id)[..25]);
        let signature = hex::encode(mac::sign(secret.expose().as_bytes(), &[timestamp.as_bytes(), token.as_bytes()]));
        let headers = serde_json::json!([
            ["Message-Id", format!("<{id}@example.org>")],
            ["From", "Ann Example <ann@example.org>"],
            ["To", "support@example.com"],
            ["Subject", text],
            ["X-Mailgun-Spf", "Pass"],
            ["Received", "from mail.example.org by mail.example.com"],
        ])
        .to_string();
        let plain = format!("A sample from `aurora send-test`, {id}.\nThe file that came along holds one line.");
        let boundary = format!("aurora-{token}");
        let part = |head: &str, content: &str| {
            format!("--{boundary}\r\nContent-Disposition: form-data; {head}\r\n\r\n{content}\r\n")
        };
        let fields = [
            ("recipient", "support@example.com"),
            ("sender", "ann@example.org"),
            ("from", "Ann Example <ann@example.org>"),
            ("subject", text),
            ("body-plain", &plain),
            ("message-headers", &headers),
            ("attachment-count", "1"),
            ("timestamp", &timestamp),
            ("token", &token),
            ("signature", &signature),
        ]
        .map(|(name, value)| part(&format!("name=\"{name}\""), value))
        .concat();
        let file = "name=\"attachment-1\"; filename=\"hello.txt\"\r\nContent-Type: text/plain";
        let body = format!("{fields}{}--{boundary}--\r\n", part(file, &format!("Hello from {id}.\n")));
        let content_type = format!("multipart/form-data; boundary={boundary}");
        let content_type = HeaderValue::from_str(&content_type).map_err(|error| error.to_string())?;
        Ok(Sample { headers: HeaderMap::from_iter([(http::header::CONTENT_TYPE, content_type)]), body: body.into() })
    }

    /// The body is not covered; the token is another.
    fn forge(&self, sample: Sample) -> Sample {
        let token = b"name=\"token\"\r\n\r\n";
        let mut body = sample.body.to_vec();
        if let Some(at) = memchr::memmem::find(&body, token)
            && let Some(first) = body.get_mut(at + token.len())
        {
            *first = if *first == b'0' { b'1' } else { b'0' };
        }
        Sample { body: body.into(), ..sample }
    }
}

/// Refuses a time that is too far away.
fn fresh(time: Timestamp, now: Timestamp) -> Result<(), Rejected> {
    let old = now.duration_since(time);
    if old > OLDEST {
        return Err(Rejected::new(
            Reason::Stale,
            format!("timestamp is {} s old; 24 hours are allowed", old.as_secs()),
        ));
    }
    if -old > NEWEST {
        let detail = format!("timestamp is {} s in the future; the clocks may differ by 300 s", -old.as_secs());
        return Err(Rejected::new(Reason::Stale, detail));
    }
    Ok(())
}

/// What is set up wrongly at Mailgun, when a form shows it.
fn misconfigured(form: &Form) -> Option<String> {
    let has = |name: &str| form.field(name).is_some();
    let is_mail = ["body-plain", "body-html", "stripped-text", mime::FIELD].iter().any(|name| has(name));
    let why = if has("event") && !is_mail {
        "this is a legacy webhook: make it anew under Sending, Webhooks, so that it sends JSON"
    } else if has("message-url") && !is_mail {
        "the route's action is store(notify): set it to forward(), which sends the mail itself"
    } else if !has("recipient") && !has("sender") && !is_mail {
        "the form is neither a mail nor an event"
    } else {
        return None;
    };
    Some(why.to_owned())
}

/// What makes it the same mail when it comes again: its Message-Id and whom it was for. One mail to two recipients comes
/// twice, and rightly so.
fn key(form: &Form, verified: &Verified) -> String {
    let headers = mail_headers::MailHeaders::of_form(form);
    let named = headers.ids("message-id").into_iter().next();
    let named = named.or_else(|| mime::message_id(&mime::bytes(form, &[])?));
    let Some(id) = named else { return format!("token {}", verified.id.as_deref().unwrap_or_default()) };
    let recipient = form.last("recipient").unwrap_or_default().to_lowercase();
    let key = format!("{id} {recipient}");
    if key.len() <= MAX_KEY { key } else { hex::encode(Sha256::digest(key)) }
}

/// The hash of a form without what was signed, which is another at each try. Each text stands behind its length, so that
/// none can pass for a part of another.
fn content(form: &Form) -> [u8; 32] {
    let mut hash = Sha256::new();
    let mut add = |text: &str| {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    };
    let last = |name: &str| form.fields.iter().rposition(|field| field.name == name);
    let signed = [last("timestamp"), last("token")];
    for (number, field) in form.fields.iter().enumerate() {
        if !signed.contains(&Some(number)) && !SIGNATURES.contains(&field.name.as_str()) {
            add(&field.name);
            add(&field.value);
        }
    }
    for file in &form.files {
        add(&file.field);
        add(file.name.as_deref().unwrap_or_default());
        add(file.declared.as_deref().unwrap_or_default());
        add(&file.sha256);
    }
    hash.finalize().into()
}

fn stored_form(stored: &Stored<'_>) -> Option<Form> {
    let is_form = matches!(stored.kind, RECEIVED | "mailgun.legacy");
    is_form.then(|| serde_json::from_slice(stored.data).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_700_000_000;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).expect("in range")
    }

    fn secrets(values: &[&str]) -> Vec<Secret> {
        values.iter().map(|value| Secret::new((*value).into(), None)).collect()
    }

    fn request(content_type: &str, body: &[u8]) -> RawRequest {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_str(content_type).expect("a header"));
        RawRequest {
            method: http::Method::POST,
            address: "".into(),
            query: String::new(),
            headers,
            body: body.to_vec().into(),
            form: None,
        }
    }

    fn of(form: Form) -> RawRequest {
        RawRequest { form: Some(form), ..request("application/x-www-form-urlencoded", b"") }
    }

    /// A form as the door hands it over.
    fn form_request(fields: &[(&str, &str)]) -> RawRequest {
        let text: String = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let form = Form::decode("application/x-www-form-urlencoded", text.as_bytes()).expect("a form");
        of(form)
    }

    fn sign(key: &str, timestamp: &str, token: &str) -> String {
        hex::encode(mac::sign(key.as_bytes(), &[timestamp.as_bytes(), token.as_bytes()]))
    }

    fn signed_form(more: &[(&str, &str)]) -> RawRequest {
        let timestamp = NOW.to_string();
        let signature = sign("k", &timestamp, "t");
        let mut fields = more.to_vec();
        fields.extend([("timestamp", timestamp.as_str()), ("token", "t"), ("signature", &signature)]);
        form_request(&fields)
    }

    fn verify(request: &RawRequest) -> Result<Verified, Reason> {
        Mailgun.verify(&secrets(&["k"]), request, at(NOW)).map_err(|rejected| rejected.reason)
    }

    fn identified(request: &RawRequest) -> Envelope {
        Mailgun.identify(request, &verify(request).expect("verifies")).remove(0)
    }

    #[test]
    fn a_signed_form_proves_its_token_and_rotation_works() {
        let request = signed_form(&[("recipient", "a@b")]);
        let verified = verify(&request).expect("verifies");
        assert_eq!((verified.assurance, Mailgun.once(&verified)), (Assurance::TokenOnly, Some((at(NOW), "t".into()))));
        for held in [&["old", "k"][..], &["k", "new"]] {
            assert!(Mailgun.verify(&secrets(held), &request, at(NOW)).is_ok());
        }
        let rejected = Mailgun.verify(&secrets(&["a", "b"]), &request, at(NOW)).expect_err("neither");
        assert_eq!((rejected.reason, rejected.tried.len()), (Reason::Signature, 2));
    }

    #[test]
    fn the_last_of_doubled_fields_counts() {
        let shadowed = [("timestamp", "1"), ("token", "shadow"), ("signature", "00")];
        assert!(verify(&signed_form(&shadowed)).is_ok(), "user variables come first");
        let timestamp = NOW.to_string();
        let good = sign("k", &timestamp, "t");
        let fields = [("timestamp", timestamp.as_str()), ("token", "t"), ("signature", &good), ("token", "other")];
        assert_eq!(verify(&form_request(&fields)), Err(Reason::Signature));
    }

    #[test]
    fn missing_and_malformed_fields_are_refused() {
        for name in ["timestamp", "token", "signature"] {
            let timestamp = NOW.to_string();
            let good = sign("k", &timestamp, "t");
            let all = [("timestamp", timestamp.as_str()), ("token", "t"), ("signature", &good)];
            let fields: Vec<_> = all.into_iter().filter(|(field, _)| *field != name).collect();
            assert_eq!(verify(&form_request(&fields)), Err(Reason::MissingHeader), "{name}");
            let empty: Vec<_> =
                all.into_iter().map(|(field, value)| (field, if field == name { "" } else { value })).collect();
            let refused = verify(&form_request(&empty)).expect_err(name);
            assert!(matches!(refused, Reason::MissingHeader | Reason::Signature), "{name}: {refused:?}");
        }
        let with = |timestamp: &str, token: &str| {
            let signature = sign("k", timestamp, token);
            verify(&form_request(&[("timestamp", timestamp), ("token", token), ("signature", &signature)]))
        };
        assert_eq!(with("soon", "t"), Err(Reason::MalformedHeader));
        assert_eq!(with("-1", "t"), Err(Reason::MalformedHeader));
        assert_eq!(with(&NOW.to_string(), &"t".repeat(200)), Err(Reason::MalformedHeader));
        assert_eq!(
            verify(&request("application/x-www-form-urlencoded", b"not the door's")),
            Err(Reason::MalformedBody)
        );
    }

    #[test]
    fn a_day_old_is_fresh_and_five_minutes_ahead() {
        for (off, ok) in [(0, true), (-86_400, true), (-86_401, false), (300, true), (301, false)] {
            let timestamp = (NOW + off).to_string();
            let signature = sign("k", &timestamp, "t");
            let request = form_request(&[("timestamp", &timestamp), ("token", "t"), ("signature", &signature)]);
            assert_eq!(verify(&request).err(), (!ok).then_some(Reason::Stale), "{off}");
        }
    }

    #[test]
    fn events_are_signed_in_their_json_by_the_account_or_its_parent() {
        let timestamp = NOW.to_string();
        let good = sign("k", &timestamp, "t");
        let event =
            |signature: &str| format!(r#"{{"signature":{signature},"event-data":{{"event":"delivered","id":"e1"}}}}"#);
        let own = format!(r#"{{"timestamp":"{timestamp}","token":"t","signature":"{good}"}}"#);
        let parent = format!(r#"{{"timestamp":{timestamp},"token":"t","signature":"00","parent-signature":"{good}"}}"#);
        for signature in [&own, &parent] {
            let request = request("application/json; charset=utf-8", event(signature).as_bytes());
            let envelope = identified(&request);
            assert_eq!((envelope.kind.as_str(), envelope.key.as_deref()), ("mailgun.delivered", Some("e1")));
        }
        let doubled = format!(r#"{{"timestamp":"{timestamp}","token":"t","token":"u","signature":"{good}"}}"#);
        let deep = "[".repeat(100_000);
        for (body, reason) in [
            (event(&doubled), Reason::MalformedBody),
            (event("null"), Reason::MissingHeader),
            (event(r#"{"timestamp":"1","token":"t"}"#), Reason::MissingHeader),
            ("{}".to_owned(), Reason::MissingHeader),
            ("\u{0}".to_owned(), Reason::MalformedBody),
            (format!(r#"{{"event-data":{deep}"#), Reason::MalformedBody),
        ] {
            assert_eq!(verify(&request("application/json", body.as_bytes())), Err(reason));
        }
    }

    #[test]
    fn a_mail_is_named_by_its_message_id_and_recipient() {
        let mail = |recipient: &str| {
            identified(&signed_form(&[
                ("recipient", recipient),
                ("body-plain", "x"),
                ("message-headers", r#"[["Message-Id","<m@x>"]]"#),
            ]))
        };
        assert_eq!(mail("Ann@example.org").key.as_deref(), Some("m@x ann@example.org"));
        assert_ne!(mail("bob@example.org").key, mail("ann@example.org").key);
        let raw = [("recipient", "a@b"), ("body-mime", "Message-ID: <r@x>\r\n\r\nhello")];
        assert_eq!(identified(&signed_form(&raw)).key.as_deref(), Some("r@x a@b"));
        assert_eq!(identified(&signed_form(&[("body-plain", "x")])).key.as_deref(), Some("token t"));
        let long = format!("<{}>", "m".repeat(450));
        assert_eq!(
            identified(&signed_form(&[("body-plain", "x"), ("Message-Id", &long)])).key.map(|key| key.len()),
            Some(64)
        );
    }

    #[test]
    fn only_what_was_signed_may_differ_in_the_same_mail() {
        let content = |token: &str, more: &[(&str, &str)]| {
            let timestamp = (NOW + 1).to_string();
            let signature = sign("k", &timestamp, token);
            let signed = [("timestamp", timestamp.as_str()), ("token", token), ("signature", &signature)];
            identified(&form_request(&[more, &signed[..]].concat())).content.expect("a hash")
        };
        let mail = [("recipient", "a@b"), ("body-plain", "x"), ("token", "a user variable")];
        let same = identified(&signed_form(&mail)).content;
        assert_eq!((Some(content("t2", &mail)), Some(content("t3", &mail))), (same, same), "sent again");
        for other in [
            [("recipient", "a@b"), ("body-plain", "y"), ("token", "a user variable")],
            [("recipient", "a@b"), ("body-plain", "x"), ("token", "another")],
            [("recipient", "a@bb"), ("ody-plain", "x"), ("token", "a user variable")],
        ] {
            assert_ne!(Some(content("t2", &other)), same, "{other:?}");
        }
        let event = |token: &str, event: &str| {
            let signature = sign("k", &NOW.to_string(), token);
            let signed = format!(r#"{{"timestamp":"{NOW}","token":"{token}","signature":"{signature}"}}"#);
            let body = format!(r#"{{"signature":{signed},"event-data":{{"event":"{event}","id":"e1"}}}}"#);
            identified(&request("application/json", body.as_bytes())).content
        };
        assert_eq!(event("t1", "opened"), event("t2", "opened"));
        assert_ne!(event("t1", "opened"), event("t1", "clicked"));
    }

    #[test]
    fn signatures_are_not_stored() {
        let envelope = identified(&signed_form(&[("body-plain", "x"), ("parent-signature", "00")]));
        let form: Form = serde_json::from_slice(&envelope.data).expect("a form");
        assert!(form.field("signature").is_none() && form.field("parent-signature").is_none());
        assert_eq!(form.last("body-plain"), Some("x"));
    }

    #[test]
    fn what_is_set_up_wrongly_is_named() {
        let cause = |fields: &[(&str, &str)]| identified(&signed_form(fields)).dead.unwrap_or_default();
        assert!(cause(&[("event", "delivered"), ("recipient", "a@b")]).contains("legacy"));
        assert!(
            cause(&[("recipient", "a@b"), ("message-url", "https://x"), ("attachments", "[]")]).contains("forward()")
        );
        assert!(cause(&[("x", "y")]).contains("neither"));
        assert_eq!(cause(&[("recipient", "a@b"), ("body-plain", "")]), "");
        assert_eq!(cause(&[("event", "said so"), ("body-plain", "")]), "", "a user variable");
        assert!(Mailgun.check_secret(&secrets(&["key-0123456789"])[0]).is_err());
    }

    #[test]
    fn answers_stop_or_keep_mailguns_tries() {
        let status = |outcome| Mailgun.answer(outcome).status;
        assert_eq!((status(Outcome::Stored), status(Outcome::Repeated)), (200, 200));
        for reason in [Reason::Signature, Reason::Conflict, Reason::MissingHeader, Reason::UnknownPath] {
            assert_eq!(status(Outcome::Refused(reason)), 406, "{reason:?}");
        }
        for reason in [Reason::StoreFailed, Reason::Overloaded, Reason::Stale] {
            assert_eq!(status(Outcome::Refused(reason)), 503, "{reason:?}");
            assert!(Mailgun.answer(Outcome::Refused(reason)).retry_after.is_some());
        }
    }

    #[test]
    fn the_sample_is_a_mail_with_a_file() {
        let sample = Mailgun.sample(&secrets(&["k"]), at(NOW), "0123", "Hello", "").expect("signs");
        let content_type = sample.headers["content-type"].to_str().expect("text").to_owned();
        let form = Form::decode(&content_type, &sample.body).expect("a form");
        let request = of(form);
        let envelope = identified(&request);
        let stored = Stored { kind: &envelope.kind, key: "k", headers: &[], data: &envelope.data };
        let parsed = Mailgun.parse(&stored);
        assert_eq!((parsed.subject.as_str(), parsed.attachments.len()), ("Hello", 1));
        assert_eq!(
            (parsed.attachments[0].name.as_str(), parsed.attachments[0].found.as_str()),
            ("hello.txt", "text/plain")
        );
        assert_eq!(Mailgun.file(&stored), None);
        let forged = Form::decode(&content_type, &Mailgun.forge(sample).body).expect("a form");
        assert_eq!(verify(&of(forged)), Err(Reason::Signature));
    }

    #[test]
    fn a_mail_of_many_long_fields_verifies_wherever_its_signature_stands() {
        let long = "l".repeat(300_000);
        let longs = ["body-plain", "body-html", "stripped-text", "stripped-html", "message-headers"];
        let longs = longs.map(|name| (name, long.as_str()));
        assert!(verify(&signed_form(&longs)).is_ok());
        let timestamp = NOW.to_string();
        let signature = sign("k", &timestamp, "t");
        let first = [("timestamp", timestamp.as_str()), ("token", "t"), ("signature", &signature)];
        assert!(verify(&form_request(&[&first[..], &longs[..]].concat())).is_ok());
        let cut = [("timestamp", timestamp.as_str()), ("token", &long), ("signature", &signature)];
        assert_eq!(verify(&form_request(&cut)), Err(Reason::TooLarge));
        assert_eq!(Mailgun.answer(Outcome::Refused(Reason::TooLarge)).status, 413, "it may come again");
    }

    #[test]
    fn a_raw_mail_that_became_a_file_is_asked_for() {
        let raw = format!("From: a@b\r\nMessage-ID: <big@x>\r\n\r\n{}", "x".repeat(300_000));
        let request = signed_form(&[("recipient", "a@b"), ("body-mime", &raw)]);
        let envelope = identified(&request);
        assert_eq!(envelope.key.as_deref(), Some("big@x a@b"), "its beginning is enough");
        let stored = Stored { kind: &envelope.kind, key: "k", headers: &[], data: &envelope.data };
        assert_eq!(Mailgun.file(&stored), Some(hex::encode(Sha256::digest(&raw))));
        let parsed = Mailgun.parse_with(&stored, raw.as_bytes());
        assert_eq!(parsed.attachments[0].name, "message.eml");
        assert_eq!(
            parsed.text.len(),
            mail::MAX_TEXT
                + "\n\n\nto: a@b\n".len()
                + mail::NOTES.len()
                + "not told: spf, dkim, spam, spam score".len()
        );
    }
}
