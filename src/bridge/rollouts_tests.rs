use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::model::{
    ApprovalId, AuditKind, End, EngineId, HostName, Job, JobId, JobState, Lane, LayerKind, OutputTotals, Pace, Plan,
    Risk, Rollout, RolloutPhase, RolloutRow, SpoolId, Undoing, stages,
};
use crate::protocol::{FromAgent, Journal, ToAgent};

use super::rollouts::waits_for;
use super::{Bridge, BridgeEffect, BridgeInput, Caps, CommandRule, HostSpec, LayerEvent, LayerNews, Term};

const SOCKET: LayerKind = LayerKind::Socket;

/// A bridge with some hosts that can be reached, what it kept, and a clock that only these tests move.
struct Desk {
    bridge: Bridge,
    now: Timestamp,
    jobs: BTreeMap<JobId, Job>,
    rollout: Option<Rollout>,
    /// The orders that went out since it was last asked: the host and the command.
    sent: Vec<String>,
    looks: u32,
    notes: Vec<String>,
}

fn host(number: usize) -> HostName {
    format!("web-{number}").parse().expect("a name")
}

fn id() -> JobId {
    JobId::from_uuid(Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001))
}

fn job(number: usize) -> JobId {
    if number == 1 { id() } else { id().on(&host(number)) }
}

fn plan(host: &HostName, command: &str) -> Plan {
    Plan::sample(host.as_str(), command, &[command])
}

impl Desk {
    fn new() -> Self {
        let now = Timestamp::from_second(1_790_000_000).expect("in range");
        let mut desk = Self {
            bridge: Bridge::new(Term { engine: EngineId::from_uuid(Uuid::nil()), epoch: 5 }, 7),
            now,
            jobs: BTreeMap::new(),
            rollout: None,
            sent: Vec::new(),
            looks: 0,
            notes: Vec::new(),
        };
        desk.begin();
        desk
    }

    /// Another engine with the same store, which has heard of all its hosts.
    fn restart(&mut self) {
        self.restart_unheard();
        self.reach();
    }

    /// Another engine with the same store, which has heard of no host yet.
    fn restart_unheard(&mut self) {
        self.bridge = Bridge::new(Term { engine: EngineId::from_uuid(Uuid::nil()), epoch: 6 }, 8);
        self.configure();
        let jobs: Vec<Job> = self.jobs.values().cloned().collect();
        let open = jobs.iter().filter(|job| job.state.outcome().is_none()).cloned().collect();
        let rollouts = self.rollout.clone().filter(|rollout| rollout.row.ended.is_none());
        self.tell(BridgeInput::Rollouts(rollouts.into_iter().map(|rollout| (rollout, jobs.clone())).collect()));
        self.tell(BridgeInput::Known(open));
    }

    fn begin(&mut self) {
        self.configure();
        self.reach();
    }

    fn configure(&mut self) {
        let rule = |name: &str| (name.parse().expect("a name"), CommandRule::default());
        self.tell(BridgeInput::Caps(Caps { commands: [rule("deploy"), rule("undeploy")].into(), ..Caps::default() }));
        let spec = |n| HostSpec { name: host(n), labels: Vec::new(), layers: vec![SOCKET], at_once: 4 };
        self.tell(BridgeInput::Hosts((1..=5).map(spec).collect()));
    }

    fn reach(&mut self) {
        for number in 1..=5 {
            let welcome = FromAgent::Welcome {
                version: 1,
                aurora: "1".into(),
                spool: SpoolId::from_uuid(Uuid::from_u128(number as u128)),
                boot: "b".into(),
                clock: self.now,
                epoch: 5,
                lost: Vec::new(),
            };
            self.news(number, LayerEvent::Heard(Box::new(welcome)));
            self.news(number, LayerEvent::Alive { rtt: Duration::from_millis(1) });
        }
    }

    fn news(&mut self, number: usize, event: LayerEvent) {
        self.tell(BridgeInput::News(LayerNews { host: host(number), kind: SOCKET, event }));
    }

    fn tell(&mut self, input: BridgeInput) {
        for effect in self.bridge.apply(input, self.now) {
            match effect {
                BridgeEffect::Keep(job) => {
                    self.jobs.insert(job.id, *job);
                }
                BridgeEffect::KeepRollout(rollout) => self.rollout = Some(*rollout),
                BridgeEffect::Ask { host, question: ToAgent::Run(order), .. } => {
                    // What an order follows from is kept before it goes.
                    let stage = self.rollout.as_ref().expect("kept").row.stage;
                    self.sent.push(format!("{host} {} {stage}", order.plan.command));
                }
                BridgeEffect::Look { .. } => self.looks += 1,
                BridgeEffect::Note(note) if note.kind == AuditKind::Changed || note.kind == AuditKind::Ended => {
                    self.notes.push(note.what);
                }
                _ => {}
            }
        }
    }

