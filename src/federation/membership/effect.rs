//! What the membership wants done.

use std::time::Duration;

use jiff::Timestamp;

use crate::model::{BootId, NodeName, NodeState};

use super::super::SkewLevel;
use super::ProbeTicket;

/// What the membership wants done, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MemberEffect {
    /// Send a heartbeat ([`Membership::beat`](super::Membership::beat) makes it) and come back with
    /// [`MemberInput::Answered`](super::MemberInput::Answered) or
    /// [`MemberInput::Unanswered`](super::MemberInput::Unanswered). One before may still be on its way.
    Beat {
        /// To whom.
        to: NodeName,
        /// Time for the answer.
        within: Duration,
    },
    /// Have another node look whether it reaches a third one, and come back with
    /// [`MemberInput::Probed`](super::MemberInput::Probed).
    Probe {
        /// Comes back with the answer.
        ticket: ProbeTicket,
        /// Who is looked for.
        whom: NodeName,
        /// Who is asked.
        through: NodeName,
        /// Time for the answer. Who is asked takes [`PROBE_WITHIN`](super::PROBE_WITHIN) of it at most.
        within: Duration,
    },
    /// A node stands otherwise now, this one included: then it is `isolated-self` or `alive`.
    Changed {
        /// Which.
        node: NodeName,
        /// How it stood.
        from: NodeState,
        /// How it stands.
        to: NodeState,
        /// Why, in one line. It may hold text from outside; whoever shows it sanitises it.
        why: String,
    },
    /// A node started again. That is no outage.
    Restarted {
        /// Which.
        node: NodeName,
        /// Its new run.
        boot: BootId,
        /// When that began, by its clock.
        started: Timestamp,
        /// How long nothing was heard of it.
        silence: Duration,
    },
    /// The difference of a node's clock means something else now.
    Skewed {
        /// Which node.
        node: NodeName,
        /// What it means.
        level: SkewLevel,
        /// Its clock less ours, in milliseconds.
        ms: i64,
    },
    /// This node's own time of day was put by more than a second: forward when positive.
    ClockMoved {
        /// By so many milliseconds.
        ms: i64,
    },
    /// This node was stopped, or had no time, for so long. No other node is late because of it.
    WasAway(Duration),
    /// What a node says cannot be true: it belongs in quarantine until an operator has decided.
    Untrue {
        /// Which node.
        node: NodeName,
        /// What is wrong, in one line.
        why: String,
    },
}
