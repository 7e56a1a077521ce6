//! The agent's own copy of what happened: one line of JSON each, in the journal's directory, bounded. Each has the hash of
//! the line before (`audit_chain.rs`).

use std::fs::File;
use std::io::Write;

use jiff::Timestamp;
use rustix::fs::{Mode, OFlags};
use serde_json::{Map, Value, json};

use crate::model::{EngineId, JobId, PaneDriver, PaneId};
use crate::protocol::{JobOrder, Journal};

use super::Spool;
use super::audit_chain::{last_line, none, there};
use super::journal::Refused;
use super::spool::FILE_MODE;

pub(super) const FILE: &str = "audit.jsonl";
pub(super) const BEFORE: &str = "audit.1.jsonl";
const LOCK: &str = "audit.lock";
/// A file that is longer, in bytes, becomes the one before; the one before that goes.
const FULL: u64 = 4 << 20;
/// No line is longer, in bytes; what is more of a text is cut.
const TEXT_MAX: usize = 1_000;

/// What is noted.
#[derive(Debug)]
pub(super) struct Noted(Map<String, Value>);

impl Noted {
    fn new(at: Timestamp, what: &str, id: JobId, more: Value) -> Self {
        Self::about(at, what, ("job", json!(id)), more)
    }

    fn about(at: Timestamp, what: &str, (kind, which): (&str, Value), more: Value) -> Self {
        let mut line = Map::from_iter([("at".into(), json!(at)), ("what".into(), json!(what)), (kind.into(), which)]);
        if let Value::Object(more) = more {
            line.extend(more);
        }
        Self(line)
    }

    pub(super) fn accepted(order: &JobOrder, at: Timestamp) -> Self {
        let (plan, hash) = (&order.plan, &order.hash);
        let more = json!({ "engine": order.engine, "epoch": order.epoch, "command": plan.command, "hash": hash });
        Self::new(at, "accepted", order.id, more)
    }

    pub(super) fn refused(order: &JobOrder, refused: &Refused, at: Timestamp) -> Self {
        let reason = short(&refused.reason);
        let more = json!({ "engine": order.engine, "epoch": order.epoch, "command": order.plan.command, "rule": refused.rule, "reason": reason });
        Self::new(at, "refused", order.id, more)
    }

    pub(super) fn started(order: &JobOrder, at: Timestamp) -> Self {
        Self::new(
            at,
            "started",
            order.id,
            json!({ "runner": std::process::id(), "argv0": order.plan.argv.first(), "types_into": order.plan.keys.as_ref().map(|keys| keys.place.to_string()) }),
        )
    }

    pub(super) fn cancelled(id: JobId, engine: EngineId, epoch: u64, at: Timestamp) -> Self {
        Self::new(at, "cancelled", id, json!({ "engine": engine, "epoch": epoch }))
    }

    /// Somebody begins to type into a pane.
    pub(super) fn taken(pane: PaneId, name: &str, driver: &PaneDriver, engine: EngineId, at: Timestamp) -> Self {
        let more = json!({ "name": short(name), "who": driver.who, "engine": engine });
        Self::about(at, "pane-taken", ("pane", json!(pane)), more)
    }

    /// Somebody types into a pane no longer.
    pub(super) fn released(pane: PaneId, driver: &PaneDriver, why: &str, at: Timestamp) -> Self {
        let more = json!({ "who": driver.who, "since": driver.since, "reason": short(why) });
        Self::about(at, "pane-released", ("pane", json!(pane)), more)
    }

    pub(super) fn ended(id: JobId, result: &Journal, at: Timestamp) -> Self {
        let more = match result {
            Journal::Done { end, cut_short, left, sha256, .. } => {
                json!({ "end": end.to_string(), "cut_short": cut_short, "left": left, "sha256": sha256 })
            }
            Journal::NotRun { rule, reason } => json!({ "rule": rule, "reason": short(reason) }),
            Journal::Unknown { reason } => json!({ "unknown": short(reason) }),
            Journal::Absent | Journal::Accepted | Journal::Started { .. } => Value::Null,
        };
        Self::new(at, "ended", id, more)
    }
}

fn short(text: &str) -> String {
    text.chars().take(TEXT_MAX).collect()
}

/// Adds a line. A job never fails because of it; an engine keeps a log of its own.
pub(super) fn note(spool: &Spool, noted: &Noted) {
    if let Err(error) = append(spool, noted) {
        tracing::warn!(%error, "the agent's audit file cannot be written");
    }
}

fn append(spool: &Spool, noted: &Noted) -> std::io::Result<()> {
    let open = |name: &str| {
        let flags =
            OFlags::RDWR | OFlags::APPEND | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        rustix::fs::openat(spool.dir(), name, flags, Mode::from_raw_mode(FILE_MODE)).map(File::from)
    };
    // Several processes write it, and each line is about the one before.
    let lock = open(LOCK)?;
    lock.lock()?;
    let mut file = open(FILE)?;
    if file.metadata()?.len() > FULL {
        rustix::fs::renameat(spool.dir(), FILE, spool.dir(), BEFORE)?;
        file = open(FILE)?;
    }
    let mut bytes = Vec::new();
    let last = match last_line(&file)? {
        Some(last) => {
            if !last.is_whole {
                // A loss of power left half a line; it stays, and shows.
                bytes.push(b'\n');
            }
            Some(last)
        }
        None => there(spool, BEFORE)?.map(|before| last_line(&before)).transpose()?.flatten(),
    };
    let mut line = Map::from_iter([("prev".into(), json!(last.map_or_else(none, |last| last.hash)))]);
    line.extend(noted.0.clone());
    serde_json::to_writer(&mut bytes, &line)?;
    bytes.push(b'\n');
    file.write_all(&bytes)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::super::Machine;
    use super::*;

    #[test]
    fn lines_stay_lines_and_the_file_stays_bounded() {
        let dir = tempfile::tempdir().expect("a directory");
        let spool = Spool::open(&dir.path().join("spool"), Machine::default()).expect("a journal");
        let id = JobId::from_uuid(Uuid::now_v7());
        let evil = Journal::NotRun { rule: "spawn".into(), reason: "a\n{\"what\":\"ended\"}\u{1b}[2J".repeat(100) };
        let noted = Noted::ended(id, &evil, Timestamp::UNIX_EPOCH);
        note(&spool, &noted);
        let file = spool.path().join(FILE);
        let text = std::fs::read_to_string(&file).expect("a file");
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(!text.contains('\u{1b}') && text.len() < 6 * TEXT_MAX);
        std::fs::write(&file, vec![b'\n'; usize::try_from(FULL + 1).expect("small")]).expect("writes");
        note(&spool, &noted);
        let fresh = std::fs::read_to_string(&file).expect("a file");
        assert_eq!((fresh.lines().count(), fresh.len()), (1, text.len()), "{fresh}");
        assert_eq!(std::fs::metadata(spool.path().join(BEFORE)).expect("a file").len(), FULL + 1);
    }
}
