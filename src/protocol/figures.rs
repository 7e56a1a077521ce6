//! How aurora is in one word, and the numbers a monitoring system collects.

use std::time::Duration;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{ChannelPanel, ChannelState, CheckId, CheckState, TaskStatus};

use super::{Severity, Snapshot, severity};

/// How aurora is, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Overall {
    /// All is well.
    Up,
    /// Something needs a look; deliveries are taken.
    Degraded,
    /// No channel can take a delivery.
    Down,
}

impl Snapshot {
    /// How aurora is at `now`.
    #[must_use]
    pub fn overall(&self, now: Timestamp) -> Overall {
        let mut channels = self.channels.iter().peekable();
        if channels.peek().is_some() && channels.all(|channel| channel.state == ChannelState::Down) {
            Overall::Down
        } else if severity(&self.problems(now)) > Some(Severity::Info) {
            Overall::Degraded
        } else {
            Overall::Up
        }
    }
}

/// The numbers a monitoring system collects. Their labels are names from the configuration, never text from outside.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// Version of the engine.
    pub version: String,
    /// When the engine started.
    pub started: Timestamp,
    /// The channels and their counts.
    pub channels: Vec<ChannelPanel>,
    /// Deliveries refused since the engine started, by channel (empty: none) and reason.
    pub refused: Vec<(String, String, u64)>,
    /// Dead letters kept.
    pub dead_letters: u64,
    /// Clients that follow.
    pub clients: usize,
    /// The background tasks.
    pub tasks: Vec<TaskStatus>,
    /// The checks that are enabled, by id.
    pub checks: Vec<CheckFigures>,
    /// How checks are looked at.
    pub looks: LookFigures,
    /// What the store tells of itself.
    pub store: StoreFigures,
}

/// The numbers of one check.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckFigures {
    /// Which check.
    pub id: CheckId,
    /// How it stands.
    pub state: CheckState,
    /// How long the last look took, when it could look at all.
    pub latency: Option<Duration>,
    /// Percent of the known results of the last 24 hours that were not critical. `None`: none is known.
    pub uptime_24h: Option<f64>,
}

/// How checks are looked at, since the engine started.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LookFigures {
    /// Looks that began.
    pub begun: u64,
    /// Planned looks that nobody took.
    pub skipped: u64,
    /// How much later than planned so many percent of the looks began at most; none before the first look.
    pub lag: Vec<(f64, Duration)>,
}

/// What the store tells of itself.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct StoreFigures {
    /// Deliveries committed since the engine started.
    pub recorded: u64,
    /// Deliveries that wait for their commit.
    pub waiting: usize,
    /// Commits by how long they took: at most so long (the last has no bound), and longer than the bound before.
    pub commits: Vec<(Option<Duration>, u64)>,
    /// How long all commits took together.
    pub committing: Duration,
}
