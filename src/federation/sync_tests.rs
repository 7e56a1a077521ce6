//! What is asked of whom, and what follows from the answers.

use std::time::Duration;

use uuid::Uuid;

use crate::model::{ChainHash, EpochId, Origin};
use crate::protocol::{PAGE_EVENTS, PageRefusal, WAIT_MAX};
use crate::store::LogEnd;

use super::conformance::name;
use super::{Fetched, Outcome, Question, Sync, SyncEffect};

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn epoch(n: u128) -> EpochId {
    EpochId::from_uuid(Uuid::from_u128(n))
}

fn end(node: &str, life: u128, seq: u64) -> LogEnd {
    LogEnd { origin: Origin { node: name(node), epoch: epoch(life) }, seq, hash: ChainHash::from_bytes([1; 32]) }
}

/// Follows these nodes, each held up to 10 in life 5, over links to those.
fn sync(origins: &[&str], peers: &[&str]) -> Sync {
    let mut sync = Sync::default();
    for peer in peers {
        sync.add_peer(name(peer));
        sync.reachable(&name(peer), true);
    }
    for origin in origins {
        sync.follow(name(origin), Some(end(origin, 5, 10)));
    }
    sync
}

fn asked(questions: &[Question]) -> Vec<(&str, &str, u64)> {
    assert!(questions.iter().all(|question| question.ask().limit == PAGE_EVENTS));
    questions.iter().map(|q| (q.follows.origin.as_str(), q.peer.as_str(), q.follows.after)).collect()
}

fn heard(sync: &mut Sync, question: &Question, outcome: Outcome, now: Duration) -> Vec<SyncEffect> {
    sync.heard(question, &Fetched { outcome, bytes: 1_000 }, now, 1.0)
}

fn offered(sync: &mut Sync, peer: &str, origin: &str, high: u64) {
    sync.offered(&name(peer), &name(origin), Some(epoch(5)), high, at(0));
}

fn one(sync: &mut Sync, now: Duration) -> Question {
    let mut questions = sync.next(now);
    assert_eq!(questions.len(), 1, "{questions:?}");
    questions.remove(0)
}

fn taken(node: &str, seq: u64, high: u64) -> Outcome {
    Outcome::Taken { events: Vec::new(), end: end(node, 5, seq), gap: None, high }
}

#[test]
fn the_node_itself_is_asked_first_and_a_relay_while_it_does_not_answer() {
    let mut sync = sync(&["a"], &["a", "hub"]);
    offered(&mut sync, "hub", "a", 20);
    let question = one(&mut sync, at(0));
    assert_eq!((question.peer.as_str(), question.wait, question.follows.after), ("a", WAIT_MAX, 10));
    assert!(sync.next(at(0)).is_empty(), "one question a log");
    assert!(heard(&mut sync, &question, Outcome::Unreachable("no route".into()), at(1)).is_empty());
    assert_eq!(sync.standing(&name("a"), at(1)).expect("known").trouble.as_deref(), Some("no route"));
    let relayed = one(&mut sync, at(1));
    assert_eq!(relayed.peer.as_str(), "hub");
    heard(&mut sync, &relayed, taken("a", 20, 20), at(1));
    sync.reachable(&name("a"), false);
    sync.reachable(&name("a"), true);
    assert_eq!(asked(&sync.next(at(1))), [("a", "a", 20)], "it is heard again, and its pause is over");
}

#[test]
fn a_relay_of_many_logs_is_asked_for_one_after_the_other_and_only_for_what_has_grown() {
    let far: Vec<String> = (0..9).map(|n| format!("far-{n}")).collect();
    let origins: Vec<&str> = far.iter().map(String::as_str).chain(["hub"]).collect();
    let mut sync = sync(&origins, &["hub"]);
    for origin in &far {
        offered(&mut sync, "hub", origin, 10);
    }
    for origin in &far[..2] {
        offered(&mut sync, "hub", origin, 30);
    }
    let questions = sync.next(at(0));
    assert_eq!(asked(&questions), [("far-0", "hub", 10), ("hub", "hub", 10)], "its own and one other");
    assert_eq!(questions[0].wait, 0, "another one waits");
    heard(&mut sync, &questions[0], taken("far-0", 15, 30), at(0));
    let second = one(&mut sync, at(0));
    assert_eq!(second.follows.origin.as_str(), "far-1", "in turn");
    heard(&mut sync, &second, taken("far-1", 30, 30), at(0));
    let third = one(&mut sync, at(0));
    assert_eq!((third.follows.origin.as_str(), third.follows.after), ("far-0", 15));
    heard(&mut sync, &third, taken("far-0", 30, 30), at(0));
    assert!(sync.next(at(0)).is_empty());
    offered(&mut sync, "hub", "far-8", 11);
    assert_eq!(asked(&sync.next(at(0))), [("far-8", "hub", 10)]);
}

