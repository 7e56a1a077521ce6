//! How well checks keep their schedule: figures for the metrics page.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::health::Histogram;
use crate::protocol::LookFigures;

/// Which quantiles of the lag are told, in percent.
const QUANTILES: [f64; 3] = [50.0, 95.0, 99.0];

/// Counters since the engine started. Shared; reading them holds up nobody.
#[derive(Debug, Default)]
pub struct CheckMeasures {
    lag: Mutex<Histogram>,
    looks: AtomicU64,
    skipped: AtomicU64,
}

impl CheckMeasures {
    /// How much later than planned looks began.
    #[must_use]
    pub fn lag(&self) -> Histogram {
        self.lag.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Looks that began.
    #[must_use]
    pub fn looks(&self) -> u64 {
        self.looks.load(Ordering::Relaxed)
    }

    /// Planned looks that nobody took: the one before was not over, or this process did not run.
    #[must_use]
    pub fn skipped(&self) -> u64 {
        self.skipped.load(Ordering::Relaxed)
    }

    /// All of it in figures.
    #[must_use]
    pub fn figures(&self) -> LookFigures {
        let lag = self.lag();
        LookFigures {
            begun: self.looks(),
            skipped: self.skipped(),
            lag: QUANTILES.iter().filter_map(|percent| Some((*percent, lag.quantile(*percent)?))).collect(),
        }
    }

    pub(super) fn began(&self, late: Duration) {
        self.looks.fetch_add(1, Ordering::Relaxed);
        self.lag.lock().unwrap_or_else(PoisonError::into_inner).add(late);
    }

    pub(super) fn skip(&self, count: u64) {
        self.skipped.fetch_add(count, Ordering::Relaxed);
    }
}
