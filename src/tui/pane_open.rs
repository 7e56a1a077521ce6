//! A pane in full: which part of it is drawn, what of its past, and what is searched in it.

use std::collections::BTreeSet;

use tui_textarea::TextArea;

use crate::model::{PaneAddress, PaneName};
use crate::protocol::{PaneLines, PaneRequest, Severity};
use crate::screen::PaneScreen;

use super::action::{Action, View};
use super::app::App;
use super::bridge::{BridgeTab, Opened};
use super::msg::Cmd;
use super::pane_asks::{PanePurpose, ask};
use super::pane_back::{Back, Live, PAGE};
use super::pane_row::KeptRow;
use super::pane_watch::Watch;
use super::tail::Pattern;
use super::tiles::Tiles;
use super::view;

/// Matches asked for at once.
const MATCHES: usize = 200;

/// A pane shown in full.
#[derive(Debug)]
pub(super) struct OpenPane {
    pub pane: PaneAddress,
    /// How it was called when it was opened.
    pub name: PaneName,
    /// The column and row in the upper left, where somebody moved them; else the cursor is followed.
    pub pan: Option<(u16, u16)>,
    /// The epoch of the lines it showed last.
    epoch: Option<u64>,
    /// The view stays.
    pub back: Option<Back>,
    pub find: Option<PaneFind>,
    /// The tiles it was opened from.
    pub behind: Option<Tiles>,
}

/// What is searched for.
#[derive(Debug, Default)]
pub(super) struct PaneFind {
    pub field: TextArea<'static>,
    /// Keys go into the field.
    pub typing: bool,
    /// What lights up.
    pub pattern: Option<Pattern>,
    /// The search that was asked for last; answers to others are late.
    number: u64,
    /// Lines that match, as far as they were told.
    found: BTreeSet<u64>,
    /// The line somebody went to.
    pub at: Option<u64>,
    /// Where older ones begin, if there may be any.
    older: Option<u64>,
    asked: bool,
    /// Why there is nothing.
    pub trouble: Option<String>,
}

impl PaneFind {
    fn typed(&self) -> &str {
        self.field.lines().first().map_or("", String::as_str)
    }

    /// The line that matches next in a direction.
    fn beyond(&self, newer: bool) -> Option<u64> {
        match self.at {
            None => self.found.last().copied(),
            Some(at) if newer => self.found.range(at + 1..).next().copied(),
            Some(at) => self.found.range(..at).next_back().copied(),
        }
    }

    /// How far one is among what matches, the newest counted first.
    pub(super) fn told(&self) -> String {
        if let Some(trouble) = &self.trouble {
            return trouble.clone();
        }
        if self.asked && self.found.is_empty() {
            return "searching".to_owned();
        }
        let (of, more) = (self.found.len(), if self.older.is_some() { "+" } else { "" });
        match self.at {
            _ if of == 0 => "nothing matches".to_owned(),
            Some(at) => format!("match {} of {of}{more}", self.found.range(at..).count()),
            None => format!("{of}{more} lines match"),
        }
    }
}

/// Asks for lines that match, as the search with this number.
fn search(pane: &PaneAddress, pattern: &Pattern, before: Option<u64>, number: u64) -> Cmd {
    let (pane, pattern) = (pane.clone(), pattern.written());
    ask(PanePurpose::Search(number), PaneRequest::Search { pane, pattern, before, limit: MATCHES })
}

impl OpenPane {
    pub(super) fn new(pane: PaneAddress, name: PaneName, behind: Option<Tiles>) -> Self {
        Self { pane, name, pan: None, epoch: None, back: None, find: None, behind }
    }

    pub(super) fn is_typing(&self) -> bool {
        self.find.as_ref().is_some_and(|find| find.typing)
    }
}

