//! Where a key or a paste goes: to what lies over the view, to a field, or to the key map.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use tui_textarea::TextArea;

use crate::model::NOTE_MAX;
use crate::protocol::Severity;

use super::action::{Action, View};
use super::app::App;
use super::msg::{Cmd, Overlay, Quit};
use super::view_picker::Step;

impl App {
    pub(super) fn key(&mut self, key: KeyEvent) -> Vec<Cmd> {
        if let Some(action) = self.key_of_tour(key) {
            return self.act(action);
        }
        let is_chosen = match &self.overlay {
            Some(Overlay::Views(picker)) => !matches!(picker.step, Step::Name(_)),
            Some(Overlay::Confirm(confirm)) => !confirm.has_note(),
            Some(overlay) => {
                use Overlay::{Bulk, Node, Problems, Quit, Themes};
                matches!(overlay, Quit | Bulk(_) | Problems(_) | Themes(_) | Node(_))
            }
            None => false,
        };
        if is_chosen && key.modifiers.contains(KeyModifiers::ALT) {
            // Escape and what came right behind it. Nothing here is done with alt, and much with a letter.
            let mut commands = self.key(KeyEvent::new(KeyCode::Esc, KeyModifiers::NONE));
            commands.extend(self.key(KeyEvent { modifiers: key.modifiers - KeyModifiers::ALT, ..key }));
            return commands;
        }
        match self.overlay.take() {
            Some(Overlay::Quit) => self.key_in_quit(key),
            Some(Overlay::Help(help)) => self.key_in_help(key, help),
            Some(Overlay::Palette(palette)) => self.key_in_palette(key, palette),
            Some(Overlay::Problems(drawer)) => self.key_in_drawer(key, drawer),
            Some(Overlay::Themes(picker)) => self.key_in_themes(key, picker),
            Some(Overlay::Dialog(dialog)) => self.key_in_dialog(key, dialog),
            Some(Overlay::Bulk(bulk)) => self.key_in_bulk(key, bulk),
            Some(Overlay::Note(note)) => self.key_in_note(key, note),
            Some(Overlay::Views(picker)) => self.key_in_views(key, picker),
            Some(Overlay::Run(dialog)) => self.key_in_run(key, dialog),
            Some(Overlay::Confirm(confirm)) => self.key_in_confirm(key, confirm),
            Some(Overlay::Node(dialog)) => self.key_in_node(key, dialog),
            Some(Overlay::Mark(dialog)) => self.key_in_mark(key, dialog),
            None => {
                if self.view == View::Inbox
                    && self.inbox.search.as_ref().is_some_and(|search| search.typing)
                    && let Some(commands) = self.key_in_search(key)
                {
                    return commands;
                }
                if let Some(commands) = self.key_in_field(key) {
                    return commands;
                }
                self.press(key)
            }
        }
    }

    pub(super) fn paste(&mut self, text: &str) -> Vec<Cmd> {
        if let Some(Overlay::Note(note)) = &mut self.overlay {
            let text = text.replace("\r\n", "\n").replace('\r', "\n");
            if note.text().len() + text.len() > NOTE_MAX {
                let pasted = text.len();
                self.toast(Severity::Warn, format!("{pasted} bytes were pasted; a note has {NOTE_MAX} at most"));
            } else {
                note.field.insert_str(text);
            }
            return Vec::new();
        }
        let text: String = text.chars().filter(|c| !c.is_control()).collect();
        if let Some(Overlay::Palette(palette)) = &mut self.overlay {
            palette.field.insert_str(text);
            palette.select(0);
        } else if let Some(Overlay::Help(help)) = &mut self.overlay {
            help.field.insert_str(text);
            help.selected = 0;
        } else if let Some(Overlay::Dialog(dialog)) = &mut self.overlay {
            dialog.field.insert_str(text);
            dialog.selected = 0;
        } else if let Some(Overlay::Views(picker)) = &mut self.overlay
            && let Step::Name(field) = &mut picker.step
        {
            field.insert_str(text);
        } else if self.overlay.is_some() || self.is_field() {
            self.paste_into_field(text);
        } else if self.view == View::Inbox
            && let Some(search) = self.inbox.search.as_mut().filter(|search| search.typing)
        {
            search.field.insert_str(text);
            let request = self.inbox.request();
            return self.rows(request);
        }
        Vec::new()
    }

    fn key_in_quit(&mut self, key: KeyEvent) -> Vec<Cmd> {
        let plain = !key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('s') if plain => vec![Cmd::Quit(Quit::StopEngine)],
            KeyCode::Char('k') if plain => vec![Cmd::Quit(Quit::KeepEngine)],
            KeyCode::Esc | KeyCode::Char('q' | 'c') => Vec::new(),
            _ => {
                self.overlay = Some(Overlay::Quit);
                Vec::new()
            }
        }
    }

    /// Keys while a search is typed; `None` where the key moves or opens as always.
    fn key_in_search(&mut self, key: KeyEvent) -> Option<Vec<Cmd>> {
        let search = self.inbox.search.as_mut()?;
        match key.code {
            KeyCode::Esc => Some(self.act(Action::Back)),
            KeyCode::Enter => {
                search.typing = false;
                Some(Vec::new())
            }
            KeyCode::Down => {
                search.typing = false;
                Some(self.act(Action::Down))
            }
            KeyCode::PageDown | KeyCode::PageUp | KeyCode::Up => None,
            KeyCode::Char('c' | 'z' | 'l') if key.modifiers.contains(KeyModifiers::CONTROL) => None,
            _ => {
                if !type_into(&mut search.field, key) {
                    return Some(Vec::new());
                }
                let request = self.inbox.request();
                Some(self.rows(request))
            }
        }
    }
}

/// Lets a field of one line take a key; answers whether its text changed.
pub(super) fn type_into(field: &mut TextArea<'static>, key: KeyEvent) -> bool {
    // A line break would make a second line that nobody sees.
    let breaks = matches!(key.code, KeyCode::Enter | KeyCode::Tab)
        || (matches!(key.code, KeyCode::Char('m' | 'j')) && key.modifiers.contains(KeyModifiers::CONTROL));
    !breaks && field.input(key)
}
