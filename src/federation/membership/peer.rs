//! What is remembered of one other node.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use jiff::Timestamp;

use crate::model::{BootId, NodeName, NodeState, Trust};
use crate::protocol::Beat;

use super::super::phi::Arrivals;
use super::super::skew::SkewMeter;
use super::super::{Now, SkewLevel};
use super::claims::Claims;
use super::{PeerSpec, ProbeTicket, Reach};

/// Runs of its process before this one that are remembered.
const FORMER: usize = 8;
/// So many heartbeats that only a second process can have sent, within [`ODD_WITHIN`], are no accident of a clock.
const ODD: u32 = 5;
const ODD_WITHIN: Duration = Duration::from_mins(1);
/// Shorter silences never are suspicious: the usual gap and the rest that everybody may take are longer.
const NEVER_BEFORE: Duration = Duration::from_secs(5);

/// How a heartbeat came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// It was sent.
    Sent,
    /// It was the answer to one of ours.
    Answer,
}

/// One run of the other node's process.
#[derive(Debug, Clone)]
pub(super) struct Run {
    pub(super) boot: BootId,
    pub(super) started: Timestamp,
    /// When it began, by our clock that nobody puts.
    pub(super) began: Duration,
    pub(super) incarnation: u64,
    pub(super) slowness: u8,
    pub(super) program: String,
    /// The highest number of a heartbeat that was sent, when that was by its own clock, and the number with which it went.
    sent: u64,
    sent_at: Timestamp,
    left: Option<u64>,
}

/// A node is doubted, and others are asked.
#[derive(Debug, Clone)]
pub(super) struct Doubt {
    pub(super) since: Duration,
    pub(super) round: Option<Duration>,
    /// Who is asked in this round.
    pub(super) asked: BTreeMap<ProbeTicket, NodeName>,
    /// Whether they reach it, and when they said so.
    pub(super) votes: BTreeMap<NodeName, (bool, Duration)>,
    /// How often each was asked since it last answered.
    pub(super) mute: BTreeMap<NodeName, u32>,
}

impl Doubt {
    pub(super) fn new(since: Duration) -> Self {
        Self { since, round: None, asked: BTreeMap::new(), votes: BTreeMap::new(), mute: BTreeMap::new() }
    }
}

/// What became of a heartbeat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Taken {
    /// Its node is there, as before.
    Fine,
    /// Its node is there, with another run of its process.
    Restarted,
    /// It says nothing new: a run, or a number, that is over.
    Old,
    /// A second process has its name: why.
    Untrue(String),
    /// Its node goes.
    Leaves,
}

#[derive(Debug, Clone)]
pub(super) struct Peer {
    pub(super) spec: PeerSpec,
    pub(super) state: NodeState,
    pub(super) since: Duration,
    pub(super) why: Option<String>,
    /// When it was last heard.
    pub(super) heard: Option<Duration>,
    /// From when on its silence counts.
    pub(super) contact: Duration,
    pub(super) sent: Arrivals,
    pub(super) answers: Arrivals,
    pub(super) run: Option<Run>,
    former: VecDeque<BootId>,
    odd: (u32, Duration),
    pub(super) meter: SkewMeter,
    pub(super) level: SkewLevel,
    pub(super) claims: Claims,
    pub(super) next_beat: Duration,
    /// Since when our heartbeats are not answered, and why.
    pub(super) unanswered: Option<String>,
    /// When a suspicion of its was last answered.
    pub(super) refuted: Option<Duration>,
    /// When it was last told of all nodes.
    pub(super) told_whole: Option<Duration>,
    /// When it was last called out of turn, because another node stood otherwise.
    pub(super) hastened: Option<Duration>,
    pub(super) doubt: Option<Doubt>,
}

impl Peer {
    pub(super) fn new(spec: PeerSpec, now: Duration) -> Self {
        let state = if spec.quarantine.is_some() { NodeState::Quarantined } else { NodeState::Unknown };
        let why = spec.quarantine.clone();
        Self {
            spec,
            state,
            since: now,
            why,
            heard: None,
            contact: now,
            sent: Arrivals::default(),
            answers: Arrivals::default(),
            run: None,
            former: VecDeque::new(),
            odd: (0, now),
            meter: SkewMeter::default(),
            level: SkewLevel::Fine,
            claims: Claims::default(),
            next_beat: now,
            unanswered: None,
            refuted: None,
            told_whole: None,
            hastened: None,
            doubt: None,
        }
    }

    /// Whether it is heard without a relay, so that its silence is judged here.
    pub(super) fn is_direct(&self) -> bool {
        !matches!(self.spec.reach, Reach::Behind(_))
    }

