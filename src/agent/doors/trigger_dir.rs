//! The directory of trigger files: who may have written there is checked, and a file is taken before it is read.

use std::ffi::CStr;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, RenameFlags, Stat};
use rustix::io::Errno;

use crate::net::is_letter_name;
use crate::protocol::AGENT_FRAME_MAX;

/// Where engines put a letter while they write it.
pub(super) const TMP: &str = "tmp";
/// Where letters to the agent are.
pub(super) const IN: &str = "in";
/// Where answers are.
pub(super) const OUT: &str = "out";
/// Where the agent takes letters before it reads them.
pub(super) const CLAIMED: &str = "claimed";
/// Which journal the directory belongs to.
pub(super) const SPOOL_ID: &str = "SPOOL_ID";
/// Changes as long as the agent is there.
pub(super) const HEARTBEAT: &str = "heartbeat";
/// How the file of a letter ends.
pub(super) const ENDING: &str = ".json";

/// A letter holds a frame and its envelope.
const LETTER_MAX: usize = AGENT_FRAME_MAX + 4096;
/// Files looked at in one scan; the rest have their turn at the next.
const SCAN_MAX: usize = 1000;

/// A directory, open.
#[derive(Debug)]
pub(super) struct TriggerDir {
    path: PathBuf,
    root: OwnedFd,
    inbox: OwnedFd,
    out: OwnedFd,
    claimed: OwnedFd,
    owner: u32,
}

/// Why a file was not read. It is gone from the directory either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unfit {
    /// A symbolic link, a pipe, a directory, a device.
    #[error("it is no regular file")]
    Kind,
    /// It has another name somewhere, through which it could be changed.
    #[error("it has more than one name")]
    Links,
    /// Whoever put it there is not who may.
    #[error("it belongs to another user")]
    Owner,
    /// Others can write to it.
    #[error("others can write to it")]
    Mode,
    /// No letter is so long.
    #[error("it is larger than {LETTER_MAX} bytes")]
    Size,
    /// It could not be read.
    #[error("it cannot be read")]
    Unread,
}

impl TriggerDir {
    /// Opens the directory at `path` and makes what is missing in it.
    ///
    /// # Errors
    /// When it is missing, or others could put something in its place or into it.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        refuse_open_parents(path)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let root = rustix::fs::open(path, flags, Mode::empty())?;
        let owner = check_dir(&root, path)?.st_uid;
        let below = |name: &str| -> io::Result<OwnedFd> {
            match rustix::fs::mkdirat(&root, name, Mode::RWXU) {
                Ok(()) => give(&root, name, owner)?,
                Err(Errno::EXIST) => {}
                Err(error) => return Err(error.into()),
            }
            let dir = rustix::fs::openat(&root, name, flags, Mode::empty())?;
            check_dir(&dir, &path.join(name))?;
            Ok(dir)
        };
        below(TMP)?;
        let (inbox, out, claimed) = (below(IN)?, below(OUT)?, below(CLAIMED)?);
        Ok(Self { path: path.to_owned(), root, inbox, out, claimed, owner })
    }

    /// Whether its path still leads to it; a share may have been mounted over it.
    pub(super) fn is_there(&self) -> bool {
        let same = || -> rustix::io::Result<bool> {
            let (now, open) = (rustix::fs::stat(&self.path)?, rustix::fs::fstat(&self.root)?);
            Ok((now.st_dev, now.st_ino) == (open.st_dev, open.st_ino))
        };
        same().unwrap_or(false)
    }

    /// Where letters come in.
    pub(super) fn inbox(&self) -> &OwnedFd {
        &self.inbox
    }

    /// Names of letters that wait, without their ending. What is called otherwise is left alone.
    pub(super) fn waiting(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(&self.inbox)?.take(SCAN_MAX) {
            names.extend(letter_name(entry?.file_name()));
        }
        names.sort_unstable();
        Ok(names)
    }

    /// Takes the letter `name` away from where others can reach it, and then reads it from its descriptor. `None` where
    /// it has gone meanwhile. It is not in the directory any more afterwards.
    pub(super) fn take(&self, name: &str) -> io::Result<Option<Result<Vec<u8>, Unfit>>> {
        let file = format!("{name}{ENDING}");
        match rename_new(&self.inbox, &file, &self.claimed, &file) {
            Ok(()) => {}
            Err(Errno::NOENT) => return Ok(None),
            // One of this name is being served; this one is a copy, or a trick.
            Err(Errno::EXIST) => {
                remove(&self.inbox, &file)?;
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        }
        let read = self.read(&file);
        remove(&self.claimed, &file)?;
        Ok(Some(read))
    }

    fn read(&self, file: &str) -> Result<Vec<u8>, Unfit> {
        // Without NONBLOCK a pipe in its place would hold whoever opens it.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let open = rustix::fs::openat(&self.claimed, file, flags, Mode::empty()).map_err(|error| match error {
            Errno::LOOP | Errno::NXIO | Errno::NODEV => Unfit::Kind,
            _ => Unfit::Unread,
        })?;
        let stat = rustix::fs::fstat(&open).map_err(|_| Unfit::Unread)?;
        self.judge(&stat)?;
        let mut bytes = Vec::new();
        let most = LETTER_MAX as u64;
        std::fs::File::from(open).take(most + 1).read_to_end(&mut bytes).map_err(|_| Unfit::Unread)?;
        if bytes.len() > LETTER_MAX { Err(Unfit::Size) } else { Ok(bytes) }
    }

    fn judge(&self, stat: &Stat) -> Result<(), Unfit> {
        let own = [self.owner, 0, rustix::process::geteuid().as_raw()];
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            Err(Unfit::Kind)
        } else if stat.st_nlink != 1 {
            Err(Unfit::Links)
        } else if !own.contains(&stat.st_uid) {
            Err(Unfit::Owner)
        } else if stat.st_mode & 0o022 != 0 {
            Err(Unfit::Mode)
        } else if usize::try_from(stat.st_size).is_ok_and(|size| size <= LETTER_MAX) {
            Ok(())
        } else {
            Err(Unfit::Size)
        }
    }

    /// Puts an answer where the engine finds it, whole. It is not made durable: who misses it asks again.
    pub(super) fn answer(&self, file: &str, bytes: &[u8]) -> io::Result<()> {
        self.put(&self.out, file, bytes)
    }

    /// Whether the answer in `file` is still there for somebody to take.
    pub(super) fn waits(&self, file: &str) -> io::Result<bool> {
        match rustix::fs::statat(&self.out, file, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(_) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes the file `name` of the directory itself, whole.
    pub(super) fn note(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.put(&self.root, name, bytes)
    }

    /// Through `claimed`, where nobody else writes.
    fn put(&self, dir: &OwnedFd, name: &str, bytes: &[u8]) -> io::Result<()> {
        let passing = format!(".{name}");
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&self.claimed, &passing, flags, Mode::RUSR | Mode::WUSR)?;
        std::fs::File::from(file).write_all(bytes)?;
        give(&self.claimed, &passing, self.owner)?;
        Ok(rustix::fs::renameat(&self.claimed, &passing, dir, name)?)
    }

    /// Removes answers that nobody took for `age`, and what a killed agent had claimed; answers how many.
    pub(super) fn sweep(&self, age: std::time::Duration) -> io::Result<usize> {
        let now = rustix::fs::Timespec::try_from(
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default(),
        )
        .map_or(0, |now| now.tv_sec);
        let limit = i64::try_from(age.as_secs()).unwrap_or(i64::MAX);
        let mut swept = 0;
        for dir in [&self.out, &self.claimed] {
            for entry in rustix::fs::Dir::read_from(dir)? {
                let entry = entry?;
                let name = entry.file_name();
                let Ok(stat) = rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
                if FileType::from_raw_mode(stat.st_mode) != FileType::Directory && now - stat.st_mtime > limit {
                    swept += usize::from(rustix::fs::unlinkat(dir, name, AtFlags::empty()).is_ok());
                }
            }
        }
        Ok(swept)
    }
}

