//! The directory of an agent's journal: who may have written there is checked before anything in it is believed.

use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use uuid::{Builder, Uuid};

use crate::model::SpoolId;

use super::{Faults, Machine};

/// Why a journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// Others could have written there, or it is not a directory.
    #[error("the journal {path} is not used: {why}")]
    Unsafe {
        /// Which.
        path: PathBuf,
        /// What was seen, and what to do.
        why: String,
    },
    /// It could not be read or written.
    #[error("failed to {doing} {path}: {source}")]
    Io {
        /// What was tried.
        doing: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// The file with the journal's id.
const ID_FILE: &str = "SPOOL_ID";
/// Only the owner may look into it.
pub(super) const DIR_MODE: u32 = 0o700;
/// Only the owner may read a file of it.
pub(super) const FILE_MODE: u32 = 0o600;

/// The directory of a journal. Everything in it is reached from one open directory, and no symbolic link is followed.
#[derive(Debug)]
pub struct Spool {
    path: PathBuf,
    dir: OwnedFd,
    id: SpoolId,
    machine: Machine,
    faults: Faults,
    /// Jobs in it, as far as this process knows: others may add some.
    jobs: AtomicUsize,
}

impl Spool {
    /// Opens the journal at `path`, and makes it (mode 0700) when there is none.
    ///
    /// # Errors
    /// When it is not a directory of this user that nobody else can enter, or cannot be read or written.
    pub fn open(path: &Path, machine: Machine) -> Result<Self, SpoolError> {
        Self::with_faults(path, machine, Faults::default())
    }

    /// The same, with faults at its steps.
    ///
    /// # Errors
    /// As [`Spool::open`].
    pub fn with_faults(path: &Path, machine: Machine, faults: Faults) -> Result<Self, SpoolError> {
        let fail = |doing| move |source| SpoolError::Io { doing, path: path.to_owned(), source };
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(fail("make the directory above"))?;
        }
        match rustix::fs::mkdir(path, Mode::from_raw_mode(DIR_MODE)) {
            Ok(()) | Err(rustix::io::Errno::EXIST) => {}
            Err(error) => return Err(fail("make")(error.into())),
        }
        let dir = open_dir(path)?;
        let id = spool_id(&dir).map_err(|source| SpoolError::Io { doing: "read", path: path.join(ID_FILE), source })?;
        Ok(Self { path: path.to_owned(), dir, id, machine, faults, jobs: AtomicUsize::new(0) })
    }

    /// Which journal it is: made with it, and never changed.
    #[must_use]
    pub fn id(&self) -> SpoolId {
        self.id
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The machine it is on.
    #[must_use]
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// The open directory.
    pub(super) fn dir(&self) -> &OwnedFd {
        &self.dir
    }

    pub(super) fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Jobs in it.
    pub(super) fn jobs(&self) -> usize {
        self.jobs.load(Ordering::Relaxed)
    }

    /// So many were counted.
    pub(super) fn recount(&self, jobs: usize) {
        self.jobs.store(jobs, Ordering::Relaxed);
    }

    /// So many more were made.
    pub(super) fn count(&self, more: usize) {
        self.jobs.fetch_add(more, Ordering::Relaxed);
    }
}

/// Opens the directory at `path` when nobody but this user can have written there.
fn open_dir(path: &Path) -> Result<OwnedFd, SpoolError> {
    let refuse = |why: String| SpoolError::Unsafe { path: path.to_owned(), why };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let dir = rustix::fs::open(path, flags, Mode::empty()).map_err(|error| match error {
        rustix::io::Errno::NOTDIR | rustix::io::Errno::LOOP => {
            refuse("it is not a directory, or a symbolic link; name the directory itself".into())
        }
        error => SpoolError::Io { doing: "open", path: path.to_owned(), source: error.into() },
    })?;
    let stat = rustix::fs::fstat(&dir).map_err(|error| SpoolError::Io {
        doing: "look at",
        path: path.to_owned(),
        source: error.into(),
    })?;
    let euid = rustix::process::geteuid().as_raw();
    if stat.st_uid != euid {
        return Err(refuse(format!(
            "it belongs to the user {}, and this is {euid}; run the agent as its owner",
            stat.st_uid
        )));
    }
    if stat.st_mode & 0o077 != 0 {
        let mode = stat.st_mode & 0o777;
        return Err(refuse(format!("others can enter it (mode {mode:04o}); run: chmod 700 {}", path.display())));
    }
    Ok(dir)
}

/// Reads the file `name` of `dir`, when it is a regular file of at most `most` bytes. `None` when there is none.
pub(super) fn read_file(dir: &OwnedFd, name: &str, most: u64) -> io::Result<Option<Vec<u8>>> {
    // Without NONBLOCK a FIFO in its place would hold whoever opens it.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match rustix::fs::openat(dir, name, flags, Mode::empty()) {
        Ok(file) => file,
        Err(rustix::io::Errno::NOENT) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let stat = rustix::fs::fstat(&file)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("`{name}` is not a regular file")));
    }
    let mut bytes = Vec::new();
    std::fs::File::from(file).take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("`{name}` is larger than {most} bytes")));
    }
    Ok(Some(bytes))
}

