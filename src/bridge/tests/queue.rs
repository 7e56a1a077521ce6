//! What waits: for a person, and for its turn.

use std::time::Duration;

use uuid::Uuid;

use crate::bridge::{BridgeEffect, BridgeInput, Caps};
use crate::model::{ApprovalId, Job, JobState, LayerKind};
use crate::protocol::Journal;

use super::desk::{Desk, SOCKET, done, id};

// By hand

#[test]
fn what_a_person_may_have_pasted_is_not_said_to_have_not_run() {
    let mut desk = Desk::new(&[SOCKET]);
    desk.submit(1);
    desk.tell(BridgeInput::Shown(id(1)));
    assert_eq!(desk.kept(), ["unsure"]);
    desk.pass(Duration::from_secs(100));
    assert_eq!(desk.word(1), Some("unsure"));
    assert!(desk.bridge.is_open_question(&id(1)));
    desk.up(SOCKET);
    assert_eq!(desk.asks(), ["query socket 0 follow"], "the host knows, if it was pasted there");
    let by = "ben".parse().expect("a name");
    desk.tell(BridgeInput::Resolve { id: id(1), ran: false, by, note: None });
    assert_eq!(desk.not_run().0, "resolved");
}

#[test]
fn only_by_hand_waits_for_a_person() {
    let mut desk = Desk::open(&[SOCKET]);
    let only = Job { only: Some(LayerKind::Manual), ..desk.job(1) };
    desk.tell(BridgeInput::Submit(Box::new(only)));
    assert_eq!(desk.asks(), ["query socket 0 follow"]);
    desk.state(SOCKET, Journal::Absent);
    assert_eq!((desk.asks(), desk.word(1)), (vec![], Some("unsure")));
}

// The queue

#[test]
fn one_more_than_may_wait_is_refused_and_counted() {
    let mut desk = Desk::new(&[SOCKET]);
    for number in 1..=4 {
        desk.submit(number);
    }
    let (rule, reason) = desk.not_run();
    assert!(rule == "full" && reason.contains("3 jobs wait already"), "{reason}");
    assert_eq!((desk.bridge.totals().waiting, desk.bridge.totals().refused), (3, 1));
}

#[test]
fn the_cap_of_a_host_holds_and_the_next_goes_when_one_is_over() {
    let mut desk = Desk::open(&[SOCKET]);
    for number in 1..=3 {
        desk.submit(number);
    }
    desk.pass(Duration::from_millis(499));
    assert_eq!(desk.word(3), Some("queued"));
    let JobState::Queued { why, .. } = &desk.bridge.job(&id(3)).expect("there").state else { panic!("queued") };
    assert_eq!(why, "web-1 runs 2 of 2");
    desk.state(SOCKET, done(desk.now, &[], Vec::new()));
    assert_eq!(desk.asks(), ["fin socket", "run socket"]);
}

#[test]
fn the_same_job_again_is_told_and_not_run_again() {
    let mut desk = Desk::open(&[SOCKET]);
    desk.submit(1);
    desk.submit(1);
    assert!(matches!(&desk.effects[..], [BridgeEffect::Tell(row)] if row.id == id(1)), "{:?}", desk.effects);
}

#[test]
fn what_left_the_whitelist_or_the_configuration_does_not_run() {
    let mut desk = Desk::new(&[SOCKET]);
    desk.submit(1);
    desk.tell(BridgeInput::Caps(Caps::default()));
    assert_eq!(desk.not_run().0, "whitelist");
    let mut desk = Desk::new(&[SOCKET]);
    desk.submit(1);
    desk.tell(BridgeInput::Hosts(Vec::new()));
    assert_eq!(desk.not_run().0, "host");
    desk.submit(2);
    assert_eq!(desk.not_run().0, "host");
}

#[test]
fn an_approval_lets_go_and_the_time_counts_from_then() {
    let mut desk = Desk::open(&[SOCKET]);
    let state = JobState::AwaitingApproval(ApprovalId::from_uuid(Uuid::nil()));
    let held = Job { state, ..desk.job(1) };
    desk.tell(BridgeInput::Submit(Box::new(held)));
    assert_eq!((desk.asks(), desk.kept()), (vec![], vec!["approval".to_owned()]));
    desk.pass(Duration::from_hours(1));
    assert_eq!(desk.word(1), Some("approval"));
    desk.tell(BridgeInput::Release(id(1)));
    assert_eq!(desk.asks(), ["run socket"]);
    assert_eq!(desk.last_kept().not_after, desk.now + Duration::from_mins(1));
    desk.tell(BridgeInput::Refuse { id: id(1), rule: "denied".into(), reason: String::new() });
    assert_eq!(desk.kept(), Vec::<String>::new(), "it is too late for a no");
}
