//! One thing somebody sends, and how it looks when its provider delivers it.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Method};
use jiff::Timestamp;
use serde_json::json;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::engine::Delivery;
use crate::model::{Assurance, ChannelId, EventId, ProviderKind};
use crate::provider::{Form, FormField, RawRequest, Verified};

/// What was done with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Done {
    /// Nothing.
    Unread,
    /// Somebody has read it.
    Read,
    /// They have taken it.
    By(&'static str),
}

/// One thing somebody sends.
#[derive(Debug, Clone)]
pub(super) struct Letter {
    /// How many minutes before the beginning it came.
    pub minutes: i64,
    /// How it comes.
    pub by: ProviderKind,
    /// What it is, where the provider's protocol says so: `issues.opened`, `order.created`.
    pub kind: &'static str,
    pub name: String,
    pub address: String,
    pub subject: String,
    pub text: String,
    /// What belongs together has the same.
    pub thread: String,
    pub done: Done,
}

/// The channel that `provider` delivers to.
pub(super) fn channel(provider: ProviderKind) -> &'static str {
    match provider {
        ProviderKind::Mailgun => "mail",
        ProviderKind::Twilio => "whatsapp",
        ProviderKind::Typeform => "forms",
        ProviderKind::Github => "code",
        ProviderKind::Standard => "shop",
        ProviderKind::Secret => "legacy",
    }
}

impl Letter {
    /// As the provider delivers it at `at`. `number` makes it unlike all others.
    pub(super) fn delivery(&self, number: u64, at: Timestamp) -> Option<Delivery> {
        let channel: ChannelId = channel(self.by).parse().ok()?;
        let hash: [u8; 32] = Sha256::digest(format!("{number} {channel} {}", self.subject)).into();
        let unique = hex::encode(&hash[..16]);
        let (request, assurance) = match self.by {
            ProviderKind::Mailgun => (self.mail(&unique, at), Assurance::TokenOnly),
            ProviderKind::Twilio => (self.whatsapp(&unique), Assurance::Params),
            ProviderKind::Typeform => (self.form(&unique, at), Assurance::Body),
            ProviderKind::Github => (self.code(&unique, at), Assurance::Body),
            ProviderKind::Standard | ProviderKind::Secret => (self.event(at), Assurance::BodyAndTime),
        };
        let milliseconds = u64::try_from(at.as_millisecond()).unwrap_or_default();
        let mut random = [0; 10];
        random.copy_from_slice(&hash[16..26]);
        let id = EventId::from_uuid(uuid::Builder::from_unix_timestamp_millis(milliseconds, &random).into_uuid());
        let verified = Verified { assurance, time: Some(at), id: Some(format!("msg_{unique}")) };
        Some(Delivery { channel, id, at, request, verified })
    }

    /// A mail that a route of Mailgun forwards.
    fn mail(&self, unique: &str, at: Timestamp) -> RawRequest {
        let from = format!("{} <{}>", self.name, self.address);
        let root = format!("<{}@mail.example.org>", self.thread);
        let headers = json!([
            ["X-Mailgun-Spf", "Pass"],
            ["X-Mailgun-Dkim-Check-Result", "Pass"],
            ["Received", "from mail.example.org by mail.example.com"],
            ["Message-Id", format!("<{unique}@mail.example.org>")],
            ["References", root],
            ["From", from],
            ["To", "hello@garden.example"],
            ["Subject", self.subject],
            ["Date", at.strftime("%a, %d %b %Y %H:%M:%S +0000").to_string()],
        ]);
        let fields = [
            ("recipient", "hello@garden.example"),
            ("sender", &self.address),
            ("from", &from),
            ("subject", &self.subject),
            ("body-plain", &self.text),
            ("message-headers", &headers.to_string()),
        ];
        let fields = fields.map(|(name, value)| FormField { name: name.into(), value: value.into(), cut: false });
        let form = Form { fields: fields.into(), files: Vec::new() };
        let request = request("multipart/form-data; boundary=garden", form.to_bytes(&[]), &[]);
        RawRequest { form: Some(form), ..request }
    }

    fn whatsapp(&self, unique: &str) -> RawRequest {
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs([
                ("MessageSid", format!("SM{unique}").as_str()),
                ("NumMedia", "0"),
                ("ProfileName", &self.name),
                ("From", &self.address),
                ("To", "whatsapp:+491700000000"),
                ("Body", &self.text),
            ])
            .finish();
        request("application/x-www-form-urlencoded", body.into(), &[])
    }

