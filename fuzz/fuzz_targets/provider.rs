//! Bytes through everything a provider does with them: signature, identity, message.
#![no_main]

use aurora::model::{Assurance, ProviderKind, Secret};
use aurora::provider::{Form, FormField, Options, RawRequest, Stored, Verified, build};
use http::{HeaderMap, HeaderValue};
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&[u8], &str, bool)| {
    let (body, event, form) = input;
    let content_type = if form { "application/x-www-form-urlencoded" } else { "application/json" };
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static(content_type));
    for name in ["x-github-event", "x-github-delivery", "x-hub-signature-256", "webhook-id", "webhook-timestamp", "webhook-signature", "x-aurora-secret", "typeform-signature", "x-twilio-signature"] {
        if let Ok(value) = HeaderValue::from_bytes(event.as_bytes()) {
            headers.insert(name, value);
        }
    }
    let stored_headers = vec![("content-type".to_owned(), content_type.to_owned())];
    let request = RawRequest { method: http::Method::POST, address: "https://hub.example.org/x".into(), query: event.to_owned(), headers, body: body.to_vec().into(), form: None };
    let secrets = [Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into(), None)];
    for content_type in [content_type, "multipart/form-data; boundary=b"] {
        let _ = Form::decode(content_type, body);
    }
    let fields = ["from", "body-html", "body-mime", "message-headers"].map(|name| FormField {
        name: name.to_owned(),
        value: String::from_utf8_lossy(body).into_owned(),
        cut: false,
    });
    let mail = Form { fields: fields.to_vec(), files: Vec::new() }.to_bytes(&[]);
    build(ProviderKind::Mailgun, Options::default()).parse(&Stored { kind: "mail.received", key: "k", headers: &[], data: &mail });
    for kind in ProviderKind::ALL {
        let provider = build(kind, Options { dedupe_window: 600, dedupe_pointer: Some("/data/id".into()) });
        let _ = provider.verify(&secrets, &request, Timestamp::UNIX_EPOCH);
        let verified = Verified { assurance: Assurance::Body, time: None, id: Some(event.to_owned()) };
        for envelope in provider.identify(&request, &verified) {
            let key = envelope.key.unwrap_or_default();
            provider.parse(&Stored { kind: &envelope.kind, key: &key, headers: &stored_headers, data: &envelope.data });
        }
    }
});
