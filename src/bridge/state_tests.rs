use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::model::{
    ApprovalId, AuditKind, Class, End, EngineId, HostName, Job, JobId, JobState, Lane, LayerKind, LayerState, Outcome,
    OutputChunk, OutputTotals, Plan, Risk, SpoolId, Stream,
};
use crate::protocol::{FromAgent, Journal, ToAgent};

use super::{
    Bridge, BridgeEffect, BridgeInput, Caps, CommandRule, HostSpec, LayerEvent, LayerNews, NotDelivered, Term, Ticket,
};

const RTT: Duration = Duration::from_millis(1);

/// A bridge, its host `web-1`, and a clock that only these tests move.
struct Desk {
    bridge: Bridge,
    now: Timestamp,
    effects: Vec<BridgeEffect>,
}

fn name(host: &str) -> HostName {
    host.parse().expect("a name")
}

fn id(number: u128) -> JobId {
    JobId::from_uuid(Uuid::from_u128(number))
}

fn spool(number: u128) -> SpoolId {
    SpoolId::from_uuid(Uuid::from_u128(number))
}

fn term(epoch: u64) -> Term {
    Term { engine: EngineId::from_uuid(Uuid::from_u128(1)), epoch }
}

fn started(at: Timestamp) -> Journal {
    Journal::Started { pid: 7, at }
}

fn done(at: Timestamp, pieces: &[&str], left: Vec<u32>) -> Journal {
    Journal::Done {
        end: End::Exit(0),
        started: at,
        ended: at,
        output: OutputTotals::default(),
        sha256: hex::encode(Sha256::digest(pieces.concat())),
        cut_short: (!left.is_empty()).then(|| "cancelled".to_owned()),
        left,
    }
}

impl Desk {
    fn new(layers: &[LayerKind]) -> Self {
        let now = Timestamp::from_second(1_790_000_000).expect("in range");
        let mut desk = Self { bridge: Bridge::new(term(5), 7), now, effects: Vec::new() };
        desk.rule(CommandRule::default());
        desk.tell(BridgeInput::Hosts(vec![Self::spec("web-1", layers)]));
        desk
    }

    /// All of these roads are up.
    fn open(layers: &[LayerKind]) -> Self {
        let mut desk = Self::new(layers);
        for kind in layers {
            desk.up(*kind);
        }
        desk
    }

    fn spec(host: &str, layers: &[LayerKind]) -> HostSpec {
        HostSpec { name: name(host), labels: Vec::new(), layers: layers.to_vec(), at_once: 2 }
    }

    fn rule(&mut self, rule: CommandRule) {
        let commands = BTreeMap::from([("todo".parse().expect("a name"), rule)]);
        self.tell(BridgeInput::Caps(Caps { waiting: 3, commands, ..Caps::default() }));
    }

    fn tell(&mut self, input: BridgeInput) {
        self.effects = self.bridge.apply(input, self.now);
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        let mut effects = Vec::new();
        while let Some(wake) = self.bridge.next_wake().filter(|wake| *wake <= end) {
            self.now = self.now.max(wake);
            self.tell(BridgeInput::Tick);
            effects.append(&mut self.effects);
        }
        self.now = end;
        self.effects = effects;
    }

    fn news(&mut self, kind: LayerKind, event: LayerEvent) {
        self.tell(BridgeInput::News(LayerNews { host: name("web-1"), kind, event }));
    }

    fn welcome(&mut self, kind: LayerKind, number: u128, epoch: u64) {
        let welcome = FromAgent::Welcome {
            version: 1,
            aurora: "1".into(),
            spool: spool(number),
            boot: "b".into(),
            clock: self.now,
            epoch,
            lost: Vec::new(),
        };
        self.hear(kind, welcome);
    }

    fn up(&mut self, kind: LayerKind) {
        self.welcome(kind, 1, 5);
        self.news(kind, LayerEvent::Alive { rtt: RTT });
    }

    fn down(&mut self, kind: LayerKind) {
        self.news(kind, LayerEvent::Down { why: "closed".into() });
    }

