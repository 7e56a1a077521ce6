//! What silence comes to: doubt, others who are asked, and down; or that it is this node.

use crate::federation::membership::{HeldLog, MemberEffect, MemberInput};
use crate::model::{NodeState, Trust};
use crate::protocol::ProbeAnswer;

use super::rig::{Scene, behind, direct, log, moment, name, panel};

#[test]
fn a_node_that_is_heard_is_alive_and_a_silent_one_is_doubted_before_it_is_down() {
    let mut scene = Scene::new(vec![direct("hub-2")]);
    assert_eq!(scene.state("hub-2"), NodeState::Unknown);
    scene.all_well(&["hub-2"], 20);
    assert_eq!(scene.changes(), ["hub-2 alive"]);
    scene.pass(4_900);
    assert_eq!(scene.state("hub-2"), NodeState::Alive, "9.9 s");
    scene.pass(1_500);
    assert_eq!(scene.changes(), ["hub-2 suspect"], "11.4 s");
    scene.pass(3_500);
    assert_eq!(scene.changes(), ["hub-2 down"], "14.9 s");
    let beat = scene.beat_of("hub-2");
    scene.hear(beat);
    assert_eq!(scene.changes(), ["hub-2 alive"]);
}

#[test]
fn two_others_have_to_say_that_they_do_not_reach_it_where_there_are_two() {
    let mut scene = Scene::new(vec![direct("hub-2"), direct("hub-3"), direct("hub-4")]);
    scene.all_well(&["hub-2", "hub-3", "hub-4"], 10);
    scene.all_well(&["hub-3", "hub-4"], 1);
    scene.pass(1_200);
    let probes = scene.probes();
    let asked: Vec<(&str, &str)> = probes.iter().map(|(_, whom, through)| (whom.as_str(), through.as_str())).collect();
    assert!(asked.contains(&("hub-2", "hub-3")) && asked.contains(&("hub-2", "hub-4")), "{asked:?}");
    scene.tell(MemberInput::Probed { ticket: probes[0].0, result: Ok(ProbeAnswer { reached: None }) });
    for _ in 0..6 {
        let beats = [scene.beat_of("hub-3"), scene.beat_of("hub-4")];
        for beat in beats {
            scene.hear(beat);
        }
        scene.pass(700);
    }
    assert_eq!(scene.state("hub-2"), NodeState::Suspect, "one of two");
    let again = scene.probes();
    let other = again.iter().find(|(_, _, through)| *through != probes[0].2).expect("both are asked again");
    scene.tell(MemberInput::Probed { ticket: other.0, result: Ok(ProbeAnswer { reached: None }) });
    scene.pass(1_000);
    assert_eq!(scene.state("hub-2"), NodeState::Down);
}

#[test]
fn a_node_that_another_reaches_is_not_down() {
    let mut scene = Scene::new(vec![direct("hub-2"), direct("hub-3")]);
    scene.all_well(&["hub-2", "hub-3"], 10);
    for _ in 0..12 {
        scene.all_well(&["hub-3"], 1);
        scene.answer_probes(Some(0));
    }
    assert_eq!(scene.state("hub-2"), NodeState::Suspect);
    let mut panel = panel("hub-2");
    scene.members.fill(&mut panel, moment(scene.now));
    assert_eq!(panel.why.as_deref(), Some("not heard here; hub-3 can reach it"));
    // Then it does no longer.
    for _ in 0..4 {
        scene.all_well(&["hub-3"], 1);
        scene.answer_probes(None);
    }
    assert_eq!(scene.state("hub-2"), NodeState::Down);
}

#[test]
fn who_only_observes_is_not_asked() {
    let mut watcher = direct("hub-3");
    watcher.trust = Trust::Observe;
    let mut scene = Scene::new(vec![direct("hub-2"), watcher]);
    scene.all_well(&["hub-2", "hub-3"], 10);
    scene.all_well(&["hub-3"], 3);
    assert!(scene.probes().is_empty());
    assert_eq!(scene.state("hub-2"), NodeState::Down, "nobody is there to ask");
}

#[test]
fn a_node_that_never_answered_is_unknown_and_then_down() {
    let mut scene = Scene::new(vec![direct("hub-2"), direct("hub-3")]);
    for _ in 0..4 {
        scene.all_well(&["hub-3"], 1);
        scene.answer_probes(None);
    }
    assert_eq!(scene.changes(), ["hub-3 alive", "hub-2 down"]);
}

