//! How long a lone escape waits before it is the key.

use std::time::{Duration, Instant};

/// On a line that keeps what belongs together together. A person does not notice it.
const SHORT: Duration = Duration::from_millis(100);
/// On the worst line; longer would feel broken.
const LONG: Duration = Duration::from_secs(1);
/// How long after it last tore a sequence a line still counts as slow.
const REMEMBERED: Duration = Duration::from_mins(1);
/// Half a sequence is dropped after this.
pub(super) const SEQUENCE: Duration = Duration::from_secs(2);

/// What is known of the line.
#[derive(Debug, Default)]
pub(super) struct Patience {
    /// The longest gap inside a sequence of late, and when.
    torn: Option<(Duration, Instant)>,
}

impl Patience {
    /// A sequence went on `gap` after its beginning.
    pub(super) fn torn(&mut self, gap: Duration, now: Instant) {
        let before = self.torn.filter(|(_, at)| now.duration_since(*at) < REMEMBERED);
        self.torn = Some((before.map_or(gap, |(longest, _)| longest.max(gap)), now));
    }

    /// How long to wait at `now` for what follows an escape.
    pub(super) fn escape(&self, now: Instant) -> Duration {
        match self.torn {
            Some((gap, at)) if now.duration_since(at) < REMEMBERED => (gap * 2).clamp(SHORT, LONG),
            _ => SHORT,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_tears_sequences_is_given_more_time_for_a_while() {
        let now = Instant::now();
        let mut patience = Patience::default();
        assert_eq!(patience.escape(now), SHORT);
        patience.torn(Duration::from_millis(10), now);
        assert_eq!(patience.escape(now), SHORT);
        patience.torn(Duration::from_millis(200), now);
        patience.torn(Duration::from_millis(20), now);
        assert_eq!(patience.escape(now), Duration::from_millis(400));
        assert_eq!(patience.escape(now + REMEMBERED), SHORT);
        patience.torn(Duration::from_mins(1), now);
        assert_eq!(patience.escape(now), LONG);
    }
}
