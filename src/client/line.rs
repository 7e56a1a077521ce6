//! One line to an engine: a socket, or the pipes of an ssh. The frames on it are the same.

use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::UnixStream;
use tokio_util::codec::Framed;
use tokio_util::either::Either;

use crate::net::LineCodec;
use crate::protocol::{FromEngine, ToEngine, VERSION};

use super::open::Wish;
use super::ssh::{Pipes, Prompts, Ssh};
use super::target::{SshTarget, Target};

/// Time for a greeting on this machine.
const GREETING: Duration = Duration::from_secs(5);
/// Time for a greeting on another: names, keys and a slow line.
const GREETING_FAR: Duration = Duration::from_secs(20);
/// The same while a person types a passphrase; sshd waits as long by itself.
const GREETING_PERSON: Duration = Duration::from_mins(2);

/// Frames on a line.
pub(super) type Frames = Framed<Line, LineCodec>;

/// Why an engine cannot be attached to.
#[derive(Debug, thiserror::Error)]
pub enum AttachError {
    /// Nobody listens on this machine.
    #[error("no engine listens at {path}: {source}; start it with `aurora serve`")]
    Unreachable {
        /// Where.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The line to another machine does not come up, or the engine there does not want this client.
    #[error("failed to attach to {target}: {why}")]
    Far {
        /// Where.
        target: SshTarget,
        /// What the engine or ssh says, as they say it; perhaps several lines.
        why: String,
        /// Whether the engine there denies it, and nothing is wrong.
        denied: bool,
    },
    /// It listens on this machine and cannot take this client.
    #[error("{0}")]
    Refused(String),
    /// It listens on this machine and denies this client.
    #[error("{0}")]
    Denied(String),
}

impl AttachError {
    /// The reason alone, for somebody who knows what was tried.
    pub(super) fn reason(self) -> String {
        match self {
            Self::Unreachable { source, .. } => format!("no engine listens: {source}"),
            Self::Far { why, .. } => why,
            Self::Refused(reason) | Self::Denied(reason) => reason,
        }
    }
}

/// Bytes to and from an engine.
pub(super) struct Line {
    io: Either<UnixStream, Pipes>,
    ssh: Option<Ssh>,
    heard: u64,
}

impl Line {
    /// A line on this machine.
    pub(super) fn unix(stream: UnixStream) -> Self {
        Self { io: Either::Left(stream), ssh: None, heard: 0 }
    }

    /// Bytes heard so far. A large frame on a slow line counts before it is whole.
    pub(super) fn heard(&self) -> u64 {
        self.heard
    }

    /// Why a line that has ended did.
    pub(super) async fn last_words(self) -> String {
        match self.ssh {
            Some(ssh) => {
                // Its pipes first: it ends when they do.
                drop(self.io);
                ssh.last_words().await
            }
            None => "the engine has closed the line".to_owned(),
        }
    }
}

impl AsyncRead for Line {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, buf))?;
        self.heard += (buf.filled().len() - before) as u64;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Line {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// Opens a line to `target` and is let in.
pub(super) async fn connect(target: &Target, wish: Wish, prompts: Prompts) -> Result<Frames, AttachError> {
    match target {
        Target::Unix(path) => {
            let unreachable = |source| AttachError::Unreachable { path: path.clone(), source };
            let greeting = async {
                let mut frames = framed(Line::unix(UnixStream::connect(path).await.map_err(unreachable)?));
                match greet(&mut frames, wish).await.map_err(unreachable)? {
                    Greeting::Welcome => Ok(frames),
                    Greeting::Goodbye { reason, denied: true } => Err(AttachError::Denied(reason)),
                    Greeting::Goodbye { reason, denied: false } => Err(AttachError::Refused(reason)),
                    Greeting::Nothing => Err(unreachable(io::ErrorKind::UnexpectedEof.into())),
                }
            };
            tokio::time::timeout(GREETING, greeting).await.unwrap_or_else(|elapsed| Err(unreachable(elapsed.into())))
        }
        Target::Ssh(target) => connect_far(target, wish, prompts).await,
    }
}

async fn connect_far(target: &SshTarget, wish: Wish, prompts: Prompts) -> Result<Frames, AttachError> {
    let far = |why: String| AttachError::Far { target: target.clone(), why, denied: false };
    let (ssh, pipes) = Ssh::start(target, prompts)
        .map_err(|error| far(format!("failed to run ssh: {error}; is the OpenSSH client installed?")))?;
    let mut frames = framed(Line { io: Either::Right(pipes), ssh: Some(ssh), heard: 0 });
    let patience = if prompts == Prompts::Allowed { GREETING_PERSON } else { GREETING_FAR };
    match tokio::time::timeout(patience, greet(&mut frames, wish)).await {
        Ok(Ok(Greeting::Welcome)) => Ok(frames),
        Ok(Ok(Greeting::Goodbye { reason, denied })) => {
            Err(AttachError::Far { target: target.clone(), why: reason, denied })
        }
        Ok(Err(error)) if error.kind() == io::ErrorKind::InvalidData => Err(far(
            "what came back is not from aurora; a start-up file of the shell there may print something".to_owned(),
        )),
        // A pipe that breaks says less than ssh does.
        Ok(Ok(Greeting::Nothing) | Err(_)) => Err(far(frames.into_inner().last_words().await)),
        Err(_) => Err(far(format!("no answer within {} s", patience.as_secs()))),
    }
}

pub(super) fn framed(line: Line) -> Frames {
    Framed::new(line, LineCodec::of_client())
}

enum Greeting {
    Welcome,
    Goodbye {
        reason: String,
        denied: bool,
    },
    /// The line ended first.
    Nothing,
}

async fn greet(frames: &mut Frames, wish: Wish) -> io::Result<Greeting> {
    let Wish { follow, read_only } = wish;
    // The name of a key is for the far side to say, where the key was seen.
    send(frames, &ToEngine::Hello { version: VERSION, follow, read_only, ssh_key: None }).await?;
    Ok(match receive(frames).await? {
        Some(FromEngine::Welcome { .. }) => Greeting::Welcome,
        Some(FromEngine::Goodbye { reason, denied }) => Greeting::Goodbye { reason, denied },
        Some(_) => return Err(io::ErrorKind::InvalidData.into()),
        None => Greeting::Nothing,
    })
}

pub(super) async fn send(frames: &mut Frames, frame: &ToEngine) -> io::Result<()> {
    frames.send(Bytes::from(serde_json::to_vec(frame)?)).await
}

pub(super) async fn receive(frames: &mut Frames) -> io::Result<Option<FromEngine>> {
    match frames.next().await {
        None => Ok(None),
        Some(frame) => Ok(Some(serde_json::from_slice(&frame?)?)),
    }
}
