//! Whether the store can read and write, and the way back to where it can.
//!
//! The first write that fails on a fault of the disk says so. From then on everything that wants to be written
//! is refused at once: nobody queues in front of a dead disk. Once a second the writer tries by itself.
//!
//! What cannot be read may be a single page that few deliveries need. While the rest of the file is read and written,
//! only those are refused.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rusqlite::Connection;
use rustix::fs::StatVfsMountFlags;
use tokio::sync::watch;

use crate::model::{StoreFault, StoreTrouble};

use super::StoreError;

/// How often a store that cannot write is tried.
pub(super) const PROBE: Duration = Duration::from_secs(1);
/// A database that cannot be read is tried after pauses that double up to here: a dying disk takes long to fail.
const PROBE_MAX: Duration = Duration::from_secs(30);
/// For how long nothing more must be unreadable before all is well again.
const QUIET: Duration = Duration::from_mins(1);
/// Bytes that are free again before a disk that was full is tried: a log that was written before has room for a
/// small commit even on a full disk, and the next one would fail again.
const ROOM: u64 = 1 << 20;
/// With less than this free the store cannot be opened.
const SCANT: u64 = 64 << 10;

/// Shared by everybody who writes.
pub(super) struct Health {
    dir: PathBuf,
    trouble: watch::Sender<Option<StoreTrouble>>,
    /// Deliveries refused meanwhile.
    refused: AtomicU64,
    unreadable: Mutex<Unreadable>,
}

/// What is known of a database that is unreadable or corrupt.
struct Unreadable {
    /// Not a place in it, but all of it as far as was tried.
    everywhere: bool,
    /// When something of it was unreadable last.
    last: Instant,
    /// How long it is left alone.
    pause: Duration,
}

impl Health {
    pub(super) fn new(dir: PathBuf) -> Self {
        let (trouble, _) = watch::channel(None);
        let unreadable = Unreadable { everywhere: false, last: Instant::now(), pause: PROBE };
        Self { dir, trouble, refused: AtomicU64::new(0), unreadable: Mutex::new(unreadable) }
    }

    /// What is wrong, now and whenever it changes.
    pub(super) fn watch(&self) -> watch::Receiver<Option<StoreTrouble>> {
        self.trouble.subscribe()
    }

    pub(super) fn is_failing(&self) -> bool {
        self.trouble.borrow().is_some()
    }

    /// Refuses at once while nothing can be written.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        match &*self.trouble.borrow() {
            Some(trouble) if trouble.fault != StoreFault::Corrupt || self.unreadable().everywhere => {
                Err(refusal(trouble))
            }
            _ => Ok(()),
        }
    }

    /// How long a store that fails is left alone before it is tried.
    pub(super) fn pause(&self) -> Duration {
        let corrupt = self.trouble.borrow().as_ref().is_some_and(|trouble| trouble.fault == StoreFault::Corrupt);
        let unreadable = self.unreadable();
        if corrupt && unreadable.everywhere { unreadable.pause } else { PROBE }
    }

    fn unreadable(&self) -> MutexGuard<'_, Unreadable> {
        self.unreadable.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts deliveries that were refused for it.
    pub(super) fn refused(&self, deliveries: usize) {
        self.refused.fetch_add(deliveries as u64, Ordering::Relaxed);
    }

    /// Takes in that work on `connection` failed; answers the error as it is to be told.
    pub(super) fn failed(&self, error: StoreError, connection: &Connection) -> StoreError {
        let StoreError::Disk { fault, detail } = error else { return error };
        if fault == StoreFault::Corrupt {
            let everywhere = read_and_write(connection).is_err();
            *self.unreadable() = Unreadable { everywhere, last: Instant::now(), pause: PROBE };
        }
        self.note(fault, detail)
    }

    fn note(&self, fault: StoreFault, detail: String) -> StoreError {
        let fault = diagnose(&self.dir, fault);
        self.trouble.send_if_modified(|trouble| match trouble {
            Some(known) if known.fault == fault => false,
            Some(known) => {
                tracing::error!(%fault, detail, "the store still fails");
                (known.fault, known.detail) = (fault, detail.clone());
                true
            }
            None => {
                tracing::error!(%fault, detail, dir = %self.dir.display(), "the store fails; deliveries are refused");
                *trouble = Some(StoreTrouble { since: Timestamp::now(), fault, detail: detail.clone() });
                true
            }
        });
        StoreError::Disk { fault, detail }
    }

    /// Tries to read and write, where that could have become possible by `now`.
    pub(super) fn probe(&self, connection: &Connection, now: Instant) {
        let Some(trouble) = self.trouble.borrow().clone() else { return };
        let corrupt = trouble.fault == StoreFault::Corrupt;
        if corrupt && !self.unreadable().everywhere {
            // What was unreadable is not tried here: nobody knows where it was. Whoever needs it tries.
            if now.duration_since(self.unreadable().last) >= QUIET {
                self.over(&trouble);
            }
            return;
        }
        if trouble.fault == StoreFault::DiskFull && !self.has_room() {
            return;
        }
        match read_and_write(connection).map_err(StoreError::from) {
            Ok(()) if corrupt => {
                tracing::info!("the store reads again; deliveries are accepted");
                self.unreadable().everywhere = false;
            }
            Ok(()) => self.over(&trouble),
            Err(error) => {
                let StoreError::Disk { fault, detail } = error else { return };
                if fault == StoreFault::Corrupt {
                    let mut unreadable = self.unreadable();
                    let pause = if corrupt { (unreadable.pause * 2).min(PROBE_MAX) } else { PROBE };
                    *unreadable = Unreadable { everywhere: true, last: now, pause };
                }
                self.note(fault, detail);
            }
        }
    }

    fn over(&self, trouble: &StoreTrouble) {
        let (refused, seconds) =
            (self.refused.swap(0, Ordering::Relaxed), Timestamp::now().duration_since(trouble.since).as_secs());
        tracing::info!(seconds, refused, "the store writes again");
        self.trouble.send_replace(None);
    }

    fn has_room(&self) -> bool {
        // Where the system does not say, the write itself does.
        rustix::fs::statvfs(&self.dir).map_or(true, |stat| stat.f_bavail.saturating_mul(stat.f_frsize) >= ROOM)
    }
}

