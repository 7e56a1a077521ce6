//! Messages, contacts, and what operators have said about them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{ChannelId, ContactId, ConversationId, MessageId, short_bytes};

/// Who wrote, as a provider names them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Person {
    /// Unique within the channel: `github:octocat`, an address, a number.
    pub address: String,
    /// What to call them; empty when only the address is known.
    pub name: String,
}

/// What a provider reads out of one event. Text is as it came; the screen sanitises it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Parsed {
    /// Who wrote it, when that can be told.
    pub from: Option<Person>,
    /// One line: what it is about.
    pub subject: String,
    /// What was written, as plain text.
    pub text: String,
    /// What joins messages to one conversation within the channel.
    pub thread: String,
    /// What it says about an earlier message, when it is no message itself.
    pub report: Option<Report>,
    /// Its own name in the world, where it has one that replies refer to: a mail's Message-Id.
    pub name: Option<String>,
    /// The names of earlier messages it refers to, the nearest first. A known one decides the conversation.
    pub refs: Vec<String>,
    /// Files that came along.
    pub attachments: Vec<Attachment>,
}

/// What a provider says about a message that went out: sent, delivered, read, failed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Report {
    /// The provider's id of the message it is about.
    pub about: String,
    /// The provider's word: `delivered`.
    pub status: String,
    /// How far the message has come by it. Reports come in any order; the highest rank holds.
    pub rank: u8,
    /// Why, when it failed; empty otherwise. Text is as it came.
    pub detail: String,
    /// Whether somebody has to look. Only then it is a message in the inbox too.
    pub needs_somebody: bool,
}

/// A file that came with a message.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Attachment {
    /// Its name, as the sender says; [`Attachment::file_name`] is safe to use.
    pub name: String,
    /// Its media type, as the sender says; empty when nothing was said.
    pub declared: String,
    /// Its media type by its first bytes; empty when they show none.
    #[serde(rename = "type")]
    pub found: String,
    /// Its bytes.
    pub size: u64,
    /// The name under which the text refers to it: an image that belongs into it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_id: Option<String>,
    /// SHA-256 of it, hexadecimal, when it is kept as a file of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Which attachment of the raw mail it is, counted from 0, when it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<u32>,
}

/// Longest text that is kept of a message, in bytes; the raw body stays whole.
pub const TEXT_MAX: usize = 256 << 10;
/// Longest name of a saved file, in bytes: what every file system takes, with room for a number.
const MAX_FILE_NAME: usize = 200;

impl Attachment {
    /// A name that is safe in any directory: no path, no leading dot, nothing that controls a terminal.
    #[must_use]
    pub fn file_name(&self) -> String {
        let last = self.name.rsplit(['/', '\\']).next().unwrap_or_default();
        let hides = |c: char| matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
        let plain: String = last
            .chars()
            .filter(|c| !hides(*c))
            .map(|c| if c.is_control() || matches!(c, ':' | '*' | '?' | '"' | '<' | '>' | '|') { '_' } else { c })
            .collect();
        let plain = plain.trim_start_matches(|c: char| c.is_whitespace() || matches!(c, '.' | '-'));
        let plain = plain.trim_end_matches(|c: char| c.is_whitespace() || c == '.');
        if plain.is_empty() {
            return "attachment".to_owned();
        }
        if plain.len() <= MAX_FILE_NAME {
            return plain.to_owned();
        }
        // What is at the end says how to open it.
        let ending = plain.rsplit_once('.').map(|(_, ending)| ending).filter(|ending| ending.len() <= 16);
        let stem = &plain[..plain.floor_char_boundary(MAX_FILE_NAME - 17)];
        ending.map_or_else(|| stem.to_owned(), |ending| format!("{stem}.{ending}"))
    }

    /// Name, size and type on one line, and what its sender calls it where its bytes show something else.
    #[must_use]
    pub fn described(&self) -> String {
        let declared = self.declared.split(';').next().unwrap_or_default().trim();
        let kind = match (self.found.as_str(), declared) {
            ("", "") => "unknown type".to_owned(),
            ("", declared) => format!("{declared} by its sender"),
            // Every kind of text begins alike.
            ("text/plain", declared) if declared.starts_with("text/") => declared.to_owned(),
            (found, declared) if declared.is_empty() || declared == found => found.to_owned(),
            (found, declared) => format!("{found}, called {declared} by its sender"),
        };
        let inline = if self.content_id.is_some() { ", shown in the text" } else { "" };
        format!("{}  {}  {kind}{inline}", self.name, short_bytes(self.size))
    }
}

/// `name` for the number 0, and otherwise with the number before its ending: `report-1.pdf`.
#[must_use]
pub fn numbered(name: &str, number: u32) -> String {
    match name.rsplit_once('.') {
        _ if number == 0 => name.to_owned(),
        Some((stem, ending)) if !stem.is_empty() => format!("{stem}-{number}.{ending}"),
        _ => format!("{name}-{number}"),
    }
}

/// What the operators have done with a message. Shared by everyone who is attached.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Marks {
    /// When it was first read.
    pub read: Option<Timestamp>,
    /// When somebody took it.
    pub acked: Option<Timestamp>,
    /// Who took it.
    pub acked_by: Option<String>,
}

