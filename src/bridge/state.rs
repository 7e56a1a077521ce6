//! The state of the bridge, and how it changes.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::model::{End, HostName, Job, JobId, JobState, LayerKind, Outcome, Plan};

use super::delivery::Delivery;
use super::host::{Fare, Host};
use super::queue::Queue;
use super::rollouts::Rollouts;
use super::scene::{Out, Scene};
use super::turns::PLACES_EVERY;
use super::{BridgeEffect, BridgeInput, Caps, Term};

/// How much is on its way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Jobs that wait for their turn.
    pub waiting: usize,
    /// Jobs on their way or running.
    pub running: usize,
    /// Jobs that were refused since the start because too many waited.
    pub refused: u64,
}

/// What is on its way to hosts, and how their roads are. It decides and does nothing else: no I/O, no clock.
#[derive(Debug, Clone)]
pub struct Bridge {
    pub(super) term: Term,
    /// The highest term that was asked for.
    pub(super) raised: u64,
    pub(super) hosts: BTreeMap<HostName, Host>,
    pub(super) out: Out,
    /// Hosts that may have to be shown anew.
    pub(super) touched: BTreeSet<HostName>,
    /// Whether somebody who waits may have their turn.
    pub(super) stirred: bool,
    pub(super) caps: Caps,
    pub(super) jobs: BTreeMap<JobId, Delivery>,
    pub(super) queue: Queue,
    /// Jobs that left the queue and are not over, by host.
    pub(super) away: BTreeMap<HostName, BTreeSet<JobId>>,
    pub(super) rollouts: Rollouts,
    pub(super) refused: u64,
    /// Jobs of before the start that are not run any more: the same may be on its way here as a new one.
    pub(super) dropped: BTreeSet<JobId>,
    /// The latest moment it was told of.
    pub(super) clock: Timestamp,
    /// When places were last told, and whether they may have changed since.
    pub(super) places: (Timestamp, bool),
}

impl Bridge {
    /// A bridge that orders in this term. The seed tells its tries from those of other engines; any number will do.
    #[must_use]
    pub fn new(term: Term, seed: u64) -> Self {
        Self {
            term,
            raised: term.epoch,
            hosts: BTreeMap::new(),
            out: Out::new(seed),
            touched: BTreeSet::new(),
            stirred: false,
            caps: Caps::default(),
            jobs: BTreeMap::new(),
            queue: Queue::default(),
            away: BTreeMap::new(),
            rollouts: Rollouts::default(),
            refused: 0,
            dropped: BTreeSet::new(),
            clock: Timestamp::MIN,
            places: (Timestamp::MIN, false),
        }
    }

    /// Takes in what happened, and says what is to be done for it, in this order.
    pub fn apply(&mut self, input: BridgeInput, now: Timestamp) -> Vec<BridgeEffect> {
        self.notice_clock(now);
        match input {
            BridgeInput::Term(term) => self.set_term(term, now),
            BridgeInput::Hosts(specs) => self.set_hosts(specs, now),
            BridgeInput::Caps(caps) => {
                (self.caps, self.stirred) = (caps, true);
                self.judge_again(now);
            }
            BridgeInput::Submit(job) => self.submit(*job, now),
            BridgeInput::RollOut { rollout, jobs } => self.roll_out(*rollout, jobs, now),
            BridgeInput::Rollouts(rollouts) => self.know_rollouts(rollouts),
            BridgeInput::Health { rollout, health } => self.looked(rollout, health),
            BridgeInput::Known(jobs) => self.know(jobs, now),
            BridgeInput::Release(id) => self.release(id, now),
            BridgeInput::Refuse { id, rule, reason } => {
                if self.jobs.get(&id).is_some_and(Delivery::is_held) {
                    self.act(id, now, |job, scene| job.not_run(rule, reason, scene));
                }
            }
            BridgeInput::News(news) => self.news(news, now),
            BridgeInput::Asked { ticket, result } => {
                if let Some(id) = ticket.job {
                    self.act(id, now, |job, scene| job.asked(ticket, &result, scene));
                }
            }
            BridgeInput::Cancel { id, by } => {
                self.stop_rollout(id, &by);
                self.act(id, now, |job, scene| job.cancel(&by, scene));
            }
            BridgeInput::Shown(id) => {
                self.act(id, now, Delivery::shown);
            }
            BridgeInput::Resolve { id, ran, by, note } => {
                self.act(id, now, |job, scene| job.resolve(ran, &by, note.as_deref(), scene));
            }
            BridgeInput::Probe(host) => self.probe_all(&host, now),
            BridgeInput::Tick => {}
        }
        self.due(now);
        loop {
            self.roll(now);
            self.let_go(now);
            if !self.rollouts.are_told() {
                break;
            }
        }
        self.tell_places(now);
        self.tell_hosts(now);
        std::mem::take(&mut self.out.effects)
    }

