//! Projection and indexing: idempotent work that follows the watermarks.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, Notify, mpsc};

use crate::config::VipList;
use crate::ingress::Swap;
use crate::model::{EventFilter, Parsed, StoreFault};
use crate::provider;
use crate::store::{Blobs, PendingEvent, Projected, Projection, Store, StoreError};

use super::doors::Channels;
use super::pace::Pace;
use super::reading_mark::ReadingMark;
use super::supervisor::{TaskContext, panic_text};
use super::{Input, files, rest};

/// Events projected in one transaction.
const BATCH: usize = 128;
/// Messages indexed in one transaction.
const INDEX_BATCH: usize = 256;
/// How soon what did not work is tried again, and what was left behind is looked for after the start.
const AGAIN: Duration = Duration::from_secs(1);
/// How often the watermark is looked at without a hint: a lost hint costs this much latency, never data.
const SWEEP: Duration = Duration::from_mins(1);

/// Who reads events, and whose come first: swapped whole when the configuration changes.
#[derive(Debug)]
pub(super) struct Reading {
    pub channels: Channels,
    pub vip: VipList,
}

/// Everything projection needs.
#[derive(Debug)]
pub(super) struct Projector {
    pub store: Arc<Store>,
    pub blobs: Arc<Blobs>,
    pub reading: Swap<Reading>,
    pub mark: ReadingMark,
    pub inputs: mpsc::Sender<Input>,
    /// Rung when there is something to index.
    pub projected: Notify,
    /// Held while a batch is read, projected and told. Who holds it sees counts that fit what the loop was told.
    pub turn: Mutex<()>,
}

impl Projector {
    /// Projects whatever comes, until it is stopped.
    pub(super) async fn run(self: Arc<Self>, context: TaskContext) -> Result<(), String> {
        self.follow(context, |this| this.store.committed(), Self::project_step).await
    }

    /// Indexes whatever was projected, until it is stopped.
    pub(super) async fn run_index(self: Arc<Self>, context: TaskContext) -> Result<(), String> {
        self.follow(context, |this| &this.projected, Self::index_step).await
    }

    /// Takes `step` after `step` while there is more to do, then waits for the hint or the next sweep. While
    /// deliveries come in fast it rests between steps.
    async fn follow<F>(
        self: Arc<Self>,
        context: TaskContext,
        hint: fn(&Self) -> &Notify,
        step: fn(Arc<Self>) -> F,
    ) -> Result<(), String>
    where
        F: Future<Output = Result<bool, StoreError>> + Send + 'static,
    {
        context.running();
        let mut pace = Pace::new(self.store.recorded());
        let mut trouble: Option<String> = None;
        let (mut looked, mut again) = (tokio::time::Instant::now(), true);
        loop {
            context.turn();
            let now = tokio::time::Instant::now();
            let due = if again { now + AGAIN } else { rest::after(looked + SWEEP) };
            tokio::select! {
                () = context.stop.cancelled() => return Ok(()),
                () = hint(&self).notified() => {}
                () = context.asked() => continue,
                () = tokio::time::sleep_until(due) => {}
            }
            (looked, again) = (tokio::time::Instant::now(), false);
            while !context.stop.is_cancelled() {
                let started = Instant::now();
                // A task of its own: this one may be given up in the middle of what is written and told together.
                let stepped = tokio::spawn(step(Arc::clone(&self))).await;
                match stepped.map_err(panic_text)? {
                    Ok(more) => {
                        if trouble.take().is_some() {
                            context.trouble(None);
                        }
                        if !more {
                            break;
                        }
                    }
                    Err(error) if passes(&error) => {
                        let error = error.to_string();
                        // A store that cannot write says so itself, once. What it cannot read nobody else says.
                        if self.store.trouble().borrow().is_none() && trouble.as_ref() != Some(&error) {
                            context.trouble(Some(error.clone()));
                            trouble = Some(error);
                        }
                        again = true;
                        break;
                    }
                    Err(error) => return Err(error.to_string()),
                }
                rest(&context, pace.rest(started.elapsed(), self.store.recorded())).await;
            }
        }
    }

    async fn project_step(self: Arc<Self>) -> Result<bool, StoreError> {
        let _turn = self.turn.lock().await;
        let projected = self.project_batch().await?;
        let more = projected.up_to > 0;
        if more {
            self.projected.notify_one();
            // The engine is gone only when everything ends.
            let _ = self.inputs.send(Input::Projected(projected)).await;
        }
        Ok(more)
    }