impl App {
    /// Shows a pane in full.
    pub(super) fn open_pane(&mut self, pane: PaneAddress, name: PaneName) -> Vec<Cmd> {
        let behind = match self.bridge.open.take() {
            Some(Opened::Tiles(tiles)) => Some(tiles),
            Some(Opened::Pane(open)) => open.behind,
            _ => None,
        };
        self.go(View::Bridge);
        self.bridge.tab = BridgeTab::Panes;
        self.panes.select_pane(pane.clone());
        self.bridge.open = Some(Opened::Pane(Box::new(OpenPane::new(pane, name, behind))));
        Vec::new()
    }

    /// Shows a pane that calls: its list where nobody knows yet what it is called.
    pub(super) fn go_to_called(&mut self, pane: PaneAddress, name: &str) -> Vec<Cmd> {
        match name.parse() {
            Ok(name) => self.open_pane(pane, name),
            Err(_) => {
                self.go(View::Bridge);
                self.bridge.tab = BridgeTab::Panes;
                self.bridge.open = None;
                self.bridge.filter.clear();
                self.panes.select_pane(pane);
                Vec::new()
            }
        }
    }

    /// Shows the pane that is called so, now or once it is known which that is.
    pub(super) fn seek_pane(&mut self, name: PaneName) -> Vec<Cmd> {
        self.go(View::Bridge);
        self.bridge.tab = BridgeTab::Panes;
        self.bridge.open = None;
        self.bridge.filter.clear();
        self.panes.sought = Some(name);
        self.open_sought()
    }

    /// Opens the pane that is looked for, where it is known by now.
    pub(super) fn open_sought(&mut self) -> Vec<Cmd> {
        let Some(name) = self.panes.sought.take() else { return Vec::new() };
        if self.view != View::Bridge || self.bridge.tab != BridgeTab::Panes || self.bridge.open.is_some() {
            return Vec::new();
        }
        match self.panes.find(&name) {
            Ok(Some(pane)) => return self.open_pane(pane, name),
            Ok(None) => self.panes.sought = Some(name),
            Err(why) => self.toast(Severity::Warn, why),
        }
        Vec::new()
    }

    /// The pane that is open, and what is known of it.
    pub(super) fn zoomed(&self) -> Option<(&OpenPane, Option<&Watch>)> {
        match &self.bridge.open {
            Some(Opened::Pane(open)) => Some((open, self.panes.watches.get(&open.pane))),
            _ => None,
        }
    }

    /// What the open pane shows now, in the numbers of its lines; `None` until anything came.
    pub(super) fn live(&self) -> Option<Live> {
        let (open, watch) = self.zoomed()?;
        let watch = watch?;
        let glass = watch.glass.as_ref()?;
        let (_, height) = view::pane::room(self);
        let (_, y) = view::pane::corner(glass, open.pan, view::pane::room(self));
        let rows = u64::from(glass.screen().size().1);
        Some(Live { first_row: watch.first_row, rows, top: watch.first_row + u64::from(y), height: height.into() })
    }

    /// Something came of a pane.
    pub(super) fn pane_fed(&mut self, pane: &PaneAddress) {
        self.tail_fed(pane);
        let epoch = self.epoch_of(pane);
        if let Some(Opened::Pane(open)) = &mut self.bridge.open
            && open.pane == *pane
            && let Some(epoch) = epoch
            && open.epoch.replace(epoch).is_some_and(|before| before != epoch)
        {
            // The lines are numbered anew: what was looked at is no more.
            (open.back, open.find) = (None, None);
        }
    }

    /// The epoch of the lines of a pane, once anything came of it.
    fn epoch_of(&self, pane: &PaneAddress) -> Option<u64> {
        let watch = self.panes.watches.get(pane)?;
        watch.glass.is_some().then_some(watch.epoch)
    }

