//! What one look at a check tells.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{CheckId, CheckKind, Phase, Sights, Strip, Verdict, counted};

/// How a check stands, mildest first: the reverse of the order on a screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckState {
    /// Everything that must hold holds.
    Ok,
    /// Nothing can be said yet, or not at present.
    Unknown,
    /// No result has come for so long that the last one no longer counts.
    Stale,
    /// What `warn` demands has not held often enough.
    Warn,
    /// What `when` demands has not held often enough.
    Critical,
}

impl CheckState {
    /// Every state, mildest first.
    pub const ALL: [Self; 5] = [Self::Ok, Self::Unknown, Self::Stale, Self::Warn, Self::Critical];

    /// The word shown beside the colour.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Unknown => "unknown",
            Self::Stale => "stale",
            Self::Warn => "warn",
            Self::Critical => "critical",
        }
    }

    /// Whether a check that stands so counts as up, where there is only yes and no: not when it is critical or stale.
    ///
    /// Unknown counts as up. Nothing is known to be wrong then, and it is what all checks over the network are while
    /// this machine is cut off, and all checks after a start: as `false` each of those would be an outage of everything.
    #[must_use]
    pub fn is_up(self) -> bool {
        !matches!(self, Self::Critical | Self::Stale)
    }

    /// How many are in each state; every state is there.
    #[must_use]
    pub fn tally(states: impl IntoIterator<Item = Self>) -> BTreeMap<Self, u64> {
        let mut counts = BTreeMap::from(Self::ALL.map(|state| (state, 0)));
        for state in states {
            *counts.entry(state).or_default() += 1;
        }
        counts
    }
}

impl From<Verdict> for CheckState {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Ok => Self::Ok,
            Verdict::Warn => Self::Warn,
            Verdict::Critical => Self::Critical,
            Verdict::Unknown => Self::Unknown,
        }
    }
}

/// The state of one check and what its last looks found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckPanel {
    /// Which check.
    pub id: CheckId,
    /// What it looks at.
    pub kind: CheckKind,
    /// The target in one line, without secrets: an address, a path, the name of a process.
    pub target: String,
    /// How it stands, as confirmed by its thresholds.
    pub state: CheckState,
    /// Since when it stands so; for [`CheckState::Stale`] when the last result came.
    pub since: Timestamp,
    /// Why the last result is not ok, in one line. Text from outside; whoever shows it sanitises it.
    pub cause: Option<String>,
    /// Another state that is not confirmed yet: results that say so, and how many are needed.
    pub soft: Option<Soft>,
    /// Its results change so often that no single one means much.
    pub flapping: bool,
    /// When the last look began.
    pub last: Option<Timestamp>,
    /// When the next one is due.
    pub next: Option<Timestamp>,
    /// How long the last look took, when it could look at all.
    pub latency: Option<Duration>,
    /// Where that time went, in order.
    pub phases: Vec<(Phase, Duration)>,
    /// Half of the good looks of the last 24 hours took at most this long; at most 2 % off.
    pub p50: Option<Duration>,
    /// 95 of 100 took at most this long.
    pub p95: Option<Duration>,
    /// 99 of 100 took at most this long.
    pub p99: Option<Duration>,
    /// Percent of the known results of the last 24 hours that were not critical. `None`: none is known.
    pub uptime_24h: Option<f64>,
    /// The last looks by time; the last slot is the newest.
    pub strip: Strip,
    /// Time between two looks.
    pub interval: Duration,
    /// Whether it is looked at: `enabled` in its configuration.
    pub enabled: bool,
    /// What each of the nodes that look at the same sees, where several have to agree. `state` is what that comes to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sights: Option<Sights>,
}

impl CheckPanel {
    /// How its own node sees it, by its own looks alone.
    #[must_use]
    pub fn vote(&self) -> CheckState {
        match &self.sights {
            Some(sights) if self.state != CheckState::Stale => sights.own,
            _ => self.state,
        }
    }
}

#[cfg(test)]
impl CheckPanel {
    /// A check in `state` since `since` of which nothing else is known, to be made more of in tests.
    pub(crate) fn sample(id: &str, state: CheckState, since: Timestamp) -> Self {
        Self {
            id: id.parse().expect("an id"),
            kind: CheckKind::Http,
            target: "http://example.org/".into(),
            state,
            since,
            cause: None,
            soft: None,
            flapping: false,
            last: None,
            next: None,
            latency: None,
            phases: Vec::new(),
            p50: None,
            p95: None,
            p99: None,
            uptime_24h: None,
            strip: Strip::default(),
            interval: Duration::from_secs(30),
            enabled: true,
            sights: None,
        }
    }
}

/// A state that is not confirmed yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Soft {
    /// Which.
    pub state: CheckState,
    /// Results that say so.
    pub count: u32,
    /// Results that are needed.
    pub of: u32,
}

impl Soft {
    /// What was seen and how often it has to be, for people: `warn seen once, 3 in a row count`.
    #[must_use]
    pub fn told(self) -> String {
        let times = if self.count == 1 { "once".to_owned() } else { counted(self.count, "time") };
        format!("{} seen {times}, {} in a row count", self.state.as_str(), self.of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_critical_or_stale_is_not_up() {
        let up = CheckState::ALL.map(CheckState::is_up);
        assert_eq!(up, [true, true, false, true, false]);
    }

    #[test]
    fn every_state_is_counted() {
        let counts: Vec<u64> =
            CheckState::tally([CheckState::Warn, CheckState::Ok, CheckState::Warn]).into_values().collect();
        assert_eq!(counts, [1, 0, 0, 2, 0]);
    }
}
