//! Results of a stretch of time, counted: what a minute and an hour keep of them.

use std::time::Duration;

use jiff::Timestamp;

use crate::model::{HistorySlot, Verdict};

use super::Histogram;

/// Counts of results and the latencies of the good ones. Two can be merged without loss.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rollup {
    /// Results that were ok.
    pub ok: u32,
    /// Results that were a warning.
    pub warn: u32,
    /// Results that were critical.
    pub critical: u32,
    /// Looks that could say nothing.
    pub unknown: u32,
    /// The longest look, the failed ones too; those that could say nothing do not count.
    pub longest: Duration,
    /// How long looks took that were ok or a warning. What failed took as long as a refusal or a timeout takes.
    pub latencies: Histogram,
}

impl Rollup {
    /// Counts one result.
    pub fn add(&mut self, verdict: Verdict, took: Duration) {
        let count = match verdict {
            Verdict::Ok => &mut self.ok,
            Verdict::Warn => &mut self.warn,
            Verdict::Critical => &mut self.critical,
            Verdict::Unknown => &mut self.unknown,
        };
        *count = count.saturating_add(1);
        if verdict != Verdict::Unknown {
            self.longest = self.longest.max(took);
        }
        if matches!(verdict, Verdict::Ok | Verdict::Warn) {
            self.latencies.add(took);
        }
    }

    /// Counts everything `other` has counted.
    pub fn merge(&mut self, other: &Self) {
        self.ok = self.ok.saturating_add(other.ok);
        self.warn = self.warn.saturating_add(other.warn);
        self.critical = self.critical.saturating_add(other.critical);
        self.unknown = self.unknown.saturating_add(other.unknown);
        self.longest = self.longest.max(other.longest);
        self.latencies.merge(&other.latencies);
    }

    /// Percent of the known results that were not critical. `None`: none is known.
    #[must_use]
    pub fn uptime(&self) -> Option<f64> {
        let up = f64::from(self.ok) + f64::from(self.warn);
        let known = up + f64::from(self.critical);
        (known > 0.0).then(|| up / known * 100.0)
    }

    /// The worst result. Not knowing is worse than ok and milder than anything known to be wrong.
    #[must_use]
    pub fn worst(&self) -> Option<Verdict> {
        let counts = [
            (self.critical, Verdict::Critical),
            (self.warn, Verdict::Warn),
            (self.unknown, Verdict::Unknown),
            (self.ok, Verdict::Ok),
        ];
        counts.into_iter().find(|(count, _)| *count > 0).map(|(_, verdict)| verdict)
    }

    /// As it is shown, for the stretch of `length` from `from` on.
    #[must_use]
    pub fn slot(&self, from: Timestamp, length: Duration) -> HistorySlot {
        HistorySlot {
            from,
            length,
            ok: self.ok.into(),
            warn: self.warn.into(),
            critical: self.critical.into(),
            unknown: self.unknown.into(),
            uptime: self.uptime(),
            p50: self.latencies.quantile(50.0),
            p95: self.latencies.quantile(95.0),
            p99: self.latencies.quantile(99.0),
            longest: (self.ok + self.warn + self.critical > 0).then_some(self.longest),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_not_known_is_no_downtime() {
        let mut rollup = Rollup::default();
        rollup.add(Verdict::Unknown, Duration::from_secs(9));
        assert_eq!((rollup.uptime(), rollup.worst()), (None, Some(Verdict::Unknown)));
        let slot = rollup.slot(Timestamp::UNIX_EPOCH, Duration::from_mins(1));
        assert_eq!((slot.longest, slot.p50), (None, None));
        for verdict in [Verdict::Ok, Verdict::Ok, Verdict::Warn, Verdict::Critical] {
            rollup.add(verdict, Duration::from_millis(20));
        }
        assert_eq!((rollup.uptime(), rollup.worst()), (Some(75.0), Some(Verdict::Critical)));
        assert_eq!((rollup.latencies.count(), rollup.longest), (3, Duration::from_millis(20)));
    }

    fn results() -> impl Strategy<Value = Vec<(Verdict, u64)>> {
        let verdict =
            prop_oneof![Just(Verdict::Ok), Just(Verdict::Warn), Just(Verdict::Critical), Just(Verdict::Unknown)];
        proptest::collection::vec((verdict, 0u64..20_000_000), 0..60)
    }

    proptest! {
        /// Minutes merged to hours say what all results together say.
        #[test]
        fn parts_merge_to_the_whole(results in results(), parts in 1usize..8) {
            let mut whole = Rollup::default();
            let mut split = vec![Rollup::default(); parts];
            for (n, (verdict, us)) in results.iter().enumerate() {
                whole.add(*verdict, Duration::from_micros(*us));
                split[n % parts].add(*verdict, Duration::from_micros(*us));
            }
            let mut merged = Rollup::default();
            for part in split.iter().rev() {
                merged.merge(part);
            }
            prop_assert_eq!(&merged, &whole);
            let known = results.iter().filter(|(verdict, _)| *verdict != Verdict::Unknown).count();
            let up = results.iter().filter(|(verdict, _)| matches!(verdict, Verdict::Ok | Verdict::Warn)).count();
            #[expect(clippy::cast_precision_loss, reason = "small")]
            let naive = (known > 0).then(|| up as f64 / known as f64 * 100.0);
            prop_assert_eq!(whole.uptime(), naive);
        }
    }
}