    /// Moves through the open pane's past.
    pub(super) fn scroll_pane(&mut self, action: Action) {
        let Some(live) = self.live() else { return };
        let Some(Opened::Pane(open)) = &mut self.bridge.open else { return };
        if open.back.is_none() {
            let Some(glass) = self.panes.watches.get(&open.pane).and_then(|watch| watch.glass.as_ref()) else { return };
            match action {
                Action::Up | Action::PageUp | Action::First => {
                    open.back = Some(Back::stop(
                        live,
                        (0..glass.screen().size().1).map(|y| KeptRow::of(glass.screen().row(y))),
                    ));
                }
                _ => {
                    open.pan = None;
                    return;
                }
            }
        }
        if !open.back.as_mut().is_some_and(|back| back.move_by(action, live)) {
            (open.back, open.pan) = (None, None);
        }
    }

    /// Moves what is drawn of a pane that is larger than its room.
    pub(super) fn pan(&mut self, action: Action) {
        let room = view::pane::room(self);
        let Some(Opened::Pane(open)) = &mut self.bridge.open else { return };
        if action == Action::FollowCursor {
            (open.pan, open.back) = (None, None);
            return;
        }
        let Some(glass) = self.panes.watches.get(&open.pane).and_then(|watch| watch.glass.as_ref()) else { return };
        let (x, y) = view::pane::corner(glass, open.pan, room);
        let (cols, rows) = glass.screen().size();
        let (wide, high) = ((room.0 / 2).max(1), (room.1 / 2).max(1));
        let (x, y) = match action {
            Action::Left => (x.saturating_sub(wide), y),
            Action::Right => (x.saturating_add(wide), y),
            Action::PanUp => (x, y.saturating_sub(high)),
            _ => (x, y.saturating_add(high)),
        };
        open.pan = Some((x.min(cols.saturating_sub(room.0)), y.min(rows.saturating_sub(room.1))));
    }

    /// Why the open pane cannot be moved about in.
    pub(super) fn no_pan(&self, action: Action) -> Option<String> {
        let Some((open, watch)) = self.zoomed() else { return Some("no pane is open".to_owned()) };
        if action == Action::FollowCursor {
            return (open.pan.is_none() && open.back.is_none()).then(|| "it goes with the cursor already".to_owned());
        }
        let Some(glass) = watch.and_then(|watch| watch.glass.as_ref()) else {
            return Some("nothing is shown of it yet".to_owned());
        };
        let (room, size) = (view::pane::room(self), glass.screen().size());
        let fits = if matches!(action, Action::Left | Action::Right) { size.0 <= room.0 } else { size.1 <= room.1 };
        fits.then(|| "all of it is shown".to_owned())
    }

    /// Asks for the lines that are looked at and not here.
    pub(super) fn want_history(&mut self) -> Option<Cmd> {
        let live = self.live()?;
        let Some(Opened::Pane(open)) = &mut self.bridge.open else { return None };
        let before = open.back.as_mut()?.wants(live)?;
        let pane = open.pane.clone();
        Some(ask(PanePurpose::History(pane.clone()), PaneRequest::History { pane, before: Some(before), limit: PAGE }))
    }

    pub(super) fn take_history(&mut self, pane: &PaneAddress, lines: &PaneLines) {
        let cols =
            self.panes.watches.get(pane).and_then(|watch| Some(watch.glass.as_ref()?.screen().size().0)).unwrap_or(80);
        if self.epoch_of(pane) != Some(lines.epoch) {
            // These are other lines than those that are looked at; the screen they belong to is on its way.
            return;
        }
        if let Some(Opened::Pane(open)) = &mut self.bridge.open
            && open.pane == *pane
            && let Some(back) = &mut open.back
        {
            back.take(lines, cols);
        }
    }

    pub(super) fn no_history(&mut self, pane: &PaneAddress, why: String) {
        if let Some(Opened::Pane(open)) = &mut self.bridge.open
            && open.pane == *pane
            && let Some(back) = &mut open.back
        {
            back.trouble = Some(why);
        }
    }

    // Searching

    /// Begins to type what is searched in the open pane.
    pub(super) fn begin_pane_find(&mut self) {
        if let Some(Opened::Pane(open)) = &mut self.bridge.open {
            let find = open.find.get_or_insert_default();
            find.typing = true;
        }
    }

