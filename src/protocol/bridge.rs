//! What a client and an engine say to each other about hosts, commands, jobs, approvals and the audit log.

use serde::{Deserialize, Serialize};

use crate::model::{
    Approval, ApprovalId, AuditEntry, CommandTemplate, HostName, HostPanel, Job, JobFilter, JobId, JobOutput, JobRow,
    PlanHash, Rollout, RolloutRow,
};

use super::run::{Draft, Preview};

/// A question or an order about the bridge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BridgeRequest {
    /// The hosts and their layers, by name.
    Hosts,
    /// Ask the agent of a host now, over every layer.
    Probe(HostName),
    /// The commands there are, by name.
    Commands,
    /// What would run, and what it needs. Nothing is kept.
    DryRun(Box<Draft>),
    /// Run it.
    Run(Box<Draft>),
    /// Jobs, newest first.
    Jobs {
        /// Which.
        filter: JobFilter,
        /// Only those asked for before this one.
        before: Option<JobId>,
        /// How many at most.
        limit: usize,
    },
    /// One job in full.
    Job(JobId),
    /// What a job wrote, from a piece on; as much as fits one answer.
    JobOutput {
        /// Which.
        id: JobId,
        /// The number of the first piece wanted.
        from: u64,
    },
    /// Rollouts: those that are not over first, each newest first.
    Rollouts {
        /// Only those that are not over.
        open: bool,
        /// How many at most.
        limit: usize,
    },
    /// How a rollout is: the one of this name.
    Rollout(JobId),
    /// Take a job back if it waits, stop its processes if it runs. No other stage of its rollout comes then.
    Cancel(JobId),
    /// Say what became of a job whose end is unknown, or that a person ran by hand.
    Resolve {
        /// Which.
        id: JobId,
        /// Whether it ran.
        ran: bool,
        /// How it is known, one line.
        note: Option<String>,
    },
    /// The lines a person pastes on the host to run this job once, whatever else brings it there.
    Manual(JobId),
    /// Plans that wait for other people's yes, newest first; those that were answered too with `all`.
    Approvals {
        /// Whether to have those that were answered.
        all: bool,
        /// How many at most.
        limit: usize,
    },
    /// One approval in full.
    Approval(ApprovalId),
    /// Say yes or no to exactly this.
    Vote {
        /// To what.
        id: ApprovalId,
        /// The hash that was seen; another plan is then not approved.
        hash: PlanHash,
        /// Whether it is a yes.
        yes: bool,
        /// One line to go with it.
        note: Option<String>,
    },
    /// Entries of the audit log, newest first.
    Audit {
        /// Only those about this: the text of an id, a host or a task.
        about: Option<String>,
        /// Only older ones.
        before: Option<u64>,
        /// How many at most.
        limit: usize,
    },
    /// Read the whole audit log and compare every hash.
    VerifyAudit,
}

impl BridgeRequest {
    /// Whether it changes anything.
    #[must_use]
    pub fn writes(&self) -> bool {
        match self {
            Self::Hosts
            | Self::Commands
            | Self::DryRun(_)
            | Self::Jobs { .. }
            | Self::Job(_)
            | Self::JobOutput { .. }
            | Self::Rollouts { .. }
            | Self::Rollout(_)
            | Self::Manual(_)
            | Self::Approvals { .. }
            | Self::Approval(_)
            | Self::Audit { .. }
            | Self::VerifyAudit => false,
            Self::Probe(_) | Self::Run(_) | Self::Cancel(_) | Self::Resolve { .. } | Self::Vote { .. } => true,
        }
    }
}

