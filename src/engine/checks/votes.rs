//! What other nodes say of the checks they look at as well: handed over by the nodes, read by the checks.

use std::collections::BTreeMap;

use crate::model::{CheckId, CheckState, NodeName};

/// The votes of other nodes, of those alone that are current.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in super::super) struct Votes {
    /// Whether those that count have been heard since the start, as far as they are there.
    pub all_heard: bool,
    /// This node hears no other one, and that is its own fault: what it sees says nothing.
    pub cut_off: bool,
    /// By check and node. A check that is not there was not asked about yet.
    pub of: BTreeMap<CheckId, BTreeMap<NodeName, CheckState>>,
}

impl Votes {
    /// Whether what others say of this check is known, as far as anybody says something.
    pub(super) fn are_in(&self, check: &CheckId) -> bool {
        self.all_heard && self.of.contains_key(check)
    }

    /// What a node says of a check.
    pub(super) fn vote(&self, check: &CheckId, node: &NodeName) -> Option<CheckState> {
        self.of.get(check)?.get(node).copied()
    }
}
