//! The membership of one node, told what happens by hand.

use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

use crate::model::{BootId, EpochId, Hlc, NodeName, NodePanel, NodeState, Trust};
use crate::protocol::{Beat, BeatAnswer, FEDERATION_VERSION, ProbeAnswer, Seen};

use super::super::{Now, SkewLevel};
use super::{HeldLog, Me, MemberEffect, MemberInput, Membership, OwnLog, PeerSpec, ProbeTicket, Reach};

fn name(text: &str) -> NodeName {
    text.parse().expect("a name")
}

fn boot(number: u128) -> BootId {
    BootId::from_uuid(Uuid::from_u128(number))
}

fn moment(ms: u64) -> Now {
    let wall = 1_800_000_000_000 + i64::try_from(ms).expect("small");
    Now { mono: Duration::from_millis(ms), wall: Timestamp::from_millisecond(wall).expect("in range") }
}

fn log() -> OwnLog {
    OwnLog { epoch: EpochId::from_uuid(Uuid::from_u128(1)), high: 0, hlc: Hlc::default(), keys: Vec::new() }
}

fn direct(text: &str) -> PeerSpec {
    PeerSpec { name: name(text), reach: Reach::Direct, trust: Trust::Report, quarantine: None }
}

fn behind(text: &str, relay: &str) -> PeerSpec {
    PeerSpec { reach: Reach::Behind(name(relay)), ..direct(text) }
}

fn seen(text: &str, state: NodeState, heard_ms: Option<u64>) -> Seen {
    Seen { node: name(text), state, incarnation: 0, heard_ms, epoch: None, held: 0, direct: true, keys: Vec::new() }
}

/// Node `me` at work. Its timers fire when they are due.
struct Scene {
    members: Membership,
    now: u64,
    number: u64,
    /// How nodes stood otherwise, as `hub-2 alive`.
    changes: Vec<String>,
    others: Vec<MemberEffect>,
}

impl Scene {
    fn new(peers: Vec<PeerSpec>) -> Self {
        let me = Me { name: name("me"), boot: boot(1), started: moment(0).wall, program: "0.1.0".to_owned() };
        let now = 100_000;
        let mut scene = Self {
            members: Membership::new(me, 7, moment(now)),
            now,
            number: 0,
            changes: Vec::new(),
            others: Vec::new(),
        };
        scene.tell(MemberInput::Peers(peers));
        scene
    }

    fn tell(&mut self, input: MemberInput) {
        for effect in self.members.apply(input, moment(self.now)) {
            match effect {
                MemberEffect::Changed { node, to, .. } => self.changes.push(format!("{node} {}", to.as_str())),
                other => self.others.push(other),
            }
        }
    }

    /// Time passes, and every timer fires when it is due.
    fn pass(&mut self, ms: u64) {
        let end = self.now + ms;
        loop {
            let wake = self.members.next_wake();
            let wake = u64::try_from(wake.as_nanos().div_ceil(1_000_000)).expect("small");
            self.now = wake.max(self.now).min(end);
            if self.now == end {
                return;
            }
            self.tell(MemberInput::Tick);
        }
    }

    /// This node is stopped: no timer fires.
    fn stop(&mut self, ms: u64) {
        self.now += ms;
    }

    fn beat_of(&mut self, text: &str) -> Beat {
        self.number += 1;
        Beat {
            version: FEDERATION_VERSION,
            node: name(text),
            boot: boot(2),
            started: moment(0).wall,
            number: self.number,
            incarnation: 0,
            epoch: log().epoch,
            high: 0,
            sent: moment(self.now).wall,
            hlc: Hlc::default(),
            slowness: 0,
            program: "0.1.0".to_owned(),
            leaving: false,
            whole: false,
            sees: Vec::new(),
            keys: Vec::new(),
        }
    }

    fn hear(&mut self, beat: Beat) {
        self.tell(MemberInput::Heard { from: beat.node.clone(), beat: Box::new(beat) });
    }

    /// Each of these nodes sends a heartbeat every five seconds.
    fn all_well(&mut self, who: &[&str], beats: usize) {
        for _ in 0..beats {
            for text in who {
                let beat = self.beat_of(text);
                self.hear(beat);
            }
            self.pass(5_000);
        }
    }

    /// The probes that were asked for since this was asked last.
    fn probes(&mut self) -> Vec<(ProbeTicket, String, String)> {
        let (probes, rest) = std::mem::take(&mut self.others)
            .into_iter()
            .partition(|effect| matches!(effect, MemberEffect::Probe { .. }));
        self.others = rest;
        let probes: Vec<MemberEffect> = probes;
        let parts = probes.into_iter().filter_map(|effect| match effect {
            MemberEffect::Probe { ticket, whom, through, .. } => Some((ticket, whom.to_string(), through.to_string())),
            _ => None,
        });
        parts.collect()
    }

    fn answer_probes(&mut self, reached: Option<u64>) -> usize {
        let probes = self.probes();
        for (ticket, ..) in &probes {
            self.tell(MemberInput::Probed { ticket: *ticket, result: Ok(ProbeAnswer { reached }) });
        }
        probes.len()
    }

    fn state(&self, text: &str) -> NodeState {
        self.members.state_of(&name(text)).expect("a node")
    }

    fn changes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.changes)
    }

    fn has(&self, wanted: impl Fn(&MemberEffect) -> bool) -> bool {
        self.others.iter().any(wanted)
    }
}

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
fn a_node_that_is_called_now_has_as_long_to_answer_as_a_new_one() {
    let mut scene = Scene::new(vec![direct("hub-2"), behind("far", "hub-2")]);
    scene.all_well(&["hub-2"], 20);
    scene.tell(MemberInput::Peers(vec![direct("hub-2"), direct("far")]));
    assert!(scene.has(|effect| matches!(effect, MemberEffect::Beat { to, .. } if *to == name("far"))));
    scene.all_well(&["hub-2"], 2);
    assert_eq!((scene.changes(), scene.state("far")), (vec!["hub-2 alive".to_owned()], NodeState::Unknown));
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

fn panel(text: &str) -> crate::model::NodePanel {
    crate::model::NodePanel::unknown(name(text), moment(0).wall)
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
