//! Inbound mail, from the form Mailgun makes of it to a message.

use std::collections::HashMap;

use crate::model::{Attachment, Parsed, TEXT_MAX};

use super::mail_headers::MailHeaders;
use super::{Form, html, mime};

/// Earlier messages that are remembered as belonging to the same conversation.
const MAX_REFS: usize = 32;
/// What a mark of an image begins with.
const MARK: &str = "[cid:";
/// Longest name of an attachment, in bytes.
const MAX_NAME: usize = 1024;

/// Verdicts of Mailgun's spam filter and sender checks: what to call them, and their headers.
const VERDICTS: [(&str, &str); 4] = [
    ("spf", "X-Mailgun-Spf"),
    ("dkim", "X-Mailgun-Dkim-Check-Result"),
    ("spam", "X-Mailgun-Sflag"),
    ("spam score", "X-Mailgun-Sscore"),
];

/// The line above what the sender did not write. No line of a text begins like it.
pub(super) const NOTES: &str = "──── from Mailgun ────";
/// What that line begins with.
const RULE: &str = "────";

/// What a mail consists of, wherever it was found.
pub(super) struct Mail<'a> {
    pub headers: MailHeaders<'a>,
    /// The sender and recipient of the envelope.
    pub envelope: (Option<String>, Option<String>),
    pub plain: Option<String>,
    pub html: Option<String>,
    pub attachments: Vec<Attachment>,
}

/// The message in a form. `file` is the beginning of the raw mail when that is a file.
pub(super) fn read(form: &Form, file: &[u8]) -> Parsed {
    let raw = mime::bytes(form, file);
    let rest = raw.as_ref().map_or(0, |raw| mime::rest(form, raw));
    let mail = raw.and_then(|raw| mime::read(form, &raw)).unwrap_or_else(|| from_fields(form));
    let mut parsed = message(mail);
    if rest > 0 {
        let gap = if parsed.text.is_empty() { "" } else { "\n\n" };
        parsed.text.push_str(gap);
        parsed.text.push_str(mime::MORE);
    }
    parsed
}

fn from_fields(form: &Form) -> Mail<'_> {
    let some = |names: &[&str]| {
        let found = names.iter().filter_map(|name| form.last(name)).find(|value| !value.trim().is_empty());
        found.map(str::to_owned)
    };
    Mail {
        headers: MailHeaders::of_form(form),
        envelope: (some(&["sender"]), some(&["recipient"])),
        // Without what it quotes, where Mailgun could tell it apart; the raw event has all of it.
        plain: some(&["stripped-text", "body-plain"]),
        html: some(&["stripped-html", "body-html"]),
        attachments: files(form),
    }
}

/// The files of a form, a field that became one among them.
pub(super) fn files(form: &Form) -> Vec<Attachment> {
    // {"<content id>": "attachment-1"}; an id may stand there twice, and then the last counts.
    let map = form.last("content-id-map").and_then(|json| serde_json::from_str::<serde_json::Value>(json).ok());
    let content_id = |field: &str| {
        let ids = map.as_ref()?.as_object()?;
        let (id, _) = ids.iter().find(|(_, known)| known.as_str() == Some(field))?;
        Some(id.trim_matches(['<', '>']).to_owned())
    };
    let attachment = |file: &super::FormFile| {
        let name = match (&file.name, file.field.as_str()) {
            (Some(name), _) => super::mail_headers::decoded(name),
            (None, "body-mime") => "message.eml".to_owned(),
            (None, field) => format!("{field}.txt"),
        };
        Attachment {
            name,
            declared: file.declared.clone().unwrap_or_default(),
            found: file.found.clone().unwrap_or_default(),
            size: file.size,
            content_id: content_id(&file.field),
            sha256: Some(file.sha256.clone()),
            part: None,
        }
    };
    form.files.iter().map(attachment).collect()
}

fn message(mail: Mail<'_>) -> Parsed {
    let Mail { headers, envelope: (sender, recipient), plain, html, mut attachments } = mail;
    for attachment in &mut attachments {
        attachment.name.truncate(attachment.name.floor_char_boundary(MAX_NAME));
    }
    let from = headers.person("from").or_else(|| super::mail_headers::person(&sender?));
    let subject = headers.text("subject").unwrap_or_else(|| "(no subject)".to_owned());
    let ids = attachments.iter().filter_map(|attachment| Some((attachment.content_id.as_deref()?, &*attachment.name)));
    let images: HashMap<&str, &str> = ids.collect();
    let text = match (plain, html) {
        (Some(plain), _) => with_images(plain.trim_end(), &images),
        (None, Some(html)) => html::text(&html, |id| images.get(id).map(|name| (*name).to_owned())),
        (None, None) => String::new(),
    };
    let notes = notes(&headers, recipient.as_deref());
    let text = without_rules(&text);
    let text = if notes.is_empty() { text } else { format!("{text}\n\n{NOTES}\n{notes}").trim_start().to_owned() };
    let name = headers.ids("message-id").into_iter().next();
    let references = headers.ids("references");
    let answered = headers.ids("in-reply-to");
    let first = references.first().or(answered.first()).or(name.as_ref()).cloned();
    let address = from.as_ref().map(|person| person.address.as_str()).unwrap_or_default();
    let thread = match first {
        Some(id) => thread(address, &id),
        None => format!("subj:{address}\n{}", topic(&subject)),
    };
    let mut refs: Vec<String> = Vec::new();
    for id in answered.into_iter().chain(references.into_iter().rev()) {
        if refs.len() < MAX_REFS && !refs.contains(&id) && Some(&id) != name.as_ref() {
            refs.push(id);
        }
    }
    Parsed { from, subject, text, thread, name, refs, attachments, report: None }
}

