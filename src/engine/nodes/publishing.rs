//! The task that shares what happens here. It follows the engine as a screen does and writes what is otherwise, so that
//! a wake-up that is lost costs time and no entry.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;
use uuid::Uuid;

use crate::model::{EpochId, MessageRow, SharedId, SharedKind};
use crate::protocol::Update;
use crate::store::{NewShared, Publication, StoreError};

use super::super::answers::midnight;
use super::super::projector::blocking;
use super::super::supervisor::{TaskContext, TaskSpec};
use super::super::{Credential, Joined};
use super::publisher::{Draft, Publisher};
use super::service::Nodes;

/// What has changed is gathered for so long, so that a burst is one commit.
const GATHER: Duration = Duration::from_millis(250);
/// Entries of one commit.
const AT_ONCE: usize = 500;
/// Time between two counts at least, and how many times as long as counting took.
const COUNT_EVERY: Duration = Duration::from_secs(2);
const COUNT_REST: u32 = 50;
/// The first pause after a write that failed.
const AGAIN: Duration = Duration::from_secs(1);

/// What the task owns.
struct Publishing {
    nodes: Arc<Nodes>,
    /// The life of the own log that it writes.
    life: EpochId,
    publisher: Publisher,
    /// Up to which place messages are shared; `None` when they are not.
    messages: Option<i64>,
    /// Messages may have come.
    fresh: bool,
    /// Counts may be otherwise; when they are counted at the earliest.
    recount: bool,
    count_at: Instant,
    due: Option<Instant>,
    failing: bool,
}

impl Nodes {
    /// The task that shares what happens here.
    pub(super) fn publishing(this: &Arc<Self>) -> TaskSpec {
        let nodes = Arc::clone(this);
        TaskSpec::new("nodes publisher", move |context| Arc::clone(&nodes).publish(context))
    }

    async fn publish(self: Arc<Self>, context: TaskContext) -> Result<(), String> {
        context.running();
        tokio::select! {
            () = context.stop.cancelled() => return Ok(()),
            () = self.settle() => {}
        }
        loop {
            // What was shared in the life before counts no longer: everything is looked at anew.
            let follows = Credential::Itself(self.me().clone());
            let mut joined = self.handle.join(follows, true, true).await.map_err(|error| error.to_string())?;
            let mut publishing = Publishing::new(Arc::clone(&self)).await.map_err(|error| error.to_string())?;
            loop {
                let due = publishing.due;
                tokio::select! {
                    () = context.stop.cancelled() => {
                        publishing.write(&context).await;
                        return Ok(());
                    }
                    () = self.anew.notified() => break,
                    () = self.reshare.notified() => break,
                    is_there = publishing.hear(&mut joined) => if !is_there {
                        return Err("the engine does not let it follow".to_owned());
                    },
                    () = async { tokio::time::sleep_until(due.unwrap_or_else(Instant::now)).await }, if due.is_some() => {
                        publishing.write(&context).await;
                    }
                }
            }
        }
    }
}

impl Publishing {
    async fn new(nodes: Arc<Nodes>) -> Result<Self, StoreError> {
        let share = nodes.shares();
        // Before what was shared in it: if another one begins between both, nothing is written to that.
        let life = nodes.life();
        let (store, me) = (Arc::clone(&nodes.store), nodes.me().clone());
        let states = blocking(move || store.shared_states(&me, true)).await?;
        let messages =
            if share.contains(&SharedKind::Message) { Some(nodes.store.published_up_to().await?) } else { None };
        let states = states.into_iter().map(|state| (state.kind, state.subject, state.body, state.hlc.at()));
        let publisher = Publisher::new(share, states);
        let now = Instant::now();
        let due = Some(now + GATHER);
        Ok(Self { nodes, life, publisher, messages, fresh: true, recount: true, count_at: now, due, failing: false })
    }

    /// Takes in what the engine says next; answers whether it still does.
    async fn hear(&mut self, joined: &mut Joined) -> bool {
        let Some(update) = joined.next().await else { return false };
        self.take(&update);
        while let Some(update) = joined.waiting() {
            self.take(&update);
        }
        true
    }

