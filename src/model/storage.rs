//! What can be wrong with the disk below the store.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Why nothing can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StoreFault {
    /// No space is left. A quota that is used up is [`Self::Io`] where the system calls it by another name than a
    /// full disk (EDQUOT): the database does not tell it from a broken one.
    DiskFull,
    /// The file system is mounted read-only, perhaps by the kernel after an error.
    ReadOnly,
    /// The disk answers with errors.
    Io,
    /// Something in the database file cannot be read, or was never written to it. An error of the disk that passes
    /// is this, too: the database gives both the same name.
    Corrupt,
}

impl StoreFault {
    /// What a person can do. Where it says nothing of a restart, aurora notices by itself.
    #[must_use]
    pub fn advice(self) -> &'static str {
        match self {
            Self::DiskFull => "free space; aurora goes on by itself",
            Self::ReadOnly => "look at the kernel's log, then mount it for writing; aurora goes on by itself",
            Self::Io => {
                "look for a quota that is used up, at the kernel's log and at the disk; aurora goes on by itself once \
                 it writes again"
            }
            Self::Corrupt => {
                "look at the kernel's log and at the disk, aurora goes on by itself once it reads again; if not, \
                 restart it; then stop it, keep a copy of aurora.db* and run `PRAGMA integrity_check`; only if that \
                 fails put a backup in its place"
            }
        }
    }
}

impl fmt::Display for StoreFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DiskFull => "disk full",
            Self::ReadOnly => "read-only file system",
            Self::Io => "I/O error",
            Self::Corrupt => "the database is unreadable or corrupt",
        })
    }
}

/// The store cannot write, or cannot read what a delivery needs. What was acknowledged is there; what comes is
/// refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreTrouble {
    /// Since when.
    pub since: Timestamp,
    /// Why.
    pub fault: StoreFault,
    /// What the database says.
    pub detail: String,
}
