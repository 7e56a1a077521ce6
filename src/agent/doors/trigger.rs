//! The trigger door: letters as files in a directory that an engine sees too, perhaps through a network mount.

use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use rustix::fs::inotify;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::agent::{Desk, Session};
use crate::model::HostName;
use crate::net::{Address, AgentKey, Answers, BEAT_NAME, BadLetter, Beat, Way, open_letter, seal_letter};
use crate::protocol::{FromAgent, ToAgent};

use super::socket::{SocketDoorError, key};
use super::tally::Tally;
use super::trigger_dir::{ENDING, HEARTBEAT, SPOOL_ID, TriggerDir, Unfit};

/// The directory is looked at at least so often: what is written through another mount wakes nobody here.
const RESCAN: Duration = Duration::from_secs(1);
/// How often the agent says that it is there.
const BEAT: Duration = Duration::from_secs(2);
/// Letters served at once; the rest wait in the directory.
const AT_ONCE: usize = 64;
/// Answers that may wait to be written.
const WAITING_MAX: usize = 64;
/// A letter is followed no longer than this; who still wants to know writes another.
const FOLLOW_MAX: Duration = Duration::from_mins(10);
/// Answers that nobody took for so long are removed.
const OLD: Duration = Duration::from_mins(15);
/// How often they are looked for.
const SWEEP: Duration = Duration::from_mins(1);
/// Answers in one file.
const BATCH: usize = 32;
/// Answers to one letter that may lie untaken.
const UNTAKEN_MAX: u32 = 8;
/// Nothing more is told to who takes none of them for so long.
const TAKE_MAX: Duration = Duration::from_secs(30);
/// How often it is looked whether one was taken.
const TAKEN: Duration = Duration::from_millis(100);

