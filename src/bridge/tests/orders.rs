//! An order on its way, its time, and how it is taken back.

use std::time::Duration;

use jiff::SignedDuration;
use uuid::Uuid;

use crate::bridge::{BridgeEffect, BridgeInput, LayerEvent, NotDelivered};
use crate::model::{ApprovalId, AuditKind, End, Job, JobState, Outcome, OutputChunk, Stream};
use crate::protocol::{FromAgent, Journal, ToAgent};

use super::desk::{Desk, EXEC, SOCKET, TMUX, done, id, started};

// The way of an order

#[test]
fn an_order_is_kept_before_it_is_sent_and_goes_over_the_first_road() {
    let mut desk = Desk::open(&[SOCKET, TMUX]);
    desk.submit(1);
    assert!(
        matches!(&desk.effects[0], BridgeEffect::Keep(job) if job.state == JobState::Sending),
        "{:?}",
        desk.effects
    );
    assert_eq!(desk.asks(), ["run socket"]);
    assert_eq!(desk.bridge.carrier(&desk.job(2).plan, None), Some(SOCKET));
}

#[test]
fn a_hard_error_takes_the_next_road_at_once_with_the_same_id() {
    let mut desk = Desk::open(&[SOCKET, TMUX, EXEC]);
    desk.submit(1);
    desk.asked(Err(NotDelivered::NeverSent("refused".into())));
    assert_eq!(desk.asks(), ["run tmux"]);
    let order = desk.effects.iter().find_map(|effect| match effect {
        BridgeEffect::Ask { question: ToAgent::Run(order), .. } => Some(order),
        _ => None,
    });
    assert_eq!(order.map(|order| order.id), Some(id(1)));
    desk.asked(Err(NotDelivered::NeverSent("refused".into())));
    assert_eq!(desk.asks(), ["run exec"]);
    let tries: Vec<_> =
        desk.bridge.job(&id(1)).expect("there").attempts.iter().map(|a| (a.layer, a.what.clone())).collect();
    assert_eq!(tries[0], (SOCKET, "not sent: refused".to_owned()));
    assert_eq!(tries.len(), 3);
}

#[test]
fn silence_is_half_a_second_or_four_round_trips_and_then_the_next_road_asks_first() {
    for (rtt, silence) in [(1, 500), (300, 1_200)] {
        let mut desk = Desk::new(&[SOCKET, TMUX]);
        desk.welcome(SOCKET, 1, 5);
        desk.news(SOCKET, LayerEvent::Alive { rtt: Duration::from_millis(rtt) });
        desk.up(TMUX);
        desk.submit(1);
        desk.asked(Ok(()));
        desk.pass(Duration::from_millis(silence - 1));
        assert_eq!(desk.asks(), Vec::<String>::new());
        desk.pass(Duration::from_millis(1));
        assert_eq!(desk.asks(), ["query tmux 0 follow"]);
        assert_eq!(desk.word(1), Some("unsure"));
    }
}

#[test]
fn what_was_handed_over_and_lost_is_asked_for_in_the_same_step() {
    let mut desk = Desk::open(&[SOCKET, TMUX]);
    desk.submit(1);
    desk.asked(Err(NotDelivered::Unknown("reset".into())));
    assert_eq!(desk.asks(), ["query tmux 0 follow"]);
    let mut desk = Desk::open(&[SOCKET, TMUX]);
    desk.submit(1);
    desk.down(SOCKET);
    assert_eq!(desk.asks(), ["query tmux 0 follow"]);
    desk.state(TMUX, Journal::Absent);
    assert_eq!(desk.asks(), ["run tmux"], "absent: the same id again");
}

#[test]
fn who_has_it_is_followed_and_its_end_is_taken_once_all_of_it_is_there() {
    let mut desk = Desk::open(&[SOCKET, TMUX]);
    desk.submit(1);
    desk.state(SOCKET, Journal::Accepted);
    assert_eq!(desk.asks(), ["query socket 0 follow"]);
    let at = desk.now;
    desk.state(SOCKET, started(at));
    assert_eq!((desk.asks(), desk.word(1)), (vec![], Some("running")));
    for seq in [0, 1, 1, 0] {
        let chunk = OutputChunk { seq, stream: Stream::Out, bytes: format!("{seq}").into_bytes() };
        desk.hear(SOCKET, FromAgent::Output { id: id(1), chunk });
        let new = desk.effects.iter().filter(|effect| matches!(effect, BridgeEffect::Output { .. })).count();
        assert_eq!(new, usize::from(desk.now == at), "a piece comes once");
        desk.now += Duration::from_millis(u64::from(seq == 1));
    }
    desk.state(SOCKET, done(at, &["0", "1"], Vec::new()));
    assert_eq!(desk.kept(), ["done"]);
    assert_eq!(desk.asks(), ["fin socket"]);
    assert_eq!(desk.last_kept().layer, Some(SOCKET));
    assert!(
        matches!(desk.effects.iter().rposition(|effect| matches!(effect, BridgeEffect::Keep(_))), Some(place)
        if matches!(&desk.effects[place + 1..], [.., BridgeEffect::Ask { question: ToAgent::Fin { .. }, .. }]
            | [.., BridgeEffect::Ask { question: ToAgent::Fin { .. }, .. }, _])),
        "kept, then said: {:?}",
        desk.effects
    );
    assert_eq!(desk.bridge.job(&id(1)), None);
}

