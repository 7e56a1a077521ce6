//! What an engine and an agent say to each other. Each is one JSON value in one frame, the same on every layer.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::{End, EngineId, HostName, JobId, OutputChunk, OutputTotals, Plan, PlanHash, SpoolId};

use super::agent_panes::{DriveAsk, PaneSaid, WatchAsk};

/// Version of these frames; one more whenever a shape changes.
pub const AGENT_VERSION: u32 = 1;

/// Longest frame, in bytes. Output comes in smaller pieces.
pub const AGENT_FRAME_MAX: usize = 1 << 20;

/// A command for a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobOrder {
    /// The job. The host's journal has it at most once.
    pub id: JobId,
    /// Exactly what runs. The agent makes the same plan of its own whitelist and compares.
    pub plan: Plan,
    /// The hash of the plan.
    pub hash: PlanHash,
    /// Who orders.
    pub engine: EngineId,
    /// The engine's term. An agent refuses orders of a term below the one it last served.
    pub epoch: u64,
    /// Tells this try from others; a journal that says EEXIST to a retransmitted rename is asked for it.
    pub nonce: String,
    /// After this moment, by the agent's own clock, it is not started.
    pub not_after: Timestamp,
}

/// From an engine to an agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum ToAgent {
    /// Comes first on every connection, and with every question of the layers that have none.
    Hello {
        /// The engine's version of the frames.
        version: u32,
        /// Who asks.
        engine: EngineId,
        /// Its term.
        epoch: u64,
        /// The host it means.
        host: HostName,
    },
    /// Are you there? Answered by the agent itself, not by anything on the way.
    Probe {
        /// Comes back.
        nonce: u64,
    },
    /// Run this, once.
    Run(Box<JobOrder>),
    /// How far is this job? With `follow`, also what it writes from `from` on, and its end.
    Query {
        /// Which.
        id: JobId,
        /// The number of the first piece of output wanted.
        from: u64,
        /// Whether to be told what comes.
        follow: bool,
    },
    /// Stop its processes: TERM, then KILL after the grace. Of a job that has not started, or that the journal does not
    /// have, it writes down that it never runs: a copy of the order that comes later finds that.
    Cancel {
        /// Which.
        id: JobId,
        /// Milliseconds between the two.
        grace_ms: u64,
        /// The engine's term.
        epoch: u64,
    },
    /// Its end was taken and is durable; the journal may keep less of it.
    Fin {
        /// Which.
        id: JobId,
    },
    /// Of somebody who watches panes. Only over a connection: letters are refused.
    Watch(WatchAsk),
    /// Of somebody who types into panes. Only over a connection: letters are refused.
    Drive(DriveAsk),
}

/// How far a job is by the journal of its host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Journal {
    /// Nothing is known of it.
    Absent,
    /// It is written down and nothing has run.
    Accepted,
    /// It was started.
    Started {
        /// The process that runs it.
        pid: u32,
        /// When, by the host's clock.
        at: Timestamp,
    },
    /// It is over.
    Done {
        /// How its process ended.
        end: End,
        /// When it started, by the host's clock.
        started: Timestamp,
        /// When it ended, by the host's clock.
        ended: Timestamp,
        /// What it wrote.
        output: OutputTotals,
        /// SHA-256 over the bytes that are kept of its output, the pieces in order, as 64 hexadecimal digits.
        sha256: String,
        /// Whether the deadline or a cancel ended it, in words.
        cut_short: Option<String>,
        /// Processes that could not be stopped.
        left: Vec<u32>,
    },
    /// It was written down and will not run: the rule, and a sentence.
    NotRun {
        /// The rule, as `expired` or `cancelled`.
        rule: String,
        /// In words.
        reason: String,
    },
    /// It was started, and whoever ran it is gone without a word.
    Unknown {
        /// What is known.
        reason: String,
    },
}

/// From an agent to an engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum FromAgent {
    /// The answer to a hello.
    Welcome {
        /// The agent's version of the frames.
        version: u32,
        /// Version of its program.
        aurora: String,
        /// Which journal this is.
        spool: SpoolId,
        /// Changes when the machine starts again.
        boot: String,
        /// Its clock.
        clock: Timestamp,
        /// The highest term it has served; one more when that is the engine's own and another engine holds it.
        epoch: u64,
        /// What it cannot promise, one line each; nothing for the binary.
        lost: Vec<String>,
    },
    /// Not served, whatever is asked: another version, a lower term, another host.
    Goodbye {
        /// The rule.
        rule: String,
        /// In words, and what to do.
        reason: String,
    },
    /// Yes, I am.
    Alive {
        /// What was sent.
        nonce: u64,
        /// Its clock.
        clock: Timestamp,
        /// Load of the machine over one minute, in hundredths.
        load_percent: Option<u32>,
        /// Jobs that run there.
        running: u32,
    },
    /// An order has come in; nothing is durable yet.
    Received {
        /// Which.
        id: JobId,
        /// The nonce of the order.
        nonce: String,
    },
    /// An order was refused before anything was written down.
    Refused {
        /// Which.
        id: JobId,
        /// The rule: `whitelist`, `conflict`, `fenced`, `too-old`, `expired`, `full`…
        rule: String,
        /// In words.
        reason: String,
        /// The highest term served, when the rule is `fenced`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        term: Option<u64>,
    },
    /// How far a job is: the answer to a query, and each change of a job that was ordered or is followed here.
    State {
        /// Which.
        id: JobId,
        /// How far.
        journal: Journal,
    },
    /// What a job wrote. It comes before the end is told.
    Output {
        /// Which.
        id: JobId,
        /// The piece.
        chunk: OutputChunk,
    },
    /// A question could not be answered; it says nothing about any job.
    Trouble {
        /// About which job, if one.
        id: Option<JobId>,
        /// What failed, in words.
        reason: String,
    },
    /// About panes.
    Pane(PaneSaid),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_refused() {
        assert!(serde_json::from_str::<ToAgent>(r#"{"probe":{"nonce":1}}"#).is_ok());
        for bad in [r#"{"probe":{"nonce":1,"sudo":true}}"#, r#"{"shell":{"line":"id"}}"#, r#"{"probe":{}}"#, "[]", ""] {
            assert!(serde_json::from_str::<ToAgent>(bad).is_err(), "{bad}");
        }
    }
}
