//! The loop of the checks: what is due is looked at, what was found is settled, kept and shown.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::health::probe::Tools;
use crate::health::{Announcement, Beat, Due, Gate};
use crate::model::{CheckId, CheckPanel, CheckState, Observation, Verdict};
use crate::store::{CheckBatch, CheckResult, StoreError};

use super::super::Input;
use super::clock::{Clock, PULSE};
use super::observe::{answering, observe};
use super::restore::restore;
use super::service::{CheckSet, Checks, Order};
use super::turns::Turns;
use super::watch::{Activity, Prepared, Watch};
use super::writer::Writer;

/// Old rows forgotten at once: a few milliseconds.
const FORGET: usize = 1_000;
/// How often witnesses are asked.
const WITNESS_EVERY: Duration = Duration::from_secs(10);
/// Their last answer counts for so long when there is bad news.
const WITNESS_FRESH: Duration = Duration::from_secs(1);

/// Something that went on beside the loop and is over.
pub(super) enum Done {
    /// A look at a check, by the plan it was made with, counted at that host.
    Looked(i64, Arc<Prepared>, Arc<str>, Observation),
    /// So many witnesses answered.
    Witnessed(usize),
    /// A batch was written, or is to be written again.
    Written(Arc<CheckBatch>, Result<(), StoreError>),
    /// Old rows were forgotten; whether there are more.
    Forgotten(bool),
}

/// Everything the task owns.
pub(super) struct Runner {
    service: Arc<Checks>,
    started: Instant,
    epoch: Duration,
    clock: Clock,
    tools: Arc<Tools>,
    watches: HashMap<i64, Watch>,
    due: BinaryHeap<Reverse<(Duration, i64)>>,
    turns: Turns,
    work: JoinSet<Done>,
    set: Arc<CheckSet>,
    gate: Gate,
    /// It opened or closed, and nobody was told.
    gate_moved: bool,
    /// Witnesses are being asked; when they last answered.
    asking: bool,
    answered: Option<Duration>,
    /// Bad news that waits for the witnesses.
    held: Vec<(i64, Observation)>,
    writer: Writer,
    /// Panels to be shown at the next pulse.
    fresh: BTreeSet<i64>,
    pulse: Duration,
}

impl Runner {
    pub(super) async fn new(service: Arc<Checks>) -> Result<Self, StoreError> {
        let (started, wall) = (Instant::now(), Timestamp::now());
        let epoch = Duration::try_from(wall.duration_since(Timestamp::UNIX_EPOCH)).unwrap_or_default();
        let set = service.set();
        let watches = restore(&service.store, set.checks.clone(), epoch, wall).await?;
        let mut runner = Self {
            writer: Writer::new(),
            gate: Gate::new(set.witnesses.len(), set.need),
            gate_moved: true,
            set,
            // Reading took its time.
            clock: Clock::new(epoch + started.elapsed(), Timestamp::now()),
            started,
            pulse: epoch,
            epoch,
            tools: Arc::default(),
            due: BinaryHeap::new(),
            turns: Turns::default(),
            work: JoinSet::new(),
            asking: false,
            answered: None,
            held: Vec::new(),
            fresh: watches.keys().copied().collect(),
            watches,
            service,
        };
        runner.plan_all();
        Ok(runner)
    }

    /// Now, by the monotonic clock, counted from 1970 at the start.
    fn now(&self) -> Duration {
        self.epoch + self.started.elapsed()
    }

    fn plan_all(&mut self) {
        let enabled = self.watches.iter().filter(|(_, watch)| watch.plan.config.enabled);
        self.due = enabled.map(|(number, watch)| Reverse((watch.due.at, *number))).collect();
    }

    fn plan(&mut self, number: i64, due: Due) {
        if let Some(watch) = self.watches.get_mut(&number) {
            watch.due = due;
            self.due.push(Reverse((due.at, number)));
        }
    }

    /// When there is something to do at the latest.
    pub(super) fn next_wake(&self) -> Instant {
        let due = self.due.peek().map_or(self.pulse, |Reverse((at, _))| (*at).min(self.pulse));
        self.started + due.saturating_sub(self.epoch)
    }

    /// The next thing that is over; never, while nothing goes on.
    pub(super) async fn done(&mut self) -> Done {
        loop {
            match self.work.join_next().await {
                Some(Ok(done)) => return done,
                // Looks catch their panics, so this is a defect of the rest; the check is looked at again.
                Some(Err(error)) => tracing::error!(%error, "work for the checks ended in a panic"),
                None => std::future::pending().await,
            }
        }
    }

    /// Looks at a check because somebody waits for it. When it is being looked at, that look is the answer.
    pub(super) fn order(&mut self, order: Order) {
        let found = self.watches.iter_mut().find(|(_, watch)| watch.plan.config.id == order.id);
        let Some((&number, watch)) = found else { return };
        watch.asked.push(order.answer);
        if watch.activity == Activity::Idle {
            let host = Arc::clone(&watch.host);
            self.turns.start(&host);
            self.start(number, host);
        }
    }