    /// Whether its silence matters now.
    pub(super) fn is_expected(&self) -> bool {
        self.is_direct()
            && matches!(
                self.state,
                NodeState::Alive | NodeState::Unknown | NodeState::Suspect | NodeState::IsolatedSelf
            )
    }

    /// Whether what it says of others counts.
    pub(super) fn is_believed(&self) -> bool {
        self.spec.quarantine.is_none() && self.spec.trust >= Trust::Report
    }

    /// Nobody listened here for so long.
    pub(super) fn excuse(&mut self, lost: Duration) {
        self.contact += lost;
        self.sent.excuse(lost);
        self.answers.excuse(lost);
        if let Some(doubt) = &mut self.doubt {
            // What was asked meanwhile was not heard, either.
            *doubt = Doubt::new(doubt.since + lost);
        }
    }

    pub(super) fn silence(&self, now: Duration) -> Duration {
        now.saturating_sub(self.contact)
    }

    /// How suspicious its silence is while everybody may take `factor` times as long. Each way has a rhythm of its own;
    /// the most lively one counts.
    pub(super) fn phi(&self, now: Duration, factor: u32) -> f64 {
        if self.silence(now) / factor < NEVER_BEFORE {
            return 0.0;
        }
        let ways = [&self.sent, &self.answers].into_iter();
        let ways = ways.filter_map(|way| Some(way.phi(now.saturating_sub(way.last()?) / factor)));
        ways.fold(Arrivals::default().phi(self.silence(now) / factor), f64::min)
    }

    /// It proved that it is there.
    pub(super) fn touch(&mut self, now: Duration) {
        self.heard = Some(now);
        self.contact = now;
    }

    /// Takes in what a heartbeat says of its own node.
    pub(super) fn take(&mut self, beat: &Beat, way: Way, now: Now) -> Taken {
        if self.former.contains(&beat.boot) {
            // One that waited in a line, or that somebody recorded, is from before the run there is now.
            let lives = self.run.as_ref().is_some_and(|run| beat.sent > run.started);
            return if lives { self.odd("two processes say that they are it", now.mono) } else { Taken::Old };
        }
        let known = self.run.as_ref().map(|run| run.boot);
        let other = known != Some(beat.boot);
        if other {
            self.begin(beat, now);
        }
        let Some(run) = &mut self.run else { return Taken::Old };
        if run.left.is_some_and(|left| beat.number <= left) {
            return Taken::Old;
        }
        if way == Way::Sent {
            if beat.number <= run.sent {
                // They go over several connections and come in any order. Only a second process counts less later.
                let is_second = beat.sent > run.sent_at;
                return if is_second { self.odd("two processes share one identity", now.mono) } else { Taken::Old };
            }
            (run.sent, run.sent_at) = (beat.number, beat.sent);
            self.sent.heard(now.mono);
        } else {
            self.answers.heard(now.mono);
        }
        run.incarnation = run.incarnation.max(beat.incarnation);
        run.slowness = beat.slowness.min(8);
        if run.program != beat.program {
            run.program.clone_from(&beat.program);
        }
        run.left = beat.leaving.then_some(beat.number);
        self.touch(now.mono);
        match (beat.leaving, other && known.is_some()) {
            (true, _) => Taken::Leaves,
            (false, true) => Taken::Restarted,
            (false, false) => Taken::Fine,
        }
    }

    fn begin(&mut self, beat: &Beat, now: Now) {
        let age = Duration::try_from(beat.sent.duration_since(beat.started)).unwrap_or_default();
        let run = Run {
            boot: beat.boot,
            started: beat.started,
            began: now.mono.saturating_sub(age),
            incarnation: beat.incarnation,
            slowness: 0,
            program: String::new(),
            sent: 0,
            sent_at: beat.started,
            left: None,
        };
        if let Some(former) = self.run.replace(run) {
            self.former.push_back(former.boot);
            if self.former.len() > FORMER {
                self.former.pop_front();
            }
        }
        self.meter.forget();
        self.told_whole = None;
    }

    /// Something came that one process does not send. A clock that is put back does that once; somebody else with the same
    /// name does it all the time.
    fn odd(&mut self, why: &str, now: Duration) -> Taken {
        let (count, since) = &mut self.odd;
        if now.saturating_sub(*since) > ODD_WITHIN {
            (*count, *since) = (0, now);
        }
        *count += 1;
        if *count == ODD { Taken::Untrue(why.to_owned()) } else { Taken::Old }
    }
}