/// Why the trigger door stays closed.
#[derive(Debug, thiserror::Error)]
pub enum TriggerDoorError {
    /// There is no directory.
    #[error("no directory is named as `trigger` in [agent]")]
    NoDirectory,
    /// There is no name, and letters are to a host.
    #[error("the host has no `name` in [agent], and letters are to a host by its name")]
    NoName,
    /// The key is missing or cannot be used.
    #[error(transparent)]
    Key(SocketDoorError),
    /// The directory cannot be used.
    #[error("failed to open the trigger directory {}: {source}", path.display())]
    Directory {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// The open trigger directory of an agent.
#[derive(Debug)]
pub struct TriggerDoor {
    path: PathBuf,
    host: HostName,
    key: AgentKey,
    desk: Desk,
    dir: RwLock<Arc<TriggerDir>>,
    /// Whether the kernel may wake it; otherwise it only looks every second.
    watches: bool,
    agent: u64,
}

impl TriggerDoor {
    /// Opens the directory of `desk`'s configuration. With `watches` the kernel wakes it where it can.
    ///
    /// # Errors
    /// When none is named, it is missing, or others can write to it or above it; and when there is no key or name.
    pub fn open(desk: Desk, watches: bool) -> Result<Self, TriggerDoorError> {
        let path = desk.config().trigger.clone().ok_or(TriggerDoorError::NoDirectory)?;
        let host = desk.config().name.clone().ok_or(TriggerDoorError::NoName)?;
        let key = key(&desk).map_err(TriggerDoorError::Key)?;
        let dir =
            TriggerDir::open(&path).map_err(|source| TriggerDoorError::Directory { path: path.clone(), source })?;
        Ok(Self { path, host, key, desk, dir: RwLock::new(Arc::new(dir)), watches, agent: rand::random() })
    }

    /// Where it is.
    #[must_use]
    pub fn describe(&self) -> String {
        self.path.display().to_string()
    }

    fn dir(&self) -> Arc<TriggerDir> {
        Arc::clone(&self.dir.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn address(&self, name: &str, way: Way) -> Address {
        Address { host: self.host.clone(), spool: self.desk.spool().id(), name: name.to_owned(), way }
    }

    /// Serves until `stop`. Jobs go on.
    pub async fn serve(self, stop: CancellationToken) {
        let door = Arc::new(self);
        let refused = Arc::new(Tally::new("trigger files were refused"));
        let trouble = Tally::new("the trigger directory cannot be used");
        let (places, serving) = (Arc::new(Semaphore::new(AT_ONCE)), TaskTracker::new());
        let mut round = Round::default();
        let mut watch = door.watch();
        loop {
            let (looking, free) = (Arc::clone(&door), places.available_permits());
            let looked = tokio::task::spawn_blocking(move || {
                let found = looking.look(&mut round, free);
                (round, found)
            });
            let (back, found) = match looked.await {
                Ok(looked) => looked,
                Err(error) => (Round::default(), Err(std::io::Error::other(error))),
            };
            round = back;
            if round.reopened {
                watch = door.watch();
            }
            for (name, letter) in found.unwrap_or_else(|error| {
                trouble.count(&error);
                Vec::new()
            }) {
                let letter = match letter.map_err(|unfit| unfit.to_string()).and_then(|bytes| door.read(&name, &bytes))
                {
                    Ok(letter) => letter,
                    Err(why) => {
                        refused.count(&why);
                        continue;
                    }
                };
                let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
                let (door, stop) = (Arc::clone(&door), stop.clone());
                serving.spawn(async move {
                    tokio::select! {
                        () = stop.cancelled() => {}
                        // Who asked too much is not waited for.
                        _ = tokio::time::timeout(FOLLOW_MAX, door.answer(&name, letter)) => {}
                    }
                    drop(place);
                });
            }
            tokio::select! {
                () = stop.cancelled() => break,
                () = woken(&mut watch) => {}
                () = tokio::time::sleep(RESCAN) => {}
            }
        }
        serving.close();
        serving.wait().await;
    }

    /// One round: the directory is checked, the beat is written, and at most `free` letters are taken.
    fn look(&self, round: &mut Round, free: usize) -> std::io::Result<Vec<Taken>> {
        let mut dir = self.dir();
        round.reopened = !dir.is_there();
        if round.reopened {
            dir = Arc::new(TriggerDir::open(&self.path)?);
            *self.dir.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&dir);
        }
        if round.reopened || round.count == 0 {
            dir.note(SPOOL_ID, format!("{}\n", self.desk.spool().id()).as_bytes())?;
        }
        if round.beat.is_none_or(|beat| beat.elapsed() >= BEAT) || round.reopened {
            round.count += 1;
            let beat = Beat { agent: self.agent, count: round.count };
            dir.note(HEARTBEAT, &seal_letter(&self.key, &self.address(BEAT_NAME, Way::Answer(0)), &[beat])?)?;
            round.beat = Some(Instant::now());
        }
        if round.sweep.is_none_or(|sweep| sweep.elapsed() >= SWEEP) {
            dir.sweep(OLD)?;
            round.sweep = Some(Instant::now());
        }
        let mut taken = Vec::new();
        for name in dir.waiting()?.into_iter().take(free) {
            if let Some(letter) = dir.take(&name)? {
                taken.push((name, letter));
            }
        }
        Ok(taken)
    }

    fn read(&self, name: &str, bytes: &[u8]) -> Result<Vec<ToAgent>, String> {
        let letter = open_letter(&self.key, &self.address(name, Way::Question), bytes)
            .map_err(|error: BadLetter| error.to_string())?;
        // A hello, and at most one question.
        if letter.is_empty() || letter.len() > 2 { Err("it holds no question".to_owned()) } else { Ok(letter) }
    }

    /// Brings the letter to the desk, and what that says back, as it comes.
    async fn answer(self: Arc<Self>, name: &str, letter: Vec<ToAgent>) {
        let (answers, said) = mpsc::channel(WAITING_MAX);
        // What is told over it later ends with it.
        let mut session = Session::letter();
        let asking = async {
            for question in letter {
                self.desk.serve(&mut session, question, &answers).await;
            }
            drop(answers);
        };
        let telling = async {
            if let Err(error) = self.tell(name, said).await {
                tracing::warn!(%error, "failed to write an answer into the trigger directory");
            }
        };
        tokio::join!(asking, telling);
    }

    /// Writes what is `said` as answers to the letter `name`, to its end or until nobody takes them.
    async fn tell(self: &Arc<Self>, name: &str, mut said: mpsc::Receiver<FromAgent>) -> std::io::Result<()> {
        for number in 1.. {
            let mut batch = Vec::new();
            let count = said.recv_many(&mut batch, BATCH).await;
            // The end is told with what was said last where it is known by then, else in a file of its own.
            let mut last = count == 0 || (said.is_empty() && said.is_closed());
            if !self.is_taken(name, number).await? {
                // Who comes back asks from the piece on that it lacks.
                (batch, last) = (Vec::new(), true);
            }
            self.put(name, number, batch, last).await?;
            if last {
                break;
            }
        }
        Ok(())
    }

    /// Waits until so few answers lie untaken that the one with this `number` may be written. Says whether that came.
    async fn is_taken(self: &Arc<Self>, name: &str, number: u32) -> std::io::Result<bool> {
        let Some(oldest) = number.checked_sub(UNTAKEN_MAX).filter(|oldest| *oldest > 0) else { return Ok(true) };
        let file = answer_file(name, oldest);
        let taken = async {
            loop {
                let (dir, file) = (self.dir(), file.clone());
                let waits = tokio::task::spawn_blocking(move || dir.waits(&file)).await;
                if !waits.map_err(std::io::Error::other).flatten()? {
                    return Ok(());
                }
                tokio::time::sleep(TAKEN).await;
            }
        };
        tokio::time::timeout(TAKE_MAX, taken).await.map_or(Ok(false), |taken| taken.map(|()| true))
    }

    async fn put(self: &Arc<Self>, name: &str, number: u32, said: Vec<FromAgent>, last: bool) -> std::io::Result<()> {
        let address = self.address(name, Way::Answer(number));
        let bytes = seal_letter(&self.key, &address, &[Answers { said, last }])?;
        let (dir, file) = (self.dir(), answer_file(name, number));
        tokio::task::spawn_blocking(move || dir.answer(&file, &bytes)).await.map_err(std::io::Error::other)?
    }

    /// Asks the kernel to wake it. Without that it looks every second all the same.
    fn watch(&self) -> Option<Receiver> {
        if !self.watches {
            return None;
        }
        let fd = inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK).ok()?;
        let inbox = format!("/proc/self/fd/{}", self.dir().inbox().as_raw_fd());
        inotify::add_watch(&fd, inbox, inotify::WatchFlags::MOVED_TO).ok()?;
        // It is read like a pipe, and waited for like one.
        Receiver::from_owned_fd_unchecked(fd).ok()
    }
}

/// The file of an answer to the letter `name`.
fn answer_file(name: &str, number: u32) -> String {
    format!("{name}.{number}{ENDING}")
}

/// A letter by its name, as far as it could be read.
type Taken = (String, Result<Vec<u8>, Unfit>);

/// What one round leaves for the next.
#[derive(Debug, Default)]
struct Round {
    count: u64,
    beat: Option<Instant>,
    sweep: Option<Instant>,
    /// Whether the directory was opened anew in this round.
    reopened: bool,
}

/// Waits until something came into the directory; for ever where the kernel does not say. What exactly came does not
/// matter, nor whether the kernel lost count: everything that is there is looked at.
async fn woken(watch: &mut Option<Receiver>) {
    let Some(events) = watch else { return std::future::pending().await };
    if !matches!(events.read(&mut [0; 4096]).await, Ok(1..)) {
        *watch = None;
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use crate::config::AgentConfig;

    use super::super::trigger_dir::OUT;
    use super::*;

    const NAME: &str = "0123456789abcdef";

    fn door(dir: &std::path::Path) -> Arc<TriggerDoor> {
        let (files, key) = (dir.join("files"), dir.join("key"));
        std::fs::create_dir(&files).expect("makes");
        std::fs::write(&key, "k".repeat(32)).expect("writes");
        for (path, mode) in [(&files, 0o700), (&key, 0o600)] {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("chmod");
        }
        let (path, dir) = (dir.join("agent.toml"), dir.display());
        let text = format!(
            "[agent]\nname = \"web-1\"\nspool = \"{dir}/spool\"\ntrigger = \"{dir}/files\"\nkey = \"file:key\"\n"
        );
        std::fs::write(&path, text).expect("writes");
        let config = AgentConfig::load(Some(&path), None).expect("a configuration");
        Arc::new(TriggerDoor::open(Desk::open(config).expect("a desk"), false).expect("a door"))
    }

    /// Numbers of the answers that nobody has taken.
    fn untaken(door: &TriggerDoor) -> Vec<u32> {
        let number = |entry: std::io::Result<std::fs::DirEntry>| {
            let name = entry.expect("an entry").file_name().into_string().expect("text");
            name.strip_prefix(&format!("{NAME}."))?.strip_suffix(ENDING)?.parse().ok()
        };
        let mut found: Vec<u32> = std::fs::read_dir(door.path.join(OUT)).expect("reads").filter_map(number).collect();
        found.sort_unstable();
        found
    }

    fn last(door: &TriggerDoor, number: u32) -> bool {
        let bytes = std::fs::read(door.path.join(OUT).join(answer_file(NAME, number))).expect("reads");
        let address = door.address(NAME, Way::Answer(number));
        open_letter::<Answers>(&door.key, &address, &bytes).expect("ours").iter().any(|answers| answers.last)
    }

    /// Says something for ever, or until nobody listens.
    fn talk(sender: mpsc::Sender<FromAgent>) -> tokio::task::JoinHandle<()> {
        tokio::spawn(async move {
            while sender.send(FromAgent::Trouble { id: None, reason: String::new() }).await.is_ok() {}
        })
    }

    #[tokio::test(start_paused = true)]
    async fn answers_that_nobody_takes_are_few_and_the_letter_ends() {
        let dir = tempfile::tempdir().expect("a directory");
        let door = door(dir.path());
        let (sender, said) = mpsc::channel(WAITING_MAX);
        let talking = talk(sender);
        door.tell(NAME, said).await.expect("writes");
        assert_eq!(untaken(&door), (1..=UNTAKEN_MAX + 1).collect::<Vec<_>>());
        assert!(last(&door, UNTAKEN_MAX + 1) && !last(&door, UNTAKEN_MAX), "the last one says that it is the end");
        talking.await.expect("it is not talked on");
    }

    #[tokio::test(start_paused = true)]
    async fn who_takes_answers_late_gets_all_of_them() {
        let dir = tempfile::tempdir().expect("a directory");
        let door = door(dir.path());
        let (sender, said) = mpsc::channel(WAITING_MAX);
        let talking = talk(sender);
        let teller = Arc::clone(&door);
        let telling = tokio::spawn(async move { teller.tell(NAME, said).await });
        for number in 1..=30 {
            tokio::time::sleep(TAKE_MAX / 2).await;
            assert!(!last(&door, number), "{number}");
            std::fs::remove_file(door.path.join(OUT).join(answer_file(NAME, number))).expect("it is there");
        }
        telling.abort();
        talking.await.expect("nobody listens");
    }

    #[test]
    fn a_sweep_walks_the_whole_directory() {
        let dir = tempfile::tempdir().expect("a directory");
        let door = door(dir.path());
        for number in 0..1_100 {
            let file = std::fs::File::create(door.path.join(OUT).join(answer_file(NAME, number))).expect("makes");
            // Those that are old come last or first, as the file system likes.
            if number % 100 == 0 {
                file.set_modified(std::time::UNIX_EPOCH).expect("sets");
            }
        }
        assert_eq!(door.dir().sweep(OLD).expect("sweeps"), 11);
    }
}
