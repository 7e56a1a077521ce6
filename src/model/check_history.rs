//! What is kept of a check's looks: counts by time, and failures in full.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{CheckId, CheckState, Observation};

/// A result that was not ok, with everything that was seen. The last 20 of each check are kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// How the check stood once this result was taken in.
    pub state: CheckState,
    /// What the look found. Text from outside is in it; secrets are not.
    pub observation: Observation,
}

/// Everything that was found in one stretch of time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HistorySlot {
    /// Its beginning.
    pub from: Timestamp,
    /// Its length.
    pub length: Duration,
    /// Results that were ok.
    pub ok: u64,
    /// Results that were a warning.
    pub warn: u64,
    /// Results that were critical.
    pub critical: u64,
    /// Looks that could say nothing.
    pub unknown: u64,
    /// Percent of the known results that were not critical. `None`: none is known.
    pub uptime: Option<f64>,
    /// Half of the good looks took at most this long; at most 2 % off.
    pub p50: Option<Duration>,
    /// 95 of 100 took at most this long.
    pub p95: Option<Duration>,
    /// 99 of 100 took at most this long.
    pub p99: Option<Duration>,
    /// The longest look, the failed ones too.
    pub longest: Option<Duration>,
}

/// The past of one check.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckHistory {
    /// Which check.
    pub id: CheckId,
    /// Everything together.
    pub total: HistorySlot,
    /// By time, oldest first; stretches without a look are left out.
    pub slots: Vec<HistorySlot>,
    /// The last results that were not ok, newest first.
    pub failures: Vec<Failure>,
}
