//! A command over several hosts, stage by stage: when the next stage goes, when none goes any more, and what is undone.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::model::{HostName, Outcome, Rollout, RolloutPhase};

use super::clock::back;
use super::road::apart;

/// The rule of a job whose stage never came.
pub(super) const RULE: &str = "rollout";
/// Longest time between the end of a stage and the next one, beyond the time in which it settles. The looks take minutes;
/// who comes back later (an engine that was off, a host that was away) comes to hosts that people may have changed since.
const ALONE_MAX: Duration = Duration::from_hours(1);
/// What is said when it is over.
const ALONE: &str = "that is too long ago to go on or to undo anything unasked: a person decides";
/// A host that is not reached is looked at so often before that is believed, as checks are.
const LOOKS: u32 = 3;
/// Between two looks.
const PAUSE: Duration = Duration::from_secs(2);
/// Longest time for the first word of a host that was not heard yet, as after a start: the patience of layers over ssh.
const FIRST_WORD: Duration = Duration::from_secs(30);

/// What a rollout is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RolloutInput {
    /// Nobody's yes is waited for any more.
    Begin,
    /// The job on a host is over, since when by our clock.
    Ended(HostName, Outcome, Timestamp),
    /// The rollback on a host is over.
    RolledBack(HostName, Outcome),
    /// Whether the hosts that have it are well, and what was seen.
    Health(Result<(), String>),
    /// Hosts that have it are not reached.
    Unreached {
        /// Which, and what is wrong.
        why: String,
        /// Nobody knows yet: their roads are tried for the first time.
        is_untried: bool,
    },
    /// A person stops it: nothing is rolled back, as that is then theirs to decide.
    Stop(String),
    /// It is time ([`Rolling::next_wake`]).
    Tick,
}

/// What a rollout wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RolloutEffect {
    /// Let the job there go.
    Run(HostName),
    /// End the job there: its stage does not come, for this reason.
    Spare(HostName, String),
    /// Run the rollback there.
    RollBack(HostName),
    /// Look whether these are well, and come back with [`RolloutInput::Health`].
    Look(Vec<HostName>),
}

/// How a host of a rollout is. Each ends in exactly one of the last three.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum HostState {
    /// Its stage has not come.
    Waits,
    /// The command is on its way or runs.
    Runs,
    /// The rollback is on its way or runs.
    RollsBack(Outcome),
    /// It is over: what it came to.
    Ended(Outcome),
    /// It is over, and so is the rollback: what the command came to, and what the rollback came to.
    RolledBack(Outcome, Outcome),
    /// The rollout stopped before its stage came.
    Spared,
}

impl HostState {
    /// Whether nothing more happens to it.
    pub(super) fn is_final(&self) -> bool {
        matches!(self, Self::Ended(_) | Self::RolledBack(..) | Self::Spared)
    }

    /// Whether the command did there what it should.
    fn is_well(&self) -> bool {
        matches!(self, Self::Ended(Outcome::Done(end)) if end.is_good())
    }

    /// Whether it went wrong there.
    fn is_bad(&self) -> bool {
        matches!(self, Self::Ended(_)) && !self.is_well()
    }

    /// What the command came to where it ran or may have, and was not undone.
    fn ran(&self) -> Option<&Outcome> {
        match self {
            Self::Ended(outcome @ (Outcome::Done(_) | Outcome::Unknown { .. })) => Some(outcome),
            _ => None,
        }
    }
}

/// A rollout on its way.
#[derive(Debug, Clone)]
pub(super) struct Rolling {
    kept: Rollout,
    hosts: BTreeMap<HostName, HostState>,
    /// When the last of its jobs was over.
    over: Option<Timestamp>,
    /// When its stage has settled, or is looked at again.
    until: Option<Timestamp>,
    /// When its stage was first looked at.
    looked: Option<Timestamp>,
    /// Looks that found hosts out of reach.
    misses: u32,
    effects: Vec<RolloutEffect>,
}

impl Rolling {
    /// A rollout as it was kept, how its hosts are and when the last of their jobs was over; a host that is not named
    /// waits.
    pub(super) fn new(kept: Rollout, states: &BTreeMap<HostName, HostState>, over: Option<Timestamp>) -> Self {
        let state = |host: &HostName| states.get(host).cloned().unwrap_or(HostState::Waits);
        let hosts = kept.stages.iter().flatten().map(|host| (host.clone(), state(host))).collect();
        Self { kept, hosts, over, until: None, looked: None, misses: 0, effects: Vec::new() }
    }

    /// It as it is to be kept.
    pub(super) fn kept(&self) -> &Rollout {
        &self.kept
    }

    pub(super) fn phase(&self) -> RolloutPhase {
        self.kept.row.phase
    }

