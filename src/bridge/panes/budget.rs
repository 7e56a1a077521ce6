//! How fast what hosts print is taken in. No I/O; time is given.

use std::time::Duration;

use tokio::time::Instant;

/// Bytes of one host that are taken in a second, all its panes together. A parser takes some 30 MiB: a program that
/// prints without end costs at most a seventh of a core.
const BYTES_A_SECOND: u64 = 4 << 20;
/// What a message costs at least, so that many small ones are no way around.
const LEAST: u64 = 512;
/// A host that pays back this much later than it may sends more than it was given leave to.
const DEBT_MAX: Duration = Duration::from_secs(2);

/// The budget of one host.
#[derive(Debug)]
pub(super) struct Budget {
    /// When everything taken so far is paid for.
    paid: Instant,
}

impl Budget {
    pub(super) fn new(now: Instant) -> Self {
        Self { paid: now }
    }

    /// A message with so many bytes of a pane was taken in.
    pub(super) fn take(&mut self, bytes: usize, now: Instant) {
        let cost = LEAST.max(bytes as u64).saturating_mul(1_000_000) / BYTES_A_SECOND;
        self.paid = self.paid.max(now) + Duration::from_micros(cost);
    }

    /// When leave may be given for more.
    pub(super) fn paid(&self) -> Instant {
        self.paid
    }

    /// Until when nothing more is heard: this host does not keep to what it was given leave to.
    pub(super) fn pause(&self) -> Instant {
        self.paid.checked_sub(DEBT_MAX).unwrap_or(self.paid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_of_printing_is_paid_in_a_second_and_a_flood_of_small_words_too() {
        let now = Instant::now();
        let mut large = Budget::new(now);
        for _ in 0..64 {
            large.take(64 << 10, now);
        }
        assert_eq!(large.paid() - now, Duration::from_secs(1));
        assert!(large.pause() < now, "this much may come at once");
        let mut small = Budget::new(now);
        for _ in 0..20_000 {
            small.take(1, now);
        }
        assert!(small.paid() - now > Duration::from_secs(2), "{:?}", small.paid() - now);
        assert!(small.pause() > now);
        let later = now + Duration::from_mins(1);
        small.take(1, later);
        assert!(small.paid() - later < Duration::from_millis(1), "a rest is not saved up, and forgives");
    }
}
