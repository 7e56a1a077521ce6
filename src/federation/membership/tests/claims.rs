//! What nodes say of themselves and of others, and how much of it counts.

use crate::federation::membership::{HeldLog, MemberEffect, MemberInput, PeerSpec};
use crate::model::NodeState;
use crate::protocol::{Beat, BeatAnswer, Seen};

use super::rig::{Scene, behind, boot, direct, log, moment, name, seen};

#[test]
fn another_run_is_a_restart_and_no_outage() {
    let mut scene = Scene::new(vec![direct("hub-2")]);
    scene.all_well(&["hub-2"], 5);
    let mut beat = scene.beat_of("hub-2");
    (beat.boot, beat.number, beat.started) = (boot(3), 1, moment(scene.now).wall);
    scene.hear(beat.clone());
    assert!(scene.has(|effect| matches!(effect, MemberEffect::Restarted { boot: new, .. } if *new == boot(3))));
    assert_eq!(scene.changes(), ["hub-2 alive"]);
    assert_eq!(scene.members.eligible(moment(scene.now)), [name("me")], "it takes nothing over yet");
    for number in 2..9 {
        scene.pass(5_000);
        beat.number = number;
        scene.hear(beat.clone());
    }
    assert_eq!(scene.members.eligible(moment(scene.now)), [name("hub-2"), name("me")]);
}

#[test]
fn heartbeats_that_come_late_in_any_order_or_were_recorded_change_nothing() {
    let mut scene = Scene::new(vec![direct("hub-2")]);
    let mut beats = Vec::new();
    for _ in 0..8 {
        beats.push(scene.beat_of("hub-2"));
        scene.pass(5_000);
    }
    scene.hear(beats[0].clone());
    // They waited in a line that was cut, and the last of several connections is read first; then all of them once more.
    beats.reverse();
    for beat in beats.iter().chain(&beats) {
        scene.hear(beat.clone());
    }
    // Another run of its process, and what waited of the one before.
    let mut other = scene.beat_of("hub-2");
    (other.boot, other.started, other.number) = (boot(9), other.sent, 1);
    scene.hear(other);
    for beat in beats {
        scene.hear(beat);
    }
    assert!(!scene.has(|effect| matches!(effect, MemberEffect::Untrue { .. })));
}

#[test]
fn two_processes_with_one_name_are_found_out() {
    let mut scene = Scene::new(vec![direct("hub-2")]);
    let untrue = |effect: &MemberEffect| matches!(effect, MemberEffect::Untrue { .. });
    for round in 0..8 {
        let mut beat = scene.beat_of("hub-2");
        beat.boot = boot(5 + round % 2);
        scene.hear(beat);
        scene.pass(2_500);
    }
    assert!(!scene.has(untrue), "late heartbeats of a run that ended come, too");
    for round in 0..8 {
        let mut beat = scene.beat_of("hub-2");
        beat.boot = boot(5 + round % 2);
        scene.hear(beat);
        scene.pass(2_500);
    }
    assert_eq!(scene.others.iter().filter(|effect| untrue(effect)).count(), 1);

    // The same run twice, each counting for itself.
    let mut scene = Scene::new(vec![direct("hub-2")]);
    for number in 0..12 {
        let mut beat = scene.beat_of("hub-2");
        beat.number = number / 2 + if number % 2 == 0 { 100 } else { 1 };
        scene.hear(beat);
        scene.pass(2_500);
    }
    assert_eq!(scene.others.iter().filter(|effect| untrue(effect)).count(), 1);
}

#[test]
fn nodes_with_equal_boot_ids_are_two_nodes() {
    let mut scene = Scene::new(vec![direct("hub-2"), direct("hub-3")]);
    scene.all_well(&["hub-2", "hub-3"], 20);
    assert!(!scene.has(|effect| matches!(effect, MemberEffect::Untrue { .. } | MemberEffect::Restarted { .. })));
    assert_eq!(scene.changes(), ["hub-2 alive", "hub-3 alive"]);
}

#[test]
fn a_node_that_goes_is_neither_doubted_nor_down_and_may_come_back() {
    let mut scene = Scene::new(vec![direct("hub-2"), direct("hub-3")]);
    scene.all_well(&["hub-2", "hub-3"], 5);
    scene.changes();
    let before = scene.beat_of("hub-2");
    let mut beat = scene.beat_of("hub-2");
    beat.leaving = true;
    scene.hear(beat);
    scene.tell(MemberInput::Answered {
        by: name("hub-2"),
        asked: moment(scene.now),
        answer: Box::new(BeatAnswer { received: before.sent, beat: before, holds: None, asks: false }),
    });
    scene.all_well(&["hub-3"], 20);
    assert_eq!(scene.changes(), ["hub-2 left"], "an answer from before does not bring it back");
    let mut beat = scene.beat_of("hub-2");
    (beat.boot, beat.number) = (boot(9), 1);
    scene.hear(beat);
    assert_eq!(scene.changes(), ["hub-2 alive"]);
}

#[test]
fn this_node_says_that_it_goes() {
    let mut scene = Scene::new(vec![direct("hub-2"), behind("hub-3", "hub-2")]);
    scene.all_well(&["hub-2"], 2);
    scene.others.clear();
    scene.tell(MemberInput::Leave);
    assert_eq!(scene.others.len(), 1, "{:?}", scene.others);
    assert!(scene.members.beat(&name("hub-2"), &log(), |_| HeldLog::default(), moment(scene.now)).leaving);
    scene.pass(60_000);
    assert_eq!(scene.others.len(), 1, "and judges nobody any more");
}