    /// Searches for what was typed.
    pub(super) fn pane_find(&mut self) -> Vec<Cmd> {
        let Some(Opened::Pane(open)) = &mut self.bridge.open else { return Vec::new() };
        let Some(find) = &mut open.find else { return Vec::new() };
        let typed = find.typed().to_owned();
        let Some(pattern) = Pattern::new(&typed) else {
            open.find = None;
            return Vec::new();
        };
        // Of this search, in whatever pane: answers to one before may come after the question.
        self.panes.searches += 1;
        let number = self.panes.searches;
        let asked = search(&open.pane, &pattern, None, number);
        let field = std::mem::take(&mut find.field);
        *find = PaneFind { field, pattern: Some(pattern), number, asked: true, ..PaneFind::default() };
        vec![asked]
    }

    pub(super) fn take_found(&mut self, number: u64, lines: &PaneLines) -> Vec<Cmd> {
        let epoch = self.zoomed().and_then(|(open, _)| self.epoch_of(&open.pane));
        let Some(Opened::Pane(open)) = &mut self.bridge.open else { return Vec::new() };
        let Some(find) = open.find.as_mut().filter(|find| find.number == number) else { return Vec::new() };
        if epoch != Some(lines.epoch) {
            (find.asked, find.trouble) = (false, Some("its lines are numbered anew; search again".to_owned()));
            return Vec::new();
        }
        find.older = lines.before;
        if let (true, Some(before), Some(pattern)) = (lines.lines.is_empty(), lines.before, &find.pattern) {
            // It goes on by itself to where something is found, or there is no more.
            return vec![search(&open.pane, pattern, Some(before), number)];
        }
        find.asked = false;
        find.found.extend(lines.lines.iter().map(|line| line.number));
        match find.beyond(false) {
            Some(to) => self.go_to_line(to),
            None => {
                let told = find.told();
                self.toast(Severity::Info, told);
            }
        }
        Vec::new()
    }

    pub(super) fn not_found(&mut self, number: u64, why: String) {
        if let Some(Opened::Pane(open)) = &mut self.bridge.open
            && let Some(find) = open.find.as_mut().filter(|find| find.number == number)
        {
            (find.asked, find.trouble) = (false, Some(why));
        }
    }

    /// Goes to the next line that matches, or the one before; asks for older ones where no more are known.
    pub(super) fn next_pane_match(&mut self, newer: bool) -> Vec<Cmd> {
        let Some(Opened::Pane(open)) = &mut self.bridge.open else { return Vec::new() };
        let Some(find) = &mut open.find else { return Vec::new() };
        if let Some(to) = find.beyond(newer) {
            self.go_to_line(to);
            return Vec::new();
        }
        if let (false, Some(older), false, Some(pattern)) = (newer, find.older, find.asked, &find.pattern) {
            find.asked = true;
            return vec![search(&open.pane, pattern, Some(older), find.number)];
        }
        self.toast(Severity::Info, "no more lines match in this direction");
        Vec::new()
    }

    /// Shows a line, in the middle where it is not on the screen.
    fn go_to_line(&mut self, line: u64) {
        let Some(live) = self.live() else { return };
        let Some(Opened::Pane(open)) = &mut self.bridge.open else { return };
        if let Some(find) = &mut open.find {
            find.at = Some(line);
        }
        let top = open.back.as_ref().map_or(live.top, |back| back.top);
        if (top..top + live.height).contains(&line) {
            return;
        }
        let Some(glass) = self.panes.watches.get(&open.pane).and_then(|watch| watch.glass.as_ref()) else { return };
        let back = open.back.get_or_insert_with(|| {
            Back::stop(live, (0..glass.screen().size().1).map(|y| KeptRow::of(glass.screen().row(y))))
        });
        if !back.go(line.saturating_sub(live.height / 2), live) {
            open.back = None;
        }
    }
}
