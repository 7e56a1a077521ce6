//! What is looked at of panes: watches are asked for as they are wanted, fed as they come, and let go. Pure.

use std::fmt;

use jiff::{SignedDuration, Timestamp};

use crate::model::{PaneAddress, PaneChunk, PaneSeed};
use crate::protocol::{PanePace, PaneRequest, PaneUpdate, Request};
use crate::screen::{Glass, InputModes, PaneScreen};

use super::msg::{Cmd, Purpose};
use super::pane_asks::PanePurpose;

/// A pane among others, on a good line.
pub(super) const BESIDE: PanePace = PanePace { every_ms: 250, window: 64 << 10 };
/// The same on a slow line.
pub(super) const BESIDE_LITE: PanePace = PanePace { every_ms: 4_000, window: 8 << 10 };

/// Until a watch that is over is asked for again.
const PAUSE: SignedDuration = SignedDuration::from_secs(5);

/// A pane that is to be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    pub pane: PaneAddress,
    pub pace: PanePace,
    /// It is there, as far as is known: a watch of it that is over is asked for again.
    pub listed: bool,
}

/// A pane that is looked at.
pub(super) struct Watch {
    pub pane: PaneAddress,
    /// Its number on this line; `None` until it was asked for there, and once it is over.
    number: Option<u64>,
    pace: PanePace,
    /// What it shows, once anything came.
    pub glass: Option<Glass>,
    /// The epoch of the numbers of its lines.
    pub epoch: u64,
    /// The number of the first row of its screen, as history lines are numbered.
    pub first_row: u64,
    /// All below this place was told to be taken.
    seen: u64,
    /// Since when it is old, and why.
    pub stale: Option<(Timestamp, String)>,
    /// Why it is over, until anything comes again.
    pub ended: Option<String>,
    /// Before then it is not asked for again.
    again: Option<Timestamp>,
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
    pub(super) fn want(&mut self, wanted: &[Wanted], now: Timestamp) -> Vec<Cmd> {
        let mut commands = Vec::new();
        self.all.retain(|watch| {
            let keep = wanted.iter().any(|wanted| wanted.pane == watch.pane);
            if let (false, Some(number)) = (keep, watch.number) {
                commands.push(ask(number, PaneRequest::Unwatch { watch: number }));
            }
            keep
        });
        for Wanted { pane, pace, listed } in wanted {
            let index = self.all.iter().position(|watch| watch.pane == *pane).unwrap_or_else(|| {
                self.all.push(Watch::new(pane.clone(), *pace));
                self.all.len() - 1
            });
            let watch = &mut self.all[index];
            match watch.number {
                None if watch.again.is_some_and(|at| now < at || !listed) => {}
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
    pub(super) fn line_broke(&mut self, now: Timestamp) {
        for watch in &mut self.all {
            (watch.number, watch.again) = (None, None);
            // The next engine may have no road to its host yet.
            let why = || (now, "the line to the engine broke; it is asked for again".to_owned());
            watch.stale = watch.stale.take().or_else(|| watch.glass.is_some().then(why));
        }
    }

    /// Something of a watch was refused because of this: it is over. Answers what lets go of what may be left of it.
    pub(super) fn refused(&mut self, number: u64, why: String, now: Timestamp) -> Option<Cmd> {
        self.numbered(number)?.end(why, now);
        Some(ask(number, PaneRequest::Unwatch { watch: number }))
    }

    fn numbered(&mut self, number: u64) -> Option<&mut Watch> {
        self.all.iter_mut().find(|watch| watch.number == Some(number))
    }

    /// Takes what is told of a watch; answers which pane that was about, and what to say to it.
    pub(super) fn hear(&mut self, update: &PaneUpdate, now: Timestamp) -> (Option<PaneAddress>, Option<Cmd>) {
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
            PaneUpdate::Seed { epoch, first_row, seed, .. } => {
                watch.seed(seed, (*epoch, *first_row));
                Some(watch.says_seen(number))
            }
            PaneUpdate::Chunk { first_row, chunk, .. } => Some(watch.chunk(chunk, *first_row, number)),
            PaneUpdate::Stale { since, .. } => {
                watch.stale.clone_from(since);
                None
            }
            PaneUpdate::Ended { why, .. } => {
                watch.end(why.clone(), now);
                None
            }
            PaneUpdate::Panes(_) | PaneUpdate::Driver { .. } => None,
        };
        (Some(watch.pane.clone()), command)
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pane, number, pace, epoch, first_row, seen, stale, ended, again, .. } = self;
        f.debug_struct("Watch")
            .field("pane", pane)
            .field("number", number)
            .field("pace", pace)
            .field("epoch", epoch)
            .field("first_row", first_row)
            .field("seen", seen)
            .field("stale", stale)
            .field("ended", ended)
            .field("again", again)
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
            epoch: 0,
            first_row: 0,
            seen: 0,
            stale: None,
            ended: None,
            again: None,
        }
    }

