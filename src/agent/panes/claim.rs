//! A pane in somebody's hands, for the other agents of this host too: a file in the directory of the journal, locked as long
//! as the pane is held. It goes with the process that has it, however that ends.

use std::fs::{File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;

use rustix::fs::{AtFlags, Mode, OFlags};

use crate::model::{OperatorName, PaneDriver, PaneId};

/// Bytes of what is written into it.
const WORDS_MAX: u64 = 512;
/// How often a file that was just removed is made anew.
const TRIES: u32 = 16;

/// A locked file. Dropping it lets the pane go.
#[derive(Debug)]
pub(in crate::agent) struct Claim {
    file: File,
    dir: OwnedFd,
    name: String,
}

impl Claim {
    /// Claims `pane` for `driver`, in the directory `dir`. Answers who else has it, as far as that can be read, where
    /// somebody has.
    pub(in crate::agent) fn new(
        dir: &OwnedFd,
        pane: PaneId,
        driver: &PaneDriver,
    ) -> io::Result<Result<Self, Option<PaneDriver>>> {
        let name = format!("pane.{}.{}", pane.server, pane.number);
        for _ in 0..TRIES {
            let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let mut file = File::from(rustix::fs::openat(dir, &name, flags, Mode::RUSR | Mode::WUSR)?);
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(Err(read(&mut file))),
                Err(TryLockError::Error(error)) => return Err(error),
            }
            // Whoever had it may have removed it between: then this lock is of a file that nobody else sees.
            let here = rustix::fs::statat(dir, &name, AtFlags::SYMLINK_NOFOLLOW);
            if !here.is_ok_and(|here| file.metadata().is_ok_and(|own| own.ino() == here.st_ino)) {
                continue;
            }
            file.set_len(0)?;
            file.write_all(&serde_json::to_vec(driver)?)?;
            return Ok(Ok(Self { file, dir: dir.try_clone()?, name }));
        }
        Err(io::Error::other("others take it and give it back all the time"))
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        // Before it is let go of. One that stays is claimed again as it is.
        let _ = rustix::fs::unlinkat(&self.dir, &self.name, AtFlags::empty());
        let _ = self.file.unlock();
    }
}

fn read(file: &mut File) -> Option<PaneDriver> {
    let mut words = Vec::new();
    file.rewind().ok()?;
    file.take(WORDS_MAX).read_to_end(&mut words).ok()?;
    serde_json::from_slice(&words).ok()
}

/// What is said of whoever has it.
pub(in crate::agent) fn taken(driver: Option<&PaneDriver>) -> String {
    let who = driver.map_or("somebody", |driver| OperatorName::as_str(&driver.who));
    match driver {
        Some(driver) => format!("{who} drives it since {:.0}", driver.since),
        None => format!("{who} drives it through another agent of this host"),
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn a_pane_is_claimed_once_and_free_again_when_the_claim_goes() {
        let dir = tempfile::tempdir().expect("a directory");
        let open = OwnedFd::from(File::open(dir.path()).expect("opens"));
        let pane = PaneId { server: 7, number: 3 };
        let driver = |who: &str| PaneDriver { who: who.parse().expect("a name"), since: Timestamp::UNIX_EPOCH };
        let anna = Claim::new(&open, pane, &driver("anna")).expect("no error").expect("it is free");
        let other = Claim::new(&open, pane, &driver("ben")).expect("no error").expect_err("it is not");
        assert_eq!(other, Some(driver("anna")));
        assert!(Claim::new(&open, PaneId { number: 4, ..pane }, &driver("ben")).expect("no error").is_ok());
        drop(anna);
        assert_eq!(std::fs::read_dir(dir.path()).expect("reads").count(), 0, "nothing stays");
        // What a process that was killed left behind is nobody's.
        std::fs::write(dir.path().join("pane.7.3"), "{").expect("writes");
        let ben = Claim::new(&open, pane, &driver("ben")).expect("no error").expect("it is free");
        assert_eq!(
            Claim::new(&open, pane, &driver("anna")).expect("no error").expect_err("taken"),
            Some(driver("ben"))
        );
        drop(ben);
    }
}