#[test]
fn a_suspicion_is_answered_with_a_higher_incarnation_and_a_lie_is_not() {
    let mut scene = Scene::new(vec![direct("hub-2")]);
    scene.all_well(&["hub-2"], 2);
    let incarnation = |scene: &mut Scene| {
        scene.members.beat(&name("hub-2"), &log(), |_| HeldLog::default(), moment(scene.now)).incarnation
    };
    for (claimed, expected) in [(0, 1), (0, 1), (1, 2), (u64::MAX, 2), (3, 2), (2, 3)] {
        let before = incarnation(&mut scene);
        scene.pass(2_100);
        scene.others.clear();
        let mut beat = scene.beat_of("hub-2");
        beat.sees = vec![Seen { incarnation: claimed, ..seen("me", NodeState::Suspect, Some(9_000)) }];
        scene.hear(beat);
        assert_eq!(incarnation(&mut scene), expected, "{claimed}");
        let at_once = scene.has(|effect| matches!(effect, MemberEffect::Beat { .. }));
        assert_eq!(at_once, expected > before, "{claimed}");
    }
    for _ in 0..100 {
        let mut beat = scene.beat_of("hub-2");
        beat.sees = vec![Seen { incarnation: incarnation(&mut scene), ..seen("me", NodeState::Down, None) }];
        scene.hear(beat);
    }
    assert!(incarnation(&mut scene) <= 4, "nor does it keep this node busy");
}

#[test]
fn a_node_behind_a_relay_stands_as_the_relay_says_while_that_is_heard() {
    let mut scene = Scene::new(vec![direct("hub-2"), behind("far", "hub-2")]);
    let relay = |scene: &mut Scene, state, heard| {
        let mut beat = scene.beat_of("hub-2");
        beat.sees = vec![seen("far", state, heard)];
        scene.hear(beat);
        scene.pass(5_000);
    };
    relay(&mut scene, NodeState::Alive, Some(2_000));
    relay(&mut scene, NodeState::Suspect, Some(11_000));
    relay(&mut scene, NodeState::Down, Some(16_000));
    relay(&mut scene, NodeState::Alive, Some(10));
    assert_eq!(scene.changes(), ["hub-2 alive", "far alive", "far suspect", "far down", "far alive"]);
    scene.pass(30_000);
    assert_eq!(scene.changes(), ["hub-2 suspect", "far suspect", "hub-2 down", "far unknown"]);
}

#[test]
fn what_is_said_of_a_node_that_is_heard_here_changes_nothing() {
    let mut scene = Scene::new(vec![direct("hub-2"), direct("hub-3")]);
    for _ in 0..20 {
        let mut beat = scene.beat_of("hub-3");
        beat.whole = true;
        beat.sees = vec![Seen { incarnation: u64::MAX, ..seen("hub-2", NodeState::Down, None) }];
        scene.hear(beat);
        scene.all_well(&["hub-2"], 1);
    }
    assert_eq!(scene.changes(), ["hub-3 alive", "hub-2 alive"]);
}

#[test]
fn quarantine_holds_until_it_is_ended_by_hand() {
    let mut scene = Scene::new(vec![direct("hub-2"), direct("hub-3")]);
    scene.all_well(&["hub-2", "hub-3"], 3);
    scene.changes();
    let shut = PeerSpec { quarantine: Some("its chain is broken at 17".to_owned()), ..direct("hub-2") };
    scene.tell(MemberInput::Peers(vec![shut, direct("hub-3")]));
    scene.all_well(&["hub-2", "hub-3"], 3);
    assert_eq!(scene.changes(), ["hub-2 quarantined"]);
    assert_eq!(scene.members.eligible(moment(scene.now)).len(), 2);
    scene.tell(MemberInput::Peers(vec![direct("hub-2"), direct("hub-3")]));
    scene.all_well(&["hub-2", "hub-3"], 1);
    assert_eq!(scene.changes(), ["hub-2 alive"]);
    scene.tell(MemberInput::Peers(vec![direct("hub-3")]));
    assert_eq!(scene.members.state_of(&name("hub-2")), None, "forgotten");
}

#[test]
fn what_no_node_says_of_itself_is_not_taken_in() {
    let mut scene = Scene::new(vec![direct("hub-2")]);
    let good = scene.beat_of("hub-2");
    let from = name("hub-2");
    assert_eq!(scene.members.objection(&from, &good), None);
    let bad: [fn(&mut Beat); 3] = [
        |beat| beat.version += 1,
        |beat| beat.node = name("hub-3"),
        |beat| beat.sees = vec![seen("x", NodeState::Alive, None); 513],
    ];
    for spoil in bad {
        let mut beat = good.clone();
        spoil(&mut beat);
        assert!(scene.members.objection(&from, &beat).is_some());
        scene.tell(MemberInput::Heard { from: from.clone(), beat: Box::new(beat) });
    }
    for text in ["stranger", "me"] {
        let beat = scene.beat_of(text);
        assert!(scene.members.objection(&name(text), &beat).is_some());
    }
    assert_eq!(scene.state("hub-2"), NodeState::Unknown);
}
