//! Jobs: one command, run once on one host, and what became of it.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{ApprovalId, CommandName, HostName, JobId, LayerKind, OperatorName, Plan, PlanHash, Risk, SpoolId};

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// It ended by itself with this status.
    Exit(i32),
    /// A signal of this number ended it.
    Signal(i32),
    /// Nobody saw it end; a person says that it ran.
    Told,
    /// It was typed into its pane, and left the line it was typed in when Enter was pressed.
    Submitted,
    /// It was typed into its pane, and nothing there showed that it was taken. It is never typed again by itself.
    TypedNotConfirmed,
}

impl End {
    /// Whether it is what was wanted.
    #[must_use]
    pub fn is_good(self) -> bool {
        matches!(self, Self::Exit(0) | Self::Told | Self::Submitted)
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exit(code) => write!(f, "exit {code}"),
            Self::Signal(number) => write!(f, "signal {number}"),
            Self::Told => f.write_str("ran, by a person's word"),
            Self::Submitted => f.write_str("submitted"),
            Self::TypedNotConfirmed => f.write_str("typed, not confirmed"),
        }
    }
}

/// What a command came to. Nothing else is ever final.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The host says it ran, and how it ended.
    Done(End),
    /// It did not run and never will: the rule that decided, and a sentence.
    NotRun {
        /// The rule, as `expired`, `whitelist`, `policy`, `fenced`, `cancelled`.
        rule: String,
        /// In words. It may hold text from outside.
        reason: String,
    },
    /// It may have run. A person decides.
    Unknown {
        /// What is known. It may hold text from outside.
        reason: String,
    },
}

impl Outcome {
    /// The word for `state` in `--json`.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Done(_) => "done",
            Self::NotRun { .. } => "not-run",
            Self::Unknown { .. } => "unknown",
        }
    }
}

/// How far a job is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JobState {
    /// It waits for other people's yes.
    AwaitingApproval(ApprovalId),
    /// It waits for its stage of a rollout, and until then for nothing else.
    Staged {
        /// Which stage, and after what it goes, in words.
        why: String,
    },
    /// It waits for its turn.
    Queued {
        /// How many are before it.
        position: u32,
        /// What it waits for, in words.
        why: String,
    },
    /// It is on its way over a layer.
    Sending,
    /// It was handed over and the host has not said that it has it.
    Unsure,
    /// The host has it in its journal.
    Accepted,
    /// It runs.
    Running,
    /// Its processes are being stopped.
    Cancelling,
    /// It is over.
    Ended(Outcome),
}

impl JobState {
    /// What it came to, if it is over.
    #[must_use]
    pub fn outcome(&self) -> Option<&Outcome> {
        match self {
            Self::Ended(outcome) => Some(outcome),
            _ => None,
        }
    }

    /// One word for screens and `job list`.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::AwaitingApproval(_) => "approval",
            Self::Staged { .. } => "staged",
            Self::Queued { .. } => "queued",
            Self::Sending => "sending",
            Self::Unsure => "unsure",
            Self::Accepted => "accepted",
            Self::Running => "running",
            Self::Cancelling => "cancelling",
            Self::Ended(outcome) => outcome.word(),
        }
    }
}

/// Who goes first. Within a lane the older one does; waiting lifts a job by a lane a minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lane {
    /// Somebody waits in front of the screen.
    Urgent,
    /// The usual.
    Normal,
    /// Part of a rollout over many hosts.
    Bulk,
    /// When there is nothing else to do.
    Idle,
}

impl Lane {
    /// Every lane, the first first.
    pub const ALL: [Self; 4] = [Self::Urgent, Self::Normal, Self::Bulk, Self::Idle];

    /// The name used on screens and in `--json`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Urgent => "urgent",
            Self::Normal => "normal",
            Self::Bulk => "bulk",
            Self::Idle => "idle",
        }
    }
}

/// Which of its two outputs a command wrote to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// A piece of what a command wrote, exactly as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputChunk {
    /// Its number, counted from 0 over both streams. A number that is missing was cut out of the middle.
    pub seq: u64,
    /// Which stream.
    pub stream: Stream,
    /// The bytes, base64 on the wire.
    #[serde(with = "super::base64_bytes")]
    pub bytes: Vec<u8>,
}

/// How much a command wrote, and how much of it is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputTotals {
    /// Bytes written to standard output.
    pub out: u64,
    /// Bytes written to standard error.
    pub err: u64,
    /// Bytes of both that were cut out of the middle.
    pub cut: u64,
}

