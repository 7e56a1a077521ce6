//! A small pool of read-only connections.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rusqlite::{Connection, OpenFlags};

use super::{Patience, StoreError};

/// Connections kept open for the next reader.
const KEPT: usize = 4;

/// Steps of a statement between two looks at whether anybody still waits for it.
const STEPS: i32 = 500;

/// Reads never wait for the writer (WAL), and never write: the connections are opened read-only.
pub(super) struct ReadPool {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

impl ReadPool {
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), idle: Mutex::default() }
    }

    /// Runs `read` on a connection of the pool, until `patience` is ended from elsewhere.
    pub(super) fn until<T>(
        &self,
        patience: &Patience,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        if patience.is_ended() {
            return Err(StoreError::Ended);
        }
        self.with_mut(|connection| {
            let watched = patience.clone();
            connection.progress_handler(STEPS, Some(move || watched.is_ended()))?;
            let result = read(connection);
            connection.progress_handler(0, None::<fn() -> bool>)?;
            result
        })
    }

    /// Runs `read` on a connection of the pool.
    pub(super) fn with<T>(&self, read: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, StoreError> {
        self.with_mut(|connection| read(connection))
    }

    fn with_mut<T>(&self, read: impl FnOnce(&mut Connection) -> rusqlite::Result<T>) -> Result<T, StoreError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut connection = match idle {
            Some(connection) => connection,
            None => self.open()?,
        };
        let result = read(&mut connection).map_err(StoreError::from);
        if matches!(result, Err(StoreError::Disk { .. })) {
            // What it keeps in memory may be as broken as what it met.
            return result;
        }
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < KEPT {
            idle.push(connection);
        }
        result
    }

    /// Closes the connections nobody uses.
    pub(super) fn close(&self) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn open(&self) -> Result<Connection, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags)?;
        connection.busy_timeout(std::time::Duration::from_secs(5))?;
        connection.set_prepared_statement_cache_capacity(64);
        connection.execute_batch("PRAGMA cache_size = -8000; PRAGMA query_only = 1;")?;
        Ok(connection)
    }
}
