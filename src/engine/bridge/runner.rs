//! The loop of the bridge: what happens and what is asked goes into its core, and what the core wants is done in order.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use uuid::Uuid;

use crate::bridge::{Bridge, BridgeEffect, BridgeInput, LayerNews, Term};
use crate::model::{AuditEntry, CheckId, EngineId, JobId};
use crate::store::{JobBatch, Store, StoreError};

use super::super::caught::caught;
use super::super::{Input, rest};
use super::gate;
use super::redacting::Redacting;
use super::road::Handed;
use super::roads::Roads;
use super::service::Bridges;
use super::telling::Telling;
use super::waiting::{Group, Waiting};

/// Pieces of news that may wait for the loop.
const NEWS: usize = 1024;
/// The loop takes a turn at least this often while something is held; otherwise it rests.
const TURN: Duration = Duration::from_secs(1);
/// Pause before something that could not be written is tried again.
const AGAIN: Duration = Duration::from_secs(1);
/// How often old jobs are forgotten, and how many at once.
const FORGET_EVERY: Duration = Duration::from_mins(1);
const FORGET: usize = 100;
/// Time for what has to be written when everything ends.
const LAST_WRITE: Duration = Duration::from_secs(4);

/// Something that went on beside the loop and is over.
enum Done {
    /// A group was written.
    Kept(Box<Group>, Vec<AuditEntry>),
    /// It was not, and is tried again after a pause: why.
    Failed(Box<Group>, String),
    /// The term was raised, or could not be.
    Raised(u64, Result<(), String>),
    /// Approvals were settled, or could not be.
    Settled(Result<(), String>),
    /// The checks of a rollout were looked at.
    Looked(JobId, Result<(), String>),
    /// Old jobs were forgotten.
    Forgotten,
}

/// Everything the task owns.
pub(super) struct Runner {
    service: Arc<Bridges>,
    bridge: Bridge,
    roads: Roads,
    term: watch::Sender<Term>,
    news: mpsc::Receiver<LayerNews>,
    handed: mpsc::UnboundedReceiver<Handed>,
    redacting: Redacting,
    waiting: Waiting,
    writing: bool,
    telling: Telling,
    work: JoinSet<Done>,
    forget: Instant,
    settle: Instant,
    settling: bool,
    trouble: Option<String>,
    /// What the clock showed at the last turn: one that was put back is told at once.
    clock: Timestamp,
}

impl Runner {
    pub(super) async fn new(service: Arc<Bridges>) -> Result<Self, StoreError> {
        let (engine, epoch) = service.store.begin_term(EngineId::from_uuid(Uuid::now_v7())).await?;
        let store = Arc::clone(&service.store);
        let read = move || Ok::<_, StoreError>((store.unsettled_jobs()?, store.open_rollouts()?));
        let (known, rollouts) = super::super::projector::blocking(read).await?;
        let first = Term { engine, epoch };
        service.begin(first);
        let (term, terms) = watch::channel(first);
        let (sender, news) = mpsc::channel(NEWS);
        // As many as there are questions on their way.
        let (hands, handed) = mpsc::unbounded_channel();
        let roads = Roads::new(Arc::clone(&service.open), terms, sender, hands);
        let mut runner = Self {
            bridge: Bridge::new(first, rand::random()),
            roads,
            term,
            news,
            handed,
            redacting: Redacting::default(),
            waiting: Waiting::default(),
            writing: false,
            telling: Telling::new(Instant::now()),
            work: JoinSet::new(),
            forget: Instant::now() + FORGET_EVERY,
            settle: Instant::now(),
            settling: false,
            trouble: None,
            clock: Timestamp::now(),
            service,
        };
        runner.replace();
        runner.apply(BridgeInput::Rollouts(rollouts));
        runner.apply(BridgeInput::Known(known));
        Ok(runner)
    }

    /// What is wrong while it goes on.
    pub(super) fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// Another set is there.
    pub(super) fn replace(&mut self) {
        let set = self.service.set();
        self.apply(BridgeInput::Caps(set.caps()));
        self.apply(BridgeInput::Hosts(set.hosts()));
        self.telling.keep_hosts(|name| set.config.hosts.contains_key(name));
        self.roads.take(&set);
    }