#[test]
fn a_few_logs_are_waited_for_at_their_relay() {
    let mut sync = sync(&["a", "b", "hub"], &["hub"]);
    for origin in ["a", "b"] {
        offered(&mut sync, "hub", origin, 10);
    }
    let questions = sync.next(at(0));
    assert_eq!(asked(&questions), [("a", "hub", 10), ("b", "hub", 10), ("hub", "hub", 10)]);
    assert!(questions.iter().all(|question| question.wait == WAIT_MAX));
    heard(&mut sync, &questions[0], Outcome::Nothing { epoch: epoch(5), high: 10 }, at(25));
    assert_eq!(asked(&sync.next(at(25))), [("a", "hub", 10)]);
}

#[test]
fn failures_make_pauses_and_an_open_circuit_lets_one_question_through() {
    let mut sync = sync(&["a", "b"], &["a"]);
    offered(&mut sync, "a", "b", 20);
    let mut now = at(0);
    for _ in 0..6 {
        let questions = sync.next(now);
        assert!(!questions.is_empty());
        for question in &questions {
            heard(&mut sync, question, Outcome::Unusable("nonsense".into()), now);
        }
        let wakes = sync.wakes(now).expect("a pause");
        assert!(sync.next(now).is_empty() && wakes > now && wakes <= now + at(60));
        now = wakes;
    }
    assert_eq!(sync.next(now).len(), 1, "one is tried");
    // Being there makes up for no nonsense.
    sync.reachable(&name("a"), false);
    sync.reachable(&name("a"), true);
    assert!(sync.next(now).is_empty());
}

#[test]
fn what_one_node_says_of_another_life_is_tried_there_only() {
    let mut sync = sync(&["a"], &["a", "hub"]);
    sync.reachable(&name("a"), false);
    offered(&mut sync, "hub", "a", 30);
    let question = one(&mut sync, at(0));
    let other = |life| Outcome::Refused(PageRefusal::OtherEpoch { epoch: epoch(life), low: 1, high: 9 });
    heard(&mut sync, &question, other(9), at(0));
    let tried = one(&mut sync, at(0));
    assert_eq!((tried.peer.as_str(), tried.follows.epoch, tried.follows.after), ("hub", Some(epoch(9)), 0));
    heard(&mut sync, &tried, Outcome::Unreachable("gone".into()), at(0));
    sync.reachable(&name("a"), true);
    let direct = one(&mut sync, at(0));
    assert_eq!((direct.peer.as_str(), direct.follows.epoch, direct.follows.after), ("a", Some(epoch(5)), 10));
    // An earlier life is none to go back to.
    heard(&mut sync, &direct, other(3), at(0));
    let trouble = sync.standing(&name("a"), at(0)).expect("known").trouble.expect("a reason");
    assert!(trouble.contains("earlier life"), "{trouble}");
    // The same life that was asked for is no other one.
    let again = one(&mut sync, at(60));
    heard(&mut sync, &again, other(5), at(60));
    assert!(sync.standing(&name("a"), at(60)).expect("known").trouble.expect("a reason").contains("no sense"));
}

#[test]
fn nobody_gives_up_entries_because_a_relay_has_swept_them() {
    let gone = || Outcome::Refused(PageRefusal::Gone { low: 50, before: ChainHash::from_bytes([2; 32]) });
    // The origin itself may come back with them.
    let mut linked = sync(&["a"], &["a", "hub"]);
    linked.reachable(&name("a"), false);
    offered(&mut linked, "hub", "a", 60);
    let question = one(&mut linked, at(0));
    heard(&mut linked, &question, gone(), at(0));
    offered(&mut linked, "hub", "a", 61);
    assert!(linked.next(at(100)).is_empty());
    linked.reachable(&name("a"), true);
    assert_eq!(asked(&linked.next(at(100))), [("a", "a", 10)]);
    // Another relay may have them; when none has, they are gone.
    let mut relayed = sync(&["a"], &["hub", "rim"]);
    offered(&mut relayed, "hub", "a", 61);
    offered(&mut relayed, "rim", "a", 60);
    for relay in ["hub", "rim"] {
        let question = one(&mut relayed, at(0));
        assert_eq!((question.peer.as_str(), question.follows.skips), (relay, false));
        heard(&mut relayed, &question, gone(), at(0));
    }
    let last = relayed.next(at(0)).into_iter().chain(relayed.next(at(1))).next().expect("a question");
    let last = if last.follows.skips {
        last
    } else {
        heard(&mut relayed, &last, gone(), at(1));
        one(&mut relayed, at(1))
    };
    assert!(last.follows.skips && last.follows.after == 49 && last.follows.missed == 49);
    // What makes no sense is not believed.
    for low in [0, 5, 11, u64::MAX] {
        let mut sync = sync(&["a"], &["a"]);
        let question = one(&mut sync, at(0));
        let gone = PageRefusal::Gone { low, before: ChainHash::BEGINNING };
        heard(&mut sync, &question, Outcome::Refused(gone), at(0));
        assert!(sync.standing(&name("a"), at(0)).expect("known").trouble.is_some(), "{low}");
    }
}

