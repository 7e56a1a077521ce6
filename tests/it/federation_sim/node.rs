//! One node of the made-up network: a real membership, and the few lines that drive it.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use aurora::federation::{HeldLog, Me, MemberEffect, MemberInput, Membership, Now, OwnLog, PeerSpec, ProbeTicket};
use aurora::model::{BootId, EpochId, Hlc, NodeName};
use aurora::protocol::{Beat, BeatAnswer, ProbeAnswer};
use jiff::Timestamp;
use uuid::Uuid;

/// When every run begins.
const START_MS: i64 = 1_800_000_000_000;

/// What a node waits for.
#[derive(Debug, Clone)]
pub enum Asked {
    /// An answer to a heartbeat of its own.
    Beat { to: usize, at: Now },
    /// The same, on behalf of a node that asked for a probe with this number.
    BeatFor { to: usize, at: Now, asker: usize, question: u64 },
    /// An answer to a request to probe.
    Probe { ticket: ProbeTicket },
}

/// What comes to a node.
#[derive(Debug, Clone)]
pub enum Letter {
    /// A heartbeat.
    Beat { from: usize, question: u64, beat: Box<Beat> },
    /// The answer to one.
    Answer { from: usize, question: u64, answer: Box<BeatAnswer> },
    /// A request to probe.
    Probe { from: usize, question: u64, whom: usize },
    /// The answer to one.
    Probed { question: u64, answer: ProbeAnswer },
    /// Nobody listens there, or no answer came in time.
    Nothing { question: u64 },
}

/// One node.
pub struct Node {
    pub name: NodeName,
    pub members: Membership,
    pub peers: Vec<PeerSpec>,
    /// Whether its process runs, and which of its lives it is.
    pub runs: bool,
    pub life: u64,
    /// Since when it runs, and until when it is stopped.
    pub since: u64,
    pub stopped: Option<u64>,
    /// What came while it was stopped.
    pub held: VecDeque<Letter>,
    /// Its clock less the time of the network, in milliseconds.
    pub ahead: i64,
    pub waits: HashMap<u64, Asked>,
    /// Of the timer that counts.
    pub wake: u64,
    /// What it says of others is made up.
    pub lies: bool,
    boot: u128,
}

impl Node {
    pub fn new(name: NodeName, peers: Vec<PeerSpec>, boot: u128, ahead: i64, seed: u64) -> Self {
        Self {
            members: Membership::new(me(&name, boot, now_of(0, ahead)), seed, now_of(0, ahead)),
            name,
            peers,
            runs: true,
            life: 0,
            since: 0,
            stopped: None,
            held: VecDeque::new(),
            ahead,
            waits: HashMap::new(),
            wake: 0,
            lies: false,
            boot,
        }
    }

    /// Another run of its process.
    pub fn restart(&mut self, seed: u64, at: u64) {
        self.life += 1;
        self.boot += 1_000_000;
        self.runs = true;
        self.since = at;
        self.stopped = None;
        self.held.clear();
        self.waits.clear();
        self.members = Membership::new(me(&self.name, self.boot, self.now(at)), seed, self.now(at));
    }

    pub fn now(&self, at: u64) -> Now {
        now_of(at, self.ahead)
    }

    pub fn listens(&self) -> bool {
        self.runs && self.stopped.is_none()
    }

    pub fn tell(&mut self, input: MemberInput, at: u64) -> Vec<MemberEffect> {
        let now = self.now(at);
        self.members.apply(input, now)
    }

    pub fn beat(&mut self, to: &NodeName, at: u64) -> Beat {
        let log = OwnLog { epoch: EpochId::from_uuid(Uuid::nil()), high: at, hlc: Hlc::default(), keys: Vec::new() };
        let mut beat = self.members.beat(to, &log, |_| HeldLog::default(), self.now(at));
        if self.lies {
            let wrong = [aurora::model::NodeState::Down, aurora::model::NodeState::Suspect];
            for (n, seen) in beat.sees.iter_mut().enumerate() {
                seen.state = wrong[n % 2];
                let forged = [u64::MAX, seen.incarnation + 1, seen.incarnation, 0];
                seen.incarnation = forged[(n + usize::try_from(beat.number % 4).expect("small")) % 4];
                seen.heard_ms = Some(u64::MAX >> (n % 8));
            }
        }
        beat
    }
}

fn me(name: &NodeName, boot: u128, now: Now) -> Me {
    let boot = BootId::from_uuid(Uuid::from_u128(boot));
    Me { name: name.clone(), boot, started: now.wall, program: "0.1.0".to_owned() }
}

fn now_of(at: u64, ahead: i64) -> Now {
    let wall = START_MS + i64::try_from(at).expect("a short run") + ahead;
    // No node's clock begins at nought.
    Now { mono: Duration::from_millis(at + 500_000), wall: Timestamp::from_millisecond(wall).expect("in range") }
}

/// The time of the network at which a node wants to be woken.
pub fn wake_of(wake: Duration) -> u64 {
    u64::try_from(wake.as_nanos().div_ceil(1_000_000)).expect("a short run") - 500_000
}
