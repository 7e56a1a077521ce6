//! The made-up network, and the world it is part of.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::time::Duration;

use aurora::federation::{MemberEffect, MemberInput, PROBE_WITHIN, PeerSpec, Reach};
use aurora::model::{NodeName, NodeState, Trust};
use aurora::protocol::{BeatAnswer, ProbeAnswer};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::node::{Asked, Letter, Node, wake_of};
use super::truth::Truth;

/// Who calls whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reaching {
    /// Everybody calls everybody.
    Mesh,
    /// The first so many are relays. The others call the relays only, and hear of each other over the first of them.
    Star(usize),
    /// The last one has no address: it calls the others, and none of them it.
    OneInbound,
}

/// How a run is set up.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each is a choice of its own")]
pub struct Setup {
    pub nodes: usize,
    pub reaching: Reaching,
    /// Milliseconds a letter takes, at least and at most.
    pub delay: (u64, u64),
    /// Letters of a thousand that are lost.
    pub loss: u32,
    /// Whether a machine whose process is dead says so at once.
    pub refuses: bool,
    /// Whether nodes that are asked to probe say nothing.
    pub mute: bool,
    /// Whether all nodes have the same boot id.
    pub equal_boots: bool,
    /// Whether the bytes of letters are counted.
    pub weighed: bool,
}

impl Setup {
    /// So many nodes that all call each other over a good network.
    pub fn mesh(nodes: usize) -> Self {
        Self {
            nodes,
            reaching: Reaching::Mesh,
            delay: (1, 20),
            loss: 0,
            refuses: true,
            mute: false,
            equal_boots: false,
            weighed: false,
        }
    }
}

/// Something that happens.
#[derive(Debug)]
enum Event {
    Timer { node: usize, life: u64 },
    Letter { to: usize, life: Option<u64>, letter: Letter },
    Wakes { node: usize, life: u64 },
}

/// When, and in which order at the same time.
type Due = Reverse<(u64, u64)>;

/// Nodes, the network between them, and what they have said.
pub struct World {
    pub nodes: Vec<Node>,
    pub now: u64,
    pub truth: Truth,
    /// Letters that were sent, and their bytes.
    pub letters: u64,
    pub bytes: u64,
    pub(super) setup: Setup,
    pub(super) chance: SmallRng,
    due: BinaryHeap<Due>,
    events: HashMap<u64, Event>,
    index: HashMap<NodeName, usize>,
    /// Which part of the network each node is in. There is no way between parts.
    parts: Vec<usize>,
    /// Numbers of questions and events that were given.
    count: u64,
}

impl World {
    pub fn new(seed: u64, setup: Setup) -> Self {
        let mut chance = SmallRng::seed_from_u64(seed);
        let names: Vec<NodeName> = (0..setup.nodes).map(|n| format!("hub-{n}").parse().expect("a name")).collect();
        let nodes = (0..setup.nodes).map(|n| {
            let peers = (0..setup.nodes).filter(|other| *other != n).map(|other| spec(setup, &names, n, other));
            let boot = if setup.equal_boots { 1 } else { n as u128 + 1 };
            Node::new(names[n].clone(), peers.collect(), boot, chance.random_range(-900..900), chance.random())
        });
        let nodes: Vec<Node> = nodes.collect();
        let mut world = Self {
            nodes,
            now: 0,
            truth: Truth::new(seed, setup.nodes),
            letters: 0,
            bytes: 0,
            setup,
            chance,
            due: BinaryHeap::new(),
            events: HashMap::new(),
            index: names.iter().cloned().zip(0..).collect(),
            parts: vec![0; setup.nodes],
            count: 0,
        };
        (0..setup.nodes).for_each(|node| world.begin(node));
        world
    }

    /// Time passes.
    pub fn run(&mut self, ms: u64) {
        let end = self.now + ms;
        while let Some(Reverse((at, number))) = self.due.peek().copied().filter(|Reverse((at, _))| *at <= end) {
            self.due.pop();
            self.now = at;
            if let Some(event) = self.events.remove(&number) {
                self.happen(event);
            }
        }
        self.now = end;
    }

    /// A process is gone from one moment to the next.
    pub fn kill(&mut self, node: usize) {
        self.nodes[node].runs = false;
        self.truth.gone(node);
    }

    /// A process that was killed is started again.
    pub fn start(&mut self, node: usize) {
        let seed = self.chance.random();
        self.nodes[node].restart(seed, self.now);
        self.truth.back(node, self.now);
        self.begin(node);
    }