    /// What went out since this was last asked.
    fn sent(&mut self) -> Vec<String> {
        std::mem::take(&mut self.sent)
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(wake) = self.bridge.next_wake().filter(|wake| *wake <= end) {
            self.now = self.now.max(wake);
            self.tell(BridgeInput::Tick);
        }
        self.now = end;
    }

    fn roll_out(&mut self, held: bool, checks: &[&str]) {
        let hosts: Vec<HostName> = (1..=5).map(host).collect();
        let stages = stages(&hosts, 10);
        let rollout = Rollout {
            row: RolloutRow {
                id: id(),
                title: "deploy".into(),
                by: "anna".parse().expect("a name"),
                asked: self.now,
                phase: RolloutPhase::Held,
                stage: 0,
                sizes: vec![1, 1, 3],
                stopped: None,
                undone: 0,
                ended: None,
            },
            stages,
            pace: Pace::default(),
            checks: checks.iter().map(|check| check.parse().expect("an id")).collect(),
            undoing: Some(Undoing {
                plans: hosts.iter().map(|host| plan(host, "undeploy")).collect(),
                risk: Risk::Low,
            }),
            only: None,
        };
        let staged = |(number, host): (usize, &HostName)| {
            let plan = plan(host, "deploy");
            let stage = rollout.stages.iter().position(|stage| stage.contains(host)).expect("a stage");
            let held = held.then(|| JobState::AwaitingApproval(ApprovalId::from_uuid(Uuid::nil())));
            let (id, by) = (job(number), "anna".parse().expect("a name"));
            Job {
                lane: Lane::Bulk,
                rollout: Some(job(1)),
                state: held.unwrap_or_else(|| waits_for(&rollout, stage)),
                ..Job::new(id, plan, Risk::Low, by, self.now, SignedDuration::from_mins(1))
            }
        };
        let jobs: Vec<Job> = (1..).zip(&hosts).map(staged).collect();
        self.jobs = jobs.iter().map(|job| (job.id, job.clone())).collect();
        self.tell(BridgeInput::RollOut { rollout: Box::new(rollout.clone()), jobs });
    }

    /// The host says how a job ended.
    fn ends(&mut self, number: usize, job: JobId, code: i32) {
        self.ends_at(number, job, code, self.now);
    }

    fn ends_at(&mut self, number: usize, job: JobId, code: i32, ended: Timestamp) {
        let journal = Journal::Done {
            end: End::Exit(code),
            started: ended,
            ended,
            output: OutputTotals::default(),
            sha256: hex::encode(Sha256::digest("")),
            cut_short: None,
            left: Vec::new(),
        };
        self.news(number, LayerEvent::Heard(Box::new(FromAgent::State { id: job, journal })));
    }

    fn row(&self) -> &RolloutRow {
        &self.rollout.as_ref().expect("a rollout").row
    }

    fn words(&self) -> Vec<&'static str> {
        (1..=5).map(|number| self.jobs[&job(number)].state.word()).collect()
    }
}

#[test]
fn stages_go_one_after_the_other_and_what_waits_says_for_what() {
    let mut desk = Desk::new();
    desk.roll_out(false, &[]);
    assert_eq!(desk.sent(), ["web-1 deploy 1"]);
    assert_eq!(desk.words(), ["sending", "staged", "staged", "staged", "staged"]);
    let JobState::Staged { why } = &desk.jobs[&job(3)].state else { panic!("it is staged") };
    assert_eq!(why, "3 of 3, when the 2 before are well");
    // A minute is the time to start, and it counts from when its stage comes.
    desk.pass(Duration::from_mins(30));
    desk.ends(1, id(), 0);
    assert!(desk.sent().is_empty(), "it settles");
    desk.pass(Duration::from_secs(10));
    assert_eq!(desk.sent(), ["web-2 deploy 2"]);
    desk.ends(2, job(2), 0);
    desk.pass(Duration::from_secs(10));
    let mut rest = desk.sent();
    rest.sort();
    assert_eq!(rest, ["web-3 deploy 3", "web-4 deploy 3", "web-5 deploy 3"]);
    for number in 3..=5 {
        desk.ends(number, job(number), 0);
    }
    assert_eq!((desk.row().phase, desk.words()), (RolloutPhase::Over, vec!["done"; 5]));
    let told = desk.notes.iter().filter(|note| note.starts_with("rollout of deploy: stage 2 of 3, 1 host: "));
    assert_eq!(told.count(), 3, "{:?}", desk.notes);
    assert!(desk.notes.last().is_some_and(|note| note.ends_with("it went to its end")), "{:?}", desk.notes);
}