    fn begin(&mut self, number: u64, pace: PanePace) {
        (self.number, self.pace) = (Some(number), pace);
    }

    /// It is over; after a pause it is asked for again, while its pane is there.
    fn end(&mut self, why: String, now: Timestamp) {
        self.number = None;
        self.ended = Some(why);
        self.again = Some(now.checked_add(PAUSE).unwrap_or(now));
    }

    /// Something came of it.
    fn goes_on(&mut self) {
        (self.ended, self.again) = (None, None);
    }

    /// The modes of its program.
    pub(super) fn modes(&self) -> InputModes {
        self.glass.as_ref().map(|glass| glass.screen().input_modes()).unwrap_or_default()
    }

    /// What was taken is said of every piece: whoever sends counts what is on its way against the window, and what is larger
    /// than the rest of it waits until nothing is.
    fn says_seen(&self, number: u64) -> Cmd {
        Cmd::Seen { watch: number, offset: self.seen }
    }

    fn seed(&mut self, seed: &PaneSeed, (epoch, first_row): (u64, u64)) {
        self.goes_on();
        let glass = self.glass.get_or_insert_with(|| Glass::new(seed.cols, seed.rows));
        glass.seed(seed);
        (self.epoch, self.first_row, self.seen, self.stale) = (epoch, first_row, seed.offset, None);
    }

    fn chunk(&mut self, chunk: &PaneChunk, first_row: u64, number: u64) -> Cmd {
        let fits = self.glass.as_mut().is_some_and(|glass| glass.feed(chunk).is_ok() && glass.is_sound());
        if !fits {
            // Begun anew, it brings a whole screen.
            self.number = None;
            return ask(number, PaneRequest::Unwatch { watch: number });
        }
        self.goes_on();
        self.first_row = first_row;
        self.seen = chunk.offset + chunk.bytes.len() as u64;
        self.says_seen(number)
    }
}

#[cfg(test)]
mod tests {
    use crate::model::PaneId;
    use crate::protocol::PaneLost;

    use super::*;

    fn pane(number: u32) -> PaneAddress {
        PaneAddress { host: "web-1".parse().expect("a name"), pane: PaneId { server: 7, number } }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a time")
    }

