//! Keeping the journal: what a dead agent left half done is finished, what is older than a week is forgotten.

use std::fs::File;
use std::io::{self, Read, Write};
use std::sync::{Arc, Weak};
use std::time::Duration;

use jiff::Timestamp;
use rustix::fs::{Dir, Mode, OFlags};
use uuid::Uuid;

use crate::model::JobId;
use crate::protocol::Journal;

use super::Lease;
use super::desk::{Inner, blocking};
use super::journal::{dir_name, is_old};
use super::session::Greeted;
use super::spool::FILE_MODE;

/// After a start, so long; whoever asks a single question is gone by then.
const FIRST: Duration = Duration::from_secs(1);
/// Then so often.
const EVERY: Duration = Duration::from_hours(1);
/// What the name of a directory that is being removed begins with.
const GONE: &str = ".gone.";
const TOMBSTONES: &str = "tombstones";
/// Bytes of a tombstone: 32 digits, a space, a word of six letters, a newline.
const TOMBSTONE: usize = 40;
/// Tombstones that are kept: 4 MB of them. An older id is refused for its age.
const TOMBSTONES_MAX: u64 = 100_000;

/// Keeps the journal while the desk is there.
pub(super) async fn keep(desk: Weak<Inner>) {
    let mut pause = FIRST;
    loop {
        tokio::time::sleep(pause).await;
        pause = EVERY;
        let Some(inner) = desk.upgrade() else { return };
        inner.runners.keep_warm();
        let asked = Arc::clone(&inner);
        match blocking(move || asked.tidy(Timestamp::now())).await {
            Ok((waiting, Some(lease))) => {
                let by = Greeted { engine: lease.engine, epoch: lease.epoch };
                for id in waiting {
                    inner.revive(id, by);
                }
            }
            Ok((_, None)) => {}
            Err(error) => tracing::warn!(%error, "the journal cannot be tidied"),
        }
    }
}

/// What became of a job of the journal.
enum Tidied {
    /// It was accepted and waits to be started.
    Waits,
    /// It is remembered in full.
    Stays,
    /// Its tombstone is left.
    Buried,
}

/// What could not be tidied. A broken disk may hold thousands of such jobs: one line an hour tells of them.
#[derive(Default)]
struct Broken {
    count: usize,
    first: Option<(String, io::Error)>,
}

impl Broken {
    fn note<T>(&mut self, name: &str, result: io::Result<T>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                self.count += 1;
                self.first.get_or_insert_with(|| (name.to_owned(), error));
                None
            }
        }
    }

    fn tell(&self) {
        if let Some((name, error)) = &self.first {
            tracing::warn!(%error, name, count = self.count, "directories of the journal cannot be tidied; the first is named");
        }
    }
}

impl Inner {
    /// Forgets what is old. Gives the jobs that were accepted and wait, and who drives this host. What cannot be read or
    /// removed stays, is told to the log, and keeps nothing else from being tidied.
    fn tidy(&self, now: Timestamp) -> io::Result<(Vec<JobId>, Option<Lease>)> {
        let mut waiting = Vec::new();
        let mut jobs = 0;
        let mut broken = Broken::default();
        for name in self.names()?.iter().filter(|name| name.starts_with(GONE)) {
            broken.note(name, std::fs::remove_dir_all(self.spool.path().join(name)));
        }
        for id in self.ids()? {
            jobs += 1;
            match broken.note(&dir_name(id), self.tidy_job(id, now)) {
                Some(Tidied::Waits) => waiting.push(id),
                Some(Tidied::Buried) => jobs -= 1,
                Some(Tidied::Stays) | None => {}
            }
        }
        broken.tell();
        self.spool.recount(jobs);
        Ok((waiting, Lease::held(&self.spool)?))
    }

    fn tidy_job(&self, id: JobId, now: Timestamp) -> io::Result<Tidied> {
        let journal = self.look(id, now)?;
        Ok(match journal {
            Journal::Accepted => Tidied::Waits,
            Journal::Started { .. } => Tidied::Stays,
            _ if is_old(id, now) => {
                self.bury(id, &journal)?;
                Tidied::Buried
            }
            _ => Tidied::Stays,
        })
    }

    /// The jobs in the journal.
    fn ids(&self) -> io::Result<Vec<JobId>> {
        let id = |name: &String| Uuid::try_parse(name).ok().filter(|_| name.len() == 32).map(JobId::from_uuid);
        Ok(self.names()?.iter().filter_map(id).collect())
    }

    fn names(&self) -> io::Result<Vec<String>> {
        Dir::read_from(self.spool.dir())?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
    }

