//! The directory of one job, and its files: each is put there whole.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;
use serde::Deserialize;

use crate::model::JobId;
use crate::protocol::Journal;

use super::journal::{Accepted, CancelNote, Claim, nonce};
use super::spool::{passing_name, read_file, write_new};

/// No file of the journal but output is larger.
const FILE_MAX: u64 = 2 << 20;

pub(super) const REQ: &str = "req.json";
pub(super) const STARTED: &str = "started";
pub(super) const RESULT: &str = "result.json";
pub(super) const CANCEL: &str = "cancel";
pub(super) const TYPED: &str = "typed";

/// The directory of one job.
#[derive(Debug)]
pub struct JobDir {
    pub(super) id: JobId,
    pub(super) dir: OwnedFd,
}

impl JobDir {
    /// Which job.
    #[must_use]
    pub fn id(&self) -> JobId {
        self.id
    }

    /// The order, when it is written down.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn accepted(&self) -> io::Result<Option<Accepted>> {
        self.json(REQ)
    }

    /// Who runs it, once that is decided. `None` when half of it is there, too.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn claim(&self) -> io::Result<Option<Claim>> {
        self.json(STARTED)
    }

    /// How it ended, once it has.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn result(&self) -> io::Result<Option<Journal>> {
        self.json(RESULT)
    }

    /// The wish to stop it, when there is one.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn cancelled(&self) -> io::Result<Option<CancelNote>> {
        self.json(CANCEL)
    }

    /// Writes down that it is to be stopped; the first wish counts.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn cancel(&self, note: CancelNote) -> io::Result<()> {
        self.link(CANCEL, &serde_json::to_vec(&note)?).map(drop)
    }

    /// Writes down that its text is being typed, durably: from here on it may be in its pane.
    ///
    /// # Errors
    /// When the disk does not take it; then nothing may be typed.
    pub(super) fn note_typed(&self) -> io::Result<()> {
        self.link(TYPED, nonce().as_bytes())?;
        let typed = self.open(TYPED)?;
        sync(&[typed.as_fd(), self.dir.as_fd()])
    }

    /// The open directory.
    pub(super) fn dir(&self) -> &OwnedFd {
        &self.dir
    }

    #[cfg(test)]
    pub(super) fn of(id: JobId, dir: OwnedFd) -> Self {
        Self { id, dir }
    }

    pub(super) fn json<T: for<'de> Deserialize<'de>>(&self, name: &str) -> io::Result<Option<T>> {
        Ok(read_file(&self.dir, name, FILE_MAX)?.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }

    pub(super) fn has(&self, name: &str) -> io::Result<bool> {
        match rustix::fs::statat(&self.dir, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(_) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) fn open(&self, name: &str) -> io::Result<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        Ok(rustix::fs::openat(&self.dir, name, flags, Mode::empty())?)
    }

    /// Puts a whole file under `name`, and says whether there was none.
    pub(super) fn link(&self, name: &str, bytes: &[u8]) -> io::Result<bool> {
        let passing = passing_name(name);
        write_new(&self.dir, &passing, bytes)?;
        let linked = rustix::fs::linkat(&self.dir, &passing, &self.dir, name, AtFlags::empty());
        self.remove(&passing);
        match linked {
            Ok(()) => Ok(true),
            Err(Errno::EXIST) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Puts a whole file in the place of `name`.
    pub(super) fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let passing = passing_name(name);
        write_new(&self.dir, &passing, bytes)?;
        Ok(rustix::fs::renameat(&self.dir, &passing, &self.dir, name)?)
    }

    /// Removes what was only passing; what stays goes with the directory.
    pub(super) fn remove(&self, name: &str) {
        let _ = rustix::fs::unlinkat(&self.dir, name, AtFlags::empty());
    }
}

/// Makes all of these durable, at once: the disk then does it in one go.
pub(super) fn sync(files: &[std::os::fd::BorrowedFd<'_>]) -> io::Result<()> {
    let Some((first, others)) = files.split_first() else { return Ok(()) };
    std::thread::scope(|scope| {
        let threads: Vec<_> = others.iter().map(|file| scope.spawn(move || rustix::fs::fsync(file))).collect();
        let mut result = rustix::fs::fsync(first);
        for thread in threads {
            result = result.and(thread.join().unwrap_or(Err(Errno::IO)));
        }
        Ok(result?)
    })
}