/// A part of what a job wrote.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobOutput {
    /// Pieces, by number. A number that is missing was cut out of the middle.
    pub chunks: Vec<OutputChunk>,
    /// The number of the next piece; ask again from here.
    pub next: u64,
    /// What it wrote so far.
    pub totals: OutputTotals,
    /// Whether the job is over and this is the end of it.
    pub end: bool,
}

/// One try to bring a job to its host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Over which layer.
    pub layer: LayerKind,
    /// When it began.
    pub at: Timestamp,
    /// What it came to, in one line. It may hold text from outside.
    pub what: String,
}

/// A job in full.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// What it is called: made before the first byte is sent, and the same on every layer and at every try.
    pub id: JobId,
    /// Exactly what runs where.
    pub plan: Plan,
    /// The hash of the plan.
    pub hash: PlanHash,
    /// How much harm it can do.
    pub risk: Risk,
    /// Who asked.
    pub by: OperatorName,
    /// When it was asked for.
    pub asked: Timestamp,
    /// After this moment no host starts it any more.
    pub not_after: Timestamp,
    /// Who goes first.
    pub lane: Lane,
    /// The only layer that may carry it, when whoever asked has named one.
    pub only: Option<LayerKind>,
    /// The rollout it is part of: the id of its first job.
    pub rollout: Option<JobId>,
    /// How far it is.
    pub state: JobState,
    /// The layer that carried it.
    pub layer: Option<LayerKind>,
    /// The journal the order went to, as far as it is known: what another one says proves nothing.
    #[serde(default)]
    pub spool: Option<SpoolId>,
    /// The tries.
    pub attempts: Vec<Attempt>,
    /// When its process started, by the host's clock.
    pub started: Option<Timestamp>,
    /// When it was over.
    pub ended: Option<Timestamp>,
    /// What it wrote.
    pub output: OutputTotals,
    /// What a cancel left behind, or that nothing is left; in words.
    pub left: Option<String>,
}

/// A job as lists show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobRow {
    /// Which.
    pub id: JobId,
    /// Where.
    pub host: HostName,
    /// The command and its values, as `todo action=list`.
    pub title: String,
    /// Who asked.
    pub by: OperatorName,
    /// When.
    pub asked: Timestamp,
    /// How far it is.
    pub state: JobState,
    /// The layer that carries or carried it.
    pub layer: Option<LayerKind>,
    /// How many tries.
    pub attempts: u32,
    /// When its process started, by the host's clock.
    pub started: Option<Timestamp>,
    /// When it was over.
    pub ended: Option<Timestamp>,
    /// The rollout it is part of.
    pub rollout: Option<JobId>,
}

/// Which jobs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct JobFilter {
    /// Only on this host.
    pub host: Option<HostName>,
    /// Only this command.
    pub command: Option<CommandName>,
    /// Only those that are not over.
    pub open: bool,
    /// Only those of this rollout.
    pub rollout: Option<JobId>,
}

impl Job {
    /// A job that was only asked for, at `asked`: it may go over any layer and waits for its turn, in the usual lane and
    /// by itself. No host starts it when `to_start` has passed.
    #[must_use]
    pub fn new(
        id: JobId,
        plan: Plan,
        risk: Risk,
        by: OperatorName,
        asked: Timestamp,
        to_start: SignedDuration,
    ) -> Self {
        Self {
            id,
            hash: plan.hash(),
            plan,
            risk,
            by,
            asked,
            not_after: asked.checked_add(to_start).unwrap_or(asked),
            lane: Lane::Normal,
            only: None,
            rollout: None,
            state: JobState::Queued { position: 0, why: String::new() },
            layer: None,
            spool: None,
            attempts: Vec::new(),
            started: None,
            ended: None,
            output: OutputTotals::default(),
            left: None,
        }
    }

    /// The command and its values, as `todo action=list`.
    #[must_use]
    pub fn title(&self) -> String {
        self.plan.title()
    }

    /// It as lists show it.
    #[must_use]
    pub fn row(&self) -> JobRow {
        JobRow {
            id: self.id,
            host: self.plan.host.clone(),
            title: self.title(),
            by: self.by.clone(),
            asked: self.asked,
            state: self.state.clone(),
            layer: self.layer,
            attempts: u32::try_from(self.attempts.len()).unwrap_or(u32::MAX),
            started: self.started,
            ended: self.ended,
            rollout: self.rollout,
        }
    }
}
