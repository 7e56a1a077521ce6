//! The health of one road: what it did lately, and when it may carry first again.

use std::collections::VecDeque;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::model::{LayerKind, LayerPanel, LayerState, SpoolId};

use super::clock::back;

/// Answers a road that was down has to give before it carries first again.
const GOOD: u32 = 3;
/// Time between two questions to a road that has to prove itself.
pub(super) const PROVE_EVERY: Duration = Duration::from_secs(1);
/// How long a road that was down has to answer before it carries first again, and for how many outages within an hour.
const HOLD: Duration = Duration::from_secs(2);
const HOLD_FLAPS: u32 = 3;
/// The same for one that fails again and again. With the pause before a try, the way to the first answer, and one question
/// more, even that is back within 12 s: `layers/back_tests.rs` has the sum.
pub(super) const HOLD_MAX: Duration = Duration::from_secs(3);
/// How long flaps are remembered.
const REMEMBERED: Duration = Duration::from_hours(1);
/// Why a road is up. Figures change all the time and have fields of their own.
const ANSWERS: &str = "the agent answers";
/// Shortest silence that means anything, whatever the round trip is.
const SILENCE: Duration = Duration::from_millis(500);

/// One road to one host.
#[derive(Debug, Clone)]
pub(super) struct Road {
    pub(super) kind: LayerKind,
    pub(super) state: LayerState,
    since: Timestamp,
    why: String,
    /// Smoothed as TCP does it (RFC 6298): a new one counts an eighth.
    rtt: Option<Duration>,
    last_good: Option<Timestamp>,
    downs: VecDeque<Timestamp>,
    /// Whether it has been down since it was first opened: a road that never failed has nothing to prove.
    failed: bool,
    proof: Option<Proof>,
    /// When it was last asked for a proof.
    probed: Option<Timestamp>,
    /// Whether an operator asked for it since it was barred.
    looked: bool,
    /// The journal at its other end, as it last said.
    pub(super) spool: Option<SpoolId>,
}

/// The answers of a road that has to prove itself.
#[derive(Debug, Clone, Copy)]
struct Proof {
    since: Timestamp,
    good: u32,
    last: Timestamp,
    /// How long it has to answer.
    hold: Duration,
}

impl Road {
    pub(super) fn new(kind: LayerKind, now: Timestamp) -> Self {
        Self {
            kind,
            state: LayerState::Unknown,
            since: now,
            why: "not tried yet".to_owned(),
            rtt: None,
            last_good: None,
            downs: VecDeque::new(),
            failed: false,
            proof: None,
            probed: None,
            looked: false,
            spool: None,
        }
    }

    fn turn(&mut self, state: LayerState, why: String, now: Timestamp) {
        if self.state != state {
            self.since = now;
        }
        self.state = state;
        self.why = why;
    }

    /// It is being opened. What is barred stays so until a person has looked and the agent itself has answered over it.
    pub(super) fn connecting(&mut self, now: Timestamp) {
        if matches!(self.state, LayerState::Unknown | LayerState::Down) {
            let why = if self.failed { self.why.clone() } else { "connecting".to_owned() };
            self.turn(LayerState::Connecting, why, now);
        }
    }

    /// The agent answered over it. Says whether it was out of use until now. What is barred stays so until a person has
    /// looked, whatever answers.
    pub(super) fn alive(&mut self, rtt: Duration, now: Timestamp) -> bool {
        if self.state == LayerState::Barred && !self.looked {
            return false;
        }
        self.rtt = Some(self.rtt.map_or(rtt, |known| (known * 7 + rtt) / 8));
        self.last_good = Some(now);
        match self.state {
            LayerState::Up | LayerState::Proving => {}
            _ if self.failed => self.turn(LayerState::Proving, String::new(), now),
            _ => self.turn(LayerState::Up, ANSWERS.to_owned(), now),
        }
        if self.state != LayerState::Proving {
            return self.since == now;
        }
        let back = self.proof.is_none();
        let hold = self.hold(now);
        let proof = self.proof.get_or_insert(Proof { since: now, good: 0, last: now, hold });
        // Answers that come together prove no more than one.
        if proof.good == 0 || apart(proof.last, now) >= PROVE_EVERY.mul_f64(0.8) {
            (proof.good, proof.last) = (proof.good + 1, now);
        }
        let (good, held, hold) = (proof.good, apart(proof.since, now), proof.hold);
        if good >= GOOD && held >= hold {
            self.proof = None;
            self.turn(LayerState::Up, ANSWERS.to_owned(), now);
        } else {
            self.why = format!(
                "answers again: {good} of {GOOD} good answers, held {} of {} s",
                held.as_secs(),
                hold.as_secs()
            );
        }
        back
    }

