//! Raw mail (RFC 5322, MIME): `body-mime` of a Mailgun route that ends in `mime`.

use std::borrow::Cow;

use mail_parser::{Message, MessageParser, MessagePart, MimeHeaders};

use crate::model::{Attachment, TEXT_MAX};

use super::mail::Mail;
use super::mail_headers::MailHeaders;
use super::{Form, file_type, mime_nesting};

/// Attachments that are listed.
const MAX_ATTACHMENTS: usize = 200;

/// A part that ends so near to the end of what was read, in bytes, goes on behind it.
const CUT: usize = 4;

/// What is said below the text of a mail that was not read to its end.
pub(super) const MORE: &str = "[more attachments are in message.eml]";

/// The field the raw mail is in.
pub(super) const FIELD: &str = "body-mime";

/// The raw mail in a form: the field, or the beginning of the `file` it became.
pub(super) fn bytes<'a>(form: &'a Form, file: &'a [u8]) -> Option<Cow<'a, [u8]>> {
    let field = form.field(FIELD)?;
    let bytes = if field.cut && !file.is_empty() { file } else { field.value.as_bytes() };
    Some(Cow::Borrowed(bytes))
}

/// What a raw mail consists of; `None` when it is none.
pub(super) fn read(form: &Form, raw: &[u8]) -> Option<Mail<'static>> {
    let is_cut = form.field(FIELD).is_some_and(|field| field.cut);
    let mut attachments = if is_cut { super::mail::files(form) } else { Vec::new() };
    let envelope = |name: &str| form.last(name).map(str::to_owned);
    let envelope = (envelope("sender"), envelope("recipient"));
    if !mime_nesting::is_shallow(raw) {
        if !is_cut {
            attachments.push(undivided(raw));
        }
        let headers = MailHeaders::of_message(&MessageParser::default().parse_headers(raw)?);
        let shown = &raw[..raw.len().min(TEXT_MAX)];
        let plain = Some(String::from_utf8_lossy(shown).into_owned());
        return Some(Mail { headers, envelope, plain, html: None, attachments });
    }
    let message = MessageParser::default().parse(raw)?;
    let rest = rest(form, raw);
    let whole = |found: &MessagePart<'_>| rest == 0 || (found.offset_end as usize) + CUT < raw.len();
    let listed = (0..).zip(message.attachments()).take(MAX_ATTACHMENTS).filter(|(_, found)| whole(found));
    attachments.extend(listed.map(|(part, found)| {
        Attachment {
            name: found.attachment_name().map_or_else(|| format!("part-{}", part + 1), str::to_owned),
            declared: found.content_type().map(media_type).unwrap_or_default(),
            found: file_type::of(&found.contents()[..found.contents().len().min(file_type::HEAD)])
                .unwrap_or_default()
                .to_owned(),
            size: found.contents().len() as u64,
            content_id: found.content_id().map(|id| id.trim_matches(['<', '>']).to_owned()),
            sha256: None,
            part: Some(part),
        }
    }));
    Some(Mail {
        headers: MailHeaders::of_message(&message),
        envelope,
        plain: plain(&message),
        html: message.body_html(0).map(Cow::into_owned),
        attachments,
    })
}

/// Bytes of a raw mail that are in its file beyond those that were read.
pub(super) fn rest(form: &Form, raw: &[u8]) -> u64 {
    if !form.field(FIELD).is_some_and(|field| field.cut) {
        return 0;
    }
    let file = form.files.iter().rev().find(|file| file.field == FIELD);
    file.map_or(0, |file| file.size.saturating_sub(raw.len() as u64))
}

/// A mail that is not taken apart, as its own and only attachment.
fn undivided(raw: &[u8]) -> Attachment {
    Attachment {
        name: "message.eml".to_owned(),
        declared: "message/rfc822".to_owned(),
        found: file_type::of(&raw[..raw.len().min(file_type::HEAD)]).unwrap_or_default().to_owned(),
        size: raw.len() as u64,
        part: Some(0),
        ..Attachment::default()
    }
}

/// The plain part, when the mail has one: the parser would make one of HTML, which we do ourselves.
fn plain(message: &Message<'_>) -> Option<String> {
    let part = message.text_part(0).filter(|part| part.is_text() && !part.is_text_html())?;
    part.text_contents().filter(|text| !text.trim().is_empty()).map(str::to_owned)
}

fn media_type(content_type: &mail_parser::ContentType<'_>) -> String {
    match content_type.subtype() {
        Some(subtype) => format!("{}/{subtype}", content_type.ctype()).to_ascii_lowercase(),
        None => content_type.ctype().to_ascii_lowercase(),
    }
}

/// The content of attachment `part` of a raw mail; of one that is not taken apart all of it.
pub(super) fn part(raw: &[u8], part: u32) -> Option<Vec<u8>> {
    if !mime_nesting::is_shallow(raw) {
        return (part == 0).then(|| raw.to_vec());
    }
    let message = MessageParser::default().parse(raw)?;
    Some(message.attachment(part)?.contents().to_vec())
}

