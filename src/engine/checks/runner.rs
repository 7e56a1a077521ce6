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
use super::clock::{Clock, PULSE, RESTING};
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
/// How often at most, while bad news waits for them.
const WITNESS_AGAIN: Duration = Duration::from_secs(1);

/// A set that could not be taken over is tried again after this time.
const REPLACE_AGAIN: Duration = Duration::from_secs(5);
/// Time a batch that is being written has when everything ends.
const LAST_WRITE: Duration = Duration::from_secs(5);

/// Something that went on beside the loop and is over.
pub(super) enum Done {
    /// A look at a check, by the plan it was made with, counted at that host.
    Looked(i64, Arc<Prepared>, Arc<str>, Observation),
    /// So many witnesses answered; when they were asked.
    Witnessed(usize, Duration),
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
    /// Witnesses are being asked; when those were asked that last counted.
    asking: bool,
    answered: Option<Duration>,
    /// Bad news that waits for witnesses who are asked after it came.
    held: Vec<(i64, Arc<Prepared>, Duration, Observation)>,
    /// When the set that is not watched yet is tried again, and why it is not.
    unreplaced: Option<(Duration, String)>,
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
            unreplaced: None,
            fresh: watches.keys().copied().collect(),
            watches,
            service,
        };
        runner.plan_all();
        runner.judge_all();
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
        self.started + self.due().saturating_sub(self.epoch)
    }

    fn due(&self) -> Duration {
        self.due.peek().map_or(self.pulse, |Reverse((at, _))| (*at).min(self.pulse))
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
    ///
    /// While the store cannot say what is known of those that are new, the checks of before are watched.
    pub(super) async fn replace(&mut self) {
        let (set, now, wall) = (self.service.set(), self.now(), Timestamp::now());
        // One that has just gone may be back.
        let watched = self.watches.iter().chain(self.writer.leaving());
        let mut known: HashMap<CheckId, i64> =
            watched.map(|(number, watch)| (watch.plan.config.id.clone(), *number)).collect();
        let new = set.checks.iter().filter(|plan| !known.contains_key(&plan.config.id)).cloned().collect();
        let mut watches = match restore(&self.service.store, new, now, wall).await {
            Ok(watches) => watches,
            Err(error) => {
                tracing::warn!(%error, "the checks of the new configuration are not watched yet");
                let why = format!("the checks of the new configuration are not watched yet: {error}");
                self.unreplaced = Some((self.now() + REPLACE_AGAIN, why));
                return;
            }
        };
        self.unreplaced = None;
        self.watches.extend(self.writer.take_leaving());
        for plan in &set.checks {
            let Some(number) = known.remove(&plan.config.id) else { continue };
            let Some(mut watch) = self.watches.remove(&number) else { continue };
            if !watch.plan.same(plan) {
                watch.change(Arc::clone(plan), now);
            }
            watches.insert(number, watch);
        }
        self.writer.part_with(std::mem::replace(&mut self.watches, watches));
        self.plan_all();
        if (&set.witnesses, set.need) != (&self.set.witnesses, self.set.need) {
            self.gate = Gate::new(set.witnesses.len(), set.need);
            self.gate_moved = true;
            self.answered = None;
            self.service.tell_witnesses(None);
        }
        self.set = set;
        self.judge_all();
        let panels = self.watches.keys().filter_map(|number| self.panel(*number, wall)).collect();
        self.tell(Input::AllChecks(panels)).await;
    }

    /// What is due now, and at every pulse what was found meanwhile.
    pub(super) async fn step(&mut self) {
        let (now, wall) = (self.now(), Timestamp::now());
        self.clock.pulse(now, wall);
        if let Some(what) = self.clock.news() {
            tracing::warn!("{what}; looks that were going on say nothing");
            self.writer.doubt_the_clock(now);
            self.spread(now, wall);
        }
        while let Some(Reverse((at, number))) = self.due.peek().copied()
            && at <= now
        {
            self.due.pop();
            self.look(number, at, now);
        }
        if now >= self.pulse {
            self.pulse = now + RESTING;
            if self.unreplaced.as_ref().is_some_and(|(again, _)| *again <= now) {
                self.replace().await;
            }
            self.pulse(now, wall).await;
        }
        if self.rests() {
            self.clock.rest(self.due().min(now + RESTING));
        } else {
            self.pulse = self.pulse.min(now + PULSE);
        }
    }

    /// Whether nothing goes on that a pulse sees to.
    fn rests(&self) -> bool {
        let waits = !self.held.is_empty() || !self.fresh.is_empty() || self.gate_moved || self.unreplaced.is_some();
        self.work.is_empty() && !waits && self.writer.rests()
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
        let script = self.service.script.clone();
        self.work.spawn(async move {
            let observation = observe(&plan, &tools, script.as_deref()).await;
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
            Done::Witnessed(answered, asked) => self.witnessed(answered, asked),
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
        if watch.gated && self.gate.doubts(&observation) {
            self.held.push((number, Arc::clone(plan), now, observation));
            return self.ask_if_due(now);
        }
        self.settle(number, observation);
    }

    fn ask_if_due(&mut self, now: Duration) {
        let every = if self.held.is_empty() { WITNESS_EVERY } else { WITNESS_AGAIN };
        let due = self.answered.is_none_or(|answered| now.saturating_sub(answered) >= every);
        if self.gate.is_watched() && due && !std::mem::replace(&mut self.asking, true) {
            let (set, asked) = (Arc::clone(&self.set), self.now());
            self.work.spawn(async move { Done::Witnessed(answering(&set.witnesses, set.need).await, asked) });
        }
    }

    fn witnessed(&mut self, answered: usize, asked: Duration) {
        self.asking = false;
        let (now, wall) = (self.now(), Timestamp::now());
        self.clock.pulse(now, wall);
        if self.clock.spoils(asked, now).is_some() {
            // They are asked again at the next pulse.
            return;
        }
        self.answered = Some(asked);
        if self.gate.note(answered, wall) {
            let since = self.gate.closed_since();
            match since {
                Some(_) => tracing::warn!(answered, "observer isolated: checks over the network say nothing"),
                None => tracing::info!(answered, "observer no longer isolated"),
            }
            self.gate_moved = true;
        }
        self.service.tell_witnesses(self.gate.is_watched().then(|| self.gate.closed_since().is_none()));
        self.settle_held(asked);
    }

    /// Bad news that came before `asked` counts, unless another plan is in force.
    fn settle_held(&mut self, asked: Duration) {
        let held: Vec<_> = self.held.extract_if(.., |(_, _, came, _)| *came <= asked).collect();
        for (number, plan, _, observation) in held {
            if self.watches.get(&number).is_some_and(|watch| Arc::ptr_eq(&watch.plan, &plan)) {
                self.settle(number, observation);
            }
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
            // Where several have to agree, how it stands for this one alone is not told.
            if !(watch.is_judged() && matches!(what, Announcement::State(_))) {
                announce(id.as_str(), what, observation.cause.as_deref());
            }
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
        self.judge(number);
    }

    /// Judges every check by the word of the other nodes.
    pub(super) fn judge_all(&mut self) {
        for number in self.watches.keys().copied().collect::<Vec<_>>() {
            self.judge(number);
        }
    }

    fn judge(&mut self, number: i64) {
        let Some(watch) = self.watches.get_mut(&number) else { return };
        let judged = watch.judge(self.set.me.as_ref(), &self.service.votes(), Timestamp::now());
        if let Some(state) = judged.told.filter(|_| !watch.is_flapping()) {
            announce(watch.plan.config.id.as_str(), Announcement::State(state), watch.cause());
        }
        self.writer.keep(number, judged.state);
        if judged.is_news {
            self.fresh.insert(number);
        }
    }

    async fn pulse(&mut self, now: Duration, wall: Timestamp) {
        self.ask_if_due(now);
        if !self.gate.is_watched() {
            // There were witnesses until now.
            self.settle_held(now);
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
        self.unreplaced.as_ref().map(|(_, why)| why.as_str()).or(self.writer.failed())
    }

    /// Writes down what is left.
    pub(super) async fn close(mut self) {
        // What is being written is known to be, or is written with the rest.
        let until = Instant::now() + LAST_WRITE;
        while self.writer.is_writing()
            && let Ok(done) = tokio::time::timeout_at(until, self.done()).await
        {
            if let Done::Written(batch, result) = done {
                self.writer.written(batch, result);
            }
        }
        self.work.shutdown().await;
        let measures = &self.service.measures;
        let lag_p99_us = measures.lag().quantile(99.0).unwrap_or_default().as_micros();
        tracing::info!(looks = measures.looks(), skipped = measures.skipped(), lag_p99_us, "no more looks");
        self.settle_held(Duration::MAX);
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

#[cfg(test)]
#[path = "runner_tests.rs"]
mod tests;
