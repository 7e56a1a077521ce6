//! Keys and text that go into a field of the view itself: what narrows a list, and what is searched in lines.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::action::View;
use super::app::App;
use super::bridge::Opened;
use super::keying::type_into;
use super::msg::{Cmd, Overlay};

impl App {
    /// Whether a field of the view is typed into, the search of the inbox aside.
    pub(super) fn is_field(&self) -> bool {
        match self.view {
            View::Health => self.health.is_typing(),
            View::Bridge => self.bridge.is_typing(),
            View::Activity => self.activity.find.as_ref().is_some_and(|find| find.typing),
            _ => false,
        }
    }

    /// Takes a key where one of those fields is typed into; `None` where the key does what it always does.
    pub(super) fn key_in_field(&mut self, key: KeyEvent) -> Option<Vec<Cmd>> {
        match self.view {
            _ if !self.is_field() => None,
            View::Activity => self.key_in_find(key),
            View::Bridge if !self.bridge.is_filtering() => self.key_in_pane_find(key),
            _ => self.key_in_filter(key),
        }
    }

    /// Puts what was pasted into what lies over the view, else into a field of it.
    pub(super) fn paste_into_field(&mut self, text: String) {
        let field = match &mut self.overlay {
            Some(Overlay::Run(dialog)) => dialog.typing(),
            Some(Overlay::Mark(dialog)) => dialog.typing(),
            Some(Overlay::Node(dialog)) => dialog.typing(),
            Some(Overlay::Confirm(confirm)) if confirm.has_note() => Some(&mut confirm.note),
            // Nothing is typed there.
            Some(_) => None,
            None => match self.view {
                View::Health => Some(&mut self.health.filter.field),
                View::Bridge => match &mut self.bridge.open {
                    Some(Opened::Pane(open)) => {
                        open.find.as_mut().filter(|find| find.typing).map(|find| &mut find.field)
                    }
                    _ => Some(&mut self.bridge.filter.field),
                },
                _ => self.activity.find.as_mut().map(|find| &mut find.field),
            },
        };
        if let Some(field) = field {
            field.insert_str(text);
        }
    }

    fn key_in_filter(&mut self, key: KeyEvent) -> Option<Vec<Cmd>> {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        let filter = match self.view {
            View::Bridge => &mut self.bridge.filter,
            _ => &mut self.health.filter,
        };
        match key.code {
            KeyCode::Esc => return filter.clear().then(Vec::new),
            KeyCode::Enter => filter.typing = false,
            KeyCode::Down | KeyCode::Up | KeyCode::PageDown | KeyCode::PageUp => {
                filter.typing = false;
                return None;
            }
            KeyCode::Char('c' | 'z' | 'l') if control => return None,
            _ => drop(type_into(&mut filter.field, key)),
        }
        Some(Vec::new())
    }

    fn key_in_pane_find(&mut self, key: KeyEvent) -> Option<Vec<Cmd>> {
        let Some(Opened::Pane(open)) = &mut self.bridge.open else { return None };
        let find = open.find.as_mut()?;
        match key.code {
            KeyCode::Esc => open.find = None,
            KeyCode::Enter => return Some(self.pane_find()),
            KeyCode::Char('c' | 'z' | 'l') if key.modifiers.contains(KeyModifiers::CONTROL) => return None,
            _ => drop(type_into(&mut find.field, key)),
        }
        Some(Vec::new())
    }

    fn key_in_find(&mut self, key: KeyEvent) -> Option<Vec<Cmd>> {
        match key.code {
            KeyCode::Esc => self.activity.find = None,
            KeyCode::Enter => self.activity.end_typing(),
            KeyCode::Down | KeyCode::Up | KeyCode::PageDown | KeyCode::PageUp => {
                self.activity.end_typing();
                return None;
            }
            KeyCode::Char('c' | 'z' | 'l') if key.modifiers.contains(KeyModifiers::CONTROL) => return None,
            _ => {
                if let Some(find) = &mut self.activity.find {
                    type_into(&mut find.field, key);
                }
            }
        }
        Some(Vec::new())
    }
}
