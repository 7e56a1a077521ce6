//! Opening and closing the store, and the doors to its writer and readers.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OptionalExtension};
use tokio::sync::{Notify, oneshot, watch};

use crate::model::{ChannelId, StoreTrouble};

use super::checkpoint::Checkpointer;
use super::guards::Guards;
use super::health::Health;
use super::known::Known;
use super::once::SpentTokens;
use super::passages::Passages;
use super::pulse::Pulse;
use super::queue::{Delivery, Queue};
use super::read::ReadPool;
use super::writer::Writer;
use super::{CommitTimes, NewEvent, Patience, Recorded, StoreError, health, migrate};

/// How the store works.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Deliveries that may share one commit; 1 turns group commit off.
    pub commit_batch: usize,
    /// Deliveries that may wait.
    pub queue: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { commit_batch: 256, queue: 4096 }
    }
}

/// The store of one engine. Everybody shares one behind an `Arc`; dropping the last closes it, if nobody did before.
pub struct Store {
    queue: Arc<Queue>,
    readers: ReadPool,
    committed: Arc<Notify>,
    recorded: Arc<AtomicU64>,
    health: Arc<Health>,
    commit_times: Arc<CommitTimes>,
    passages: Passages,
    /// Counts what was written to the logs of nodes since the store was opened.
    pub(super) shared: watch::Sender<u64>,
    /// Shared with the writer.
    pub(super) spent: SpentTokens,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Store {
    /// The database below `state_dir`.
    #[must_use]
    pub fn path(state_dir: &Path) -> PathBuf {
        state_dir.join("aurora.db")
    }

    /// Opens the store below `state_dir`, which exists, and brings its schema up to date.
    ///
    /// # Errors
    /// When the database cannot be opened, or a newer aurora wrote it.
    pub fn open(state_dir: &Path, options: Options) -> Result<Self, StoreError> {
        let path = Self::path(state_dir);
        Self::open_at(&path, state_dir, options).map_err(|error| health::at_open(error, &path))
    }

    fn open_at(path: &Path, state_dir: &Path, options: Options) -> Result<Self, StoreError> {
        let directory = |error: std::io::Error| StoreError::Directory { path: path.to_owned(), why: error.to_string() };
        let mut connection = Connection::open(path)?;
        connection.busy_timeout(Duration::from_secs(5))?;
        connection.set_prepared_statement_cache_capacity(64);
        connection.execute_batch(
            "PRAGMA journal_mode = WAL;
             PRAGMA synchronous = FULL;
             PRAGMA wal_autocheckpoint = 0;
             PRAGMA cache_size = -8000;
             PRAGMA temp_store = MEMORY;
             PRAGMA foreign_keys = OFF;",
        )?;
        // Otherwise a statement with a range is planned again whenever other values are bound to it: 9 % of the time of a
        // delivery whose body is looked up.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        migrate::migrate(&mut connection)?;
        let guards = Guards::load(&connection)?;
        let spent = guards.tokens.clone();
        let queue = Arc::new(Queue::new(options.queue));
        let committed = Arc::new(Notify::new());
        let recorded = Arc::new(AtomicU64::new(0));
        let health = Arc::new(Health::new(state_dir.to_owned()));
        let commit_times = Arc::new(CommitTimes::default());
        let passages = Passages::default();
        let checkpointer = Checkpointer::new(path, Arc::clone(&queue))?;
        let (checkpoint, rung) = mpsc::sync_channel(1);
        let writer = Writer {
            connection,
            queue: Arc::clone(&queue),
            batch: options.commit_batch.max(1),
            committed: Arc::clone(&committed),
            recorded: Arc::clone(&recorded),
            commit_times: Arc::clone(&commit_times),
            passages: passages.clone(),
            guards,
            health: Arc::clone(&health),
            checkpoint,
            unchecked: 0,
        };
        let spawn = |name: &str, run: Box<dyn FnOnce() + Send>| {
            std::thread::Builder::new().name(name.to_owned()).spawn(run).map_err(directory)
        };
        let threads = vec![
            spawn("store-writer", Box::new(move || writer.run()))?,
            spawn("store-checkpoint", Box::new(move || checkpointer.run(&rung)))?,
        ];
        Ok(Self {
            queue,
            readers: ReadPool::new(path),
            committed,
            recorded,
            commit_times,
            passages,
            shared: watch::Sender::new(0),
            health,
            spent,
            threads: Mutex::new(threads),
        })
    }

    /// Makes the events of one delivery durable, all of them or none, and tells what became of them.
    ///
    /// # Errors
    /// [`StoreError::Full`] at once when too many wait, [`StoreError::Disk`] at once while the disk takes nothing;
    /// otherwise what kept the commit from happening.
    pub async fn record(&self, events: Vec<NewEvent>) -> Result<Recorded, StoreError> {
        if let Err(error) = self.health.check() {
            self.health.refused(1);
            return Err(error);
        }
        let (done, answer) = oneshot::channel();
        self.queue.deliver(Delivery { events, done })?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// Rung when there may be something to project.
    #[must_use]
    pub fn committed(&self) -> &Notify {
        &self.committed
    }

    /// Deliveries committed since the store was opened.
    #[must_use]
    pub fn recorded(&self) -> u64 {
        self.recorded.load(Ordering::Relaxed)
    }

    /// Changes whenever an entry was written to the log of a node, this one's or another's.
    #[must_use]
    pub fn shared_changes(&self) -> watch::Receiver<u64> {
        self.shared.subscribe()
    }

    /// The way to ask whether the writer still works.
    #[must_use]
    pub fn pulse(&self) -> Pulse {
        Pulse::new(Arc::clone(&self.queue))
    }

    /// What keeps the store from writing, now and whenever that changes.
    #[must_use]
    pub fn trouble(&self) -> watch::Receiver<Option<StoreTrouble>> {
        self.health.watch()
    }

    /// Deliveries that wait for their commit.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.queue.waiting()
    }

    /// How long commits took since the store was opened.
    #[must_use]
    pub fn commit_times(&self) -> &CommitTimes {
        &self.commit_times
    }

    /// When events came past the points on their way.
    #[must_use]
    pub fn passages(&self) -> &Passages {
        &self.passages
    }

    /// The numbers of `ids` in the store; a new channel gets one.
    ///
    /// # Errors
    /// When the store cannot read, or cannot write and a channel is new.
    pub async fn channel_numbers(&self, ids: Vec<ChannelId>) -> Result<Vec<(ChannelId, i64)>, StoreError> {
        let known = self.read(|connection| numbers(connection, &ids))?;
        if known.len() == ids.len() {
            return Ok(known);
        }
        self.write(move |transaction| {
            for id in &ids {
                transaction.execute("INSERT OR IGNORE INTO channel (id) VALUES (?1)", [id.as_str()])?;
            }
            numbers(transaction, &ids)
        })
        .await
    }

    /// Runs `write` on the writer, in a transaction of its own.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        write: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.write_guarded(move |connection, _| write(connection)).await
    }

