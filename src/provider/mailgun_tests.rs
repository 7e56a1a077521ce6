use crate::model::TEXT_MAX;

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
    RawRequest::posted(headers, body.to_vec())
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
    assert_eq!(verify(&request("application/x-www-form-urlencoded", b"not the door's")), Err(Reason::MalformedBody));
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
    assert!(cause(&[("recipient", "a@b"), ("message-url", "https://x"), ("attachments", "[]")]).contains("forward()"));
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
        TEXT_MAX + "\n\n\nto: a@b\n".len() + mail::NOTES.len() + "not told: spf, dkim, spam, spam score".len()
    );
}
