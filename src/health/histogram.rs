//! Latencies as a histogram that can be merged: small, and never more than 2 % off.

use std::time::Duration;

/// Relative error of a quantile.
const ERROR: f64 = 0.02;
/// Bucket `i` holds what is above `GAMMA^(i-1)` and at most `GAMMA^i` microseconds.
const GAMMA: f64 = (1.0 + ERROR) / (1.0 - ERROR);
/// The longest latency told apart: six hours. No look may take longer than its interval allows.
const LONGEST: Duration = Duration::from_hours(6);
/// No bucket is higher: `ln(LONGEST) / ln(GAMMA)`, rounded up.
const BUCKETS: u64 = 600;

/// How many latencies fell where. The buckets grow by a constant factor, as in `DDSketch` (Masson, Rim, Lee 2019),
/// so that the error is relative to what is measured, and merging adds counts without any loss.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Histogram {
    /// Bucket and count, by bucket.
    buckets: Vec<(u16, u32)>,
}

impl Histogram {
    /// Counts one latency. Below a microsecond and above six hours it counts as that.
    pub fn add(&mut self, latency: Duration) {
        self.insert(bucket(latency), 1);
    }

    /// Counts everything `other` has counted.
    pub fn merge(&mut self, other: &Self) {
        for (bucket, count) in &other.buckets {
            self.insert(*bucket, *count);
        }
    }

    fn insert(&mut self, bucket: u16, count: u32) {
        match self.buckets.binary_search_by_key(&bucket, |(known, _)| *known) {
            Ok(place) => self.buckets[place].1 = self.buckets[place].1.saturating_add(count),
            Err(place) => self.buckets.insert(place, (bucket, count)),
        }
    }

    /// How many were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(|(_, count)| u64::from(*count)).sum()
    }

    /// The latency that `percent` of 100 do not exceed, at most 2 % off. `None`: nothing was counted.
    #[must_use]
    pub fn quantile(&self, percent: f64) -> Option<Duration> {
        let count = self.count();
        let rank = rank(percent, count)?;
        let mut seen = 0;
        self.buckets.iter().find_map(|(bucket, count)| {
            seen += u64::from(*count);
            (seen >= rank).then(|| middle(*bucket))
        })
    }

    /// The counts in a few bytes: for each bucket the distance to the one before and its count, both as LEB128.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.buckets.len() * 2);
        let mut before = 0;
        for (bucket, count) in &self.buckets {
            push(&mut bytes, u32::from(*bucket) - before);
            push(&mut bytes, *count);
            before = u32::from(*bucket);
        }
        bytes
    }

    /// Reads what [`Histogram::to_bytes`] wrote. `None`: these bytes are something else.
    #[must_use]
    pub fn from_bytes(mut bytes: &[u8]) -> Option<Self> {
        let mut histogram = Self::default();
        let mut bucket = 0u64;
        while !bytes.is_empty() {
            let distance = pull(&mut bytes)?;
            let count = pull(&mut bytes)?;
            if distance == 0 && !histogram.buckets.is_empty() {
                return None;
            }
            bucket += u64::from(distance);
            let known = u16::try_from(bucket).ok().filter(|_| bucket <= BUCKETS)?;
            histogram.buckets.push((known, count));
        }
        Some(histogram)
    }
}

/// The place of the value that `percent` of `count` do not exceed, counted from 1 (nearest rank).
fn rank(percent: f64, count: u64) -> Option<u64> {
    if count == 0 {
        return None;
    }
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
    let rank = (percent / 100.0 * count as f64).ceil();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is clamped to the count")]
    let rank = rank.max(1.0) as u64;
    Some(rank.min(count))
}

fn bucket(latency: Duration) -> u16 {
    let micros = latency.min(LONGEST).as_secs_f64() * 1e6;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is between 0 and BUCKETS")]
    let bucket = (micros.max(1.0).ln() / GAMMA.ln()).ceil() as u16;
    bucket
}

/// The value that is at most 2 % away from everything in `bucket`.
fn middle(bucket: u16) -> Duration {
    Duration::from_secs_f64(2.0 * GAMMA.powi(i32::from(bucket)) / (GAMMA + 1.0) / 1e6)
}