#[test]
fn who_may_only_observe_is_asked_for_nobody_s_log() {
    let mut sync = sync(&["a", "hub"], &["hub"]);
    offered(&mut sync, "hub", "a", 20);
    sync.unfollow(&name("hub"));
    assert!(sync.next(at(0)).is_empty());
}

#[test]
fn a_quarantined_node_is_asked_for_nothing_until_it_is_followed_again() {
    let mut sync = sync(&["a", "hub", "b"], &["hub", "b"]);
    offered(&mut sync, "hub", "a", 30);
    let questions = sync.next(at(0));
    assert_eq!(asked(&questions), [("a", "hub", 10), ("b", "b", 10), ("hub", "hub", 10)]);
    let effects = heard(&mut sync, &questions[0], Outcome::Broken("it lied".into()), at(0));
    assert_eq!(effects, [SyncEffect::Quarantine { node: name("hub"), why: "it lied".into() }]);
    for question in &questions[1..] {
        heard(&mut sync, question, Outcome::Nothing { epoch: epoch(5), high: 10 }, at(25));
    }
    assert_eq!(asked(&sync.next(at(300))), [("b", "b", 10)], "the others go on");
    sync.follow(name("hub"), Some(end("hub", 5, 10)));
    offered(&mut sync, "hub", "a", 30);
    assert_eq!(asked(&sync.next(at(300))), [("hub", "hub", 10), ("a", "hub", 10)]);
    let effects = {
        let mut sync = self::sync(&["a", "hub"], &["hub"]);
        offered(&mut sync, "hub", "a", 30);
        let question = sync.next(at(0)).remove(0);
        heard(&mut sync, &question, Outcome::Forked("two logs".into()), at(0))
    };
    assert_eq!(effects, [SyncEffect::Quarantine { node: name("a"), why: "two logs".into() }], "both are signed");
}

#[test]
fn a_question_nobody_answers_is_given_up_and_a_late_answer_does_no_harm() {
    let mut sync = sync(&["a"], &["a"]);
    let lost = one(&mut sync, at(0));
    assert!(sync.next(at(89)).is_empty());
    assert_eq!(sync.wakes(at(89)), Some(at(90)));
    let second = one(&mut sync, at(90));
    assert!(heard(&mut sync, &lost, Outcome::Broken("late".into()), at(91)).is_empty());
    heard(&mut sync, &second, taken("a", 12, 12), at(91));
    assert_eq!(asked(&sync.next(at(91))), [("a", "a", 12)]);
}

#[test]
fn who_answers_too_early_or_too_much_is_asked_less_and_the_others_go_on() {
    let mut sync = sync(&["a", "b"], &["a", "b"]);
    let questions = sync.next(at(0));
    let early = Outcome::Nothing { epoch: epoch(5), high: 10 };
    heard(&mut sync, &questions[0], early, at(0));
    assert!(sync.next(at(0)).is_empty());
    let huge = Fetched { outcome: taken("b", 11, 99), bytes: 48 << 20 };
    sync.heard(&questions[1], &huge, at(0), 1.0);
    assert_eq!(asked(&sync.next(at(1))), [("a", "a", 10)], "the other one rests for what it sent");
    assert_eq!(asked(&sync.next(at(3))), [("b", "b", 11)]);
}

#[test]
fn how_far_a_log_goes_says_its_origin_and_how_fast_it_comes_the_last_minute() {
    let mut sync = sync(&["a"], &["a", "hub"]);
    offered(&mut sync, "hub", "a", 4_000_000);
    let standing = |sync: &Sync, now| sync.standing(&name("a"), at(now)).expect("known");
    assert_eq!(standing(&sync, 0).high, 4_000_000, "as long as nobody knows better");
    offered(&mut sync, "a", "a", 12);
    assert_eq!((standing(&sync, 0).high, standing(&sync, 0).behind_since), (12, Some(at(0))));
    let question = one(&mut sync, at(1));
    let events = super::chain_tests::page(10, 2, 0).0.events;
    heard(&mut sync, &question, Outcome::Taken { events, end: end("a", 5, 12), gap: None, high: 12 }, at(30));
    let now = standing(&sync, 40);
    assert_eq!((now.applied, now.behind_since, now.rate, now.trouble), (12, None, 2, None));
    assert_eq!(standing(&sync, 100).rate, 0);
    assert!(sync.standing(&name("nobody"), at(0)).is_none());
}
