//! The corpora of the fuzz targets, replayed as an ordinary test.

use std::path::Path;

use aurora::condition::Condition;
use aurora::config::check_schema;
use aurora::model::{Assurance, CheckKind, ProviderKind, Secret, Value};
use aurora::provider::{Form, FormField, Options, RawRequest, Stored, Verified, build};
use aurora::tui::input::{Parser, Pending};
use http::{HeaderMap, HeaderValue};
use jiff::Timestamp;

/// Takes bytes through what is done with a mail: forms, and fields of a form.
fn exercise_mail(body: &[u8]) {
    let framed = [b"--b\r\nContent-Disposition: form-data; name=a; filename=f\r\n\r\n", body, b"\r\n--b--"].concat();
    for (content_type, bytes) in [
        ("application/x-www-form-urlencoded", body),
        ("multipart/form-data; boundary=b", body),
        ("multipart/form-data; boundary=b", &framed),
    ] {
        let _ = Form::decode(content_type, bytes);
    }
    let value = String::from_utf8_lossy(body).into_owned();
    let names = ["from", "subject", "body-html", "body-mime", "message-headers", "content-id-map"];
    for name in names {
        let field = FormField { name: name.to_owned(), value: value.clone(), cut: false };
        let data = Form { fields: vec![field], files: Vec::new() }.to_bytes(&[]);
        let provider = build(ProviderKind::Mailgun, Options::default());
        provider.parse(&Stored { kind: "mail.received", key: "k", headers: &[], data: &data });
    }
}

/// Takes bytes through everything a provider does with them.
pub fn exercise(body: &[u8], event: &str, form: bool) {
    let content_type = if form { "application/x-www-form-urlencoded" } else { "application/json" };
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static(content_type));
    for name in ["x-github-event", "x-github-delivery", "webhook-id", "webhook-signature", "x-aurora-secret"] {
        if let Ok(value) = HeaderValue::from_bytes(event.as_bytes()) {
            headers.insert(name, value);
        }
    }
    headers.insert("webhook-timestamp", HeaderValue::from_static("1700000000"));
    headers.insert("x-hub-signature-256", HeaderValue::from_static("sha256=00"));
    let stored_headers = vec![("content-type".to_owned(), content_type.to_owned())];
    let request = RawRequest {
        method: http::Method::POST,
        address: "https://hub.example.org/x".into(),
        query: event.to_owned(),
        headers,
        body: body.to_vec().into(),
        form: None,
    };
    let secrets = [Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into(), None)];
    let now = Timestamp::from_second(1_700_000_000).expect("in range");
    exercise_mail(body);
    for kind in ProviderKind::ALL {
        let provider = build(kind, Options { dedupe_window: 600, dedupe_pointer: Some("/data/id".into()) });
        let _ = provider.verify(&secrets, &request, now);
        let verified = Verified { assurance: Assurance::Body, time: None, id: Some(event.to_owned()) };
        for envelope in provider.identify(&request, &verified) {
            let key = envelope.key.unwrap_or_default();
            provider.parse(&Stored { kind: &envelope.kind, key: &key, headers: &stored_headers, data: &envelope.data });
        }
    }
}

/// Reads a condition, writes it, reads it again and judges it.
fn condition(text: &str) {
    let schema = check_schema(CheckKind::Http);
    match Condition::parse(text, schema) {
        Ok(read) => {
            assert_eq!(Condition::parse(&read.to_string(), schema).as_ref(), Ok(&read));
            let values = [("status".to_owned(), Value::Number(503.0)), ("body".to_owned(), Value::Text(text.into()))];
            let judged = read.judge(values.as_slice());
            assert_eq!(judged.holds, judged.because.is_empty(), "{text}");
        }
        Err(error) => assert!(text.get(error.span).is_some(), "{text}"),
    }
}

/// Reads what a terminal sends, whole and byte by byte.
fn terminal_input(bytes: &[u8]) {
    let mut parser = Parser::default();
    let _ = parser.feed(bytes);
    parser.pause();
    // Inside a paste only its end is waited for.
    assert_eq!(parser.pending(), Pending::Nothing);
    for byte in bytes {
        let _ = parser.feed(&[*byte]);
    }
}

#[test]
fn corpora_do_no_harm() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    let mut seen = 0;
    for target in std::fs::read_dir(&root).expect("the corpora") {
        for file in std::fs::read_dir(target.expect("a target").path()).expect("a corpus") {
            let bytes = std::fs::read(file.expect("a file").path()).expect("bytes");
            exercise(&bytes, "issues", false);
            exercise(&bytes, "issues", true);
            exercise(&bytes, &String::from_utf8_lossy(&bytes), false);
            let text = String::from_utf8_lossy(&bytes);
            assert!(aurora::screen::line(&text).chars().all(|c| !c.is_control()));
            let _ = aurora::config::parse(&text, None);
            condition(&text);
            terminal_input(&bytes);
            seen += 1;
        }
    }
    assert!(seen >= 10, "the corpora are there: {seen}");
}
