//! The writer thread: the only connection that writes.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::SyncSender;
use std::time::Instant;

use jiff::Timestamp;
use rusqlite::Connection;
use tokio::sync::Notify;

use crate::model::StoreFault;

use super::guards::Guards;
use super::health::{Health, PROBE};
use super::passages::{Passages, Point};
use super::queue::{Delivery, Next, Queue};
use super::{CommitTimes, Recorded, StoreError, checkpoint, record};

/// What a row takes besides its body and headers, and what other work writes: near enough to know when a
/// checkpoint is worth its while.
const ROW_OVERHEAD: usize = 400;
const WORK_BYTES: u64 = 256 * 1024;

/// What the writer owns.
pub(super) struct Writer {
    pub connection: Connection,
    pub queue: Arc<Queue>,
    /// Deliveries that may share one commit.
    pub batch: usize,
    /// Rung after every commit that stored something new.
    pub committed: Arc<Notify>,
    /// Deliveries committed so far.
    pub recorded: Arc<AtomicU64>,
    pub commit_times: Arc<CommitTimes>,
    pub passages: Passages,
    pub guards: Guards,
    /// Whether the disk takes what is written.
    pub health: Arc<Health>,
    /// Rung when there is enough to checkpoint.
    pub checkpoint: SyncSender<()>,
    /// Bytes written since it was rung.
    pub unchecked: u64,
}

impl Writer {
    /// Works until the queue is closed and empty.
    pub(super) fn run(mut self) {
        let mut tried = Instant::now();
        loop {
            let failing = self.health.is_failing();
            let next = self.queue.next(self.batch, failing.then_some(PROBE));
            if matches!(next, Next::Closed) {
                return;
            }
            if failing && tried.elapsed() >= self.health.pause() {
                tried = Instant::now();
                self.roll_back(last_seq(&self.connection).unwrap_or(i64::MAX));
                self.health.probe(&self.connection, tried);
            }
            // A panic drops what it was about, so whoever waits for it hears that, and the next one is served.
            if std::panic::catch_unwind(AssertUnwindSafe(|| self.perform(next))).is_err() {
                tracing::error!("the store's writer panicked; what it was doing is rolled back");
                self.roll_back(i64::MAX);
                self.guards.roll_back(last_seq(&self.connection).unwrap_or(0));
            }
        }
    }

    fn perform(&mut self, next: Next) {
        match next {
            Next::Deliveries(deliveries) => self.commit(deliveries),
            Next::Work(work) => {
                work(&mut self.connection, &mut self.guards);
                self.wrote(WORK_BYTES);
            }
            Next::Nothing | Next::Closed => {}
        }
    }

    /// Ends an open transaction and forgets the bodies of its events, which come after `before`.
    fn roll_back(&mut self, before: i64) {
        if !self.connection.is_autocommit() {
            // Should even this fail, the next BEGIN does too, and senders hear 503 until it succeeds.
            let _ = self.connection.execute_batch("ROLLBACK");
        }
        self.guards.roll_back(before);
    }

    fn wrote(&mut self, bytes: u64) {
        self.unchecked += bytes;
        // Full: it is at work and will see these bytes too.
        if self.unchecked >= checkpoint::WORTH && self.checkpoint.try_send(()).is_ok() {
            self.unchecked = 0;
        }
    }

    /// One transaction for all `deliveries`; they are answered after its commit, never before.
    fn commit(&mut self, deliveries: Vec<Delivery>) {
        if let Err(error) = self.health.check() {
            return self.refuse(deliveries, &error);
        }
        let began = Instant::now();
        let (before, recorded) = match last_seq(&self.connection) {
            Ok(before) => (before, self.record_all(&deliveries)),
            // Nothing is recorded then, and nothing to forget.
            Err(error) => (i64::MAX, Err(error.into())),
        };
        match recorded {
            Ok(recorded) => {
                self.commit_times.observe(began.elapsed());
                self.recorded.fetch_add(deliveries.len() as u64, Ordering::Relaxed);
                let bytes = bytes_of(&deliveries);
                // Places are given out one by one.
                let fresh = recorded.iter().map(|recorded| i64::try_from(recorded.fresh).unwrap_or(0)).sum::<i64>();
                if fresh > 0 {
                    self.passages.note(Point::Stored, before + 1, before + fresh, Timestamp::now());
                    self.committed.notify_one();
                }
                for (delivery, recorded) in deliveries.into_iter().zip(recorded) {
                    // The sender may have hung up meanwhile; the event is stored all the same.
                    let _ = delivery.done.send(Ok(recorded));
                }
                self.wrote(bytes);
            }
            Err(error) => {
                // After an I/O error nobody knows whether the commit is on the disk: a log that was written and not
                // synced may be read back after a crash. The senders hear 503 and send again; if the events are
                // there after all, they are repeats then.
                self.roll_back(before);
                let error = self.health.failed(error, &self.connection);
                self.refuse_or_part(deliveries, &error);
            }
        }
    }

    /// Refuses `deliveries`, unless it may be one of them alone that needs something that cannot be read: then each
    /// is tried by itself.
    fn refuse_or_part(&mut self, deliveries: Vec<Delivery>, error: &StoreError) {
        let unreadable = matches!(error, StoreError::Disk { fault: StoreFault::Corrupt, .. });
        if !unreadable || deliveries.len() == 1 {
            return self.refuse(deliveries, error);
        }
        for delivery in deliveries {
            self.commit(vec![delivery]);
        }
    }

    fn refuse(&self, deliveries: Vec<Delivery>, error: &StoreError) {
        self.health.refused(deliveries.len());
        for delivery in deliveries {
            // The sender may have hung up meanwhile.
            let _ = delivery.done.send(Err(error.clone()));
        }
    }

    fn record_all(&mut self, deliveries: &[Delivery]) -> Result<Vec<Recorded>, StoreError> {
        self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let recorded = self.record_each(deliveries)?;
        self.connection.prepare_cached("COMMIT")?.execute([])?;
        Ok(recorded)
    }

    fn record_each(&mut self, deliveries: &[Delivery]) -> Result<Vec<Recorded>, StoreError> {
        let mut all = Vec::with_capacity(deliveries.len());
        for delivery in deliveries {
            let mut recorded = Recorded::default();
            for event in &delivery.events {
                recorded.count(record::record(&self.connection, &mut self.guards, event)?);
            }
            all.push(recorded);
        }
        Ok(all)
    }
}

fn bytes_of(deliveries: &[Delivery]) -> u64 {
    let events = deliveries.iter().flat_map(|delivery| &delivery.events);
    events.map(|event| event.body.len() + event.head.len() + ROW_OVERHEAD).sum::<usize>() as u64
}

/// The newest event; cheap, as it is the last row of the table.
fn last_seq(connection: &Connection) -> rusqlite::Result<i64> {
    connection.prepare_cached("SELECT coalesce(max(seq), 0) FROM event")?.query_row([], |row| row.get(0))
}
