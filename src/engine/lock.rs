//! One engine per state directory.

use std::fs::{File, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Held while an engine runs; the kernel lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Why the lock was not had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another engine has it.
    #[error("another engine runs on this state directory")]
    Held,
    /// It cannot be opened.
    #[error("failed to lock the state directory: {0}")]
    Io(#[from] std::io::Error),
}

impl Lock {
    /// Takes the lock of `state_dir`.
    ///
    /// # Errors
    /// [`LockError::Held`] when another engine has it.
    pub fn take(state_dir: &Path) -> Result<Self, LockError> {
        let file = File::options().create(true).truncate(false).write(true).mode(0o600).open(state_dir.join("lock"))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(LockError::Held),
            Err(TryLockError::Error(error)) => Err(error.into()),
        }
    }
}
