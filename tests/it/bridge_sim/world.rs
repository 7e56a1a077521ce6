//! One run: the engine's side, the roads, and what must hold at the end.

use std::collections::BTreeMap;
use std::time::Duration;

use aurora::bridge::{
    Bridge, BridgeEffect, BridgeInput, Caps, CommandRule, HostSpec, LayerEvent, LayerNews, NotDelivered, Term, Ticket,
};
use aurora::model::{Class, End, EngineId, HostName, Job, JobId, JobState, LayerKind, Outcome, Plan, Risk, SpoolId};
use aurora::protocol::{AGENT_VERSION, FromAgent, ToAgent};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::chance::Chance;
use super::fault::{Fault, Kind, Point};
use super::host::{Host, Listener, Truth};
use super::road::Road;

/// A rule that is broken on purpose, to see that it is found out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutation {
    None,
    /// Failover sends the order again, as a new one, without asking first.
    NaiveFailover,
    /// The journal lets a second copy in.
    ForgetfulJournal,
    /// The engine forgets at a restart what it has sent.
    ForgetfulEngine,
}

/// What came of a run.
pub struct Run {
    /// What struck, in this order.
    pub struck: Vec<(Point, Kind)>,
    /// How each job ended.
    pub ends: Vec<Outcome>,
    /// What did not hold.
    pub broken: Vec<String>,
}

/// What happens next.
#[derive(Debug, Clone)]
pub enum Event {
    Submit(Box<Job>),
    Cancel(JobId),
    EngineStarts,
    /// A road is open.
    Opened(LayerKind),
    /// The layer's own probe.
    Beat(LayerKind, u64),
    /// A road is lost.
    Lost(LayerKind, u64, &'static str),
    Asked(u32, Ticket, Result<(), NotDelivered>),
    /// A question is at the host.
    Arrives(Listener, Box<ToAgent>),
    /// The agent goes on with an order whose directory is made.
    Accepts(Listener, JobId),
    Starts(JobId, u32),
    Execs(JobId, u32),
    Writes(JobId, u32),
    Finishes(JobId, u32),
    Heard(Listener, Box<FromAgent>),
    /// An agent is there again and goes on with what was accepted.
    AgentBack,
}

pub struct World {
    pub chance: Chance,
    pub now: Timestamp,
    begin: Timestamp,
    agenda: BTreeMap<(Timestamp, u64), Event>,
    count: u64,
    bridge: Option<Bridge>,
    /// Counts engines: what was asked by one that is gone is not told to the next.
    pub life: u32,
    epoch: u64,
    pub roads: Vec<Road>,
    pub host: Host,
    pub faults: Vec<Fault>,
    struck: Vec<(Point, Kind)>,
    store: BTreeMap<JobId, Job>,
    pub broken: Vec<String>,
    pub mutation: Mutation,
    /// Copies the naive engine made, by the job they are copies of.
    pub copies: BTreeMap<JobId, JobId>,
    output: BTreeMap<(JobId, u32), Vec<u64>>,
}

const ROADS: [LayerKind; 4] = [LayerKind::Socket, LayerKind::Tmux, LayerKind::Trigger, LayerKind::Exec];
/// All faults are over long before.
const END: Duration = Duration::from_hours(3);

pub fn name() -> HostName {
    "web-1".parse().expect("a name")
}

/// Runs one seed.
pub fn simulate(seed: u64, mutation: Mutation) -> Run {
    let mut world = World::new(seed, mutation);
    world.play();
    world.judge();
    let ends = world.store.values().filter_map(|job| job.state.outcome().cloned()).collect();
    Run { struck: world.struck, ends, broken: world.broken }
}

impl World {
    fn new(seed: u64, mutation: Mutation) -> Self {
        let mut chance = Chance::new(seed);
        let now = Timestamp::from_second(1_790_000_000).expect("in range");
        let faults = (0..=chance.below(3)).map(|_| Fault::random(&mut chance, &ROADS)).collect();
        let mut world = Self {
            now,
            begin: now,
            agenda: BTreeMap::new(),
            count: 0,
            bridge: None,
            life: 0,
            epoch: 0,
            roads: ROADS.into_iter().map(|kind| Road::new(kind, now)).collect(),
            host: Host {
                journal: BTreeMap::new(),
                truth: BTreeMap::new(),
                boot: 1,
                epoch: 0,
                skew: SignedDuration::from_millis(i64::try_from(chance.below(2_000)).unwrap_or_default() - 1_000),
                full_until: now,
                up_at: now,
                refuses_early: chance.percent(50),
                remembers: chance.percent(50),
            },
            faults,
            struck: Vec::new(),
            store: BTreeMap::new(),
            broken: Vec::new(),
            mutation,
            copies: BTreeMap::new(),
            output: BTreeMap::new(),
            chance,
        };
        world.later(Duration::ZERO, Event::EngineStarts);
        for n in 0..=world.chance.below(3) {
            let wait = world.chance.millis(500, 4_000);
            let job = world.job(n, wait);
            if world.chance.percent(20) {
                let soon = world.chance.millis(0, 8_000);
                world.later(wait + soon, Event::Cancel(job.id));
            }
            world.later(wait, Event::Submit(Box::new(job)));
        }
        world
    }

