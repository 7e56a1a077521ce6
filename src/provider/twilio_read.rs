//! Reading a WhatsApp or SMS message, and what Twilio reports about one that went out.

use serde_json::Value;

use crate::model::{Parsed, Person, Report};

use super::twilio::FORM;
use super::twilio_url::pairs;
use super::{Stored, json};

/// Media listed of one message; WhatsApp sends one, MMS up to ten.
const MAX_MEDIA: usize = 20;

/// The parameters of a delivery, as text.
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    /// Reads a form, or the members of a JSON object that are text or numbers.
    pub(super) fn read(data: &[u8], is_json: bool) -> Result<Self, String> {
        if is_json {
            let value: Value = serde_json::from_slice(data)
                .map_err(|error| format!("the body is not the JSON of an event: {error}"))?;
            let text =
                |value: &Value| value.as_str().map(str::to_owned).or_else(|| value.as_i64().map(|n| n.to_string()));
            return match value {
                Value::Object(members) => {
                    Ok(Self(members.iter().filter_map(|(name, value)| Some((name.clone(), text(value)?))).collect()))
                }
                Value::Array(_) => Ok(Self(Vec::new())),
                _ => Err("the body is neither an object nor a list".to_owned()),
            };
        }
        let text = |bytes| String::from_utf8(bytes).map_err(|_| "a parameter is not UTF-8".to_owned());
        pairs(data).map(|(name, value)| Ok((text(name)?, text(value)?))).collect::<Result<_, _>>().map(Self)
    }

    fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        found.filter(|value| !value.is_empty())
    }

    /// How often a name is there.
    pub(super) fn count(&self, name: &str) -> usize {
        self.0.iter().filter(|(known, _)| known == name).count()
    }

    /// The id of the message, under any of the names it has.
    pub(super) fn sid(&self) -> Option<&str> {
        ["MessageSid", "SmsMessageSid", "SmsSid"].iter().find_map(|name| self.get(name))
    }

    /// What is reported about a message that went out; `None` for one that came in.
    pub(super) fn status(&self) -> Option<&str> {
        let status = self.get("MessageStatus").or_else(|| self.get("SmsStatus"))?;
        (!matches!(status, "received" | "receiving")).then_some(status)
    }

    /// `whatsapp`, `sms`, or `twilio` for what else it carries.
    pub(super) fn service(&self) -> &'static str {
        match self.get("From").or_else(|| self.get("To")).and_then(|address| address.split_once(':')) {
            None => "sms",
            Some(("whatsapp", _)) => "whatsapp",
            Some(_) => "twilio",
        }
    }
}

/// The message or the report in the event `stored`.
pub(super) fn read(stored: &Stored<'_>) -> Parsed {
    let media = stored.headers.iter().find(|(name, _)| name == "content-type").map(|(_, value)| value.as_str());
    let is_json = media.is_some_and(|media| !media.to_ascii_lowercase().starts_with(FORM));
    let Ok(fields) = Fields::read(stored.data, is_json) else { return json::plain(stored) };
    match (fields.sid(), fields.status()) {
        (None, _) => json::read(stored),
        (Some(sid), Some(status)) => report(&fields, sid, status),
        (Some(sid), None) => message(&fields, sid),
    }
}

fn message(fields: &Fields, sid: &str) -> Parsed {
    let media: Vec<(&str, &str)> = (0..MAX_MEDIA)
        .map_while(|n| {
            let url = fields.get(&format!("MediaUrl{n}"))?;
            Some((fields.get(&format!("MediaContentType{n}")).unwrap_or("unknown type"), url))
        })
        .collect();
    let body = fields.get("Body").unwrap_or_default();
    let button = fields.get("ButtonText");
    let place = place(fields);
    let mut text = vec![body.to_owned()];
    // WhatsApp repeats the text of a pressed button as the body.
    text.extend(button.map(|button| match fields.get("ButtonPayload") {
        Some(payload) => format!("[button {button}: {payload}]"),
        None => format!("[button {button}]"),
    }));
    text.extend(place.as_ref().map(|place| format!("[location {place}]")));
    text.extend(media.iter().map(|(kind, url)| format!("[media {kind}: {url}]")));
    if fields.get("FrequentlyForwarded") == Some("true") {
        text.push("[forwarded many times]".to_owned());
    } else if fields.get("Forwarded") == Some("true") {
        text.push("[forwarded]".to_owned());
    }
    text.extend(fields.get("OriginalRepliedMessageSid").map(|sid| format!("[in reply to {sid}]")));
    text.retain(|line| !line.is_empty());
    let first = body.lines().map(str::trim).find(|line| !line.is_empty());
    let subject = first
        .or(button)
        .map(str::to_owned)
        .or_else(|| place.map(|place| format!("Location {place}")))
        .or_else(|| media.first().map(|(kind, _)| medium(kind).to_owned()))
        .unwrap_or_else(|| "Message without text".to_owned());
    let from = fields.get("From").map(|address| Person {
        address: address.to_owned(),
        name: fields.get("ProfileName").unwrap_or_default().to_owned(),
    });
    Parsed {
        thread: from.as_ref().map_or(sid, |from| &from.address).to_owned(),
        from,
        subject,
        text: text.join("\n"),
        ..Parsed::default()
    }
}

fn place(fields: &Fields) -> Option<String> {
    let (latitude, longitude) = (fields.get("Latitude")?, fields.get("Longitude")?);
    let all = [Some(latitude), Some(longitude), fields.get("Label"), fields.get("Address")];
    Some(all.into_iter().flatten().collect::<Vec<_>>().join(", "))
}

