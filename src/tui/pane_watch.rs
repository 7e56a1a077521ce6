//! What is looked at of panes: watches are asked for as they are wanted, fed as they come, and let go. Pure.

use std::fmt;

use jiff::Timestamp;

use crate::model::{PaneAddress, PaneChunk, PaneSeed};
use crate::protocol::{PanePace, PaneRequest, PaneUpdate, Request};
use crate::screen::Glass;

use super::app::{Cmd, Purpose};
use super::pane_asks::PanePurpose;
use super::pane_modes::{ModeReader, Modes};

/// A pane among others, on a good line.
pub(super) const BESIDE: PanePace = PanePace { every_ms: 250, window: 64 << 10 };
/// The same on a slow line.
pub(super) const BESIDE_LITE: PanePace = PanePace { every_ms: 4_000, window: 8 << 10 };

/// A pane that is looked at.
pub(super) struct Watch {
    pub pane: PaneAddress,
    /// Its number on this line; `None` until it was asked for there.
    number: Option<u64>,
    pace: PanePace,
    /// What it shows, once anything came.
    pub glass: Option<Glass>,
    modes: ModeReader,
    /// The number of the first row of its screen, as history lines are numbered.
    pub first_row: u64,
    /// All below this place was told to be taken.
    seen: u64,
    /// Since when it is old, and why.
    pub stale: Option<(Timestamp, String)>,
    /// Why it is over.
    pub ended: Option<String>,
    /// Bytes that were left out, and how often some were.
    pub missed: u64,
    pub gaps: u32,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Watches {
    last: u64,
    all: Vec<Watch>,
}

fn ask(number: u64, request: PaneRequest) -> Cmd {
    Cmd::Ask(Purpose::Pane(PanePurpose::Watch(number)), Request::Pane(request))
}

impl Watches {
    /// The watch of `pane`.
    pub(super) fn get(&self, pane: &PaneAddress) -> Option<&Watch> {
        self.all.iter().find(|watch| watch.pane == *pane)
    }

    /// These are wanted from now on, and no others; answers what has to be asked for that.
    pub(super) fn want(&mut self, wanted: &[(PaneAddress, PanePace)]) -> Vec<Cmd> {
        let mut commands = Vec::new();
        self.all.retain(|watch| {
            let keep = wanted.iter().any(|(pane, _)| *pane == watch.pane);
            if let (false, Some(number), None) = (keep, watch.number, &watch.ended) {
                commands.push(ask(number, PaneRequest::Unwatch { watch: number }));
            }
            keep
        });
        for (pane, pace) in wanted {
            let index = self.all.iter().position(|watch| watch.pane == *pane).unwrap_or_else(|| {
                self.all.push(Watch::new(pane.clone(), *pace));
                self.all.len() - 1
            });
            let watch = &mut self.all[index];
            match watch.number {
                None => {
                    self.last += 1;
                    watch.begin(self.last, *pace);
                    commands
                        .push(ask(self.last, PaneRequest::Watch { watch: self.last, pane: pane.clone(), pace: *pace }));
                }
                Some(number) if watch.pace != *pace => {
                    watch.pace = *pace;
                    commands.push(ask(number, PaneRequest::Pace { watch: number, pace: *pace }));
                }
                Some(_) => {}
            }
        }
        commands
    }

    /// The line is another one: watches ended with the one before. What was shown stays until they begin again.
    pub(super) fn line_broke(&mut self) {
        for watch in &mut self.all {
            watch.number = None;
        }
    }

    /// A watch was not given, or is over, because of this.
    pub(super) fn refused(&mut self, number: u64, why: String) {
        if let Some(watch) = self.numbered(number) {
            watch.ended = Some(why);
        }
    }

    fn numbered(&mut self, number: u64) -> Option<&mut Watch> {
        self.all.iter_mut().find(|watch| watch.number == Some(number))
    }

    /// Takes what is told of a watch; answers which pane that was about, and what to say to it.
    pub(super) fn hear(&mut self, update: &PaneUpdate) -> (Option<PaneAddress>, Option<Cmd>) {
        let number = match update {
            PaneUpdate::Seed { watch, .. }
            | PaneUpdate::Chunk { watch, .. }
            | PaneUpdate::Stale { watch, .. }
            | PaneUpdate::Ended { watch, .. } => *watch,
            PaneUpdate::Panes(_) | PaneUpdate::Driver { .. } => return (None, None),
        };
        // Of a watch that was let go some may still be on its way.
        let Some(watch) = self.numbered(number) else { return (None, None) };
        let command = match update {
            PaneUpdate::Seed { first_row, seed, .. } => {
                watch.seed(seed, *first_row);
                Some(ask(number, PaneRequest::Seen { watch: number, offset: watch.seen }))
            }
            PaneUpdate::Chunk { first_row, chunk, .. } => watch.chunk(chunk, *first_row, number),
            PaneUpdate::Stale { since, .. } => {
                watch.stale.clone_from(since);
                None
            }
            PaneUpdate::Ended { why, .. } => {
                watch.ended = Some(why.clone());
                None
            }
            PaneUpdate::Panes(_) | PaneUpdate::Driver { .. } => None,
        };
        (Some(watch.pane.clone()), command)
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pane, number, pace, first_row, seen, stale, ended, missed, .. } = self;
        f.debug_struct("Watch")
            .field("pane", pane)
            .field("number", number)
            .field("pace", pace)
            .field("first_row", first_row)
            .field("seen", seen)
            .field("stale", stale)
            .field("ended", ended)
            .field("missed", missed)
            .finish_non_exhaustive()
    }
}

