//! What the core of the bridge wants done.

use crate::model::{
    AuditNote, CheckId, HostName, HostPanel, Job, JobId, JobRow, LayerKind, OutputChunk, Rollout, RolloutRow,
};
use crate::protocol::ToAgent;

use super::Ticket;

/// What the core of the bridge wants done, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BridgeEffect {
    /// Hand this question to a layer, and tell what became of handing it over with the ticket.
    Ask {
        /// Comes back with [`BridgeInput::Asked`](super::BridgeInput::Asked).
        ticket: Ticket,
        /// Which host.
        host: HostName,
        /// Over which of its roads.
        kind: LayerKind,
        /// What to ask.
        question: ToAgent,
    },
    /// Make this durable before any effect that follows it.
    Keep(Box<Job>),
    /// A job changed. It is kept by [`Keep`](Self::Keep) only where it matters after a crash; a place in the queue does
    /// not.
    Tell(JobRow),
    /// Make this durable before any effect that follows it.
    KeepRollout(Box<Rollout>),
    /// A rollout changed.
    TellRollout(Box<RolloutRow>),
    /// Look whether these checks are well, and come back with [`BridgeInput::Health`](super::BridgeInput::Health).
    Look {
        /// For which rollout.
        rollout: JobId,
        /// Which checks.
        checks: Vec<CheckId>,
    },
    /// A host changed.
    Panel(HostPanel),
    /// A job wrote something. After a restart of the engine pieces may come that are known; they are the same.
    Output {
        /// Which.
        id: JobId,
        /// The piece.
        chunk: OutputChunk,
    },
    /// Let a road try again now.
    Nudge {
        /// Which host.
        host: HostName,
        /// Which of its roads.
        kind: LayerKind,
    },
    /// Make the term at least this and come back with [`BridgeInput::Term`](super::BridgeInput::Term): an agent has
    /// served a higher one before this engine came.
    Raise(u64),
    /// Write this into the audit log.
    Note(AuditNote),
}