    fn job(&mut self, n: u64, wait: Duration) -> Job {
        let id = JobId::from_uuid(Uuid::from_u128((u128::from(n) << 64) | u128::from(self.chance.next())));
        let class = if self.chance.percent(70) { Class::AtMostOnce } else { Class::Idempotent };
        let plan = Plan {
            host: name(),
            command: "todo".parse().expect("a name"),
            args: BTreeMap::new(),
            argv: vec!["todo".to_owned(), "list".to_owned()],
            keys: None,
            cwd: None,
            env: BTreeMap::new(),
            class,
            timeout_ms: 30_000,
        };
        let by = "anna".parse().expect("a name");
        Job::new(id, plan, Risk::Low, by, self.now + wait, SignedDuration::from_mins(1))
    }

    pub fn later(&mut self, wait: Duration, event: Event) {
        self.at(self.now + wait, event);
    }

    pub fn at(&mut self, at: Timestamp, event: Event) {
        self.count += 1;
        self.agenda.insert((at.max(self.now), self.count), event);
    }

    pub fn road(&mut self, kind: LayerKind) -> &mut Road {
        self.roads.iter_mut().find(|road| road.kind == kind).expect("one of them")
    }

    fn play(&mut self) {
        let mut steps = 0;
        loop {
            let wake = self.bridge.as_ref().and_then(Bridge::next_wake);
            let next = self.agenda.first_key_value().map(|(key, _)| key.0);
            let Some(at) = wake.into_iter().chain(next).min() else { break };
            if at > self.begin + END {
                break;
            }
            self.now = self.now.max(at);
            if next.is_some_and(|next| next <= at) {
                let ((_, _), event) = self.agenda.pop_first().expect("one");
                self.happens(event);
            } else {
                self.tell(BridgeInput::Tick);
            }
            steps += 1;
            if steps > 200_000 {
                self.broken.push("it never comes to rest".to_owned());
                break;
            }
            // Roads beat for ever; without anything open the rest tells nothing new.
            if steps % 64 == 0 && self.is_quiet() {
                break;
            }
        }
    }

    /// Whether only the roads' own beats are left, and every job is over.
    fn is_quiet(&self) -> bool {
        let beats = |event: &Event| matches!(event, Event::Beat(..) | Event::Opened(_));
        self.bridge.is_some()
            && self.now > self.begin + Duration::from_secs(5)
            && self.agenda.values().all(beats)
            && self.store.values().all(|job| job.state.outcome().is_some())
    }

    fn happens(&mut self, event: Event) {
        match event {
            Event::Submit(job) if self.bridge.is_some() => self.tell(BridgeInput::Submit(job)),
            Event::Submit(job) => self.later(Duration::from_secs(1), Event::Submit(job)),
            Event::Cancel(id) => self.tell(BridgeInput::Cancel { id, by: "anna".parse().expect("a name") }),
            Event::EngineStarts => self.engine_starts(),
            Event::Opened(kind) => self.opened(kind),
            Event::Beat(kind, line) => self.beat(kind, line),
            Event::Lost(kind, line, why) => self.lost(kind, line, why),
            Event::Asked(life, ticket, result) if life == self.life => {
                self.tell(BridgeInput::Asked { ticket, result });
            }
            Event::Asked(..) => {}
            Event::Heard(from, answer) => self.heard(from, *answer),
            Event::Arrives(from, question) => self.arrives(from, *question),
            Event::Accepts(from, id) => self.accepts(from, id),
            Event::Starts(id, boot) => self.starts(id, boot),
            Event::Execs(id, boot) => self.execs(id, boot),
            Event::Writes(id, boot) => self.writes(id, boot),
            Event::Finishes(id, boot) => self.finishes(id, boot),
            Event::AgentBack => self.agent_back(),
        }
    }

