//! The drawer: everything that is wrong, one problem after the other, and the way to where each is looked at.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::config::Context;
use crate::protocol::{Need, Trouble};

use super::action::Action;
use super::app::App;
use super::keymap::Found;
use super::keys;
use super::list::moved;
use super::msg::{Cmd, Overlay};
use super::view::drawer::{blocks, room};

/// Problems that a page key goes over.
const PAGE: usize = 5;

/// The drawer's state.
#[derive(Debug, Default)]
pub(super) struct Drawer {
    /// The selection stays with its problem while others come and go.
    selected: Option<Need>,
    /// Lines of the selected problem above the first row, where it has more than the drawer has rows.
    pub scroll: usize,
}

impl Drawer {
    /// Where the selection is among `troubles`. A problem that has gone leaves it at the worst.
    pub(super) fn index(&self, troubles: &[Trouble]) -> usize {
        troubles.iter().position(|trouble| Some(&trouble.need) == self.selected.as_ref()).unwrap_or(0)
    }

    /// Selects the problem at `index` of `troubles`; answers whether another one was selected before.
    pub(super) fn select(&mut self, troubles: &[Trouble], index: usize) -> bool {
        let before = self.index(troubles);
        self.selected = troubles.get(index).map(|trouble| trouble.need.clone());
        self.scroll = 0;
        before != index
    }

    /// Goes to another problem, or on within one that takes `heights[index]` lines where `height` are shown.
    fn go(&mut self, action: Action, troubles: &[Trouble], heights: &[usize], height: usize) {
        let index = self.index(troubles);
        let hidden = |index: usize| heights.get(index).map_or(0, |lines| lines.saturating_sub(height));
        match action {
            Action::Down if self.scroll < hidden(index) => self.scroll += 1,
            Action::Up if self.scroll > 0 => self.scroll -= 1,
            _ => {
                let Some(to) = moved(action, index, troubles.len(), PAGE).filter(|to| *to != index) else { return };
                self.select(troubles, to);
                if action == Action::Up {
                    self.scroll = hidden(to);
                }
            }
        }
    }
}

/// The action of a key in a dialog that is moved through.
fn movement(key: KeyEvent) -> Option<Action> {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    Some(match key.code {
        KeyCode::Down | KeyCode::Char('j') => Action::Down,
        KeyCode::Up | KeyCode::Char('k') => Action::Up,
        KeyCode::PageDown => Action::PageDown,
        KeyCode::PageUp => Action::PageUp,
        KeyCode::Char('d') if control => Action::PageDown,
        KeyCode::Char('u') if control => Action::PageUp,
        KeyCode::Home | KeyCode::Char('g') => Action::First,
        KeyCode::End | KeyCode::Char('G') => Action::Last,
        _ => return None,
    })
}

impl App {
    /// Everything that is wrong, as far as it is known, the worst first.
    pub(super) fn troubles(&self) -> Vec<Trouble> {
        self.snapshot.as_ref().map(|snapshot| snapshot.troubles(self.now)).unwrap_or_default()
    }

    pub(super) fn key_in_drawer(&mut self, key: KeyEvent, mut drawer: Box<Drawer>) -> Vec<Cmd> {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        let troubles = self.troubles();
        match key.code {
            KeyCode::Esc | KeyCode::Char('q') => return Vec::new(),
            KeyCode::Char('c') if control => return Vec::new(),
            KeyCode::Enter => {
                let need = troubles.get(drawer.index(&troubles)).map(|trouble| trouble.need.clone());
                return need.map_or_else(Vec::new, |need| self.look_at(need));
            }
            _ => {}
        }
        let pressed = keys::key(key).map(|key| self.keymap.found(&[Context::Global], &[key]));
        if pressed == Some(Found::Action(Action::Problems)) {
            return Vec::new();
        }
        if let Some(action) = movement(key) {
            let (width, height) = room(self.size);
            let heights: Vec<usize> = blocks(self, &troubles, width).iter().map(Vec::len).collect();
            drawer.go(action, &troubles, &heights, height);
        }
        self.overlay = Some(Overlay::Problems(drawer));
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use crate::model::Role;

    use super::super::action::View;
    use super::super::msg::Msg;
    use super::super::sample;
    use super::*;

    fn press(app: &mut App, keys: &str) {
        for c in keys.chars() {
            let code = if c == '\n' { KeyCode::Enter } else { KeyCode::Char(c) };
            app.update(Msg::Key(KeyEvent::new(code, KeyModifiers::NONE)), sample::at(0));
        }
    }

    fn opened(size: (u16, u16)) -> App {
        let mut snapshot = sample::snapshot();
        snapshot.checks[2].cause = Some("connect: tls: a certificate: ".repeat(40));
        let mut app = sample::app(snapshot, Role::Operator, false);
        app.update(Msg::Resize(size.0, size.1), sample::at(0));
        press(&mut app, "E");
        app
    }

    fn state(app: &App) -> (usize, usize) {
        match &app.overlay {
            Some(Overlay::Problems(drawer)) => (drawer.index(&app.troubles()), drawer.scroll),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn enter_goes_to_where_the_problem_is_looked_at() {
        let mut app = opened((80, 24));
        let needs: Vec<Need> = app.troubles().into_iter().map(|trouble| trouble.need).collect();
        assert_eq!(needs[..2], [Need::Task("search".into()), Need::Check("web".parse().expect("an id"))]);
        press(&mut app, "j\n");
        assert!(app.overlay.is_none());
        assert_eq!((app.view, app.on_check().map(|of| of.to_string())), (View::Health, Some("web".into())));
    }

    #[test]
    fn a_problem_with_more_lines_than_rows_is_read_line_by_line() {
        let mut app = opened((60, 18));
        press(&mut app, "j");
        assert_eq!(state(&app), (1, 0));
        press(&mut app, "jj");
        assert_eq!(state(&app), (1, 2));
        press(&mut app, "k");
        assert_eq!(state(&app), (1, 1));
        press(&mut app, &"j".repeat(300));
        assert_eq!(state(&app).0, 2, "then the next");
        press(&mut app, "k");
        assert!(state(&app).0 == 1 && state(&app).1 > 2, "back to its end: {:?}", state(&app));
        press(&mut app, "g");
        assert_eq!(state(&app), (0, 0));
    }

    #[test]
    fn its_key_closes_it_again_and_the_selection_stays_with_its_problem() {
        let mut app = opened((80, 24));
        press(&mut app, "j");
        let snapshot = app.snapshot.as_mut().expect("known");
        snapshot.tasks.clear();
        assert_eq!(state(&app), (0, 0), "the check is the worst now, and still selected");
        press(&mut app, "E");
        assert!(app.overlay.is_none());
    }
}
