//! A small pool of read-only connections.

use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::known::Known;
use super::{Patience, StoreError};

/// Connections kept open for the next reader.
const KEPT: usize = 4;

/// Readers at once. More wait: each has a connection, with a cache of its own of up to 8 MB.
const AT_ONCE: usize = 8;

/// Steps of a statement between two looks at whether anybody still waits for it.
const STEPS: i32 = 500;

/// How long closing waits for those who read.
const LEAVING: Duration = Duration::from_secs(3);

/// Reads never wait for the writer (WAL), and never write: the connections are opened read-only. Each read is one
/// transaction: all that it looks at is of one moment, and locks are taken once.
pub(super) struct ReadPool {
    path: PathBuf,
    held: Mutex<Held>,
    /// Rung whenever somebody has read.
    returned: Condvar,
}

/// A connection and what it has met.
struct Reader {
    connection: Connection,
    known: Known,
}

#[derive(Default)]
struct Held {
    idle: Vec<Reader>,
    /// How many read now.
    reading: usize,
    is_closed: bool,
}

/// Somebody who reads. However that ends, it is counted.
struct Reading<'a>(&'a ReadPool);

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        self.0.held().reading -= 1;
        self.0.returned.notify_all();
    }
}

impl ReadPool {
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), held: Mutex::default(), returned: Condvar::new() }
    }

    /// Runs `read` on a connection of the pool, until `patience` is ended from elsewhere.
    pub(super) fn until<T>(
        &self,
        patience: &Patience,
        read: impl FnOnce(&Connection, &mut Known) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        if patience.is_ended() {
            return Err(StoreError::Ended);
        }
        self.with_mut(|reader| {
            let watched = patience.clone();
            reader.connection.progress_handler(STEPS, Some(move || watched.is_ended()))?;
            let result = reader.read(read);
            reader.connection.progress_handler(0, None::<fn() -> bool>)?;
            result
        })
    }

    /// Runs `read` on a connection of the pool.
    pub(super) fn with<T>(&self, read: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, StoreError> {
        self.with_mut(|reader| reader.read(|connection, _| read(connection)))
    }

    fn with_mut<T>(&self, read: impl FnOnce(&mut Reader) -> rusqlite::Result<T>) -> Result<T, StoreError> {
        let (_reading, idle) = self.begin()?;
        let mut reader = match idle {
            Some(reader) => reader,
            None => Reader { connection: self.open()?, known: Known::default() },
        };
        let result = read(&mut reader).map_err(StoreError::from);
        if matches!(result, Err(StoreError::Disk { .. })) || !reader.connection.is_autocommit() {
            // What it keeps in memory may be as broken as what it met; or its moment would never end.
            return result;
        }
        let mut held = self.held();
        if held.idle.len() < KEPT && !held.is_closed {
            held.idle.push(reader);
        } else {
            drop(held);
            // Closed before it counts as returned.
            drop(reader);
        }
        result
    }

    fn begin(&self) -> Result<(Reading<'_>, Option<Reader>), StoreError> {
        let waited = self.returned.wait_while(self.held(), |held| held.reading >= AT_ONCE && !held.is_closed);
        let mut held = waited.unwrap_or_else(PoisonError::into_inner);
        if held.is_closed {
            return Err(StoreError::Closed);
        }
        held.reading += 1;
        Ok((Reading(self), held.idle.pop()))
    }

    /// Closes every connection: those nobody uses now, the others as they come back, for which it waits a while. Nobody
    /// reads from here on.
    pub(super) fn close(&self) {
        let mut held = self.held();
        held.is_closed = true;
        held.idle.clear();
        self.returned.notify_all();
        let waited = self.returned.wait_timeout_while(held, LEAVING, |held| held.reading > 0);
        let (held, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if held.reading > 0 {
            tracing::warn!(reading = held.reading, "the store closes while somebody still reads");
        }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self) -> Result<Connection, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags)?;
        connection.busy_timeout(Duration::from_secs(5))?;
        connection.set_prepared_statement_cache_capacity(64);
        connection.execute_batch("PRAGMA cache_size = -8000; PRAGMA query_only = 1;")?;
        // As the writer does: otherwise a statement with a range is planned again for every other value.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        Ok(connection)
    }
}

impl Reader {
    fn read<T>(&mut self, read: impl FnOnce(&Connection, &mut Known) -> rusqlite::Result<T>) -> rusqlite::Result<T> {
        let moment = self.connection.unchecked_transaction()?;
        let value = read(&moment, &mut self.known)?;
        moment.commit()?;
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn so_many_read_at_once_and_the_others_in_their_turn() {
        let dir = tempfile::tempdir().expect("temp dir");
        let path = dir.path().join("some.db");
        Connection::open(&path).and_then(|file| file.execute_batch("CREATE TABLE t (n)")).expect("makes a file");
        let pool = ReadPool::new(&path);
        let (reading, most, all) = (AtomicUsize::new(0), AtomicUsize::new(0), 4 * AT_ONCE);
        let read = || {
            pool.with(|_| {
                most.fetch_max(reading.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                std::thread::sleep(Duration::from_millis(20));
                reading.fetch_sub(1, Ordering::SeqCst);
                Ok(1)
            })
        };
        let read = std::thread::scope(|scope| {
            let readers: Vec<_> = (0..all).map(|_| scope.spawn(read)).collect();
            readers.into_iter().map(|reader| reader.join().expect("no panic").expect("reads")).sum::<usize>()
        });
        assert_eq!(read, all);
        assert!(most.into_inner() <= AT_ONCE);
        pool.close();
        assert!(matches!(pool.with(|_| Ok(())), Err(StoreError::Closed)));
    }

    #[test]
    fn who_waits_for_a_turn_hears_that_it_is_closed() {
        let pool = ReadPool::new(Path::new("/nowhere"));
        pool.held().reading = AT_ONCE;
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| pool.with(|_| Ok(())));
            pool.held().is_closed = true;
            pool.returned.notify_all();
            assert!(matches!(waiting.join().expect("no panic"), Err(StoreError::Closed)));
        });
    }
}