    // The engine

    fn engine_starts(&mut self) {
        self.epoch += 1;
        let term = Term { engine: EngineId::from_uuid(Uuid::from_u128(1)), epoch: self.epoch };
        self.bridge = Some(Bridge::new(term, self.chance.next()));
        let commands = BTreeMap::from([("todo".parse().expect("a name"), CommandRule::default())]);
        self.tell(BridgeInput::Caps(Caps { commands, ..Caps::default() }));
        let spec = HostSpec { name: name(), labels: Vec::new(), layers: ROADS.to_vec(), at_once: 4 };
        self.tell(BridgeInput::Hosts(vec![spec]));
        let mut known: Vec<Job> = self.store.values().filter(|job| job.state.outcome().is_none()).cloned().collect();
        if self.mutation == Mutation::ForgetfulEngine {
            for job in &mut known {
                job.state = JobState::Queued { position: 0, why: String::new() };
            }
        }
        self.tell(BridgeInput::Known(known));
        for kind in ROADS {
            let wait = self.chance.millis(1, 1_500);
            self.later(wait, Event::Opened(kind));
        }
    }

    fn engine_dies(&mut self) {
        self.bridge = None;
        self.life += 1;
        for road in &mut self.roads {
            (road.up, road.line) = (false, road.line + 1);
        }
        let wait = self.chance.millis(300, 10_000);
        self.later(wait, Event::EngineStarts);
    }

    fn news(&mut self, kind: LayerKind, event: LayerEvent) {
        self.tell(BridgeInput::News(LayerNews { host: name(), kind, event }));
    }

    fn tell(&mut self, input: BridgeInput) {
        let Some(bridge) = &mut self.bridge else { return };
        for effect in bridge.apply(input, self.now) {
            match effect {
                BridgeEffect::Keep(job) => self.keep(*job),
                BridgeEffect::Ask { ticket, kind, question, .. } => {
                    self.ask(ticket, kind, question);
                    if self.bridge.is_none() {
                        return;
                    }
                }
                BridgeEffect::Output { id, chunk } => self.output.entry((id, self.life)).or_default().push(chunk.seq),
                BridgeEffect::Raise(to) => self.epoch = self.epoch.max(to),
                BridgeEffect::Tell(_)
                | BridgeEffect::Panel(_)
                | BridgeEffect::Nudge { .. }
                | BridgeEffect::Note(_)
                | BridgeEffect::KeepRollout(_)
                | BridgeEffect::TellRollout(_)
                | BridgeEffect::Look { .. } => {}
            }
        }
    }

    fn keep(&mut self, job: Job) {
        if let Some(end) = self.store.get(&job.id).and_then(|known| known.state.outcome())
            && job.state.outcome() != Some(end)
        {
            self.broken.push(format!("{} was over ({end:?}) and is now {:?}", job.id, job.state));
        }
        self.store.insert(job.id, job);
    }

    // The roads

    fn opened(&mut self, kind: LayerKind) {
        let now = self.now;
        let closed = self.host.up_at.max(self.road(kind).shut);
        if self.road(kind).up || self.bridge.is_none() {
            return;
        }
        if closed > now {
            self.news(kind, LayerEvent::Down { why: "connect: refused".to_owned() });
            let wait = self.chance.millis(200, 8_000);
            return self.later(wait, Event::Opened(kind));
        }
        let road = self.road(kind);
        (road.up, road.line) = (true, road.line + 1);
        let line = road.line;
        self.host.epoch = self.host.epoch.max(self.epoch);
        let welcome = FromAgent::Welcome {
            version: AGENT_VERSION,
            aurora: "1".to_owned(),
            spool: SpoolId::from_uuid(Uuid::from_u128(9)),
            boot: self.host.boot.to_string(),
            clock: self.host.clock(now),
            epoch: self.host.epoch,
            lost: Vec::new(),
        };
        self.news(kind, LayerEvent::Heard(Box::new(welcome)));
        let rtt = self.one_way(kind) * 2;
        self.news(kind, LayerEvent::Alive { rtt });
        self.later(Duration::from_secs(5), Event::Beat(kind, line));
    }

    pub fn one_way(&self, kind: LayerKind) -> Duration {
        let road = self.roads.iter().find(|road| road.kind == kind).expect("one of them");
        road.one_way(self.now)
    }