#[test]
fn what_goes_wrong_is_undone_where_it_ran_and_spared_elsewhere() {
    let mut desk = Desk::new();
    desk.roll_out(false, &[]);
    desk.ends(1, id(), 0);
    desk.pass(Duration::from_secs(10));
    desk.sent();
    desk.ends(2, job(2), 1);
    assert_eq!(desk.sent(), ["web-1 undeploy 2", "web-2 undeploy 2"]);
    assert_eq!(desk.words(), ["done", "done", "not-run", "not-run", "not-run"]);
    desk.ends(1, id().undoing_on(&host(1)), 0);
    assert_eq!(desk.row().phase, RolloutPhase::Stops);
    desk.ends(2, id().undoing_on(&host(2)), 1);
    assert_eq!((desk.row().phase, desk.row().undone), (RolloutPhase::Over, 2));
    assert_eq!(desk.row().stopped.as_deref(), Some("it went wrong on web-2"));
    assert_eq!(desk.bridge.totals().running, 0);
}

#[test]
fn a_host_that_is_not_reached_or_a_check_that_is_not_well_keeps_the_next_stage_back() {
    let mut desk = Desk::new();
    desk.roll_out(false, &[]);
    desk.ends(1, id(), 0);
    desk.news(1, LayerEvent::Down { why: "closed".into() });
    desk.pass(Duration::from_secs(13));
    assert_eq!(desk.row().phase, RolloutPhase::Looks, "two looks are not enough");
    desk.pass(Duration::from_secs(1));
    let why = desk.row().stopped.clone().expect("it stopped");
    assert!(why.starts_with("the hosts that have it are not well: no road to web-1 answers"), "{why}");
    let mut desk = Desk::new();
    desk.roll_out(false, &["shop"]);
    desk.ends(1, id(), 0);
    desk.pass(Duration::from_secs(10));
    assert_eq!((desk.looks, desk.row().phase), (1, RolloutPhase::Looks));
    desk.sent();
    desk.tell(BridgeInput::Health { rollout: id(), health: Err("check shop is critical".into()) });
    assert_eq!(desk.sent(), ["web-1 undeploy 1"]);
}

#[test]
fn one_approval_holds_all_stages_and_lets_the_first_go() {
    let mut desk = Desk::new();
    desk.roll_out(true, &[]);
    for number in 1..=5 {
        assert!(desk.sent().is_empty(), "not before all of them are let go");
        desk.tell(BridgeInput::Release(job(number)));
    }
    assert_eq!(desk.sent(), ["web-1 deploy 1"]);
    assert_eq!(desk.words()[1..], ["staged"; 4]);
    // Said again, as after a crash between the answer and its jobs.
    desk.tell(BridgeInput::Release(job(2)));
    assert!(desk.sent().is_empty());
    let mut denied = Desk::new();
    denied.roll_out(true, &[]);
    for number in 1..=5 {
        let refuse = BridgeInput::Refuse { id: job(number), rule: "approval.denied".into(), reason: String::new() };
        denied.tell(refuse);
    }
    assert_eq!((denied.row().phase, denied.sent().len()), (RolloutPhase::Over, 0));
    assert_eq!(denied.words(), ["not-run"; 5]);
}

#[test]
fn who_takes_a_job_back_stops_the_rollout_and_nothing_is_undone() {
    let mut desk = Desk::new();
    desk.roll_out(false, &[]);
    desk.sent();
    desk.tell(BridgeInput::Cancel { id: job(3), by: "ben".parse().expect("a name") });
    assert_eq!(desk.words(), ["sending", "not-run", "not-run", "not-run", "not-run"]);
    assert_eq!(desk.row().stopped.as_deref(), Some("ben took it back"));
    desk.ends(1, id(), 1);
    assert_eq!((desk.row().phase, desk.sent().len()), (RolloutPhase::Over, 0));
}

