//! How much of a kept screen goes to one client, and when. No I/O; time is given.
//!
//! The first piece after a rest goes at once, the next when the pace allows. A piece is everything since the one before.
//! Where that is more than the client takes, or more than a whole screen, a whole screen goes in its place. The last piece
//! may go beyond what the client takes: what waited until it fits might wait for ever, because a client that has taken little
//! need not say so.

use std::collections::VecDeque;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use crate::model::{PaneAddress, PaneChunk, PaneSeed};
use crate::protocol::{PanePace, PaneUpdate};
use crate::screen::PaneScreen;

use super::kept::{DriverChange, Screen};

/// Shortest and longest time between two pieces, whatever is asked for: 15 a second at most.
const EVERY: [Duration; 2] = [Duration::from_millis(67), Duration::from_secs(5)];
/// Largest and smallest window, whatever is asked for.
const WINDOW: [u64; 2] = [1 << 10, 1 << 20];
/// Fewer bytes than this are not compared with a whole screen.
const FEW: usize = 2 << 10;

/// What is to be done for a watch now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// There is something to be said.
    Now,
    /// At this time, unless something new comes first.
    At(Instant),
    /// When something new comes.
    Rest,
}

/// One watch of one client.
#[derive(Debug)]
pub struct Pacer {
    watch: u64,
    pane: PaneAddress,
    every: Duration,
    window: u64,
    /// Every byte is wanted as long as it is there, whatever a whole screen would take.
    all: bool,
    /// The screen the client has was made so many times, and ends at this place, after so many bytes in all.
    made: u64,
    place: u64,
    total: u64,
    /// How often it was too fast to follow, as the client knows.
    too_fast: u32,
    next: Instant,
    /// What is on its way: where it ends, and how much it is.
    out: VecDeque<(u64, u64)>,
    stale: Option<(Timestamp, String)>,
    driver: u64,
    ended: bool,
}

impl Pacer {
    /// Nothing was said yet.
    #[must_use]
    pub fn new(watch: u64, pane: PaneAddress, pace: PanePace, now: Instant) -> Self {
        let mut pacer = Self {
            watch,
            pane,
            every: EVERY[0],
            window: WINDOW[0],
            all: false,
            made: 0,
            place: 0,
            total: 0,
            too_fast: 0,
            next: now,
            out: VecDeque::new(),
            stale: None,
            driver: 0,
            ended: false,
        };
        pacer.pace(pace);
        pacer
    }

    /// One that wants every byte, `every` so often, and takes whatever comes.
    #[must_use]
    pub fn of_everything(pane: PaneAddress, every: Duration, now: Instant) -> Self {
        let mut pacer = Self::new(0, pane, PanePace::LIVE, now);
        (pacer.every, pacer.window, pacer.all) = (every, u64::MAX, true);
        pacer
    }

    /// Another pace.
    pub fn pace(&mut self, pace: PanePace) {
        let every = Duration::from_millis(pace.every_ms.into()).clamp(EVERY[0], EVERY[1]);
        // The first piece goes at once, whatever the pace.
        if self.made > 0 {
            self.next = (self.next + every).checked_sub(self.every).unwrap_or(self.next);
        }
        self.every = every;
        self.window = u64::from(pace.window).clamp(WINDOW[0], WINDOW[1]);
    }

    /// What is there now does not wait for its time.
    pub fn hurry(&mut self, now: Instant) {
        self.next = now;
    }

    /// The client has taken everything up to `place`.
    pub fn seen(&mut self, place: u64) {
        // Places of another stream may be lower, so the piece itself is looked for first.
        let known = self.out.iter().rposition(|(end, _)| *end == place);
        let taken = known.map_or_else(|| self.out.iter().take_while(|(end, _)| *end < place).count(), |last| last + 1);
        self.out.drain(..taken);
    }

