//! Mailgun's events about mail that was sent: delivered, opened, failed.

use std::collections::BTreeMap;

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::Value;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use crate::model::{Parsed, Person, Report};

use super::{Envelope, Stored, Verified, json};

/// The envelope of an event that verified.
pub(super) fn identify(body: &Bytes, verified: &Verified) -> Envelope {
    let mut value: Value = serde_json::from_slice(body).unwrap_or_default();
    if let Some(body) = value.as_object_mut() {
        body.shift_remove("signature");
    }
    let data = &value["event-data"];
    let word = |value: &Value| value.as_str().filter(|text| is_word(text)).map(str::to_owned);
    let key = data["id"].as_str().filter(|id| !id.is_empty() && id.len() <= 256).map(str::to_owned);
    let event = word(&data["event"]);
    let dead = match (&event, &key) {
        _ if data.is_null() => Some("the JSON has no event-data: it is no event of Mailgun's webhooks"),
        (None, _) => Some("event-data names no event"),
        (_, None) => Some("event-data has no id"),
        _ => None,
    };
    let kind = match (event.as_deref(), word(&data["severity"])) {
        (None, _) => "mailgun.unknown".to_owned(),
        (Some("failed"), Some(severity)) => format!("mailgun.failed.{severity}"),
        (Some(event), _) => format!("mailgun.{event}"),
    };
    Envelope {
        kind,
        time: data["timestamp"].as_f64().and_then(time).or(verified.time),
        key: key.or_else(|| verified.id.as_ref().map(|token| format!("token {token}"))),
        body_window: None,
        data: without_signature(body),
        // The signature is another at each try.
        content: Some(Sha256::digest(value.to_string()).into()),
        dead: dead.map(str::to_owned),
    }
}

/// The JSON without what a replay needs.
fn without_signature(body: &Bytes) -> Bytes {
    // The values stay as they came, to the last digit of a number.
    let Ok(mut members) = serde_json::from_slice::<BTreeMap<String, Box<RawValue>>>(body) else { return body.clone() };
    members.remove("signature");
    serde_json::to_vec(&members).map_or_else(|_| body.clone(), Bytes::from)
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.len() <= 64 && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
}

/// Seconds with a fraction.
#[expect(
    clippy::cast_possible_truncation,
    reason = "microseconds of any year aurora meets fit; others are out of range"
)]
fn time(seconds: f64) -> Option<Timestamp> {
    Timestamp::from_microsecond((seconds * 1e6) as i64).ok()
}

/// What an event reads as.
pub(super) fn read(stored: &Stored<'_>) -> Parsed {
    let Ok(value) = serde_json::from_slice::<Value>(stored.data) else { return json::plain(stored) };
    let data = &value["event-data"];
    let text_at =
        |pointer: &str| data.pointer(pointer).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty());
    let recipient = text_at("/recipient");
    let mail = text_at("/message/headers/message-id");
    let what = stored.kind.strip_prefix("mailgun.").unwrap_or(stored.kind).replace('.', " ");
    let about = text_at("/message/headers/subject").unwrap_or("a mail");
    let code = data.pointer("/delivery-status/code").and_then(Value::as_i64).map(|code| code.to_string());
    let lines = [
        ("recipient", recipient),
        ("reason", text_at("/reason")),
        ("code", code.as_deref()),
        ("description", text_at("/delivery-status/description")),
        ("message", text_at("/delivery-status/message")),
        ("url", text_at("/url")),
        ("message-id", mail),
    ];
    let lines = lines.iter().filter_map(|(name, value)| Some(format!("{name}: {}", (*value)?)));
    let from = recipient.map(|address| Person { address: address.to_owned(), name: String::new() });
    let to = recipient.unwrap_or("nobody");
    Parsed {
        from,
        subject: format!("{what}: {about} to {to}"),
        text: lines.collect::<Vec<_>>().join("\n"),
        thread: mail.map_or_else(|| to.to_owned(), |mail| super::mail::thread(to, mail)),
        refs: mail.map(str::to_owned).into_iter().collect(),
        report: mail.map(|mail| report(data, about_one(mail, recipient), stored.kind)),
        ..Parsed::default()
    }
}

/// The mail `id` as `recipient` has it: one mail to two comes through to one and not to the other.
fn about_one(id: &str, recipient: Option<&str>) -> String {
    match recipient {
        Some(recipient) => format!("{id} {}", recipient.to_lowercase()),
        None => id.to_owned(),
    }
}