/// The Message-Id of a raw mail.
pub(super) fn message_id(raw: &[u8]) -> Option<String> {
    let message = MessageParser::default().parse_headers(raw)?;
    message.message_id().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::super::{FormField, mail};
    use super::*;

    const RAW: &str = "From: =?iso-8859-1?Q?J=FCrgen?= <j@Example.org>\r\nSubject: =?utf-8?B?R3LDvMOfZQ==?=\r\n\
        Message-ID: <m1@x>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=o\r\n\r\n\
        --o\r\nContent-Type: multipart/related; boundary=i\r\n\r\n\
        --i\r\nContent-Type: text/html; charset=windows-1252\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n\
        <p>5 =80 <img src=3D\"cid:pic@x\"></p>\r\n\
        --i\r\nContent-Type: image/png; name=\"pic.png\"\r\nContent-ID: <pic@x>\r\nContent-Transfer-Encoding: base64\r\n\r\niVBORw0KGgoAAAANSUhEUg==\r\n--i--\r\n\
        --o\r\nContent-Type: application/octet-stream\r\nContent-Disposition: attachment; filename*=UTF-8''na%C3%AFve.pdf\r\n\r\n%PDF-1.7\r\n--o--\r\n";

    fn form(raw: &str) -> Form {
        let field = FormField { name: FIELD.into(), value: raw.into(), cut: false };
        Form { fields: vec![field], files: Vec::new() }
    }

    #[test]
    fn a_raw_mail_is_read_with_its_character_sets_and_parts() {
        let parsed = mail::read(&form(RAW), &[]);
        assert_eq!(parsed.from.expect("a sender").name, "Jürgen");
        assert_eq!(parsed.subject, "Grüße");
        assert_eq!(parsed.text, "5 € [image: pic.png]");
        assert_eq!(parsed.name.as_deref(), Some("m1@x"));
        let listed: Vec<(&str, &str, &str, u64)> = parsed
            .attachments
            .iter()
            .map(|a| (a.name.as_str(), a.declared.as_str(), a.found.as_str(), a.size))
            .collect();
        assert_eq!(
            listed,
            [
                ("pic.png", "image/png", "image/png", 16),
                ("naïve.pdf", "application/octet-stream", "application/pdf", 8)
            ]
        );
        assert_eq!(part(RAW.as_bytes(), 1).as_deref(), Some(&b"%PDF-1.7"[..]));
        assert_eq!(part(RAW.as_bytes(), 2), None);
        assert_eq!(message_id(RAW.as_bytes()).as_deref(), Some("m1@x"));
    }

    #[test]
    fn a_part_that_goes_on_behind_what_was_read_is_not_listed() {
        let read_of = |end: usize| {
            let mut form = form("From: a@b");
            form.fields[0].cut = true;
            form.files = vec![super::super::FormFile {
                field: FIELD.into(),
                name: None,
                declared: None,
                found: None,
                size: RAW.len() as u64,
                sha256: String::new(),
            }];
            let parsed = mail::read(&form, &RAW.as_bytes()[..end]);
            let listed: Vec<(String, u64)> = parsed.attachments.into_iter().map(|a| (a.name, a.size)).collect();
            (listed, parsed.text.contains("[more attachments are in message.eml]"))
        };
        let (raw, pic, pdf) =
            (("message.eml".to_owned(), RAW.len() as u64), ("pic.png".to_owned(), 16), ("naïve.pdf".to_owned(), 8));
        assert_eq!(read_of(RAW.len()), (vec![raw.clone(), pic.clone(), pdf], false));
        let (in_pic, in_pdf) = (RAW.find("SUhEUg").expect("there"), RAW.find("F-1.7").expect("there"));
        assert_eq!(read_of(in_pic), (vec![raw.clone()], true));
        assert_eq!(read_of(in_pdf), (vec![raw.clone(), pic.clone()], true));
        let begins = RAW.find("SUhEUg").expect("there");
        for end in begins..RAW.len() {
            for listed in read_of(end).0 {
                assert!(listed.1 == 8 || listed == pic || listed == raw, "{end}: {listed:?} is cut");
            }
        }
    }

    #[test]
    fn every_truncation_of_a_raw_mail_is_read_without_a_panic() {
        for end in 0..RAW.len() {
            let _ = mail::read(&form(&RAW[..end]), &[]);
        }
    }

    #[test]
    fn deeply_nested_parts_are_read_without_a_panic() {
        let level = |n| format!("Content-Type: multipart/mixed; boundary=b{n}\r\n\r\n--b{n}\r\n");
        let raw = format!("From: a@b\r\n{}", (0..5_000).map(level).collect::<Vec<_>>().concat());
        let _ = mail::read(&form(&raw), &[]);
    }

    #[test]
    fn a_mail_in_mails_without_end_is_shown_as_it_is() {
        let level = "Content-Type: message/rfc822\r\n\r\n";
        let nested = format!("From: Ann <a@b>\r\nSubject: Hi\r\n{}", level.repeat((4 << 20) / level.len()));
        let parsed = mail::read(&form(&nested), &[]);
        assert_eq!((parsed.subject.as_str(), parsed.from.expect("a sender").name.as_str()), ("Hi", "Ann"));
        assert!(parsed.text.contains(level.trim()) && parsed.text.len() <= TEXT_MAX + 1_000);
        let [file] = &parsed.attachments[..] else { panic!("one file") };
        assert_eq!((file.name.as_str(), file.size), ("message.eml", nested.len() as u64));
        assert!(part(nested.as_bytes(), 0).is_some_and(|bytes| bytes == nested.as_bytes()));
        assert_eq!(part(nested.as_bytes(), 1), None);
    }
}
