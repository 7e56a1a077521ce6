//! The unix socket in the state directory: for screens that attach and for commands.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use tokio::net::{UnixListener, UnixStream};
use tokio_util::codec::Framed;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::engine::{Credential, Handle, Joined, TaskSpec};
use crate::net::LineCodec;
use crate::protocol::{CODEC_MAX, FromEngine, Refusal, ToEngine, Update, VERSION};

use super::in_flight::InFlight;

/// Time for the first frame.
const HELLO_TIMEOUT: Duration = Duration::from_secs(5);
/// Time for a client to take a frame. One that takes longer is gone.
const SEND_TIMEOUT: Duration = Duration::from_mins(1);

type Frames = Framed<UnixStream, LineCodec>;

/// The socket below `state_dir`.
#[must_use]
pub fn socket_path(state_dir: &Path) -> PathBuf {
    state_dir.join("aurora.sock")
}

/// The task that serves `path`. The mode of the socket lets in the owner of the state directory, and root; the
/// engine decides by the uid of the process who it is.
#[must_use]
pub fn unix_socket(path: PathBuf, handle: Handle) -> TaskSpec {
    TaskSpec::new("attach socket", move |context| {
        let (path, handle) = (path.clone(), handle.clone());
        async move {
            let listener = bind(&path).map_err(|error| format!("{}: {error}", path.display()))?;
            context.running();
            accept(listener, handle, context.stop).await;
            // Gone already is fine: nobody can connect either way.
            let _ = std::fs::remove_file(&path);
            Ok(())
        }
    })
}

/// Binds the socket with mode 0600. What is left of an engine that was killed is removed: the lock is ours.
fn bind(path: &Path) -> std::io::Result<UnixListener> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

async fn accept(listener: UnixListener, handle: Handle, stop: CancellationToken) {
    let clients = TaskTracker::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let (handle, stop) = (handle.clone(), stop.clone());
                    clients.spawn(async move { converse(stream, &handle, stop).await });
                }
                Err(error) => {
                    tracing::warn!(%error, "failed to accept a client");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
        }
    }
    clients.close();
    // Clients are told that the engine stops; who does not listen is not waited for.
    let _ = tokio::time::timeout(Duration::from_secs(1), clients.wait()).await;
}

async fn converse(stream: UnixStream, handle: &Handle, stop: CancellationToken) {
    let uid = match stream.peer_cred() {
        Ok(peer) => peer.uid(),
        Err(error) => return tracing::warn!(%error, "the system does not say who attaches"),
    };
    let mut frames = Framed::new(stream, LineCodec::of_engine());
    let joined = match tokio::time::timeout(HELLO_TIMEOUT, greet(&mut frames, uid, handle)).await {
        Ok(Ok(joined)) => joined,
        Ok(Err(error)) => return tracing::debug!(%error, "a client did not get in"),
        Err(_) => return tracing::debug!("a client said nothing"),
    };
    if let Err(error) = talk(&mut frames, joined, &stop).await {
        tracing::debug!(%error, "a client is gone");
    }
}

async fn greet(frames: &mut Frames, uid: u32, handle: &Handle) -> std::io::Result<Joined> {
    let Some(frame) = frames.next().await else { return Err(std::io::ErrorKind::UnexpectedEof.into()) };
    let hello: Result<ToEngine, _> = serde_json::from_slice(&frame?);
    let (reason, denied) = match hello {
        Ok(ToEngine::Hello { version: VERSION, follow, read_only, ssh_key }) => {
            match handle.join(Credential::Local { uid, ssh_key }, follow, read_only).await {
                Ok(joined) => {
                    send(frames, &FromEngine::Welcome { version: env!("CARGO_PKG_VERSION").to_owned() }).await?;
                    return Ok(joined);
                }
                Err(turned_away) => {
                    tracing::warn!(uid, %turned_away, "a client was turned away");
                    (turned_away.to_string(), turned_away.is_denial())
                }
            }
        }
        Ok(ToEngine::Hello { version, .. }) => {
            let reason = format!(
                "this engine (aurora {}) speaks protocol {VERSION}, the client {version}; use the same aurora on both sides",
                env!("CARGO_PKG_VERSION")
            );
            (reason, false)
        }
        _ => ("the first frame was no hello".to_owned(), false),
    };
    send(frames, &FromEngine::Goodbye { reason: reason.clone(), denied }).await?;
    Err(std::io::Error::other(reason))
}

async fn talk(frames: &mut Frames, mut joined: Joined, stop: &CancellationToken) -> std::io::Result<()> {
    let mut in_flight = InFlight::default();
    loop {
        tokio::select! {
            frame = frames.next() => {
                let Some(frame) = frame.transpose()? else { return Ok(()) };
                match serde_json::from_slice(&frame) {
                    Ok(ToEngine::Ask { id, request }) => match in_flight.begin(id, frame.len()) {
                        Ok(()) => {
                            if !joined.ask(id, request).await {
                                return Ok(());
                            }
                        }
                        Err(refusal) => send(frames, &FromEngine::Reply { id, reply: Err(refusal) }).await?,
                    },
                    Ok(ToEngine::Seen { watch, offset }) => joined.seen(watch, offset),
                    Ok(ToEngine::Ping(number)) => send(frames, &FromEngine::Pong(number)).await?,
                    Ok(ToEngine::Hello { .. }) => return Err(std::io::Error::other("a second hello")),
                    Err(error) => return Err(std::io::Error::other(format!("not a frame: {error}"))),
                }
            }
            update = joined.next() => {
                let Some(update) = update else { return Ok(()) };
                // What waits goes out together: one write instead of many.
                let mut next = Some(update);
                while let Some(update) = next {
                    if let Update::Reply { id, .. } = &update {
                        in_flight.over(*id);
                    }
                    feed(frames, update).await?;
                    next = joined.waiting();
                }
                flush(frames).await?;
            }
            () = stop.cancelled() => {
                send(frames, &FromEngine::Notice(crate::protocol::Notice::Stopping)).await?;
                return Ok(());
            }
        }
    }
}

async fn feed(frames: &mut Frames, update: Update) -> std::io::Result<()> {
    let frame = match update {
        Update::Snapshot(snapshot) => FromEngine::Snapshot(snapshot),
        Update::Notice(notice) => FromEngine::Notice(notice),
        Update::Pane(piece) => FromEngine::Pane(piece),
        Update::Reply { id, reply } => FromEngine::Reply { id, reply },
        Update::Link(_) => return Ok(()),
    };
    let mut bytes = serde_json::to_vec(&frame)?;
    if let (true, FromEngine::Reply { id, .. }) = (bytes.len() > CODEC_MAX, &frame) {
        // An answer that does not fit must not break the line: it would be asked for again, for ever.
        let reply = Err(Refusal::Failed("the answer is too large for one frame; ask for less".to_owned()));
        bytes = serde_json::to_vec(&FromEngine::Reply { id: *id, reply })?;
    }
    tokio::time::timeout(SEND_TIMEOUT, frames.feed(Bytes::from(bytes))).await?
}

async fn flush(frames: &mut Frames) -> std::io::Result<()> {
    tokio::time::timeout(SEND_TIMEOUT, SinkExt::<Bytes>::flush(frames)).await?
}

async fn send(frames: &mut Frames, frame: &FromEngine) -> std::io::Result<()> {
    let bytes = Bytes::from(serde_json::to_vec(frame)?);
    tokio::time::timeout(SEND_TIMEOUT, frames.send(bytes)).await?
}
