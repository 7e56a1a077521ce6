//! Waiting until files may hold something else.
//!
//! The kernel tells of what happens in the directories the files are in, also of one that appears. What other machines do
//! it tells nothing of, and not every file system lets it: there whoever waits is let go every ten seconds, else once a
//! minute. They compare for themselves.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time::Instant;

/// The longest wait where the kernel tells everything.
const SELDOM: Duration = Duration::from_mins(1);
/// The longest wait elsewhere.
const LOOK: Duration = Duration::from_secs(10);
/// From what the kernel tells to the end of the wait: an editor does several things one after the other.
const SETTLE: Duration = Duration::from_millis(100);
/// File systems on which somebody else may write, by their numbers in statfs(2): NFS, SMB and CIFS, FUSE (sshfs), 9P,
/// Ceph, AFS.
const SHARED: [u64; 8] = [0x6969, 0x517b, 0xff53_4d42, 0xfe53_4d42, 0x6573_5546, 0x0102_1997, 0x00c3_6400, 0x5346_414f];

/// What may change. Within a runtime only.
#[derive(Debug)]
pub struct FileChanges {
    /// What the kernel tells; `None` where it does not.
    told: Option<AsyncFd<OwnedFd>>,
    files: BTreeSet<PathBuf>,
    /// What is told of: the files, what they link to, and the directories that are missing.
    names: BTreeSet<OsString>,
    /// Nothing happens to the files that is not told.
    is_told: bool,
    due: Instant,
}

impl FileChanges {
    /// Waits for these files, whether they are there or not.
    #[must_use]
    pub fn of<'a>(files: impl IntoIterator<Item = &'a Path>) -> Self {
        let told = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).ok().and_then(register);
        let mut changes =
            Self { told, files: BTreeSet::new(), names: BTreeSet::new(), is_told: false, due: Instant::now() };
        changes.add(files);
        changes
    }

    /// Waits for these files, too.
    pub fn add<'a>(&mut self, files: impl IntoIterator<Item = &'a Path>) {
        self.files.extend(files.into_iter().map(Path::to_owned));
        self.watch();
        self.due = Instant::now() + self.longest();
    }

    fn longest(&self) -> Duration {
        if self.is_told { SELDOM } else { LOOK }
    }

    /// Has the directories of all files watched, and of what they link to; in place of one that is missing the nearest
    /// above it. One that is watched already stays so.
    fn watch(&mut self) {
        self.is_told = self.told.is_some();
        for file in self.files.clone() {
            self.watch_for(&file);
            if let Ok(real) = std::fs::canonicalize(&file)
                && real != file
            {
                self.watch_for(&real);
            }
        }
    }

    fn watch_for(&mut self, file: &Path) {
        let Some(told) = &self.told else { return };
        let what = WatchFlags::CLOSE_WRITE
            | WatchFlags::CREATE
            | WatchFlags::MOVED_TO
            | WatchFlags::MOVED_FROM
            | WatchFlags::DELETE;
        let mut below = file;
        loop {
            let dir = below.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
            self.names.extend(below.file_name().map(ToOwned::to_owned));
            match inotify::add_watch(told.get_ref(), dir, what) {
                Ok(_) => {
                    self.is_told &= !is_shared(dir);
                    return;
                }
                Err(Errno::NOENT) if dir.parent().is_some_and(|above| !above.as_os_str().is_empty()) => below = dir,
                Err(_) => {
                    self.is_told = false;
                    return;
                }
            }
        }
    }

    /// Resolves when a file may have changed. Nothing is lost when the wait is given up.
    pub async fn next(&mut self) {
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(self.due) => {
                    // A directory may be another one of the same name.
                    self.watch();
                    self.due = Instant::now() + self.longest();
                    return;
                }
                heard = hear(self.told.as_ref(), &self.names) => match heard {
                    Ok(true) => self.due = self.due.min(Instant::now() + SETTLE),
                    Ok(false) => {}
                    Err(()) => {
                        self.told = None;
                        self.due = self.due.min(Instant::now() + LOOK);
                    }
                },
            }
        }
    }
}

