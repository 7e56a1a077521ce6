//! Help while it is open: what can be done now, to be searched and to be done.

use crossterm::event::{KeyCode, KeyEvent};
use tui_textarea::TextArea;

use crate::config::Key;
use crate::protocol::Severity;

use super::action::Action;
use super::app::App;
use super::keying::type_into;
use super::keymap::Valid;
use super::keys;
use super::list::moved;
use super::msg::{Cmd, Overlay};

/// Help while it is open. Its rows are asked of the screen each time, as what is below it may change.
#[derive(Debug, Default)]
pub(super) struct Help {
    pub field: TextArea<'static>,
    pub selected: usize,
}

impl Help {
    /// What is searched for.
    pub(super) fn typed(&self) -> &str {
        self.field.lines().first().map_or("", String::as_str)
    }
}

/// How well `valid` answers to what was typed; less is better, `None` is not at all.
///
/// A key has to be written in full, as `R` and `r` are two. Of words each has to be somewhere in the row.
fn rank(typed: &str, valid: &Valid) -> Option<usize> {
    let typed = typed.trim();
    if valid.chords.iter().any(|chord| chord.to_string() == typed) {
        return Some(0);
    }
    let (keys, name, words) = (valid.keys().to_lowercase(), valid.action.name(), valid.action.words().to_lowercase());
    let mut worst = 1;
    for word in typed.to_lowercase().split_whitespace() {
        let begins = |text: &str| text.split([' ', '_']).any(|part| part.starts_with(word));
        if begins(name) || begins(&words) {
            continue;
        }
        if !(keys.contains(word) || name.contains(word) || words.contains(word)) {
            return None;
        }
        worst = 2;
    }
    Some(worst)
}

impl App {
    /// The rows of `help`, best first: everything that is valid where it was opened, and answers to what was typed.
    pub(super) fn help_rows(&self, help: &Help) -> Vec<Valid> {
        let valid = self.keymap.valid(&self.contexts()).into_iter();
        let mut ranked: Vec<(usize, Valid)> =
            valid.filter_map(|valid| Some((rank(help.typed(), &valid)?, valid))).collect();
        ranked.sort_by_key(|(rank, _)| *rank);
        ranked.into_iter().map(|(_, valid)| valid).collect()
    }

