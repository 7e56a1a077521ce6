//! What a job on its way waits for, and how far its host said it is.

use std::time::Duration;

use jiff::Timestamp;

use crate::bridge::Ticket;
use crate::model::LayerKind;

/// What was asked of the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Run,
    Query,
    Cancel,
}

/// A question that waits for its answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Question {
    pub(super) ticket: Ticket,
    pub(super) kind: LayerKind,
    pub(super) what: What,
    pub(super) patience: Duration,
    pub(super) until: Timestamp,
}

/// What it waits for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Stage {
    /// Other people's yes, or its stage of a rollout.
    Held,
    /// Its turn.
    Waiting,
    /// An answer.
    Asking(Question),
    /// The next round over the roads.
    Resting(Timestamp),
    /// The host has it and tells how it goes.
    Following { kind: LayerKind, ask: Timestamp },
    /// Nothing.
    Over,
}

/// How far the host said it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reached {
    Nothing,
    Accepted,
    Started,
}