/// What an event says about the mail `about`. Events come in any order; what is known to have happened later holds.
fn report(data: &Value, about: String, kind: &str) -> Report {
    let status = kind.strip_prefix("mailgun.").unwrap_or(kind);
    let rank = match status {
        "failed.temporary" => 2,
        "delivered" => 3,
        "opened" => 4,
        "clicked" | "unsubscribed" => 5,
        "failed.permanent" | "rejected" | "complained" => 6,
        _ => 1,
    };
    let reasons = ["/delivery-status/message", "/delivery-status/description", "/reason"];
    let reason =
        reasons.iter().filter_map(|pointer| data.pointer(pointer)?.as_str()).find(|text| !text.trim().is_empty());
    Report {
        about,
        status: status.to_owned(),
        rank,
        detail: reason.unwrap_or_default().to_owned(),
        needs_somebody: rank == 6,
    }
}

#[cfg(test)]
mod tests {
    use crate::model::Assurance;

    use super::*;

    fn identified(body: &'static str) -> Envelope {
        let verified = Verified { assurance: Assurance::TokenOnly, time: None, id: Some("t".into()) };
        identify(&Bytes::from_static(body.as_bytes()), &verified)
    }

    #[test]
    fn a_failure_says_whom_it_did_not_reach_and_why() {
        let body = r#"{"event-data":{"event":"failed","severity":"permanent","id":"e1","timestamp":1521233195.375624,
            "recipient":"bob@example.org","reason":"bounce","message":{"headers":{"message-id":"m@x","subject":"Offer"}},
            "delivery-status":{"code":550,"message":"no such user"}}}"#;
        let envelope = identified(body);
        assert_eq!(
            (envelope.kind.as_str(), envelope.key.as_deref(), &envelope.dead),
            ("mailgun.failed.permanent", Some("e1"), &None)
        );
        assert_eq!(envelope.time.map(Timestamp::as_microsecond), Some(1_521_233_195_375_624));
        let parsed = read(&Stored { kind: &envelope.kind, key: "e1", headers: &[], data: &envelope.data });
        assert_eq!(parsed.subject, "failed permanent: Offer to bob@example.org");
        assert_eq!(
            parsed.text,
            "recipient: bob@example.org\nreason: bounce\ncode: 550\nmessage: no such user\nmessage-id: m@x"
        );
        assert_eq!(parsed.refs, ["m@x"]);
        let report = parsed.report.expect("a report");
        assert_eq!(
            (report.about.as_str(), report.status.as_str(), report.rank),
            ("m@x bob@example.org", "failed.permanent", 6)
        );
        assert_eq!((report.detail.as_str(), report.needs_somebody), ("no such user", true));
    }

    #[test]
    fn the_signature_is_not_stored_and_nothing_else_is_changed() {
        let body = r#"{"signature":{"timestamp":"1","token":"t","signature":"00"},"event-data":{"event":"x","id":"1","n":1.50}}"#;
        assert_eq!(&identified(body).data[..], br#"{"event-data":{"event":"x","id":"1","n":1.50}}"#);
    }

    #[test]
    fn each_recipient_of_a_mail_has_reports_of_his_own() {
        let about = |recipient: &str| {
            let data = serde_json::json!({"event-data": {"recipient": recipient, "message": {"headers": {"message-id": "m@x"}}}});
            let data = data.to_string();
            let stored = Stored { kind: "mailgun.delivered", key: "k", headers: &[], data: data.as_bytes() };
            read(&stored).report.expect("a report").about
        };
        assert_ne!(about("ann@example.org"), about("bob@example.org"));
        assert_eq!(about("Ann@example.org"), about("ann@example.org"));
    }

    #[test]
    fn what_went_well_needs_nobody() {
        for event in ["accepted", "delivered", "opened", "clicked", "unsubscribed"] {
            let data = serde_json::json!({"event-data": {"message": {"headers": {"message-id": "m@x"}}}}).to_string();
            let parsed =
                read(&Stored { kind: &format!("mailgun.{event}"), key: "k", headers: &[], data: data.as_bytes() });
            assert!(!parsed.report.expect("a report").needs_somebody, "{event}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_a_dead_letter() {
        for body in [
            "{}",
            r#"{"event-data":{}}"#,
            r#"{"event-data":{"event":"a b","id":"1"}}"#,
            r#"{"event-data":{"event":"x"}}"#,
        ] {
            assert!(identified(body).dead.is_some(), "{body}");
        }
        assert_eq!(identified(r#"{"event-data":{"event":"x"}}"#).key.as_deref(), Some("token t"));
    }
}