    /// When it has to be told the time ([`BridgeInput::Tick`]), if nothing happens before.
    #[must_use]
    pub fn next_wake(&self) -> Option<Timestamp> {
        let jobs = self.jobs.values().filter_map(Delivery::wake);
        let roads = self.hosts.values().filter_map(Host::probe_at);
        let places = self.places.1.then(|| self.places.0 + PLACES_EVERY);
        jobs.chain(roads).chain(places).chain(self.rollouts.next_wake()).min()
    }

    /// A job that is not over, or whose end is unknown.
    #[must_use]
    pub fn job(&self, id: &JobId) -> Option<&Job> {
        self.jobs.get(id).map(Delivery::job)
    }

    /// Whether a person may say what became of a job: it may have run, and the host does not say.
    #[must_use]
    pub fn is_open_question(&self, id: &JobId) -> bool {
        self.jobs.get(id).is_some_and(Delivery::is_open_question)
    }

    /// The road that would carry this now.
    #[must_use]
    pub fn carrier(&self, plan: &Plan, only: Option<LayerKind>) -> Option<LayerKind> {
        let weakest = self.caps.commands.get(&plan.command)?.weakest;
        self.hosts.get(&plan.host)?.open(Fare { only, weakest, class: Some(plan.class) }).first().copied()
    }

    /// How much is on its way.
    #[must_use]
    pub fn totals(&self) -> Totals {
        let running = self.away.values().map(BTreeSet::len).sum();
        Totals { waiting: self.queue.len(), running, refused: self.refused }
    }

    /// Lets something happen to a job, and takes notice when it is over.
    pub(super) fn act<R>(
        &mut self,
        id: JobId,
        now: Timestamp,
        happens: impl FnOnce(&mut Delivery, &mut Scene<'_>) -> R,
    ) -> Option<R> {
        let job = self.jobs.get_mut(&id)?;
        let name = job.job().plan.host.clone();
        let host = self.hosts.get_mut(&name)?;
        let rule = self.caps.commands.get(&job.job().plan.command).copied();
        let (waited, stranded) = (job.waits(), job.is_stranded());
        let result = happens(job, &mut Scene { host, rule, term: self.term, now, out: &mut self.out });
        let (waits, over) = (job.waits(), job.is_over());
        if waits != waited || over || job.is_stranded() != stranded {
            self.touched.insert(name.clone());
            self.stirred = true;
        }
        if !waits {
            self.queue.remove(&id);
        }
        if over {
            let job = job.job();
            let told = match (&job.state, job.ended) {
                (JobState::Ended(Outcome::Done(End::Exit(_) | End::Signal(_))), Some(at)) => host.to_us(at).min(now),
                _ => now,
            };
            self.rollouts.ended(job, told);
            self.forget(id, &name);
        } else if !waits {
            self.away.entry(name).or_default().insert(id);
        }
        Some(result)
    }

    /// Drops a job that is over. One whose end is unknown stays for whoever resolves it.
    fn forget(&mut self, id: JobId, host: &HostName) {
        if let Some(away) = self.away.get_mut(host) {
            away.remove(&id);
        }
        if !matches!(self.job(&id).map(|job| &job.state), Some(JobState::Ended(Outcome::Unknown { .. }))) {
            self.jobs.remove(&id);
        }
    }
}
