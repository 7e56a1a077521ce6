//! The side door: `aurora agent stdio` of the same user passes a connection that asks for panes on to the agent that runs
//! here, so that one agent has the panes of the host for everybody.
//!
//! It is a socket in the directory of the journal, which only the owner can enter. Commands need it not: whichever agent
//! is asked, the journal runs a job once.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::{Mode, OFlags};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::agent::Desk;
use crate::config::AgentConfig;
use crate::net::{FrameReader, FrameWriter};
use crate::protocol::{FromAgent, ToAgent};

use super::talk::talk;

const SOCKET: &str = "agent.sock";
const LOCK: &str = "agent.lock";
/// What a connection begins with; the digest of the configuration follows.
const MAGIC: &[u8; 8] = b"aurora\0\x01";
/// Bytes of the digest.
const DIGEST: usize = 32;
/// The agent serves.
const SERVED: u8 = 1;
/// It has another configuration, or is another version.
const OTHER: u8 = 2;
/// Time for an agent to answer the greeting. One that does not is passed by.
const PATIENCE: Duration = Duration::from_secs(2);
/// Connections at once.
const CONNECTIONS: usize = 64;
/// Who finds the door taken tries again after this.
const AGAIN: Duration = Duration::from_secs(1);
/// Time for connections to end when the door closes.
const DRAIN: Duration = Duration::from_secs(1);

/// The side door of a running agent.
#[derive(Debug)]
pub struct SideDoor {
    listener: UnixListener,
    desk: Desk,
    /// Who holds it has the socket: what another agent left behind is only then removed.
    _lock: std::fs::File,
}

impl SideDoor {
    /// Opens it, or answers `None` where another agent of this journal has it.
    ///
    /// # Errors
    /// When the socket cannot be made.
    pub fn open(desk: Desk) -> io::Result<Option<Self>> {
        let dir = desk.spool().dir();
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let lock = std::fs::File::from(rustix::fs::openat(dir, LOCK, flags, Mode::RUSR | Mode::WUSR)?);
        match lock.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => return Ok(None),
            Err(std::fs::TryLockError::Error(error)) => return Err(error),
        }
        match rustix::fs::unlinkat(dir, SOCKET, rustix::fs::AtFlags::empty()) {
            Ok(()) | Err(rustix::io::Errno::NOENT) => {}
            Err(error) => return Err(error.into()),
        }
        let path = through(dir);
        let listener = UnixListener::bind(&path)?;
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600))?;
        Ok(Some(Self { listener, desk, _lock: lock }))
    }

    /// Opens it as soon as nobody else has it, and serves until `stop`: the panes of a host go to whoever is left.
    pub async fn serve_next(desk: Desk, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(AGAIN) => {}
            }
            match Self::open(desk.clone()) {
                Ok(Some(door)) => return door.serve(stop).await,
                Ok(None) => {}
                Err(error) => return tracing::warn!(%error, "`aurora agent stdio` has to have panes itself"),
            }
        }
    }

    /// Serves until `stop`. Jobs go on.
    pub async fn serve(self, stop: CancellationToken) {
        let Self { listener, desk, _lock } = self;
        let (places, serving) = (Arc::new(Semaphore::new(CONNECTIONS)), TaskTracker::new());
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                accepted = listener.accept() => accepted,
            };
            let stream = match accepted.and_then(|(stream, _)| own(stream)) {
                Ok(stream) => stream,
                Err(error) => {
                    // Out of file descriptors, or another user: both pass.
                    tracing::warn!(%error, "failed to accept a connection that is passed on");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            // Who finds no place serves itself.
            let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
            let (desk, stop) = (desk.clone(), stop.clone());
            serving.spawn(async move {
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = receive(&desk, stream) => {}
                }
                drop(place);
            });
        }
        serving.close();
        // Who does not listen is not waited for.
        let _ = tokio::time::timeout(DRAIN, serving.wait()).await;
    }
}

/// One connection that is passed on, from its greeting to its end.
async fn receive(desk: &Desk, mut stream: UnixStream) {
    let mut greeting = [0; MAGIC.len() + DIGEST];
    let greeted = tokio::time::timeout(PATIENCE, stream.read_exact(&mut greeting)).await;
    if !matches!(greeted, Ok(Ok(_))) {
        return;
    }
    let same = greeting == greeting_of(desk.config());
    if stream.write_all(&[if same { SERVED } else { OTHER }]).await.is_err() || !same {
        return;
    }
    let (reader, writer) = split(stream);
    if let Err(error) = talk(desk, FrameReader::new(reader), FrameWriter::new(writer), None).await {
        tracing::info!(%error, "a connection that was passed on ended");
    }
}

/// A connection to the agent that runs with the journal of `config`, if there is one, it has the very same configuration
/// and is the same program. Whatever goes wrong, there is none: then who asks serves itself.
pub async fn running(config: &AgentConfig) -> Option<UnixStream> {
    let dir = own_directory(&config.spool).ok()?;
    let greet = async {
        let mut stream = own(UnixStream::connect(through(&dir)).await?)?;
        stream.write_all(&greeting_of(config)).await?;
        let verdict = stream.read_u8().await?;
        Ok::<_, io::Error>((verdict == SERVED).then_some(stream))
    };
    tokio::time::timeout(PATIENCE, greet).await.ok()?.ok()?
}

