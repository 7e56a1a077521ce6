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

use super::gate::{Flow, Gate, Step};
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
    /// Whether the stream goes on from there: it does not while the pane is shut.
    pub(super) follows: bool,
}

/// Somebody wants to know what a pane shows.
#[derive(Debug)]
pub(super) struct Ask {
    pub(super) pane: u32,
    history: History,
    done: oneshot::Sender<Result<Still, NoStill>>,
}

/// How many lines of history are wanted with what a pane shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum History {
    /// So many.
    Lines(u32),
    /// So many where a flood is over, and none as long as it goes on: then it is asked again soon.
    Behind(u32),
}

impl History {
    fn lines(self, is_over: bool) -> u32 {
        match self {
            Self::Behind(_) if !is_over => 0,
            Self::Lines(lines) | Self::Behind(lines) => lines,
        }
    }
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
        let kind = kind(&rings);
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
        let kind = kind(&rings);
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
    pub(super) async fn still(&self, pane: u32, history: History) -> Result<Still, NoStill> {
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

/// How a pane is heard that is heard from now on.
fn kind(rings: &HashMap<u32, Heeded>) -> PaneFeedKind {
    match rings.values().next().map(|heeded| heeded.kind) {
        None | Some(PaneFeedKind::Glimpses) => PaneFeedKind::Control,
        Some(kind) => kind,
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
        self.history.lines(true)
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
    control: Control,
    asks: &mut mpsc::Receiver<Ask>,
    is_over: &(impl Fn(&Feed) -> bool + Send),
) -> Option<String> {
    let mut drain = Drain { feed, control, gate: Gate::default(), taking: HashMap::new(), held: Vec::new() };
    let mut sweep = tokio::time::interval(SWEEP);
    loop {
        let due = drain.gate.due();
        let steps = tokio::select! {
            heard = drain.control.next() => match drain.hear(heard) {
                Ok(steps) => steps,
                Err(why) => return Some(why),
            },
            Some(ask) = asks.recv(), if drain.taking.len() + drain.held.len() < ASKS => {
                drain.ask(ask).await;
                Vec::new()
            }
            () = tokio::time::sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                drain.gate.tick(Instant::now())
            }
            _ = sweep.tick() => if is_over(feed) { return None } else { Vec::new() },
        };
        for step in steps {
            drain.step(step).await;
        }
    }
}

/// A control client that is drained.
struct Drain<'a> {
    feed: &'a Arc<Feed>,
    control: Control,
    gate: Gate,
    /// What is being captured, and whether the stream goes on from there.
    taking: HashMap<u64, (Ask, bool)>,
    /// What is asked of panes that are looked at, until it is known whether they are slow enough.
    held: Vec<Ask>,
}

impl Drain<'_> {
    /// Takes what was heard; answers what is to be done about it, or why there is nothing more.
    fn hear(&mut self, heard: Heard) -> Result<Vec<Step>, String> {
        match heard {
            Heard::Output { pane, bytes } => {
                let ring = self.feed.of(pane);
                let is_whole = ring.as_ref().is_some_and(|ring| ring.is_whole());
                if let Some(ring) = ring {
                    ring.push(&bytes);
                }
                return Ok(self.gate.printed(pane, bytes.len(), is_whole, Instant::now()).into_iter().collect());
            }
            Heard::Captured { number, taken } => {
                if let Some((ask, follows)) = self.taking.remove(&number) {
                    captured(self.feed, ask, taken, follows);
                }
            }
            Heard::Facts { pane, size, .. } => {
                if let Some(ring) = self.feed.of(pane) {
                    ring.sized(size);
                }
                self.feed.changed.notify_one();
            }
            Heard::Resumed { pane } => {
                if let Some(ring) = self.feed.of(pane) {
                    ring.races();
                }
                self.gate.resumed(pane, Instant::now());
            }
            Heard::Unpausable => return Ok(self.gate.give_up()),
            Heard::Changed => self.feed.changed.notify_one(),
            Heard::Ended { why } => return Err(why),
        }
        Ok(Vec::new())
    }

    /// Somebody wants to know what a pane shows.
    async fn ask(&mut self, ask: Ask) {
        match self.gate.flow(ask.pane) {
            Flow::Looked => self.held.push(ask),
            flow => self.capture(ask, flow == Flow::Followed).await,
        }
    }

    async fn capture(&mut self, ask: Ask, is_followed: bool) {
        match self.control.capture(ask.pane, ask.history.lines(is_followed)).await {
            Ok(number) => drop(self.taking.insert(number, (ask, is_followed))),
            // It takes no orders any more, whatever they are, and its end is heard next.
            Err(_) => ask.answer(Err(NoStill::Unheard)),
        }
    }

    /// Shuts a pane, looks at it, or follows it.
    async fn step(&mut self, step: Step) {
        let (pane, is_followed) = match step {
            Step::Look(pane) => {
                // An order that is not taken is followed by the end, which is heard next.
                let _ = self.control.resume(pane).await;
                return;
            }
            Step::Shut(pane) => (pane, false),
            Step::Follow(pane) => (pane, true),
        };
        for ask in self.held.extract_if(.., |ask| ask.pane == pane).collect::<Vec<_>>() {
            self.capture(ask, is_followed).await;
        }
        if is_followed {
            self.feed.set_kind(Some(pane), PaneFeedKind::Control);
        } else {
            // The same holds here.
            let _ = self.control.pause(pane).await;
            self.feed.set_kind(Some(pane), PaneFeedKind::Glimpses);
        }
    }
}

/// A capture was made here in the stream, which goes on from there if it `follows`. What it shows is put together beside it.
fn captured(feed: &Arc<Feed>, ask: Ask, taken: Option<Taken>, follows: bool) {
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
        ask.answer(taken.shot().map(|shot| Still { place, life, shot, follows }).map_err(NoStill::from));
    });
}