    fn hear(&mut self, kind: LayerKind, heard: FromAgent) {
        self.news(kind, LayerEvent::Heard(Box::new(heard)));
    }

    fn state(&mut self, kind: LayerKind, journal: Journal) {
        self.hear(kind, FromAgent::State { id: id(1), journal });
    }

    fn job(&self, number: u128) -> Job {
        let plan = Plan {
            host: name("web-1"),
            command: "todo".parse().expect("a name"),
            args: BTreeMap::new(),
            argv: vec!["todo".into()],
            keys: None,
            cwd: None,
            env: BTreeMap::new(),
            class: Class::AtMostOnce,
            timeout_ms: 30_000,
        };
        Job {
            id: id(number),
            hash: plan.hash(),
            plan,
            risk: Risk::Low,
            by: "anna".parse().expect("a name"),
            asked: self.now,
            not_after: self.now + Duration::from_mins(1),
            lane: Lane::Normal,
            only: None,
            rollout: None,
            state: JobState::Queued { position: 0, why: String::new() },
            layer: None,
            attempts: Vec::new(),
            started: None,
            ended: None,
            output: OutputTotals::default(),
            left: None,
            spool: None,
        }
    }

    fn submit(&mut self, number: u128) {
        let job = self.job(number);
        self.tell(BridgeInput::Submit(Box::new(job)));
    }

    fn cancel(&mut self, number: u128) {
        self.tell(BridgeInput::Cancel { id: id(number), by: "anna".parse().expect("a name") });
    }

    /// What was asked about jobs, in words: the question and the road.
    fn asks(&self) -> Vec<String> {
        let word = |effect: &BridgeEffect| match effect {
            BridgeEffect::Ask { kind, question, .. } => match question {
                ToAgent::Run(_) => Some(format!("run {kind}")),
                ToAgent::Query { from, follow, .. } => {
                    Some(format!("query {kind} {from}{}", if *follow { " follow" } else { "" }))
                }
                ToAgent::Cancel { .. } => Some(format!("cancel {kind}")),
                ToAgent::Fin { .. } => Some(format!("fin {kind}")),
                ToAgent::Hello { .. } | ToAgent::Probe { .. } | ToAgent::Watch(_) | ToAgent::Drive(_) => None,
            },
            _ => None,
        };
        self.effects.iter().filter_map(word).collect()
    }

    fn ticket(&self) -> Ticket {
        let last = |effect: &BridgeEffect| match effect {
            BridgeEffect::Ask { ticket, question, .. } if !matches!(question, ToAgent::Probe { .. }) => Some(*ticket),
            _ => None,
        };
        self.effects.iter().rev().find_map(last).expect("something was asked")
    }

    fn asked(&mut self, result: Result<(), NotDelivered>) {
        let ticket = self.ticket();
        self.tell(BridgeInput::Asked { ticket, result });
    }

    /// The jobs that were kept, with one word for how each stands.
    fn kept(&self) -> Vec<String> {
        let word = |effect: &BridgeEffect| match effect {
            BridgeEffect::Keep(job) => Some(job.state.word().to_owned()),
            _ => None,
        };
        self.effects.iter().filter_map(word).collect()
    }

    fn last_kept(&self) -> &Job {
        let kept = |effect: &'_ BridgeEffect| matches!(effect, BridgeEffect::Keep(_));
        match self.effects.iter().rev().find(|effect| kept(effect)) {
            Some(BridgeEffect::Keep(job)) => job,
            _ => panic!("nothing was kept: {:?}", self.effects),
        }
    }

    fn not_run(&self) -> (String, String) {
        match &self.last_kept().state {
            JobState::Ended(Outcome::NotRun { rule, reason }) => (rule.clone(), reason.clone()),
            other => panic!("{other:?}"),
        }
    }

    fn word(&self, number: u128) -> Option<&'static str> {
        self.bridge.job(&id(number)).map(|job| job.state.word())
    }
}

const SOCKET: LayerKind = LayerKind::Socket;
const TMUX: LayerKind = LayerKind::Tmux;
const TRIGGER: LayerKind = LayerKind::Trigger;
const EXEC: LayerKind = LayerKind::Exec;

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
