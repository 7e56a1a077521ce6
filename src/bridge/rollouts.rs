//! Rollouts within the bridge: their jobs wait for their stage, and what became of them decides about the next one.

use std::collections::{BTreeMap, VecDeque};

use jiff::{SignedDuration, Timestamp};

use crate::model::{
    AuditKind, AuditNote, HostName, Job, JobId, JobState, LayerKind, OperatorName, Outcome, Plan, Risk, Rollout,
    RolloutPhase,
};

use super::BridgeEffect;
use super::host::Host;
use super::rollout::{HostState, RULE, Rolling, RolloutEffect, RolloutInput};
use super::state::Bridge;

/// Time for a rollback to start on its host.
const TO_START: SignedDuration = SignedDuration::from_mins(1);

/// The rollouts that are not over.
#[derive(Debug, Clone, Default)]
pub(super) struct Rollouts {
    rolling: BTreeMap<JobId, Rolling>,
    /// What they are still to be told.
    told: VecDeque<(JobId, RolloutInput)>,
}

impl Rollouts {
    fn get(&self, id: Option<JobId>) -> Option<&Rolling> {
        self.rolling.get(&id?)
    }

    /// A job is over, since when by our clock.
    pub(super) fn ended(&mut self, job: &Job, at: Timestamp) {
        let (Some(id), Some(outcome)) = (job.rollout, job.state.outcome()) else { return };
        if self.rolling.contains_key(&id) {
            let (host, outcome) = (job.plan.host.clone(), outcome.clone());
            let is_undoing = job.id == id.undoing_on(&host);
            let input = if is_undoing {
                RolloutInput::RolledBack(host, outcome)
            } else {
                RolloutInput::Ended(host, outcome, at)
            };
            self.told.push_back((id, input));
        }
    }

    /// When one of them has to be told the time.
    pub(super) fn next_wake(&self) -> Option<Timestamp> {
        self.rolling.values().filter_map(Rolling::next_wake).min()
    }

    /// The clock was put back.
    pub(super) fn clock_back(&mut self, step: SignedDuration) {
        self.rolling.values_mut().for_each(|rolling| rolling.clock_back(step));
    }

    /// Whether they are still to be told something.
    pub(super) fn are_told(&self) -> bool {
        !self.told.is_empty()
    }
}

/// What a job of stage `stage` of `kept`, counted from 0, waits for.
#[must_use]
pub fn waits_for(kept: &Rollout, stage: usize) -> JobState {
    let before: usize = kept.stages.iter().take(stage).map(Vec::len).sum();
    let of = format!("{} of {}", stage + 1, kept.stages.len());
    let why = match (before, kept.stages.first().and_then(|first| first.first())) {
        (0, _) => format!("{of}, the first one"),
        (1, Some(first)) => format!("{of}, when {first} is well"),
        (before, _) => format!("{of}, when the {before} before are well"),
    };
    JobState::Staged { why }
}

impl Bridge {
    /// A new rollout and its jobs. When it is known they are told again, and nothing else happens.
    pub(super) fn roll_out(&mut self, kept: Rollout, jobs: Vec<Job>, now: Timestamp) {
        let id = kept.row.id;
        let is_known = jobs.iter().any(|job| self.jobs.contains_key(&job.id) || self.dropped.contains(&job.id));
        if !is_known {
            self.rollouts.rolling.insert(id, Rolling::new(kept, &BTreeMap::new(), None));
            self.keep_rollout(id);
        }
        for job in jobs {
            self.submit(job, now);
        }
    }

    /// The rollouts of before the start, with all their jobs; they go on once those are known.
    pub(super) fn know_rollouts(&mut self, rollouts: Vec<(Rollout, Vec<Job>)>) {
        for (kept, jobs) in rollouts {
            let id = kept.row.id;
            let (undoing, forth): (Vec<&Job>, Vec<&Job>) =
                jobs.iter().partition(|job| job.id == id.undoing_on(&job.plan.host));
            let back = |host: &HostName| undoing.iter().find(|job| job.plan.host == *host).map(|job| &job.state);
            let state = |job: &&Job| (job.plan.host.clone(), state_of(&job.state, back(&job.plan.host)));
            let states = forth.iter().map(state).collect();
            // By the clock of the host: how far that is off is not known yet.
            let over = forth.iter().filter_map(|job| job.ended).max();
            self.rollouts.rolling.insert(id, Rolling::new(kept, &states, over));
        }
    }

