//! The membership of one node, told what happens by hand.

use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

use crate::federation::Now;
use crate::federation::membership::{Me, MemberEffect, MemberInput, Membership, OwnLog, PeerSpec, ProbeTicket, Reach};
use crate::model::{BootId, EpochId, Hlc, NodeName, NodePanel, NodeState, Trust};
use crate::protocol::{Beat, FEDERATION_VERSION, ProbeAnswer, Seen};

pub(super) fn name(text: &str) -> NodeName {
    text.parse().expect("a name")
}

pub(super) fn boot(number: u128) -> BootId {
    BootId::from_uuid(Uuid::from_u128(number))
}

pub(super) fn moment(ms: u64) -> Now {
    let wall = 1_800_000_000_000 + i64::try_from(ms).expect("small");
    Now { mono: Duration::from_millis(ms), wall: Timestamp::from_millisecond(wall).expect("in range") }
}

pub(super) fn log() -> OwnLog {
    OwnLog { epoch: EpochId::from_uuid(Uuid::from_u128(1)), high: 0, hlc: Hlc::default(), keys: Vec::new() }
}

pub(super) fn direct(text: &str) -> PeerSpec {
    PeerSpec { name: name(text), reach: Reach::Direct, trust: Trust::Report, quarantine: None }
}

pub(super) fn behind(text: &str, relay: &str) -> PeerSpec {
    PeerSpec { reach: Reach::Behind(name(relay)), ..direct(text) }
}

pub(super) fn seen(text: &str, state: NodeState, heard_ms: Option<u64>) -> Seen {
    Seen { node: name(text), state, incarnation: 0, heard_ms, epoch: None, held: 0, direct: true, keys: Vec::new() }
}

/// Node `me` at work. Its timers fire when they are due.
pub(super) struct Scene {
    pub(super) members: Membership,
    pub(super) now: u64,
    pub(super) number: u64,
    /// How nodes stood otherwise, as `hub-2 alive`.
    pub(super) changes: Vec<String>,
    pub(super) others: Vec<MemberEffect>,
}

impl Scene {
    pub(super) fn new(peers: Vec<PeerSpec>) -> Self {
        let me = Me { name: name("me"), boot: boot(1), started: moment(0).wall, program: "0.1.0".to_owned() };
        let now = 100_000;
        let mut scene = Self {
            members: Membership::new(me, 7, moment(now)),
            now,
            number: 0,
            changes: Vec::new(),
            others: Vec::new(),
        };
        scene.tell(MemberInput::Peers(peers));
        scene
    }

    pub(super) fn tell(&mut self, input: MemberInput) {
        for effect in self.members.apply(input, moment(self.now)) {
            match effect {
                MemberEffect::Changed { node, to, .. } => self.changes.push(format!("{node} {}", to.as_str())),
                other => self.others.push(other),
            }
        }
    }

    /// Time passes, and every timer fires when it is due.
    pub(super) fn pass(&mut self, ms: u64) {
        let end = self.now + ms;
        loop {
            let wake = self.members.next_wake();
            let wake = u64::try_from(wake.as_nanos().div_ceil(1_000_000)).expect("small");
            self.now = wake.max(self.now).min(end);
            if self.now == end {
                return;
            }
            self.tell(MemberInput::Tick);
        }
    }

    /// This node is stopped: no timer fires.
    pub(super) fn stop(&mut self, ms: u64) {
        self.now += ms;
    }

    pub(super) fn beat_of(&mut self, text: &str) -> Beat {
        self.number += 1;
        Beat {
            version: FEDERATION_VERSION,
            node: name(text),
            boot: boot(2),
            started: moment(0).wall,
            number: self.number,
            incarnation: 0,
            epoch: log().epoch,
            high: 0,
            sent: moment(self.now).wall,
            hlc: Hlc::default(),
            slowness: 0,
            program: "0.1.0".to_owned(),
            leaving: false,
            whole: false,
            sees: Vec::new(),
            keys: Vec::new(),
        }
    }

    pub(super) fn hear(&mut self, beat: Beat) {
        self.tell(MemberInput::Heard { from: beat.node.clone(), beat: Box::new(beat) });
    }

    /// Each of these nodes sends a heartbeat every five seconds.
    pub(super) fn all_well(&mut self, who: &[&str], beats: usize) {
        for _ in 0..beats {
            for text in who {
                let beat = self.beat_of(text);
                self.hear(beat);
            }
            self.pass(5_000);
        }
    }

    /// The probes that were asked for since this was asked last.
    pub(super) fn probes(&mut self) -> Vec<(ProbeTicket, String, String)> {
        let (probes, rest) = std::mem::take(&mut self.others)
            .into_iter()
            .partition(|effect| matches!(effect, MemberEffect::Probe { .. }));
        self.others = rest;
        let probes: Vec<MemberEffect> = probes;
        let parts = probes.into_iter().filter_map(|effect| match effect {
            MemberEffect::Probe { ticket, whom, through, .. } => Some((ticket, whom.to_string(), through.to_string())),
            _ => None,
        });
        parts.collect()
    }

    pub(super) fn answer_probes(&mut self, reached: Option<u64>) -> usize {
        let probes = self.probes();
        for (ticket, ..) in &probes {
            self.tell(MemberInput::Probed { ticket: *ticket, result: Ok(ProbeAnswer { reached }) });
        }
        probes.len()
    }

    pub(super) fn state(&self, text: &str) -> NodeState {
        self.members.state_of(&name(text)).expect("a node")
    }

    pub(super) fn changes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.changes)
    }

    pub(super) fn has(&self, wanted: impl Fn(&MemberEffect) -> bool) -> bool {
        self.others.iter().any(wanted)
    }
}

pub(super) fn panel(text: &str) -> NodePanel {
    NodePanel::unknown(name(text), moment(0).wall)
}
