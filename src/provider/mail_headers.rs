//! The headers of a mail: addresses, encoded words (RFC 2047), message ids.

use std::borrow::Cow;

use mail_parser::{Message, MessageParser};
use serde::Deserialize;

use crate::model::Person;

use super::Form;

/// Headers that are read; the rest stays in the stored event.
const MAX_HEADERS: usize = 1_000;
/// Message ids that are read from one header.
const MAX_IDS: usize = 64;
/// Longest message id.
const MAX_ID: usize = 512;

/// Headers in order, as they came.
#[derive(Debug, Default)]
pub(super) struct MailHeaders<'a> {
    all: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    /// How many of them are the mail's own, from its top; the others are fields beside it.
    own: usize,
}

/// One pair of the JSON array. Texts without escapes stay where they are.
#[derive(Deserialize)]
struct Listed<'a>(#[serde(borrow)] Cow<'a, str>, #[serde(borrow)] Cow<'a, str>);

impl<'a> MailHeaders<'a> {
    /// Those in a form: `message-headers`, a JSON array of pairs, and the fields beside it.
    pub(super) fn of_form(form: &'a Form) -> Self {
        let listed = form.last("message-headers").and_then(|json| serde_json::from_str::<Vec<Listed<'a>>>(json).ok());
        let listed = listed.unwrap_or_default().into_iter().map(|Listed(name, value)| (name, value));
        let fields = form.fields.iter().map(|field| (field.name.as_str().into(), field.value.as_str().into()));
        let own = listed.len().min(MAX_HEADERS);
        Self { all: listed.take(MAX_HEADERS).chain(fields).collect(), own }
    }

    /// Those of a raw mail.
    pub(super) fn of_message(message: &Message<'_>) -> MailHeaders<'static> {
        let pairs = message.headers_raw().map(|(name, value)| (name.to_owned().into(), value.trim().to_owned().into()));
        let all: Vec<_> = pairs.take(MAX_HEADERS).collect();
        MailHeaders { own: all.len(), all }
    }

    /// The first header `name`, with something in it, on one line.
    pub(super) fn get(&self, name: &str) -> Option<String> {
        let value = self.all.iter().find(|(known, value)| known.eq_ignore_ascii_case(name) && !value.trim().is_empty());
        value.map(|(_, value)| one_line(value))
    }

    /// The first header `name` with its encoded words read.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.get(name).map(|value| decoded(&value))
    }

    /// What the last host that took the mail wrote into header `name`: above the first `Received`, where nobody before
    /// it could write, and nowhere else.
    pub(super) fn stamped(&self, name: &str) -> Option<String> {
        let own = &self.all[..self.own];
        let is = |known: &str, name: &str| known.trim().eq_ignore_ascii_case(name);
        let received = own.iter().position(|(known, _)| is(known, "received"))?;
        let mut found = own.iter().enumerate().filter(|(_, (known, _))| is(known, name));
        let (at, (_, value)) = found.next()?;
        (found.next().is_none() && at < received && !value.trim().is_empty()).then(|| decoded(value))
    }

    /// Who a header names first.
    pub(super) fn person(&self, name: &str) -> Option<Person> {
        self.get(name).and_then(|value| person(&value))
    }

    /// The message ids in header `name`, in order, without their brackets.
    pub(super) fn ids(&self, name: &str) -> Vec<String> {
        self.get(name).map(|value| ids(&value)).unwrap_or_default()
    }
}

/// The message ids in a header: what stands in brackets, or the words when nothing does.
pub(super) fn ids(value: &str) -> Vec<String> {
    let bracketed: Vec<&str> =
        value.split('<').skip(1).filter_map(|rest| rest.split_once('>')).map(|(id, _)| id).collect();
    let found = if bracketed.is_empty() { value.split_whitespace().collect() } else { bracketed };
    let fits = |id: &&str| !id.is_empty() && id.len() <= MAX_ID;
    found.into_iter().map(str::trim).filter(fits).take(MAX_IDS).map(str::to_owned).collect()
}

/// Somebody as a mail names them. The domain of an address does not know case.
pub(super) fn person(value: &str) -> Option<Person> {
    let header = format!("From: {}\r\n\r\n", one_line(value));
    let message = MessageParser::default().parse(header.as_bytes())?;
    let found = message.from()?.first()?;
    let address = found.address()?.trim();
    let address = match address.rsplit_once('@') {
        Some((local, domain)) => format!("{local}@{}", domain.to_ascii_lowercase()),
        None => address.to_owned(),
    };
    (!address.is_empty()).then(|| Person { address, name: found.name().unwrap_or_default().trim().to_owned() })
}

/// A header's text with its encoded words read.
pub(super) fn decoded(value: &str) -> String {
    let line = one_line(value);
    if !line.contains("=?") {
        return line;
    }
    let header = format!("Subject: {line}\r\n\r\n");
    let message = MessageParser::default().parse(header.as_bytes());
    // What was encoded may hold line ends.
    message.and_then(|message| message.subject().map(one_line)).unwrap_or(line)
}

fn one_line(value: &str) -> String {
    value.split(['\r', '\n']).map(str::trim).collect::<Vec<_>>().join(" ").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_read() {
        for (header, address, name) in [
            ("Ann Example <Ann@Example.ORG>", "Ann@example.org", "Ann Example"),
            ("ann@example.org", "ann@example.org", ""),
            ("=?utf-8?Q?J=C3=BCrgen?= <j@example.org>", "j@example.org", "Jürgen"),
            ("=?iso-8859-1?Q?J=FCrgen?= <j@example.org>", "j@example.org", "Jürgen"),
            ("\"Example, Ann\" <ann@example.org>, bob@example.org", "ann@example.org", "Example, Ann"),
            ("Grüße <g@example.org>", "g@example.org", "Grüße"),
            ("Ann\r\nBcc: evil@example.org <ann@example.org>", "ann@example.org", "Ann Bcc: evil@example.org"),
        ] {
            let person = person(header).unwrap_or_else(|| panic!("{header}"));
            assert_eq!(person.address, address, "{header}");
            if !header.contains("Bcc") {
                assert_eq!(person.name, name, "{header}");
            }
        }
        assert_eq!(person(""), None);
    }

    #[test]
    fn only_the_last_host_stamps() {
        let stamped = |headers: serde_json::Value| {
            let fields = [("message-headers", headers.to_string()), ("X-Mailgun-Spf", "Pass".to_owned())];
            let field =
                |(name, value): (&str, String)| super::super::FormField { name: name.into(), value, cut: false };
            let form = Form { fields: fields.into_iter().map(field).collect(), files: Vec::new() };
            MailHeaders::of_form(&form).stamped("x-mailgun-spf")
        };
        let (spf, received) = (serde_json::json!(["X-Mailgun-Spf", "Pass"]), serde_json::json!(["Received", "by x"]));
        assert_eq!(stamped(serde_json::json!([spf, received, received])).as_deref(), Some("Pass"));
        for forged in [
            serde_json::json!([received, spf]),
            serde_json::json!([received, spf, received]),
            serde_json::json!([spf, received, ["x-mailgun-SPF", "Fail"]]),
            serde_json::json!([spf]),
            serde_json::json!([]),
        ] {
            assert_eq!(stamped(forged.clone()), None, "{forged}");
        }
    }

    #[test]
    fn words_and_ids_are_read() {
        assert_eq!(decoded("=?utf-8?B?R3LDvMOfZQ==?= and more"), "Grüße and more");
        assert_eq!(decoded("=?windows-1252?Q?5_=80?="), "5 €");
        assert_eq!(decoded("plain"), "plain");
        assert_eq!(decoded("=?utf-8?Q?one=0Aspf:_Pass?="), "one spf: Pass");
        assert_eq!(ids("<a@x> (said so)\r\n <b@y>"), ["a@x", "b@y"]);
        assert_eq!(ids("a@x b@y"), ["a@x", "b@y"]);
        assert_eq!(ids("<>"), Vec::<String>::new());
        assert_eq!(ids(&"<x@y> ".repeat(500)).len(), MAX_IDS);
    }
}