    /// The same with what is remembered of the newest events at hand.
    pub(super) async fn write_guarded<T: Send + 'static>(
        &self,
        write: impl FnOnce(&Connection, &mut Guards) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.health.check()?;
        let (done, answer) = oneshot::channel();
        let health = Arc::clone(&self.health);
        self.queue.work(Box::new(move |connection, guards| {
            let result = connection.transaction().and_then(|transaction| {
                let value = write(&transaction, guards)?;
                transaction.commit()?;
                Ok(value)
            });
            // Whoever asked may have gone; the work is done all the same.
            let _ = done.send(result.map_err(|error| health.failed(error.into(), connection)));
        }))?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// Finishes what is queued, then closes; `SQLite` checkpoints as the last connection goes. Whoever still holds the
    /// store is told from then on that it is closed. It waits, for a few seconds for those who read.
    pub fn close(&self) {
        // Readers first: the last connection to close checkpoints, and theirs may not write.
        self.readers.close();
        self.queue.close();
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a store thread ended in a panic");
            }
        }
    }

    /// Runs `read` beside the writer, until `patience` is ended from elsewhere.
    pub(super) fn read_until<T>(
        &self,
        patience: &Patience,
        read: impl FnOnce(&Connection, &mut Known) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        self.readers.until(patience, read)
    }

    /// Runs `read` beside the writer.
    pub(super) fn read<T>(&self, read: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, StoreError> {
        self.readers.with(read)
    }
}

/// The numbers of those of `ids` that have one, in their order.
fn numbers(connection: &Connection, ids: &[ChannelId]) -> rusqlite::Result<Vec<(ChannelId, i64)>> {
    let mut statement = connection.prepare_cached("SELECT n FROM channel WHERE id = ?1")?;
    let number =
        |id: &ChannelId| Ok(statement.query_row([id.as_str()], |row| row.get(0)).optional()?.map(|n| (id.clone(), n)));
    ids.iter().map(number).filter_map(Result::transpose).collect()
}

impl Drop for Store {
    fn drop(&mut self) {
        self.close();
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}