    fn wanted(number: u32, pace: PanePace) -> Wanted {
        Wanted { pane: pane(number), pace, listed: true }
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
            too_fast: false,
            cols: 20,
            rows: 4,
            history: 0,
            bytes: b"\x1b[?2004lhello".to_vec(),
        };
        PaneUpdate::Seed { watch, epoch: 1, first_row: 0, lost: PaneLost::default(), seed }
    }

    fn chunk(watch: u64, offset: u64, bytes: usize) -> PaneUpdate {
        let chunk = PaneChunk { pane: pane(1).pane, offset, bytes: vec![b'x'; bytes] };
        PaneUpdate::Chunk { watch, first_row: 3, chunk }
    }

    #[test]
    fn what_is_not_shown_is_let_go() {
        let mut watches = Watches::default();
        let live = |number| wanted(number, PanePace::LIVE);
        let begun = asked(&watches.want(&[live(1), live(2)], at(0)));
        assert_eq!(begun[1], PaneRequest::Watch { watch: 2, pane: pane(2), pace: PanePace::LIVE });
        assert_eq!(watches.want(&[live(1), live(2)], at(0)), []);
        let lite = [wanted(2, PanePace::LITE)];
        assert_eq!(
            asked(&watches.want(&lite, at(0))),
            [PaneRequest::Unwatch { watch: 1 }, PaneRequest::Pace { watch: 2, pace: PanePace::LITE }]
        );
        watches.line_broke(at(0));
        let again = PaneRequest::Watch { watch: 3, pane: pane(2), pace: PanePace::LITE };
        assert_eq!(asked(&watches.want(&lite, at(0))), [again], "never by a number that was used");
        let over = watches.refused(3, "no such pane".into(), at(0));
        assert_eq!(asked(&over.into_iter().collect::<Vec<_>>()), [PaneRequest::Unwatch { watch: 3 }]);
        assert_eq!(watches.refused(3, "no such watch".into(), at(0)), None);
        assert_eq!(watches.want(&[], at(0)), [], "it is over already");
    }

    #[test]
    fn every_piece_that_was_taken_is_said_to_be() {
        let mut watches = Watches::default();
        watches.want(&[wanted(1, PanePace::LITE)], at(0));
        let mut hear = |update: &PaneUpdate| watches.hear(update, at(0)).1;
        let seen = |offset| Some(Cmd::Seen { watch: 1, offset });
        assert_eq!(hear(&seed(1, 100, 0)), seen(100));
        assert_eq!(hear(&chunk(1, 100, 3)), seen(103), "however small: a whole screen may wait for it");
        assert_eq!(hear(&chunk(1, 103, 2_000)), seen(2_103));
        assert_eq!(hear(&chunk(9, 0, 1)), None, "of a watch that is no more");
        hear(&seed(1, 90_000, 12_288));
        assert!(!watches.get(&pane(1)).expect("a watch").modes().paste);
    }

    #[test]
    fn a_watch_that_is_over_is_asked_for_again_after_a_pause_while_its_pane_is_there() {
        let mut watches = Watches::default();
        let live = [wanted(1, PanePace::LIVE)];
        watches.want(&live, at(0));
        watches.hear(&seed(1, 0, 0), at(0));
        watches.hear(&PaneUpdate::Ended { watch: 1, why: "its host was configured anew".into() }, at(10));
        assert_eq!(watches.want(&live, at(14)), []);
        let gone = [Wanted { listed: false, ..live[0].clone() }];
        assert_eq!(watches.want(&gone, at(60)), []);
        let again = PaneRequest::Watch { watch: 2, pane: pane(1), pace: PanePace::LIVE };
        assert_eq!(asked(&watches.want(&live, at(60))), [again]);
        assert_eq!(watches.want(&live, at(61)), [], "once");
        let ended = |watches: &Watches| watches.get(&pane(1)).expect("a watch").ended.clone();
        assert!(ended(&watches).is_some(), "said until something comes");
        watches.hear(&seed(2, 0, 0), at(62));
        assert_eq!(ended(&watches), None);
    }

    #[test]
    fn a_hole_is_mended_with_a_whole_screen() {
        let mut watches = Watches::default();
        let live = [wanted(1, PanePace::LIVE)];
        watches.want(&live, at(0));
        watches.hear(&seed(1, 0, 0), at(0));
        let (_, command) = watches.hear(&chunk(1, 50, 5), at(0));
        assert_eq!(asked(&command.into_iter().collect::<Vec<_>>()), [PaneRequest::Unwatch { watch: 1 }]);
        assert_eq!(
            asked(&watches.want(&live, at(0))),
            [PaneRequest::Watch { watch: 2, pane: pane(1), pace: PanePace::LIVE }]
        );
    }
}
