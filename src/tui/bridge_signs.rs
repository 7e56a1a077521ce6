//! One character and one style for each state of hosts, roads, jobs and approvals, and for what the audit log tells.

use ratatui::style::Style;

use crate::model::{ApprovalState, AuditKind, JobState, LayerState, Outcome, Risk};

use super::bridge::Reach;
use super::panes::PaneState;
use super::signs::Sign;
use super::styles::Look;

const GOOD: (&str, &str) = ("✓", "+");
const BAD: (&str, &str) = ("✗", "x");
const BARRED: (&str, &str) = ("⊘", "#");
const BEGINS: (&str, &str) = ("·", ".");
const UNKNOWN: (&str, &str) = ("?", "?");
const WAITS: (&str, &str) = ("◌", "o");

impl Sign for Reach {
    fn sign(&self) -> (&'static str, &'static str) {
        match self {
            Self::Gone => BAD,
            Self::Barred => BARRED,
            Self::Detour => ("!", "!"),
            Self::Waiting => BEGINS,
            Self::Up => GOOD,
        }
    }
}

impl Sign for LayerState {
    fn sign(&self) -> (&'static str, &'static str) {
        match self {
            Self::Unknown => UNKNOWN,
            Self::Connecting => BEGINS,
            Self::Up => GOOD,
            Self::Proving => ("~", "~"),
            Self::Down => BAD,
            Self::Barred => BARRED,
        }
    }
}

impl Sign for JobState {
    fn sign(&self) -> (&'static str, &'static str) {
        match self {
            Self::AwaitingApproval(_) => WAITS,
            Self::Staged { .. } => ("≡", "="),
            Self::Queued { .. } => BEGINS,
            Self::Sending => ("→", ">"),
            Self::Unsure => ("~", "~"),
            Self::Accepted => ("»", ")"),
            Self::Running => ("●", "*"),
            Self::Cancelling => ("■", "#"),
            Self::Ended(Outcome::Done(end)) if end.is_good() => GOOD,
            Self::Ended(Outcome::Done(_)) => BAD,
            Self::Ended(Outcome::NotRun { .. }) => ("-", "-"),
            Self::Ended(Outcome::Unknown { .. }) => UNKNOWN,
        }
    }
}

impl Sign for PaneState {
    fn sign(&self) -> (&'static str, &'static str) {
        match self {
            Self::Calls => ("!", "!"),
            Self::Asks => UNKNOWN,
            Self::Stale => ("◌", "~"),
            Self::Dead => BAD,
            Self::Mode => ("‖", "="),
            Self::Driven => ("»", ")"),
            Self::Working => ("●", "*"),
            Self::Idle => BEGINS,
            Self::Live => GOOD,
        }
    }
}

impl Sign for ApprovalState {
    fn sign(&self) -> (&'static str, &'static str) {
        match self {
            Self::Open => WAITS,
            Self::Granted => GOOD,
            Self::Denied => BAD,
            Self::Expired => ("-", "-"),
            Self::Withdrawn => ("■", "#"),
        }
    }
}

impl Sign for AuditKind {
    fn sign(&self) -> (&'static str, &'static str) {
        match self {
            Self::Requested => BEGINS,
            Self::Refused => BARRED,
            Self::Held => WAITS,
            Self::Granted => GOOD,
            Self::Denied => BAD,
            Self::Delivered => ("→", ">"),
            Self::Ended => ("-", "-"),
            Self::Cancelled => ("■", "%"),
            Self::Resolved => ("=", "="),
            Self::Changed => ("~", "~"),
        }
    }
}

impl Look {
    pub(super) fn reach(&self, reach: Reach) -> Style {
        match reach {
            Reach::Gone | Reach::Barred => self.crit,
            Reach::Detour => self.warn,
            Reach::Waiting => self.unknown,
            Reach::Up => self.ok,
        }
    }

    pub(super) fn layer(&self, state: &LayerState) -> Style {
        match state {
            LayerState::Up => self.ok,
            LayerState::Proving => self.warn,
            LayerState::Down | LayerState::Barred => self.crit,
            LayerState::Unknown | LayerState::Connecting => self.unknown,
        }
    }

