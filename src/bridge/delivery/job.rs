//! One job on its way: what is known of it, and what is shown.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::bridge::BridgeEffect;
use crate::bridge::clock::back;
use crate::bridge::host::Fare;
use crate::bridge::pieces::Pieces;
use crate::bridge::queue::{Place, Turn};
use crate::bridge::road::apart;
use crate::bridge::scene::Scene;
use crate::bridge::table::Facts;
use crate::model::{Attempt, Job, JobRow, JobState, LayerKind, OperatorName};
use crate::protocol::Journal;

use super::stage::{Question, Reached, Stage, What};

/// After this time a host that was told to stop a job is told again.
const TELL_AGAIN: Duration = Duration::from_secs(10);
/// The host's clock has to be this far past the deadline before it is believed that nothing starts any more.
const MARGIN: Duration = Duration::from_secs(5);
/// Time between two rounds over all roads: doubling from the first to the second.
pub(super) const BACKOFF: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(8));
/// Tries that are kept.
const ATTEMPTS: usize = 32;

/// One job on its way.
#[derive(Debug, Clone)]
pub(in crate::bridge) struct Delivery {
    pub(super) job: Job,
    pub(super) stage: Stage,
    /// The roads over which a copy of the order went, or may have gone.
    pub(super) copies: Vec<LayerKind>,
    /// A copy may be there that this engine did not see go: it was sent before a restart, or shown to a person.
    pub(super) unseen: bool,
    pub(super) reached: Reached,
    /// Roads that were asked in vain in this round.
    pub(super) tried: Vec<LayerKind>,
    pub(super) backoff: Duration,
    /// Who took it back.
    pub(super) cancelled: Option<OperatorName>,
    /// When the host last answered that it was told to stop it, and how far it was then.
    pub(super) told: Option<(Timestamp, Reached)>,
    /// A copy was refused while another may be on its way.
    pub(super) refused: Option<(String, String)>,
    /// Queries that were given up, by road: as many answers *absent* are too old to count.
    pub(super) stale: BTreeMap<LayerKind, u32>,
    /// How often in a row a journal that had it said that it has nothing of it.
    pub(super) missing: u8,
    /// The road over which the host tells how it goes.
    pub(super) followed: Option<LayerKind>,
    pub(super) pieces: Pieces,
    /// How often the output was asked for after the end.
    pub(super) fetched: u8,
    /// The end, while the rest of the output is on its way: at this moment it is taken without.
    pub(super) end: Option<(Journal, Timestamp)>,
    /// The latest deadline a copy went with, in the host's clock.
    pub(super) deadline: Timestamp,
}

impl Delivery {
    /// A job that has not left this machine.
    pub(in crate::bridge) fn new(job: Job) -> Self {
        let is_held = matches!(job.state, JobState::AwaitingApproval(_) | JobState::Staged { .. });
        let stage = if is_held { Stage::Held } else { Stage::Waiting };
        Self {
            deadline: job.not_after,
            job,
            stage,
            copies: Vec::new(),
            unseen: false,
            reached: Reached::Nothing,
            tried: Vec::new(),
            backoff: BACKOFF.0,
            cancelled: None,
            told: None,
            refused: None,
            stale: BTreeMap::new(),
            missing: 0,
            followed: None,
            pieces: Pieces::default(),
            fetched: 0,
            end: None,
        }
    }

    /// A job that was there when this engine started. Unless it certainly never left, the host is asked first.
    pub(in crate::bridge) fn known(job: Job, now: Timestamp) -> Self {
        let mut known = Self::new(job);
        known.stage = match known.job.state {
            JobState::AwaitingApproval(_) | JobState::Staged { .. } | JobState::Queued { .. } => return known,
            JobState::Sending | JobState::Unsure | JobState::Accepted | JobState::Running | JobState::Cancelling => {
                Stage::Resting(now)
            }
            JobState::Ended(_) => Stage::Over,
        };
        known.unseen = true;
        known.cancelled = (known.job.state == JobState::Cancelling).then(|| known.job.by.clone());
        known.reached = match known.job.state {
            JobState::Running => Reached::Started,
            _ if known.job.started.is_some() => Reached::Started,
            JobState::Accepted => Reached::Accepted,
            _ if known.job.layer.is_some() => Reached::Accepted,
            _ => Reached::Nothing,
        };
        known
    }

    pub(in crate::bridge) fn job(&self) -> &Job {
        &self.job
    }

    pub(in crate::bridge) fn turn(&self, now: Timestamp) -> Turn {
        let Job { id, lane, .. } = self.job;
        Turn { id, host: self.job.plan.host.clone(), command: self.job.plan.command.clone(), lane, since: now }
    }