/// A connection to the agent that runs, if there is one, that has been greeted by `hello` and asked `question`. Its welcome
/// is not news: whoever asks has been welcomed.
pub(super) async fn passing(config: &AgentConfig, hello: &ToAgent, question: &ToAgent) -> Option<UnixStream> {
    let mut stream = running(config).await?;
    let greet = async {
        FrameWriter::new(&mut stream).write(hello).await.ok()?;
        let welcome = FrameReader::new(&mut stream).read::<FromAgent>().await.ok()??;
        if !matches!(welcome, FromAgent::Welcome { .. }) {
            return None;
        }
        FrameWriter::new(&mut stream).write(question).await.ok()
    };
    tokio::time::timeout(PATIENCE, greet).await.ok()??;
    Some(stream)
}

/// Carries bytes between a connection of an engine and the agent that runs, until either ends.
///
/// # Errors
/// When the agent has ended and the engine has not.
pub(super) async fn pass(
    stream: UnixStream,
    mut input: impl AsyncRead + Unpin,
    mut output: impl AsyncWrite + Unpin,
) -> io::Result<()> {
    let (mut from_agent, mut to_agent) = split(stream);
    let there = async {
        // An engine that stops asking is answered to the end.
        let _ = tokio::io::copy(&mut input, &mut to_agent).await;
        let _ = to_agent.shutdown().await;
        true
    };
    let back = async {
        // The end of either says the same: nothing more is answered.
        let _ = tokio::io::copy(&mut from_agent, &mut output).await;
        let _ = output.flush().await;
    };
    tokio::pin!(there, back);
    tokio::select! {
        _ = &mut there => back.await,
        () = &mut back => return Err(io::Error::other("the running agent has ended, or let go of the connection")),
    }
    Ok(())
}

fn greeting_of(config: &AgentConfig) -> [u8; MAGIC.len() + DIGEST] {
    let mut greeting = [0; MAGIC.len() + DIGEST];
    let (magic, digest) = greeting.split_at_mut(MAGIC.len());
    magic.copy_from_slice(MAGIC);
    digest.copy_from_slice(&config.digest);
    greeting
}

/// `stream`, if this user or root is at the other end.
fn own(stream: UnixStream) -> io::Result<UnixStream> {
    let uid = stream.peer_cred()?.uid();
    if uid != 0 && uid != rustix::process::geteuid().as_raw() {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, format!("it is of the user {uid}")));
    }
    Ok(stream)
}

/// The directory of a journal, if only this user can enter it.
fn own_directory(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let dir = rustix::fs::open(path, flags, Mode::empty())?;
    let found = rustix::fs::fstat(&dir)?;
    if found.st_uid != rustix::process::geteuid().as_raw() || found.st_mode & 0o077 != 0 {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    Ok(dir)
}

/// The socket in `dir`. The path of a socket has at most 107 bytes, and the one of a journal may have more.
fn through(dir: &OwnedFd) -> String {
    format!("/proc/self/fd/{}/{SOCKET}", dir.as_raw_fd())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn desk(dir: &Path, text: &str) -> Desk {
        let path = dir.join("agent.toml");
        std::fs::write(&path, text).expect("writes");
        Desk::open(AgentConfig::load(Some(&path), Some(dir)).expect("a configuration")).expect("a desk")
    }

    #[tokio::test]
    async fn only_one_agent_has_it_and_only_the_same_configuration_is_served() {
        let dir = tempfile::tempdir().expect("a directory");
        // Longer than the path of a socket may be.
        let deep = dir.path().join("d".repeat(120));
        std::fs::create_dir(&deep).expect("makes");
        let first = desk(&deep, "[agent]\nname = \"web-1\"\n");
        assert!(running(first.config()).await.is_none(), "nobody is there");
        let door = SideDoor::open(first.clone()).expect("opens").expect("it is free");
        assert!(SideDoor::open(first.clone()).expect("no error").is_none(), "it is taken");
        let (stop, config) = (CancellationToken::new(), first.config().clone());
        let serving = tokio::spawn(door.serve(stop.clone()));
        assert!(running(&config).await.is_some());
        let changed = desk(&deep, "[agent]\nname = \"web-1\"\npanes = \"drive\"\n");
        assert!(running(changed.config()).await.is_none(), "the file says something else now");
        stop.cancel();
        serving.await.expect("ends");
        assert!(running(&config).await.is_none(), "it was left behind");
        let door = SideDoor::open(first.clone()).expect("opens").expect("what was left behind is removed");
        let stop = CancellationToken::new();
        let serving = tokio::spawn(door.serve(stop.clone()));
        assert!(running(&config).await.is_some());
        let next = tokio::spawn(SideDoor::serve_next(first, CancellationToken::new()));
        tokio::time::sleep(AGAIN + AGAIN / 2).await;
        stop.cancel();
        serving.await.expect("ends");
        let begun = tokio::time::Instant::now();
        while running(&config).await.is_none() {
            assert!(begun.elapsed() < 10 * AGAIN && !next.is_finished(), "the next one takes it up");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        std::fs::set_permissions(&config.spool, PermissionsExt::from_mode(0o755)).expect("chmod");
        assert!(running(&config).await.is_none(), "others could have put it there");
    }
}
