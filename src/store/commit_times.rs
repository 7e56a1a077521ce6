//! How long commits take, counted by the writer and read by whoever wants to know.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds in milliseconds; what takes longer is in one more bucket.
const BOUNDS: [u32; 9] = [1, 2, 5, 10, 25, 50, 100, 250, 1_000];

/// Commits by how long they took.
#[derive(Debug, Default)]
pub struct CommitTimes {
    buckets: [AtomicU64; BOUNDS.len() + 1],
    microseconds: AtomicU64,
}

impl CommitTimes {
    pub(super) fn observe(&self, took: Duration) {
        let bucket = BOUNDS.iter().position(|bound| took <= Duration::from_millis(u64::from(*bound)));
        self.buckets[bucket.unwrap_or(BOUNDS.len())].fetch_add(1, Ordering::Relaxed);
        let microseconds = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.microseconds.fetch_add(microseconds, Ordering::Relaxed);
    }

    /// Each bucket's upper bound, none for the last, and the commits in it alone.
    #[must_use]
    pub fn buckets(&self) -> Vec<(Option<Duration>, u64)> {
        let bounds = BOUNDS.iter().map(|bound| Some(Duration::from_millis(u64::from(*bound)))).chain([None]);
        bounds.zip(&self.buckets).map(|(bound, count)| (bound, count.load(Ordering::Relaxed))).collect()
    }

    /// How long all commits took together.
    #[must_use]
    pub fn total(&self) -> Duration {
        Duration::from_micros(self.microseconds.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_is_in_one_bucket() {
        let times = CommitTimes::default();
        for milliseconds in [1, 2, 3, 9_000] {
            times.observe(Duration::from_millis(milliseconds));
        }
        let counts: Vec<u64> = times.buckets().into_iter().map(|(_, count)| count).collect();
        assert_eq!(counts, [1, 1, 1, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(times.total(), Duration::from_millis(9_006));
    }
}