    /// When it has to be told the time.
    pub(super) fn next_wake(&self) -> Option<Timestamp> {
        self.until.filter(|_| matches!(self.phase(), RolloutPhase::Settles | RolloutPhase::Looks))
    }

    /// The clock was put back.
    pub(super) fn clock_back(&mut self, step: SignedDuration) {
        for at in [&mut self.over, &mut self.until, &mut self.looked].into_iter().flatten() {
            back(at, step);
        }
    }

    /// How each host is.
    #[cfg(test)]
    pub(super) fn hosts(&self) -> &BTreeMap<HostName, HostState> {
        &self.hosts
    }

    /// Takes in what happened, and says what is to be done for it.
    pub(super) fn apply(&mut self, input: RolloutInput, now: Timestamp) -> Vec<RolloutEffect> {
        self.leave_alone(now);
        match input {
            RolloutInput::Begin if self.phase() == RolloutPhase::Held => self.next_stage(),
            RolloutInput::Ended(host, outcome, at) => {
                if let Some(state @ (HostState::Waits | HostState::Runs)) = self.hosts.get_mut(&host) {
                    *state = HostState::Ended(outcome);
                    self.over = self.over.max(Some(at));
                }
            }
            RolloutInput::RolledBack(host, back) => {
                if let Some(state) = self.hosts.get_mut(&host)
                    && let HostState::RollsBack(ran) = state
                {
                    *state = HostState::RolledBack(ran.clone(), back);
                }
            }
            RolloutInput::Health(Ok(())) if self.phase() == RolloutPhase::Looks => self.next_stage(),
            RolloutInput::Health(Err(why)) if self.phase() == RolloutPhase::Looks => {
                self.unwell(&why, now);
            }
            RolloutInput::Unreached { why, is_untried } if self.phase() == RolloutPhase::Looks => {
                let waits = is_untried && self.looked.is_some_and(|looked| apart(looked, now) < FIRST_WORD);
                self.misses += u32::from(!waits);
                match self.misses {
                    LOOKS.. => self.unwell(&why, now),
                    _ => self.until = now.checked_add(PAUSE).ok(),
                }
            }
            RolloutInput::Stop(why) => {
                if !self.is_stopped() {
                    self.kept.undoing = None;
                }
                self.stop(why);
            }
            RolloutInput::Tick if self.next_wake().is_some_and(|until| until <= now) => {
                if self.phase() == RolloutPhase::Settles {
                    (self.looked, self.misses) = (Some(now), 0);
                }
                self.kept.row.phase = RolloutPhase::Looks;
                self.until = None;
                self.effects.push(RolloutEffect::Look(self.well()));
            }
            RolloutInput::Begin | RolloutInput::Health(_) | RolloutInput::Unreached { .. } | RolloutInput::Tick => {}
        }
        self.judge(now);
        std::mem::take(&mut self.effects)
    }

    /// Goes on after an engine started: what was let go and did not leave is let go, what settled settles anew, and what
    /// was to be undone is. None of it when that was too long ago.
    pub(super) fn resume(&mut self, now: Timestamp) -> Vec<RolloutEffect> {
        if matches!(self.phase(), RolloutPhase::Settles | RolloutPhase::Looks) {
            self.kept.row.phase = RolloutPhase::Runs;
        }
        self.judge_failures(now);
        self.leave_alone(now);
        if self.phase() == RolloutPhase::Stops {
            let undoes = self.kept.undoing.is_some() && self.hosts.values().any(|state| state.ran().is_some());
            if undoes && self.is_late(now) {
                self.kept.undoing = None;
                let why = self.kept.row.stopped.take().unwrap_or_default();
                self.kept.row.stopped = Some(format!("{why}; {ALONE}"));
            }
            self.spare();
        } else {
            for stage in self.kept.stages.iter().take(self.stage()) {
                for host in stage {
                    if let Some(state @ HostState::Waits) = self.hosts.get_mut(host) {
                        *state = HostState::Runs;
                        self.effects.push(RolloutEffect::Run(host.clone()));
                    }
                }
            }
        }
        self.judge(now);
        std::mem::take(&mut self.effects)
    }

    fn stage(&self) -> usize {
        usize::try_from(self.kept.row.stage).unwrap_or(usize::MAX)
    }

    fn is_stopped(&self) -> bool {
        matches!(self.phase(), RolloutPhase::Stops | RolloutPhase::Over)
    }

    /// Whether nothing runs, and nothing has for longer than it goes on by itself.
    fn is_late(&self, now: Timestamp) -> bool {
        let most = ALONE_MAX + Duration::from_millis(self.kept.pace.settle_ms);
        let runs = self.hosts.values().any(|state| *state == HostState::Runs);
        !runs && apart(self.over.unwrap_or(self.kept.row.asked), now) > most
    }