    /// The clock was put back: it waits as long as before, and has as much time to start.
    pub(in crate::bridge) fn clock_back(&mut self, step: SignedDuration) {
        match &mut self.stage {
            Stage::Asking(Question { until, .. }) | Stage::Resting(until) | Stage::Following { ask: until, .. } => {
                back(until, step);
            }
            Stage::Held | Stage::Waiting => {}
            Stage::Over => return,
        }
        back(&mut self.job.not_after, step);
        if let Some((_, until)) = &mut self.end {
            back(until, step);
        }
        if let Some((at, _)) = &mut self.told {
            back(at, step);
        }
    }

    pub(in crate::bridge) fn waits(&self) -> bool {
        matches!(self.stage, Stage::Held | Stage::Waiting)
    }

    pub(in crate::bridge) fn is_held(&self) -> bool {
        matches!(self.stage, Stage::Held)
    }

    pub(in crate::bridge) fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Over)
    }

    /// Whether no road reaches it now.
    pub(in crate::bridge) fn is_stranded(&self) -> bool {
        matches!(self.stage, Stage::Resting(_))
    }

    /// What a road has to fulfil to carry the order.
    pub(in crate::bridge) fn fare(&self, weakest: Option<LayerKind>) -> Fare {
        Fare { only: self.job.only, weakest, class: Some(self.job.plan.class) }
    }

    pub(super) fn handed(&self) -> bool {
        self.unseen || !self.copies.is_empty() || self.reached > Reached::Nothing
    }

    pub(super) fn facts(&self, scene: &Scene<'_>) -> Facts {
        Facts {
            handed: self.handed(),
            cancelled: self.cancelled.is_some(),
            late: scene.now >= self.job.not_after || self.refused.is_some(),
            told: self.told.is_some_and(|(at, reached)| reached == self.reached && apart(at, scene.now) < TELL_AGAIN),
            outlived: scene.host.wrong_clock().is_none()
                && scene.host.to_host(scene.now)
                    > self
                        .deadline
                        .max(scene.host.to_host(self.job.not_after))
                        .saturating_add(MARGIN)
                        .unwrap_or(Timestamp::MAX),
        }
    }

    pub(super) fn attempt(&mut self, layer: LayerKind, what: &str, at: Timestamp) {
        if self.job.attempts.len() == ATTEMPTS {
            self.job.attempts.remove(1);
        }
        self.job.attempts.push(Attempt { layer, at, what: what.to_owned() });
    }

    /// Says what the last try came to.
    pub(super) fn remark(&mut self, what: &str) {
        if let Some(last) = self.job.attempts.last_mut() {
            what.clone_into(&mut last.what);
        }
    }

    pub(super) fn state(&self) -> JobState {
        match (&self.stage, self.reached) {
            _ if self.cancelled.is_some() => JobState::Cancelling,
            (_, Reached::Started) => JobState::Running,
            (_, Reached::Accepted) => JobState::Accepted,
            (Stage::Asking(Question { what: What::Run, .. }), _) => JobState::Sending,
            _ if self.handed() => JobState::Unsure,
            _ => JobState::Sending,
        }
    }

    /// Tells how it stands, if that has changed.
    pub(super) fn show(&mut self, scene: &mut Scene<'_>) {
        let state = self.state();
        if !self.waits() && !self.is_over() && self.job.state != state {
            self.job.state = state;
            self.keep(scene);
        }
    }

    /// Takes in where it stands in the queue. Its row, if that has changed.
    pub(in crate::bridge) fn stands(&mut self, place: Place) -> Option<JobRow> {
        let state = JobState::Queued { position: place.before, why: place.why };
        (self.job.state != state).then(|| {
            self.job.state = state;
            self.job.row()
        })
    }

    /// Keeps and tells how it stands.
    pub(in crate::bridge) fn keep(&self, scene: &mut Scene<'_>) {
        scene.out.effects.push(BridgeEffect::Keep(Box::new(self.job.clone())));
        scene.out.effects.push(BridgeEffect::Tell(self.job.row()));
    }

    /// Lets it wait for its stage of a rollout; its approval came.
    pub(in crate::bridge) fn stage(&mut self, state: JobState, scene: &mut Scene<'_>) {
        if matches!(self.job.state, JobState::AwaitingApproval(_)) {
            self.job.state = state;
            self.keep(scene);
        }
    }

    /// Lets it wait for its turn; its approval or its stage came, and its time to start counts from now.
    pub(in crate::bridge) fn release(&mut self, scene: &mut Scene<'_>) {
        self.job.not_after = scene.now + apart(self.job.asked, self.job.not_after);
        self.deadline = self.job.not_after;
        self.job.state = JobState::Queued { position: 0, why: "its turn comes".to_owned() };
        self.stage = Stage::Waiting;
        self.keep(scene);
    }
}
