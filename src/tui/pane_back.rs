//! Looking back in a pane: the view stays where it was put while more is printed, and lines come as they are looked at.
//! Pure.

use std::collections::BTreeMap;

use crate::model::PaneSeed;
use crate::protocol::PaneLines;
use crate::screen::{self, Glass, PaneScreen};

use super::action::Action;
use super::pane_row::KeptRow;

/// Lines asked for at once.
pub(super) const PAGE: usize = 500;
/// Lines that are held; beyond, those that are far from what is looked at are let go of and asked for again.
const MOST: usize = 20_000;
/// So many lines above what is looked at are asked for before somebody gets there.
const AHEAD: u64 = 100;
/// Lines that are read at once, as rows of one screen.
const AT_ONCE: usize = 100;

/// What a pane shows now, in the numbers of its lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Live {
    /// The first row of the screen.
    pub first_row: u64,
    /// Rows of the screen.
    pub rows: u64,
    /// The first row that is drawn, where the newest is followed.
    pub top: u64,
    /// Rows there is room for.
    pub height: u64,
}

impl Live {
    /// Where a view stands that shows the last row.
    fn lowest(self) -> u64 {
        (self.first_row + self.rows).saturating_sub(self.height.max(1)).max(self.first_row.min(self.top))
    }
}

/// The view while it stays.
#[derive(Debug)]
pub(super) struct Back {
    /// What was on the screen when it was stopped, and what came from the engine.
    lines: BTreeMap<u64, KeptRow>,
    /// The line on top.
    pub top: u64,
    /// The first row of the screen when the view was stopped: what scrolled out since is new.
    stopped_at: u64,
    /// The oldest line there is, as far as that is known.
    first: u64,
    /// Lines are on their way.
    asked: bool,
    /// Why none came.
    pub trouble: Option<String>,
}

impl Back {
    /// Stops the view of a pane that shows `rows`.
    pub(super) fn stop(live: Live, rows: impl Iterator<Item = KeptRow>) -> Self {
        let lines = (live.first_row..).zip(rows).collect();
        Self { lines, top: live.top, stopped_at: live.first_row, first: 0, asked: false, trouble: None }
    }

    /// The line with this number.
    pub(super) fn line(&self, number: u64) -> Option<&KeptRow> {
        self.lines.get(&number)
    }

    /// Lines that scrolled out since the view was stopped.
    pub(super) fn new_lines(&self, live: Live) -> u64 {
        live.first_row.saturating_sub(self.stopped_at)
    }

    /// Whether the line cannot be had any more.
    pub(super) fn is_gone(&self, number: u64) -> bool {
        number < self.first
    }

    /// Moves it; answers whether it still stays, and is not at the end again.
    pub(super) fn move_by(&mut self, action: Action, live: Live) -> bool {
        let page = live.height.saturating_sub(1).max(1);
        let to = match action {
            Action::Up => self.top.saturating_sub(1),
            Action::Down => self.top + 1,
            Action::PageUp => self.top.saturating_sub(page),
            Action::PageDown => self.top + page,
            Action::First => self.first,
            Action::Last => return false,
            _ => self.top,
        };
        self.go(to, live)
    }

    /// Shows `top` on top; answers whether it still stays.
    pub(super) fn go(&mut self, top: u64, live: Live) -> bool {
        self.top = top.max(self.first);
        self.top < live.lowest()
    }

    /// Below which line lines are wanted now, where some are missing that are looked at or soon will be.
    pub(super) fn wants(&mut self, live: Live) -> Option<u64> {
        if self.asked || self.trouble.is_some() {
            return None;
        }
        let from = self.top.saturating_sub(AHEAD).max(self.first);
        // What is on the screen now is drawn from there.
        let until = (self.top + live.height).min(live.first_row);
        let missing = (from..until).rev().find(|number| !self.lines.contains_key(number))?;
        self.asked = true;
        Some(missing + 1)
    }

    /// The line broke: what was asked for does not come.
    pub(super) fn ask_again(&mut self) {
        (self.asked, self.trouble) = (false, None);
    }

    /// Takes lines of a pane that is `cols` wide.
    pub(super) fn take(&mut self, told: &PaneLines, cols: u16) {
        self.asked = false;
        self.first = told.first;
        self.top = self.top.max(self.first);
        for (number, cells) in parsed(told, cols) {
            self.lines.entry(number).or_insert(cells);
        }
        while self.lines.len() > MOST {
            // What is furthest away is let go of.
            let (Some((low, _)), Some((high, _))) = (self.lines.first_key_value(), self.lines.last_key_value()) else {
                return;
            };
            let far = if self.top.saturating_sub(*low) > high.saturating_sub(self.top) { *low } else { *high };
            self.lines.remove(&far);
        }
    }
}

