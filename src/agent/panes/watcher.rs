//! One watch of one pane over one connection: a whole screen first, then what is printed.
//!
//! It waits for its own engine and holds up nobody else: what is printed goes into the ring of the pane in any case, and
//! who falls out of that begins anew with a whole screen.
//!
//! A control client captures a pane at one exact place of its stream, so a screen and what follows it fit together under
//! any load: what is in the ring up to that place is sent first, then the screen, then the rest.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc, watch};

use crate::model::{PaneChunk, PaneFeedKind, PaneId, PaneSeed, rules};
use crate::protocol::{FromAgent, PaneSaid};
use crate::tmux::Shot;

use super::credit::Credit;
use super::feed::{History, NoStill, Still};
use super::owner::{Owner, Told};
use super::ring::{Next, Ring, Whole};

/// Bytes of one piece.
const PIECE: u64 = 64 << 10;
/// Bytes of a screen: base64 makes a third more of them, and a frame has a MiB.
const SCREEN_MAX: usize = 700 << 10;
/// Lines of history at most, at the begin.
const HISTORY_MAX: u32 = 10_000;
/// By how much less history is asked for where it does not fit.
const LESS: u32 = 4;
/// Until a capture that failed is tried again.
const AGAIN: Duration = Duration::from_millis(300);

/// What a watch works with.
#[derive(Debug)]
pub(super) struct Watcher {
    pub(super) owner: Arc<Owner>,
    pub(super) pane: PaneId,
    /// Lines of history to begin with.
    pub(super) history: u32,
    /// The place up to which the engine has everything of a watch before.
    pub(super) from: Option<u64>,
    /// The place up to which it has taken what came.
    pub(super) taken: watch::Receiver<u64>,
    /// Whether it wants every byte, however fast they come.
    pub(super) whole: watch::Receiver<bool>,
    /// It wants to compare.
    pub(super) capture: Arc<Notify>,
    pub(super) answers: mpsc::Sender<FromAgent>,
}

/// Why a stream is followed no longer.
enum Left {
    /// It is not watched any more, because of this.
    Over(String),
    /// Nobody listens.
    Unheard,
}

impl From<Unheard> for Left {
    fn from(_: Unheard) -> Self {
        Self::Unheard
    }
}

/// Nobody listens any more.
struct Unheard;

/// What a screen is wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum For {
    /// To begin, or to begin anew.
    Seed,
    /// For the engine to compare with.
    Capture,
}

type Shooting = Pin<Box<dyn Future<Output = Result<Still, NoStill>> + Send>>;

/// How far a watch is in a stream.
struct Stream {
    owner: Arc<Owner>,
    ring: Arc<Ring>,
    /// `None` until the first screen is sent.
    credit: Option<Credit>,
    life: u32,
    /// Whether only a whole screen helps.
    anew: bool,
    shooting: Option<(For, Shooting)>,
    still: Option<(For, Still)>,
    /// Lines of history to ask for behind what was too fast.
    behind: u32,
    whole: Option<Whole>,
}

impl Watcher {
    /// Tells of the pane until it is gone or nobody listens.
    pub(super) async fn run(mut self) {
        let mut told = self.owner.told();
        let found = told.wait_for(Option::is_some).await.is_ok();
        let is_there = found && here(&told, self.pane).is_some();
        let pane = self.pane;
        let last = if is_there {
            match self.watch(&mut told).await {
                Some(why) => PaneSaid::Ended { pane, why },
                None => return,
            }
        } else {
            let (rule, reason) = (rules::UNKNOWN_PANE.to_owned(), "there is no such pane, or not any more".to_owned());
            PaneSaid::Refused { pane, rule, reason, seq: None }
        };
        // Whoever watched may have gone.
        let _ = self.answers.send(FromAgent::Pane(last)).await;
    }

    /// Watches it in whichever session it is, and says why that ended.
    async fn watch(&mut self, told: &mut watch::Receiver<Option<Arc<Told>>>) -> Option<String> {
        let Some(ring) = self.owner.ring(self.pane) else { return Some("the pane is gone".to_owned()) };
        let resumed = self.from.and_then(|from| ring.resumed(from).map(|life| (from, life)));
        let mut stream = Stream {
            owner: Arc::clone(&self.owner),
            ring,
            credit: resumed.map(|(from, _)| Credit::at(from)),
            life: resumed.map_or(0, |(_, life)| life),
            anew: resumed.is_none(),
            shooting: None,
            still: None,
            behind: HISTORY_MAX,
            whole: None,
        };
        match self.follow(&mut stream, told).await {
            Left::Over(why) => Some(why),
            Left::Unheard => None,
        }
    }