    async fn index_step(self: Arc<Self>) -> Result<bool, StoreError> {
        Ok(self.store.index(INDEX_BATCH).await? > 0 || self.store.tidy_index().await?)
    }

    /// Projects and indexes everything that is stored, without telling anybody.
    pub(super) async fn catch_up(self: &Arc<Self>) -> Result<(), StoreError> {
        while self.project_batch().await?.up_to > 0 {}
        while self.store.index(INDEX_BATCH).await? > 0 {}
        Ok(())
    }

    /// Projects the next few events; `up_to` is 0 when there were none.
    async fn project_batch(self: &Arc<Self>) -> Result<Projected, StoreError> {
        let this = Arc::clone(self);
        let batch = blocking(move || this.parse_all(this.store.pending(BATCH)?)).await?;
        if batch.is_empty() { Ok(Projected::default()) } else { self.store.project(batch, true).await }
    }

    /// Projects the events that match `filter` again; answers how many.
    pub(super) async fn replay(self: &Arc<Self>, filter: EventFilter) -> Result<u64, StoreError> {
        let mut after = 0;
        let mut count = 0;
        loop {
            // What is being read is noted in one place.
            let _turn = self.turn.lock().await;
            let (this, page) = (Arc::clone(self), filter.clone());
            let batch = blocking(move || {
                let events = this.store.stored_after(after, &page, BATCH)?;
                this.parse_all(events)
            })
            .await?;
            let Some(last) = batch.last() else { return Ok(count) };
            after = last.event.seq;
            count += batch.len() as u64;
            self.store.project(batch, false).await?;
        }
    }

    fn parse_all(&self, events: Vec<PendingEvent>) -> Result<Vec<Projection>, StoreError> {
        let reading = self.reading.get();
        let projections = events.into_iter().map(|event| reading.parse(event, &self.blobs, &self.mark)).collect();
        self.mark.end();
        projections
    }
}

impl Reading {
    fn parse(&self, event: PendingEvent, blobs: &Blobs, mark: &ReadingMark) -> Result<Projection, StoreError> {
        if event.dead.is_some() {
            return Ok(Projection { event, parsed: None, vip: false });
        }
        let headers = event.headers();
        let stored = provider::Stored { kind: &event.kind, key: &event.key, headers: &headers, data: &event.body };
        // A channel that is no longer configured is read like any JSON. A parser that panics must not
        // stop everything behind its event: the text is shown as it is.
        let parse = AssertUnwindSafe(|| match self.channels.get(&event.channel) {
            Some(channel) => {
                let file = files::beginning(blobs, channel, &stored)?;
                Ok(channel.provider.parse_with(&stored, &file))
            }
            None => Ok(provider::parse_any(&stored)),
        });
        let parsed = mark.begin(event.seq).then(|| std::panic::catch_unwind(parse));
        let parsed: Result<Parsed, StoreError> = parsed.and_then(Result::ok).unwrap_or_else(|| {
            tracing::error!(event = %event.id, "reading it panicked or ended aurora twice; the body is shown as it is");
            Ok(provider::parse_plain(&stored))
        });
        let parsed = parsed?;
        let vip = parsed.from.as_ref().is_some_and(|person| self.vip.matches(&person.address));
        Ok(Projection { event, parsed: Some(parsed), vip })
    }
}

/// Whether the next sweep may be the one that succeeds.
fn passes(error: &StoreError) -> bool {
    match error {
        StoreError::Disk { fault, .. } => *fault != StoreFault::Corrupt,
        error => matches!(error, StoreError::CannotOpen(_)),
    }
}

/// Rests for `pause`, or until it is to end. Resting is no standing still.
async fn rest(context: &TaskContext, pause: Duration) {
    let until = tokio::time::Instant::now() + pause;
    loop {
        context.turn();
        tokio::select! {
            () = context.stop.cancelled() => return,
            () = context.asked() => {}
            () = tokio::time::sleep_until(until) => return,
        }
    }
}

/// Runs `read` where blocking is allowed.
pub(super) async fn blocking<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(read).await.unwrap_or(Err(StoreError::Closed))
}

#[cfg(test)]
#[path = "projector_tests.rs"]
mod tests;
