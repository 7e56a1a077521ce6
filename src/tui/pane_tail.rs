//! The last lines of several panes, as they come, each with the pane's name.

use std::collections::BTreeMap;

use crate::model::PaneAddress;
use crate::screen::{Glass, PaneScreen};

use super::action::Action;
use super::app::App;
use super::bridge::Opened;
use super::pane_row::KeptRow;
use super::pane_watch::Watch;
use super::tail::{Tail, Told};

/// Lines of a pane that are told when it begins to be looked at.
const BEGIN: u64 = 5;

/// A line a pane has finished.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct PaneLineTold {
    pub pane: PaneAddress,
    /// What was written; `None` where so many lines were left out.
    pub text: Result<String, u64>,
}

impl Told for PaneLineTold {
    fn number(&self) -> Option<i64> {
        None
    }

    fn text(&self) -> String {
        self.text.clone().unwrap_or_default()
    }

    fn is_error(&self) -> bool {
        false
    }
}

/// The lines, and how far each pane is.
#[derive(Debug, Default)]
pub(super) struct PaneTail {
    pub panes: Vec<PaneAddress>,
    pub lines: Tail<PaneLineTold>,
    /// The number of the first line that was not told yet, and its epoch.
    next: BTreeMap<PaneAddress, (u64, u64)>,
}

impl PaneTail {
    pub(super) fn new(panes: Vec<PaneAddress>) -> Self {
        Self { panes, ..Self::default() }
    }

    /// Tells what a pane has finished since: lines above its cursor. What a program draws all over the screen has no lines.
    fn fed(&mut self, watch: &Watch) {
        let Some(screen) = watch.glass.as_ref().map(Glass::screen).filter(|screen| !screen.is_alternate()) else {
            return;
        };
        let rows = screen.size().1;
        let done = screen.cursor().map_or(rows.saturating_sub(1), |(_, y)| y);
        let end = watch.first_row + u64::from(done);
        let begin = end.saturating_sub(BEGIN).max(watch.first_row);
        let (next, epoch) = self.next.entry(watch.pane.clone()).or_insert((begin, watch.epoch));
        if std::mem::replace(epoch, watch.epoch) != watch.epoch {
            // Numbered anew: nobody knows which of these were told.
            *next = watch.first_row;
        }
        let line = |text| PaneLineTold { pane: watch.pane.clone(), text };
        let mut lines = Vec::new();
        if watch.first_row > *next {
            lines.push(line(Err(watch.first_row - *next)));
            *next = watch.first_row;
        }
        for y in 0..done {
            if watch.first_row + u64::from(y) >= *next {
                lines.push(line(Ok(KeptRow::of(screen.row(y)).text())));
            }
        }
        *next = end.max(*next);
        self.lines.take(&lines);
    }
}

impl App {
    /// Something came of a pane.
    pub(super) fn tail_fed(&mut self, pane: &PaneAddress) {
        if let Some(Opened::Tail(tail)) = &mut self.bridge.open
            && let Some(watch) = self.panes.watches.get(pane).filter(|_| tail.panes.contains(pane))
        {
            tail.fed(watch);
        }
    }

    /// Moves through the lines.
    pub(super) fn scroll_tail(&mut self, action: Action) {
        let height = self.list_height();
        if let Some(Opened::Tail(tail)) = &mut self.bridge.open {
            tail.lines.move_by(action, height);
        }
    }
}
