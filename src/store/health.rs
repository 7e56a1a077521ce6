//! Whether the store can write, and the way back to where it can.
//!
//! The first write that fails on a fault of the disk says so. From then on everything that wants to be written
//! is refused at once: nobody queues in front of a dead disk. Once a second the writer tries by itself.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::Connection;
use rustix::fs::StatVfsMountFlags;
use tokio::sync::watch;

use crate::model::{StoreFault, StoreTrouble};

use super::StoreError;

/// How often a store that cannot write is tried.
pub(super) const PROBE: Duration = Duration::from_secs(1);
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
}

impl Health {
    pub(super) fn new(dir: PathBuf) -> Self {
        let (trouble, _) = watch::channel(None);
        Self { dir, trouble, refused: AtomicU64::new(0) }
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
        self.trouble.borrow().as_ref().map(refusal).map_or(Ok(()), Err)
    }

    /// Counts deliveries that were refused for it.
    pub(super) fn refused(&self, deliveries: usize) {
        self.refused.fetch_add(deliveries as u64, Ordering::Relaxed);
    }

    /// Takes in that a write failed; answers the error as it is to be told.
    pub(super) fn failed(&self, error: StoreError) -> StoreError {
        let StoreError::Disk { fault, detail } = error else { return error };
        let fault = diagnose(&self.dir, fault);
        self.trouble.send_if_modified(|trouble| match trouble {
            Some(known) if known.fault == fault => false,
            Some(known) => {
                tracing::error!(%fault, detail, "the store still cannot write");
                (known.fault, known.detail) = (fault, detail.clone());
                true
            }
            None => {
                tracing::error!(%fault, detail, dir = %self.dir.display(), "the store cannot write; deliveries are refused");
                *trouble = Some(StoreTrouble { since: Timestamp::now(), fault, detail: detail.clone() });
                true
            }
        });
        StoreError::Disk { fault, detail }
    }

    /// Tries to write, where that could have become possible.
    pub(super) fn probe(&self, connection: &Connection) {
        let Some(trouble) = self.trouble.borrow().clone() else { return };
        match trouble.fault {
            // A write that succeeds would prove nothing about the rest of the file.
            StoreFault::Corrupt => return,
            StoreFault::DiskFull if !self.has_room() => return,
            _ => {}
        }
        match write_something(connection) {
            Ok(()) => {
                let (refused, seconds) =
                    (self.refused.swap(0, Ordering::Relaxed), Timestamp::now().duration_since(trouble.since).as_secs());
                tracing::info!(seconds, refused, "the store writes again");
                self.trouble.send_replace(None);
            }
            Err(error) => {
                self.failed(error.into());
            }
        }
    }

    fn has_room(&self) -> bool {
        // Where the system does not say, the write itself does.
        rustix::fs::statvfs(&self.dir).map_or(true, |stat| stat.f_bavail.saturating_mul(stat.f_frsize) >= ROOM)
    }
}

/// What an I/O error really is, as far as the system says: `SQLite` has the same words for a file system that the
/// kernel has made read-only, and for a full one where it does not write but map.
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

/// Commits a page. The version it sets is the one that is there.
fn write_something(connection: &Connection) -> rusqlite::Result<()> {
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    connection.pragma_update(None, "user_version", version)
}
