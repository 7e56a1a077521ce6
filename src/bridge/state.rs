//! The state of the bridge, and how it changes.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::model::{HostName, Job, JobId, JobState, Outcome};

use super::{BridgeEffect, BridgeInput, Caps, HostSpec, Term};

/// What is on its way to hosts, and how their roads are. It decides and does nothing else: no I/O, no clock.
#[derive(Debug, Clone)]
pub struct Bridge {
    term: Term,
    caps: Caps,
    hosts: BTreeMap<HostName, HostSpec>,
    jobs: BTreeMap<JobId, Job>,
    effects: Vec<BridgeEffect>,
}

impl Bridge {
    /// A bridge that orders in this term. The seed tells its tries from those of other engines; any number will do.
    #[must_use]
    pub fn new(term: Term, _seed: u64) -> Self {
        Self { term, caps: Caps::default(), hosts: BTreeMap::new(), jobs: BTreeMap::new(), effects: Vec::new() }
    }

    /// Takes in what happened, and says what is to be done for it, in this order.
    pub fn apply(&mut self, input: BridgeInput, now: Timestamp) -> Vec<BridgeEffect> {
        match input {
            BridgeInput::Term(term) => self.term = term,
            BridgeInput::Hosts(specs) => self.hosts = specs.into_iter().map(|spec| (spec.name.clone(), spec)).collect(),
            BridgeInput::Caps(caps) => self.caps = caps,
            BridgeInput::Submit(job) => self.submit(*job, now),
            BridgeInput::Known(jobs) => self.jobs.extend(jobs.into_iter().map(|job| (job.id, job))),
            BridgeInput::Cancel { id, by } => self.not_run(id, "cancelled", &format!("by {by}"), now),
            BridgeInput::Refuse { id, rule, reason } => self.not_run(id, &rule, &reason, now),
            BridgeInput::Release(_)
            | BridgeInput::News(_)
            | BridgeInput::Asked { .. }
            | BridgeInput::Shown(_)
            | BridgeInput::Resolve { .. }
            | BridgeInput::Probe(_)
            | BridgeInput::Tick => {}
        }
        std::mem::take(&mut self.effects)
    }

    fn submit(&mut self, job: Job, now: Timestamp) {
        let id = job.id;
        let refused = if self.jobs.len() >= self.caps.waiting {
            Some(("full", format!("{} jobs wait already", self.jobs.len())))
        } else if self.hosts.contains_key(&job.plan.host) {
            None
        } else {
            Some(("host", format!("no host is called {}", job.plan.host)))
        };
        self.effects.push(BridgeEffect::Keep(Box::new(job.clone())));
        self.effects.push(BridgeEffect::Tell(job.row()));
        self.jobs.insert(id, job);
        if let Some((rule, reason)) = refused {
            self.not_run(id, rule, &reason, now);
        }
    }

    fn not_run(&mut self, id: JobId, rule: &str, reason: &str, now: Timestamp) {
        if let Some(mut job) = self.jobs.remove(&id) {
            job.state = JobState::Ended(Outcome::NotRun { rule: rule.to_owned(), reason: reason.to_owned() });
            job.ended = Some(now);
            self.effects.push(BridgeEffect::Tell(job.row()));
            self.effects.push(BridgeEffect::Keep(Box::new(job)));
        }
    }

    /// When it has to be told the time ([`BridgeInput::Tick`]), if nothing happens before.
    #[must_use]
    pub fn next_wake(&self) -> Option<Timestamp> {
        None
    }

    /// A job that is not over, or whose end is unknown.
    #[must_use]
    pub fn job(&self, id: &JobId) -> Option<&Job> {
        self.jobs.get(id)
    }
}