    /// It does not answer.
    pub(super) fn down(&mut self, why: String, now: Timestamp) {
        if self.state == LayerState::Barred {
            return;
        }
        if matches!(self.state, LayerState::Up | LayerState::Proving) {
            self.downs.retain(|down| apart(*down, now) < REMEMBERED);
            self.downs.push_back(now);
        }
        (self.failed, self.proof) = (true, None);
        self.turn(LayerState::Down, why, now);
    }

    /// A question over it was not answered in time. It has to prove itself; until then others go first.
    pub(super) fn silent(&mut self, waited: Duration, now: Timestamp) {
        if matches!(self.state, LayerState::Up | LayerState::Proving) {
            self.proof = None;
            self.turn(LayerState::Proving, format!("silent: no answer within {} ms", waited.as_millis()), now);
        }
    }

    /// It must not be used until a person has looked.
    pub(super) fn bar(&mut self, why: String, now: Timestamp) {
        (self.failed, self.proof, self.looked) = (true, None, false);
        self.turn(LayerState::Barred, why, now);
    }

    /// An operator asks whether it answers.
    pub(super) fn looked_at(&mut self) {
        self.looked = true;
    }

    /// When it has to be asked, so that it can prove itself; `None` while it has nothing to prove.
    pub(super) fn probe_at(&self) -> Option<Timestamp> {
        if self.state != LayerState::Proving {
            return None;
        }
        let next = self.probed.map_or(self.since, |probed| probed + PROVE_EVERY);
        let enough = self.proof.filter(|proof| proof.good >= GOOD);
        Some(enough.map_or(next, |proof| next.max(proof.since + proof.hold)))
    }

    /// It was asked for a proof.
    pub(super) fn probed(&mut self, now: Timestamp) {
        self.probed = Some(now);
    }

    /// How long it has to answer before it carries first again.
    fn hold(&self, now: Timestamp) -> Duration {
        if self.flaps(now) <= HOLD_FLAPS { HOLD } else { HOLD_MAX }
    }

    /// How often it went down in the last hour.
    fn flaps(&self, now: Timestamp) -> u32 {
        let count = self.downs.iter().filter(|down| apart(**down, now) < REMEMBERED).count();
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    /// Whether it is tried for the first time.
    pub(super) fn is_untried(&self) -> bool {
        matches!(self.state, LayerState::Unknown | LayerState::Connecting) && !self.failed
    }

    /// How long an answer over it may take: four round trips, and at least half a second.
    pub(super) fn patience(&self) -> Duration {
        self.rtt.map_or(SILENCE, |rtt| (rtt * 4).max(SILENCE))
    }

    pub(super) fn rtt(&self) -> Option<Duration> {
        self.rtt
    }

    /// The clock was put back.
    pub(super) fn clock_back(&mut self, step: SignedDuration) {
        back(&mut self.since, step);
        self.downs.iter_mut().for_each(|down| back(down, step));
        for at in [&mut self.last_good, &mut self.probed].into_iter().flatten() {
            back(at, step);
        }
        if let Some(proof) = &mut self.proof {
            back(&mut proof.since, step);
            back(&mut proof.last, step);
        }
    }

    /// In one line: the road, how it is, and why.
    pub(super) fn line(&self) -> String {
        format!("{}: {}", self.kind, self.why)
    }

    pub(super) fn panel(&self, now: Timestamp) -> LayerPanel {
        LayerPanel {
            kind: self.kind,
            state: self.state.clone(),
            since: self.since,
            rtt: self.rtt,
            last_good: self.last_good,
            why: self.why.clone(),
            flaps: self.flaps(now),
        }
    }
}

/// Time from one moment to a later one; nothing when the clock went back.
pub(super) fn apart(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRIP: Duration = Duration::from_millis(2);

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millisecond(1_700_000_000_000 + millis).expect("in range")
    }