/// What a message is that holds nothing but a medium of this type.
fn medium(kind: &str) -> &'static str {
    match kind.split('/').next() {
        Some("image") => "Image",
        Some("audio") => "Audio",
        Some("video") => "Video",
        _ => "Document",
    }
}

fn report(fields: &Fields, sid: &str, status: &str) -> Parsed {
    let to = fields.get("To").unwrap_or_default();
    let why = [fields.get("ErrorMessage"), fields.get("ChannelStatusMessage")].into_iter().flatten().next();
    let detail = match (fields.get("ErrorCode"), why) {
        (Some(code), Some(why)) => format!("error {code}: {why}"),
        (Some(code), None) => format!("error {code}"),
        (None, why) => why.unwrap_or_default().to_owned(),
    };
    let failed = matches!(status, "failed" | "undelivered");
    let whom = if to.is_empty() { sid } else { to };
    Parsed {
        subject: format!("{status}: message to {whom}"),
        text: [format!("Message {sid} to {whom}: {status}"), detail.clone()].join("\n").trim_end().to_owned(),
        thread: whom.to_owned(),
        report: Some(Report {
            about: sid.to_owned(),
            status: status.to_owned(),
            rank: rank(status),
            detail,
            needs_somebody: failed,
        }),
        ..Parsed::default()
    }
}

/// How far a message has come (twilio.com/docs/messaging/api/message-resource, "Message Status values"). What it
/// has reached outranks what could not be done: a carrier may give up on a message that then arrives.
fn rank(status: &str) -> u8 {
    match status {
        "accepted" | "scheduled" => 1,
        "queued" => 2,
        "sending" => 3,
        "sent" => 4,
        "failed" | "undelivered" | "canceled" => 5,
        "delivered" | "partially_delivered" => 6,
        "read" => 7,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(pairs: &[(&str, &str)]) -> Parsed {
        let data = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        let headers = [("content-type".to_owned(), FORM.to_owned())];
        read(&Stored { kind: "whatsapp.message", key: "k", headers: &headers, data: data.as_bytes() })
    }

    #[test]
    fn a_message_has_its_profile_name_and_thread() {
        let parsed = parse(&[
            ("MessageSid", "SM1"),
            ("From", "whatsapp:+491700000000"),
            ("ProfileName", "Ann"),
            ("Body", "Hello\nthere"),
            ("OriginalRepliedMessageSid", "SM0"),
            ("Forwarded", "true"),
        ]);
        let from = parsed.from.expect("a sender");
        assert_eq!((from.address.as_str(), from.name.as_str()), ("whatsapp:+491700000000", "Ann"));
        assert_eq!(parsed.thread, "whatsapp:+491700000000");
        assert_eq!(parsed.subject, "Hello");
        assert_eq!(parsed.text, "Hello\nthere\n[forwarded]\n[in reply to SM0]");
        assert_eq!(parsed.report, None);
    }

    #[test]
    fn what_is_no_text_is_said_in_words() {
        let sid = ("MessageSid", "SM1");
        let photo = parse(&[
            sid,
            ("NumMedia", "1"),
            ("MediaUrl0", "https://api.twilio.com/m/ME0"),
            ("MediaContentType0", "image/jpeg"),
        ]);
        assert_eq!(photo.subject, "Image");
        assert_eq!(photo.text, "[media image/jpeg: https://api.twilio.com/m/ME0]");
        let place = parse(&[sid, ("Latitude", "52.5"), ("Longitude", "13.4"), ("Label", "Office")]);
        assert_eq!(
            (place.subject.as_str(), place.text.as_str()),
            ("Location 52.5, 13.4, Office", "[location 52.5, 13.4, Office]")
        );
        let button = parse(&[sid, ("ButtonText", "Yes"), ("ButtonPayload", "yes-1"), ("Body", "Yes")]);
        assert_eq!((button.subject.as_str(), button.text.as_str()), ("Yes", "Yes\n[button Yes: yes-1]"));
        assert_eq!(parse(&[sid]).subject, "Message without text");
    }

    #[test]
    fn a_report_says_how_far_a_message_came() {
        let status = |word: &str, more: &[(&str, &str)]| {
            let all =
                [&[("MessageSid", "SM1"), ("MessageStatus", word), ("To", "whatsapp:+491700000000")], more].concat();
            parse(&all)
        };
        let order = ["queued", "sending", "sent", "failed", "delivered", "read"];
        let ranks: Vec<u8> = order.iter().map(|word| status(word, &[]).report.expect("a report").rank).collect();
        assert!(ranks.is_sorted_by(|a, b| a < b), "{ranks:?}");
        let failed = status("undelivered", &[("ErrorCode", "63016"), ("ErrorMessage", "outside the window")]);
        let report = failed.report.expect("a report");
        assert!(report.needs_somebody);
        assert_eq!((report.about.as_str(), report.detail.as_str()), ("SM1", "error 63016: outside the window"));
        assert_eq!(failed.subject, "undelivered: message to whatsapp:+491700000000");
        assert_eq!(failed.from, None);
        assert!(!status("delivered", &[]).report.expect("a report").needs_somebody);
    }

    #[test]
    fn json_is_read_by_the_same_names() {
        let headers = [("content-type".to_owned(), "application/json".to_owned())];
        let data = br#"{"MessageSid":"SM1","From":"+491700000000","Body":"hi","NumMedia":0}"#;
        let parsed = read(&Stored { kind: "sms.message", key: "k", headers: &headers, data });
        assert_eq!((parsed.subject.as_str(), parsed.thread.as_str()), ("hi", "+491700000000"));
        let other = read(&Stored { kind: "twilio.event", key: "k", headers: &headers, data: br#"[{"text":"x"}]"# });
        assert_eq!(other.subject, "twilio.event");
    }
}
