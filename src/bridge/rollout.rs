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
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use crate::model::{End, JobId, Pace, Risk, RolloutRow, Undoing, stages};

    use super::*;

    fn names(count: usize) -> Vec<HostName> {
        (0..count).map(|n| format!("web-{n:02}").parse().expect("a name")).collect()
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + second).expect("in range")
    }

    fn exit(code: i32) -> Outcome {
        Outcome::Done(End::Exit(code))
    }

    fn kept(count: usize, percent: u32, failures_max: u32, undoes: bool) -> Rollout {
        let stages = stages(&names(count), percent);
        Rollout {
            row: RolloutRow {
                id: JobId::from_uuid(Uuid::from_u128(1)),
                title: "deploy".into(),
                by: "anna".parse().expect("a name"),
                asked: at(0),
                phase: RolloutPhase::Held,
                stage: 0,
                sizes: stages.iter().map(|stage| u32::try_from(stage.len()).expect("small")).collect(),
                stopped: None,
                undone: 0,
                ended: None,
            },
            stages,
            pace: Pace { failures_max, ..Pace::default() },
            checks: Vec::new(),
            undoing: undoes.then(|| Undoing { plans: Vec::new(), risk: Risk::Low }),
            only: None,
        }
    }

    fn begun(kept: Rollout) -> (Rolling, Vec<RolloutEffect>) {
        let mut rolling = Rolling::new(kept, &BTreeMap::new(), None);
        let effects = rolling.apply(RolloutInput::Begin, at(0));
        (rolling, effects)
    }

    fn runs(effects: &[RolloutEffect]) -> Vec<HostName> {
        let run = |effect: &RolloutEffect| match effect {
            RolloutEffect::Run(host) => Some(host.clone()),
            _ => None,
        };
        effects.iter().filter_map(run).collect()
    }

    /// Lets all hosts of a stage end well, waits, and answers the look. The next stage.
    fn stage(rolling: &mut Rolling, hosts: &[HostName], second: i64) -> Vec<RolloutEffect> {
        for host in hosts {
            rolling.apply(RolloutInput::Ended(host.clone(), exit(0), at(second)), at(second));
        }
        rolling.apply(RolloutInput::Tick, at(second + 10));
        rolling.apply(RolloutInput::Health(Ok(())), at(second + 10))
    }

    #[test]
    fn one_then_a_part_then_the_rest() {
        let (mut rolling, first) = begun(kept(30, 10, 1, false));
        assert_eq!(runs(&first), names(1));
        let host = names(1).remove(0);
        assert!(rolling.apply(RolloutInput::Ended(host.clone(), exit(0), at(0)), at(0)).is_empty(), "it settles first");
        assert_eq!(rolling.next_wake(), Some(at(10)));
        assert!(rolling.apply(RolloutInput::Tick, at(9)).is_empty());
        assert_eq!(rolling.apply(RolloutInput::Tick, at(10)), [RolloutEffect::Look(vec![host])]);
        let second = runs(&rolling.apply(RolloutInput::Health(Ok(())), at(11)));
        assert_eq!(second, names(30)[1..4]);
        let third = runs(&stage(&mut rolling, &second, 20));
        assert_eq!((third.len(), rolling.kept().row.stage), (26, 3));
        for host in &third[1..] {
            assert!(rolling.apply(RolloutInput::Ended(host.clone(), exit(0), at(60)), at(60)).is_empty());
        }
        assert_eq!(rolling.phase(), RolloutPhase::Runs);
        rolling.apply(RolloutInput::Ended(third[0].clone(), exit(0), at(61)), at(61));
        assert_eq!((rolling.phase(), rolling.kept().row.ended), (RolloutPhase::Over, Some(at(61))));
        assert_eq!(rolling.kept().row.stopped, None);
    }

    #[test]
    fn a_failure_stops_it_and_rolls_back_where_it_ran() {
        let (mut rolling, first) = begun(kept(20, 10, 1, true));
        let second = runs(&stage(&mut rolling, &runs(&first), 0));
        assert_eq!(second.len(), 2);
        let done = rolling.apply(RolloutInput::Ended(second[0].clone(), exit(1), at(20)), at(20));
        let back: Vec<_> = done.iter().filter(|effect| matches!(effect, RolloutEffect::RollBack(_))).collect();
        assert_eq!(back, [0, 1].map(|n| RolloutEffect::RollBack(names(2)[n].clone())).iter().collect::<Vec<_>>());
        let spared = done.iter().filter(
            |effect| matches!(effect, RolloutEffect::Spare(_, why) if why == "the rollout stopped: it went wrong on web-01"),
        );
        assert_eq!(spared.count(), 17);
        let late = rolling.apply(RolloutInput::Ended(second[1].clone(), exit(0), at(21)), at(21));
        assert_eq!(late, [RolloutEffect::RollBack(second[1].clone())], "the one that ran was waited for");
        for host in &names(3) {
            assert_ne!(rolling.phase(), RolloutPhase::Over);
            rolling.apply(RolloutInput::RolledBack(host.clone(), exit(0)), at(22));
        }
        assert_eq!((rolling.phase(), rolling.kept().row.undone), (RolloutPhase::Over, 3));
    }

    #[test]
    fn bad_health_stops_it_though_no_command_failed() {
        let (mut rolling, first) = begun(kept(5, 10, 1, false));
        rolling.apply(RolloutInput::Ended(runs(&first)[0].clone(), exit(0), at(0)), at(0));
        rolling.apply(RolloutInput::Tick, at(10));
        let over = rolling.apply(RolloutInput::Health(Err("the shop answers 502".into())), at(12));
        assert_eq!((over.len(), rolling.phase()), (4, RolloutPhase::Over));
        assert!(rolling.kept().row.stopped.as_ref().is_some_and(|why| why.contains("502")));
        assert_eq!(rolling.hosts()[&names(1)[0]], HostState::Ended(exit(0)), "without a rollback command it stays");
    }

    #[test]
    fn what_did_not_run_or_may_have_counts_as_failed() {
        for outcome in [
            Outcome::NotRun { rule: "expired".into(), reason: String::new() },
            Outcome::Unknown { reason: String::new() },
            Outcome::Done(End::Signal(9)),
        ] {
            let (mut rolling, first) = begun(kept(3, 10, 1, false));
            rolling.apply(RolloutInput::Ended(runs(&first)[0].clone(), outcome.clone(), at(0)), at(0));
            assert_eq!(rolling.phase(), RolloutPhase::Over, "{outcome:?}");
        }
    }

    #[test]
    fn failures_may_be_allowed_and_a_stage_that_worked_nowhere_stops_it_all_the_same() {
        let (mut rolling, first) = begun(kept(9, 50, 3, false));
        let second = runs(&stage(&mut rolling, &runs(&first), 0));
        assert_eq!(second.len(), 5);
        for (number, host) in second.iter().enumerate() {
            rolling.apply(RolloutInput::Ended(host.clone(), exit(i32::from(number < 2)), at(20)), at(20));
        }
        assert_eq!(rolling.phase(), RolloutPhase::Settles, "two went wrong, and three stop it");
        let (mut rolling, first) = begun(kept(9, 50, 3, false));
        rolling.apply(RolloutInput::Ended(runs(&first)[0].clone(), exit(1), at(0)), at(0));
        assert_eq!(rolling.kept().row.stopped.as_deref(), Some("it worked on no host of stage 1"));
    }

    #[test]
    fn who_cannot_have_it_stops_it_before_it_begins() {
        let mut rolling = Rolling::new(kept(3, 10, 1, true), &BTreeMap::new(), None);
        let barred = Outcome::NotRun { rule: "barred".into(), reason: String::new() };
        rolling.apply(RolloutInput::Ended(names(3)[2].clone(), barred, at(0)), at(0));
        assert_eq!(rolling.phase(), RolloutPhase::Held);
        rolling.apply(RolloutInput::Begin, at(1));
        assert_eq!(rolling.kept().row.stopped.as_deref(), Some("it went wrong on web-02"));
    }

    #[test]
    fn a_person_stops_it_and_decides_what_is_undone() {
        let (mut rolling, first) = begun(kept(5, 10, 1, true));
        rolling.apply(RolloutInput::Stop("anna took it back".into()), at(1));
        assert_eq!(rolling.phase(), RolloutPhase::Stops, "what runs is waited for");
        assert!(rolling.apply(RolloutInput::Ended(runs(&first)[0].clone(), exit(1), at(2)), at(2)).is_empty());
        assert_eq!((rolling.phase(), rolling.kept().row.undone), (RolloutPhase::Over, 0));
    }

    #[test]
    fn after_a_restart_it_goes_on_from_where_it_was() {
        let running = |phase, stage| {
            let mut kept = kept(5, 40, 1, true);
            (kept.row.phase, kept.row.stage) = (phase, stage);
            kept
        };
        let hosts = names(5);
        let well = (hosts[0].clone(), HostState::Ended(exit(0)));
        // The second stage was let go, and one of its jobs did not leave.
        let states = BTreeMap::from([well.clone(), (hosts[1].clone(), HostState::Runs)]);
        let mut rolling = Rolling::new(running(RolloutPhase::Runs, 2), &states, None);
        assert_eq!(rolling.resume(at(50)), [RolloutEffect::Run(hosts[2].clone())]);
        // It settled, or was looked at: it settles anew.
        for phase in [RolloutPhase::Settles, RolloutPhase::Looks] {
            let mut rolling = Rolling::new(running(phase, 1), &BTreeMap::from([well.clone()]), None);
            assert!(rolling.resume(at(50)).is_empty());
            assert_eq!(rolling.next_wake(), Some(at(60)), "{phase:?}");
        }
        // It was stopping: what was not spared is, what was not undone is, and once.
        let bad = (hosts[1].clone(), HostState::Ended(exit(1)));
        let back = (hosts[2].clone(), HostState::RollsBack(exit(0)));
        let mut rolling = Rolling::new(running(RolloutPhase::Stops, 2), &BTreeMap::from([well, bad, back]), None);
        let effects = rolling.resume(at(50));
        let undone: Vec<_> = effects.iter().filter(|effect| matches!(effect, RolloutEffect::RollBack(_))).collect();
        assert_eq!((undone.len(), effects.len()), (2, 4));
    }

    proptest! {
        /// Whatever comes in, in whatever order: each host runs at most once and ends in exactly one final state, also
        /// when the engine is started again in the middle.
        #[test]
        fn every_host_has_one_end(
            count in 1usize..20, percent in 0u32..120, failures_max in 0u32..4, undoes in any::<bool>(),
            ends in proptest::collection::vec(0u8..6, 60), stop in 0usize..60, restart in 0usize..60,
        ) {
            let (mut rolling, effects) = begun(kept(count, percent, failures_max, undoes));
            let mut agenda: std::collections::VecDeque<RolloutEffect> = effects.into();
            let (mut ran, mut back, mut spared) = (BTreeMap::new(), BTreeMap::new(), 0);
            let (mut second, mut step) = (0, 0);
            loop {
                let input = match agenda.pop_front() {
                    Some(RolloutEffect::Run(host)) => {
                        *ran.entry(host.clone()).or_insert(0) += 1;
                        let outcome = match ends[step % ends.len()] {
                            0 => exit(1),
                            1 => Outcome::Unknown { reason: String::new() },
                            _ => exit(0),
                        };
                        RolloutInput::Ended(host, outcome, at(second))
                    }
                    Some(RolloutEffect::RollBack(host)) => {
                        *back.entry(host.clone()).or_insert(0) += 1;
                        RolloutInput::RolledBack(host, exit(0))
                    }
                    Some(RolloutEffect::Look(_)) if ends[step % ends.len()] == 2 => RolloutInput::Health(Err("bad".into())),
                    Some(RolloutEffect::Look(_)) => RolloutInput::Health(Ok(())),
                    Some(RolloutEffect::Spare(..)) => {
                        spared += 1;
                        continue;
                    }
                    None if rolling.next_wake().is_some() => {
                        second += 10;
                        RolloutInput::Tick
                    }
                    None => break,
                };
                agenda.extend(rolling.apply(input, at(second)));
                if step == stop {
                    agenda.extend(rolling.apply(RolloutInput::Stop("by anna".into()), at(second)));
                }
                if step == restart && agenda.is_empty() {
                    rolling = Rolling::new(rolling.kept().clone(), rolling.hosts(), None);
                    agenda.extend(rolling.resume(at(second)));
                }
                step += 1;
                prop_assert!(step < 500, "it never ends");
            }
            prop_assert!(ran.values().chain(back.values()).all(|count| *count == 1));
            prop_assert!(rolling.hosts().values().all(HostState::is_final), "{:?}", rolling.hosts());
            prop_assert_eq!((rolling.phase(), ran.len() + spared), (RolloutPhase::Over, count));
        }
    }
}