#[test]
fn a_road_that_closes_under_a_running_job_is_replaced_from_the_next_piece_on() {
    let mut desk = Desk::open(&[SOCKET, TMUX]);
    desk.submit(1);
    let at = desk.now;
    desk.state(SOCKET, started(at));
    desk.state(SOCKET, started(at));
    for seq in 0..3 {
        let chunk = OutputChunk { seq, stream: Stream::Out, bytes: Vec::new() };
        desk.hear(SOCKET, FromAgent::Output { id: id(1), chunk });
    }
    desk.down(SOCKET);
    assert_eq!(desk.asks(), ["query tmux 3 follow"]);
    assert_eq!(desk.word(1), Some("running"));
}

#[test]
fn output_that_does_not_fit_its_hash_is_asked_for_twice_and_the_end_is_taken_all_the_same() {
    let mut desk = Desk::open(&[SOCKET]);
    desk.submit(1);
    let end = done(desk.now, &["x"], Vec::new());
    desk.state(SOCKET, end.clone());
    assert_eq!(desk.asks(), ["query socket 0 follow"]);
    desk.state(SOCKET, end.clone());
    assert_eq!(desk.asks(), ["query socket 0 follow"], "all of it again");
    desk.state(SOCKET, end.clone());
    assert_eq!(desk.kept(), ["done"]);
    assert!(desk.last_kept().attempts.last().is_some_and(|last| last.what.contains("not what the host says")));
    // Where nobody answers any more, the end is taken without the rest.
    let mut desk = Desk::open(&[SOCKET]);
    desk.submit(1);
    desk.state(SOCKET, end);
    desk.down(SOCKET);
    desk.pass(Duration::from_secs(31));
    assert_eq!(desk.kept().last().map(String::as_str), Some("done"));
}

#[test]
fn a_followed_job_that_says_nothing_is_asked_after_and_not_followed_twice() {
    let mut desk = Desk::open(&[SOCKET]);
    desk.submit(1);
    let at = desk.now;
    desk.state(SOCKET, started(at));
    desk.state(SOCKET, started(at));
    desk.pass(Duration::from_secs(15));
    assert_eq!(desk.asks(), ["query socket 0"]);
}

#[test]
fn unknown_stops_and_waits_for_a_person() {
    let mut desk = Desk::open(&[SOCKET, TMUX]);
    desk.submit(1);
    desk.state(SOCKET, Journal::Unknown { reason: "the runner is gone".into() });
    assert_eq!((desk.kept(), desk.asks()), (vec!["unknown".to_owned()], vec![]));
    assert!(desk.bridge.is_open_question(&id(1)));
    desk.pass(Duration::from_secs(100));
    assert_eq!(desk.asks(), Vec::<String>::new(), "nobody is asked any more");
    let by = "ben".parse().expect("a name");
    desk.tell(BridgeInput::Resolve { id: id(1), ran: true, by, note: Some("saw it".into()) });
    assert_eq!(desk.last_kept().state, JobState::Ended(Outcome::Done(End::Told)));
    let resolved =
        |effect: &BridgeEffect| matches!(effect, BridgeEffect::Note(note) if note.kind == AuditKind::Resolved);
    assert!(desk.effects.iter().any(resolved));
    assert_eq!(desk.bridge.job(&id(1)), None);
}

// Time that is over

#[test]
fn what_never_left_expires_and_says_why() {
    let mut desk = Desk::new(&[SOCKET]);
    desk.news(SOCKET, LayerEvent::Down { why: "connect: refused".into() });
    desk.submit(1);
    assert_eq!(desk.kept(), ["queued"]);
    let JobState::Queued { why, .. } = &desk.last_kept().state else { panic!("{:?}", desk.last_kept()) };
    assert!(why.contains("connect: refused") && why.contains("by hand"), "{why}");
    desk.pass(Duration::from_mins(1));
    let (rule, reason) = desk.not_run();
    assert!(rule == "expired" && reason.contains("within 60 s") && reason.contains("refused"), "{reason}");
}

