//! Waiting until files may hold something else.
//!
//! The kernel tells of what happens in the directories the files are in. Not every file system lets it, so whoever waits
//! is let go every ten seconds all the same; they compare for themselves.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::io::Errno;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time::Instant;

/// The longest wait.
const LOOK: Duration = Duration::from_secs(10);
/// From what the kernel tells to the end of the wait: an editor does several things one after the other.
const SETTLE: Duration = Duration::from_millis(100);

/// What may change. Within a runtime only.
#[derive(Debug)]
pub struct FileChanges {
    /// What the kernel tells; `None` where it does not.
    told: Option<AsyncFd<OwnedFd>>,
    dirs: BTreeSet<PathBuf>,
    names: BTreeSet<OsString>,
    due: Instant,
}

impl FileChanges {
    /// Waits for these files, whether they are there or not.
    #[must_use]
    pub fn of<'a>(files: impl IntoIterator<Item = &'a Path>) -> Self {
        let told = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).ok().and_then(register);
        let mut changes = Self { told, dirs: BTreeSet::new(), names: BTreeSet::new(), due: Instant::now() + LOOK };
        changes.add(files);
        changes
    }

    /// Waits for these files, too.
    pub fn add<'a>(&mut self, files: impl IntoIterator<Item = &'a Path>) {
        for file in files {
            self.names.extend(file.file_name().map(ToOwned::to_owned));
            let dir = file.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
            self.dirs.insert(dir.to_owned());
        }
        self.watch();
    }

    /// Has every directory watched that is there by now; a directory that is watched already stays so.
    fn watch(&self) {
        let Some(told) = &self.told else { return };
        let what = WatchFlags::CLOSE_WRITE | WatchFlags::MOVED_TO | WatchFlags::MOVED_FROM | WatchFlags::DELETE;
        for dir in &self.dirs {
            // One that is not there, or cannot be watched, is looked at every ten seconds.
            let _ = inotify::add_watch(told.get_ref(), dir, what);
        }
    }

    /// Resolves when a file may have changed. Nothing is lost when the wait is given up.
    pub async fn next(&mut self) {
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(self.due) => {
                    self.due = Instant::now() + LOOK;
                    // A directory may be another one of the same name.
                    self.watch();
                    return;
                }
                heard = hear(self.told.as_ref(), &self.names) => match heard {
                    Ok(true) => self.due = self.due.min(Instant::now() + SETTLE),
                    Ok(false) => {}
                    Err(()) => self.told = None,
                },
            }
        }
    }
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
                is_ours |= name.is_some_and(|name| names.contains(name));
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

    #[tokio::test(start_paused = true)]
    async fn where_nothing_is_told_it_is_looked_at_all_the_same() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut changes = FileChanges::of([dir.path().join("none/a.toml").as_path()]);
        let began = Instant::now();
        // A wait that is given up again and again is no other wait.
        for _ in 0..40 {
            if tokio::time::timeout(Duration::from_millis(300), changes.next()).await.is_ok() {
                break;
            }
        }
        assert!(began.elapsed() >= LOOK && began.elapsed() < 2 * LOOK, "{:?}", began.elapsed());
    }
}
