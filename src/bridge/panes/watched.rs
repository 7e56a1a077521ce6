//! One pane that is watched over a link: what was asked of the agent, what came, and what is to be asked next.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use crate::model::{PaneChunk, PaneSeed};
use crate::protocol::{PANE_WINDOW, WatchAsk};

use super::kept::{Fed, Kept};
use super::moment::Moment;

/// Lines of history a watch begins with.
const HISTORY: u32 = 2_000;
/// After so long without a word a pane is compared with what tmux shows.
const SILENCE: Duration = Duration::from_secs(2);
/// Leave for more is given when so much of it is used up.
const GIVEN: u64 = PANE_WINDOW / 4;
/// First pause before a whole screen is asked for again; doubled each time.
const AGAIN: Duration = Duration::from_millis(250);
/// Longest pause.
const AGAIN_MAX: Duration = Duration::from_secs(2);
/// A screen that was good for so long was a good one: the pauses begin anew.
const GOOD: Duration = Duration::from_secs(10);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Nothing is asked.
    Idle,
    /// It was asked for; the first word decides.
    Asked,
    /// It is heard.
    Going,
    /// What came did not join, and it is asked for again then.
    Hole(Instant),
    /// It is over.
    Over,
}

/// A pane that is watched.
#[derive(Debug)]
pub(super) struct Watched {
    kept: Arc<Kept>,
    phase: Phase,
    /// Bytes since leave was given for more.
    used: u64,
    /// When it is compared, if it has printed since it was last.
    compare: Option<Instant>,
    /// It was asked what it shows.
    comparing: bool,
    /// Times in a row that what came did not join.
    holes: u32,
    /// When it was asked for last.
    asked: Instant,
}

impl Watched {
    pub(super) fn new(kept: Arc<Kept>, now: Instant) -> Self {
        Self { kept, phase: Phase::Idle, used: 0, compare: None, comparing: false, holes: 0, asked: now }
    }

    pub(super) fn is_over(&self) -> bool {
        self.phase == Phase::Over
    }

    /// The link is there: asks for what was kept to go on, or for a first screen.
    pub(super) fn begin(&mut self, now: Instant) -> Vec<WatchAsk> {
        if self.is_over() {
            return Vec::new();
        }
        let from = {
            let screen = self.kept.look();
            (screen.made > 0).then(|| screen.pending.end())
        };
        self.ask(from, now)
    }

    fn ask(&mut self, from: Option<u64>, now: Instant) -> Vec<WatchAsk> {
        (self.phase, self.used, self.compare, self.comparing, self.asked) = (Phase::Asked, 0, None, false, now);
        let history = if self.kept.look().made > 0 { 0 } else { HISTORY };
        let watch = WatchAsk::Watch { pane: self.kept.pane(), history, from };
        let whole = self.whole().filter(|_| self.kept.look().whole);
        [watch].into_iter().chain(whole).collect()
    }

    /// Says whether every byte is wanted, to an agent that was asked to watch.
    pub(super) fn whole(&self) -> Option<WatchAsk> {
        let is_asked = matches!(self.phase, Phase::Asked | Phase::Going);
        is_asked.then(|| WatchAsk::Whole { pane: self.kept.pane(), wanted: self.kept.look().whole })
    }

    /// The link broke.
    pub(super) fn broke(&mut self, since: Timestamp, why: &str) {
        if self.is_over() {
            return;
        }
        self.phase = Phase::Idle;
        self.kept.change(|screen| {
            if screen.stale.is_none() {
                screen.stale = Some((since, why.to_owned()));
            }
        });
    }

    /// It is over.
    pub(super) fn end(&mut self, why: &str) -> Option<WatchAsk> {
        if !self.is_over() {
            self.phase = Phase::Over;
            self.kept.change(|screen| screen.ended = Some(why.to_owned()));
        }
        None
    }

    /// The agent refuses something about this pane; it is the watch, where that has had no answer yet.
    pub(super) fn refused(&mut self, why: &str) {
        if self.phase == Phase::Asked {
            self.end(why);
        }
    }

    /// A whole screen came.
    pub(super) fn seed(&mut self, seed: &PaneSeed, now: Moment) -> Option<WatchAsk> {
        if !matches!(self.phase, Phase::Asked | Phase::Going) {
            return None;
        }
        self.phase = Phase::Going;
        (self.used, self.comparing) = (0, false);
        self.compare = Some(now.instant + SILENCE);
        self.kept.change(|screen| {
            screen.reseed(seed, now.at);
            screen.stale = None;
        });
        Some(WatchAsk::Seen { pane: self.kept.pane(), offset: seed.offset })
    }

    /// A piece came.
    pub(super) fn chunk(&mut self, chunk: &PaneChunk, now: Moment) -> Option<WatchAsk> {
        if !matches!(self.phase, Phase::Asked | Phase::Going) {
            return None;
        }
        let fed = self.kept.change(|screen| {
            let fed = screen.feed(chunk, now.at);
            screen.stale = match fed {
                Fed::Shown => None,
                // The screen stands still until it comes.
                Fed::Hole => Some((now.at, "a piece of it is missing; its screen is asked for again".to_owned())),
            };
            fed
        });
        if now.instant.saturating_duration_since(self.asked) >= GOOD {
            self.holes = 0;
        }
        if fed == Fed::Hole {
            let pause = AGAIN.saturating_mul(1 << self.holes.min(10)).min(AGAIN_MAX);
            self.holes += 1;
            self.phase = Phase::Hole((self.asked + pause).max(now.instant));
            return Some(WatchAsk::Unwatch { pane: self.kept.pane() });
        }
        self.phase = Phase::Going;
        self.used += chunk.bytes.len() as u64;
        self.comparing = false;
        self.compare = Some(now.instant + SILENCE);
        None
    }

    /// What tmux shows, to compare with.
    pub(super) fn captured(&mut self, seed: &PaneSeed) -> Option<WatchAsk> {
        if self.phase != Phase::Going || !std::mem::take(&mut self.comparing) {
            return None;
        }
        let drifted = {
            let screen = self.kept.look();
            if seed.offset != screen.pending.end() {
                return None;
            }
            screen.glass.differs(seed)
        };
        self.holes = 0;
        if drifted {
            self.kept.change(|screen| screen.drifted(seed));
        }
        None
    }

    /// When there is something to do; leave for more may be given from `paid` on.
    pub(super) fn due(&self, paid: Instant) -> Option<Instant> {
        match self.phase {
            Phase::Hole(at) => Some(at),
            Phase::Going => {
                let gives = (self.used >= GIVEN).then_some(paid);
                gives.into_iter().chain(self.compare).min()
            }
            Phase::Idle | Phase::Asked | Phase::Over => None,
        }
    }

    /// What is due at `now`.
    pub(super) fn tick(&mut self, paid: Instant, now: Instant) -> Vec<WatchAsk> {
        let pane = self.kept.pane();
        match self.phase {
            Phase::Hole(at) if at <= now => self.ask(None, now),
            Phase::Going => {
                let mut asks = Vec::new();
                if self.used >= GIVEN && paid <= now {
                    self.used = 0;
                    asks.push(WatchAsk::Seen { pane, offset: self.kept.look().pending.end() });
                }
                if self.compare.is_some_and(|at| at <= now) {
                    (self.compare, self.comparing) = (None, true);
                    asks.push(WatchAsk::Capture { pane });
                }
                asks
            }
            _ => Vec::new(),
        }
    }
}
