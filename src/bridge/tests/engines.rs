//! Several engines, one that starts again, and clocks that are wrong.

use std::time::Duration;

use jiff::Timestamp;

use crate::bridge::{BridgeEffect, BridgeInput, LayerEvent, LayerNews};
use crate::model::{Job, JobState, OutputChunk, OutputTotals, Stream};
use crate::protocol::{FromAgent, Journal, ToAgent};

use super::desk::{Desk, RTT, SOCKET, TMUX, done, id, name, spool, started, term};

// Engines

#[test]
fn after_a_restart_the_host_is_asked_first_unless_nothing_had_left() {
    let states = [
        (JobState::Queued { position: 0, why: String::new() }, "run socket"),
        (JobState::Sending, "query socket 0 follow"),
        (JobState::Unsure, "query socket 0 follow"),
        (JobState::Accepted, "query socket 0 follow"),
        (JobState::Running, "query socket 0 follow"),
        (JobState::Cancelling, "query socket 0 follow"),
    ];
    for (state, asked) in states {
        let mut desk = Desk::new(&[SOCKET]);
        let job = Job { state: state.clone(), ..desk.job(1) };
        desk.tell(BridgeInput::Known(vec![job]));
        desk.up(SOCKET);
        assert_eq!(desk.asks(), [asked], "{state:?}");
        if state == JobState::Cancelling {
            desk.state(SOCKET, Journal::Accepted);
            assert_eq!(desk.asks(), ["cancel socket"], "it is still taken back");
        }
    }
}

#[test]
fn what_waited_over_a_restart_is_judged_as_a_new_job_is() {
    let mut desk = Desk::new(&[SOCKET]);
    let job = Job { only: Some(TMUX), ..desk.job(1) };
    desk.tell(BridgeInput::Known(vec![job.clone()]));
    assert_eq!(desk.not_run().0, "layer");
    desk.tell(BridgeInput::Submit(Box::new(job)));
    assert_eq!(desk.kept(), Vec::<String>::new(), "it is over already");
    let mut desk = Desk::new(&[SOCKET]);
    let job = Job { only: Some(SOCKET), ..desk.job(1) };
    desk.tell(BridgeInput::Known(vec![job]));
    desk.tell(BridgeInput::Hosts(vec![Desk::spec("web-1", &[TMUX])]));
    assert_eq!(desk.not_run().0, "layer");
}

#[test]
fn the_journal_an_order_went_to_is_remembered_over_a_restart() {
    let mut desk = Desk::open(&[SOCKET]);
    desk.submit(1);
    let job = desk.last_kept().clone();
    assert_eq!((job.spool, job.state.word()), (Some(spool(1)), "sending"));
    let mut desk = Desk::new(&[SOCKET]);
    desk.tell(BridgeInput::Known(vec![job]));
    desk.welcome(SOCKET, 2, 5);
    desk.news(SOCKET, LayerEvent::Alive { rtt: RTT });
    for _ in 0..3 {
        desk.state(SOCKET, Journal::Absent);
        assert!(!desk.asks().contains(&"run socket".to_owned()), "another journal proves nothing");
        desk.pass(Duration::from_millis(500));
    }
    assert_eq!(desk.word(1), Some("unknown"), "it may have run there, and a person decides");
}

#[test]
fn a_clock_that_cannot_be_true_stops_orders_and_nothing_else() {
    for clock in [Timestamp::MAX, Timestamp::MIN] {
        let mut desk = Desk::open(&[SOCKET]);
        desk.hear(SOCKET, FromAgent::Alive { nonce: 0, clock, load_percent: None, running: 0 });
        desk.submit(1);
        assert_eq!((desk.asks(), desk.word(1)), (vec![], Some("queued")));
        let clock = desk.now;
        desk.hear(SOCKET, FromAgent::Alive { nonce: 0, clock, load_percent: None, running: 0 });
        assert_eq!(desk.asks(), ["run socket"], "it was set right");
        desk.hear(SOCKET, FromAgent::Alive { nonce: 0, clock: Timestamp::MAX, load_percent: None, running: 0 });
        desk.pass(Duration::from_mins(10));
        assert!(desk.bridge.job(&id(1)).is_some_and(|job| job.state.outcome().is_none()));
    }
}

