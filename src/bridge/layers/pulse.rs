//! When an open road is asked whether anybody is there, and when nobody is. No I/O; time is given.

use std::time::Duration;

use tokio::time::Instant;

/// Pause between two probes of a road that is well.
const EVERY: Duration = Duration::from_secs(5);
/// An answer is waited for four times as long as the last one took, within these bounds, before it is asked again.
const WAIT: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(5)];
/// So many probes in a row with not a byte heard, and the road is silent. It takes 20 s at most.
const UNHEARD_MAX: usize = 3;

/// What is to be done now.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Beat {
    /// Nothing.
    Rest,
    /// Send a probe with this nonce.
    Probe(u64),
    /// Nobody is there; for so long nothing was heard.
    Silent(Duration),
}

/// The pulse of one connection.
#[derive(Debug)]
pub(super) struct Pulse {
    heard: Instant,
    /// Probes sent since anything was heard or since the last answer, oldest first.
    asked: Vec<(u64, Instant)>,
    /// When the next beat is due.
    due: Instant,
    wait: Duration,
    nonce: u64,
}

impl Pulse {
    /// A connection that was greeted at `now`. The first probe is due at once: a greeting may have taken as long as
    /// a connection takes to be made, and says nothing about the road.
    pub(super) fn new(now: Instant, nonce: u64) -> Self {
        Self { heard: now, asked: Vec::new(), due: now, wait: WAIT[1], nonce }
    }

    /// When [`beat`](Self::beat) has something to say.
    pub(super) fn due(&self) -> Instant {
        self.due
    }

    /// Asks now.
    pub(super) fn hurry(&mut self, now: Instant) {
        self.due = self.due.min(now);
    }

    /// Something was heard, whatever it was.
    pub(super) fn heard(&mut self, now: Instant) {
        self.heard = now;
    }

    /// The answer to a probe was heard; answers how long it took, if it was one of ours.
    pub(super) fn answered(&mut self, nonce: u64, now: Instant) -> Option<Duration> {
        let place = self.asked.iter().position(|(asked, _)| *asked == nonce)?;
        let rtt = now - self.asked[place].1;
        // Older ones are answered by it.
        self.asked.drain(..=place);
        self.wait = (rtt * 4).clamp(WAIT[0], WAIT[1]);
        if self.asked.is_empty() {
            self.due = now + EVERY;
        }
        Some(rtt)
    }

    /// What is to be done at `now`.
    pub(super) fn beat(&mut self, now: Instant) -> Beat {
        if now < self.due {
            return Beat::Rest;
        }
        let heard = self.heard;
        self.asked.retain(|(_, at)| *at >= heard);
        if self.asked.len() >= UNHEARD_MAX {
            return Beat::Silent(now - heard);
        }
        self.nonce = self.nonce.wrapping_add(1);
        self.asked.push((self.nonce, now));
        self.due = now + self.wait;
        Beat::Probe(self.nonce)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Beats until the road is silent; answers after how long, and how many probes went out.
    fn until_silent(pulse: &mut Pulse) -> (Duration, usize) {
        let begun = pulse.heard;
        let mut probes = 0;
        loop {
            let now = pulse.due();
            match pulse.beat(now) {
                Beat::Probe(_) => probes += 1,
                Beat::Silent(silence) => {
                    assert_eq!(silence, now - begun);
                    return (silence, probes);
                }
                Beat::Rest => panic!("it was due"),
            }
        }
    }

    #[test]
    fn three_probes_that_nobody_hears_and_the_road_is_silent() {
        let start = Instant::now();
        let mut fresh = Pulse::new(start, 7);
        assert_eq!(until_silent(&mut fresh), (15 * SECOND, 3), "nothing is known of how long an answer takes");
        let mut near = Pulse::new(start, 7);
        assert_eq!(near.beat(start), Beat::Probe(8));
        let soon = start + Duration::from_millis(2);
        near.heard(soon);
        assert_eq!(near.answered(8, soon), Some(Duration::from_millis(2)));
        assert_eq!(until_silent(&mut near), (11 * SECOND, 3));
    }

    #[test]
    fn what_is_heard_keeps_it_up_and_an_old_answer_counts() {
        let start = Instant::now();
        let mut pulse = Pulse::new(start, 0);
        let mut now = start;
        for _ in 0..100 {
            assert!(matches!(pulse.beat(now), Beat::Probe(_)));
            pulse.heard(now + SECOND);
            now = pulse.due();
        }
        let mut slow = Pulse::new(start, 0);
        assert_eq!(slow.beat(start), Beat::Probe(1));
        assert_eq!(slow.beat(start + 5 * SECOND), Beat::Probe(2));
        assert_eq!(slow.answered(1, start + 6 * SECOND), Some(6 * SECOND));
        assert_eq!(slow.answered(1, start + 6 * SECOND), None, "once");
        assert_eq!(slow.answered(99, start + 6 * SECOND), None, "not one of ours");
    }

    #[test]
    fn a_road_that_is_well_is_asked_every_five_seconds_and_when_somebody_wants_to_know() {
        let start = Instant::now();
        let mut pulse = Pulse::new(start, 0);
        assert_eq!(pulse.beat(start), Beat::Probe(1));
        pulse.heard(start);
        assert_eq!(pulse.answered(1, start), Some(Duration::ZERO));
        assert_eq!(pulse.beat(start + 4 * SECOND), Beat::Rest);
        pulse.hurry(start + 4 * SECOND);
        assert_eq!(pulse.beat(start + 4 * SECOND), Beat::Probe(2));
    }
}
