//! What can go wrong with the store.

use std::path::PathBuf;

/// A failure of the store.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The queue to the writer is full; the sender should come back.
    #[error("the queue to the store is full")]
    Full,
    /// The store is closed or its writer ended.
    #[error("the store is closed")]
    Closed,
    /// The database was written by a newer aurora.
    #[error("the database has schema version {found}, this aurora knows {known}; run the newer aurora")]
    NewerSchema {
        /// The version found.
        found: usize,
        /// The newest version known.
        known: usize,
    },
    /// The state directory cannot be used.
    #[error("failed to use {path}: {why}")]
    Directory {
        /// Which directory.
        path: PathBuf,
        /// What the system says.
        why: String,
    },
    /// `SQLite` failed: disk full, I/O error, or a defect.
    #[error("database: {0}")]
    Database(String),
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error.to_string())
    }
}
