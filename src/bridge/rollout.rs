//! A command over many hosts: first one, then some, then the rest, with a look at their health in between.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use crate::model::{HostName, HostPanel, LayerState, Outcome};

/// How a command is brought to many hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RolloutPlan {
    /// Hosts that go first, alone.
    pub canary: usize,
    /// The part of all hosts that goes next, in percent; 100 leaves nothing for a third wave.
    pub percent: u32,
    /// How long a wave is watched before the next one goes.
    pub settle: Duration,
    /// So many hosts where it failed, and it stops.
    pub failures_max: usize,
    /// Whether the hosts where it ran are rolled back when it stops.
    pub rolls_back: bool,
}

impl Default for RolloutPlan {
    fn default() -> Self {
        Self { canary: 1, percent: 10, settle: Duration::from_secs(10), failures_max: 1, rolls_back: false }
    }
}

/// What a rollout is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RolloutInput {
    /// The job on a host is over.
    Ended(HostName, Outcome),
    /// The rollback on a host is over.
    RolledBack(HostName, Outcome),
    /// Whether the hosts that have it are well, and what was seen.
    Health(Result<(), String>),
    /// Somebody stops it.
    Stop(String),
    /// It is time ([`Rollout::next_wake`]).
    Tick,
}

/// What a rollout wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RolloutEffect {
    /// Run the command there.
    Run(HostName),
    /// Run its rollback command there.
    RollBack(HostName),
    /// Look whether these are well, and come back with [`RolloutInput::Health`].
    Look(Vec<HostName>),
    /// Every host has its end.
    Over,
}

/// How a host of a rollout is. Each ends in exactly one of the last four.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostState {
    /// Its wave has not come.
    Waits,
    /// The command is on its way or runs.
    Runs,
    /// The rollback command is on its way or runs.
    RollsBack(Outcome),
    /// It is over: what it came to.
    Ended(Outcome),
    /// It is over, and what the rollback came to.
    RolledBack {
        /// What the command came to.
        ran: Outcome,
        /// What its rollback came to.
        back: Outcome,
    },
    /// The rollout stopped before its wave came: why.
    Spared(String),
}

impl HostState {
    /// Whether nothing more happens to it.
    #[must_use]
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Ended(_) | Self::RolledBack { .. } | Self::Spared(_))
    }

    /// Whether the command did there what it should.
    fn is_well(&self) -> bool {
        matches!(self, Self::Ended(Outcome::Done(crate::model::End::Exit(0) | crate::model::End::Told)))
    }
}

/// What it waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The hosts of the wave.
    Wave,
    /// That the wave settles.
    Settling(Timestamp),
    /// A look at the health of those that have it.
    Looking,
    /// Those that run, and the rollbacks.
    Stopping,
    Over,
}

/// One command on its way over many hosts.
#[derive(Debug, Clone)]
pub struct Rollout {
    plan: RolloutPlan,
    hosts: BTreeMap<HostName, HostState>,
    /// Waves that are still to come, the next one last.
    waves: Vec<Vec<HostName>>,
    phase: Phase,
    effects: Vec<RolloutEffect>,
}

impl Rollout {
    /// A rollout over `hosts`, in this order, and its first wave. A host that is named twice counts once.
    #[must_use]
    pub fn new(plan: RolloutPlan, hosts: &[HostName]) -> (Self, Vec<RolloutEffect>) {
        let states: BTreeMap<HostName, HostState> = hosts.iter().map(|host| (host.clone(), HostState::Waits)).collect();
        let mut order: Vec<HostName> = Vec::with_capacity(states.len());
        for host in hosts {
            if !order.contains(host) {
                order.push(host.clone());
            }
        }
        let part = order.len() * usize::try_from(plan.percent.min(100)).unwrap_or(100);
        let second = (plan.canary + part.div_ceil(100)).min(order.len());
        let rest = order.split_off(second.max(plan.canary.min(order.len())));
        let some = order.split_off(plan.canary.min(order.len()));
        let waves = [rest, some, order].into_iter().filter(|wave| !wave.is_empty()).collect();
        let mut rollout = Self { plan, hosts: states, waves, phase: Phase::Wave, effects: Vec::new() };
        rollout.next_wave();
        let effects = std::mem::take(&mut rollout.effects);
        (rollout, effects)
    }