    fn road() -> Road {
        Road::new(LayerKind::Socket, at(0))
    }

    /// Answers once a second from `from` on; when it carries first again.
    fn proves(road: &mut Road, from: i64) -> i64 {
        (0..100)
            .map(|n| from + n * 1_000)
            .find(|t| {
                road.alive(TRIP, at(*t));
                road.state == LayerState::Up
            })
            .expect("it comes back")
    }

    #[test]
    fn a_road_that_never_failed_is_used_at_once() {
        let mut road = road();
        road.connecting(at(0));
        assert!(road.alive(TRIP, at(5)), "it is new");
        assert_eq!(road.state, LayerState::Up);
        assert!(!road.alive(TRIP, at(6)));
    }

    #[test]
    fn after_an_outage_three_answers_over_two_seconds_are_enough_and_flapping_costs_a_third() {
        let mut road = road();
        road.alive(TRIP, at(0));
        let mut now = 0;
        for expected in [2_000, 2_000, 2_000, 3_000, 3_000, 3_000] {
            now += 1_000;
            road.down("closed".into(), at(now));
            now += 1_000;
            let back = proves(&mut road, now);
            assert_eq!(back - now, expected);
            now = back;
        }
        road.down("closed".into(), at(now));
        let later = now + 3_600_000;
        assert_eq!(proves(&mut road, later) - later, 2_000, "an hour later it is forgotten");
    }

    #[test]
    fn many_answers_at_once_prove_no_more_than_one() {
        let mut road = road();
        road.alive(TRIP, at(0));
        road.down("closed".into(), at(10));
        for n in 0..50 {
            road.alive(TRIP, at(20 + n));
        }
        assert_eq!(road.state, LayerState::Proving);
    }

    #[test]
    fn a_failure_while_it_proves_itself_begins_anew() {
        let mut road = road();
        road.alive(TRIP, at(0));
        road.down("closed".into(), at(10));
        road.alive(TRIP, at(1_000));
        road.alive(TRIP, at(2_000));
        road.down("closed".into(), at(2_500));
        assert_eq!(proves(&mut road, 3_000), 5_000);
        assert_eq!(road.panel(at(5_000)).flaps, 2);
    }

    #[test]
    fn failing_to_connect_is_no_flap() {
        let mut road = road();
        for n in 0..20 {
            road.connecting(at(n * 100));
            road.down("connect: refused".into(), at(n * 100 + 50));
        }
        assert_eq!(road.panel(at(3_000)).flaps, 0);
        assert_eq!(road.state, LayerState::Down);
    }

    #[test]
    fn silence_takes_the_first_place_and_no_more() {
        let mut road = road();
        road.alive(TRIP, at(0));
        road.silent(Duration::from_millis(500), at(600));
        assert_eq!(road.state, LayerState::Proving);
        assert_eq!(proves(&mut road, 1_000), 3_000);
        assert_eq!(road.panel(at(3_000)).flaps, 0);
    }

    #[test]
    fn what_is_barred_is_free_again_only_when_a_person_looked_and_the_agent_answered() {
        let mut road = road();
        road.alive(TRIP, at(0));
        road.bar("host key changed".into(), at(10));
        road.connecting(at(20));
        road.down("closed".into(), at(30));
        assert_eq!((road.state.clone(), road.why.as_str()), (LayerState::Barred, "host key changed"));
        assert!(!road.alive(TRIP, at(40)));
        assert_eq!(road.state, LayerState::Barred, "nobody has looked");
        road.looked_at();
        assert_eq!(road.state, LayerState::Barred, "nobody has answered");
        assert!(road.alive(TRIP, at(50)));
        assert_eq!(road.state, LayerState::Proving);
        road.bar("host key changed".into(), at(60));
        assert!(!road.alive(TRIP, at(70)), "somebody looked at the bar before");
    }

    #[test]
    fn patience_is_four_round_trips_and_half_a_second_at_least() {
        let mut road = road();
        assert_eq!(road.patience(), Duration::from_millis(500));
        road.alive(Duration::from_millis(40), at(0));
        assert_eq!(road.patience(), Duration::from_millis(500));
        for n in 0..100 {
            road.alive(Duration::from_millis(800), at(n));
        }
        assert!(road.patience() > Duration::from_secs(3), "{:?}", road.patience());
    }
}
