//! What can go wrong with the store.

use std::path::PathBuf;

use rusqlite::ErrorCode;

use crate::model::StoreFault;

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
    /// A stored file cannot be read.
    #[error("failed to read the stored file {sha256}: {why}")]
    File {
        /// Its name.
        sha256: String,
        /// What the system says.
        why: String,
    },
    /// The database file cannot be opened now. That need not be the disk: mostly too many files are open.
    #[error("failed to open the database: {0}; too many files are open, or it is gone or not permitted")]
    CannotOpen(String),
    /// The disk does not take what is written, or does not give what is read. Nothing of it is acknowledged.
    #[error("{fault}: {detail}")]
    Disk {
        /// What is wrong with it.
        fault: StoreFault,
        /// What the database says.
        detail: String,
    },
    /// Nobody waits for the answer any more.
    #[error("nobody waits for the answer any more")]
    Ended,
    /// `SQLite` failed otherwise: a defect.
    #[error("database: {0}")]
    Database(String),
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        let fault = match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => StoreFault::DiskFull,
            Some(ErrorCode::ReadOnly) => StoreFault::ReadOnly,
            Some(ErrorCode::SystemIoFailure) => StoreFault::Io,
            Some(ErrorCode::OperationInterrupted) => return Self::Ended,
            Some(ErrorCode::CannotOpen) => return Self::CannotOpen(error.to_string()),
            // Also a read that the disk answers with EIO or ENXIO: SQLite turns that into its word for corruption.
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => StoreFault::Corrupt,
            _ => return Self::Database(error.to_string()),
        };
        Self::Disk { fault, detail: error.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_of_the_disk_are_told_from_defects() {
        let cases = [
            (rusqlite::ffi::SQLITE_FULL, Some(StoreFault::DiskFull)),
            (rusqlite::ffi::SQLITE_IOERR_FSYNC, Some(StoreFault::Io)),
            (rusqlite::ffi::SQLITE_IOERR_WRITE, Some(StoreFault::Io)),
            (rusqlite::ffi::SQLITE_READONLY_DBMOVED, Some(StoreFault::ReadOnly)),
            (rusqlite::ffi::SQLITE_CORRUPT, Some(StoreFault::Corrupt)),
            (rusqlite::ffi::SQLITE_NOTADB, Some(StoreFault::Corrupt)),
            (rusqlite::ffi::SQLITE_CANTOPEN, None),
            (rusqlite::ffi::SQLITE_CONSTRAINT, None),
            (rusqlite::ffi::SQLITE_BUSY, None),
        ];
        for (code, expected) in cases {
            let error = rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None);
            let fault = match StoreError::from(error) {
                StoreError::Disk { fault, .. } => Some(fault),
                _ => None,
            };
            assert_eq!(fault, expected, "{code}");
        }
    }
}