    fn take(&mut self, update: &Update) {
        match update {
            Update::Snapshot(snapshot) => {
                self.publisher.snapshot(snapshot);
                (self.fresh, self.recount) = (true, true);
            }
            Update::Notice(notice) => {
                let came = self.publisher.notice(notice);
                (self.fresh, self.recount) = (self.fresh | came, self.recount | came);
            }
            _ => return,
        }
        self.plan(GATHER);
    }

    /// Writes within `pause`, if there may be something.
    fn plan(&mut self, pause: Duration) {
        let now = Instant::now();
        let next = self.publisher.next(Timestamp::now()).map(|wait| now + Duration::try_from(wait).unwrap_or_default());
        let messages = (self.fresh && self.messages.is_some()).then_some(now);
        let counts = (self.recount && self.publisher.shares(SharedKind::Counts)).then_some(self.count_at);
        let next = [next, messages, counts].into_iter().flatten().min().map(|next| next.max(now + pause));
        self.due = match (self.due, next) {
            (Some(due), Some(next)) if due > now => Some(due.min(next)),
            (_, next) => next,
        };
    }

    /// Writes what is due. What fails waits.
    async fn write(&mut self, context: &TaskContext) {
        self.due = None;
        match self.try_write().await {
            Ok(more) => {
                if std::mem::take(&mut self.failing) {
                    context.trouble(None);
                }
                self.plan(if more { Duration::ZERO } else { GATHER });
            }
            Err(error) => {
                if !std::mem::replace(&mut self.failing, true) {
                    context.trouble(Some(format!("what happens here is not shared at present: {error}")));
                }
                self.due = Some(Instant::now() + AGAIN);
            }
        }
    }

    /// Answers whether there may be more at once.
    async fn try_write(&mut self) -> Result<bool, StoreError> {
        if self.recount && self.publisher.shares(SharedKind::Counts) && Instant::now() >= self.count_at {
            let store = Arc::clone(&self.nodes.store);
            let began = Instant::now();
            let counts = blocking(move || store.channel_stats(midnight(Timestamp::now()))).await?;
            self.count_at = Instant::now() + COUNT_EVERY.max(began.elapsed() * COUNT_REST);
            self.recount = false;
            self.publisher.counts(&counts);
        }
        let now = Timestamp::now();
        let mut drafts = self.publisher.due(now, AT_ONCE);
        let (mut up_to, mut more) = (None, drafts.len() == AT_ONCE);
        if let Some(after) = self.messages.filter(|_| self.fresh) {
            let store = Arc::clone(&self.nodes.store);
            let rows = blocking(move || store.messages_after(after, AT_ONCE)).await?;
            up_to = rows.last().map(|row| row.seq);
            self.fresh = rows.len() == AT_ONCE;
            more |= self.fresh;
            drafts.extend(rows.iter().filter(|row| self.nodes.shares_message(row)).filter_map(message));
        }
        if drafts.is_empty() && up_to.is_none() {
            return Ok(false);
        }
        let entries = drafts.iter().cloned().map(entry).collect();
        let written = self.nodes.append(Publication { life: self.life, entries, up_to }, now).await;
        // What could not be written is looked for again.
        self.fresh |= !matches!(written, Ok(true));
        if !written? {
            return Ok(false);
        }
        self.publisher.written(&drafts, now);
        self.messages = self.messages.map(|before| up_to.unwrap_or(before));
        Ok(more)
    }
}

fn message(row: &MessageRow) -> Option<Draft> {
    let body = serde_json::value::to_raw_value(row).ok()?;
    Some(Draft { kind: SharedKind::Message, subject: row.id.to_string(), body })
}

/// A draft with an id of its own.
pub(super) fn entry(draft: Draft) -> NewShared {
    let Draft { kind, subject, body } = draft;
    NewShared { id: SharedId::from_uuid(Uuid::now_v7()), kind, subject, body }
}
