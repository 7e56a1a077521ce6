//! What is told of the nodes: why, how far their clocks are off, and what heartbeats and panels show.

use crate::federation::SkewLevel;
use crate::federation::membership::{HeldLog, MemberEffect, MemberInput};
use crate::model::{NodePanel, NodeState};
use crate::protocol::BeatAnswer;

use super::rig::{Scene, behind, direct, log, moment, name, panel, seen};

#[test]
fn why_a_node_does_not_answer_is_said_with_its_state() {
    let mut scene = Scene::new(vec![direct("hub-2")]);
    let why = |scene: &Scene| {
        let mut panel = NodePanel::unknown(name("hub-2"), moment(scene.now).wall);
        scene.members.fill(&mut panel, moment(scene.now));
        panel.why.unwrap_or_default()
    };
    scene.all_well(&["hub-2"], 20);
    scene.tell(MemberInput::Unanswered { by: name("hub-2"), why: "it refuses: the key is another one".to_owned() });
    assert!(!why(&scene).contains("refuses"), "its own heartbeats come: {}", why(&scene));
    scene.pass(40_000);
    assert_eq!(scene.members.state_of(&name("hub-2")), Some(NodeState::Down));
    let said = why(&scene);
    assert!(said.starts_with("not heard for") && said.ends_with("it refuses: the key is another one"), "{said}");
}

#[test]
fn clocks_that_differ_are_told_once_and_clocks_that_jump_make_nobody_late() {
    let mut scene = Scene::new(vec![direct("hub-2")]);
    let answered = |scene: &mut Scene, ahead: u64| {
        let asked = moment(scene.now);
        let mut beat = scene.beat_of("hub-2");
        beat.sent = moment(scene.now + ahead).wall;
        let answer = BeatAnswer { received: beat.sent, beat, holds: None, asks: false };
        scene.tell(MemberInput::Answered { by: name("hub-2"), asked, answer: Box::new(answer) });
        scene.pass(5_000);
    };
    for _ in 0..10 {
        answered(&mut scene, 2_500);
    }
    let skews: Vec<_> = scene.others.iter().filter(|effect| matches!(effect, MemberEffect::Skewed { .. })).collect();
    let expected = MemberEffect::Skewed { node: name("hub-2"), level: SkewLevel::Warn, ms: 2_500 };
    assert_eq!(skews, [&expected]);
    // Our own clock goes back an hour.
    let mut back = moment(scene.now);
    back.wall = moment(0).wall;
    let effects = scene.members.apply(MemberInput::Tick, back);
    assert!(effects.iter().any(|effect| matches!(effect, MemberEffect::ClockMoved { ms } if *ms < -100_000)));
    assert_eq!(scene.changes(), ["hub-2 alive"]);
}

#[test]
fn heartbeats_move_midway_between_those_of_the_other_side_and_name_what_it_does_not_hear() {
    let mut scene = Scene::new(vec![direct("hub-2"), direct("hub-3"), behind("far", "hub-3")]);
    let mut sent = Vec::new();
    for _ in 0..20 {
        let beat = scene.beat_of("hub-2");
        let heard = scene.now;
        scene.hear(beat);
        let end = scene.now + 5_000;
        while scene.now < end {
            scene.others.clear();
            scene.pass(50);
            let to_it = |effect: &MemberEffect| matches!(effect, MemberEffect::Beat { to, .. } if *to == name("hub-2"));
            if scene.has(to_it) {
                sent.push(scene.now - heard);
            }
        }
    }
    let late: Vec<u64> = sent.iter().rev().take(5).copied().collect();
    assert!(late.iter().all(|at| (2_300..=2_700).contains(at)), "{sent:?}");

    let mut beat = scene.beat_of("hub-2");
    beat.whole = true;
    beat.sees = vec![seen("hub-3", NodeState::Alive, Some(1)), seen("me", NodeState::Alive, Some(1))];
    scene.hear(beat);
    let mut names = || {
        let beat = scene.members.beat(&name("hub-2"), &log(), |_| HeldLog::default(), moment(scene.now));
        (beat.whole, beat.sees.iter().map(|seen| seen.node.to_string()).collect::<Vec<_>>())
    };
    assert_eq!(names(), (true, vec!["far".to_owned(), "hub-2".to_owned(), "hub-3".to_owned()]));
    assert_eq!(names(), (false, vec!["far".to_owned(), "hub-2".to_owned()]), "it hears hub-3 itself");
}

#[test]
fn panels_show_what_is_known() {
    let mut scene = Scene::new(vec![direct("hub-2"), behind("far", "hub-2")]);
    scene.all_well(&["hub-2"], 3);
    let mut shown = panel("hub-2");
    scene.members.fill(&mut shown, moment(scene.now));
    assert_eq!((shown.state, shown.phi_tenths, shown.version.as_deref()), (NodeState::Alive, Some(0), Some("0.1.0")));
    assert_eq!(shown.last_seen, Some(moment(scene.now - 5_000).wall));
    let mut shown = panel("far");
    scene.members.fill(&mut shown, moment(scene.now));
    assert_eq!((shown.via, shown.state), (Some(name("hub-2")), NodeState::Unknown));
    let mut shown = panel("me");
    scene.members.fill(&mut shown, moment(scene.now));
    assert_eq!((shown.state, shown.hears), (NodeState::Alive, vec![name("hub-2")]));
}
