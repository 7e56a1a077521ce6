//! What the core of the bridge is told.

use std::collections::BTreeMap;

use crate::model::{CommandName, HostName, Job, JobId, Label, Lane, LayerKind, OperatorName, Rollout};

use super::{LayerNews, NotDelivered, Term};

/// A configured host, as far as decisions need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostSpec {
    /// Its name.
    pub name: HostName,
    /// Its labels.
    pub labels: Vec<Label>,
    /// Its roads, in the order they are tried. Manual needs no place here: it is always last.
    pub layers: Vec<LayerKind>,
    /// How many jobs run there at once. It stays below sshd's `MaxSessions`.
    pub at_once: u32,
}

/// What the configuration says of a command, beside its template.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CommandRule {
    /// How many of it run at once, over all hosts.
    pub at_once: Option<u32>,
    /// The weakest layer that may carry it.
    pub weakest: Option<LayerKind>,
}

/// How much runs at once, and how much may wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caps {
    /// Jobs on their way or running, over all hosts.
    pub engine: u32,
    /// The same within one lane, by [`Lane::ALL`].
    pub lanes: [u32; Lane::ALL.len()],
    /// Jobs that wait. One more is refused.
    pub waiting: usize,
    /// Commands by name. A command that is not here is not run: it left the whitelist while its job waited.
    pub commands: BTreeMap<CommandName, CommandRule>,
}

impl Default for Caps {
    fn default() -> Self {
        Self { engine: 256, lanes: [256, 256, 192, 64], waiting: 10_000, commands: BTreeMap::new() }
    }
}

/// Names one question that was handed to a layer, so that what became of it finds back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket {
    pub(super) number: u64,
    pub(super) job: Option<JobId>,
}

/// What the core of the bridge is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BridgeInput {
    /// Who orders, and in which term. What is sent from now on carries it.
    Term(Term),
    /// The configured hosts: at the start, and after a reload. Jobs on a host that is gone and were not handed over are
    /// not run.
    Hosts(Vec<HostSpec>),
    /// Caps and rules: at the start, and after a reload.
    Caps(Caps),
    /// A new job. Its first effect keeps it, so it need not be durable before. One that is known is told again and
    /// nothing else happens; whether it is over already only the store knows.
    Submit(Box<Job>),
    /// A new rollout and its jobs, which wait for their stage or for other people's yes. One that is known is told again
    /// and nothing else happens.
    RollOut {
        /// How it goes.
        rollout: Box<Rollout>,
        /// One job a host.
        jobs: Vec<Job>,
    },
    /// After an engine started, once and before [`Known`](Self::Known): the rollouts that are not over, each with all
    /// its jobs.
    Rollouts(Vec<(Rollout, Vec<Job>)>),
    /// After an engine started, once: every job that is not over, and those whose end is unknown.
    Known(Vec<Job>),
    /// The approval of a job came. Its time to start counts from now.
    Release(JobId),
    /// The approval of a job was denied, or ran out.
    Refuse {
        /// Which.
        id: JobId,
        /// The rule, as `denied`.
        rule: String,
        /// In words.
        reason: String,
    },
    /// What the checks say of the hosts of a rollout ([`BridgeEffect::Look`](super::BridgeEffect::Look)).
    Health {
        /// Which rollout.
        rollout: JobId,
        /// Whether they are well, and if not why.
        health: Result<(), String>,
    },
    /// Something happened on a road.
    News(LayerNews),
    /// What became of handing over a question ([`BridgeEffect::Ask`](super::BridgeEffect::Ask)).
    Asked {
        /// Which.
        ticket: Ticket,
        /// How it went.
        result: Result<(), NotDelivered>,
    },
    /// Take a job back if it waits, stop its processes if it runs. No other stage of its rollout comes then.
    Cancel {
        /// Which.
        id: JobId,
        /// Who wants it.
        by: OperatorName,
    },
    /// The lines for a person were shown: from now on the job may run by hand.
    Shown(JobId),
    /// A person says what became of a job.
    Resolve {
        /// Which.
        id: JobId,
        /// Whether it ran.
        ran: bool,
        /// Who says so.
        by: OperatorName,
        /// How it is known.
        note: Option<String>,
    },
    /// An operator wants to know how every road to a host is now.
    Probe(HostName),
    /// It is time ([`Bridge::next_wake`](super::Bridge::next_wake)).
    Tick,
}