    pub(super) fn key_in_help(&mut self, event: KeyEvent, mut help: Box<Help>) -> Vec<Cmd> {
        if keys::key(event).is_some_and(|key| key == Key::ESC || key == Key::CTRL_C) {
            return Vec::new();
        }
        let rows = self.help_rows(&help);
        let action = match event.code {
            KeyCode::Enter => {
                let Some(row) = rows.get(help.selected) else {
                    self.overlay = Some(Overlay::Help(help));
                    return Vec::new();
                };
                // Help lies over the context it was opened from, so this is what the key would do there.
                let Some(why) = self.why_not(row.action) else { return self.act(row.action) };
                self.toast(Severity::Info, why);
                None
            }
            KeyCode::Down => Some(Action::Down),
            KeyCode::Up => Some(Action::Up),
            KeyCode::PageDown => Some(Action::PageDown),
            KeyCode::PageUp => Some(Action::PageUp),
            _ => {
                if type_into(&mut help.field, event) {
                    help.selected = 0;
                }
                None
            }
        };
        // The frame around the rows and the field above them take three.
        let page = self.list_height().saturating_sub(2);
        let to = action.and_then(|action| moved(action, help.selected, rows.len(), page));
        help.selected = to.unwrap_or(help.selected);
        self.overlay = Some(Overlay::Help(help));
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use crossterm::event::KeyModifiers;

    use crate::model::Role;
    use crate::protocol::{Request, Snapshot};

    use super::super::action::View;
    use super::super::msg::Msg;
    use super::super::{Purpose, sample};
    use super::*;

    fn press(app: &mut App, keys: &str) -> Vec<Cmd> {
        let mut commands = Vec::new();
        for c in keys.chars() {
            let code = match c {
                '\n' => KeyCode::Enter,
                '\u{1b}' => KeyCode::Esc,
                '↓' => KeyCode::Down,
                c => KeyCode::Char(c),
            };
            commands = app.update(Msg::Key(KeyEvent::new(code, KeyModifiers::NONE)), sample::at(0));
        }
        commands
    }

    fn app(snapshot: Snapshot, role: Role, keys: &str) -> App {
        let mut app = sample::app(snapshot, role, false);
        press(&mut app, keys);
        app
    }

    fn rows(app: &App) -> Vec<Valid> {
        let Some(Overlay::Help(help)) = &app.overlay else { panic!("help is open") };
        app.help_rows(help)
    }

    #[test]
    fn a_row_is_found_by_key_by_name_and_by_plain_words() {
        let found = |typed: &str| {
            let app = app(sample::snapshot(), Role::Admin, &format!("8\t\t?{typed}").replace('\t', "↓"));
            rows(&app).first().map(|row| row.action)
        };
        assert_eq!(found("ctrl-r"), Some(Action::Reload));
        assert_eq!(found("next_urg"), Some(Action::Next));
        assert_eq!(found("needs somebody"), Some(Action::Next));
        assert_eq!(found("somebody NEEDS"), Some(Action::Next));
        assert_eq!(found("G"), Some(Action::Last));
        assert_eq!(found("g"), Some(Action::First), "the key itself comes before words with a g");
        assert_eq!(found("zzz"), None);
    }

    #[test]
    fn help_lists_what_dispatches_and_all_of_it_in_every_view() {
        for keys in ["1", "2", "3", "5", "5\n", "8"] {
            let mut app = app(sample::snapshot(), Role::Admin, keys);
            let contexts = app.contexts();
            press(&mut app, "?");
            let listed = rows(&app);
            for valid in &listed {
                for chord in &valid.chords {
                    let found = app.keymap.found(&contexts, chord.keys());
                    assert_eq!(found, super::super::keymap::Found::Action(valid.action), "{chord} after {keys:?}");
                }
            }
            let all = app.keymap.valid(&contexts);
            assert_eq!(listed, all, "nothing is missing after {keys:?}");
        }
    }

    #[test]
    fn enter_does_what_the_key_does_where_help_was_opened() {
        let mut by_help = app(sample::snapshot(), Role::Admin, "5");
        assert_eq!(press(&mut by_help, "?look at the check"), []);
        let asked = press(&mut by_help, "\n");
        let mut by_key = app(sample::snapshot(), Role::Admin, "5");
        assert_eq!(asked, press(&mut by_key, "r"));
        assert!(matches!(asked[..], [Cmd::Ask(Purpose::Look(_), Request::CheckNow(_))]), "{asked:?}");
        assert!(by_help.overlay.is_none());
        let mut app = app(sample::snapshot(), Role::Admin, "?health\n");
        assert_eq!(app.view, View::Health);
        press(&mut app, "?quit\n");
        assert!(matches!(app.overlay, Some(Overlay::Quit)));
    }

    #[test]
    fn what_cannot_be_done_says_why_and_help_stays() {
        let mut app = app(sample::empty(), Role::Admin, "3?ack");
        assert_eq!(press(&mut app, "\n"), []);
        assert_eq!(app.toast.as_ref().map(|toast| toast.text.as_str()), Some("no message is selected"));
        assert!(matches!(app.overlay, Some(Overlay::Help(_))));
    }

    #[test]
    fn letters_are_typed_and_escape_closes() {
        let mut app = app(sample::snapshot(), Role::Admin, "3?qj?");
        let Some(Overlay::Help(help)) = &app.overlay else { panic!("help is open") };
        assert_eq!(help.typed(), "qj?");
        assert_eq!(press(&mut app, "\n"), [], "nothing is called so");
        assert!(app.overlay.is_some());
        press(&mut app, "\u{1b}");
        assert!(app.overlay.is_none());
        assert_eq!(app.view, View::Inbox);
    }

    #[test]
    fn the_selection_stays_within_the_rows() {
        let mut app = app(sample::snapshot(), Role::Admin, "?");
        let all = rows(&app).len();
        press(&mut app, &"↓".repeat(all + 5));
        let selected = |app: &App| if let Some(Overlay::Help(help)) = &app.overlay { help.selected } else { 0 };
        assert_eq!(selected(&app), all - 1);
        press(&mut app, "p");
        assert_eq!(selected(&app), 0, "what was typed begins at the best");
    }
}