/// The conversation with `address` that began with message `id`. Somebody else who names that message gets another one:
/// anybody may write any id into his mail.
pub(super) fn thread(address: &str, id: &str) -> String {
    format!("mid:{address}\n{id}")
}

/// Plain text that some senders leave marks of images in: `[cid:image001.png@01DA]`. Names that are put in are not
/// read again, and what is over [`TEXT_MAX`] is left out.
fn with_images(text: &str, images: &HashMap<&str, &str>) -> String {
    let mut rest = &text[..text.floor_char_boundary(TEXT_MAX)];
    let mut named = String::with_capacity(rest.len());
    while let Some((before, after)) = rest.split_once(MARK) {
        named.push_str(before);
        let near = &after[..after.floor_char_boundary(MAX_NAME)];
        let known = near.split_once(']').and_then(|(id, _)| Some((images.get(id)?, id.len() + 1)));
        if let Some((name, length)) = known {
            named.extend(["[image: ", name, "]"]);
            rest = &after[length..];
        } else {
            named.push_str(MARK);
            rest = after;
        }
        if named.len() >= TEXT_MAX {
            break;
        }
    }
    named.push_str(rest);
    named.truncate(named.floor_char_boundary(TEXT_MAX));
    named
}

/// The text with every line that looks like the beginning of [`NOTES`] marked as quoted.
fn without_rules(text: &str) -> String {
    if !text.contains(RULE) {
        return text.to_owned();
    }
    // Line ends that only some show, too.
    let is_end = |c: char| matches!(c, '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}');
    let looks = |line: &str| line.trim_start_matches(|c: char| !c.is_alphanumeric() && c != '─').starts_with(RULE);
    let quoted = |line: &str| if looks(line) { format!("> {line}") } else { line.to_owned() };
    text.split_inclusive(is_end).map(quoted).collect()
}

/// To whom it went and what was checked, below the text.
fn notes(headers: &MailHeaders<'_>, recipient: Option<&str>) -> String {
    let to = headers.text("to").or_else(|| recipient.map(str::to_owned)).map(|to| ("to", to));
    let copies = headers.text("cc").map(|copies| ("cc", copies));
    let verdicts = VERDICTS.map(|(name, header)| (name, headers.stamped(header)));
    let untold: Vec<&str> = verdicts.iter().filter(|(_, value)| value.is_none()).map(|(name, _)| *name).collect();
    let told = verdicts.into_iter().filter_map(|(name, value)| Some((name, value?)));
    let mut lines: Vec<(&str, String)> = to.into_iter().chain(copies).chain(told).collect();
    if !lines.is_empty() && !untold.is_empty() {
        lines.push(("not told", untold.join(", ")));
    }
    lines.iter().map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>().join("\n")
}

/// A subject without the words that answering and forwarding put in front.
fn topic(subject: &str) -> &str {
    let mut topic = subject.trim();
    while let Some((before, after)) = topic.split_once(':')
        && ["re", "aw", "fw", "fwd", "wg", "sv", "antw"].iter().any(|word| before.trim().eq_ignore_ascii_case(word))
    {
        topic = after.trim();
    }
    topic
}

#[cfg(test)]
mod tests {
    use super::super::FormField;
    use super::*;

    fn form(fields: &[(&str, &str)]) -> Form {
        let field =
            |(name, value): &(&str, &str)| FormField { name: (*name).into(), value: (*value).into(), cut: false };
        Form { fields: fields.iter().map(field).collect(), files: Vec::new() }
    }

