//! Bytes that go to the terminal, in steps so coarse that telling them costs next to nothing. Pure.

use std::time::{Duration, Instant};

/// What is told is true of this much time.
const SPAN: Duration = Duration::from_secs(5);

/// Counts bytes.
#[derive(Debug)]
pub(super) struct Meter {
    since: Instant,
    bytes: u64,
    told: &'static str,
}

impl Meter {
    pub(super) fn new(now: Instant) -> Self {
        Self { since: now, bytes: 0, told: RATES[0].1 }
    }

    pub(super) fn wrote(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }

    /// How much it is a second, by the last span that is over.
    pub(super) fn rate(&mut self, now: Instant) -> &'static str {
        let past = now.saturating_duration_since(self.since);
        if past >= SPAN {
            let per_second = self.bytes * 1_000 / u64::try_from(past.as_millis()).unwrap_or(u64::MAX).max(1);
            self.told = RATES.into_iter().find(|(below, _)| per_second < *below).map_or(MORE, |(_, told)| told);
            (self.since, self.bytes) = (now, 0);
        }
        self.told
    }
}

const RATES: [(u64, &str); 6] =
    [(20, "<20B/s"), (100, "<100B/s"), (300, "<300B/s"), (1_000, "<1KB/s"), (5_000, "<5KB/s"), (20_000, "<20KB/s")];
const MORE: &str = ">20KB/s";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_steps() {
        let now = Instant::now();
        let mut meter = Meter::new(now);
        assert_eq!(meter.rate(now), "<20B/s");
        meter.wrote(2_000);
        assert_eq!(meter.rate(now + SPAN / 2), "<20B/s", "not yet");
        assert_eq!(meter.rate(now + SPAN), "<1KB/s");
        assert_eq!(meter.rate(now + SPAN * 3), "<20B/s");
        meter.wrote(10_000_000);
        assert_eq!(meter.rate(now + SPAN * 4), ">20KB/s");
    }
}
