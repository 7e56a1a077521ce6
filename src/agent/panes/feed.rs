//! What the panes of one session print, drained at the speed of this host into a ring each.
//!
//! A control client that is not read stops the program in the pane: 8 MB took more than 20 s. So
//! what drains it here waits for nobody: it fills rings, wakes who watches, and lets others fetch what it captured.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::Instant;

use crate::model::PaneFeedKind;
use crate::tmux::{Control, Fallback, Heard, Next, Shot, Taken, TmuxError};

use super::pane_feed::hear_alone;
use super::ring::Ring;
use super::sight::Sight;

/// Captures that are asked for and not given yet.
const ASKS: usize = 64;
/// How often it is looked which panes nobody watches any more.
const SWEEP: Duration = Duration::from_secs(5);
/// Sweeps that find a pane without a watcher, and then it is not heard any more: who comes back within a minute misses
/// nothing.
const UNWATCHED: u32 = 12;
/// Between two tries while the session is not there.
const GONE: Duration = Duration::from_secs(1);

/// One session that is heard.
#[derive(Debug)]
pub(super) struct Feed {
    pub(super) sight: Sight,
    pub(super) home: Home,
    rings: Mutex<HashMap<u32, Heeded>>,
    asks: mpsc::Sender<Ask>,
    /// Wakes whoever lists panes.
    changed: Arc<Notify>,
}

/// A session, whatever it is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Home {
    /// The process id of its server. Another server gives the same numbers again.
    pub(super) server: u32,
    /// Its number there.
    pub(super) session: u32,
}

/// A pane that is heard.
#[derive(Debug)]
pub(super) struct Heeded {
    ring: Arc<Ring>,
    kind: PaneFeedKind,
    unwatched: u32,
}

/// What a pane shows, and the place in its stream it stands for.
#[derive(Debug)]
pub(super) struct Still {
    /// The place: what was printed before is in it, what comes from there on is not.
    pub(super) place: u64,
    /// The life of the stream it belongs to.
    pub(super) life: u32,
    /// What it shows.
    pub(super) shot: Shot,
}

/// Somebody wants to know what a pane shows.
#[derive(Debug)]
pub(super) struct Ask {
    pub(super) pane: u32,
    history: u32,
    done: oneshot::Sender<Result<Still, NoStill>>,
}

/// Why it is not known what a pane shows.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoStill {
    /// Nothing hears it now; something may soon.
    #[error("it is not heard at the moment")]
    Unheard,
    /// tmux did not say.
    #[error(transparent)]
    Tmux(#[from] TmuxError),
}

impl NoStill {
    /// Whether less history might have been told.
    pub(super) fn is_for_less(&self) -> bool {
        matches!(self, Self::Tmux(TmuxError::TooMuch(_) | TmuxError::Slow(_)))
    }
}

impl Feed {
    /// Of the session `home`; [`hear`] does the work, with what is asked.
    pub(super) fn new(sight: Sight, home: Home, changed: Arc<Notify>) -> (Arc<Self>, mpsc::Receiver<Ask>) {
        let (asks, asked) = mpsc::channel(ASKS);
        (Arc::new(Self { sight, home, rings: Mutex::default(), asks, changed }), asked)
    }

    /// The ring of a pane, which is heard from now on.
    pub(super) fn ring(&self, pane: u32) -> Arc<Ring> {
        let mut rings = self.rings();
        let kind = rings.values().next().map_or(PaneFeedKind::Control, |heeded| heeded.kind);
        let heeded = rings.entry(pane).or_insert_with(|| {
            // A place of 52 random bits is of this stream or of none, and a JSON number keeps it.
            Heeded { ring: Arc::new(Ring::new(rand::random::<u64>() >> 12)), kind, unwatched: 0 }
        });
        Arc::clone(&heeded.ring)
    }

    /// A pane that is heard elsewhere from now on.
    pub(super) fn lets_go(&self, pane: u32) -> Option<Heeded> {
        self.rings().remove(&pane)
    }

    /// A pane that was heard elsewhere until now. What it printed between is lost.
    pub(super) fn takes_in(&self, pane: u32, heeded: Heeded) {
        let mut rings = self.rings();
        let kind = rings.values().next().map_or(PaneFeedKind::Control, |heeded| heeded.kind);
        heeded.ring.loses();
        rings.insert(pane, Heeded { kind, ..heeded });
    }

    /// How each pane is heard.
    pub(super) fn kinds(&self) -> Vec<(u32, PaneFeedKind)> {
        self.rings().iter().map(|(pane, heeded)| (*pane, heeded.kind)).collect()
    }

    /// What a pane shows, at one exact place of its stream.
    ///
    /// # Errors
    /// Why that is not known.
    pub(super) async fn still(&self, pane: u32, history: u32) -> Result<Still, NoStill> {
        let (done, answer) = oneshot::channel();
        self.asks.send(Ask { pane, history, done }).await.map_err(|_| NoStill::Unheard)?;
        answer.await.unwrap_or(Err(NoStill::Unheard))
    }

    /// Stops hearing panes that nobody has watched for a minute. Says whether none is left.
    pub(super) fn sweep(&self) -> bool {
        let mut rings = self.rings();
        rings.retain(|_, heeded| {
            heeded.unwatched = if is_watched(&heeded.ring) { 0 } else { heeded.unwatched + 1 };
            heeded.unwatched < UNWATCHED
        });
        rings.is_empty()
    }

