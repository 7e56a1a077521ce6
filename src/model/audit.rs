//! The audit log: who did what, each entry chained to the one before by a hash.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{OperatorName, seen};

/// What kind of thing was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AuditKind {
    /// Somebody asked for something.
    Requested,
    /// It was refused.
    Refused,
    /// It waits for approval.
    Held,
    /// Somebody said yes.
    Granted,
    /// Somebody said no.
    Denied,
    /// It was brought to a host.
    Delivered,
    /// It is over.
    Ended,
    /// Somebody stopped it.
    Cancelled,
    /// Somebody decided what an unknown end was.
    Resolved,
    /// Something else was changed: a task restarted, a token made.
    Changed,
}

impl AuditKind {
    /// Every kind.
    pub const ALL: [Self; 10] = [
        Self::Requested,
        Self::Refused,
        Self::Held,
        Self::Granted,
        Self::Denied,
        Self::Delivered,
        Self::Ended,
        Self::Cancelled,
        Self::Resolved,
        Self::Changed,
    ];

    /// One word for screens and `--json`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Refused => "refused",
            Self::Held => "held",
            Self::Granted => "granted",
            Self::Denied => "denied",
            Self::Delivered => "delivered",
            Self::Ended => "ended",
            Self::Cancelled => "cancelled",
            Self::Resolved => "resolved",
            Self::Changed => "changed",
        }
    }
}

/// What is to be written down. The store gives it its place and its hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditNote {
    /// When.
    pub at: Timestamp,
    /// Who; `None` is aurora itself.
    pub by: Option<OperatorName>,
    /// What kind of thing.
    pub kind: AuditKind,
    /// About what: `job_…`, `apr_…`, a host, a task.
    pub about: String,
    /// In one line. Never a secret. It may hold text from outside.
    pub what: String,
}

impl AuditNote {
    /// A note about `about`.
    #[must_use]
    pub fn new(
        at: Timestamp,
        by: Option<&OperatorName>,
        kind: AuditKind,
        about: impl std::fmt::Display,
        what: impl Into<String>,
    ) -> Self {
        Self { at, by: by.cloned(), kind, about: about.to_string(), what: what.into() }
    }
}

/// One entry of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// Its number, counted from 1 without gaps.
    pub seq: u64,
    /// What was written down.
    #[serde(flatten)]
    pub note: AuditNote,
    /// SHA-256 over the hash of the entry before and this one's bytes, as 64 hexadecimal digits.
    pub hash: String,
}

/// What the first entry is chained to.
pub const AUDIT_BEGINNING: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// Longest texts of an entry, in bytes.
const ABOUT_MAX: usize = 200;
const WHAT_MAX: usize = 4_000;

/// An entry as it is hashed and exported: everything but its hash.
#[derive(Serialize)]
struct Hashed<'a> {
    seq: u64,
    #[serde(flatten)]
    note: &'a AuditNote,
}

impl AuditEntry {
    /// The entry for `note` behind number `seq`, whose hash is `hash`. What is not seen is written as an escape, texts that are too long are cut, and the time is
    /// cut to microseconds, which is what a store keeps: an entry reads the same everywhere.
    #[must_use]
    pub fn behind(seq: u64, hash: &str, mut note: AuditNote) -> Self {
        note.at = Timestamp::from_microsecond(note.at.as_microsecond()).unwrap_or(note.at);
        note.about = seen(&note.about);
        note.what = seen(&note.what);
        cut(&mut note.about, ABOUT_MAX);
        cut(&mut note.what, WHAT_MAX);
        let seq = seq + 1;
        Self { hash: chained(hash, seq, &note), seq, note }
    }

    /// Its hash as it has to be behind an entry with the hash `previous`: SHA-256 over that hash, a line break, and the
    /// entry's line in an export without its field `hash`.
    #[must_use]
    pub fn hash_behind(&self, previous: &str) -> String {
        chained(previous, self.seq, &self.note)
    }
}

fn chained(previous: &str, seq: u64, note: &AuditNote) -> String {
    // In JSON no text can end its line or its field, so no two different entries have the same bytes.
    let line = serde_json::to_string(&Hashed { seq, note })
        .unwrap_or_else(|error| unreachable!("numbers, words and texts are JSON: {error}"));
    let mut hash = Sha256::new();
    hash.update(previous);
    hash.update(b"\n");
    hash.update(line);
    hex::encode(hash.finalize())
}

fn cut(text: &mut String, most: usize) {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
}

/// What reading the log, oldest first, comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditVerdict {
    /// Entries that were read and fit.
    pub entries: u64,
    /// The first that does not fit: its number, and why.
    pub broken: Option<(u64, String)>,
    /// The hash of the last one that fits.
    pub head: String,
}

impl Default for AuditVerdict {
    fn default() -> Self {
        Self { entries: 0, broken: None, head: AUDIT_BEGINNING.to_owned() }
    }
}

impl AuditVerdict {
    /// Takes in the next entry.
    pub fn take(&mut self, entry: &AuditEntry) {
        if entry.seq != self.entries + 1 {
            let wanted = self.entries + 1;
            return self.break_at(entry.seq, format!("entry {wanted} is missing before it"));
        }
        if entry.hash != entry.hash_behind(&self.head) {
            return self.break_at(entry.seq, "its hash does not fit it and the one before".to_owned());
        }
        self.entries = entry.seq;
        self.head.clone_from(&entry.hash);
    }

    /// Entry `seq` does not fit.
    pub fn break_at(&mut self, seq: u64, why: String) {
        self.broken.get_or_insert((seq, why));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(what: &str) -> AuditEntry {
        let note = AuditNote {
            at: "2026-01-02T03:04:05.123456789Z".parse().expect("a time"),
            by: None,
            kind: AuditKind::Refused,
            about: "web-1".into(),
            what: what.into(),
        };
        AuditEntry::behind(0, AUDIT_BEGINNING, note)
    }

    /// Anybody can check an export with a program for SHA-256: the bytes are a promise.
    #[test]
    fn the_hash_is_over_the_line_of_an_export() {
        let entry = entry("x");
        let line = serde_json::to_string(&entry).expect("JSON");
        let rest = line.strip_suffix(&format!(",\"hash\":\"{}\"}}", entry.hash)).expect("its hash comes last");
        let known =
            r#"{"seq":1,"at":"2026-01-02T03:04:05.123456Z","by":null,"kind":"refused","about":"web-1","what":"x""#;
        assert_eq!(rest, known);
        let hash = Sha256::digest(format!("{AUDIT_BEGINNING}\n{rest}}}"));
        assert_eq!(entry.hash, hex::encode(hash));
    }

    #[test]
    fn text_forges_neither_a_line_nor_a_field() {
        let forged = entry("x\",\"hash\":\"00\"}\n{\"seq\":2,\u{1b}[2J");
        let line = serde_json::to_string(&forged).expect("JSON");
        assert!(!line.contains(['\n', '\u{1b}']), "{line}");
        let read: AuditEntry = serde_json::from_str(&line).expect("reads back");
        assert_eq!(read, forged);
        assert_ne!(entry("a").hash, entry("b").hash);
        assert_eq!(entry(&"ä".repeat(9_000)).note.what.len(), WHAT_MAX);
    }
}