/// The answer to a [`BridgeRequest`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BridgeReply {
    /// It is done.
    Done,
    /// Hosts, by name.
    Hosts(Vec<HostPanel>),
    /// Commands, by name.
    Commands(Vec<CommandTemplate>),
    /// What would run.
    Preview(Box<Preview>),
    /// The jobs are durable. They run, wait for their turn, or wait for the approval.
    Running {
        /// One a host.
        jobs: Vec<JobRow>,
        /// What they wait for.
        approval: Option<ApprovalId>,
    },
    /// Jobs.
    Jobs(Vec<JobRow>),
    /// One job, when it is known.
    Job(Option<Box<Job>>),
    /// What a job wrote.
    Output(JobOutput),
    /// Rollouts.
    Rollouts(Vec<RolloutRow>),
    /// A rollout in full, when it is known.
    Rollout(Option<Box<Rollout>>),
    /// Lines to paste.
    Manual(Vec<String>),
    /// Approvals.
    Approvals(Vec<Approval>),
    /// One approval, when it is known.
    Approval(Option<Box<Approval>>),
    /// Entries of the audit log.
    Audit(Vec<AuditEntry>),
    /// Whether the audit log is whole.
    AuditVerified {
        /// Entries that were read.
        entries: u64,
        /// The first that does not fit, and why.
        broken: Option<(u64, String)>,
        /// The hash of the last one; kept elsewhere it proves that nothing was cut off.
        head: String,
    },
}

/// What a screen knows of the bridge.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BridgePanel {
    /// The hosts, by name.
    pub hosts: Vec<HostPanel>,
    /// The commands, by name.
    pub commands: Vec<CommandTemplate>,
    /// Jobs that are not over, and the newest that are, newest first.
    pub jobs: Vec<JobRow>,
    /// Rollouts that are not over, and the newest that are, newest first.
    #[serde(default)]
    pub rollouts: Vec<RolloutRow>,
    /// Approvals that are open, and the newest that are not, newest first.
    pub approvals: Vec<Approval>,
    /// The newest entries of the audit log, newest first.
    pub audit: Vec<AuditEntry>,
}

/// A change of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BridgeNotice {
    /// These hosts have changed.
    Hosts(Vec<HostPanel>),
    /// These jobs are new or have changed, oldest first.
    Jobs(Vec<JobRow>),
    /// A rollout is new or has changed.
    Rollout(Box<RolloutRow>),
    /// A job wrote something; there are pieces up to this number.
    Wrote {
        /// Which.
        id: JobId,
        /// The number after the last piece.
        next: u64,
    },
    /// An approval is new or has changed.
    Approval(Box<Approval>),
    /// These entries were added to the audit log, oldest first.
    Audited(Vec<AuditEntry>),
}

/// Entries of each list a panel keeps as notices change it.
const KEPT: usize = 200;

impl BridgePanel {
    /// Applies a change, as the engine applied it.
    pub fn apply(&mut self, notice: &BridgeNotice) {
        match notice {
            BridgeNotice::Hosts(changed) => {
                for panel in changed {
                    match self.hosts.binary_search_by(|known| known.name.cmp(&panel.name)) {
                        Ok(place) => self.hosts[place].clone_from(panel),
                        Err(place) => self.hosts.insert(place, panel.clone()),
                    }
                }
            }
            BridgeNotice::Jobs(changed) => {
                for row in changed {
                    match self.jobs.iter_mut().find(|known| known.id == row.id) {
                        Some(known) => known.clone_from(row),
                        None => self.jobs.insert(0, row.clone()),
                    }
                }
                drop_old(&mut self.jobs, |row| row.state.outcome().is_some());
            }
            BridgeNotice::Rollout(row) => {
                match self.rollouts.iter_mut().find(|known| known.id == row.id) {
                    Some(known) => known.clone_from(row),
                    None => self.rollouts.insert(0, (**row).clone()),
                }
                drop_old(&mut self.rollouts, |row| row.ended.is_some());
            }
            BridgeNotice::Approval(approval) => {
                match self.approvals.iter_mut().find(|known| known.id == approval.id) {
                    Some(known) => known.clone_from(approval),
                    None => self.approvals.insert(0, (**approval).clone()),
                }
                drop_old(&mut self.approvals, |row| row.state != crate::model::ApprovalState::Open);
            }
            BridgeNotice::Audited(entries) => {
                self.audit.splice(0..0, entries.iter().rev().cloned());
                self.audit.truncate(KEPT);
            }
            BridgeNotice::Wrote { .. } => {}
        }
    }
}

/// Keeps the newest [`KEPT`] of what is over; what is not over is never dropped.
fn drop_old<T>(list: &mut Vec<T>, is_over: impl Fn(&T) -> bool) {
    let mut over = 0;
    list.retain(|row| {
        over += usize::from(is_over(row));
        !is_over(row) || over <= KEPT
    });
}
