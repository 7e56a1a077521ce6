//! The line to an engine in another process: it is kept up, and nothing is lost when it breaks.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use jiff::Timestamp;
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;
use tokio_util::codec::{Framed, LengthDelimitedCodec};

use crate::protocol::{CODEC_MAX, FromEngine, Link, Notice, Refusal, Request, RequestId, ToEngine, Update, VERSION};

use super::open::{Open, Wish};

/// First pause before the line is tried again; doubled each time.
const BACKOFF: Duration = Duration::from_millis(100);
/// Longest pause.
const BACKOFF_MAX: Duration = Duration::from_secs(5);
/// How often the line is measured.
const PING_EVERY: Duration = Duration::from_secs(5);
/// A line on which nothing came for so long is broken.
const SILENCE: Duration = Duration::from_secs(16);

type Frames = Framed<UnixStream, LengthDelimitedCodec>;

/// Why an engine cannot be attached to.
#[derive(Debug, thiserror::Error)]
pub enum AttachError {
    /// Nobody listens.
    #[error("no engine listens at {path}: {source}")]
    Unreachable {
        /// Where.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// It does not want this client.
    #[error("{0}")]
    Refused(String),
}

/// Whether an engine listens at `path` and would let this client in.
///
/// # Errors
/// Why not.
pub async fn try_attach(path: &Path) -> Result<(), AttachError> {
    connect(path, Wish { follow: false, read_only: true }).await.map(drop)
}

async fn connect(path: &Path, wish: Wish) -> Result<Frames, AttachError> {
    let unreachable = |source| AttachError::Unreachable { path: path.to_owned(), source };
    let greeting = async {
        let stream = UnixStream::connect(path).await.map_err(unreachable)?;
        let codec = LengthDelimitedCodec::builder().max_frame_length(CODEC_MAX).new_codec();
        let mut frames = Framed::new(stream, codec);
        let hello = ToEngine::Hello { version: VERSION, follow: wish.follow, read_only: wish.read_only };
        send(&mut frames, &hello).await.map_err(unreachable)?;
        match receive(&mut frames).await.map_err(unreachable)? {
            Some(FromEngine::Welcome { .. }) => Ok(frames),
            Some(FromEngine::Goodbye { reason }) => Err(AttachError::Refused(reason)),
            _ => Err(unreachable(std::io::ErrorKind::UnexpectedEof.into())),
        }
    };
    match tokio::time::timeout(Duration::from_secs(5), greeting).await {
        Ok(result) => result,
        Err(elapsed) => Err(unreachable(elapsed.into())),
    }
}

/// Keeps the line up until the client is dropped.
pub(super) async fn run(
    path: PathBuf,
    wish: Wish,
    mut asked: mpsc::UnboundedReceiver<(RequestId, Request)>,
    updates: mpsc::Sender<Update>,
) {
    let mut open = Open::default();
    let mut since = Timestamp::now();
    let mut tries = 0;
    loop {
        match connect(&path, wish).await {
            Ok(frames) => {
                tries = 0;
                let link = Update::Link(Link::Connected { rtt: None });
                if updates.send(link).await.is_err() {
                    return;
                }
                let (again, lost) = open.after_break();
                for id in lost {
                    let reply = Update::Reply { id, reply: Err(Refusal::Unanswered) };
                    if updates.send(reply).await.is_err() {
                        return;
                    }
                }
                if !talk(frames, again, &mut asked, &updates, &mut open).await {
                    return;
                }
                since = Timestamp::now();
            }
            Err(error) => {
                tries += 1;
                tracing::debug!(%error, tries, "the engine is not there");
            }
        }
        if updates.send(Update::Link(Link::Reconnecting { since, tries })).await.is_err() {
            return;
        }
        tokio::time::sleep(pause(tries)).await;
    }
}

/// Full jitter: everybody who lost the same engine comes back at another moment.
fn pause(tries: u32) -> Duration {
    let longest = (BACKOFF * 2u32.saturating_pow(tries.min(10))).min(BACKOFF_MAX);
    longest.mul_f64(rand::random_range(0.5..=1.0))
}

/// Talks until the line breaks. Answers whether the client is still there.
async fn talk(
    mut frames: Frames,
    again: Vec<(RequestId, Request)>,
    asked: &mut mpsc::UnboundedReceiver<(RequestId, Request)>,
    updates: &mpsc::Sender<Update>,
    open: &mut Open,
) -> bool {
    for (id, request) in again {
        if send(&mut frames, &ToEngine::Ask { id, request }).await.is_err() {
            return true;
        }
    }
    let mut pings = tokio::time::interval(PING_EVERY);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut ping, mut heard, mut shown) = ((0, Instant::now()), Instant::now(), None);
    loop {
        tokio::select! {
            ask = asked.recv() => {
                let Some((id, request)) = ask else { return false };
                open.asked(id, request.clone());
                if send(&mut frames, &ToEngine::Ask { id, request }).await.is_err() {
                    return true;
                }
            }
            _ = pings.tick() => {
                if heard.elapsed() > SILENCE {
                    return true;
                }
                ping = (ping.0 + 1, Instant::now());
                if send(&mut frames, &ToEngine::Ping(ping.0)).await.is_err() {
                    return true;
                }
            }
            frame = receive(&mut frames) => {
                let Ok(Some(frame)) = frame else { return true };
                heard = Instant::now();
                let update = match frame {
                    FromEngine::Snapshot(snapshot) => Update::Snapshot(snapshot),
                    FromEngine::Notice(Notice::Stopping) | FromEngine::Welcome { .. } | FromEngine::Goodbye { .. } => {
                        return true;
                    }
                    FromEngine::Notice(notice) => Update::Notice(notice),
                    FromEngine::Reply { id, reply } => {
                        open.answered(id);
                        Update::Reply { id, reply }
                    }
                    FromEngine::Pong(number) => {
                        let rtt = coarse(ping.1.elapsed());
                        if number != ping.0 || shown == Some(rtt) {
                            continue;
                        }
                        shown = Some(rtt);
                        Update::Link(Link::Connected { rtt: Some(rtt) })
                    }
                };
                if updates.send(update).await.is_err() {
                    return false;
                }
            }
        }
    }
}

/// Steps so coarse that a steady line shows a steady number.
fn coarse(rtt: Duration) -> Duration {
    const STEPS: [u64; 10] = [1, 5, 10, 25, 50, 100, 250, 500, 1_000, 5_000];
    let milliseconds = u64::try_from(rtt.as_millis()).unwrap_or(u64::MAX);
    Duration::from_millis(STEPS.into_iter().find(|step| milliseconds <= *step).unwrap_or(5_000))
}

async fn send(frames: &mut Frames, frame: &ToEngine) -> std::io::Result<()> {
    frames.send(Bytes::from(serde_json::to_vec(frame)?)).await
}

async fn receive(frames: &mut Frames) -> std::io::Result<Option<FromEngine>> {
    match frames.next().await {
        None => Ok(None),
        Some(frame) => Ok(Some(serde_json::from_slice(&frame?)?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_stay_bounded() {
        assert!(pause(1) <= Duration::from_millis(200));
        for tries in 0..40 {
            assert!(pause(tries) <= BACKOFF_MAX);
        }
        assert!(pause(30) >= BACKOFF_MAX / 2);
    }
}