fn push(bytes: &mut Vec<u8>, mut number: u32) {
    while number > 0x7f {
        bytes.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    bytes.push(number.to_le_bytes()[0]);
}

fn pull(bytes: &mut &[u8]) -> Option<u32> {
    let mut number = 0u32;
    for shift in (0..35).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        let digits = u32::from(byte & 0x7f);
        number |= digits.checked_shl(shift).filter(|shifted| shifted >> shift == digits)?;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(micros: &[u64]) -> Histogram {
        let mut histogram = Histogram::default();
        for us in micros {
            histogram.add(Duration::from_micros(*us));
        }
        histogram
    }

    fn latencies() -> impl Strategy<Value = Vec<u64>> {
        // As many short ones as long ones.
        let latency = (0u32..35, 0.0..1.0f64).prop_map(|(power, part)| {
            let low = 1u64 << power;
            #[expect(
                clippy::cast_precision_loss,
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "small"
            )]
            let above = (low as f64 * part) as u64;
            (low + above).min(21_600_000_000)
        });
        proptest::collection::vec(latency, 0..200)
    }

    #[test]
    fn the_ends_are_in_range() {
        assert_eq!(bucket(Duration::ZERO), 0);
        assert_eq!(bucket(Duration::from_nanos(300)), bucket(Duration::from_micros(1)));
        assert!(u64::from(bucket(Duration::MAX)) <= BUCKETS);
        assert_eq!(Histogram::default().quantile(50.0), None);
        assert_eq!(Histogram::from_bytes(&[]), Some(Histogram::default()));
    }

    #[test]
    fn an_hour_of_looks_is_small() {
        // Every second for an hour, log-normal around 30 ms with a tail ten times as long.
        let micros: Vec<u64> = (0..3_600u64)
            .map(|n| {
                let spread = f64::from(u32::try_from(n * 7_919 % 3_600).expect("small")) / 3_600.0;
                let normal = (spread - 0.5) * 4.0;
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive and small")]
                let us = (30_000.0 * (normal * 0.5).exp()) as u64;
                us
            })
            .collect();
        let bytes = of(&micros).to_bytes();
        assert!(bytes.len() <= 150, "{} bytes", bytes.len());
    }

    proptest! {
        #[test]
        fn quantiles_are_at_most_two_percent_off(mut micros in latencies(), percent in 0.0..=100.0f64) {
            let histogram = of(&micros);
            micros.sort_unstable();
            let exact = rank(percent, micros.len() as u64).map(|rank| micros[usize::try_from(rank).expect("small") - 1]);
            prop_assert_eq!(histogram.quantile(percent).is_some(), exact.is_some());
            if let (Some(found), Some(exact)) = (histogram.quantile(percent), exact) {
                let exact = Duration::from_micros(exact.max(1)).as_secs_f64();
                prop_assert!((found.as_secs_f64() - exact).abs() <= exact * (ERROR + 1e-9), "{:?} for {}", found, exact);
            }
        }

        #[test]
        fn merging_is_adding(a in latencies(), b in latencies(), c in latencies()) {
            let merged = |parts: &[&[u64]]| {
                let mut all = Histogram::default();
                for part in parts {
                    all.merge(&of(part));
                }
                all
            };
            let mut right = of(&b);
            right.merge(&of(&c));
            let mut left = of(&a);
            left.merge(&right);
            prop_assert_eq!(&left, &merged(&[&a, &b, &c]), "associative");
            prop_assert_eq!(&left, &merged(&[&c, &b, &a]), "commutative");
            prop_assert_eq!(&left, &of(&[a, b, c].concat()), "the same as counting all of them");
        }

        #[test]
        fn bytes_come_back(micros in latencies()) {
            let histogram = of(&micros);
            prop_assert_eq!(Histogram::from_bytes(&histogram.to_bytes()), Some(histogram));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Some(histogram) = Histogram::from_bytes(&bytes) {
                let _ = histogram.quantile(99.0);
            }
        }
    }
}