#[test]
fn what_was_handed_over_stays_unsure_until_the_host_says_so() {
    let mut desk = Desk::open(&[SOCKET]);
    desk.submit(1);
    desk.asked(Ok(()));
    desk.down(SOCKET);
    desk.pass(Duration::from_mins(5));
    assert_eq!(desk.word(1), Some("unsure"), "silence is no evidence");
    desk.up(SOCKET);
    assert_eq!(desk.asks(), ["query socket 0 follow"]);
    desk.state(SOCKET, Journal::Absent);
    assert_eq!(desk.asks(), ["cancel socket"], "a copy may still come: it is forbidden");
    desk.state(SOCKET, Journal::NotRun { rule: "cancelled".into(), reason: String::new() });
    assert_eq!(desk.not_run().0, "expired");
    // A journal that cannot remember it is believed when its own clock starts nothing any more.
    let mut desk = Desk::open(&[SOCKET]);
    desk.submit(1);
    desk.down(SOCKET);
    desk.pass(Duration::from_secs(62));
    desk.up(SOCKET);
    desk.state(SOCKET, Journal::Absent);
    desk.state(SOCKET, Journal::Absent);
    assert_eq!(desk.word(1), Some("unsure"), "two seconds past are too few");
    let past = desk.now + Duration::from_secs(3);
    while desk.word(1).is_some() {
        desk.pass(Duration::from_millis(300));
        desk.state(SOCKET, Journal::Absent);
    }
    assert_eq!(desk.not_run().0, "expired");
    assert!(desk.now > past && desk.now < past + Duration::from_secs(20), "{}", desk.now.duration_since(past));
}

#[test]
fn late_and_started_is_followed() {
    let mut desk = Desk::open(&[SOCKET]);
    desk.submit(1);
    desk.down(SOCKET);
    desk.pass(Duration::from_secs(90));
    desk.up(SOCKET);
    let at = desk.now;
    desk.state(SOCKET, started(at));
    assert_eq!((desk.word(1), desk.asks()), (Some("running"), vec![]));
}

#[test]
fn the_deadline_goes_out_in_the_clock_of_the_host() {
    let mut desk = Desk::open(&[SOCKET]);
    let clock = desk.now + SignedDuration::from_secs(3_600);
    desk.hear(SOCKET, FromAgent::Alive { nonce: 1, clock, load_percent: None, running: 0 });
    desk.submit(1);
    let not_after = desk.effects.iter().find_map(|effect| match effect {
        BridgeEffect::Ask { question: ToAgent::Run(order), .. } => Some(order.not_after),
        _ => None,
    });
    let ahead = not_after.expect("sent").duration_since(desk.now);
    assert_eq!(ahead.as_secs(), 3_660);
}

#[test]
fn an_old_absent_is_no_answer_to_a_new_question() {
    let mut desk = Desk::open(&[SOCKET, TMUX]);
    desk.submit(1);
    desk.down(SOCKET);
    desk.pass(Duration::from_millis(600));
    assert_eq!(desk.word(1), Some("unsure"), "the first query was not answered");
    desk.pass(Duration::from_millis(300));
    assert_eq!(desk.asks(), ["query tmux 0 follow"]);
    desk.state(TMUX, Journal::Absent);
    assert_eq!(desk.asks(), ["query tmux 0 follow"], "it may answer the first");
    desk.state(TMUX, Journal::Absent);
    assert_eq!(desk.asks(), ["run tmux"]);
}

// Taken back

#[test]
fn cancelled_before_it_left_it_has_not_run() {
    let mut desk = Desk::new(&[SOCKET]);
    desk.submit(1);
    desk.cancel(1);
    let (rule, reason) = desk.not_run();
    assert_eq!((rule.as_str(), reason.as_str()), ("cancelled", "anna took it back before it started"));
    let mut desk = Desk::new(&[SOCKET]);
    let state = JobState::AwaitingApproval(ApprovalId::from_uuid(Uuid::nil()));
    let held = Job { state, ..desk.job(1) };
    desk.tell(BridgeInput::Submit(Box::new(held)));
    desk.cancel(1);
    assert_eq!(desk.not_run().0, "cancelled");
}

#[test]
fn cancelled_on_its_way_the_host_has_the_word() {
    let mut desk = Desk::open(&[SOCKET, TMUX]);
    desk.submit(1);
    desk.cancel(1);
    assert_eq!((desk.asks(), desk.word(1)), (vec!["cancel socket".to_owned()], Some("cancelling")));
    desk.down(SOCKET);
    assert_eq!(desk.asks(), ["query tmux 0 follow"]);
    desk.state(TMUX, Journal::Accepted);
    assert_eq!(desk.asks(), ["cancel tmux"]);
    desk.state(TMUX, Journal::NotRun { rule: "cancelled".into(), reason: String::new() });
    assert_eq!(desk.not_run().0, "cancelled");
}

#[test]
fn cancelled_while_it_runs_it_is_shown_until_the_host_proves_it() {
    let mut desk = Desk::open(&[SOCKET]);
    desk.submit(1);
    let at = desk.now;
    desk.state(SOCKET, started(at));
    desk.state(SOCKET, started(at));
    desk.cancel(1);
    assert_eq!((desk.asks(), desk.word(1)), (vec!["cancel socket".to_owned()], Some("cancelling")));
    desk.state(SOCKET, started(at));
    assert_eq!((desk.asks(), desk.word(1)), (vec![], Some("cancelling")));
    desk.state(SOCKET, done(at, &[], vec![12, 14]));
    assert_eq!(desk.kept(), ["done"]);
    let left = desk.last_kept().left.clone().expect("said");
    assert_eq!(left, "cancelled; these processes could not be stopped: 12, 14");
}