/// What an I/O error really is, as far as the system says: `SQLite` has the same words for a file system that the
/// kernel has made read-only, and for a full one where it does not write but map. A quota that is used up (EDQUOT)
/// stays an I/O error: the number that would tell is not handed on, and there may be space for others.
fn diagnose(dir: &Path, fault: StoreFault) -> StoreFault {
    match rustix::fs::statvfs(dir) {
        Ok(stat) if fault == StoreFault::Io && stat.f_flag.contains(StatVfsMountFlags::RDONLY) => StoreFault::ReadOnly,
        Ok(stat) if fault == StoreFault::Io && stat.f_bavail.saturating_mul(stat.f_frsize) < SCANT => {
            StoreFault::DiskFull
        }
        _ => fault,
    }
}

/// An error of opening the store, with the file it is about.
pub(super) fn at_open(error: StoreError, path: &Path) -> StoreError {
    let StoreError::Disk { fault, detail } = error else { return error };
    let fault = path.parent().map_or(fault, |dir| diagnose(dir, fault));
    StoreError::Disk { fault, detail: format!("{}: {detail}", path.display()) }
}

fn refusal(trouble: &StoreTrouble) -> StoreError {
    StoreError::Disk { fault: trouble.fault, detail: trouble.detail.clone() }
}

/// Reads from the file what every delivery needs, and commits a page. The version it sets is the one that is there.
///
/// Nothing from memory: a page that was read wrong is kept there, and would be wrong after the file is well again.
fn read_and_write(connection: &Connection) -> rusqlite::Result<()> {
    connection.release_memory()?;
    connection.query_row("SELECT coalesce(max(seq), 0) FROM event", [], |row| row.get::<_, i64>(0))?;
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    connection.pragma_update(None, "user_version", version)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn corrupt() -> StoreError {
        StoreError::Disk { fault: StoreFault::Corrupt, detail: "malformed".into() }
    }

    fn database() -> Connection {
        let connection = Connection::open_in_memory().expect("opens");
        connection.execute_batch("CREATE TABLE event (seq INTEGER PRIMARY KEY)").expect("creates");
        connection
    }

    #[test]
    fn a_place_that_cannot_be_read_stops_nobody_else_and_is_told_until_it_is_quiet() {
        let health = Health::new(PathBuf::from("/"));
        let database = database();
        health.failed(corrupt(), &database);
        assert!(health.is_failing() && health.check().is_ok(), "the rest is read");
        health.probe(&database, Instant::now());
        assert!(health.is_failing());
        health.probe(&database, Instant::now() + QUIET);
        assert!(!health.is_failing());
    }

    #[test]
    fn a_database_that_cannot_be_read_is_tried_with_longer_and_longer_pauses() {
        let health = Health::new(PathBuf::from("/"));
        let dir = tempfile::tempdir().expect("temp dir");
        let path = dir.path().join("db");
        std::fs::write(&path, [7; 8192]).expect("writes");
        let broken = Connection::open(&path).expect("opens");
        health.failed(corrupt(), &broken);
        let pauses: Vec<u64> = (0..7)
            .map(|_| {
                assert!(health.check().is_err(), "nobody waits for it");
                let pause = health.pause().as_secs();
                health.probe(&broken, Instant::now());
                pause
            })
            .collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 30, 30]);
        let well = database();
        health.probe(&well, Instant::now());
        assert!(health.check().is_ok() && health.is_failing(), "accepted, and still told");
        health.failed(corrupt(), &broken);
        assert_eq!(health.pause(), PROBE, "a new fault begins anew");
        health.probe(&well, Instant::now());
        health.probe(&well, Instant::now() + QUIET);
        assert!(!health.is_failing());
    }
}