    /// Lets rollouts go on after a start.
    pub(super) fn resume_rollouts(&mut self, now: Timestamp) {
        let ids: Vec<JobId> = self.rollouts.rolling.keys().copied().collect();
        for id in ids {
            self.change(id, now, |rolling| rolling.resume(now));
        }
    }

    /// A person takes a job back: no other stage of its rollout comes.
    pub(super) fn stop_rollout(&mut self, id: JobId, by: &OperatorName) {
        if let Some(rollout) = self.job(&id).and_then(|job| job.rollout)
            && self.rollouts.rolling.contains_key(&rollout)
        {
            self.rollouts.told.push_back((rollout, RolloutInput::Stop(format!("{by} took it back"))));
        }
    }

    /// The hosts of a rollout were looked at.
    pub(super) fn looked(&mut self, rollout: JobId, health: Result<(), String>) {
        self.rollouts.told.push_back((rollout, RolloutInput::Health(health)));
    }

    /// The approval of a job came, and it belongs to a rollout: it waits for its stage from now on.
    pub(super) fn stage(&mut self, id: JobId, now: Timestamp) -> bool {
        let Some(job) = self.job(&id) else { return false };
        let Some(rolling) = self.rollouts.get(job.rollout) else { return false };
        let kept = rolling.kept();
        let stage = kept.stages.iter().position(|hosts| hosts.contains(&job.plan.host)).unwrap_or_default();
        let state = waits_for(kept, stage);
        self.act(id, now, |job, scene| job.stage(state, scene));
        true
    }

    /// Tells rollouts what happened, until nothing happens any more.
    pub(super) fn roll(&mut self, now: Timestamp) {
        loop {
            let Some((id, input)) = self.rollouts.told.pop_front().or_else(|| self.rollout_due(now)) else { return };
            self.change(id, now, |rolling| rolling.apply(input, now));
        }
    }

    /// Lets something happen to a rollout: what that changed is kept and written down before anything follows from it.
    fn change(&mut self, id: JobId, now: Timestamp, happens: impl FnOnce(&mut Rolling) -> Vec<RolloutEffect>) {
        let Some(rolling) = self.rollouts.rolling.get_mut(&id) else { return };
        let before = rolling.kept().row.clone();
        let effects = happens(rolling);
        let row = &rolling.kept().row;
        let is_over = row.phase == RolloutPhase::Over;
        if *row != before {
            let kind = if is_over { AuditKind::Ended } else { AuditKind::Changed };
            let note = AuditNote::new(now, None, kind, id, format!("rollout of {}: {}", row.title, row.told()));
            self.keep_rollout(id);
            self.out.effects.push(BridgeEffect::Note(note));
        }
        self.follow(id, effects, now);
        if is_over {
            self.rollouts.rolling.remove(&id);
        }
    }

    /// A rollout that nobody holds back any more, or that has settled.
    fn rollout_due(&self, now: Timestamp) -> Option<(JobId, RolloutInput)> {
        let input = |rolling: &Rolling| match rolling.phase() {
            RolloutPhase::Held => {
                let held = |host: &HostName| self.is_awaited(rolling.kept().row.id, host);
                (!rolling.kept().stages.iter().flatten().any(held)).then_some(RolloutInput::Begin)
            }
            _ => rolling.next_wake().filter(|wake| *wake <= now).map(|_| RolloutInput::Tick),
        };
        self.rollouts.rolling.iter().find_map(|(id, rolling)| Some((*id, input(rolling)?)))
    }

    /// Whether the job of a rollout on `host` waits for other people's yes.
    fn is_awaited(&self, rollout: JobId, host: &HostName) -> bool {
        let awaits = |id: &JobId| {
            self.job(id).is_some_and(|job| job.plan.host == *host && matches!(job.state, JobState::AwaitingApproval(_)))
        };
        [rollout, rollout.on(host)].iter().any(awaits)
    }

    fn follow(&mut self, rollout: JobId, effects: Vec<RolloutEffect>, now: Timestamp) {
        for effect in effects {
            match effect {
                RolloutEffect::Run(host) => {
                    if let Some(id) = self.forth(rollout, &host) {
                        self.let_wait(id, now);
                    }
                }
                RolloutEffect::Spare(host, why) => {
                    if let Some(id) = self.forth(rollout, &host) {
                        self.act(id, now, |job, scene| job.not_run(RULE.to_owned(), why, scene));
                    }
                }
                RolloutEffect::RollBack(host) => self.undo(rollout, &host, now),
                RolloutEffect::Look(hosts) => self.look(rollout, &hosts),
            }
        }
    }

