//! Checkpoints, off the writer's path.
//!
//! The writer's connection never checkpoints by itself. A thread with a connection of its own copies the
//! log back while the writer goes on (PASSIVE). Under load the log cannot start over while new frames
//! keep coming, so past a limit the thread asks the writer to copy the short rest between two commits;
//! the next commit then begins the log again from its start.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use rusqlite::Connection;

use super::StoreError;
use super::queue::Queue;

/// How often the log is looked at.
const EVERY: Duration = Duration::from_millis(250);
/// Log that is worth copying back.
const WORTH: u64 = 4 << 20;
/// Log at which the writer is asked to help.
const LIMIT: u64 = 64 << 20;

/// The checkpoint thread's own things.
pub(super) struct Checkpointer {
    connection: Connection,
    log: PathBuf,
    queue: Arc<Queue>,
    copied: u64,
}

impl Checkpointer {
    pub(super) fn new(path: &Path, queue: Arc<Queue>) -> Result<Self, StoreError> {
        let connection = Connection::open(path)?;
        connection.busy_timeout(Duration::from_secs(5))?;
        connection
            .execute_batch("PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0; PRAGMA cache_size = -500;")?;
        let mut log = path.as_os_str().to_owned();
        log.push("-wal");
        Ok(Self { connection, log: log.into(), queue, copied: 0 })
    }

    /// Works until `stop` hangs up.
    pub(super) fn run(mut self, stop: &Receiver<()>) {
        while let Err(RecvTimeoutError::Timeout) = stop.recv_timeout(EVERY) {
            let size = std::fs::metadata(&self.log).map_or(0, |meta| meta.len());
            if size.saturating_sub(self.copied) < WORTH {
                continue;
            }
            if let Err(error) = passive(&self.connection) {
                tracing::warn!(%error, "failed to checkpoint; it is tried again");
                continue;
            }
            self.copied = size;
            if size >= LIMIT {
                let finish = Box::new(|connection: &mut Connection, _: &mut _| {
                    if let Err(error) = passive(connection).and_then(|()| truncate(connection)) {
                        tracing::warn!(%error, "failed to finish a checkpoint; it is tried again");
                    }
                });
                // Closed: the store checkpoints as it closes.
                if self.queue.work(finish).is_ok() {
                    self.copied = 0;
                }
            }
        }
    }
}

/// Copies what no reader holds back, without waiting for anybody.
fn passive(connection: &Connection) -> rusqlite::Result<()> {
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
}

/// Starts the log over at length zero when everything is copied; does nothing while a reader holds it.
fn truncate(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(Duration::ZERO)?;
    let result = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    connection.busy_timeout(Duration::from_secs(5))?;
    match result {
        Err(rusqlite::Error::SqliteFailure(error, _)) if error.code == rusqlite::ErrorCode::DatabaseBusy => Ok(()),
        other => other,
    }
}
