//! Approvals: a plan that waits for other people's yes.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{ApprovalId, Course, JobId, OperatorName, Plan, PlanHash, Risk};

/// One person's word on a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vote {
    /// Who.
    pub by: OperatorName,
    /// Whether it was a yes.
    pub yes: bool,
    /// When.
    pub at: Timestamp,
    /// What they said, one line.
    pub note: Option<String>,
}

/// How an approval stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ApprovalState {
    /// It waits.
    Open,
    /// Enough said yes.
    Granted,
    /// Somebody said no.
    Denied,
    /// Its time is over.
    Expired,
    /// Whoever asked took it back.
    Withdrawn,
}

impl ApprovalState {
    /// One word for screens and `--json`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Granted => "granted",
            Self::Denied => "denied",
            Self::Expired => "expired",
            Self::Withdrawn => "withdrawn",
        }
    }
}

/// A plan that waits for other people's yes, or has had its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// What it is called.
    pub id: ApprovalId,
    /// The jobs it lets go; they share one command and differ in their host.
    pub jobs: Vec<JobId>,
    /// Exactly what would run, one plan a job.
    pub plans: Vec<Plan>,
    /// How it goes over several hosts, and what undoes it there; `None` for one, and to all at once.
    pub rollout: Option<Course>,
    /// What is approved: the hash over all plans and over how they go. What runs is compared with it again.
    pub hash: PlanHash,
    /// How much harm it can do.
    pub risk: Risk,
    /// Who asked. Their own yes does not count.
    pub by: OperatorName,
    /// When.
    pub asked: Timestamp,
    /// Until when it can be answered.
    pub expires: Timestamp,
    /// How many different people have to say yes.
    pub need: u32,
    /// What was said, oldest first.
    pub votes: Vec<Vote>,
    /// How it stands.
    pub state: ApprovalState,
}

impl Approval {
    /// How many have said yes.
    #[must_use]
    pub fn yes(&self) -> usize {
        self.votes.iter().filter(|vote| vote.yes).count()
    }

    /// Why `who` cannot say this about it at `now`; `None` when they can, as far as their role lets them. Who asked may
    /// say no and takes it back by that; who said yes may say no until it is decided.
    #[must_use]
    pub fn closed_to(&self, who: &OperatorName, yes: bool, now: Timestamp) -> Option<String> {
        if self.state != ApprovalState::Open {
            return Some(format!("it is {} already", self.state.as_str()));
        }
        if now >= self.expires {
            return Some("its time is over".to_owned());
        }
        if self.by == *who && yes {
            return Some("you asked for it, and the yes has to come from somebody else".to_owned());
        }
        let said = self.votes.iter().any(|vote| vote.by == *who && vote.yes == yes);
        said.then(|| format!("you have said {} already", if yes { "yes" } else { "no" }))
    }
}
