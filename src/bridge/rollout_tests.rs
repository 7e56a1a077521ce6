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