    /// Takes in what happened, and says what is to be done for it.
    pub fn apply(&mut self, input: RolloutInput, now: Timestamp) -> Vec<RolloutEffect> {
        match input {
            RolloutInput::Ended(host, outcome) => self.ended(&host, outcome, now),
            RolloutInput::RolledBack(host, back) => {
                if let Some(state) = self.hosts.get_mut(&host)
                    && let HostState::RollsBack(ran) = state
                {
                    *state = HostState::RolledBack { ran: ran.clone(), back };
                }
            }
            RolloutInput::Health(Ok(())) if self.phase == Phase::Looking => self.next_wave(),
            RolloutInput::Health(Err(why)) if self.phase == Phase::Looking => {
                self.stop(&format!("the hosts that have it are not well: {why}"));
            }
            RolloutInput::Stop(why) => self.stop(&why),
            RolloutInput::Health(_) | RolloutInput::Tick => {}
        }
        if let Phase::Settling(until) = self.phase
            && now >= until
        {
            self.phase = Phase::Looking;
            self.effects.push(RolloutEffect::Look(self.well()));
        }
        self.close();
        std::mem::take(&mut self.effects)
    }

    /// When it has to be told the time.
    #[must_use]
    pub fn next_wake(&self) -> Option<Timestamp> {
        match self.phase {
            Phase::Settling(until) => Some(until),
            _ => None,
        }
    }

    /// How each host is.
    #[must_use]
    pub fn hosts(&self) -> &BTreeMap<HostName, HostState> {
        &self.hosts
    }

    fn well(&self) -> Vec<HostName> {
        self.hosts.iter().filter(|(_, state)| state.is_well()).map(|(host, _)| host.clone()).collect()
    }

    fn next_wave(&mut self) {
        self.phase = Phase::Wave;
        for host in self.waves.pop().unwrap_or_default() {
            self.hosts.insert(host.clone(), HostState::Runs);
            self.effects.push(RolloutEffect::Run(host));
        }
    }

    fn ended(&mut self, host: &HostName, outcome: Outcome, now: Timestamp) {
        let Some(state @ HostState::Runs) = self.hosts.get_mut(host) else { return };
        *state = HostState::Ended(outcome);
        let failed = |state: &&HostState| matches!(state, HostState::Ended(_)) && !state.is_well();
        if self.phase == Phase::Stopping {
            self.roll_back();
        } else if self.hosts.values().filter(failed).count() >= self.plan.failures_max.max(1) {
            self.stop(&format!("it failed on {host}"));
        } else if !self.hosts.values().any(|state| *state == HostState::Runs) {
            self.phase = Phase::Settling(now + self.plan.settle);
        }
    }

    /// No other wave goes. What runs is waited for; what ran is rolled back.
    fn stop(&mut self, why: &str) {
        if matches!(self.phase, Phase::Stopping | Phase::Over) {
            return;
        }
        self.phase = Phase::Stopping;
        self.waves.clear();
        for state in self.hosts.values_mut().filter(|state| **state == HostState::Waits) {
            *state = HostState::Spared(why.to_owned());
        }
        self.roll_back();
    }

    /// Rolls back where the command ran, or may have.
    fn roll_back(&mut self) {
        if !self.plan.rolls_back {
            return;
        }
        for (host, state) in &mut self.hosts {
            if let HostState::Ended(outcome @ (Outcome::Done(_) | Outcome::Unknown { .. })) = state {
                *state = HostState::RollsBack(outcome.clone());
                self.effects.push(RolloutEffect::RollBack(host.clone()));
            }
        }
    }

    /// Ends it when every host has its end. The last wave needs no look: nothing comes after it.
    fn close(&mut self) {
        let last = self.waves.is_empty() && matches!(self.phase, Phase::Settling(_) | Phase::Wave | Phase::Stopping);
        if last && self.hosts.values().all(HostState::is_final) {
            self.phase = Phase::Over;
            self.effects.push(RolloutEffect::Over);
        }
    }
}

