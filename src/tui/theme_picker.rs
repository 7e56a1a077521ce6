//! The picker of themes: what lies under the cursor is how the screen looks, until it is kept or given up.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::protocol::Severity;

use super::app::App;
use super::msg::{Cmd, Overlay};
use super::styles::Look;
use super::themes::{Offer, ThemeStep};

/// The picker while it is open.
#[derive(Debug)]
pub(super) struct ThemePicker {
    pub offers: Vec<Offer>,
    pub selected: usize,
    /// How the screen looked before, for whoever changes nothing.
    before: Look,
}

impl ThemePicker {
    fn select(&mut self, to: usize) {
        self.selected = to.min(self.offers.len().saturating_sub(1));
    }

    /// How the screen looks while the cursor is here. A theme that cannot be used changes nothing.
    fn preview(&self) -> Look {
        self.offers.get(self.selected).and_then(|offer| offer.look.clone().ok()).unwrap_or(self.before)
    }
}

impl App {
    /// Opens the picker on `offers`, at the one the screen looks like.
    pub(super) fn pick_theme(&mut self, offers: Vec<Offer>) {
        let selected = offers.iter().position(|offer| offer.look.as_ref() == Ok(&self.look)).unwrap_or(0);
        self.overlay = Some(Overlay::Themes(Box::new(ThemePicker { offers, selected, before: self.look })));
    }

    /// Looks like this from now on; under the picker once that is closed without a choice.
    pub(super) fn look_like(&mut self, look: Look) {
        match &mut self.overlay {
            Some(Overlay::Themes(picker)) => picker.before = look,
            _ => self.look = look,
        }
    }

    pub(super) fn key_in_themes(&mut self, key: KeyEvent, mut picker: Box<ThemePicker>) -> Vec<Cmd> {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('c' | 'q') | KeyCode::Esc if control || key.code != KeyCode::Char('c') => {
                self.look = picker.before;
                return Vec::new();
            }
            KeyCode::Enter => match picker.offers.get(picker.selected) {
                Some(Offer { name, look: Ok(_), .. }) => return vec![Cmd::Theme(ThemeStep::Keep(name.clone()))],
                Some(Offer { look: Err(why), .. }) => self.toast(Severity::Warn, why.clone()),
                None => {}
            },
            KeyCode::Down | KeyCode::Char('j') => picker.select(picker.selected + 1),
            KeyCode::Up | KeyCode::Char('k') => picker.select(picker.selected.saturating_sub(1)),
            KeyCode::Home | KeyCode::Char('g') => picker.select(0),
            KeyCode::End | KeyCode::Char('G') => picker.select(usize::MAX),
            _ => {}
        }
        self.look = picker.preview();
        self.overlay = Some(Overlay::Themes(picker));
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Theme;
    use crate::protocol::Link;

    use super::super::ladder::ColourMode;
    use super::super::msg::Msg;
    use super::*;

    fn look(name: &str) -> Look {
        Look::new(&Theme::built_in(name).expect(name), ColourMode::True, false)
    }

    fn picking() -> App {
        let now = jiff::Timestamp::UNIX_EPOCH;
        let mut app = App::new(look("dark"), (80, 24), Link::Embedded, false, now);
        let offer = |name: &str| Offer { name: Some(name.into()), about: String::new(), look: Ok(look(name)) };
        let broken = Offer { look: Err("mine.toml:1:1: unknown field".into()), ..offer("dark") };
        app.update(Msg::Themes(vec![offer("terminal"), offer("dark"), offer("light"), broken]), now);
        app
    }

    fn press(app: &mut App, code: KeyCode) -> Vec<Cmd> {
        app.update(Msg::Key(KeyEvent::new(code, KeyModifiers::NONE)), jiff::Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn what_lies_under_the_cursor_is_shown_and_escape_reverts() {
        let mut app = picking();
        assert_eq!(app.look, look("dark"));
        press(&mut app, KeyCode::Down);
        assert_eq!(app.look, look("light"), "it began at the theme in force");
        press(&mut app, KeyCode::Home);
        assert_eq!(app.look, look("terminal"));
        assert_eq!(press(&mut app, KeyCode::Esc), []);
        assert_eq!(app.look, look("dark"));
        assert!(app.overlay.is_none());
    }

    #[test]
    fn enter_keeps_a_theme_that_can_be_used() {
        let mut app = picking();
        press(&mut app, KeyCode::Char('j'));
        assert_eq!(press(&mut app, KeyCode::Enter), [Cmd::Theme(ThemeStep::Keep(Some("light".into())))]);
        assert_eq!(app.look, look("light"));
        let mut app = picking();
        press(&mut app, KeyCode::End);
        assert_eq!(app.look, look("dark"), "a broken one shows nothing");
        assert_eq!(press(&mut app, KeyCode::Enter), []);
        assert!(app.toast.as_ref().is_some_and(|toast| toast.text.contains("mine.toml:1:1")));
    }

    #[test]
    fn a_theme_that_comes_meanwhile_is_there_after_escape() {
        let mut app = picking();
        press(&mut app, KeyCode::Home);
        app.update(Msg::Look(Ok(look("light"))), jiff::Timestamp::UNIX_EPOCH);
        assert_eq!(app.look, look("terminal"), "the preview stays");
        press(&mut app, KeyCode::Esc);
        assert_eq!(app.look, look("light"));
    }
}
