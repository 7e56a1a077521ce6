//! The desk of these tests: a bridge, one host, and a clock that only they move.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::bridge::{
    Bridge, BridgeEffect, BridgeInput, Caps, CommandRule, HostSpec, LayerEvent, LayerNews, NotDelivered, Term, Ticket,
};
use crate::model::{
    End, EngineId, HostName, Job, JobId, JobState, LayerKind, Outcome, OutputTotals, Plan, Risk, SpoolId,
};
use crate::protocol::{FromAgent, Journal, ToAgent};

pub(super) const RTT: Duration = Duration::from_millis(1);

/// A bridge, its host `web-1`, and a clock that only these tests move.
pub(super) struct Desk {
    pub(super) bridge: Bridge,
    pub(super) now: Timestamp,
    pub(super) effects: Vec<BridgeEffect>,
}

pub(super) fn name(host: &str) -> HostName {
    host.parse().expect("a name")
}

pub(super) fn id(number: u128) -> JobId {
    JobId::from_uuid(Uuid::from_u128(number))
}

pub(super) fn spool(number: u128) -> SpoolId {
    SpoolId::from_uuid(Uuid::from_u128(number))
}

pub(super) fn term(epoch: u64) -> Term {
    Term { engine: EngineId::from_uuid(Uuid::from_u128(1)), epoch }
}

pub(super) fn started(at: Timestamp) -> Journal {
    Journal::Started { pid: 7, at }
}

pub(super) fn done(at: Timestamp, pieces: &[&str], left: Vec<u32>) -> Journal {
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
    pub(super) fn new(layers: &[LayerKind]) -> Self {
        let now = Timestamp::from_second(1_790_000_000).expect("in range");
        let mut desk = Self { bridge: Bridge::new(term(5), 7), now, effects: Vec::new() };
        desk.rule(CommandRule::default());
        desk.tell(BridgeInput::Hosts(vec![Self::spec("web-1", layers)]));
        desk
    }

    /// All of these roads are up.
    pub(super) fn open(layers: &[LayerKind]) -> Self {
        let mut desk = Self::new(layers);
        for kind in layers {
            desk.up(*kind);
        }
        desk
    }

    pub(super) fn spec(host: &str, layers: &[LayerKind]) -> HostSpec {
        HostSpec { name: name(host), labels: Vec::new(), layers: layers.to_vec(), at_once: 2 }
    }

    pub(super) fn rule(&mut self, rule: CommandRule) {
        let commands = BTreeMap::from([("todo".parse().expect("a name"), rule)]);
        self.tell(BridgeInput::Caps(Caps { waiting: 3, commands, ..Caps::default() }));
    }

    pub(super) fn tell(&mut self, input: BridgeInput) {
        self.effects = self.bridge.apply(input, self.now);
    }

    pub(super) fn pass(&mut self, time: Duration) {
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

    pub(super) fn news(&mut self, kind: LayerKind, event: LayerEvent) {
        self.tell(BridgeInput::News(LayerNews { host: name("web-1"), kind, event }));
    }

    pub(super) fn welcome(&mut self, kind: LayerKind, number: u128, epoch: u64) {
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

    pub(super) fn up(&mut self, kind: LayerKind) {
        self.welcome(kind, 1, 5);
        self.news(kind, LayerEvent::Alive { rtt: RTT });
    }

    pub(super) fn down(&mut self, kind: LayerKind) {
        self.news(kind, LayerEvent::Down { why: "closed".into() });
    }

    pub(super) fn hear(&mut self, kind: LayerKind, heard: FromAgent) {
        self.news(kind, LayerEvent::Heard(Box::new(heard)));
    }

    pub(super) fn state(&mut self, kind: LayerKind, journal: Journal) {
        self.hear(kind, FromAgent::State { id: id(1), journal });
    }

    pub(super) fn job(&self, number: u128) -> Job {
        let plan = Plan::sample("web-1", "todo", &["todo"]);
        let by = "anna".parse().expect("a name");
        Job::new(id(number), plan, Risk::Low, by, self.now, SignedDuration::from_mins(1))
    }

    pub(super) fn submit(&mut self, number: u128) {
        let job = self.job(number);
        self.tell(BridgeInput::Submit(Box::new(job)));
    }

    pub(super) fn cancel(&mut self, number: u128) {
        self.tell(BridgeInput::Cancel { id: id(number), by: "anna".parse().expect("a name") });
    }

    /// What was asked about jobs, in words: the question and the road.
    pub(super) fn asks(&self) -> Vec<String> {
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

    pub(super) fn ticket(&self) -> Ticket {
        let last = |effect: &BridgeEffect| match effect {
            BridgeEffect::Ask { ticket, question, .. } if !matches!(question, ToAgent::Probe { .. }) => Some(*ticket),
            _ => None,
        };
        self.effects.iter().rev().find_map(last).expect("something was asked")
    }

    pub(super) fn asked(&mut self, result: Result<(), NotDelivered>) {
        let ticket = self.ticket();
        self.tell(BridgeInput::Asked { ticket, result });
    }

    /// The jobs that were kept, with one word for how each stands.
    pub(super) fn kept(&self) -> Vec<String> {
        let word = |effect: &BridgeEffect| match effect {
            BridgeEffect::Keep(job) => Some(job.state.word().to_owned()),
            _ => None,
        };
        self.effects.iter().filter_map(word).collect()
    }

    pub(super) fn last_kept(&self) -> &Job {
        let kept = |effect: &'_ BridgeEffect| matches!(effect, BridgeEffect::Keep(_));
        match self.effects.iter().rev().find(|effect| kept(effect)) {
            Some(BridgeEffect::Keep(job)) => job,
            _ => panic!("nothing was kept: {:?}", self.effects),
        }
    }

    pub(super) fn not_run(&self) -> (String, String) {
        match &self.last_kept().state {
            JobState::Ended(Outcome::NotRun { rule, reason }) => (rule.clone(), reason.clone()),
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn word(&self, number: u128) -> Option<&'static str> {
        self.bridge.job(&id(number)).map(|job| job.state.word())
    }
}

pub(super) const SOCKET: LayerKind = LayerKind::Socket;
pub(super) const TMUX: LayerKind = LayerKind::Tmux;
pub(super) const TRIGGER: LayerKind = LayerKind::Trigger;
pub(super) const EXEC: LayerKind = LayerKind::Exec;