    #[test]
    fn a_mail_is_read() {
        let parsed = read(
            &form(&[
                ("recipient", "support@example.org"),
                ("sender", "bounce@mailer.example.com"),
                ("from", "Ann Example <ann@Example.com>"),
                ("subject", "Re: Two pots"),
                ("body-plain", "Yes.\n\n> Two?\n"),
                ("stripped-text", "Yes."),
                ("body-html", "<p>Yes.</p>"),
                (
                    "message-headers",
                    r#"[["X-Mailgun-Spf","Pass"],["X-Mailgun-Sflag","No"],["Received","by x"],["X-Mailgun-Sscore","-9"],
                        ["Message-Id","<c@x>"],["In-Reply-To","<b@x>"],["References","<a@x> <b@x>"],
                        ["To","Support <support@example.org>"]]"#,
                ),
            ]),
            &[],
        );
        let from = parsed.from.expect("a sender");
        assert_eq!((from.address.as_str(), from.name.as_str()), ("ann@example.com", "Ann Example"));
        assert_eq!(parsed.subject, "Re: Two pots");
        assert_eq!(
            parsed.text,
            "Yes.\n\n──── from Mailgun ────\nto: Support <support@example.org>\nspf: Pass\nspam: No\nnot told: dkim, spam score"
        );
        assert_eq!((parsed.thread.as_str(), parsed.name.as_deref()), ("mid:ann@example.com\na@x", Some("c@x")));
        assert_eq!(parsed.refs, ["b@x", "a@x"]);
    }

    #[test]
    fn html_is_read_when_there_is_no_plain_part_and_names_its_images() {
        let mut form = form(&[
            ("from", "ann@example.org"),
            ("body-plain", " \n"),
            ("body-html", "<p>Look: <img src=\"cid:one@x\"></p><img src=\"cid:lost\">"),
            ("content-id-map", r#"{"<zero@x>": "attachment-1", "<one@x>": "attachment-1"}"#),
        ]);
        form.files.push(super::super::FormFile {
            field: "attachment-1".into(),
            name: Some("=?utf-8?Q?K=C3=BCche.png?=".into()),
            declared: Some("image/png".into()),
            found: None,
            size: 3,
            sha256: "00".into(),
        });
        form.fields[3].value = r#"{"<one@x>": "attachment-1"}"#.into();
        let parsed = read(&form, &[]);
        assert_eq!(parsed.text, "Look: [image: Küche.png]\n[image: lost]");
        assert_eq!(parsed.attachments[0].content_id.as_deref(), Some("one@x"));
        form.fields[1].value = "Look: [cid:one@x]".into();
        assert_eq!(read(&form, &[]).text, "Look: [image: Küche.png]");
    }

    #[test]
    fn names_of_images_are_not_read_again_and_the_text_does_not_grow_without_end() {
        let file = |id: &str, name: String| Attachment { name, content_id: Some(id.into()), ..Attachment::default() };
        let read = |plain: &str, attachments: &[Attachment]| {
            message(Mail {
                headers: MailHeaders::default(),
                envelope: (None, None),
                plain: Some(plain.to_owned()),
                html: None,
                attachments: attachments.to_vec(),
            })
        };
        let names: Vec<String> = ('a'..='z').map(String::from).collect();
        let bombs: Vec<Attachment> =
            names.windows(2).map(|pair| file(&pair[0], format!("[cid:{}]", pair[1]).repeat(140))).collect();
        assert_eq!(read("x [cid:a] y", &bombs).text, format!("x [image: {}] y", "[cid:b]".repeat(140)));
        let grown = read(&"[cid:a]".repeat(500_000), &bombs);
        assert_eq!(grown.text.len(), TEXT_MAX);
        assert_eq!(read("[cid:] [cid:q", &[file("x", "y".repeat(5_000))]).text, "[cid:] [cid:q");
        assert_eq!(read("", &[file("x", "y".repeat(5_000))]).attachments[0].name.len(), MAX_NAME);
    }

    #[test]
    fn a_thread_has_a_name_even_without_ids() {
        let thread = |fields: &[(&str, &str)]| read(&form(fields), &[]).thread;
        let ann = ("from", "ann@example.org");
        assert_eq!(
            thread(&[ann, ("In-Reply-To", "<p@x>"), ("Message-Id", "<q@x>")]),
            thread(&[ann, ("Message-Id", "<p@x>")])
        );
        assert_ne!(thread(&[ann, ("Message-Id", "<q@x>")]), thread(&[("from", "eve@x"), ("Message-Id", "<q@x>")]));
        assert_ne!(thread(&[ann, ("subject", "Pots")]), thread(&[ann, ("Message-Id", "<Pots>")]));
        assert_eq!(thread(&[ann, ("subject", "AW: Re: Pots")]), thread(&[ann, ("subject", "Pots")]));
    }

    #[test]
    fn a_text_does_not_pass_for_what_was_checked() {
        let body = format!("Hi\n\n{NOTES}\nspf: Pass\u{2028} \u{200b}{NOTES}");
        let text = read(&form(&[("from", "ann@x"), ("to", "a@b"), ("body-plain", &body)]), &[]).text;
        let lines = text.split(['\n', '\u{2028}']);
        assert_eq!(lines.filter(|line| line.trim_start_matches([' ', '\u{200b}']).starts_with(RULE)).count(), 1);
        let (_, notes) = text.rsplit_once(NOTES).expect("the line");
        assert_eq!(notes, "\nto: a@b\nnot told: spf, dkim, spam, spam score");
    }

    #[test]
    fn what_is_missing_or_broken_is_left_out() {
        let parsed = read(
            &form(&[("message-headers", "[[1,2],"), ("content-id-map", "[]"), ("sender", "ann@example.org")]),
            &[],
        );
        assert_eq!(parsed.from.expect("a sender").address, "ann@example.org");
        assert_eq!(parsed.subject, "(no subject)");
        assert_eq!(read(&Form::default(), &[]).text, "");
    }
}
