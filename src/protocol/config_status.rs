//! The configuration an engine runs on, as its clients see it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::KeyOverrides;

/// Which configuration is in force, and what became of the last one that was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigStatus {
    /// When it was taken.
    pub loaded: Timestamp,
    /// The file it came from; `<defaults>` where there is none.
    pub source: String,
    /// Name of the theme a screen on this node uses.
    pub theme: String,
    /// Keys that are not the default ones, for a screen without keys of its own.
    pub keys: KeyOverrides,
    /// What it changed, a line each; empty since the start.
    pub last_change: Vec<String>,
    /// Why a newer one was not taken; until one is.
    pub last_error: Option<ConfigFault>,
}

/// Why a configuration was not taken. Nothing of it is in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigFault {
    /// Since when.
    pub at: Timestamp,
    /// Where the mistake is: file, line and column where they are known. `None` when the file is not to blame.
    pub place: Option<String>,
    /// What is wrong, in one line.
    pub what: String,
    /// The same with the line of the file and a mark below the mistake. Literal secrets are hidden.
    pub shown: String,
}