    fn beat(&mut self, kind: LayerKind, line: u64) {
        let now = self.now;
        let road = self.road(kind);
        let (open, stalled) = (road.up && road.line == line, road.stalled > now);
        if !open || self.bridge.is_none() {
            return;
        }
        if stalled {
            // Half of the layers notice that nothing passes, the others wait.
            if self.chance.percent(50) {
                return self.lost(kind, line, "no answer to a probe");
            }
        } else {
            let clock = self.host.clock(now);
            self.news(
                kind,
                LayerEvent::Heard(Box::new(FromAgent::Alive { nonce: 0, clock, load_percent: None, running: 0 })),
            );
            let rtt = self.one_way(kind) * 2;
            self.news(kind, LayerEvent::Alive { rtt });
        }
        self.later(Duration::from_secs(5), Event::Beat(kind, line));
    }

    pub fn lost(&mut self, kind: LayerKind, line: u64, why: &str) {
        let road = self.road(kind);
        if !road.up || road.line != line {
            return;
        }
        (road.up, road.line) = (false, road.line + 1);
        let wait = self.chance.millis(200, 8_000);
        self.later(wait, Event::Opened(kind));
        self.news(kind, LayerEvent::Down { why: why.to_owned() });
    }

    /// What happens to a question that is handed to a layer.
    fn ask(&mut self, ticket: Ticket, kind: LayerKind, question: ToAgent) {
        let now = self.now;
        let life = self.life;
        let from = Listener { road: kind, line: self.road(kind).line, life };
        if !self.road(kind).up {
            let refused = Err(NotDelivered::NeverSent("the road is closed".to_owned()));
            return self.later(Duration::ZERO, Event::Asked(life, ticket, refused));
        }
        if self.skips_asking(&question, from) {
            return;
        }
        let handed = !matches!(question, ToAgent::Probe { .. } | ToAgent::Fin { .. });
        let mut delay = self.one_way(kind);
        delay += Duration::try_from(self.road(kind).stalled.duration_since(now)).unwrap_or_default();
        if handed {
            for (point, sent) in
                [(Point::BeforeConnect, 0), (Point::AfterConnect, 0), (Point::HalfFrame, 1), (Point::AfterFrame, 2)]
            {
                let Some(fault) = self.strike(point, kind) else { continue };
                let stall = self.chance.pick(&[Duration::from_secs(30), Duration::from_secs(90)]);
                match (fault, sent) {
                    (Kind::Error, 0) => {
                        let refused = Err(NotDelivered::NeverSent("refused".to_owned()));
                        self.later(Duration::from_millis(1), Event::Asked(life, ticket, refused));
                        return self.later(Duration::from_millis(2), Event::Lost(kind, from.line, "refused"));
                    }
                    (Kind::Stall, 0) => {
                        let refused = Err(NotDelivered::NeverSent("timed out".to_owned()));
                        return self.later(stall, Event::Asked(life, ticket, refused));
                    }
                    (Kind::Stall, _) => {
                        // It is on its way all the time, and comes when nobody waits for it any more.
                        self.road(kind).stalled = now + stall;
                        delay += stall;
                    }
                    (Kind::Error, 1) => {
                        let half = Err(NotDelivered::Unknown("reset".to_owned()));
                        self.later(Duration::from_millis(1), Event::Asked(life, ticket, half));
                        return self.later(Duration::from_millis(1), Event::Lost(kind, from.line, "reset"));
                    }
                    (Kind::Error, _) => self.later(Duration::from_millis(1), Event::Lost(kind, from.line, "reset")),
                    (fault, sent) => {
                        self.hit(fault, kind, None);
                        if self.life != life {
                            // A whole frame may arrive though nobody is there any more who sent it.
                            if sent == 2 {
                                self.later(delay, Event::Arrives(from, Box::new(question)));
                            }
                            return;
                        }
                        if sent < 2 && matches!(fault, Kind::Kill | Kind::Reboot) {
                            let half = Err(NotDelivered::Unknown("reset".to_owned()));
                            return self.later(Duration::from_millis(1), Event::Asked(life, ticket, half));
                        }
                    }
                }
            }
        }
        self.later(Duration::from_micros(20), Event::Asked(life, ticket, Ok(())));
        self.later(delay, Event::Arrives(from, Box::new(question)));
    }