/// Writes a new file of a name nobody else uses to `dir`, and gives it.
pub(super) fn write_new(dir: &OwnedFd, name: &str, bytes: &[u8]) -> io::Result<std::fs::File> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut file = std::fs::File::from(rustix::fs::openat(dir, name, flags, Mode::from_raw_mode(FILE_MODE))?);
    if let Err(error) = file.write_all(bytes) {
        // Half a file is of no use to anybody; the error that is told is the first one.
        let _ = rustix::fs::unlinkat(dir, name, AtFlags::empty());
        return Err(error);
    }
    Ok(file)
}

/// The name of a file that is being written, which nobody else has.
pub(super) fn passing_name(what: &str) -> String {
    format!(".{what}.{}", Uuid::now_v7().simple())
}

/// Reads the journal's id; the first who asks makes it.
fn spool_id(dir: &OwnedFd) -> io::Result<SpoolId> {
    const TEXT_MAX: u64 = 64;
    if let Some(bytes) = read_file(dir, ID_FILE, TEXT_MAX)? {
        return parse_id(&bytes);
    }
    let id = SpoolId::from_uuid(Builder::from_random_bytes(rand::random()).into_uuid());
    let passing = passing_name("id");
    write_new(dir, &passing, format!("{id}\n").as_bytes())?.sync_all()?;
    // A link never takes the place of what is there: of several who come first together, one makes it.
    let linked = rustix::fs::linkat(dir, &passing, dir, ID_FILE, AtFlags::empty());
    rustix::fs::unlinkat(dir, &passing, AtFlags::empty())?;
    match linked {
        Ok(()) => rustix::fs::fsync(dir)?,
        Err(rustix::io::Errno::EXIST) => {}
        Err(error) => return Err(error.into()),
    }
    parse_id(&read_file(dir, ID_FILE, TEXT_MAX)?.unwrap_or_default())
}

fn parse_id(bytes: &[u8]) -> io::Result<SpoolId> {
    let text = String::from_utf8_lossy(bytes);
    text.trim().parse().map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn open(path: &Path) -> Result<Spool, SpoolError> {
        Spool::open(path, Machine::default())
    }

    #[test]
    fn a_journal_is_made_once_and_keeps_its_id() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("a/b/spool");
        let ids: Vec<_> = std::thread::scope(|scope| {
            let open = || scope.spawn(|| open(&path).expect("a journal").id());
            let threads: Vec<_> = (0..8).map(|_| open()).collect();
            threads.into_iter().map(|thread| thread.join().expect("ends")).collect()
        });
        assert!(ids.windows(2).all(|pair| pair[0] == pair[1]), "{ids:?}");
        let names: Vec<_> =
            std::fs::read_dir(&path).expect("reads").map(|e| e.expect("an entry").file_name()).collect();
        assert_eq!(names, [ID_FILE], "nothing else is left");
        assert_eq!(std::fs::metadata(&path).expect("is there").permissions().mode() & 0o777, DIR_MODE);
    }

    #[test]
    fn what_others_could_have_written_is_not_used() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("spool");
        open(&path).expect("a journal");
        symlink(&path, dir.path().join("link")).expect("links");
        let error = open(&dir.path().join("link")).expect_err("a link").to_string();
        assert!(error.contains("symbolic link"), "{error}");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o770)).expect("chmod");
        let error = open(&path).expect_err("others").to_string();
        assert!(error.contains("mode 0770") && error.contains("chmod 700"), "{error}");
        let file = dir.path().join("file");
        std::fs::write(&file, "").expect("writes");
        assert!(open(&file).expect_err("a file").to_string().contains("not a directory"));
    }

    #[test]
    fn an_id_that_is_no_file_or_no_id_is_an_error() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("spool");
        open(&path).expect("a journal");
        let id = path.join(ID_FILE);
        std::fs::write(&id, "spl_1\n").expect("writes");
        assert!(open(&path).expect_err("no id").to_string().contains("spool id"));
        std::fs::write(&id, vec![b'a'; 100]).expect("writes");
        assert!(open(&path).expect_err("long").to_string().contains("larger than 64 bytes"));
        std::fs::remove_file(&id).expect("removes");
        rustix::fs::mknodat(rustix::fs::CWD, &id, FileType::Fifo, Mode::from_raw_mode(FILE_MODE), 0).expect("a FIFO");
        assert!(open(&path).expect_err("a FIFO").to_string().contains("not a regular file"));
        std::fs::remove_file(&id).expect("removes");
        symlink("/etc/hostname", &id).expect("links");
        assert!(open(&path).is_err(), "a link is not followed");
    }
}
