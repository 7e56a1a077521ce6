//! The mouse: what is where on the screen, and what a click on it does. Everything it does a key does, too.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::{Position, Rect};

use crate::protocol::Severity;

use super::action::{Action, View};
use super::app::App;
use super::msg::{Cmd, Overlay};

/// Rows one turn of the wheel moves.
const WHEEL: usize = 3;

/// What a region of the screen is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hit {
    /// A view's name.
    Go(View),
    /// A row of the list that is on top, as it was drawn: counted from the first that was given to be drawn.
    Row(usize),
    /// A tab of what is shown, counted from the first.
    Tab(usize),
    /// A key of what lies over the view.
    Press(KeyCode),
    /// Nothing, and nothing below it.
    Covered,
}

/// The regions of the last frame, the uppermost last.
#[derive(Debug, Default)]
pub(super) struct Regions(Vec<(Rect, Hit)>);

impl Regions {
    fn at(&self, at: Position) -> Option<Hit> {
        self.0.iter().rfind(|(area, _)| area.contains(at)).map(|(_, hit)| *hit)
    }
}

impl App {
    /// Says while drawing that `area` is `hit`.
    pub(super) fn region(&self, area: Rect, hit: Hit) {
        self.regions.borrow_mut().0.push((area, hit));
    }

    /// A frame begins: nothing is anywhere yet.
    pub(super) fn no_regions(&self) {
        self.regions.borrow_mut().0.clear();
    }

    pub(super) fn mouse(&mut self, event: MouseEvent) -> Vec<Cmd> {
        match event.kind {
            MouseEventKind::ScrollDown => self.turn(KeyCode::Down, WHEEL),
            MouseEventKind::ScrollUp => self.turn(KeyCode::Up, WHEEL),
            MouseEventKind::Down(MouseButton::Left) => {
                let hit = self.regions.borrow().at(Position { x: event.column, y: event.row });
                self.toast = None;
                match hit {
                    // What lies over the view is about what is below it.
                    Some(Hit::Go(_)) if self.overlay.is_some() => Vec::new(),
                    Some(Hit::Go(view)) => self.act(Action::Go(view)),
                    Some(Hit::Tab(index)) => self.select_tab(index),
                    Some(Hit::Press(code)) => self.key(KeyEvent::new(code, KeyModifiers::NONE)),
                    Some(Hit::Row(index)) if matches!(self.overlay, Some(Overlay::Themes(_))) => {
                        self.click_theme(index)
                    }
                    // The first click selects, another one on the same row opens.
                    Some(Hit::Row(index)) if self.select_row(index) => Vec::new(),
                    Some(Hit::Row(_)) if self.overlay.is_some() => {
                        self.key(KeyEvent::new(KeyCode::Enter, KeyModifiers::NONE))
                    }
                    Some(Hit::Row(_)) => self.act(Action::Open),
                    Some(Hit::Covered) | None => Vec::new(),
                }
            }
            _ => Vec::new(),
        }
    }

    pub(super) fn toggle_mouse(&mut self) -> Vec<Cmd> {
        self.status.mouse = !self.status.mouse;
        let text = if self.status.mouse {
            "the mouse is the screen's; with shift most terminals select text all the same"
        } else {
            "the mouse is the terminal's"
        };
        self.toast(Severity::Info, text);
        vec![Cmd::Mouse(self.status.mouse)]
    }

    pub(super) fn toggle_figures(&mut self) -> Vec<Cmd> {
        self.status.figures = !self.status.figures;
        Vec::new()
    }

    fn turn(&mut self, code: KeyCode, times: usize) -> Vec<Cmd> {
        (0..times).flat_map(|_| self.key(KeyEvent::new(code, KeyModifiers::NONE))).collect()
    }

    /// Goes to a theme as keys do, so that it is shown; another click keeps it.
    fn click_theme(&mut self, index: usize) -> Vec<Cmd> {
        let Some(Overlay::Themes(picker)) = &self.overlay else { return Vec::new() };
        match picker.selected {
            selected if selected < index => self.turn(KeyCode::Down, index - selected),
            selected if selected > index => self.turn(KeyCode::Up, selected - index),
            _ => self.turn(KeyCode::Enter, 1),
        }
    }

    /// Turns to a tab, as keys would one by one.
    fn select_tab(&mut self, index: usize) -> Vec<Cmd> {
        let shown = match &self.inbox.open {
            Some(open) if self.view == View::Inbox => open.tab as usize,
            _ if self.view == View::Bridge => {
                self.bridge.open_job().map_or(self.bridge.tab as usize, |open| open.tab as usize)
            }
            _ if self.view == View::Nodes => self.nodes.tab as usize,
            _ => self.activity.tab as usize,
        };
        let action = if index < shown { Action::PreviousTab } else { Action::NextTab };
        (0..index.abs_diff(shown)).flat_map(|_| self.act(action)).collect()
    }

    /// Selects a row of the list that is on top; answers whether another one was selected before.
    pub(super) fn select_row(&mut self, index: usize) -> bool {
        let select = |selected: &mut usize| std::mem::replace(selected, index) != index;
        let troubles = self.troubles();
        if let Some(overlay) = &mut self.overlay {
            return match overlay {
                Overlay::Palette(palette) => {
                    let other = palette.selected != index;
                    palette.select(index);
                    other
                }
                Overlay::Help(help) => select(&mut help.selected),
                Overlay::Dialog(dialog) => select(&mut dialog.selected),
                Overlay::Run(dialog) => select(&mut dialog.selected),
                Overlay::Node(dialog) => select(&mut dialog.selected),
                Overlay::Problems(drawer) => drawer.select(&troubles, index),
                Overlay::Views(picker) => select(&mut picker.selected),
                Overlay::Themes(_)
                | Overlay::Quit
                | Overlay::Bulk(_)
                | Overlay::Note(_)
                | Overlay::Mark(_)
                | Overlay::Confirm(_) => false,
            };
        }
        match self.view {
            View::Inbox if self.inbox.elsewhere().is_some() => self.select_there(index),
            View::Inbox => {
                let before = self.inbox.list.index();
                self.inbox.list.select(index);
                before != index
            }
            View::Channels => self.select_channel(index),
            View::Health => {
                let Some(snapshot) = &self.snapshot else { return false };
                let shown = self.health.shown(snapshot);
                let before = self.health.index(&shown);
                self.health.select(&shown, index);
                before != index
            }
            View::Nodes => self.select_among_nodes(index),
            View::Bridge | View::Approvals => self.select_on_bridge(index),
            View::Activity => {
                let index = self.activity.first() + index;
                self.select_in_activity(index)
            }
            View::Overview => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_uppermost_region_counts() {
        let regions = Regions(vec![
            (Rect::new(0, 0, 80, 24), Hit::Row(1)),
            (Rect::new(10, 5, 20, 5), Hit::Covered),
            (Rect::new(11, 6, 18, 1), Hit::Row(7)),
        ]);
        assert_eq!(regions.at(Position { x: 0, y: 0 }), Some(Hit::Row(1)));
        assert_eq!(regions.at(Position { x: 10, y: 5 }), Some(Hit::Covered));
        assert_eq!(regions.at(Position { x: 12, y: 6 }), Some(Hit::Row(7)));
        assert_eq!(regions.at(Position { x: 80, y: 24 }), None);
    }
}
