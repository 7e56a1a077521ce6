//! What the membership is told.

use crate::model::{BootId, EpochId, NodeKey, NodeName, Trust};
use crate::protocol::{Beat, BeatAnswer, ProbeAnswer};

use jiff::Timestamp;

use super::super::Now;

/// How another node is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// This node calls it.
    Direct,
    /// Only it calls this node: it gave no address.
    Inbound,
    /// Only over this other node, which tells how it stands.
    Behind(NodeName),
}

/// Another node, as far as the membership needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerSpec {
    /// Its name.
    pub name: NodeName,
    /// How it is reached.
    pub reach: Reach,
    /// What it may do here. What a node with [`Trust::Observe`] says of others does not count.
    pub trust: Trust,
    /// Why it is in quarantine, while it is.
    pub quarantine: Option<String>,
}

/// This node, for as long as its process runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Me {
    /// Its name.
    pub name: NodeName,
    /// This run.
    pub boot: BootId,
    /// When it began.
    pub started: Timestamp,
    /// The version of the program.
    pub program: String,
}

/// What a heartbeat says beside what the membership knows: about this node's log and keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnLog {
    /// The life of this node's log.
    pub epoch: EpochId,
    /// Its newest entry.
    pub high: u64,
    /// This node's hybrid clock.
    pub hlc: crate::model::Hlc,
    /// This node's keys.
    pub keys: Vec<NodeKey>,
}

/// What is held here of another node's log, and its pinned keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HeldLog {
    /// The life that is held.
    pub epoch: Option<EpochId>,
    /// The newest entry that can be had here.
    pub held: u64,
    /// The pinned keys.
    pub keys: Vec<NodeKey>,
}

/// Names a node that was asked to look for another one, so that its answer finds back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProbeTicket(pub(super) u64);

/// What the membership is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MemberInput {
    /// The nodes that are known: at the start, and whenever one came, went, or may do something else.
    Peers(Vec<PeerSpec>),
    /// A heartbeat came. Who sent it has been proven.
    Heard {
        /// Who sent it.
        from: NodeName,
        /// What it says.
        beat: Box<Beat>,
    },
    /// A heartbeat of ours was answered, whether it was wanted by [`MemberEffect::Beat`](super::MemberEffect::Beat) or
    /// sent because another node asked for a probe.
    Answered {
        /// Who answered. That has been proven.
        by: NodeName,
        /// When it was sent.
        asked: Now,
        /// What came back.
        answer: Box<BeatAnswer>,
    },
    /// A heartbeat of ours was not answered.
    Unanswered {
        /// By whom.
        by: NodeName,
        /// Why, in one line.
        why: String,
    },
    /// Another node proved otherwise that it is there: it fetched a page, or answered with one.
    Noticed(NodeName),
    /// What became of [`MemberEffect::Probe`](super::MemberEffect::Probe): the answer, or why there is none.
    Probed {
        /// Which.
        ticket: ProbeTicket,
        /// What became of it.
        result: Result<ProbeAnswer, String>,
    },
    /// Whether enough of this node's witnesses answer; `None` when it has none.
    Witnesses(Option<bool>),
    /// This node goes: the others are told, and nobody is judged any more.
    Leave,
    /// It is time ([`Membership::next_wake`](super::Membership::next_wake)).
    Tick,
}