    /// Leaves a tombstone in the place of a job.
    fn bury(&self, id: JobId, journal: &Journal) -> io::Result<()> {
        let word = match journal {
            Journal::Done { .. } => "done  ",
            Journal::NotRun { .. } => "notrun",
            _ => "unsure",
        };
        let dir = self.spool.dir();
        let flags = OFlags::RDWR | OFlags::APPEND | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = File::from(rustix::fs::openat(dir, TOMBSTONES, flags, Mode::from_raw_mode(FILE_MODE))?);
        file.lock()?;
        if file.metadata()?.len() >= TOMBSTONES_MAX * TOMBSTONE as u64 {
            file.set_len(0)?;
        }
        file.write_all(format!("{} {word}\n", dir_name(id)).as_bytes())?;
        file.sync_all()?;
        // Its directory is out of the way at once, and then emptied.
        let gone = format!("{GONE}{}", dir_name(id));
        rustix::fs::renameat(dir, dir_name(id), dir, &gone)?;
        std::fs::remove_dir_all(self.spool.path().join(gone))
    }

    /// What a tombstone says of the job `id`.
    pub(super) fn buried(&self, id: JobId) -> io::Result<Option<String>> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match rustix::fs::openat(self.spool.dir(), TOMBSTONES, flags, Mode::empty()) {
            Ok(file) => file,
            Err(rustix::io::Errno::NOENT) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let mut bytes = Vec::new();
        File::from(file).take(TOMBSTONES_MAX * TOMBSTONE as u64).read_to_end(&mut bytes)?;
        let name = dir_name(id);
        let found = bytes.chunks_exact(TOMBSTONE).find(|line| line.starts_with(name.as_bytes()));
        Ok(found.map(|line| String::from_utf8_lossy(&line[name.len()..]).trim().to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use crate::config::AgentConfig;
    use crate::protocol::JobOrder;

    use super::super::job_dir::REQ;
    use super::super::journal::tests::{id_at, order};
    use super::super::{Claim, Desk};
    use super::*;

    fn taken(desk: &Desk, made: Timestamp) -> JobOrder {
        let order = JobOrder { not_after: made + SignedDuration::from_mins(1), ..order(id_at(made), "a") };
        desk.spool().accept(&order, made).expect("writes").expect("taken");
        order
    }

    #[test]
    fn what_is_old_leaves_a_tombstone_and_never_runs_again() {
        let dir = tempfile::tempdir().expect("a directory");
        let desk = Desk::open(AgentConfig::parse("", None, Some(dir.path())).expect("defaults")).expect("a desk");
        let now = Timestamp::from_second(1_790_000_000).expect("a time");
        let then = now - SignedDuration::from_hours(8 * 24);
        let done = taken(&desk, then);
        let job = desk.spool().job(done.id).expect("reads").expect("is there");
        let end = Journal::NotRun { rule: "spawn".into(), reason: String::new() };
        desk.spool().finish(&job, &end, &[]).expect("writes");
        let (forgotten, gone) = (taken(&desk, then), taken(&desk, then));
        let claim = Claim::never("cancelled", "");
        desk.spool().claim(&desk.spool().job(gone.id).expect("reads").expect("is there"), &claim).expect("writes");
        let waiting = taken(&desk, now);
        std::fs::create_dir_all(dir.path().join("spool/.gone.x/y")).expect("makes");
        // One that cannot be read keeps nothing else from being tidied.
        let broken = id_at(then);
        std::fs::create_dir_all(dir.path().join("spool").join(dir_name(broken)).join(REQ)).expect("makes");
        let (found, lease) = desk.inner.tidy(now).expect("tidies");
        assert_eq!((found, lease), (vec![waiting.id], None));
        let mut names = desk.inner.names().expect("reads");
        names.retain(|name| ![".", ".."].contains(&name.as_str()));
        names.sort();
        assert_eq!(names, [dir_name(broken).as_str(), &dir_name(waiting.id), "SPOOL_ID", TOMBSTONES]);
        let stones = std::fs::read(dir.path().join("spool").join(TOMBSTONES)).expect("reads");
        assert_eq!(stones.len(), 3 * TOMBSTONE);
        for order in [&done, &forgotten, &gone] {
            let journal = desk.inner.look(order.id, now).expect("reads");
            assert!(matches!(&journal, Journal::Unknown { reason } if reason.contains("notrun")), "{journal:?}");
            let refused = desk.spool().accept(order, now).expect("reads").expect_err("refused");
            assert_eq!(refused.rule, "too-old");
        }
        assert_eq!(desk.spool().jobs(), 2);
    }
}