    async fn follow(&mut self, stream: &mut Stream, told: &mut watch::Receiver<Option<Arc<Told>>>) -> Left {
        let mut news = stream.ring.news();
        if let Some(credit) = &stream.credit {
            // It goes on where it was, and the engine hears that before anything is printed.
            let nothing = PaneChunk { pane: self.pane, offset: credit.sent(), bytes: Vec::new() };
            if self.say(PaneSaid::Chunk(nothing)).await.is_err() {
                return Left::Unheard;
            }
        }
        stream.wants_all(*self.whole.borrow_and_update());
        loop {
            // Before it is looked at what there is, so that nothing that comes meanwhile is slept over.
            news.mark_unchanged();
            if let Err(left) = self.send(stream).await {
                return left;
            }
            if stream.anew && stream.still.is_none() && stream.shooting.is_none() && stream.may_begin_anew() {
                let history = match stream.credit {
                    None if self.raced_meanwhile(stream) => History::Behind(stream.behind),
                    None => History::Lines(self.history.min(HISTORY_MAX)),
                    Some(_) if stream.has_raced() => History::Behind(stream.behind),
                    Some(_) => History::Lines(0),
                };
                stream.shoot(For::Seed, self.pane, history);
            }
            tokio::select! {
                changed = news.changed() => if changed.is_err() { return Left::Over("it is not heard".to_owned()) },
                changed = self.taken.changed() => {
                    if changed.is_err() { return Left::Unheard }
                    let taken = *self.taken.borrow_and_update();
                    if let Some(credit) = &mut stream.credit {
                        credit.taken(taken);
                    }
                }
                changed = self.whole.changed() => {
                    if changed.is_err() { return Left::Unheard }
                    stream.wants_all(*self.whole.borrow_and_update());
                }
                () = self.capture.notified() => {
                    // It begins anew all the same, or has been asked already.
                    if !stream.anew && stream.shooting.is_none() && stream.still.is_none() {
                        stream.shoot(For::Capture, self.pane, History::Lines(0));
                    }
                }
                (what, still) = shot(&mut stream.shooting) => {
                    stream.shooting = None;
                    match still {
                        Ok(still) => {
                            stream.ring.sized((still.shot.cols, still.shot.rows));
                            stream.still = Some((what, still));
                        }
                        Err(why) => {
                            tracing::debug!(pane = self.pane.number, %why, "a capture failed");
                            self.history = less(self.history, &why);
                            stream.behind = less(stream.behind, &why);
                            tokio::time::sleep(AGAIN).await;
                        }
                    }
                }
                changed = told.changed() => {
                    if changed.is_err() { return Left::Over("nobody looks any more".to_owned()) }
                    match here(told, self.pane) {
                        None => return Left::Over("the pane is gone".to_owned()),
                        // A control client tells of sizes itself, in time with the stream.
                        Some((_, Some(kind))) if kind.is_by_control() => {}
                        Some((size, _)) => stream.ring.sized(size),
                    }
                }
            }
        }
    }

    /// Whether something was too fast to be followed since the engine had everything.
    fn raced_meanwhile(&self, stream: &Stream) -> bool {
        self.from.is_some_and(|from| stream.ring.has_raced_behind(from))
    }

