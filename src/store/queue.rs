//! The queue in front of the writer: bounded for deliveries, with a side door for everything else.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::guards::Guards;
use super::{NewEvent, Recorded, StoreError};

/// A delivery that waits for its commit.
pub(super) struct Delivery {
    pub events: Vec<NewEvent>,
    pub done: oneshot::Sender<Result<Recorded, StoreError>>,
}

/// Any other write. It runs in a transaction of its own and answers through what it captured.
pub(super) type Work = Box<dyn FnOnce(&mut Connection, &mut Guards) + Send>;

/// What the writer does next.
pub(super) enum Next {
    /// Commit these deliveries together.
    Deliveries(Vec<Delivery>),
    /// Do this.
    Work(Work),
    /// Nothing came for as long as there was patience.
    Nothing,
    /// Everything is done and nothing more will come.
    Closed,
}

#[derive(Default)]
struct Waiting {
    deliveries: VecDeque<Delivery>,
    work: VecDeque<Work>,
    /// The writer sleeps; only then is waking it worth a system call.
    asleep: bool,
    closed: bool,
    /// The turn of work: deliveries and work alternate, so that neither starves the other.
    work_next: bool,
}

/// The queue itself. A std mutex: it is held for a few instructions, never across an await.
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    wake: Condvar,
    capacity: usize,
}

impl Queue {
    pub(super) fn new(capacity: usize) -> Self {
        Self { waiting: Mutex::default(), wake: Condvar::new(), capacity }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // A panic while the lock is held leaves whole items behind: push and pop do not tear.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a delivery, or refuses it when the queue is full.
    pub(super) fn deliver(&self, delivery: Delivery) -> Result<(), StoreError> {
        let mut waiting = self.lock();
        if waiting.closed {
            return Err(StoreError::Closed);
        }
        if waiting.deliveries.len() >= self.capacity {
            return Err(StoreError::Full);
        }
        waiting.deliveries.push_back(delivery);
        self.rouse(waiting);
        Ok(())
    }

    /// Deliveries in it.
    pub(super) fn waiting(&self) -> usize {
        self.lock().deliveries.len()
    }

    /// Queues other work, without a bound of its own: it is what the engine's tasks do one after the other, and requests of
    /// clients, of which each door lets through so many at once.
    pub(super) fn work(&self, work: Work) -> Result<(), StoreError> {
        let mut waiting = self.lock();
        if waiting.closed {
            return Err(StoreError::Closed);
        }
        waiting.work.push_back(work);
        self.rouse(waiting);
        Ok(())
    }

    fn rouse(&self, mut waiting: MutexGuard<'_, Waiting>) {
        if std::mem::take(&mut waiting.asleep) {
            drop(waiting);
            self.wake.notify_one();
        }
    }

    /// Lets the writer finish what is queued and end.
    pub(super) fn close(&self) {
        let mut waiting = self.lock();
        waiting.closed = true;
        self.rouse(waiting);
    }

    /// Waits for something to do, for good or for as long as `patience`; takes at most `batch` deliveries.
    pub(super) fn next(&self, batch: usize, patience: Option<Duration>) -> Next {
        let mut waiting = self.lock();
        loop {
            let work_first = std::mem::replace(&mut waiting.work_next, false);
            if (work_first || waiting.deliveries.is_empty())
                && let Some(work) = waiting.work.pop_front()
            {
                return Next::Work(work);
            }
            if !waiting.deliveries.is_empty() {
                waiting.work_next = true;
                let count = waiting.deliveries.len().min(batch);
                return Next::Deliveries(waiting.deliveries.drain(..count).collect());
            }
            if waiting.closed {
                return Next::Closed;
            }
            waiting.asleep = true;
            let Some(patience) = patience else {
                waiting = self.wake.wait(waiting).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let (woken, timeout) = self.wake.wait_timeout(waiting, patience).unwrap_or_else(PoisonError::into_inner);
            waiting = woken;
            if timeout.timed_out() {
                waiting.asleep = false;
                return Next::Nothing;
            }
        }
    }
}