    pub(super) fn set_kind(&self, pane: Option<u32>, kind: PaneFeedKind) {
        let mut rings = self.rings();
        let meant = rings.iter_mut().filter(|(number, _)| pane.is_none_or(|pane| pane == **number));
        meant.for_each(|(_, heeded)| heeded.kind = kind);
        self.changed.notify_one();
    }

    /// The ring of a pane that is heard here.
    pub(super) fn of(&self, pane: u32) -> Option<Arc<Ring>> {
        self.rings().get(&pane).map(|heeded| Arc::clone(&heeded.ring))
    }

    pub(super) fn all(&self) -> Vec<(u32, Arc<Ring>)> {
        self.rings().iter().map(|(pane, heeded)| (*pane, Arc::clone(&heeded.ring))).collect()
    }

    fn rings(&self) -> MutexGuard<'_, HashMap<u32, Heeded>> {
        self.rings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether anybody but the feed has it.
pub(super) fn is_watched(ring: &Arc<Ring>) -> bool {
    Arc::strong_count(ring) > 1
}

impl Ask {
    pub(super) fn answer(self, still: Result<Still, NoStill>) {
        // Whoever asked may have gone.
        let _ = self.done.send(still);
    }

    pub(super) fn history(&self) -> u32 {
        self.history
    }
}

/// Hears `feed` until `is_over` says so, which is asked every few seconds. Control clients are tried first; where they do
/// not last, pipes and then looks.
pub(super) async fn hear(feed: Arc<Feed>, mut asks: mpsc::Receiver<Ask>, is_over: impl Fn(&Feed) -> bool + Send) {
    let mut fallback = Fallback::default();
    while !is_over(&feed) {
        if fallback.kind() != PaneFeedKind::Control {
            return hear_alone(&feed, &mut asks, &fallback, is_over).await;
        }
        let begun = Instant::now();
        let wait = match feed.sight.attach(feed.home.server, feed.home.session).await {
            Ok(control) => {
                feed.set_kind(None, PaneFeedKind::Control);
                let Some(why) = drain(&feed, control, &mut asks, &is_over).await else { return };
                tracing::info!(session = feed.home.session, why, "a control client ended");
                // What is printed until the next one hears is not heard.
                feed.all().iter().for_each(|(_, ring)| ring.loses());
                after(&mut fallback, begun.elapsed())
            }
            Err(TmuxError::NoSession | TmuxError::NoServer | TmuxError::NotInstalled) => GONE,
            Err(error) => {
                tracing::info!(session = feed.home.session, %error, "no control client");
                after(&mut fallback, begun.elapsed())
            }
        };
        feed.changed.notify_one();
        while let Ok(ask) = asks.try_recv() {
            ask.answer(Err(NoStill::Unheard));
        }
        tokio::time::sleep(wait).await;
    }
}

fn after(fallback: &mut Fallback, lived: Duration) -> Duration {
    match fallback.control_ended(lived) {
        Next::Again(wait) => wait,
        Next::By(kind) => {
            tracing::warn!(kind = kind.as_str(), "control clients of tmux end at once; panes are heard another way");
            Duration::ZERO
        }
    }
}

/// Drains one control client to its end, and says why it ended; `None` when it is not needed any more. Nothing in here
/// may wait for anybody but tmux.
async fn drain(
    feed: &Arc<Feed>,
    mut control: Control,
    asks: &mut mpsc::Receiver<Ask>,
    is_over: &(impl Fn(&Feed) -> bool + Send),
) -> Option<String> {
    let mut taking: HashMap<u64, Ask> = HashMap::new();
    let mut sweep = tokio::time::interval(SWEEP);
    loop {
        tokio::select! {
            heard = control.next() => match heard {
                Heard::Output { pane, bytes } => {
                    if let Some(ring) = feed.of(pane) {
                        ring.push(&bytes);
                    }
                }
                Heard::Captured { number, taken } => {
                    if let Some(ask) = taking.remove(&number) {
                        captured(feed, ask, taken);
                    }
                }
                Heard::Facts { pane, size, .. } => {
                    if let Some(ring) = feed.of(pane) {
                        ring.sized(size);
                    }
                    feed.changed.notify_one();
                }
                Heard::Changed => feed.changed.notify_one(),
                Heard::Ended { why } => return Some(why),
            },
            Some(ask) = asks.recv(), if taking.len() < ASKS => {
                match control.capture(ask.pane, ask.history).await {
                    Ok(number) => drop(taking.insert(number, ask)),
                    // It takes no orders any more, whatever they are, and its end is heard next.
                    Err(_) => ask.answer(Err(NoStill::Unheard)),
                }
            }
            _ = sweep.tick() => if is_over(feed) { return None },
        }
    }
}

/// A capture was made here in the stream. What it shows is put together beside it.
fn captured(feed: &Arc<Feed>, ask: Ask, taken: Option<Taken>) {
    let Some(taken) = taken else {
        let gone = TmuxError::NoPane(ask.pane);
        return ask.answer(Err(gone.into()));
    };
    let Some(ring) = feed.of(ask.pane) else {
        return ask.answer(Err(NoStill::Unheard));
    };
    // Of another size than the one before it begins another life, and belongs to that.
    if let Some(size) = taken.size() {
        ring.sized(size);
    }
    let (place, life) = ring.end();
    tokio::task::spawn_blocking(move || {
        ask.answer(taken.shot().map(|shot| Still { place, life, shot }).map_err(NoStill::from));
    });
}