    fn begin(&mut self, node: usize) {
        let peers = self.nodes[node].peers.clone();
        self.tell(node, MemberInput::Peers(peers));
    }

    /// A process is stopped for so long, and goes on as if nothing had been.
    pub fn stop(&mut self, node: usize, ms: u64) {
        let life = self.nodes[node].life;
        self.nodes[node].stopped = Some(self.now + ms);
        self.put(self.now + ms, Event::Wakes { node, life });
    }

    /// A node says that it goes, and goes.
    pub fn leave(&mut self, node: usize) {
        self.tell(node, MemberInput::Leave);
        self.run(200);
        self.kill(node);
    }

    /// The network falls into parts: each node is in the one of its number.
    pub fn cut(&mut self, parts: &[usize]) {
        self.parts = parts.to_vec();
        self.truth.cut(parts, self.now);
    }

    /// How `by` sees `node`.
    pub fn sees(&self, by: usize, node: usize) -> NodeState {
        self.nodes[by].members.state_of(&self.nodes[node].name).expect("they know each other")
    }

    /// Its clock is put.
    pub fn put_clock(&mut self, node: usize, ms: i64) {
        self.nodes[node].ahead += ms;
    }

    /// Something is told to a node, which does what follows from it.
    pub fn tell(&mut self, node: usize, input: MemberInput) {
        let effects = self.nodes[node].tell(input, self.now);
        for effect in effects {
            self.perform(node, effect);
        }
        let wake = wake_of(self.nodes[node].members.next_wake());
        if self.nodes[node].wake != wake {
            self.nodes[node].wake = wake;
            let life = self.nodes[node].life;
            self.put(wake, Event::Timer { node, life });
        }
    }

    fn perform(&mut self, node: usize, effect: MemberEffect) {
        match effect {
            MemberEffect::Beat { to, within } => {
                let to = self.index[&to];
                let at = self.nodes[node].now(self.now);
                self.send_beat(node, to, Asked::Beat { to, at }, within);
            }
            MemberEffect::Probe { ticket, whom, through, within } => {
                let (whom, through) = (self.index[&whom], self.index[&through]);
                let question = self.ask(node, Asked::Probe { ticket }, within);
                self.send(node, through, Letter::Probe { from: node, question, whom });
            }
            MemberEffect::Changed { node: of, to, why, .. } => {
                let of = self.index[&of];
                self.truth.changed(node, of, to, &why, self.now);
            }
            other => self.truth.said(node, other),
        }
    }

    fn send_beat(&mut self, node: usize, to: usize, asked: Asked, within: Duration) {
        let question = self.ask(node, asked, within);
        let name = self.nodes[to].name.clone();
        let beat = Box::new(self.nodes[node].beat(&name, self.now));
        self.send(node, to, Letter::Beat { from: node, question, beat });
    }

    /// Notes what a node waits for, and gives it up in time.
    fn ask(&mut self, node: usize, asked: Asked, within: Duration) -> u64 {
        self.count += 1;
        let question = self.count;
        self.nodes[node].waits.insert(question, asked);
        let life = Some(self.nodes[node].life);
        let until = self.now + u64::try_from(within.as_millis()).expect("short");
        self.put(until, Event::Letter { to: node, life, letter: Letter::Nothing { question } });
        question
    }

    fn send(&mut self, from: usize, to: usize, letter: Letter) {
        self.letters += 1;
        if self.setup.weighed {
            self.bytes += weight(&letter);
        }
        let lost = self.chance.random_range(0..1_000) < self.setup.loss;
        if lost || self.parts[from] != self.parts[to] {
            return;
        }
        let at = self.now + self.chance.random_range(self.setup.delay.0..=self.setup.delay.1);
        if let (true, Letter::Beat { question, .. } | Letter::Probe { question, .. }) = (!self.nodes[to].runs, &letter)
        {
            // Nobody listens there; the machine says so, or there is no machine.
            let life = Some(self.nodes[from].life);
            let letter = Letter::Nothing { question: *question };
            if self.setup.refuses {
                self.put(at + 1, Event::Letter { to: from, life, letter });
            }
            return;
        }
        let answers = matches!(letter, Letter::Answer { .. } | Letter::Probed { .. });
        let life = answers.then_some(self.nodes[to].life);
        self.put(at, Event::Letter { to, life, letter });
    }