    /// The job of a rollout on `host`, while it is held back.
    fn forth(&self, rollout: JobId, host: &HostName) -> Option<JobId> {
        let is = |id: &JobId| self.jobs.get(id).is_some_and(|job| job.is_held() && job.job().plan.host == *host);
        [rollout, rollout.on(host)].into_iter().find(is)
    }

    /// Runs what undoes it on `host`.
    fn undo(&mut self, rollout: JobId, host: &HostName, now: Timestamp) {
        let Some(kept) = self.rollouts.get(Some(rollout)).map(Rolling::kept) else { return };
        let plan = kept.undoing.as_ref().and_then(|undoing| undoing.plans.iter().find(|plan| plan.host == *host));
        let (Some(plan), Some(risk)) = (plan.cloned(), kept.undoing.as_ref().map(|undoing| undoing.risk)) else {
            let none = Outcome::NotRun { rule: RULE.to_owned(), reason: "nothing is known that undoes it".to_owned() };
            return self.rollouts.told.push_back((rollout, RolloutInput::RolledBack(host.clone(), none)));
        };
        let job = undoing(kept, plan, risk, now);
        let what = format!("{} on {host} undoes {}", job.title(), kept.row.title);
        self.out.effects.push(BridgeEffect::Note(AuditNote::new(now, None, AuditKind::Requested, job.id, what)));
        self.submit(job, now);
    }

    /// Looks whether `hosts` are well: each is reached, and the checks the command names are.
    fn look(&mut self, rollout: JobId, hosts: &[HostName]) {
        let Some(kept) = self.rollouts.get(Some(rollout)).map(Rolling::kept) else { return };
        // What a person pastes needs no road.
        let by_hand = kept.only == Some(LayerKind::Manual);
        let is_gone = |name: &&HostName| !by_hand && self.hosts.get(*name).is_none_or(|host| host.active().is_none());
        let gone: Vec<&HostName> = hosts.iter().filter(is_gone).collect();
        if let Some(name) = gone.first() {
            let why = self.hosts.get(*name).map_or_else(|| format!("{name} is no host any more"), Host::silence);
            let is_untried = gone.iter().all(|name| self.hosts.get(*name).is_some_and(Host::is_untried));
            self.rollouts.told.push_back((rollout, RolloutInput::Unreached { why, is_untried }));
        } else if kept.checks.is_empty() {
            self.looked(rollout, Ok(()));
        } else {
            let checks = kept.checks.clone();
            self.out.effects.push(BridgeEffect::Look { rollout, checks });
        }
    }

    fn keep_rollout(&mut self, id: JobId) {
        if let Some(rolling) = self.rollouts.rolling.get(&id) {
            let kept = rolling.kept().clone();
            let row = kept.row.clone();
            self.out.effects.push(BridgeEffect::KeepRollout(Box::new(kept)));
            self.out.effects.push(BridgeEffect::TellRollout(Box::new(row)));
        }
    }
}

/// How a host of a rollout is, by the state of its job and of what undoes it.
fn state_of(job: &JobState, undoing: Option<&JobState>) -> HostState {
    match (job, undoing) {
        (JobState::AwaitingApproval(_) | JobState::Staged { .. }, _) => HostState::Waits,
        (JobState::Ended(Outcome::NotRun { rule, .. }), _) if rule == RULE => HostState::Spared,
        (JobState::Ended(ran), Some(JobState::Ended(back))) => HostState::RolledBack(ran.clone(), back.clone()),
        (JobState::Ended(ran), Some(_)) => HostState::RollsBack(ran.clone()),
        (JobState::Ended(ran), None) => HostState::Ended(ran.clone()),
        _ => HostState::Runs,
    }
}

/// The job that undoes `kept` by `plan`. It goes before other parts of rollouts.
fn undoing(kept: &Rollout, plan: Plan, risk: Risk, now: Timestamp) -> Job {
    let id = kept.row.id.undoing_on(&plan.host);
    Job { only: kept.only, rollout: Some(kept.row.id), ..Job::new(id, plan, risk, kept.row.by.clone(), now, TO_START) }
}
