//! Where a delivery acts: its host, the rules of now, and the list of what is to be done.

use jiff::Timestamp;

use crate::model::{AuditKind, AuditNote, HostName, JobId, LayerKind, OperatorName};
use crate::protocol::ToAgent;

use super::host::Host;
use super::{BridgeEffect, CommandRule, Term, Ticket};

/// What is to be done, as it comes up.
#[derive(Debug, Clone, Default)]
pub(super) struct Out {
    pub(super) effects: Vec<BridgeEffect>,
    asked: u64,
    seed: u64,
}

impl Out {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }

    /// Asks over a road; the ticket finds back to `job`.
    pub(super) fn ask(&mut self, job: Option<JobId>, host: &HostName, kind: LayerKind, question: ToAgent) -> Ticket {
        self.asked += 1;
        let ticket = Ticket { number: self.asked, job };
        self.effects.push(BridgeEffect::Ask { ticket, host: host.clone(), kind, question });
        ticket
    }

    /// A number that neither this nor another engine has used, to tell tries and probes apart (`SplitMix64`).
    pub(super) fn nonce(&mut self) -> u64 {
        self.asked += 1;
        let mut mixed = self.seed.wrapping_add(self.asked.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn note(&mut self, at: Timestamp, by: Option<&OperatorName>, kind: AuditKind, id: JobId, what: String) {
        self.effects.push(BridgeEffect::Note(AuditNote { at, by: by.cloned(), kind, about: id.to_string(), what }));
    }
}

/// Where a delivery acts.
pub(super) struct Scene<'a> {
    pub(super) host: &'a mut Host,
    /// What the configuration says of the command; `None` when it left the whitelist.
    pub(super) rule: Option<CommandRule>,
    pub(super) term: Term,
    pub(super) now: Timestamp,
    pub(super) out: &'a mut Out,
}