impl Watch {
    fn new(pane: PaneAddress, pace: PanePace) -> Self {
        Self {
            pane,
            number: None,
            pace,
            glass: None,
            modes: ModeReader::default(),
            first_row: 0,
            seen: 0,
            stale: None,
            ended: None,
            missed: 0,
            gaps: 0,
        }
    }

    fn begin(&mut self, number: u64, pace: PanePace) {
        (self.number, self.pace, self.ended) = (Some(number), pace, None);
    }

    /// The modes of its program.
    pub(super) fn modes(&self) -> Modes {
        self.modes.modes()
    }

    fn seed(&mut self, seed: &PaneSeed, first_row: u64) {
        self.missed = self.missed.saturating_add(seed.missed);
        self.gaps += u32::from(seed.missed > 0);
        let glass = self.glass.get_or_insert_with(|| Glass::new(seed.cols, seed.rows));
        glass.seed(seed);
        self.modes.feed(&seed.bytes);
        (self.first_row, self.seen, self.stale) = (first_row, seed.offset, None);
    }

    fn chunk(&mut self, chunk: &PaneChunk, first_row: u64, number: u64) -> Option<Cmd> {
        let fits = self.glass.as_mut().is_some_and(|glass| glass.feed(chunk).is_ok() && glass.is_sound());
        if !fits {
            // Begun anew, it brings a whole screen.
            self.number = None;
            return Some(ask(number, PaneRequest::Unwatch { watch: number }));
        }
        self.modes.feed(&chunk.bytes);
        self.first_row = first_row;
        let taken = chunk.offset + chunk.bytes.len() as u64;
        if taken.saturating_sub(self.seen) < u64::from(self.pace.window / 4) {
            return None;
        }
        self.seen = taken;
        Some(ask(number, PaneRequest::Seen { watch: number, offset: taken }))
    }
}

#[cfg(test)]
mod tests {
    use crate::model::PaneId;

    use super::*;

    fn pane(number: u32) -> PaneAddress {
        PaneAddress { host: "web-1".parse().expect("a name"), pane: PaneId { server: 7, number } }
    }

    fn asked(commands: &[Cmd]) -> Vec<PaneRequest> {
        let request = |command: &Cmd| match command {
            Cmd::Ask(_, Request::Pane(request)) => request.clone(),
            other => panic!("{other:?}"),
        };
        commands.iter().map(request).collect()
    }

    fn seed(watch: u64, offset: u64, missed: u64) -> PaneUpdate {
        let seed = PaneSeed {
            pane: pane(1).pane,
            offset,
            missed,
            cols: 20,
            rows: 4,
            history: 0,
            bytes: b"\x1b[?2004lhello".to_vec(),
        };
        PaneUpdate::Seed { watch, first_row: 0, seed }
    }

    fn chunk(watch: u64, offset: u64, bytes: usize) -> PaneUpdate {
        let chunk = PaneChunk { pane: pane(1).pane, offset, bytes: vec![b'x'; bytes] };
        PaneUpdate::Chunk { watch, first_row: 3, chunk }
    }

    #[test]
    fn what_is_not_shown_is_let_go() {
        let mut watches = Watches::default();
        let live = |number| (pane(number), PanePace::LIVE);
        let begun = asked(&watches.want(&[live(1), live(2)]));
        assert_eq!(begun[1], PaneRequest::Watch { watch: 2, pane: pane(2), pace: PanePace::LIVE });
        assert_eq!(watches.want(&[live(1), live(2)]), []);
        let lite = [(pane(2), PanePace::LITE)];
        assert_eq!(
            asked(&watches.want(&lite)),
            [PaneRequest::Unwatch { watch: 1 }, PaneRequest::Pace { watch: 2, pace: PanePace::LITE }]
        );
        watches.line_broke();
        let again = PaneRequest::Watch { watch: 3, pane: pane(2), pace: PanePace::LITE };
        assert_eq!(asked(&watches.want(&lite)), [again], "never by a number that was used");
        watches.refused(3, "no such pane".into());
        assert_eq!(watches.want(&[]), [], "it is over already");
    }

    #[test]
    fn what_was_taken_is_said_at_quarters_of_the_window() {
        let mut watches = Watches::default();
        watches.want(&[(pane(1), PanePace { every_ms: 66, window: 4_000 })]);
        let mut hear = |update: &PaneUpdate| asked(&watches.hear(update).1.into_iter().collect::<Vec<_>>());
        assert_eq!(hear(&seed(1, 100, 0)), [PaneRequest::Seen { watch: 1, offset: 100 }]);
        assert_eq!(hear(&chunk(1, 100, 900)), []);
        assert_eq!(hear(&chunk(1, 1_000, 200)), [PaneRequest::Seen { watch: 1, offset: 1_200 }]);
        assert_eq!(hear(&chunk(9, 0, 1)), [], "of a watch that is no more");
        hear(&seed(1, 90_000, 12_288));
        let watch = watches.get(&pane(1)).expect("a watch");
        assert_eq!((watch.missed, watch.gaps, watch.modes().paste), (12_288, 1, false));
    }

    #[test]
    fn a_hole_is_mended_with_a_whole_screen() {
        let mut watches = Watches::default();
        let wanted = [(pane(1), PanePace::LIVE)];
        watches.want(&wanted);
        watches.hear(&seed(1, 0, 0));
        let (_, command) = watches.hear(&chunk(1, 50, 5));
        assert_eq!(asked(&command.into_iter().collect::<Vec<_>>()), [PaneRequest::Unwatch { watch: 1 }]);
        assert_eq!(
            asked(&watches.want(&wanted)),
            [PaneRequest::Watch { watch: 2, pane: pane(1), pace: PanePace::LIVE }]
        );
    }
}