    fn put(&mut self, at: u64, event: Event) {
        self.count += 1;
        self.events.insert(self.count, event);
        self.due.push(Reverse((at, self.count)));
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Timer { node, life } => {
                let it = &self.nodes[node];
                if it.listens() && it.life == life && it.wake == self.now {
                    self.tell(node, MemberInput::Tick);
                }
            }
            Event::Letter { to, life, letter } => {
                let it = &mut self.nodes[to];
                let arrives = it.runs && life.is_none_or(|life| life == it.life);
                if arrives && it.stopped.is_some() {
                    it.held.push_back(letter);
                } else if arrives {
                    self.read(to, letter);
                }
            }
            Event::Wakes { node, life } => {
                let it = &mut self.nodes[node];
                if it.runs && it.life == life && it.stopped == Some(self.now) {
                    it.stopped = None;
                    let mut held: Vec<Letter> = it.held.drain(..).collect();
                    // Its timers may fire before it reads what has come, or after.
                    if self.chance.random() {
                        held.sort_by_key(|letter| !matches!(letter, Letter::Nothing { .. }));
                        self.tell(node, MemberInput::Tick);
                    }
                    for letter in held {
                        self.read(node, letter);
                    }
                    self.tell(node, MemberInput::Tick);
                }
            }
        }
    }

    fn read(&mut self, node: usize, letter: Letter) {
        match letter {
            Letter::Beat { from, question, beat } => {
                let name = self.nodes[from].name.clone();
                self.tell(node, MemberInput::Heard { from: name.clone(), beat });
                let it = &mut self.nodes[node];
                let received = it.now(self.now).wall;
                let answer =
                    Box::new(BeatAnswer { beat: it.beat(&name, self.now), received, holds: None, asks: false });
                self.send(node, from, Letter::Answer { from: node, question, answer });
            }
            Letter::Answer { from, question, answer } => {
                let by = self.nodes[from].name.clone();
                match self.nodes[node].waits.remove(&question) {
                    Some(Asked::Beat { at, .. }) => self.tell(node, MemberInput::Answered { by, asked: at, answer }),
                    Some(Asked::BeatFor { at, asker, question, .. }) => {
                        let reached = Some(answer.beat.incarnation);
                        self.tell(node, MemberInput::Answered { by, asked: at, answer });
                        self.send(node, asker, Letter::Probed { question, answer: ProbeAnswer { reached } });
                    }
                    _ => {}
                }
            }
            Letter::Probe { from, question, whom } => {
                if !self.setup.mute {
                    let at = self.nodes[node].now(self.now);
                    let asked = Asked::BeatFor { to: whom, at, asker: from, question };
                    self.send_beat(node, whom, asked, PROBE_WITHIN);
                }
            }
            Letter::Probed { question, answer } => {
                if let Some(Asked::Probe { ticket }) = self.nodes[node].waits.remove(&question) {
                    self.tell(node, MemberInput::Probed { ticket, result: Ok(answer) });
                }
            }
            Letter::Nothing { question } => self.give_up(node, question),
        }
    }

    fn give_up(&mut self, node: usize, question: u64) {
        let why = "timed out".to_owned();
        match self.nodes[node].waits.remove(&question) {
            Some(Asked::Beat { to, .. }) => {
                let by = self.nodes[to].name.clone();
                self.tell(node, MemberInput::Unanswered { by, why });
            }
            Some(Asked::BeatFor { to, asker, question, .. }) => {
                let by = self.nodes[to].name.clone();
                self.tell(node, MemberInput::Unanswered { by, why });
                self.send(node, asker, Letter::Probed { question, answer: ProbeAnswer { reached: None } });
            }
            Some(Asked::Probe { ticket }) => self.tell(node, MemberInput::Probed { ticket, result: Err(why) }),
            None => {}
        }
    }
}

fn weight(letter: &Letter) -> u64 {
    let length = match letter {
        Letter::Beat { beat, .. } => serde_json::to_vec(beat).map_or(0, |bytes| bytes.len()),
        Letter::Answer { answer, .. } => serde_json::to_vec(answer).map_or(0, |bytes| bytes.len()),
        Letter::Probe { .. } | Letter::Probed { .. } => 20,
        Letter::Nothing { .. } => 0,
    };
    length as u64
}

fn spec(setup: Setup, names: &[NodeName], of: usize, other: usize) -> PeerSpec {
    let reach = match setup.reaching {
        Reaching::Star(relays) if of >= relays && other >= relays => Reach::Behind(names[0].clone()),
        Reaching::OneInbound if other + 1 == names.len() => Reach::Inbound,
        _ => Reach::Direct,
    };
    PeerSpec { name: names[other].clone(), reach, trust: Trust::Report, quarantine: None }
}
