//! How fast background work on the store may go while deliveries come in.

use std::time::{Duration, Instant};

/// Deliveries a second from which on senders come first.
const BUSY: f64 = 2_000.0;
/// Of the time, background work then takes one part in this many and one.
const SHARE: u32 = 12;

/// Watches how many deliveries come in while a piece of background work runs.
#[derive(Debug)]
pub(super) struct Pace {
    at: Instant,
    seen: u64,
}

impl Pace {
    /// Starts watching at `recorded` deliveries.
    pub(super) fn new(recorded: u64) -> Self {
        Self { at: Instant::now(), seen: recorded }
    }

    /// How long to rest after work that took `took`, at `recorded` deliveries.
    pub(super) fn rest(&mut self, took: Duration, recorded: u64) -> Duration {
        let elapsed = self.at.elapsed().as_secs_f64().max(0.001);
        #[expect(clippy::cast_precision_loss, reason = "a rate; the last digits do not matter")]
        let rate = recorded.saturating_sub(self.seen) as f64 / elapsed;
        self.at = Instant::now();
        self.seen = recorded;
        if rate < BUSY { Duration::ZERO } else { took * SHARE }
    }
}