/// The name of the letter in the file `name`.
fn letter_name(name: &CStr) -> Option<String> {
    let name = name.to_str().ok()?.strip_suffix(ENDING)?;
    is_letter_name(name).then(|| name.to_owned())
}

/// Refuses a path on which somebody else could put another directory in the place of one.
fn refuse_open_parents(path: &Path) -> io::Result<()> {
    const STICKY: u32 = 0o1000;
    for parent in path.ancestors().skip(1).filter(|parent| !parent.as_os_str().is_empty()) {
        let mode = rustix::fs::stat(parent)?.st_mode;
        if mode & 0o022 != 0 && mode & STICKY == 0 {
            let text = format!("others can write to {} (mode {:04o}), above it", parent.display(), mode & 0o7777);
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
        }
    }
    Ok(())
}

/// Refuses a directory that others can write to, or that belongs to another user than this one. Root's agent takes
/// anybody's.
fn check_dir(dir: impl AsFd, path: &Path) -> io::Result<Stat> {
    let stat = rustix::fs::fstat(dir)?;
    let euid = rustix::process::geteuid();
    let refuse = |why: String| Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
    if stat.st_mode & 0o022 != 0 {
        let mode = stat.st_mode & 0o7777;
        return refuse(format!("others can write to {} (mode {mode:04o}); run: chmod 700 {0}", path.display()));
    }
    if stat.st_uid != euid.as_raw() && !euid.is_root() {
        return refuse(format!("{} belongs to the user {}, and this is {euid:?}", path.display(), stat.st_uid));
    }
    Ok(stat)
}

/// Gives a file to the owner of the directory, where this user can: root's answers are for an engine that is not root.
fn give(dir: impl AsFd, name: &str, owner: u32) -> io::Result<()> {
    if rustix::process::geteuid().is_root() && owner != 0 {
        let owner = rustix::fs::Uid::from_raw(owner);
        rustix::fs::chownat(dir, name, Some(owner), None, AtFlags::SYMLINK_NOFOLLOW)?;
    }
    Ok(())
}

/// Renames without ever taking the place of a file.
fn rename_new(from: &OwnedFd, old: &str, to: &OwnedFd, new: &str) -> rustix::io::Result<()> {
    match rustix::fs::renameat_with(from, old, to, new, RenameFlags::NOREPLACE) {
        // Some file systems cannot. A second name is refused where there is one; the first one goes right after.
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
            rustix::fs::linkat(from, old, to, new, AtFlags::empty())?;
            rustix::fs::unlinkat(from, old, AtFlags::empty())
        }
        renamed => renamed,
    }
}

fn remove(dir: &OwnedFd, name: &str) -> io::Result<()> {
    match rustix::fs::unlinkat(dir, name, AtFlags::empty()) {
        // A directory was put there; it is out of the way, and nothing of ours.
        Ok(()) | Err(Errno::NOENT | Errno::ISDIR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