/// Whether somebody else may write in `dir`, of whom the kernel tells nothing.
fn is_shared(dir: &Path) -> bool {
    rustix::fs::statfs(dir).map_or(true, |at| u64::try_from(at.f_type).is_ok_and(|kind| SHARED.contains(&kind)))
}

#[expect(deprecated, reason = "the safe constructor asks for no owned descriptor; this one is, so it stays open")]
fn register(told: OwnedFd) -> Option<AsyncFd<OwnedFd>> {
    AsyncFd::with_interest(told, Interest::READABLE).ok()
}

/// Waits for what the kernel tells; answers whether it is about one of `names`. An error is the end of it.
async fn hear(told: Option<&AsyncFd<OwnedFd>>, names: &BTreeSet<OsString>) -> Result<bool, ()> {
    let Some(told) = told else { return std::future::pending().await };
    let mut ready = told.readable().await.map_err(drop)?;
    let mut buffer = [MaybeUninit::uninit(); 4_096];
    let mut reader = inotify::Reader::new(told.get_ref(), &mut buffer);
    let mut is_ours = false;
    loop {
        match reader.next() {
            Ok(event) => {
                let name = event.file_name().map(|name| std::ffi::OsStr::from_bytes(name.to_bytes()));
                // A file that is made holds nothing yet; when it is written that is told, too.
                let is_new = event.events().contains(ReadFlags::CREATE) && !event.events().contains(ReadFlags::ISDIR);
                is_ours |= !is_new && name.is_some_and(|name| names.contains(name));
            }
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                ready.clear_ready();
                return Ok(is_ours);
            }
            Err(_) => return Err(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn soon(changes: &mut FileChanges) -> bool {
        tokio::time::timeout(LOOK / 2, changes.next()).await.is_ok()
    }

    #[tokio::test]
    async fn what_is_written_replaced_or_removed_is_told_soon() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("a.toml");
        let mut changes = FileChanges::of([path.as_path()]);
        std::fs::write(&path, "a").expect("writes");
        assert!(soon(&mut changes).await, "it appeared");
        std::fs::write(dir.path().join("new"), "b").expect("writes");
        std::fs::rename(dir.path().join("new"), &path).expect("renames");
        assert!(soon(&mut changes).await, "it was replaced");
        std::fs::remove_file(&path).expect("removes");
        assert!(soon(&mut changes).await, "it is gone");
    }

    #[tokio::test]
    async fn a_directory_that_appears_and_what_is_behind_a_link_are_told_too() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("one/two/a.toml");
        let mut changes = FileChanges::of([path.as_path()]);
        std::fs::create_dir(dir.path().join("one")).expect("makes");
        assert!(soon(&mut changes).await, "the first directory is there");
        std::fs::create_dir(dir.path().join("one/two")).expect("makes");
        assert!(soon(&mut changes).await, "the second, too");
        std::fs::write(dir.path().join("real.toml"), "a").expect("writes");
        std::os::unix::fs::symlink(dir.path().join("real.toml"), dir.path().join("one/two/new")).expect("links");
        std::fs::rename(dir.path().join("one/two/new"), &path).expect("renames");
        assert!(soon(&mut changes).await, "the link is there");
        std::fs::write(dir.path().join("real.toml"), "b").expect("writes");
        assert!(soon(&mut changes).await, "what it links to is another");
    }

    /// How long a wait takes that is given up again and again.
    async fn waited(mut changes: FileChanges) -> Duration {
        let began = Instant::now();
        while tokio::time::timeout(Duration::from_millis(300), changes.next()).await.is_err() {}
        began.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn where_nothing_is_told_it_is_looked_at_all_the_same() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("none/a.toml");
        let waits = waited(FileChanges::of([path.as_path()])).await;
        assert!(waits >= SELDOM && waits < 2 * SELDOM, "{waits:?}");
        let mut changes = FileChanges { told: None, ..FileChanges::of([]) };
        changes.add([path.as_path()]);
        let waits = waited(changes).await;
        assert!(waits >= LOOK && waits < 2 * LOOK, "{waits:?}");
    }

    #[test]
    fn what_is_made_by_this_machine_alone_is_not_shared() {
        assert!(!is_shared(Path::new("/proc")));
        assert!(is_shared(Path::new("/there/is/no/such/place")), "nothing is known of it");
    }
}