    /// Another set is there.
    pub(super) async fn replace(&mut self) -> Result<(), StoreError> {
        let (set, now, wall) = (self.service.set(), self.now(), Timestamp::now());
        // One that has just gone may be back.
        self.watches.extend(self.writer.take_leaving());
        let mut known: HashMap<CheckId, i64> =
            self.watches.iter().map(|(number, watch)| (watch.plan.config.id.clone(), *number)).collect();
        let new = set.checks.iter().filter(|plan| !known.contains_key(&plan.config.id)).cloned().collect();
        // Nothing is lost when this fails: the task ends, and begins again with the new set.
        let mut watches = restore(&self.service.store, new, now, wall).await?;
        for plan in &set.checks {
            let Some(number) = known.remove(&plan.config.id) else { continue };
            let Some(mut watch) = self.watches.remove(&number) else { continue };
            if !watch.plan.same(plan) {
                watch.change(plan.clone(), now);
            }
            watches.insert(number, watch);
        }
        self.writer.part_with(std::mem::replace(&mut self.watches, watches));
        self.plan_all();
        if (&set.witnesses, set.need) != (&self.set.witnesses, self.set.need) {
            self.gate = Gate::new(set.witnesses.len(), set.need);
            self.gate_moved = true;
            self.answered = None;
        }
        self.set = set;
        let panels = self.watches.keys().filter_map(|number| self.panel(*number, wall)).collect();
        self.tell(Input::AllChecks(panels)).await;
        Ok(())
    }

    /// What is due now, and at every pulse what was found meanwhile.
    pub(super) async fn step(&mut self) {
        let (now, wall) = (self.now(), Timestamp::now());
        self.clock.pulse(now, wall);
        if let Some(what) = self.clock.news() {
            tracing::warn!("{what}; looks that were going on say nothing");
            self.spread(now, wall);
        }
        while let Some(Reverse((at, number))) = self.due.peek().copied()
            && at <= now
        {
            self.due.pop();
            self.look(number, at, now);
        }
        if now >= self.pulse {
            self.pulse = now + PULSE;
            self.pulse(now, wall).await;
        }
    }

    /// After an absence everything would be due at once: it is spread as after a start.
    fn spread(&mut self, now: Duration, wall: Timestamp) {
        let late = self.watches.iter_mut().filter(|(_, watch)| watch.due.at <= now && watch.plan.config.enabled);
        for (_, watch) in late {
            let before = watch.due;
            watch.plan_first(now, wall);
            self.service.measures.skip(Beat::skipped(before, watch.due) + 1);
        }
        self.plan_all();
    }

    fn look(&mut self, number: i64, at: Duration, now: Duration) {
        let Some(watch) = self.watches.get_mut(&number) else { return };
        if watch.due.at != at || !watch.plan.config.enabled {
            // It was planned otherwise since.
            return;
        }
        let due = watch.due;
        let next = watch.beat.after(now);
        self.service.measures.skip(Beat::skipped(due, next));
        if watch.activity == Activity::Idle {
            let host = Arc::clone(&watch.host);
            watch.activity = Activity::Waiting(at);
            if self.turns.ask(number, &host) {
                self.start(number, host);
            }
        } else {
            self.service.measures.skip(1);
        }
        self.plan(number, next);
    }

    /// Begins a look; its turn at `host` was given.
    fn start(&mut self, number: i64, host: Arc<str>) {
        let now = self.now();
        let Some(watch) = self.watches.get_mut(&number) else {
            // It is no longer watched; the turn is the next one's.
            return self.end_turn(&host);
        };
        if let Activity::Waiting(due) = std::mem::replace(&mut watch.activity, Activity::Looking(now)) {
            self.service.measures.began(now.saturating_sub(due));
        }
        let (plan, tools) = (Arc::clone(&watch.plan), Arc::clone(&self.tools));
        self.work.spawn(async move {
            let observation = observe(&plan, &tools).await;
            Done::Looked(number, plan, host, observation)
        });
    }

    fn end_turn(&mut self, host: &Arc<str>) {
        if let Some((next, host)) = self.turns.done(host) {
            self.start(next, host);
        }
    }

    /// Takes in what is over.
    pub(super) fn take(&mut self, done: Done) {
        match done {
            Done::Looked(number, plan, host, observation) => {
                self.end_turn(&host);
                self.looked(number, &plan, observation);
            }
            Done::Witnessed(answered) => self.witnessed(answered),
            Done::Written(batch, result) => self.writer.written(batch, result),
            Done::Forgotten(more) => self.writer.forgotten(more),
        }
    }

    fn looked(&mut self, number: i64, plan: &Arc<Prepared>, mut observation: Observation) {
        let now = self.now();
        // An absence that ends with this very moment is one too.
        self.clock.pulse(now, Timestamp::now());
        let Some(watch) = self.watches.get_mut(&number) else { return };
        let Activity::Looking(began) = std::mem::replace(&mut watch.activity, Activity::Idle) else { return };
        if !Arc::ptr_eq(&watch.plan, plan) {
            // What it looked for is no longer asked; whoever waits hears from the next look.
            return;
        }
        if let Some(what) = self.clock.spoils(began, now) {
            observation.verdict = Verdict::Unknown;
            observation.cause = Some(what.to_owned());
        }
        let fresh = self.answered.is_some_and(|answered| now.saturating_sub(answered) < WITNESS_FRESH);
        if watch.gated && self.gate.doubts(&observation) && !fresh {
            self.held.push((number, observation));
            return self.ask_witnesses();
        }
        self.settle(number, observation);
    }

