//! Roads that close, come back, are barred or lead to somebody else.

use std::time::Duration;

use jiff::SignedDuration;

use crate::bridge::{BridgeEffect, BridgeInput, CommandRule, LayerEvent, NotDelivered};
use crate::model::{Class, Job, LayerState};
use crate::protocol::{FromAgent, Journal, ToAgent};

use super::desk::{Desk, EXEC, RTT, SOCKET, TMUX, TRIGGER, done};

// Roads

#[test]
fn a_changed_host_key_stops_every_road() {
    let mut desk = Desk::open(&[SOCKET, TMUX, EXEC]);
    desk.submit(1);
    desk.news(TMUX, LayerEvent::Barred { why: "the host key changed".into() });
    assert_eq!(desk.asks(), Vec::<String>::new());
    desk.down(SOCKET);
    assert_eq!(desk.asks(), Vec::<String>::new(), "no weaker road in its place");
    desk.submit(2);
    let (rule, reason) = desk.not_run();
    assert!(rule == "barred" && reason.contains("host key changed"), "{reason}");
    desk.state(EXEC, done(desk.now, &[], Vec::new()));
    assert_eq!(desk.word(1), Some("unsure"), "nor is anybody believed");
    desk.up(SOCKET);
    assert_eq!(desk.asks(), Vec::<String>::new(), "until a person has looked");
    desk.up(TMUX);
    assert_eq!(desk.asks(), Vec::<String>::new(), "whatever answers");
    desk.tell(BridgeInput::Probe("web-1".parse().expect("a name")));
    desk.asks();
    desk.up(TMUX);
    assert_eq!(desk.asks(), ["query exec 0 follow"], "the others go first until it has proved itself");
}

#[test]
fn a_foreign_directory_bars_itself_only() {
    let mut desk = Desk::open(&[SOCKET, TRIGGER]);
    desk.news(TRIGGER, LayerEvent::Barred { why: "another spool".into() });
    desk.submit(1);
    assert_eq!(desk.asks(), ["run socket"]);
    desk.down(SOCKET);
    assert_eq!(desk.asks(), Vec::<String>::new());
}

#[test]
fn another_journal_is_neither_used_nor_believed() {
    let mut desk = Desk::new(&[SOCKET, TRIGGER]);
    desk.up(SOCKET);
    desk.welcome(TRIGGER, 2, 5);
    desk.news(TRIGGER, LayerEvent::Alive { rtt: RTT });
    desk.submit(1);
    desk.down(SOCKET);
    assert_eq!(desk.asks(), Vec::<String>::new());
    desk.state(TRIGGER, Journal::Absent);
    assert_eq!(desk.word(1), Some("unsure"));
}

#[test]
fn a_journal_that_was_replaced_proves_nothing() {
    let mut desk = Desk::open(&[SOCKET]);
    desk.submit(1);
    desk.down(SOCKET);
    desk.welcome(SOCKET, 2, 5);
    desk.news(SOCKET, LayerEvent::Alive { rtt: RTT });
    desk.state(SOCKET, Journal::Absent);
    assert_eq!(desk.word(1), Some("unsure"), "once may be an old answer");
    for _ in 0..2 {
        desk.pass(Duration::from_millis(500));
        desk.state(SOCKET, Journal::Absent);
    }
    assert_eq!(desk.kept(), ["unknown"]);
}

#[test]
fn a_blocked_road_does_not_lower_the_guard_of_a_command() {
    let mut desk = Desk::open(&[SOCKET, TMUX, EXEC]);
    desk.rule(CommandRule { at_once: None, weakest: Some(TMUX) });
    desk.submit(1);
    desk.asked(Err(NotDelivered::NeverSent("refused".into())));
    assert_eq!(desk.asks(), ["run tmux"]);
    desk.asked(Err(NotDelivered::NeverSent("refused".into())));
    assert_eq!(desk.asks(), Vec::<String>::new(), "exec is too weak");
    let mut desk = Desk::open(&[TRIGGER, EXEC]);
    desk.rule(CommandRule { at_once: None, weakest: Some(TMUX) });
    desk.submit(1);
    let (rule, reason) = desk.not_run();
    assert!(rule == "layer" && reason.contains("`tmux` or stronger"), "{reason}");
}