#[test]
fn an_engine_that_starts_again_goes_on_where_it_was_and_runs_nothing_twice() {
    // While the canary runs: it is asked for, and its end brings the next stage.
    let mut desk = Desk::new();
    desk.roll_out(false, &[]);
    desk.sent();
    desk.restart();
    assert!(desk.sent().is_empty(), "the host is asked first");
    desk.ends(1, id(), 0);
    desk.restart();
    desk.pass(Duration::from_secs(9));
    assert!(desk.sent().is_empty(), "it settles anew");
    desk.pass(Duration::from_secs(1));
    assert_eq!(desk.sent(), ["web-2 deploy 2"]);
    // While it is undone.
    desk.ends(2, job(2), 1);
    assert_eq!(desk.sent(), ["web-1 undeploy 2", "web-2 undeploy 2"]);
    desk.ends(1, id().undoing_on(&host(1)), 0);
    desk.restart();
    assert!(desk.sent().is_empty(), "what undoes it was sent");
    desk.ends(2, id().undoing_on(&host(2)), 0);
    assert_eq!((desk.row().phase, desk.row().undone), (RolloutPhase::Over, 2));
    // What ended while no engine ran is found over.
    desk.restart();
    assert_eq!(desk.bridge.totals().running, 0);
}

#[test]
fn a_road_that_is_away_for_a_moment_and_hosts_that_were_not_heard_yet_undo_nothing() {
    let mut desk = Desk::new();
    desk.roll_out(false, &[]);
    desk.ends(1, id(), 0);
    desk.sent();
    desk.news(1, LayerEvent::Down { why: "closed".into() });
    desk.pass(Duration::from_secs(11));
    desk.news(1, LayerEvent::Alive { rtt: Duration::from_millis(1) });
    desk.pass(Duration::from_secs(2));
    assert_eq!(desk.sent(), ["web-2 deploy 2"]);
    // An engine that starts knows of no road at first: it settles, and goes on when the host was heard.
    desk.ends(2, job(2), 0);
    desk.restart_unheard();
    desk.pass(Duration::from_secs(35));
    assert_eq!((desk.row().phase, desk.row().stopped.as_ref()), (RolloutPhase::Looks, None));
    desk.reach();
    desk.pass(Duration::from_secs(2));
    let mut rest = desk.sent();
    rest.sort();
    assert_eq!(rest, ["web-3 deploy 3", "web-4 deploy 3", "web-5 deploy 3"]);
    // One that is never heard is not waited for without end.
    let mut desk = Desk::new();
    desk.roll_out(false, &[]);
    desk.ends(1, id(), 0);
    desk.restart_unheard();
    desk.pass(Duration::from_secs(10 + 30 + 3 * 2));
    assert!(desk.row().stopped.as_ref().is_some_and(|why| why.contains("no road to web-1")), "{:?}", desk.row());
}

#[test]
fn after_a_long_absence_nothing_goes_on_and_nothing_is_undone() {
    let over = "that is too long ago to go on or to undo anything unasked: a person decides";
    // Between two stages.
    let mut desk = Desk::new();
    desk.roll_out(false, &[]);
    desk.ends(1, id(), 0);
    desk.sent();
    desk.now += Duration::from_secs(3_600 + 10);
    desk.restart();
    assert_eq!(desk.row().stopped, None, "an hour and the time to settle may pass");
    desk.now += Duration::from_secs(1);
    desk.restart();
    let why = format!("nothing went on after stage 1; {over}");
    assert_eq!((desk.row().phase, desk.row().stopped.as_ref()), (RolloutPhase::Over, Some(&why)));
    assert_eq!((desk.sent().len(), desk.words()), (0, vec!["done", "not-run", "not-run", "not-run", "not-run"]));
    // The canary went wrong while no engine ran.
    let mut desk = Desk::new();
    desk.roll_out(false, &[]);
    desk.sent();
    let ended = desk.now;
    desk.now += Duration::from_hours(60);
    desk.restart();
    desk.ends_at(1, id(), 1, ended);
    let why = format!("it went wrong on web-1; {over}");
    assert_eq!((desk.row().stopped.as_ref(), desk.row().undone), (Some(&why), 0));
    assert!(desk.sent().is_empty());
    // It was to be undone, and the engine ended before that.
    let mut desk = Desk::new();
    desk.roll_out(false, &[]);
    desk.ends(1, id(), 1);
    assert_eq!(desk.sent(), ["web-1 deploy 1", "web-1 undeploy 1"]);
    desk.jobs.remove(&id().undoing_on(&host(1)));
    desk.now += Duration::from_hours(60);
    desk.restart();
    assert_eq!(desk.row().phase, RolloutPhase::Over);
    assert!(desk.sent().is_empty());
    assert!(desk.row().stopped.as_ref().is_some_and(|why| why.ends_with(over)), "{:?}", desk.row());
}