    /// Lets the core know of something, and does what it wants.
    pub(super) fn apply(&mut self, input: BridgeInput) {
        let mut effects = self.bridge.apply(input, Timestamp::now());
        self.redacting.take(&mut effects, || self.service.set().known());
        self.waiting.add(effects);
        self.go_on();
    }

    /// Does what waits, as far as nothing has to be written first.
    fn go_on(&mut self) {
        if self.writing {
            return;
        }
        while let Some(effect) = self.waiting.free() {
            self.perform(effect);
        }
        if let Some(group) = self.waiting.group() {
            self.writing = true;
            self.write(Box::new(group), Duration::ZERO);
        }
    }

    fn write(&mut self, group: Box<Group>, pause: Duration) {
        let store = Arc::clone(&self.service.store);
        self.work.spawn(async move {
            tokio::time::sleep(pause).await;
            match tried(keep(&store, &group.batch)).await {
                Ok((entries, lost)) => Done::Kept(Box::new(group.without(&lost)), entries),
                Err(why) => Done::Failed(group, why),
            }
        });
    }

    fn perform(&mut self, effect: BridgeEffect) {
        match effect {
            BridgeEffect::Ask { ticket, host, kind, question } => self.roads.ask(host, kind, ticket, question),
            BridgeEffect::Tell(row) => {
                self.service.live.job(&row);
                self.telling.job(row);
            }
            BridgeEffect::Panel(panel) => {
                self.service.live.host(panel.clone());
                self.telling.host(panel);
            }
            BridgeEffect::TellRollout(row) => self.telling.rollout(*row),
            BridgeEffect::Look { rollout, checks } => self.look(rollout, checks),
            BridgeEffect::Nudge { host, kind } => self.roads.nudge(host, kind),
            BridgeEffect::Raise(epoch) => self.raise(epoch, Duration::ZERO),
            BridgeEffect::Keep(_)
            | BridgeEffect::KeepRollout(_)
            | BridgeEffect::Output { .. }
            | BridgeEffect::Note(_) => {
                unreachable!("they are written in groups")
            }
        }
    }

    fn raise(&mut self, epoch: u64, pause: Duration) {
        let store = Arc::clone(&self.service.store);
        self.work.spawn(async move {
            tokio::time::sleep(pause).await;
            Done::Raised(epoch, tried(store.raise_term(epoch)).await)
        });
    }

    fn look(&mut self, rollout: JobId, ids: Vec<CheckId>) {
        let checks = Arc::clone(&self.service.checks);
        self.work.spawn(async move { Done::Looked(rollout, tried(gate::look(&checks, &ids)).await) });
    }

    /// Whether more may be taken in. While nothing can be written, what hosts say waits on the roads, and time brings
    /// nothing new.
    fn takes(&self) -> bool {
        self.trouble.is_none() && !self.waiting.is_full()
    }

    /// Waits for something that happens on roads or beside the loop, and takes it in.
    pub(super) async fn hear(&mut self) {
        tokio::select! {
            Some(done) = self.work.join_next() => match done {
                Ok(done) => self.done(done),
                Err(error) => tracing::error!(%error, "work for the bridge ended in a panic"),
            },
            Some((ticket, result)) = self.handed.recv() => self.apply(BridgeInput::Asked { ticket, result }),
            Some(news) = self.news.recv(), if self.takes() => self.apply(BridgeInput::News(news)),
            else => std::future::pending().await,
        }
    }