/// Of hosts that can be reached, the one with the least to do: by jobs that run and wait there, then by the load of its
/// machine, then by name.
#[must_use]
pub fn least_loaded<'a>(hosts: impl IntoIterator<Item = &'a HostPanel>) -> Option<&'a HostName> {
    let reached = |host: &&HostPanel| host.active.is_some();
    let barred = |host: &HostPanel| host.layers.iter().any(|layer| layer.state == LayerState::Barred);
    let load = |host: &HostPanel| host.agent.as_ref().and_then(|agent| agent.load_percent).unwrap_or(u32::MAX);
    let hosts = hosts.into_iter().filter(reached).filter(|host| !barred(host));
    hosts.min_by_key(|host| (host.running + host.queued, load(host), host.name.clone())).map(|host| &host.name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::model::{AgentCard, End, LayerKind};

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

    fn runs(effects: &[RolloutEffect]) -> Vec<HostName> {
        let run = |effect: &RolloutEffect| match effect {
            RolloutEffect::Run(host) => Some(host.clone()),
            _ => None,
        };
        effects.iter().filter_map(run).collect()
    }

    /// Lets all hosts of a wave end well, waits, and answers the look. The next wave.
    fn wave(rollout: &mut Rollout, hosts: &[HostName], second: i64) -> Vec<RolloutEffect> {
        for host in hosts {
            rollout.apply(RolloutInput::Ended(host.clone(), exit(0)), at(second));
        }
        rollout.apply(RolloutInput::Tick, at(second + 10));
        rollout.apply(RolloutInput::Health(Ok(())), at(second + 10))
    }

    #[test]
    fn one_then_a_part_then_the_rest() {
        let (mut rollout, first) = Rollout::new(RolloutPlan::default(), &names(30));
        assert_eq!(runs(&first), names(1));
        let host = names(1).remove(0);
        assert!(rollout.apply(RolloutInput::Ended(host.clone(), exit(0)), at(0)).is_empty(), "it settles first");
        assert_eq!(rollout.next_wake(), Some(at(10)));
        assert_eq!(rollout.apply(RolloutInput::Tick, at(10)), [RolloutEffect::Look(vec![host])]);
        let second = runs(&rollout.apply(RolloutInput::Health(Ok(())), at(11)));
        assert_eq!(second, names(30)[1..4]);
        let third = runs(&wave(&mut rollout, &second, 20));
        assert_eq!(third.len(), 26);
        for host in &third[1..] {
            assert!(rollout.apply(RolloutInput::Ended(host.clone(), exit(0)), at(60)).is_empty());
        }
        let over = rollout.apply(RolloutInput::Ended(third[0].clone(), exit(0)), at(61));
        assert_eq!(over, [RolloutEffect::Over]);
    }

    #[test]
    fn a_failure_stops_it_and_rolls_back_where_it_ran() {
        let plan = RolloutPlan { rolls_back: true, ..RolloutPlan::default() };
        let (mut rollout, first) = Rollout::new(plan, &names(20));
        let second = runs(&wave(&mut rollout, &runs(&first), 0));
        assert_eq!(second.len(), 2);
        let back = rollout.apply(RolloutInput::Ended(second[0].clone(), exit(1)), at(20));
        assert_eq!(
            back,
            [0, 1].map(|n| RolloutEffect::RollBack(names(2)[n].clone())),
            "the one that runs is waited for"
        );
        let late = rollout.apply(RolloutInput::Ended(second[1].clone(), exit(0)), at(21));
        assert_eq!(late, [RolloutEffect::RollBack(second[1].clone())]);
        for host in &names(3)[..2] {
            assert!(rollout.apply(RolloutInput::RolledBack(host.clone(), exit(0)), at(22)).is_empty());
        }
        let over = rollout.apply(RolloutInput::RolledBack(second[1].clone(), exit(0)), at(22));
        assert_eq!(over, [RolloutEffect::Over]);
        let spared =
            rollout.hosts().values().filter(|state| matches!(state, HostState::Spared(why) if why.contains("web-01")));
        assert_eq!(spared.count(), 17);
    }

    #[test]
    fn bad_health_stops_it_though_no_command_failed() {
        let (mut rollout, first) = Rollout::new(RolloutPlan::default(), &names(5));
        rollout.apply(RolloutInput::Ended(runs(&first)[0].clone(), exit(0)), at(0));
        rollout.apply(RolloutInput::Tick, at(10));
        let over = rollout.apply(RolloutInput::Health(Err("the shop answers 502".into())), at(12));
        assert_eq!(over, [RolloutEffect::Over]);
        let states: Vec<_> = rollout.hosts().values().cloned().collect();
        assert_eq!(states[0], HostState::Ended(exit(0)), "without a rollback command it stays");
        assert!(states[1..].iter().all(|state| matches!(state, HostState::Spared(why) if why.contains("502"))));
    }

    #[test]
    fn what_did_not_run_or_may_have_counts_as_failed() {
        for outcome in [
            Outcome::NotRun { rule: "expired".into(), reason: String::new() },
            Outcome::Unknown { reason: String::new() },
            Outcome::Done(End::Signal(9)),
        ] {
            let (mut rollout, first) = Rollout::new(RolloutPlan::default(), &names(3));
            let over = rollout.apply(RolloutInput::Ended(runs(&first)[0].clone(), outcome.clone()), at(0));
            assert_eq!(over, [RolloutEffect::Over], "{outcome:?}");
        }
    }

    #[test]
    fn the_least_loaded_is_one_that_can_be_reached() {
        let host = |name: &str, running, load, active| HostPanel {
            name: name.parse().expect("a name"),
            labels: Vec::new(),
            layers: Vec::new(),
            active,
            running,
            queued: 0,
            agent: Some(AgentCard { version: String::new(), lost: Vec::new(), skew_ms: 0, load_percent: Some(load) }),
        };
        let up = Some(LayerKind::Socket);
        let hosts = [host("a", 0, 1, None), host("b", 1, 5, up), host("c", 0, 90, up), host("d", 0, 20, up)];
        assert_eq!(least_loaded(&hosts).map(ToString::to_string), Some("d".to_owned()));
        assert_eq!(least_loaded(&hosts[..1]), None);
    }

    proptest! {
        /// Whatever comes in, in whatever order: each host runs at most once and ends in exactly one final state.
        #[test]
        fn every_host_has_one_end(
            count in 0usize..20, canary in 0usize..4, percent in 0u32..120, failures_max in 0usize..4,
            rolls_back in any::<bool>(), ends in proptest::collection::vec(0u8..6, 60), stop in 0usize..60,
        ) {
            let plan = RolloutPlan { canary, percent, settle: Duration::from_secs(10), failures_max, rolls_back };
            let (mut rollout, effects) = Rollout::new(plan, &names(count));
            let mut agenda: std::collections::VecDeque<RolloutEffect> = effects.into();
            let (mut ran, mut over, mut second, mut step) = (BTreeMap::new(), 0, 0, 0);
            loop {
                let input = match agenda.pop_front() {
                    Some(RolloutEffect::Run(host)) => {
                        *ran.entry(host.clone()).or_insert(0) += 1;
                        let outcome = match ends[step % ends.len()] {
                            0 => exit(1),
                            1 => Outcome::Unknown { reason: String::new() },
                            _ => exit(0),
                        };
                        RolloutInput::Ended(host, outcome)
                    }
                    Some(RolloutEffect::RollBack(host)) => RolloutInput::RolledBack(host, exit(0)),
                    Some(RolloutEffect::Look(_)) if ends[step % ends.len()] == 2 => RolloutInput::Health(Err("bad".into())),
                    Some(RolloutEffect::Look(_)) => RolloutInput::Health(Ok(())),
                    Some(RolloutEffect::Over) => {
                        over += 1;
                        continue;
                    }
                    None if rollout.next_wake().is_some() => {
                        second += 10;
                        RolloutInput::Tick
                    }
                    None => break,
                };
                agenda.extend(rollout.apply(input, at(second)));
                if step == stop {
                    agenda.extend(rollout.apply(RolloutInput::Stop("by anna".into()), at(second)));
                }
                step += 1;
                prop_assert!(step < 500, "it never ends");
            }
            prop_assert!(ran.values().all(|count| *count == 1));
            prop_assert!(rollout.hosts().values().all(HostState::is_final), "{:?}", rollout.hosts());
            prop_assert_eq!(over, usize::from(count > 0));
        }
    }
}
