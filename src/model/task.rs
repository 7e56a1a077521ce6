//! Background tasks of the engine, as an operator sees them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Where a supervised task is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TaskState {
    /// Asked to run, not running yet.
    Starting,
    /// Doing its work.
    Running,
    /// It ended; it comes back after a pause.
    Waiting,
    /// Ended with the engine.
    Stopped,
}

impl TaskState {
    /// The word shown beside the colour.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Stopped => "stopped",
        }
    }
}

/// One background task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskStatus {
    /// Its name, as `listener 127.0.0.1:9296`.
    pub name: String,
    /// Where it is.
    pub state: TaskState,
    /// Since when.
    pub since: Timestamp,
    /// How often it was started again.
    pub restarts: u64,
    /// What ended it last.
    pub last_error: Option<String>,
    /// When it is tried again.
    pub next_try: Option<Timestamp>,
    /// What is wrong while it does its work.
    pub trouble: Option<String>,
}

impl TaskStatus {
    /// What is wrong now, else what ended it last.
    #[must_use]
    pub fn error(&self) -> Option<&str> {
        self.trouble.as_deref().or(self.last_error.as_deref())
    }
}
