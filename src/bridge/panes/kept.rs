//! The screen of a watched pane as this engine keeps it: fed once, looked at by everybody who watches.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tokio::sync::watch;

use crate::model::{PaneChunk, PaneDriver, PaneId, PaneSeed};
use crate::protocol::PaneLost;
use crate::screen::Glass;

use super::pending::Pending;

/// A kept screen, and a bell that rings whenever there is something new on it.
pub struct Kept {
    pane: PaneId,
    screen: Mutex<Screen>,
    news: watch::Sender<()>,
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Kept").field(&self.pane).finish()
    }
}

impl Kept {
    /// A screen nothing is known of yet.
    #[must_use]
    pub fn new(pane: PaneId) -> Arc<Self> {
        Arc::new(Self { pane, screen: Mutex::new(Screen::new(pane)), news: watch::Sender::new(()) })
    }

    /// Which pane.
    #[must_use]
    pub fn pane(&self) -> PaneId {
        self.pane
    }

    /// The screen, for a look that waits for nothing.
    pub fn look(&self) -> MutexGuard<'_, Screen> {
        // A panic within the parser is caught by the glass itself; elsewhere nothing is left half done.
        self.screen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Rings whenever something is new.
    #[must_use]
    pub fn listen(&self) -> watch::Receiver<()> {
        self.news.subscribe()
    }

    /// Shows a whole screen.
    pub fn seed(&self, seed: &PaneSeed) {
        self.change(|screen| screen.seed(seed));
    }

    /// Shows a whole screen that came at `now`; what was lost before it was printed, too.
    pub fn reseed(&self, seed: &PaneSeed, now: Timestamp) {
        self.change(|screen| screen.reseed(seed, now));
    }

    /// Shows what was printed next, at `now`; answers whether it joins what is shown.
    pub fn feed(&self, chunk: &PaneChunk, now: Timestamp) -> bool {
        self.change(|screen| screen.feed(chunk, now)) == Fed::Shown
    }

    /// Changes the screen, and rings.
    pub fn change<T>(&self, change: impl FnOnce(&mut Screen) -> T) -> T {
        let done = change(&mut self.look());
        self.news.send_replace(());
        done
    }
}

/// What became of a piece of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fed {
    /// It is on the screen.
    Shown,
    /// It does not join: a whole screen is needed.
    Hole,
}

/// How who drives a pane changed last.
#[derive(Debug, Clone, Default)]
pub(super) struct DriverChange {
    /// How often it did.
    pub(super) count: u64,
    /// Who drives it now.
    pub(super) now: Option<PaneDriver>,
    /// Since when they do, or whoever did last did.
    pub(super) take: Timestamp,
    /// Why it changed.
    pub(super) why: String,
}

/// The screen of one pane, with what was lost on the way.
pub struct Screen {
    pub(super) glass: Glass,
    pub(super) pane: PaneId,
    /// Names the numbers of its lines: another screen of the same pane numbers them anew.
    pub epoch: u64,
    pub(super) pending: Pending,
    /// How often the screen was made anew: 0 until the first, and bytes lead only to the same one.
    pub(super) made: u64,
    /// Bytes the pane has printed since it is watched, as far as is known.
    pub(super) total: u64,
    /// What went wrong.
    pub lost: PaneLost,
    /// It is recorded: every byte of it is wanted, however fast they come.
    pub whole: bool,
    /// The road to its host is broken, since when and why.
    pub stale: Option<(Timestamp, String)>,
    /// It is watched no more, and why.
    pub ended: Option<String>,
    /// When it printed last.
    pub printed: Option<Timestamp>,
    pub(super) driver: DriverChange,
}

impl Screen {
    fn new(pane: PaneId) -> Self {
        Self {
            glass: Glass::new(80, 24),
            pane,
            // 52 random bits, which a JSON number keeps.
            epoch: rand::random::<u64>() >> 12,
            pending: Pending::default(),
            made: 0,
            total: 0,
            lost: PaneLost::default(),
            whole: false,
            stale: None,
            ended: None,
            printed: None,
            driver: DriverChange::default(),
        }
    }

    /// What it shows, once anything is known.
    #[must_use]
    pub fn glass(&self) -> Option<&Glass> {
        (self.made > 0).then_some(&self.glass)
    }

    /// Which pane.
    #[must_use]
    pub fn pane(&self) -> PaneId {
        self.pane
    }

    /// Who drives it, as was told last.
    #[must_use]
    pub fn driver(&self) -> Option<&PaneDriver> {
        self.driver.now.as_ref()
    }

    /// Who drives it, and why, where that is new.
    pub fn driven(&mut self, driver: Option<&PaneDriver>, why: &str) {
        let before = &self.driver;
        if before.now.as_ref() != driver {
            let take = driver.or(before.now.as_ref()).map_or(before.take, |driver| driver.since);
            self.driver = DriverChange { count: before.count + 1, now: driver.cloned(), take, why: why.to_owned() };
        }
    }

    /// A whole screen came. Answers whether something was lost before it.
    pub(super) fn seed(&mut self, seed: &PaneSeed) -> bool {
        let is_first = self.made == 0;
        // Whoever watched before does not know how much, where the host does not.
        let is_gap = !is_first && (seed.missed > 0 || seed.too_fast || seed.offset != self.pending.end());
        if is_gap {
            self.lost.gaps = self.lost.gaps.saturating_add(1);
            self.lost.too_fast = self.lost.too_fast.saturating_add(u32::from(seed.too_fast));
            self.lost.bytes = self.lost.bytes.saturating_add(seed.missed);
        }
        self.total = self.total.saturating_add(seed.missed);
        if is_gap && seed.missed == 0 {
            // The glass keeps the rows that went by where it knows of a loss.
            self.show(&PaneSeed { missed: 1, ..seed.clone() });
        } else {
            self.show(seed);
        }
        is_gap
    }

    /// A whole screen came at `now`: what was lost before it was printed, too.
    pub(super) fn reseed(&mut self, seed: &PaneSeed, now: Timestamp) {
        if self.seed(seed) {
            self.printed = Some(now);
        }
    }

    /// What was kept is not what tmux shows.
    pub(super) fn drifted(&mut self, seed: &PaneSeed) {
        self.lost.drift = self.lost.drift.saturating_add(1);
        self.show(seed);
    }

    fn show(&mut self, seed: &PaneSeed) {
        self.glass.seed(seed);
        self.pending.begin(seed.offset);
        self.made += 1;
    }

    /// A piece of the stream came.
    pub(super) fn feed(&mut self, chunk: &PaneChunk, now: Timestamp) -> Fed {
        let joins = self.made > 0 && chunk.offset == self.pending.end();
        if !joins || self.glass.feed(chunk).is_err() || !self.glass.is_sound() {
            return Fed::Hole;
        }
        self.pending.push(&chunk.bytes);
        self.total = self.total.saturating_add(chunk.bytes.len() as u64);
        if !chunk.bytes.is_empty() {
            self.printed = Some(now);
        }
        Fed::Shown
    }
}