/// One message as it stands in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageRow {
    /// Position of its event; newest is highest.
    pub seq: i64,
    /// Unique id.
    pub id: MessageId,
    /// The channel it came in on.
    pub channel: ChannelId,
    /// The type of its event.
    #[serde(rename = "type")]
    pub kind: String,
    /// Who wrote it.
    pub contact: Option<ContactId>,
    /// What to call them: the name, else the address, else empty.
    pub from: String,
    /// Whether its contact is a VIP.
    pub vip: bool,
    /// One line: what it is about.
    pub subject: String,
    /// The beginning of the text on one line.
    pub preview: String,
    /// When it was received.
    pub received: Timestamp,
    /// What the operators have done with it.
    pub marks: Marks,
}

/// One message in full.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// The row it has in a list.
    #[serde(flatten)]
    pub row: MessageRow,
    /// The conversation it belongs to.
    pub conversation: ConversationId,
    /// The address it was written from.
    pub address: Option<String>,
    /// The whole text.
    pub text: String,
    /// Files that came along, in order.
    #[serde(default)]
    pub attachments: Vec<Attachment>,
    /// The headers of the delivery, in order; secrets are never among them.
    pub headers: Vec<(String, String)>,
    /// The raw body, when it is text; what does not decode is replaced.
    pub raw: String,
    /// Bytes of the raw body; `raw` shows at most the first 256 KiB.
    pub raw_len: u64,
}

/// Somebody who writes on a channel, under one address. Operators say which contacts are one person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// Unique id.
    pub id: ContactId,
    /// The channel they write on.
    pub channel: ChannelId,
    /// Their address within the channel.
    pub address: String,
    /// Their name, or empty.
    pub name: String,
    /// Whether their messages come first: whether any contact of the person is a VIP.
    pub vip: bool,
    /// How many messages they have written from this address.
    pub messages: u64,
    /// When they last wrote from it.
    pub last: Option<Timestamp>,
    /// The other contacts of the same person, the last to write first; in each of those it is empty.
    #[serde(default)]
    pub others: Vec<Contact>,
}

impl Contact {
    /// It and the other contacts of the person.
    pub fn all(&self) -> impl Iterator<Item = &Self> {
        std::iter::once(self).chain(&self.others)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn saved_as(name: &str) -> String {
        Attachment { name: name.to_owned(), ..Attachment::default() }.file_name()
    }

    #[test]
    fn a_file_is_described_by_what_it_is() {
        let described = |found: &str, declared: &str, size| {
            let name = "a".to_owned();
            Attachment { name, found: found.into(), declared: declared.into(), size, ..Attachment::default() }
                .described()
        };
        assert_eq!(described("application/pdf", "application/pdf; x=y", 1_234), "a  1.2 KiB  application/pdf");
        assert_eq!(described("application/zip", "", 999), "a  999 B  application/zip");
        assert_eq!(described("text/plain", "text/csv", 5_060_000), "a  4.8 MiB  text/csv");
        assert_eq!(described("", "", 0), "a  0 B  unknown type");
        assert_eq!(described("", "image/heic", 1), "a  1 B  image/heic by its sender");
        let lie = described("application/x-executable", "application/pdf", 1);
        assert_eq!(lie, "a  1 B  application/x-executable, called application/pdf by its sender");
    }

    proptest! {
        #[test]
        fn whatever_a_file_is_called_its_name_is_plain(name in "[-. \u{a0}\u{200b}/\\\\a\u{e4}]{0,20}|.{0,300}") {
            let saved = saved_as(&name);
            prop_assert!(!saved.starts_with(|c: char| c.is_whitespace() || matches!(c, '.' | '-')), "{saved:?}");
            prop_assert!(!saved.is_empty() && saved.len() <= MAX_FILE_NAME);
            prop_assert!(!saved.contains(['/', '\\']) && !saved.chars().any(char::is_control));
        }
    }

    #[test]
    fn names_of_files_lead_nowhere() {
        for (name, safe) in [
            ("offer.pdf", "offer.pdf"),
            ("Angebot für Österreich.pdf", "Angebot für Österreich.pdf"),
            ("../../etc/passwd", "passwd"),
            ("C:\\Windows\\system32\\x.dll", "x.dll"),
            ("/etc/cron.d/", "attachment"),
            (".bashrc", "bashrc"),
            ("..", "attachment"),
            ("-rf", "rf"),
            (". .bash_profile", "bash_profile"),
            ("- -rf", "rf"),
            (".\u{a0}-\u{200b}.\u{3000}x. .", "x"),
            ("", "attachment"),
            ("a\u{1b}[2Jb\n.txt", "a_[2Jb_.txt"),
            ("invoice\u{202e}fdp.exe", "invoicefdp.exe"),
            ("a:b*c?.txt", "a_b_c_.txt"),
        ] {
            assert_eq!(saved_as(name), safe, "{name:?}");
        }
        let long = saved_as(&format!("{}.tar.gz", "ä".repeat(500)));
        assert!(
            long.len() <= MAX_FILE_NAME && long.rsplit_once('.').is_some_and(|(_, ending)| ending == "gz"),
            "{long}"
        );
    }
}