    /// Whether the watch is over, and the client knows it.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.ended
    }

    /// What is to be done at `now`.
    #[must_use]
    pub fn turn(&self, screen: &Screen, now: Instant) -> Turn {
        if self.ended {
            return Turn::Rest;
        }
        let is_told = self.driver == screen.driver.count && screen.ended.is_none() && !self.tells_stale(screen);
        if !is_told {
            return Turn::Now;
        }
        match self.wants(screen) {
            false => Turn::Rest,
            true if self.next <= now => Turn::Now,
            true => Turn::At(self.next),
        }
    }

    /// Whether the client has something else than the screen shows.
    fn is_behind(&self, screen: &Screen) -> bool {
        screen.made > 0 && (screen.made != self.made || screen.pending.end() != self.place)
    }

    /// Whether there is something on the screen that may be sent, but for the pace. How large it is does not count, so that
    /// no screen is written out only to be measured.
    fn wants(&self, screen: &Screen) -> bool {
        self.is_behind(screen) && self.room() > 0
    }

    /// Whether it is to be said now that the screen is old, or is not any more: that only once the client has the new one.
    fn tells_stale(&self, screen: &Screen) -> bool {
        self.stale != screen.stale && (screen.stale.is_some() || !self.is_behind(screen))
    }

    /// Bytes that may be sent now.
    fn room(&self) -> u64 {
        self.window.saturating_sub(self.out.iter().map(|(_, bytes)| bytes).sum())
    }

    /// How many bytes lead from what the client has to what is shown, where bytes do.
    fn bytes(&self, screen: &Screen) -> Option<usize> {
        if screen.made == self.made { screen.pending.since(self.place) } else { None }
    }

    /// The next thing to say at `now`; `None` when there is nothing.
    pub fn next(&mut self, screen: &Screen, now: Instant) -> Option<PaneUpdate> {
        if self.ended {
            return None;
        }
        if self.stale != screen.stale && screen.stale.is_some() {
            return Some(self.stale(screen));
        }
        if self.driver != screen.driver.count {
            let DriverChange { count, now: driver, take, why } = screen.driver.clone();
            self.driver = count;
            return Some(PaneUpdate::Driver { pane: self.pane.clone(), driver, take, why });
        }
        // The last of it is shown before it is said to be the last.
        if self.wants(screen) && (self.next <= now || screen.ended.is_some()) {
            return Some(self.piece(screen, now));
        }
        if let Some(why) = &screen.ended {
            self.ended = true;
            return Some(PaneUpdate::Ended { watch: self.watch, why: why.clone() });
        }
        self.tells_stale(screen).then(|| self.stale(screen))
    }

    fn stale(&mut self, screen: &Screen) -> PaneUpdate {
        self.stale.clone_from(&screen.stale);
        PaneUpdate::Stale { watch: self.watch, since: screen.stale.clone() }
    }

    fn piece(&mut self, screen: &Screen, now: Instant) -> PaneUpdate {
        let (watch, pane, first_row) = (self.watch, screen.pane, screen.glass.first_row());
        let room = self.room();
        let bytes = self.bytes(screen);
        let whole = match bytes {
            Some(bytes) if self.all || (bytes <= FEW && bytes as u64 <= room) => None,
            Some(bytes) => Some(screen.glass.dump()).filter(|dump| dump.len() < bytes),
            None => Some(screen.glass.dump()),
        };
        let from = self.place;
        let is_first = self.made == 0;
        let left_out = screen.total.saturating_sub(self.total);
        let too_fast = !is_first && screen.lost.too_fast > self.too_fast;
        self.too_fast = screen.lost.too_fast;
        (self.made, self.place, self.total) = (screen.made, screen.pending.end(), screen.total);
        self.next = now + self.every;
        let (update, size) = match whole {
            Some(bytes) => {
                let (cols, rows) = screen.glass.screen().size();
                let missed = if is_first { 0 } else { left_out };
                let size = bytes.len();
                let seed = PaneSeed { pane, offset: self.place, missed, too_fast, cols, rows, history: 0, bytes };
                (PaneUpdate::Seed { watch, epoch: screen.epoch, first_row, lost: screen.lost, seed }, size)
            }
            None => {
                let bytes = screen.pending.last(bytes.unwrap_or_default());
                let size = bytes.len();
                (PaneUpdate::Chunk { watch, first_row, chunk: PaneChunk { pane, offset: from, bytes } }, size)
            }
        };
        if !self.all {
            self.out.push_back((self.place, size as u64));
        }
        update
    }
}

#[cfg(test)]
#[path = "pacer_tests.rs"]
mod tests;