/// The cells of lines, by their numbers. A line is no more than text and SGR, and may be wider than the pane is now.
fn parsed(told: &PaneLines, cols: u16) -> Vec<(u64, KeptRow)> {
    let mut rows = Vec::new();
    for lines in told.lines.chunks(AT_ONCE) {
        let height = u16::try_from(lines.len()).unwrap_or(u16::MAX);
        let widest = lines.iter().map(|line| screen::width(&screen::plain(&line.text))).max().unwrap_or(0);
        let cols = cols.max(u16::try_from(widest).unwrap_or(u16::MAX));
        // Each begins on a row of its own, whatever the one before holds, and none goes on on the next.
        let mut bytes = b"\x1b[?7l".to_vec();
        for (row, line) in (1_u32..).zip(lines) {
            bytes.extend_from_slice(format!("\x1b[{row};1H\x1b[m").as_bytes());
            bytes.extend_from_slice(line.text.as_bytes());
        }
        let seed =
            PaneSeed { pane: told.pane, offset: 0, missed: 0, too_fast: false, cols, rows: height, history: 0, bytes };
        let mut glass = Glass::new(cols, height);
        glass.seed(&seed);
        rows.extend(lines.iter().zip(0..height).map(|(line, y)| (line.number, KeptRow::of(glass.screen().row(y)))));
    }
    rows
}

#[cfg(test)]
mod tests {
    use crate::model::PaneId;
    use crate::protocol::PaneLine;

    use super::*;

    fn told(numbers: std::ops::Range<u64>, first: u64) -> PaneLines {
        let line = |number| PaneLine { number, text: format!("line \x1b[1m{number}\x1b[0m") };
        let pane = PaneId { server: 1, number: 1 };
        PaneLines { pane, epoch: 1, first, next: 10_000, lines: numbers.map(line).collect(), before: None }
    }

    fn live(first_row: u64) -> Live {
        Live { first_row, rows: 4, top: first_row, height: 4 }
    }

    fn stopped() -> Back {
        Back::stop(live(1_000), (0..4).map(|_| KeptRow::default()))
    }

    #[test]
    fn the_view_stays_while_more_comes_and_the_end_is_live_again() {
        let mut back = stopped();
        assert!(back.move_by(Action::Up, live(1_000)));
        assert_eq!((back.top, back.new_lines(live(1_312))), (999, 312));
        assert!(back.move_by(Action::Down, live(1_312)), "what came meanwhile is below");
        assert!(back.move_by(Action::PageDown, live(1_312)));
        assert_eq!(back.top, 1_003);
        assert!(!back.move_by(Action::Last, live(1_312)));
        let mut back = stopped();
        back.move_by(Action::Up, live(1_000));
        assert!(!back.move_by(Action::Down, live(1_000)), "at the end");
    }

    #[test]
    fn lines_are_asked_for_once_as_they_are_looked_at() {
        let mut back = stopped();
        back.move_by(Action::PageUp, live(1_000));
        assert_eq!(back.wants(live(1_000)), Some(1_000));
        assert_eq!(back.wants(live(1_000)), None, "it is on its way");
        back.take(&told(500..1_000, 320), 80);
        assert_eq!(back.line(997).map(KeptRow::text).as_deref(), Some("line 997"));
        assert_eq!(back.wants(live(1_000)), None);
        back.move_by(Action::First, live(1_000));
        assert_eq!((back.top, back.wants(live(1_000))), (320, Some(324)));
        assert!(back.is_gone(319) && !back.is_gone(320));
        assert!(back.line(1_003).is_some_and(|row| row.text().is_empty()), "as it was when it was stopped");
    }

    #[test]
    fn lines_of_a_pane_that_was_wider_are_whole_and_leave_the_others_alone() {
        let mut told = told(500..502, 500);
        told.lines[0].text = "x".repeat(200);
        told.lines[1].text = "short".to_owned();
        let mut back = stopped();
        back.take(&told, 100);
        assert_eq!(back.line(500).map(KeptRow::text), Some("x".repeat(200)));
        assert_eq!(back.line(501).map(KeptRow::text).as_deref(), Some("short"));
        // Wider than any screen: cut, on a row of its own.
        told.lines[0].text = "y".repeat(2_000);
        let mut back = stopped();
        back.take(&told, 100);
        assert_eq!(back.line(500).map(|row| row.text().len()), Some(500));
        assert_eq!(back.line(501).map(KeptRow::text).as_deref(), Some("short"));
    }

    #[test]
    fn what_is_held_is_bounded_and_near() {
        let mut back = stopped();
        for page in 0..60_u64 {
            back.go(page * 500, live(50_000));
            back.take(&told(page * 500..(page + 1) * 500, 0), 80);
        }
        assert!(back.lines.len() <= MOST && back.line(29_600).is_some() && back.line(0).is_none());
    }
}
