//! When the screen does with less: a state machine of what the line was measured to be. Pure.

use std::time::{Duration, Instant};

use crate::config::Switch;

/// A frame that the terminal took longer for than this is trouble.
const SLOW_WRITE: Duration = Duration::from_millis(250);
/// So much of it, each within this of the one before, is a bad line and no accident.
const TROUBLES: u32 = 3;
const TOGETHER: Duration = Duration::from_secs(20);
/// So long without any the line is a good one again.
const CALM: Duration = Duration::from_mins(1);
/// A way to the engine or the terminal and back above the one makes the screen lite, below the other not; between
/// them it stays as it is.
const RTT_HIGH: Duration = Duration::from_millis(500);
const RTT_LOW: Duration = Duration::from_millis(250);

/// Whether the screen is lite, and what it is judged by.
#[derive(Debug)]
pub(super) struct Degrade {
    setting: Switch,
    /// Slow frames in a row, and when the last one was.
    slow: Option<(u32, Instant)>,
    /// Frames have been slow, and are not known to be quick again.
    slow_frames: bool,
    far_away: bool,
}

impl Degrade {
    /// As it is set; `Auto` goes by what is measured.
    pub(super) fn new(setting: Switch) -> Self {
        Self { setting, slow: None, slow_frames: false, far_away: false }
    }

    /// Sets it the other way round than it is now, until it is set again.
    pub(super) fn toggle(&mut self, now: Instant) {
        self.setting = if self.is_lite(now) { Switch::Off } else { Switch::On };
    }

    /// The terminal took a frame within `took`.
    pub(super) fn written(&mut self, took: Duration, now: Instant) {
        if took <= SLOW_WRITE {
            return;
        }
        let before = self.slow.filter(|(_, at)| now.saturating_duration_since(*at) <= TOGETHER);
        let count = before.map_or(0, |(count, _)| count) + 1;
        self.slow = Some((count, now));
        self.slow_frames |= count >= TROUBLES;
    }

    /// It takes so long to the far end and back.
    pub(super) fn measured(&mut self, rtt: Duration) {
        if rtt > RTT_HIGH {
            self.far_away = true;
        } else if rtt <= RTT_LOW {
            self.far_away = false;
        }
    }

    /// Whether the screen is lite at `now`.
    pub(super) fn is_lite(&mut self, now: Instant) -> bool {
        let calm = self.slow.is_none_or(|(_, at)| now.saturating_duration_since(at) >= CALM);
        self.slow_frames &= !calm;
        match self.setting {
            Switch::On => true,
            Switch::Off => false,
            Switch::Auto => self.slow_frames || self.far_away,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_line_is_bad_after_some_trouble_and_good_after_a_while_without() {
        let mut now = Instant::now();
        let mut degrade = Degrade::new(Switch::Auto);
        for _ in 0..2 {
            degrade.written(SECOND, now);
            now += SECOND;
        }
        assert!(!degrade.is_lite(now), "twice may be an accident");
        degrade.written(SECOND, now);
        assert!(degrade.is_lite(now));
        for _ in 0..100 {
            now += SECOND / 2;
            degrade.written(SECOND / 100, now);
            assert!(degrade.is_lite(now), "it does not go to and fro");
        }
        now += CALM;
        assert!(!degrade.is_lite(now));
        degrade.written(SECOND, now);
        assert!(!degrade.is_lite(now), "counted anew");
        for _ in 0..10 {
            now += TOGETHER + SECOND;
            degrade.written(SECOND, now);
            assert!(!degrade.is_lite(now), "now and then is no bad line");
        }
    }

    #[test]
    fn a_long_way_is_lite_and_a_middling_one_stays_as_it_is() {
        let now = Instant::now();
        let mut degrade = Degrade::new(Switch::Auto);
        let mut lite_at = |milliseconds| {
            degrade.measured(Duration::from_millis(milliseconds));
            degrade.is_lite(now)
        };
        assert_eq!([100, 500, 1_000, 500, 250, 500].map(&mut lite_at), [false, false, true, true, false, false]);
    }

    #[test]
    fn what_is_set_holds() {
        let now = Instant::now();
        let mut off = Degrade::new(Switch::Off);
        off.measured(SECOND * 5);
        assert!(!off.is_lite(now));
        off.toggle(now);
        assert!(off.is_lite(now));
        off.toggle(now);
        assert!(!off.is_lite(now));
        assert!(Degrade::new(Switch::On).is_lite(now));
    }
}
