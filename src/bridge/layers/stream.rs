//! A road that is one connection at a time: opened, greeted, kept and opened again. Sockets and children share it.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::bridge::layer::{Asked, Layer, LayerEvent, LayerNews, NotDelivered, Term};
use crate::model::{HostName, LayerKind};
use crate::net::{FrameReader, FrameWriter};
use crate::protocol::ToAgent;

use super::talk::{Asking, Ended, News, Talk, turning_away};

/// First pause before a road is tried again; doubled each time.
const BACKOFF: Duration = Duration::from_millis(200);
/// Longest pause: with the time to connect and to prove itself (`road.rs`) a road that is back carries first within 12 s.
pub(super) const BACKOFF_MAX: Duration = Duration::from_secs(4);
/// A connection that lived this long was a good one: the pauses begin anew.
const GOOD: Duration = Duration::from_secs(10);
/// Questions that may wait to be written.
const WAITING_MAX: usize = 256;
/// Time for whatever carried a connection to say why it ended.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Why a road is closed, in words: at which step, what failed, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Closed {
    /// It is tried again by itself.
    Down(String),
    /// It is tried again when it is nudged, and not before.
    Barred(String),
}

/// What is heard of the agent.
pub(super) type Reading = FrameReader<Box<dyn AsyncRead + Send + Unpin>>;
/// What is said to it.
pub(super) type Writing = FrameWriter<Box<dyn AsyncWrite + Send + Unpin>>;
/// Says why a connection ended, once it has, where something besides the connection knows. Dropping it ends whatever
/// carried the connection.
pub(super) type LastWords = Pin<Box<dyn Future<Output = Option<Closed>> + Send>>;

/// An open connection, before its greeting.
pub(super) struct Line {
    /// From the agent.
    pub(super) reader: Reading,
    /// To the agent.
    pub(super) writer: Writing,
    /// Time for the greeting.
    pub(super) patience: Duration,
    /// Why it ended.
    pub(super) last_words: LastWords,
}

/// A connection on its way.
pub(super) type Opening<'a> = Pin<Box<dyn Future<Output = Result<Line, Closed>> + Send + 'a>>;

/// How connections of a road are made. It has its own time limit.
pub(super) trait Open: Send + 'static {
    /// Makes one.
    fn open(&mut self) -> Opening<'_>;

    /// Longest pause between two tries in vain.
    fn longest_pause(&self) -> Duration {
        BACKOFF_MAX
    }
}

/// A road of one connection at a time.
#[derive(Debug)]
pub struct StreamLayer {
    kind: LayerKind,
    questions: mpsc::Sender<Asking>,
    nudge: Arc<Notify>,
    _stop: DropGuard,
}

impl StreamLayer {
    /// Opens the road and keeps it open until it is dropped.
    pub(super) fn start(
        kind: LayerKind,
        opener: impl Open,
        host: HostName,
        term: watch::Receiver<Term>,
        news: mpsc::Sender<LayerNews>,
    ) -> Self {
        let (questions, asked) = mpsc::channel(WAITING_MAX);
        let (nudge, stop) = (Arc::new(Notify::new()), CancellationToken::new());
        let road =
            Road { opener, news: News { host, kind, sink: news }, term, questions: asked, nudge: Arc::clone(&nudge) };
        let stopped = stop.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = stopped.cancelled() => {}
                _ = road.keep() => {}
            }
        });
        Self { kind, questions, nudge, _stop: stop.drop_guard() }
    }
}

impl Layer for StreamLayer {
    fn kind(&self) -> LayerKind {
        self.kind
    }

    fn ask(&self, question: ToAgent) -> Asked<'_> {
        Box::pin(async move {
            let (done, answer) = oneshot::channel();
            // What could not be handed to the road answers by being dropped.
            let _ = self.questions.send(Asking::new(question, done)).await;
            answer.await.unwrap_or_else(|_| Err(NotDelivered::Unknown("the road ended".to_owned())))
        })
    }

    fn nudge(&self) {
        self.nudge.notify_one();
    }
}

struct Road<O> {
    opener: O,
    news: News,
    term: watch::Receiver<Term>,
    questions: mpsc::Receiver<Asking>,
    nudge: Arc<Notify>,
}

impl<O: Open> Road<O> {
    async fn keep(mut self) -> Result<(), Ended> {
        let mut tries = 0;
        let mut spool = None;
        loop {
            self.news.tell(LayerEvent::Connecting).await?;
            let opened = turning_away(&mut self.questions, "it is being opened", self.opener.open()).await?;
            let closed = match opened {
                Ok(mut line) => {
                    let since = Instant::now();
                    let mut talk = Talk {
                        news: &self.news,
                        term: &mut self.term,
                        questions: &mut self.questions,
                        nudge: &self.nudge,
                        spool: &mut spool,
                    };
                    let ended = talk.run(&mut line).await;
                    if since.elapsed() >= GOOD {
                        tries = 0;
                    }
                    turning_away(&mut self.questions, "it was closed", why(ended, line)).await??
                }
                Err(closed) => closed,
            };
            let reason = match &closed {
                Closed::Down(why) | Closed::Barred(why) => why.clone(),
            };
            match closed {
                Closed::Down(why) => {
                    self.news.tell(LayerEvent::Down { why }).await?;
                    let pause = pause(tries, self.opener.longest_pause(), rand::random_range(0.5..=1.0));
                    let waiting = tokio::time::timeout(pause, self.nudge.notified());
                    // Either way it is tried again.
                    let _ = turning_away(&mut self.questions, &reason, waiting).await?;
                    tries = tries.saturating_add(1);
                }
                Closed::Barred(why) => {
                    self.news.tell(LayerEvent::Barred { why }).await?;
                    forget_nudges(&self.nudge);
                    turning_away(&mut self.questions, &reason, self.nudge.notified()).await?;
                    // Somebody has looked: whatever answers now is taken.
                    (tries, spool) = (0, None);
                }
            }
        }
    }
}

/// Why a connection is over, as well as it can be known.
async fn why(ended: Ended, line: Line) -> Result<Closed, Ended> {
    let Line { reader, writer, last_words, .. } = line;
    // What carries it ends when these do.
    drop((reader, writer));
    match ended {
        Ended::Dropped => Err(Ended::Dropped),
        Ended::Closed(closed) => Ok(closed),
        Ended::Line => {
            let said = tokio::time::timeout(LAST_WORDS, last_words).await.ok().flatten();
            Ok(said.unwrap_or_else(|| Closed::Down("the far side closed the connection".to_owned())))
        }
    }
}

/// Forgets a nudge from before a road was barred: nobody had anything to look at then.
pub(super) fn forget_nudges(nudge: &Notify) {
    std::pin::pin!(nudge.notified()).enable();
}

/// The pause after so many tries in vain, `longest` at most. `chance` is between 0.5 and 1, so that roads that broke
/// together do not come back together.
pub(super) fn pause(tries: u32, longest: Duration, chance: f64) -> Duration {
    BACKOFF.saturating_mul(1 << tries.min(16)).min(longest).mul_f64(chance)
}

#[cfg(test)]
#[path = "stream_tests.rs"]
mod tests;