    /// Answers to a form, in the order of its questions.
    fn form(&self, unique: &str, at: Timestamp) -> RawRequest {
        let question = |id: &str, title: &str, kind: &str| json!({ "id": id, "ref": id, "title": title, "type": kind });
        let field = |id: &str, kind: &str| json!({ "id": id, "ref": id, "type": kind });
        let body = json!({
            "event_id": unique,
            "event_type": "form_response",
            "form_response": {
                "form_id": "contact",
                "token": unique,
                "submitted_at": at.to_string(),
                "definition": { "id": "contact", "title": self.subject, "fields": [
                    question("name", "Your name", "short_text"),
                    question("mail", "Where do we reach you?", "email"),
                    question("text", "How can we help?", "long_text"),
                ]},
                "answers": [
                    { "type": "text", "text": self.name, "field": field("name", "short_text") },
                    { "type": "email", "email": self.address, "field": field("mail", "email") },
                    { "type": "text", "text": self.text, "field": field("text", "long_text") },
                ],
            },
        });
        request("application/json", body.to_string().into(), &[])
    }

    /// What happens in a repository.
    fn code(&self, unique: &str, at: Timestamp) -> RawRequest {
        let (event, action) = self.kind.split_once('.').unwrap_or((self.kind, ""));
        let number: u64 = self.thread.parse().unwrap_or_default();
        let about = match event {
            "pull_request" | "issues" | "issue_comment" => {
                json!({ "number": number, "title": self.subject, "body": self.text })
            }
            "workflow_run" => json!({ "name": self.subject, "conclusion": "failure" }),
            _ => json!({ "message": self.text }),
        };
        let member = match event {
            "issues" | "issue_comment" => "issue",
            "push" => "head_commit",
            other => other,
        };
        let mut body = json!({
            "repository": { "full_name": "example/garden" },
            "sender": { "login": self.name },
            "sent_at": at.to_string(),
            member: about,
        });
        if !action.is_empty() {
            body["action"] = action.into();
        }
        match event {
            "issue_comment" => body["comment"] = json!({ "body": self.text }),
            "push" => {
                body["ref"] = "refs/heads/main".into();
                body["commits"] = json!([{ "id": unique, "message": self.text, "author": { "name": self.name } }]);
            }
            _ => {}
        }
        let headers = [("x-github-event", event), ("x-github-delivery", unique)];
        request("application/json", body.to_string().into(), &headers)
    }

    /// What an application of our own sends.
    fn event(&self, at: Timestamp) -> RawRequest {
        let mut data = json!({ "subject": self.subject, "text": self.text, "thread": self.thread });
        if !self.address.is_empty() {
            data["from"] = json!({ "name": self.name, "email": self.address });
        }
        let body = json!({ "type": self.kind, "timestamp": at.to_string(), "data": data });
        request("application/json", body.to_string().into(), &[])
    }
}

fn request(content_type: &'static str, body: Bytes, headers: &[(&'static str, &str)]) -> RawRequest {
    let mut all = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(content_type))]);
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::from_str(value) {
            all.insert(HeaderName::from_static(name), value);
        }
    }
    RawRequest {
        method: Method::POST,
        address: "https://hub.example.org/".into(),
        query: String::new(),
        headers: all,
        body,
        form: None,
    }
}

/// Something that nobody can make sense of: it was signed, so it is kept, as a dead letter.
pub(super) fn garbled(at: Timestamp) -> Option<Delivery> {
    let request = request(
        "application/json",
        Bytes::from_static(b"{\"action\":\"published\",\"release\":{\"name\":\"2026."),
        &[("x-github-event", "release"), ("x-github-delivery", "5b1f6a2c-0000-4000-8000-00000000dead")],
    );
    let milliseconds = u64::try_from(at.as_millisecond()).unwrap_or_default();
    let id: Uuid = uuid::Builder::from_unix_timestamp_millis(milliseconds, &[7; 10]).into_uuid();
    let verified = Verified { assurance: Assurance::Body, time: None, id: None };
    let channel = channel(ProviderKind::Github).parse().ok()?;
    Some(Delivery { channel, id: EventId::from_uuid(id), at, request, verified })
}