#[test]
fn a_term_nobody_can_have_reached_is_the_trouble_of_its_host() {
    let mut desk = Desk::open(&[SOCKET]);
    desk.welcome(SOCKET, 1, u64::MAX);
    assert!(!desk.effects.iter().any(|effect| matches!(effect, BridgeEffect::Raise(_))));
    desk.submit(1);
    assert_eq!(desk.not_run().0, "term");
    desk.welcome(SOCKET, 1, 5);
    desk.submit(2);
    assert_eq!(desk.asks(), ["run socket"]);
}

#[test]
fn numbers_that_cannot_be_kept_do_not_come_in() {
    let mut desk = Desk::open(&[SOCKET]);
    desk.submit(1);
    desk.state(SOCKET, started(desk.now));
    let chunk = |seq| OutputChunk { seq, stream: Stream::Out, bytes: Vec::new() };
    for seq in [u64::MAX, i64::MAX.unsigned_abs()] {
        desk.hear(SOCKET, FromAgent::Output { id: id(1), chunk: chunk(seq) });
        assert!(!desk.effects.iter().any(|effect| matches!(effect, BridgeEffect::Output { .. })), "{seq}");
    }
    let mut journal = done(desk.now, &[], Vec::new());
    if let Journal::Done { output, .. } = &mut journal {
        *output = OutputTotals { out: u64::MAX, err: u64::MAX, cut: 1 };
    }
    desk.state(SOCKET, journal);
    let largest = i64::MAX.unsigned_abs();
    assert_eq!(desk.last_kept().output, OutputTotals { out: largest, err: largest, cut: 1 });
}

#[test]
fn a_host_others_drove_before_is_taken_over_and_one_that_was_taken_is_given_up() {
    let mut desk = Desk::new(&[SOCKET]);
    desk.welcome(SOCKET, 1, 9);
    assert!(desk.effects.contains(&BridgeEffect::Raise(10)), "{:?}", desk.effects);
    desk.tell(BridgeInput::Term(term(10)));
    desk.welcome(SOCKET, 1, 10);
    desk.news(SOCKET, LayerEvent::Alive { rtt: RTT });
    desk.submit(1);
    assert_eq!(desk.asks(), ["run socket"]);
    desk.welcome(SOCKET, 1, 11);
    assert!(!desk.effects.iter().any(|effect| matches!(effect, BridgeEffect::Raise(_))), "it does not fight");
    desk.submit(2);
    let (rule, reason) = desk.not_run();
    assert!(rule == "fenced" && reason.contains("term 11"), "{reason}");
}

#[test]
fn two_engines_of_one_term_do_not_both_drive() {
    let mut desk = Desk::open(&[SOCKET]);
    desk.submit(1);
    desk.hear(
        SOCKET,
        FromAgent::Refused { id: id(1), rule: "fenced".into(), reason: "another engine".into(), term: None },
    );
    assert!(desk.effects.contains(&BridgeEffect::Raise(6)), "{:?}", desk.effects);
    desk.tell(BridgeInput::Term(term(6)));
    desk.pass(Duration::from_millis(250));
    assert_eq!(desk.asks(), ["run socket"], "the first was refused before anything was written");
}

#[test]
fn a_refusal_ends_it_unless_another_copy_may_be_there() {
    let refused =
        || FromAgent::Refused { id: id(1), rule: "whitelist".into(), reason: "no such command".into(), term: None };
    let mut desk = Desk::open(&[SOCKET, TMUX]);
    desk.submit(1);
    desk.hear(SOCKET, refused());
    assert_eq!(desk.not_run(), ("whitelist".to_owned(), "no such command".to_owned()));
    let mut desk = Desk::open(&[SOCKET, TMUX]);
    desk.submit(1);
    desk.down(SOCKET);
    desk.state(TMUX, Journal::Absent);
    desk.hear(TMUX, refused());
    assert_eq!(desk.asks(), ["cancel tmux"], "the first may still come");
    desk.state(TMUX, Journal::NotRun { rule: "cancelled".into(), reason: String::new() });
    assert_eq!(desk.not_run().0, "whitelist");
}

