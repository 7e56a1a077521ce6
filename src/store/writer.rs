//! The writer thread: the only connection that writes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::Notify;

use super::body_guard::BodyGuard;
use super::queue::{Delivery, Next, Queue};
use super::{Recorded, StoreError, record};

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
}

impl Writer {
    /// Works until the queue is closed and empty.
    pub(super) fn run(mut self) {
        loop {
            match self.queue.next(self.batch) {
                Next::Deliveries(deliveries) => self.commit(deliveries),
                Next::Work(work) => work(&mut self.connection, &mut self.guard),
                Next::Closed => return,
            }
        }
    }

    /// One transaction for all `deliveries`; they are answered after its commit, never before.
    fn commit(&mut self, deliveries: Vec<Delivery>) {
        let before = last_seq(&self.connection);
        let recorded = self.record_all(&deliveries);
        match recorded {
            Ok(recorded) => {
                if recorded.iter().any(|recorded| recorded.fresh > 0) {
                    self.committed.notify_one();
                }
                self.recorded.fetch_add(deliveries.len() as u64, Ordering::Relaxed);
                for (delivery, recorded) in deliveries.into_iter().zip(recorded) {
                    // The sender may have hung up meanwhile; the event is stored all the same.
                    let _ = delivery.done.send(Ok(recorded));
                }
            }
            Err(error) => {
                self.guard.roll_back(before.unwrap_or(0));
                for delivery in deliveries {
                    let _ = delivery.done.send(Err(error.clone()));
                }
            }
        }
    }

    fn record_all(&mut self, deliveries: &[Delivery]) -> Result<Vec<Recorded>, StoreError> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut all = Vec::with_capacity(deliveries.len());
        for delivery in deliveries {
            let mut recorded = Recorded::default();
            for event in &delivery.events {
                recorded.count(record::record(&transaction, &mut self.guard, event)?);
            }
            all.push(recorded);
        }
        transaction.commit()?;
        Ok(all)
    }
}

/// The newest event; cheap, as it is the last row of the table.
fn last_seq(connection: &Connection) -> rusqlite::Result<i64> {
    connection.prepare_cached("SELECT coalesce(max(seq), 0) FROM event")?.query_row([], |row| row.get(0))
}