#[test]
fn the_only_road_somebody_named_is_the_only_one() {
    let mut desk = Desk::open(&[SOCKET, EXEC]);
    let only = Job { only: Some(EXEC), ..desk.job(1) };
    desk.tell(BridgeInput::Submit(Box::new(only)));
    assert_eq!(desk.asks(), ["run exec"]);
    desk.asked(Err(NotDelivered::NeverSent("refused".into())));
    assert_eq!(desk.asks(), Vec::<String>::new());
}

#[test]
fn a_wrong_clock_keeps_what_must_not_run_twice_off_files() {
    for (class, asked) in [(Class::AtMostOnce, vec![]), (Class::Idempotent, vec!["run trigger"])] {
        let mut desk = Desk::open(&[TRIGGER]);
        let clock = desk.now + SignedDuration::from_secs(6);
        desk.hear(TRIGGER, FromAgent::Alive { nonce: 1, clock, load_percent: None, running: 0 });
        let mut job = desk.job(1);
        job.plan.class = class;
        desk.tell(BridgeInput::Submit(Box::new(job)));
        assert_eq!(desk.asks(), asked, "{class:?}");
    }
}

#[test]
fn a_road_that_is_back_carries_first_again_soon_and_at_once_where_there_is_no_other() {
    let mut desk = Desk::open(&[SOCKET, TMUX]);
    desk.down(SOCKET);
    assert_eq!(desk.bridge.carrier(&desk.job(1).plan, None), Some(TMUX));
    desk.up(SOCKET);
    assert_eq!(desk.bridge.carrier(&desk.job(1).plan, None), Some(TMUX), "it has to prove itself");
    let back = desk.now;
    while desk.bridge.carrier(&desk.job(1).plan, None) == Some(TMUX) {
        let wake = desk.bridge.next_wake().expect("it is asked");
        desk.pass(wake.duration_since(desk.now).try_into().expect("later"));
        let nonces: Vec<u64> = desk
            .effects
            .iter()
            .filter_map(|effect| match effect {
                BridgeEffect::Ask { question: ToAgent::Probe { nonce }, .. } => Some(*nonce),
                _ => None,
            })
            .collect();
        for nonce in nonces {
            desk.now += RTT;
            let clock = desk.now;
            desk.hear(SOCKET, FromAgent::Alive { nonce, clock, load_percent: None, running: 0 });
        }
    }
    let took = desk.now.duration_since(back);
    assert!(took < SignedDuration::from_secs(4), "{took}");
    // Nothing else is up: it is used at once.
    let mut desk = Desk::open(&[SOCKET]);
    desk.down(SOCKET);
    desk.submit(1);
    desk.up(SOCKET);
    assert_eq!(desk.asks(), ["run socket"]);
}

#[test]
fn a_road_that_is_back_makes_the_others_try() {
    let mut desk = Desk::open(&[SOCKET, TMUX, EXEC]);
    desk.down(SOCKET);
    desk.down(TMUX);
    desk.up(TMUX);
    let nudged: Vec<_> = desk
        .effects
        .iter()
        .filter_map(|effect| match effect {
            BridgeEffect::Nudge { kind, .. } => Some(*kind),
            _ => None,
        })
        .collect();
    assert_eq!(nudged, [SOCKET]);
}

#[test]
fn panels_say_how_roads_are_and_why() {
    let mut desk = Desk::open(&[SOCKET, TMUX]);
    desk.down(SOCKET);
    let panel = desk.effects.iter().find_map(|effect| match effect {
        BridgeEffect::Panel(panel) => Some(panel),
        _ => None,
    });
    let panel = panel.expect("a panel");
    assert_eq!((panel.active, panel.layers[0].state.clone()), (Some(TMUX), LayerState::Down));
    assert_eq!((panel.layers[0].why.as_str(), panel.layers[0].flaps), ("closed", 1));
    assert_eq!(panel.layers[1].why, "the agent answers", "figures would be another reason each time");
}
