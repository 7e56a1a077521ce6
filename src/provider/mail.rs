//! Inbound mail, from the form Mailgun makes of it to a message.

use crate::model::{Attachment, Parsed};

use super::mail_headers::MailHeaders;
use super::{Form, html, mime};

/// Earlier messages that are remembered as belonging to the same conversation.
const MAX_REFS: usize = 32;

/// Verdicts of Mailgun's spam filter and sender checks: what to call them, and their headers.
const VERDICTS: [(&str, &str); 4] = [
    ("spf", "X-Mailgun-Spf"),
    ("dkim", "X-Mailgun-Dkim-Check-Result"),
    ("spam", "X-Mailgun-Sflag"),
    ("spam score", "X-Mailgun-Sscore"),
];

/// What a mail consists of, wherever it was found.
pub(super) struct Mail {
    pub headers: MailHeaders,
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

fn from_fields(form: &Form) -> Mail {
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

fn message(mail: Mail) -> Parsed {
    let Mail { headers, envelope: (sender, recipient), plain, html, attachments } = mail;
    let from = headers.person("from").or_else(|| super::mail_headers::person(&sender?));
    let subject = headers.text("subject").unwrap_or_else(|| "(no subject)".to_owned());
    let image = |id: &str| {
        let named = attachments.iter().find(|attachment| attachment.content_id.as_deref() == Some(id))?;
        Some(named.name.clone())
    };
    let text = match (plain, html) {
        (Some(plain), _) => with_images(plain.trim_end(), &attachments),
        (None, Some(html)) => html::text(&html, image),
        (None, None) => String::new(),
    };
    let notes = notes(&headers, recipient.as_deref());
    let text = if notes.is_empty() { text } else { format!("{text}\n\n{notes}").trim_start().to_owned() };
    let name = headers.ids("message-id").into_iter().next();
    let references = headers.ids("references");
    let answered = headers.ids("in-reply-to");
    let first = references.first().or(answered.first()).or(name.as_ref()).cloned();
    let thread = first.unwrap_or_else(|| {
        let address = from.as_ref().map(|person| person.address.as_str()).unwrap_or_default();
        format!("{address} {}", topic(&subject))
    });
    let mut refs: Vec<String> = Vec::new();
    for id in answered.into_iter().chain(references.into_iter().rev()) {
        if refs.len() < MAX_REFS && !refs.contains(&id) && Some(&id) != name.as_ref() {
            refs.push(id);
        }
    }
    Parsed { from, subject, text, thread, name, refs, attachments, report: None }
}

/// Plain text that some senders leave marks of images in: `[cid:image001.png@01DA]`.
fn with_images(text: &str, attachments: &[Attachment]) -> String {
    let ids = attachments.iter().filter_map(|attachment| Some((attachment.content_id.as_deref()?, &attachment.name)));
    ids.fold(text.to_owned(), |text, (id, name)| text.replace(&format!("[cid:{id}]"), &format!("[image: {name}]")))
}

/// To whom it went and what was checked, below the text.
fn notes(headers: &MailHeaders, recipient: Option<&str>) -> String {
    let to = headers.text("to").or_else(|| recipient.map(str::to_owned)).map(|to| ("to", to));
    let copies = headers.text("cc").map(|copies| ("cc", copies));
    let verdicts = VERDICTS.iter().filter_map(|(name, header)| Some((*name, headers.text(header)?)));
    let lines = to.into_iter().chain(copies).chain(verdicts);
    lines.map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>().join("\n")
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
                    r#"[["Message-Id","<c@x>"],["In-Reply-To","<b@x>"],["References","<a@x> <b@x>"],
                        ["X-Mailgun-Spf","Pass"],["X-Mailgun-Sflag","No"],["To","Support <support@example.org>"]]"#,
                ),
            ]),
            &[],
        );
        let from = parsed.from.expect("a sender");
        assert_eq!((from.address.as_str(), from.name.as_str()), ("ann@example.com", "Ann Example"));
        assert_eq!(parsed.subject, "Re: Two pots");
        assert_eq!(parsed.text, "Yes.\n\nto: Support <support@example.org>\nspf: Pass\nspam: No");
        assert_eq!((parsed.thread.as_str(), parsed.name.as_deref()), ("a@x", Some("c@x")));
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
    fn a_thread_has_a_name_even_without_ids() {
        let thread = |fields: &[(&str, &str)]| read(&form(fields), &[]).thread;
        let ann = ("from", "ann@example.org");
        assert_eq!(thread(&[ann, ("In-Reply-To", "<p@x>"), ("Message-Id", "<q@x>")]), "p@x");
        assert_eq!(thread(&[ann, ("Message-Id", "<q@x>")]), "q@x");
        assert_eq!(thread(&[ann, ("subject", "AW: Re: Pots")]), thread(&[ann, ("subject", "Pots")]));
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
