//! The audit log: entries are added in the transaction of what they are about, and never change.

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::model::{AUDIT_BEGINNING, AuditEntry, AuditKind, AuditNote, AuditVerdict, OperatorName};

use super::events::{corrupt, timestamp};
use super::{Store, StoreError};

const COLUMNS: &str = "seq, at, by, kind, about, what, hash";

impl Store {
    /// Writes notes down, in their order.
    ///
    /// # Errors
    /// When the store cannot write; nothing is written then.
    pub async fn audit(&self, notes: Vec<AuditNote>) -> Result<Vec<AuditEntry>, StoreError> {
        self.write(move |connection| append_all(connection, notes)).await
    }

    /// Entries before `before`, newest first.
    ///
    /// # Errors
    /// When the store cannot read.
    pub fn audited(
        &self,
        about: Option<&str>,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        let condition = if about.is_some() { "about = ?1" } else { "?1 IS NULL" };
        let before = before.and_then(|before| i64::try_from(before).ok()).unwrap_or(i64::MAX);
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let sql = format!("SELECT {COLUMNS} FROM audit WHERE {condition} AND seq < ?2 ORDER BY seq DESC LIMIT ?3");
        self.read(|connection| {
            connection.prepare_cached(&sql)?.query_map(params![about, before, limit], entry)?.collect()
        })
    }

    /// Reads the whole log and compares every hash. It stops at the first entry that does not fit.
    ///
    /// # Errors
    /// When the store cannot read.
    pub fn verify_audit(&self) -> Result<AuditVerdict, StoreError> {
        self.read(|connection| {
            let mut statement = connection.prepare(&format!("SELECT {COLUMNS} FROM audit ORDER BY seq"))?;
            let mut rows = statement.query([])?;
            let mut verdict = AuditVerdict::default();
            while let (Some(row), None) = (rows.next()?, &verdict.broken) {
                // A row that cannot even be read is a row that was tampered with, not a broken disk.
                match entry(row) {
                    Ok(entry) => verdict.take(&entry),
                    Err(error) => verdict.break_at(row.get(0).unwrap_or_default(), format!("cannot be read: {error}")),
                }
            }
            Ok(verdict)
        })
    }
}

/// Adds `notes` behind the newest entry, within the caller's transaction.
pub(super) fn append_all(connection: &Connection, notes: Vec<AuditNote>) -> rusqlite::Result<Vec<AuditEntry>> {
    if notes.is_empty() {
        return Ok(Vec::new());
    }
    let newest = connection
        .prepare_cached("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1")?
        .query_row([], |row| Ok((row.get::<_, u64>(0)?, row.get::<_, String>(1)?)))
        .optional()?;
    let (mut seq, mut hash) = newest.unwrap_or_else(|| (0, AUDIT_BEGINNING.to_owned()));
    let mut entries = Vec::with_capacity(notes.len());
    for note in notes {
        let entry = AuditEntry::behind(seq, &hash, note);
        connection
            .prepare_cached(&format!("INSERT INTO audit ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"))?
            .execute(params![
                entry.seq,
                entry.note.at.as_microsecond(),
                entry.note.by.as_ref().map(OperatorName::as_str),
                entry.note.kind.as_str(),
                entry.note.about,
                entry.note.what,
                entry.hash,
            ])?;
        (seq, hash) = (entry.seq, entry.hash.clone());
        entries.push(entry);
    }
    Ok(entries)
}

