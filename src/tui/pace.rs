//! How soon the next frame may be drawn. Pure.

use std::time::{Duration, Instant};

/// What makes a frame wanted, the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Urgency {
    /// Figures and ages: nobody waits for them.
    Figures,
    /// Something has happened.
    News,
    /// Somebody has pressed a key, or got the answer to what they asked.
    Key,
}

/// 30 frames a second on this machine, 10 over a line.
const NEAR: Duration = Duration::from_millis(33);
const FAR: Duration = Duration::from_millis(100);
/// After a key: more than a person can tell, and fewer than a key that repeats asks for.
const KEY_NEAR: Duration = Duration::from_millis(8);
const KEY_FAR: Duration = Duration::from_millis(33);
/// 2 frames a second while the terminal hardly reads.
const SLOWEST: Duration = Duration::from_millis(500);
/// In lite mode: news at most once a second, figures in steps of a few seconds.
const LITE_NEWS: Duration = Duration::from_secs(1);
const LITE_FIGURES: Duration = Duration::from_secs(4);
/// A frame that was taken within this cost nothing.
const QUICK: Duration = Duration::from_millis(20);

/// The budget of frames.
#[derive(Debug)]
pub(super) struct Pace {
    far: bool,
    pub(super) lite: bool,
    /// Between two frames now.
    gap: Duration,
    /// When the last frame was handed over.
    last: Option<Instant>,
}

impl Pace {
    /// The budget of a terminal on this machine, or of one that is `far`.
    pub(super) fn new(far: bool) -> Self {
        Self { far, lite: false, gap: if far { FAR } else { NEAR }, last: None }
    }

    /// How long a frame has to wait at `now`. The first never does.
    pub(super) fn wait(&self, urgency: Urgency, now: Instant) -> Duration {
        let Some(last) = self.last else { return Duration::ZERO };
        let gap = match urgency {
            Urgency::Key => self.gap.min(if self.far { KEY_FAR } else { KEY_NEAR }),
            Urgency::News if self.lite => LITE_NEWS.max(self.gap),
            Urgency::Figures if self.lite => LITE_FIGURES,
            Urgency::News | Urgency::Figures => self.gap,
        };
        gap.saturating_sub(now.saturating_duration_since(last))
    }

    /// A frame was handed over.
    pub(super) fn drawn(&mut self, now: Instant) {
        self.last = Some(now);
    }

    /// The terminal took the frame within `took`. One that is slow is left alone for as long as it needed.
    pub(super) fn written(&mut self, took: Duration, now: Instant) {
        let base = if self.far { FAR } else { NEAR };
        self.gap = if took <= QUICK { (self.gap / 2).max(base) } else { (took * 2).clamp(base.max(self.gap), SLOWEST) };
        // It is counted from the end, so that half of the time at least is free for what is typed and echoed.
        self.last = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(pace: &Pace, urgency: Urgency, last: Instant, milliseconds: u64) -> u128 {
        pace.wait(urgency, last + Duration::from_millis(milliseconds)).as_millis()
    }

    #[test]
    fn frames_have_a_budget_and_keys_come_first() {
        let now = Instant::now();
        let mut near = Pace::new(false);
        assert_eq!(near.wait(Urgency::Figures, now), Duration::ZERO, "the first waits for nothing");
        near.drawn(now);
        assert_eq!(after(&near, Urgency::News, now, 3), 30);
        assert_eq!(after(&near, Urgency::Key, now, 3), 5);
        assert_eq!(after(&near, Urgency::Key, now, 30), 0);
        let mut far = Pace::new(true);
        far.drawn(now);
        assert_eq!(after(&far, Urgency::News, now, 0), 100);
        assert_eq!(after(&far, Urgency::Key, now, 0), 33);
    }

    #[test]
    fn a_terminal_that_hardly_reads_gets_fewer_frames_until_it_does() {
        let now = Instant::now();
        let mut pace = Pace::new(false);
        pace.written(Duration::from_millis(80), now);
        assert_eq!(after(&pace, Urgency::News, now, 0), 160);
        pace.written(Duration::from_mins(1), now);
        assert_eq!(after(&pace, Urgency::News, now, 0), 500);
        assert_eq!(after(&pace, Urgency::Key, now, 0), 8, "a key is not held back by it");
        for _ in 0..4 {
            pace.written(Duration::from_millis(1), now);
        }
        assert_eq!(after(&pace, Urgency::News, now, 0), 33);
    }

    #[test]
    fn lite_shows_figures_in_steps_and_keys_at_once() {
        let now = Instant::now();
        let mut pace = Pace::new(true);
        pace.lite = true;
        pace.drawn(now);
        assert_eq!(after(&pace, Urgency::Figures, now, 0), 4_000);
        assert_eq!(after(&pace, Urgency::News, now, 0), 1_000);
        assert_eq!(after(&pace, Urgency::Key, now, 0), 33);
    }
}
