//! How suspicious a silence is: the phi-accrual detector (Hayashibara and others 2004) with the normal approximation.

use std::collections::VecDeque;
use std::time::Duration;

/// Time between two heartbeats.
pub const BEAT_EVERY: Duration = Duration::from_secs(5);
/// A node is suspected at this phi: once in 100,000 times it is wrong.
pub(super) const SUSPECT_AT: f64 = 5.0;
/// A node may be called down at this phi.
pub(super) const DOWN_AT: f64 = 8.0;

/// Gaps that are remembered.
const WINDOW: usize = 100;
/// Gaps before which the agreed pace is believed rather than the few that came.
const ENOUGH: usize = 8;
/// The deviation counts as this much at least, in milliseconds.
const DEVIATION_MIN: f64 = 500.0;
/// A node may rest for so long beyond what is usual before its silence says anything, in milliseconds.
const PAUSE: f64 = 3_000.0;
/// No gap counts as less or more, in milliseconds. Everybody keeps the same pace; a longer gap says that one was lost or
/// that its node rested, and must not make the next real silence look usual. So phi 5 is reached after 12.8 s of silence
/// at most, and phi 8 after 14.1 s.
const GAP: (u32, u32) = (4_500, 6_500);
/// More says no more.
const PHI_MAX: f64 = 99.9;

/// When something regular came, and how regular it is.
#[derive(Debug, Clone, Default)]
pub(super) struct Arrivals {
    last: Option<Duration>,
    gaps: VecDeque<u32>,
    sum: u64,
    squares: u64,
}

impl Arrivals {
    /// It came at `at`.
    pub(super) fn heard(&mut self, at: Duration) {
        if let Some(last) = self.last.replace(at) {
            let gap = u32::try_from(at.saturating_sub(last).as_millis()).unwrap_or(u32::MAX).clamp(GAP.0, GAP.1);
            self.gaps.push_back(gap);
            self.sum += u64::from(gap);
            self.squares += u64::from(gap).pow(2);
        }
        if self.gaps.len() > WINDOW
            && let Some(oldest) = self.gaps.pop_front()
        {
            self.sum -= u64::from(oldest);
            self.squares -= u64::from(oldest).pow(2);
        }
    }

    /// Nobody listened here for so long: that time says nothing about who was not heard.
    pub(super) fn excuse(&mut self, lost: Duration) {
        self.last = self.last.map(|last| last + lost);
    }

    /// When it came last.
    #[must_use]
    pub(super) fn last(&self) -> Option<Duration> {
        self.last
    }

    /// How suspicious `silence` is: 1 is wrong once in ten times, 5 once in 100,000.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a hundred gaps of some seconds are far below 2^52")]
    pub(super) fn phi(&self, silence: Duration) -> f64 {
        let (mean, deviation) = if self.gaps.len() < ENOUGH {
            (BEAT_EVERY.as_millis() as f64, DEVIATION_MIN)
        } else {
            let count = self.gaps.len() as f64;
            let mean = self.sum as f64 / count;
            let variance = (self.squares as f64 / count - mean * mean).max(0.0);
            (mean, variance.sqrt().max(DEVIATION_MIN))
        };
        let silence = silence.as_millis() as f64;
        tail((silence - mean - PAUSE) / deviation)
    }
}

/// -log10 of the chance that a normal variable is more than `y` deviations above its mean, by the logistic approximation
/// of Bowling and others (2009).
fn tail(y: f64) -> f64 {
    let e = (-y * (1.5976 + 0.070_566 * y * y)).exp();
    let chance = if y > 0.0 { e / (1.0 + e) } else { 1.0 - 1.0 / (1.0 + e) };
    // `max` also turns the -0 of a certainty into 0.
    (-chance.log10()).clamp(0.0, PHI_MAX).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    /// The silence, in tenths of a second, at which `phi` is reached.
    fn reached(arrivals: &Arrivals, phi: f64) -> u32 {
        (0..400).find(|tenths| arrivals.phi(seconds(f64::from(*tenths) / 10.0)) >= phi).expect("it is reached")
    }

    fn regular(gaps: impl IntoIterator<Item = f64>) -> Arrivals {
        let mut arrivals = Arrivals::default();
        let mut at = 100.0;
        arrivals.heard(seconds(at));
        for gap in gaps {
            at += gap;
            arrivals.heard(seconds(at));
        }
        arrivals
    }

    #[test]
    fn it_grows_with_the_silence_and_is_the_tail_of_the_normal_distribution() {
        let arrivals = regular((0..50).map(|_| 5.0));
        let phi: Vec<f64> = (0..30).map(|s| arrivals.phi(seconds(f64::from(s)))).collect();
        assert!(phi.windows(2).all(|pair| pair[0] <= pair[1]), "{phi:?}");
        assert!(phi[5] < 0.01 && phi[29] >= PHI_MAX, "{phi:?}");
        // Beyond 1.2816, 3.0902 and 4.2649 deviations lie 10 %, 0.1 % and 0.001 %. Far out the approximation is coarse.
        for (y, expected, error) in [(1.2816, 1.0, 0.01), (3.0902, 3.0, 0.1), (4.2649, 5.0, 0.4)] {
            assert!((tail(y) - expected).abs() < error, "{y}: {}", tail(y));
        }
    }

    #[test]
    fn a_regular_node_is_suspected_after_ten_seconds() {
        for arrivals in [regular((0..50).map(|_| 5.0)), Arrivals::default(), regular([4.9, 5.1])] {
            assert!((100..=103).contains(&reached(&arrivals, SUSPECT_AT)), "{}", reached(&arrivals, SUSPECT_AT));
            assert!((106..=110).contains(&reached(&arrivals, DOWN_AT)));
        }
    }

    #[test]
    fn whatever_came_before_a_silence_is_noticed_in_time() {
        // A node that rests often, one on a bad line, one that floods.
        let restless = regular((0..99).map(|n| if n % 10 == 0 { 15.0 } else { 5.0 }));
        let lossy = regular((0..99).map(|n| if n % 2 == 0 { 10.0 } else { 5.0 }));
        let flood = regular((0..99).map(|_| 0.001));
        let uneven = regular((0..99).map(|n| if n % 2 == 0 { 20.0 } else { 0.1 }));
        for arrivals in [restless, lossy, flood, uneven] {
            assert!((95..=128).contains(&reached(&arrivals, SUSPECT_AT)), "{}", reached(&arrivals, SUSPECT_AT));
            assert!(reached(&arrivals, DOWN_AT) <= 141);
        }
    }

    #[test]
    fn time_in_which_nobody_listened_is_no_gap() {
        let mut arrivals = regular((0..20).map(|_| 5.0));
        let last = arrivals.last().expect("some came");
        arrivals.excuse(seconds(10.0));
        assert_eq!(arrivals.last(), Some(last + seconds(10.0)));
    }

    #[test]
    fn only_the_newest_gaps_count() {
        let arrivals = regular((0..300).map(|n| if n < 150 { 6.4 } else { 5.0 }));
        assert_eq!(arrivals.gaps.len(), WINDOW);
        assert_eq!((arrivals.sum, arrivals.squares), (500_000, 2_500_000_000));
    }
}
