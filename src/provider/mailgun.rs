//! Mailgun: inbound mail from routes and events about mail that was sent (documentation.mailgun.com, "Receiving
//! messages", "Webhooks").
//!
//! The signature is the hexadecimal HMAC-SHA256 of timestamp and token, with no separator, under the *HTTP webhook
//! signing key*. It does not cover the body. So a token that comes again with another body is refused and alarmed.

use http::{HeaderMap, HeaderValue};
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::model::{Assurance, Parsed, Reason, Secret};

use super::api::{active, unix_seconds};
use super::mailgun_signed::{SIGNATURES, Signed, fresh};
use super::{
    Answer, Envelope, Form, FormDecoder, Outcome, Provider, RawRequest, Rejected, Sample, Stored, Verified, json, mac,
    mail, mail_headers, mailgun_event, mime,
};

/// Seconds after which a delivery whose time is too far away may come again.
const CLOCK_WRONG: u32 = 600;
/// Longest token that is remembered; Mailgun's have 50 characters.
const MAX_TOKEN: usize = 128;
/// Longest key of an event that is kept as it is.
const MAX_KEY: usize = 400;

/// The type of an inbound mail.
const RECEIVED: &str = "mail.received";

/// Mailgun routes and webhooks.
#[derive(Debug)]
pub(super) struct Mailgun;

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
#[path = "mailgun_tests.rs"]
mod tests;