fn entry(row: &Row<'_>) -> rusqlite::Result<AuditEntry> {
    let by: Option<String> = row.get(2)?;
    let by = by.map(|name| name.parse::<OperatorName>().map_err(|error| corrupt(2, error))).transpose()?;
    let kind: String = row.get(3)?;
    let kind = AuditKind::ALL.into_iter().find(|known| known.as_str() == kind).ok_or(rusqlite::Error::InvalidQuery)?;
    let note = AuditNote { at: timestamp(row.get(1)?), by, kind, about: row.get(4)?, what: row.get(5)? };
    Ok(AuditEntry { seq: row.get(0)?, note, hash: row.get(6)? })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::Timestamp;

    use super::super::Options;
    use super::*;

    fn note(what: &str) -> AuditNote {
        AuditNote {
            at: Timestamp::from_nanosecond(1_700_000_000_123_456_789).expect("in range"),
            by: Some("anna".parse().expect("a name")),
            kind: AuditKind::Requested,
            about: "job_1".into(),
            what: what.into(),
        }
    }

    fn store(dir: &std::path::Path) -> Store {
        Store::open(dir, Options::default()).expect("opens")
    }

    /// Changes the file as somebody with an editor for databases would.
    fn tamper(dir: &std::path::Path, sql: &str) {
        let connection = Connection::open(dir.join("aurora.db")).expect("opens");
        connection
            .execute_batch("DROP TRIGGER audit_is_kept; DROP TRIGGER audit_is_whole;")
            .expect("without its guards");
        connection.execute_batch(sql).expect("tampers");
    }

    #[tokio::test]
    async fn what_is_written_down_reads_back_and_holds() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = store(dir.path());
        assert_eq!(store.verify_audit().expect("reads"), AuditVerdict::default());
        let written = store.audit(vec![note("one"), note("two\nseq 3\t\u{1b}[2J\"}")]).await.expect("writes");
        let third =
            store.audit(vec![AuditNote { by: None, about: "web-1".into(), ..note("three") }]).await.expect("writes");
        let read = store.audited(None, None, 10).expect("reads");
        assert_eq!(read, [third[0].clone(), written[1].clone(), written[0].clone()]);
        assert_eq!(store.audited(Some("web-1"), None, 10).expect("reads"), third);
        assert_eq!(store.audited(Some("job_1"), Some(2), 10).expect("reads"), written[..1]);
        let verdict = store.verify_audit().expect("reads");
        assert_eq!((verdict.entries, verdict.broken, verdict.head), (3, None, third[0].hash.clone()));
        // The store itself refuses to rewrite history.
        let connection = Connection::open(dir.path().join("aurora.db")).expect("opens");
        for sql in ["UPDATE audit SET what = 'x'", "DELETE FROM audit WHERE seq = 3"] {
            assert!(connection.execute(sql, []).expect_err("refused").to_string().contains("the audit log is never"));
        }
    }

    #[tokio::test]
    async fn whatever_is_changed_is_found_where_it_is() {
        for (sql, seq) in [
            ("UPDATE audit SET what = 'nothing' WHERE seq = 3", 3),
            ("UPDATE audit SET by = 'ben' WHERE seq = 2", 2),
            ("UPDATE audit SET by = NULL WHERE seq = 2", 2),
            ("UPDATE audit SET at = at + 1 WHERE seq = 4", 4),
            ("UPDATE audit SET kind = 'ended' WHERE seq = 4", 4),
            ("UPDATE audit SET kind = 'nonsense' WHERE seq = 4", 4),
            ("UPDATE audit SET about = 'job_12' WHERE seq = 1", 1),
            ("UPDATE audit SET hash = upper(hash) WHERE seq = 5", 5),
            ("DELETE FROM audit WHERE seq = 3", 4),
            ("DELETE FROM audit WHERE seq = 1", 2),
            ("DELETE FROM audit WHERE seq = 2; UPDATE audit SET seq = seq - 1 WHERE seq > 2", 2),
            (
                "UPDATE audit SET seq = 9 WHERE seq = 2; UPDATE audit SET seq = 2 WHERE seq = 3; UPDATE audit SET seq = 3 WHERE seq = 9",
                2,
            ),
        ] {
            let dir = tempfile::tempdir().expect("a directory");
            let one = store(dir.path());
            one.audit((1..=5).map(|n| note(&format!("entry {n}"))).collect()).await.expect("writes");
            drop(one);
            tamper(dir.path(), sql);
            let verdict = store(dir.path()).verify_audit().expect("reads");
            assert_eq!(verdict.broken.map(|(seq, _)| seq), Some(seq), "{sql}");
        }
    }

    #[tokio::test]
    async fn a_tail_that_was_cut_off_is_missed_by_whoever_kept_the_head() {
        let dir = tempfile::tempdir().expect("a directory");
        let one = store(dir.path());
        one.audit((1..=5).map(|n| note(&format!("entry {n}"))).collect()).await.expect("writes");
        let kept = one.verify_audit().expect("reads").head;
        drop(one);
        tamper(dir.path(), "DELETE FROM audit WHERE seq > 3");
        let cut = store(dir.path());
        let verdict = cut.verify_audit().expect("reads");
        assert_eq!((verdict.entries, &verdict.broken), (3, &None), "by itself the rest is whole");
        assert!(cut.audited(None, Some(6), 1).expect("reads").first().is_none_or(|entry| entry.hash != kept));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn those_who_write_at_once_make_one_chain() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = Arc::new(store(dir.path()));
        let writers = (0..8).map(|writer| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                for n in 0..20 {
                    store.audit(vec![note(&format!("{writer}/{n}")), note("and one more")]).await.expect("writes");
                }
            })
        });
        for writer in writers.collect::<Vec<_>>() {
            writer.await.expect("ends");
        }
        let verdict = store.verify_audit().expect("reads");
        assert_eq!((verdict.entries, verdict.broken), (320, None));
    }
}