    /// The naive engine does not ask: it takes silence for absence, and sends the order anew.
    fn skips_asking(&mut self, question: &ToAgent, from: Listener) -> bool {
        let ToAgent::Query { id, .. } = question else { return false };
        let unsure =
            self.bridge.as_ref().and_then(|bridge| bridge.job(id)).is_some_and(|job| job.state == JobState::Unsure);
        let skips = self.mutation == Mutation::NaiveFailover && unsure;
        if skips {
            let absent = FromAgent::State { id: *id, journal: aurora::protocol::Journal::Absent };
            self.later(Duration::from_micros(1), Event::Heard(from, Box::new(absent)));
        }
        skips
    }

    fn heard(&mut self, from: Listener, answer: FromAgent) {
        let now = self.now;
        if from.life != self.life {
            return;
        }
        let road = self.road(from.road);
        if road.is_stream() && road.line != from.line {
            return;
        }
        if road.stalled > now {
            let until = road.stalled;
            return self.at(until, Event::Heard(from, Box::new(answer)));
        }
        if !road.up && !road.is_stream() {
            return self.later(Duration::from_secs(1), Event::Heard(from, Box::new(answer)));
        }
        self.news(from.road, LayerEvent::Heard(Box::new(answer)));
    }

    // Faults

    /// What strikes at this point, if anything does.
    pub fn strike(&mut self, point: Point, road: LayerKind) -> Option<Kind> {
        let fits =
            |fault: &&mut Fault| !fault.struck && fault.point == point && fault.road.is_none_or(|only| only == road);
        let fault = self.faults.iter_mut().find(fits)?;
        if fault.after > 0 {
            fault.after -= 1;
            return None;
        }
        fault.struck = true;
        let kind = fault.kind;
        self.struck.push((point, kind));
        Some(kind)
    }

    /// A fault of the host or of the engine. `at` is the job whose runner is hit, where one runs.
    pub fn hit(&mut self, fault: Kind, road: LayerKind, at: Option<JobId>) {
        let now = self.now;
        let line = self.road(road).line;
        match fault {
            Kind::Error => self.later(Duration::ZERO, Event::Lost(road, line, "reset")),
            Kind::Stall => self.road(road).stalled = now + Duration::from_secs(30),
            Kind::Kill => {
                let back = now + self.chance.millis(500, 12_000);
                self.road(road).shut = back;
                self.later(Duration::ZERO, Event::Lost(road, line, "the agent is gone"));
                self.at(back, Event::AgentBack);
                if let Some(id) = at {
                    self.host.kill_runner(&id);
                }
            }
            Kind::Reboot => {
                let back = now + self.chance.millis(3_000, 20_000);
                self.host.restart(back);
                for kind in ROADS {
                    let line = self.road(kind).line;
                    self.later(Duration::ZERO, Event::Lost(kind, line, "the host restarts"));
                }
                self.at(back, Event::AgentBack);
            }
            Kind::DiskFull => self.host.full_until = now + self.chance.millis(5_000, 40_000),
            Kind::ClockAhead => self.host.skew += SignedDuration::from_hours(1),
            Kind::ClockBack => self.host.skew -= SignedDuration::from_hours(1),
            Kind::EngineCrash => self.engine_dies(),
        }
    }

    // What must hold

    fn judge(&mut self) {
        let truth = |id: &JobId| self.host.truth.get(id).copied().unwrap_or_default();
        let mut broken = Vec::new();
        for (id, job) in &self.store {
            let Truth { executions, died } = truth(id);
            let mut wrong =
                |what: &str| broken.push(format!("{id} {what}: it ran {executions} times, {:?}", job.state));
            if executions > 1 {
                wrong("ran more than once");
            }
            match job.state.outcome() {
                None => wrong("is not over"),
                Some(Outcome::Done(End::Told)) => wrong("was decided by nobody"),
                Some(Outcome::Done(_)) if executions != 1 => wrong("is done"),
                Some(Outcome::NotRun { .. }) if executions != 0 => wrong("is not run"),
                Some(Outcome::Unknown { .. }) if !died => wrong("is unknown, and nobody died"),
                Some(_) => {}
            }
        }
        for ((id, life), seqs) in &self.output {
            // After the end all of it may be asked for again, once; each time a piece comes once, and in order.
            if seqs.windows(2).filter(|pair| pair[0] >= pair[1]).count() > 1 {
                broken.push(format!("{id} in life {life} has pieces {seqs:?}"));
            }
        }
        self.broken.extend(broken);
    }
}