#[test]
fn a_node_that_is_called_now_has_as_long_to_answer_as_a_new_one() {
    let mut scene = Scene::new(vec![direct("hub-2"), behind("far", "hub-2")]);
    scene.all_well(&["hub-2"], 20);
    scene.tell(MemberInput::Peers(vec![direct("hub-2"), direct("far")]));
    assert!(scene.has(|effect| matches!(effect, MemberEffect::Beat { to, .. } if *to == name("far"))));
    scene.all_well(&["hub-2"], 2);
    assert_eq!((scene.changes(), scene.state("far")), (vec!["hub-2 alive".to_owned()], NodeState::Unknown));
}

#[test]
fn the_time_this_node_was_stopped_is_nobodys_silence() {
    let mut scene = Scene::new(vec![direct("hub-2"), direct("hub-3")]);
    scene.all_well(&["hub-2", "hub-3"], 20);
    for _ in 0..10 {
        scene.stop(10_000);
        scene.tell(MemberInput::Tick);
        assert!(scene.has(|effect| matches!(effect, MemberEffect::WasAway(away) if away.as_secs() >= 8)));
        scene.all_well(&["hub-2", "hub-3"], 4);
    }
    assert_eq!(scene.changes(), ["hub-2 alive", "hub-3 alive"]);
}

#[test]
fn a_slow_node_gives_others_more_time() {
    let mut scene = Scene::new(vec![direct("hub-2")]);
    scene.all_well(&["hub-2"], 20);
    for _ in 0..3 {
        scene.stop(u64::try_from(scene.members.next_wake().as_millis()).expect("small") - scene.now + 300);
        scene.tell(MemberInput::Tick);
    }
    let own = scene.members.beat(&name("hub-2"), &log(), |_| HeldLog::default(), moment(scene.now));
    assert_eq!(own.slowness, 3);
    scene.pass(16_000 - 4_000);
    assert_eq!(scene.changes(), ["hub-2 alive"], "it would be suspect otherwise");
    scene.pass(40_000);
    assert_eq!(scene.state("hub-2"), NodeState::Down);
}

#[test]
fn when_nobody_is_heard_it_is_this_node() {
    let mut scene = Scene::new(vec![direct("hub-2"), direct("hub-3"), direct("hub-4")]);
    scene.all_well(&["hub-2", "hub-3", "hub-4"], 20);
    scene.changes();
    scene.pass(60_000);
    let changes = scene.changes();
    assert!(
        changes.contains(&"me isolated-self".to_owned()) && !changes.iter().any(|c| c.ends_with("down")),
        "{changes:?}"
    );
    assert!(["me", "hub-2", "hub-3", "hub-4"].iter().all(|node| scene.state(node) == NodeState::IsolatedSelf));
    let mut me = panel("me");
    scene.members.fill(&mut me, moment(scene.now));
    assert_eq!(me.why.as_deref(), Some("none of 3 nodes is heard"));
    // It hears one again; the others get time, and one of them stays away.
    let beat = scene.beat_of("hub-2");
    scene.hear(beat);
    assert_eq!((scene.state("me"), scene.state("hub-3")), (NodeState::Alive, NodeState::Suspect));
    scene.all_well(&["hub-2", "hub-3"], 1);
    assert_eq!((scene.state("hub-3"), scene.state("hub-4")), (NodeState::Alive, NodeState::Suspect));
    for _ in 0..5 {
        scene.all_well(&["hub-2", "hub-3"], 1);
        scene.answer_probes(None);
    }
    assert_eq!(scene.state("hub-4"), NodeState::Down);
}

#[test]
fn witnesses_decide_whether_the_others_are_gone_or_this_node_is() {
    let mut scene = Scene::new(vec![direct("hub-2")]);
    scene.tell(MemberInput::Witnesses(Some(false)));
    scene.all_well(&["hub-2"], 5);
    scene.pass(30_000);
    assert_eq!(scene.state("hub-2"), NodeState::IsolatedSelf, "no witness answers, either");
    let mut me = panel("me");
    scene.members.fill(&mut me, moment(scene.now));
    assert_eq!(me.why.as_deref(), Some("the only other node is not heard, and too few witnesses answer"));
    scene.tell(MemberInput::Witnesses(Some(true)));
    assert_eq!((scene.state("me"), scene.state("hub-2")), (NodeState::Alive, NodeState::Suspect));
    scene.pass(15_000);
    assert_eq!(scene.state("hub-2"), NodeState::Down);

    let mut scene = Scene::new(vec![direct("hub-2"), direct("hub-3")]);
    scene.tell(MemberInput::Witnesses(Some(true)));
    scene.all_well(&["hub-2", "hub-3"], 5);
    scene.pass(30_000);
    assert_eq!((scene.state("hub-2"), scene.state("hub-3")), (NodeState::Down, NodeState::Down));
}
