//! Which engine drives this host: the one of the highest term. Whatever one of a lower term orders is fenced off.

use std::fs::File;
use std::io;

use jiff::{SignedDuration, Timestamp};
use rustix::fs::{Mode, OFlags};
use serde::{Deserialize, Serialize};

use crate::model::EngineId;

use super::Spool;
use super::spool::{FILE_MODE, passing_name, read_file, write_new};

/// The engine that drives this host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Which.
    pub engine: EngineId,
    /// Its term.
    pub epoch: u64,
    /// It was last heard of less than 30 s before this moment.
    pub until: Timestamp,
}

/// Another engine drives this host.
#[derive(Debug, thiserror::Error)]
#[error("the term {epoch} is over: {engine} drives this host in term {highest}")]
pub struct Fenced {
    /// The term that was tried.
    pub epoch: u64,
    /// The highest term served.
    pub highest: u64,
    /// Whose it is.
    pub engine: EngineId,
}

const FILE: &str = "lease.json";
const LOCK: &str = "lease.lock";
/// How long a lease lasts after its engine was heard of.
const TTL: SignedDuration = SignedDuration::from_secs(30);
/// Writing it down costs a file; a lease is renewed when this much of it is used up.
const RENEW: SignedDuration = SignedDuration::from_secs(10);
/// The highest term that is served. Terms rise by one at a start: a higher one is a mistake, and would lock out every
/// engine that counts as it should.
const HIGHEST: u64 = 1 << 53;

impl Lease {
    /// The lease that is held.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn held(spool: &Spool) -> io::Result<Option<Self>> {
        let Some(bytes) = read_file(spool.dir(), FILE, 4096)? else { return Ok(None) };
        serde_json::from_slice(&bytes).map(Some).map_err(|error| {
            io::Error::new(io::ErrorKind::InvalidData, format!("`{FILE}` of the journal cannot be read: {error}"))
        })
    }

    /// Whether `engine` may order in its term `epoch`. A higher term than any before takes the lease, and is durable
    /// then. The same term of another engine is fenced off like a lower one.
    ///
    /// # Errors
    /// When the journal cannot be read or written, or no engine can be in such a term (above 2^53).
    pub fn take(spool: &Spool, engine: EngineId, epoch: u64, now: Timestamp) -> io::Result<Result<(), Fenced>> {
        if epoch > HIGHEST {
            let why = format!("no engine can be in term {epoch}; terms end at {HIGHEST}");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }
        let wanted = Self { engine, epoch, until: now.saturating_add(TTL).unwrap_or(Timestamp::MAX) };
        match wanted.against(Self::held(spool)?.as_ref()) {
            Step::Keep => return Ok(Ok(())),
            Step::Refuse(fenced) => return Ok(Err(fenced)),
            Step::Write { .. } => {}
        }
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let lock = File::from(rustix::fs::openat(spool.dir(), LOCK, flags, Mode::from_raw_mode(FILE_MODE))?);
        lock.lock()?;
        match wanted.against(Self::held(spool)?.as_ref()) {
            Step::Keep => Ok(Ok(())),
            Step::Refuse(fenced) => Ok(Err(fenced)),
            Step::Write { durable } => wanted.write(spool, durable).map(Ok),
        }
    }

    fn against(&self, held: Option<&Self>) -> Step {
        let Some(held) = held else { return Step::Write { durable: true } };
        if self.epoch > held.epoch {
            return Step::Write { durable: true };
        }
        if self.epoch < held.epoch || self.engine != held.engine {
            return Step::Refuse(Fenced { epoch: self.epoch, highest: held.epoch, engine: held.engine });
        }
        if self.until.duration_since(held.until) > RENEW { Step::Write { durable: false } } else { Step::Keep }
    }

    fn write(&self, spool: &Spool, durable: bool) -> io::Result<()> {
        let passing = passing_name("lease");
        let file = write_new(spool.dir(), &passing, &serde_json::to_vec(self)?)?;
        file.sync_all()?;
        rustix::fs::renameat(spool.dir(), &passing, spool.dir(), FILE)?;
        if durable {
            rustix::fs::fsync(spool.dir())?;
        }
        Ok(())
    }
}

/// What a wish for the lease comes to.
enum Step {
    /// It is held already.
    Keep,
    /// It is to be written down.
    Write {
        /// Whether it is a new term, which must not be forgotten.
        durable: bool,
    },
    /// Another has it.
    Refuse(Fenced),
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use uuid::Uuid;

    use super::super::Machine;
    use super::*;

    fn engine(n: u128) -> EngineId {
        EngineId::from_uuid(Uuid::from_u128(n))
    }

    fn spool(dir: &Path) -> Spool {
        Spool::open(&dir.join("spool"), Machine::default()).expect("a journal")
    }

    #[test]
    fn the_highest_term_drives_and_the_others_are_fenced_off() {
        let dir = tempfile::tempdir().expect("a directory");
        let spool = spool(dir.path());
        let now = Timestamp::from_second(1_000).expect("a time");
        let take = |who, epoch| Lease::take(&spool, engine(who), epoch, now).expect("it can be written").is_ok();
        assert!(take(1, 5) && take(1, 5), "the same asks again");
        assert!(!take(1, 4), "a lower term");
        assert!(!take(2, 5), "another engine in the same term");
        assert!(take(2, 6) && !take(1, 5), "a higher term takes over");
        let fenced = Lease::take(&spool, engine(1), 5, now).expect("reads").expect_err("fenced");
        assert_eq!((fenced.highest, fenced.engine), (6, engine(2)));
        let again = Spool::open(spool.path(), Machine::default()).expect("opens");
        assert_eq!(Lease::held(&again).expect("reads").map(|lease| lease.epoch), Some(6), "it lasts");
    }

    #[test]
    fn a_term_nobody_can_have_reached_is_refused_and_locks_nobody_out() {
        let dir = tempfile::tempdir().expect("a directory");
        let spool = spool(dir.path());
        for epoch in [HIGHEST + 1, u64::MAX] {
            assert!(Lease::take(&spool, engine(1), epoch, Timestamp::UNIX_EPOCH).is_err(), "{epoch}");
        }
        assert!(Lease::take(&spool, engine(2), 1, Timestamp::UNIX_EPOCH).expect("writes").is_ok());
    }

    #[test]
    fn of_many_who_take_over_at_once_one_stays() {
        let dir = tempfile::tempdir().expect("a directory");
        let spool = spool(dir.path());
        let now = Timestamp::from_second(1_000).expect("a time");
        std::thread::scope(|scope| {
            for n in 1..=8 {
                let spool = &spool;
                // Which of them are fenced off is a matter of who comes first.
                scope.spawn(move || Lease::take(spool, engine(n), 10 + u64::try_from(n).expect("small"), now).is_ok());
            }
        });
        let held = Lease::held(&spool).expect("reads").expect("held");
        assert_eq!((held.epoch, held.engine), (18, engine(8)));
    }

    #[test]
    fn a_lease_that_cannot_be_read_lets_nobody_in() {
        let dir = tempfile::tempdir().expect("a directory");
        let spool = spool(dir.path());
        std::fs::write(spool.path().join(FILE), "{").expect("writes");
        let error = Lease::take(&spool, engine(1), 9, Timestamp::UNIX_EPOCH).expect_err("an error");
        assert!(error.to_string().contains("cannot be read"), "{error}");
    }
}