    fn done(&mut self, done: Done) {
        match done {
            Done::Kept(group, entries) => {
                self.telling.audited(entries);
                self.writing = false;
                self.trouble = None;
                for (id, chunk) in &group.batch.output {
                    self.telling.wrote(*id, chunk.seq + 1);
                }
                for effect in group.then {
                    self.perform(effect);
                }
                self.go_on();
            }
            Done::Failed(group, error) => {
                self.trouble = Some(format!("jobs cannot be written down and wait: {error}"));
                self.write(group, AGAIN);
            }
            Done::Raised(epoch, Ok(())) => {
                let known = *self.term.borrow();
                // A higher one may have been written first.
                let term = Term { epoch: epoch.max(known.epoch), ..known };
                self.service.begin(term);
                self.term.send_replace(term);
                self.apply(BridgeInput::Term(term));
            }
            Done::Raised(epoch, Err(error)) => {
                tracing::warn!(%error, epoch, "failed to raise the term; hosts of another engine refuse this one");
                // The core asks for a term once.
                self.raise(epoch, AGAIN);
            }
            Done::Settled(settled) => {
                self.settling = false;
                if let Err(error) = settled {
                    tracing::warn!(%error, "approvals could not be settled; it is tried again");
                }
            }
            Done::Looked(rollout, health) => self.apply(BridgeInput::Health { rollout, health }),
            Done::Forgotten => {}
        }
    }

    /// When there is something to do at the latest.
    pub(super) fn next_wake(&self) -> Instant {
        let now = Instant::now();
        let tick = self.bridge.next_wake().filter(|_| self.takes()).map(|at| {
            let pause = at.duration_since(Timestamp::now());
            now + Duration::try_from(pause).unwrap_or(Duration::ZERO)
        });
        let turn = if self.service.holds.load(Ordering::Relaxed) { now + TURN } else { rest::after(now) };
        [tick, self.telling.due()].into_iter().flatten().fold(turn, Instant::min)
    }

    /// What is due now.
    pub(super) async fn step(&mut self) {
        let clock = Timestamp::now();
        let was_put_back = clock < std::mem::replace(&mut self.clock, clock);
        if self.takes() && (was_put_back || self.bridge.next_wake().is_some_and(|at| at <= clock)) {
            self.apply(BridgeInput::Tick);
        }
        let now = Instant::now();
        for notice in self.telling.take(now) {
            // The engine is gone only when everything ends.
            let _ = self.service.inputs.send(Input::Bridge(notice)).await;
        }
        if now >= self.settle && !self.settling {
            self.settle = now + TURN;
            self.settling = true;
            let service = Arc::clone(&self.service);
            self.work.spawn(async move { Done::Settled(tried(service.settle()).await) });
        }
        if now >= self.forget {
            self.forget = now + FORGET_EVERY;
            let store = Arc::clone(&self.service.store);
            self.work.spawn(async move {
                // Should it fail, it is tried again in a minute.
                while store.forget_jobs(Timestamp::now(), FORGET).await.unwrap_or(false) {}
                Done::Forgotten
            });
        }
    }

    /// Closes the roads and writes down what waits. What runs on hosts goes on.
    pub(super) async fn close(mut self) {
        self.roads.close();
        let written = async {
            while self.writing {
                match self.work.join_next().await {
                    Some(Ok(done)) => self.done(done),
                    Some(Err(_)) => {}
                    None => return,
                }
            }
        };
        if tokio::time::timeout(LAST_WRITE, written).await.is_err() {
            tracing::warn!("the last news of jobs was not written down; it is asked for again at the next start");
        }
        for notice in self.telling.take(Instant::now() + TURN) {
            let _ = self.service.inputs.send(Input::Bridge(notice)).await;
        }
    }
}

/// What became of `work`, in which a panic is a failure, too.
async fn tried<T, E: std::fmt::Display>(work: impl Future<Output = Result<T, E>>) -> Result<T, String> {
    match caught(work).await {
        Ok(result) => result.map_err(|error| error.to_string()),
        Err(panicked) => Err(panicked.to_string()),
    }
}

/// Writes `batch`. Answers what was added to the audit log, and the jobs that could not be written.
async fn keep(store: &Store, batch: &JobBatch) -> Result<(Vec<AuditEntry>, Vec<JobId>), StoreError> {
    match store.keep_jobs(batch.clone()).await {
        Ok(entries) => Ok((entries, Vec::new())),
        // Not the disk: a part of it is none the database takes, and must not stand in the way of the others.
        Err(StoreError::Database(why)) => {
            tracing::error!(why, "jobs are written down one by one");
            store.keep_each(batch.clone()).await
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
#[path = "runner_tests.rs"]
mod tests;
