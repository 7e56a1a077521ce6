//! Who follows a job hears at once that something in its directory has changed, whichever process wrote it.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How often a directory is looked at that the kernel does not watch for us.
const POLL: Duration = Duration::from_millis(50);
/// How often one is looked at that it does.
const LOOK: Duration = Duration::from_secs(1);

type Watched = HashMap<i32, watch::Sender<u64>>;

/// Watches directories with inotify(7).
#[derive(Debug)]
pub(super) struct Watcher {
    inner: Arc<Inner>,
    reader: JoinHandle<()>,
}

#[derive(Debug)]
struct Inner {
    fd: OwnedFd,
    watched: Mutex<Watched>,
}

impl Inner {
    fn watched(&self) -> MutexGuard<'_, Watched> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watcher {
    /// Watches nothing yet. Needs a runtime.
    pub(super) fn new() -> std::io::Result<Self> {
        let fd = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        // It is read like a pipe.
        let events = Receiver::from_file_unchecked(fd.try_clone()?.into())?;
        let inner = Arc::new(Inner { fd, watched: Mutex::default() });
        let reader = tokio::spawn(read(Arc::clone(&inner), events));
        Ok(Self { inner, reader })
    }

    /// Watches the directory at `path`.
    pub(super) fn watch(&self, path: &Path) -> Changes {
        let flags = WatchFlags::CREATE | WatchFlags::MODIFY | WatchFlags::MOVED_TO | WatchFlags::ONLYDIR;
        // The map is held while the watch is made: its number may be one that is being given back.
        let mut watched = self.inner.watched();
        let Ok(number) = inotify::add_watch(&self.inner.fd, path, flags) else { return Changes::polled() };
        let heard = watched.entry(number).or_insert_with(|| watch::channel(0).0).subscribe();
        Changes { heard: Some((heard, number, Arc::clone(&self.inner))) }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

/// Changes of one directory.
#[derive(Debug)]
pub(super) struct Changes {
    heard: Option<(watch::Receiver<u64>, i32, Arc<Inner>)>,
}

impl Changes {
    /// Of a directory that nobody watches.
    pub(super) fn polled() -> Self {
        Self { heard: None }
    }

    /// Waits until something may have changed since the last time.
    pub(super) async fn next(&mut self) {
        match &mut self.heard {
            Some((heard, ..)) => {
                // Whatever it was: it is looked at.
                let _ = tokio::time::timeout(LOOK, heard.changed()).await;
            }
            None => tokio::time::sleep(POLL).await,
        }
    }
}

impl Drop for Changes {
    fn drop(&mut self) {
        let Some((heard, number, inner)) = self.heard.take() else { return };
        drop(heard);
        let mut watched = inner.watched();
        if watched.get(&number).is_some_and(|sender| sender.receiver_count() == 0) {
            watched.remove(&number);
            // The directory may be gone, and its watch with it.
            let _ = inotify::remove_watch(&inner.fd, number);
        }
    }
}

/// Bytes before the name of an event: the watch, its bits, a cookie, the length of the name.
const HEADER: usize = 16;

/// Passes on what the kernel says: `struct inotify_event` of inotify(7), one behind the other.
async fn read(inner: Arc<Inner>, mut events: Receiver) {
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = events.read(&mut buffer).await {
        let watched = inner.watched();
        let mut rest = &buffer[..count];
        while let Some((header, after)) = rest.split_first_chunk::<HEADER>() {
            let [n0, n1, n2, n3, b0, b1, b2, b3, _, _, _, _, l0, l1, l2, l3] = *header;
            let bits = ReadFlags::from_bits_retain(u32::from_ne_bytes([b0, b1, b2, b3]));
            if bits.contains(ReadFlags::QUEUE_OVERFLOW) {
                watched.values().for_each(poke);
            } else if let Some(sender) = watched.get(&i32::from_ne_bytes([n0, n1, n2, n3])) {
                poke(sender);
            }
            let name = u32::from_ne_bytes([l0, l1, l2, l3]) as usize;
            rest = after.get(name..).unwrap_or_default();
        }
    }
}

fn poke(sender: &watch::Sender<u64>) {
    sender.send_modify(|changes| *changes = changes.wrapping_add(1));
}
