//! Approvals as the screen holds them: what waits first, and one of them in full.

use jiff::Timestamp;

use crate::model::{Approval, ApprovalId, ApprovalState};

use super::not_ok::Judged;

/// The view's state.
#[derive(Debug, Default)]
pub(super) struct Approvals {
    /// The selection stays with its approval when the order changes.
    selected: Option<ApprovalId>,
    /// Whether those that are over are left out.
    pub problems_only: bool,
    pub open: Option<OpenApproval>,
}

/// An approval shown in full.
#[derive(Debug)]
pub(super) struct OpenApproval {
    pub id: ApprovalId,
    pub scroll: usize,
}

impl Approvals {
    /// Those that wait first, what ends soonest before all, then the others, the newest first.
    pub(super) fn shown<'a>(&self, approvals: &'a [Approval]) -> Vec<&'a Approval> {
        let is_shown = |approval: &&Approval| !self.problems_only || approval.needs_a_look();
        let mut shown: Vec<&Approval> = approvals.iter().filter(is_shown).collect();
        shown.sort_by_key(|approval| {
            let is_open = approval.state == ApprovalState::Open;
            (!is_open, if is_open { approval.expires } else { Timestamp::MAX })
        });
        shown
    }

    /// Where the selection is among `shown`.
    pub(super) fn index(&self, shown: &[&Approval]) -> usize {
        shown.iter().position(|approval| Some(approval.id) == self.selected).unwrap_or(0)
    }

    /// Selects the approval at `index` of `shown`.
    pub(super) fn select(&mut self, shown: &[&Approval], index: usize) {
        self.selected = shown.get(index).map(|approval| approval.id);
    }

    pub(super) fn select_approval(&mut self, id: ApprovalId) {
        self.selected = Some(id);
    }

    /// The approval that keys are about: the one that is open, else the selected one.
    pub(super) fn target<'a>(&self, approvals: &'a [Approval]) -> Option<&'a Approval> {
        if let Some(open) = &self.open {
            return approvals.iter().find(|approval| approval.id == open.id);
        }
        let shown = self.shown(approvals);
        shown.get(self.index(&shown)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn what_ends_soonest_is_first_and_what_is_over_last() {
        let mut approvals = sample::bridge().approvals;
        let mut later = approvals[0].clone();
        (later.id, later.expires) = (sample::approval_id(8), sample::at(9_000));
        approvals.insert(0, later);
        let mut view = Approvals::default();
        let ids = |all: &[Approval]| Approvals::default().shown(all).iter().map(|one| one.id).collect::<Vec<_>>();
        assert_eq!(ids(&approvals), [sample::approval_id(1), sample::approval_id(8), sample::approval_id(2)]);
        let shown = view.shown(&approvals);
        let second = shown[1].id;
        view.select_approval(second);
        approvals[0].state = ApprovalState::Granted;
        assert_eq!(view.target(&approvals).map(|one| one.id), Some(sample::approval_id(8)));
        assert_eq!(view.index(&view.shown(&approvals)), 1);
    }
}