#[test]
fn what_another_host_says_of_a_job_does_not_count() {
    let mut desk = Desk::open(&[SOCKET]);
    desk.tell(BridgeInput::Hosts(vec![Desk::spec("web-1", &[SOCKET]), Desk::spec("web-2", &[SOCKET])]));
    desk.submit(1);
    let journal = done(desk.now, &[], Vec::new());
    let heard = FromAgent::State { id: id(1), journal };
    let event = LayerEvent::Heard(Box::new(heard));
    desk.tell(BridgeInput::News(LayerNews { host: name("web-2"), kind: SOCKET, event }));
    assert_eq!(desk.word(1), Some("sending"));
}

#[test]
fn a_host_that_refuses_every_term_is_left_to_whoever_drives_it() {
    let mut desk = Desk::open(&[SOCKET]);
    let raises = |desk: &Desk| -> Vec<u64> {
        let raise = |effect: &BridgeEffect| match effect {
            BridgeEffect::Raise(to) => Some(*to),
            _ => None,
        };
        desk.effects.iter().filter_map(raise).collect()
    };
    desk.submit(1);
    for (served, raised) in [(40, 41), (41, 42), (50, 51)] {
        let refused =
            FromAgent::Refused { id: id(1), rule: "fenced".into(), reason: "another".into(), term: Some(served) };
        desk.hear(SOCKET, refused);
        assert_eq!(raises(&desk), [raised], "at once above the term that is served");
        desk.tell(BridgeInput::Term(term(raised)));
        desk.pass(Duration::from_secs(8));
    }
    let refused = FromAgent::Refused { id: id(1), rule: "fenced".into(), reason: "another".into(), term: Some(60) };
    desk.hear(SOCKET, refused);
    assert!(raises(&desk).is_empty());
    assert_eq!(desk.not_run().0, "fenced");
}

// The clock of this machine

const HOUR: Duration = Duration::from_hours(1);

#[test]
fn a_clock_that_was_put_back_keeps_nobody_waiting() {
    // For an answer.
    let mut desk = Desk::open(&[SOCKET, TMUX]);
    desk.submit(1);
    desk.asked(Ok(()));
    desk.now -= HOUR;
    desk.tell(BridgeInput::Tick);
    assert!(desk.asks().is_empty());
    desk.pass(Duration::from_millis(500));
    assert_eq!(desk.asks(), ["query tmux 0 follow"]);
    // For the end of a job that is followed.
    desk.state(TMUX, started(desk.now));
    desk.now -= HOUR;
    desk.tell(BridgeInput::Tick);
    desk.pass(Duration::from_secs(15));
    assert_eq!(desk.asks(), ["query tmux 0"]);
    // For a road that has to prove itself.
    desk.down(SOCKET);
    desk.news(SOCKET, LayerEvent::Alive { rtt: RTT });
    desk.now -= HOUR;
    desk.tell(BridgeInput::Tick);
    desk.pass(Duration::from_secs(1));
    let probes = desk
        .effects
        .iter()
        .filter(|effect| matches!(effect, BridgeEffect::Ask { kind: SOCKET, question: ToAgent::Probe { .. }, .. }));
    assert!(probes.count() > 0, "{:?}", desk.effects);
}

#[test]
fn a_clock_that_was_put_back_leaves_the_time_to_start_as_it_was() {
    let mut desk = Desk::new(&[SOCKET]);
    desk.submit(1);
    desk.pass(Duration::from_secs(30));
    desk.tell(BridgeInput::Tick);
    desk.now -= HOUR;
    desk.tell(BridgeInput::Tick);
    desk.pass(Duration::from_secs(29));
    assert_eq!(desk.word(1), Some("queued"));
    desk.pass(Duration::from_secs(2));
    let (rule, reason) = desk.not_run();
    assert!(rule == "expired" && reason.starts_with("it was not started in time: no road to web-1"), "{reason}");
    // The host's clock was not put back: what is sent now names the same moment to it.
    let mut desk = Desk::open(&[SOCKET]);
    desk.now -= HOUR;
    desk.submit(1);
    let sent = desk.effects.iter().find_map(|effect| match effect {
        BridgeEffect::Ask { question: ToAgent::Run(order), .. } => Some(order.not_after),
        _ => None,
    });
    assert_eq!(sent, Some(desk.now + HOUR + Duration::from_mins(1)));
}