    fn ask_witnesses(&mut self) {
        if std::mem::replace(&mut self.asking, true) {
            return;
        }
        let set = Arc::clone(&self.set);
        self.work.spawn(async move { Done::Witnessed(answering(&set.witnesses).await) });
    }

    fn witnessed(&mut self, answered: usize) {
        self.asking = false;
        self.answered = Some(self.now());
        let wall = Timestamp::now();
        if self.gate.note(answered, wall) {
            let since = self.gate.closed_since();
            match since {
                Some(_) => tracing::warn!(answered, "observer isolated: checks over the network say nothing"),
                None => tracing::info!(answered, "observer no longer isolated"),
            }
            self.gate_moved = true;
        }
        for (number, observation) in std::mem::take(&mut self.held) {
            self.settle(number, observation);
        }
    }

    /// A result counts: state, store, screen, whoever asked.
    fn settle(&mut self, number: i64, observation: Observation) {
        let (now, wall) = (self.now(), Timestamp::now());
        let Some(watch) = self.watches.get_mut(&number) else { return };
        let observation = if watch.gated { self.gate.judge(observation) } else { observation };
        let settled = watch.settle(&observation, wall);
        let id = &watch.plan.config.id;
        for what in settled.told {
            announce(id.as_str(), what, observation.cause.as_deref());
        }
        let result =
            CheckResult { check: number, at: observation.at, verdict: observation.verdict, took: observation.took };
        self.writer.note(result, settled.failure, settled.state);
        self.fresh.insert(number);
        for asked in watch.asked.drain(..) {
            // Whoever asked may have gone.
            let _ = asked.send(observation.clone());
        }
        if let Some(due) = watch.retry(now) {
            self.plan(number, due);
        }
    }

    async fn pulse(&mut self, now: Duration, wall: Timestamp) {
        if self.gate.is_watched() && self.answered.is_none_or(|answered| now.saturating_sub(answered) > WITNESS_EVERY) {
            self.ask_witnesses();
        }
        if std::mem::take(&mut self.gate_moved) {
            self.tell(Input::Isolated(self.gate.closed_since())).await;
        }
        let fresh = std::mem::take(&mut self.fresh);
        if !fresh.is_empty() {
            let panels = fresh.into_iter().filter_map(|number| self.panel(number, wall)).collect();
            self.tell(Input::Checks(panels)).await;
        }
        if let Some(batch) = self.writer.batch(&mut self.watches, now, wall) {
            let store = Arc::clone(&self.service.store);
            self.work.spawn(async move {
                let result = store.keep_checks(Arc::clone(&batch)).await;
                Done::Written(batch, result)
            });
        }
        if self.writer.may_forget(now) {
            let store = Arc::clone(&self.service.store);
            self.work.spawn(async move { Done::Forgotten(store.forget_checks(wall, FORGET).await.unwrap_or(false)) });
        }
    }

    fn panel(&self, number: i64, wall: Timestamp) -> Option<CheckPanel> {
        let watch = self.watches.get(&number)?;
        let left = SignedDuration::try_from(watch.due.at.saturating_sub(self.now())).ok()?;
        Some(watch.panel(wall.checked_add(left).ok(), wall))
    }

    async fn tell(&self, input: Input) {
        // The engine is gone only when everything ends.
        let _ = self.service.inputs.send(input).await;
    }

    /// What is wrong while it works.
    pub(super) fn trouble(&self) -> Option<&str> {
        self.writer.failed()
    }

    /// Writes down what is left.
    pub(super) async fn close(mut self) {
        self.work.shutdown().await;
        let measures = &self.service.measures;
        let lag_p99_us = measures.lag().quantile(99.0).unwrap_or_default().as_micros();
        tracing::info!(looks = measures.looks(), skipped = measures.skipped(), lag_p99_us, "no more looks");
        for (number, observation) in std::mem::take(&mut self.held) {
            self.settle(number, observation);
        }
        let batch = self.writer.last(&mut self.watches);
        if let Err(error) = self.service.store.keep_checks(Arc::new(batch)).await {
            tracing::warn!(%error, "failed to keep the last results of checks");
        }
    }
}

fn announce(check: &str, what: Announcement, cause: Option<&str>) {
    let cause = cause.unwrap_or_default();
    match what {
        Announcement::State(CheckState::Ok) => tracing::info!(check, "check is ok again"),
        Announcement::State(state) => tracing::warn!(check, cause, "check is {}", state.as_str()),
        Announcement::FlappingBegan => tracing::warn!(check, cause, "check is flapping; its states are not told"),
        Announcement::FlappingEnded => tracing::info!(check, "check is no longer flapping"),
    }
}