    /// Lets no other stage go when it is too late for one.
    fn leave_alone(&mut self, now: Timestamp) {
        let is_begun = matches!(self.phase(), RolloutPhase::Runs | RolloutPhase::Settles | RolloutPhase::Looks);
        if is_begun && self.hosts.values().any(|state| *state == HostState::Waits) && self.is_late(now) {
            self.stop_by_itself(format!("nothing went on after stage {}", self.kept.row.stage), now);
        }
    }

    fn unwell(&mut self, why: &str, now: Timestamp) {
        self.stop_by_itself(format!("the hosts that have it are not well: {why}"), now);
    }

    /// Stops it without a person. What is to be undone is so soon or not at all.
    fn stop_by_itself(&mut self, why: String, now: Timestamp) {
        if self.is_late(now) && !self.is_stopped() {
            self.kept.undoing = None;
            self.stop(format!("{why}; {ALONE}"));
        } else {
            self.stop(why);
        }
    }

    fn well(&self) -> Vec<HostName> {
        self.hosts.iter().filter(|(_, state)| state.is_well()).map(|(host, _)| host.clone()).collect()
    }

    fn next_stage(&mut self) {
        let Some(stage) = self.kept.stages.get(self.stage()) else { return };
        self.kept.row.phase = RolloutPhase::Runs;
        self.kept.row.stage += 1;
        for host in stage {
            if let Some(state @ HostState::Waits) = self.hosts.get_mut(host) {
                *state = HostState::Runs;
                self.effects.push(RolloutEffect::Run(host.clone()));
            }
        }
    }

    /// Stops it when it went wrong too often.
    fn judge_failures(&mut self, now: Timestamp) {
        if self.phase() != RolloutPhase::Held && !self.is_stopped() {
            let bad: Vec<&HostName> =
                self.hosts.iter().filter(|(_, state)| state.is_bad()).map(|(host, _)| host).collect();
            let most = usize::try_from(self.kept.pace.failures_max.max(1)).unwrap_or(usize::MAX);
            if bad.len() >= most {
                let names: Vec<&str> = bad.iter().take(3).map(|host| host.as_str()).collect();
                self.stop_by_itself(format!("it went wrong on {}", names.join(", ")), now);
            }
        }
    }

    /// Looks whether it has to stop, whether its stage is over, and whether all of it is.
    fn judge(&mut self, now: Timestamp) {
        let is_begun = self.phase() != RolloutPhase::Held;
        self.judge_failures(now);
        if self.phase() == RolloutPhase::Runs && !self.hosts.values().any(|state| *state == HostState::Runs) {
            let last = self.stage().checked_sub(1).and_then(|stage| self.kept.stages.get(stage));
            let worked = last.is_none_or(|stage| stage.iter().any(|host| self.hosts[host].is_well()));
            if !worked {
                self.stop_by_itself(format!("it worked on no host of stage {}", self.kept.row.stage), now);
            } else if self.stage() < self.kept.stages.len() {
                let settle = Duration::from_millis(self.kept.pace.settle_ms);
                self.until = now.checked_add(settle).ok();
                self.kept.row.phase = RolloutPhase::Settles;
            }
        }
        if self.phase() == RolloutPhase::Stops {
            self.roll_back();
        }
        // The last stage needs no look: nothing comes after it.
        let last = self.phase() == RolloutPhase::Stops || self.stage() >= self.kept.stages.len();
        if is_begun && last && self.phase() != RolloutPhase::Over && self.hosts.values().all(HostState::is_final) {
            self.kept.row.phase = RolloutPhase::Over;
            self.kept.row.ended = Some(now);
        }
    }

    /// No other stage goes. What runs is waited for.
    fn stop(&mut self, why: String) {
        if !self.is_stopped() {
            self.kept.row.phase = RolloutPhase::Stops;
            self.kept.row.stopped = Some(why);
            self.spare();
        }
    }

    fn spare(&mut self) {
        let why = self.kept.row.stopped.clone().unwrap_or_default();
        for (host, state) in self.hosts.iter_mut().filter(|(_, state)| **state == HostState::Waits) {
            *state = HostState::Spared;
            self.effects.push(RolloutEffect::Spare(host.clone(), format!("the rollout stopped: {why}")));
        }
    }

    /// Rolls back where the command ran, or may have.
    fn roll_back(&mut self) {
        if self.kept.undoing.is_none() {
            return;
        }
        for (host, state) in &mut self.hosts {
            if let Some(outcome) = state.ran().cloned() {
                *state = HostState::RollsBack(outcome);
                self.kept.row.undone += 1;
                self.effects.push(RolloutEffect::RollBack(host.clone()));
            }
        }
    }
}

#[cfg(test)]
#[path = "rollout_tests.rs"]
mod tests;