    pub(super) fn pane_state(&self, state: PaneState) -> Style {
        match state {
            PaneState::Calls | PaneState::Asks => self.warn,
            PaneState::Dead => self.crit,
            PaneState::Stale => self.stale,
            PaneState::Mode | PaneState::Driven | PaneState::Working => self.key,
            PaneState::Idle => self.muted,
            PaneState::Live => self.ok,
        }
    }

    pub(super) fn job(&self, state: &JobState) -> Style {
        match state {
            JobState::Ended(Outcome::Done(end)) if end.is_good() => self.ok,
            JobState::Ended(Outcome::Done(_) | Outcome::Unknown { .. }) => self.crit,
            JobState::Unsure | JobState::Cancelling | JobState::AwaitingApproval(_) => self.warn,
            JobState::Ended(Outcome::NotRun { .. }) | JobState::Queued { .. } | JobState::Staged { .. } => self.muted,
            JobState::Sending | JobState::Accepted | JobState::Running => self.key,
        }
    }

    pub(super) fn approval(&self, state: ApprovalState) -> Style {
        match state {
            ApprovalState::Open => self.warn,
            ApprovalState::Granted => self.ok,
            ApprovalState::Denied => self.crit,
            ApprovalState::Expired | ApprovalState::Withdrawn => self.muted,
        }
    }

    pub(super) fn risk(&self, risk: Risk) -> Style {
        match risk {
            Risk::Low => self.muted,
            Risk::High => self.warn,
            Risk::Critical => self.crit,
        }
    }

    pub(super) fn audit(&self, kind: AuditKind) -> Style {
        match kind {
            AuditKind::Refused | AuditKind::Denied => self.crit,
            AuditKind::Held | AuditKind::Cancelled | AuditKind::Resolved => self.warn,
            AuditKind::Granted => self.ok,
            AuditKind::Requested | AuditKind::Delivered | AuditKind::Ended | AuditKind::Changed => self.muted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::bridge::state_word;
    use super::*;
    use crate::model::End;

    fn apart(told: &[((&'static str, &'static str), String)]) {
        for (index, ((sign, ascii), word)) in told.iter().enumerate() {
            assert!(ascii.is_ascii() && ascii.len() == 1 && !word.is_empty());
            assert_eq!(crate::screen::width(sign), 1, "{word}");
            for ((other_sign, other_ascii), other) in &told[index + 1..] {
                assert!(sign != other_sign && ascii != other_ascii && word != other, "{word} and {other}");
            }
        }
    }

    #[test]
    fn every_state_has_a_sign_and_a_word_of_its_own() {
        let ended = JobState::Ended;
        let text = String::new;
        let jobs = [
            JobState::AwaitingApproval(super::super::sample::approval_id(1)),
            JobState::Staged { why: text() },
            JobState::Queued { position: 0, why: text() },
            JobState::Sending,
            JobState::Unsure,
            JobState::Accepted,
            JobState::Running,
            JobState::Cancelling,
            ended(Outcome::Done(End::Exit(0))),
            ended(Outcome::Done(End::Signal(9))),
            ended(Outcome::NotRun { rule: text(), reason: text() }),
            ended(Outcome::Unknown { reason: text() }),
        ];
        apart(&jobs.iter().map(|state| (state.sign(), state_word(state))).collect::<Vec<_>>());
        let layers = [
            LayerState::Unknown,
            LayerState::Connecting,
            LayerState::Up,
            LayerState::Proving,
            LayerState::Down,
            LayerState::Barred,
        ];
        apart(&layers.iter().map(|state| (state.sign(), state.as_str().to_owned())).collect::<Vec<_>>());
        let reaches = [Reach::Gone, Reach::Barred, Reach::Detour, Reach::Waiting, Reach::Up];
        apart(&reaches.map(|reach| (reach.sign(), reach.as_str().to_owned())));
        let approvals = [
            ApprovalState::Open,
            ApprovalState::Granted,
            ApprovalState::Denied,
            ApprovalState::Expired,
            ApprovalState::Withdrawn,
        ];
        apart(&approvals.map(|state| (state.sign(), state.as_str().to_owned())));
        apart(&AuditKind::ALL.map(|kind| (kind.sign(), kind.as_str().to_owned())));
    }
}
