//! The writer thread: the only connection that writes.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::SyncSender;

use rusqlite::Connection;
use tokio::sync::Notify;

use super::body_guard::BodyGuard;
use super::queue::{Delivery, Next, Queue};
use super::{Recorded, StoreError, checkpoint, record};

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
    pub guard: BodyGuard,
    /// Rung when there is enough to checkpoint.
    pub checkpoint: SyncSender<()>,
    /// Bytes written since it was rung.
    pub unchecked: u64,
}

impl Writer {
    /// Works until the queue is closed and empty.
    pub(super) fn run(mut self) {
        loop {
            let next = self.queue.next(self.batch);
            if matches!(next, Next::Closed) {
                return;
            }
            // A panic drops what it was about, so whoever waits for it hears that, and the next one is served.
            if std::panic::catch_unwind(AssertUnwindSafe(|| self.perform(next))).is_err() {
                tracing::error!("the store's writer panicked; what it was doing is rolled back");
                self.roll_back(i64::MAX);
                self.guard.roll_back(last_seq(&self.connection).unwrap_or(0));
            }
        }
    }

    fn perform(&mut self, next: Next) {
        match next {
            Next::Deliveries(deliveries) => self.commit(deliveries),
            Next::Work(work) => {
                work(&mut self.connection, &mut self.guard);
                self.wrote(WORK_BYTES);
            }
            Next::Closed => {}
        }
    }

    /// Ends an open transaction and forgets the bodies of its events, which come after `before`.
    fn roll_back(&mut self, before: i64) {
        if !self.connection.is_autocommit() {
            // Should even this fail, the next BEGIN does too, and senders hear 503 until it succeeds.
            let _ = self.connection.execute_batch("ROLLBACK");
        }
        self.guard.roll_back(before);
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
        let before = last_seq(&self.connection);
        match self.record_all(&deliveries) {
            Ok(recorded) => {
                self.recorded.fetch_add(deliveries.len() as u64, Ordering::Relaxed);
                let events = deliveries.iter().flat_map(|delivery| &delivery.events);
                let bytes: usize = events.map(|event| event.body.len() + event.head.len() + ROW_OVERHEAD).sum();
                if recorded.iter().any(|recorded| recorded.fresh > 0) {
                    self.committed.notify_one();
                }
                for (delivery, recorded) in deliveries.into_iter().zip(recorded) {
                    // The sender may have hung up meanwhile; the event is stored all the same.
                    let _ = delivery.done.send(Ok(recorded));
                }
                self.wrote(bytes as u64);
            }
            Err(error) => {
                self.roll_back(before.unwrap_or(0));
                for delivery in deliveries {
                    let _ = delivery.done.send(Err(error.clone()));
                }
            }
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
                recorded.count(record::record(&self.connection, &mut self.guard, event)?);
            }
            all.push(recorded);
        }
        Ok(all)
    }
}

/// The newest event; cheap, as it is the last row of the table.
fn last_seq(connection: &Connection) -> rusqlite::Result<i64> {
    connection.prepare_cached("SELECT coalesce(max(seq), 0) FROM event")?.query_row([], |row| row.get(0))
}