    /// Sends everything that can be sent now.
    async fn send(&self, stream: &mut Stream) -> Result<(), Left> {
        loop {
            let Some(credit) = &mut stream.credit else {
                return match stream.still.take() {
                    Some((_, still)) => self.begin(stream, still).await,
                    None => Ok(()),
                };
            };
            let place = credit.sent();
            let until = stream.still.as_ref().map(|(_, still)| still.place.max(place));
            if until == Some(place) {
                if !self.show(stream, 0).await? {
                    return Ok(());
                }
                continue;
            }
            let most = until.map_or(PIECE, |until| PIECE.min(until - place)).min(credit.room());
            match stream.ring.read(place, stream.life, most) {
                Next::Bytes(bytes) => {
                    credit.piece(bytes.len());
                    self.say(PaneSaid::Chunk(PaneChunk { pane: self.pane, offset: place, bytes })).await?;
                }
                Next::Nothing => return Ok(()),
                Next::Whole => {
                    stream.anew = true;
                    // One to compare with says nothing any more; one that was taken before the stream broke off has to
                    // be taken again.
                    let left_out = until.map_or(0, |until| until - place);
                    if stream.still.is_none() || !self.show(stream, left_out).await? {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// The first screen of a watch.
    async fn begin(&self, stream: &mut Stream, still: Still) -> Result<(), Left> {
        let Still { place, life, shot, .. } = still;
        if let Some(less) = too_much(&shot) {
            stream.shoot(For::Seed, self.pane, History::Lines(less));
            return Ok(());
        }
        let missed = self.from.map_or(0, |from| stream.ring.lost(from, place));
        let too_fast = self.raced_meanwhile(stream);
        let mut credit = Credit::at(place);
        credit.anew(place);
        (stream.credit, stream.life, stream.anew) = (Some(credit), life, false);
        Ok(self.say(PaneSaid::Seed(self.seed(place, (missed, too_fast), shot)?)).await?)
    }

    /// Shows the screen there is; `left_out` bytes before it were lost. Says whether it is done with.
    async fn show(&self, stream: &mut Stream, left_out: u64) -> Result<bool, Left> {
        let (Some(credit), Some((what, _))) = (&mut stream.credit, &stream.still) else { return Ok(true) };
        if *what == For::Seed && !credit.may_begin_anew() {
            return Ok(false);
        }
        let Some((what, Still { place, life, shot, follows })) = stream.still.take() else { return Ok(true) };
        if what == For::Seed
            && let Some(less) = too_much(&shot)
        {
            stream.behind = less;
            return Ok(false);
        }
        let said = match what {
            For::Seed if place < credit.sent() => return Ok(true),
            For::Seed => {
                credit.anew(place);
                let too_fast = stream.ring.has_raced(stream.life, life);
                (stream.life, stream.anew, stream.behind) = (life, false, HISTORY_MAX);
                PaneSaid::Seed(self.seed(place, (left_out, too_fast), shot)?)
            }
            // Exactly what was sent is in it, and nothing else.
            For::Capture if follows && !stream.anew && place == credit.sent() && life == stream.life => {
                PaneSaid::Captured(self.seed(place, (0, false), shot)?)
            }
            For::Capture => return Ok(true),
        };
        self.say(said).await?;
        Ok(true)
    }

    fn seed(&self, offset: u64, (missed, too_fast): (u64, bool), shot: Shot) -> Result<PaneSeed, Left> {
        let Shot { cols, rows, history, bytes } = shot;
        if bytes.len() > SCREEN_MAX {
            return Err(Left::Over(format!("its screen has {} KiB, more than can be told", bytes.len() >> 10)));
        }
        Ok(PaneSeed { pane: self.pane, offset, missed, too_fast, cols, rows, history, bytes })
    }

    async fn say(&self, said: PaneSaid) -> Result<(), Unheard> {
        self.answers.send(FromAgent::Pane(said)).await.map_err(|_| Unheard)
    }
}

impl Stream {
    fn may_begin_anew(&self) -> bool {
        self.credit.as_ref().is_none_or(Credit::may_begin_anew)
    }

    /// Whether what comes next was too fast to be followed.
    fn has_raced(&self) -> bool {
        self.ring.has_raced(self.life, u32::MAX)
    }

    fn wants_all(&mut self, all: bool) {
        self.whole = all.then(|| self.ring.whole());
    }

    fn shoot(&mut self, what: For, pane: PaneId, history: History) {
        let owner = Arc::clone(&self.owner);
        self.shooting = Some((what, Box::pin(async move { owner.still(pane, history).await })));
    }
}

/// How much history to ask for where a screen with its history is more than can be told.
fn too_much(shot: &Shot) -> Option<u32> {
    (shot.bytes.len() > SCREEN_MAX && shot.history > 0).then_some(shot.history / LESS)
}

/// How much history is asked for after a capture with so much of it failed.
fn less(history: u32, why: &NoStill) -> u32 {
    if why.is_for_less() { history / LESS } else { history }
}

/// The size of a pane and how it is heard, while it is there.
fn here(told: &watch::Receiver<Option<Arc<Told>>>, pane: PaneId) -> Option<((u16, u16), Option<PaneFeedKind>)> {
    told.borrow().as_ref()?.pane(pane).map(|pane| ((pane.cols, pane.rows), pane.feed))
}

/// Waits for the capture that is being made; for ever where none is.
async fn shot(shooting: &mut Option<(For, Shooting)>) -> (For, Result<Still, NoStill>) {
    match shooting {
        Some((what, shooting)) => (*what, shooting.await),
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use crate::tmux::TmuxError;

    use super::*;

    #[test]
    fn only_a_capture_that_was_too_much_costs_history() {
        let tmux = NoStill::Tmux;
        for (why, history) in [
            (NoStill::Unheard, 2_000),
            (tmux(TmuxError::NoPane(3)), 2_000),
            (tmux(TmuxError::Strange("a capture without all of its parts")), 2_000),
            (tmux(TmuxError::TooMuch(16 << 20)), 500),
            (tmux(TmuxError::Slow(Duration::from_secs(5))), 500),
        ] {
            assert_eq!(less(2_000, &why), history, "{why}");
        }
    }
}
