//! Keys where nothing is typed: one at a time, or the keys of a chord one after the other.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use jiff::{SignedDuration, Timestamp};

use crate::config::Key;
use crate::protocol::Severity;

use super::action::Action;
use super::app::App;
use super::keymap::{Found, written};
use super::keys;
use super::msg::Cmd;

/// After this long, whoever has begun a chord is told how it may go on. Who knows it has typed it by then.
const HESITATION: SignedDuration = SignedDuration::from_millis(400);

/// The keys of a chord that has no end yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pending {
    pub keys: Vec<Key>,
    since: Timestamp,
}

impl App {
    /// Takes a key for whatever has the focus.
    pub(super) fn press(&mut self, event: KeyEvent) -> Vec<Cmd> {
        let Some(key) = keys::key(event) else { return Vec::new() };
        let begun = self.pending.take();
        if begun.is_some() {
            if key == Key::ESC || key == Key::CTRL_C {
                return Vec::new();
            }
            if event.kind == KeyEventKind::Repeat {
                // The first key is still held down, and is no second one.
                self.pending = begun;
                return Vec::new();
            }
        }
        let known = begun.as_ref().filter(|begun| self.has_hesitated(begun)).map(|begun| begun.since);
        let mut pressed = begun.map(|begun| begun.keys).unwrap_or_default();
        pressed.push(key);
        match self.keymap.found(&self.contexts(), &pressed) {
            Found::Action(action) => return self.act(action),
            Found::Pending => self.pending = Some(Pending { keys: pressed, since: known.unwrap_or(self.now) }),
            Found::Nothing if pressed.len() == 1 && event.modifiers.contains(KeyModifiers::ALT) => {
                // An escape and a key that came together look like one key with Alt. Where that means nothing they
                // were two, and the line put them together.
                let escape = KeyEvent::new(KeyCode::Esc, KeyModifiers::NONE);
                let plain = KeyEvent { modifiers: event.modifiers - KeyModifiers::ALT, ..event };
                return [self.press(escape), self.key(plain)].concat();
            }
            Found::Nothing if pressed.len() > 1 => {
                self.toast(Severity::Info, format!("{} does nothing here", written(&pressed)));
            }
            Found::Nothing => {}
        }
        Vec::new()
    }

    /// The first key that does `action` here; `None` where only help and palette do.
    pub(super) fn key_of(&self, action: Action) -> Option<String> {
        let valid = self.keymap.valid(&self.contexts()).into_iter().find(|valid| valid.action == action)?;
        valid.chords.first().map(ToString::to_string)
    }

    /// The chord whoever hesitates is to be told about.
    pub(super) fn hesitates(&self) -> Option<&Pending> {
        self.pending.as_ref().filter(|pending| self.has_hesitated(pending))
    }

    fn has_hesitated(&self, pending: &Pending) -> bool {
        self.now.duration_since(pending.since) >= HESITATION
    }

    /// When the screen looks different without a key or news: then it wants a `Msg::Tick`. `None` is never.
    #[must_use]
    pub fn wakes_at(&self) -> Option<Timestamp> {
        let pending = self.pending.as_ref().filter(|pending| !self.has_hesitated(pending));
        let hesitates = pending.and_then(|pending| pending.since.checked_add(HESITATION).ok());
        let undo = self.undoable().map(|undo| undo.until);
        [hesitates, undo].into_iter().flatten().min()
    }
}

#[cfg(test)]
mod tests {
    use crossterm::event::{KeyCode, KeyModifiers};
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use crate::config::KeyMap;
    use crate::model::Role;
    use crate::protocol::Update;

    use super::super::action::View;
    use super::super::msg::Msg;
    use super::super::sample;
    use super::super::travel::History;
    use super::*;

    /// A screen whose engine is configured with these keys.
    fn app(lines: &[(&str, &str, &[&str])]) -> App {
        let mut snapshot = sample::snapshot();
        for (context, action, keys) in lines {
            let keys = keys.iter().map(ToString::to_string).collect();
            snapshot.config.keys.entry((*context).to_owned()).or_default().insert((*action).to_owned(), keys);
        }
        sample::app(snapshot, Role::Admin, false)
    }

    fn with_chords() -> App {
        app(&[("global", "go_inbox", &["g i", "3"]), ("global", "go_health", &["g h"]), ("list", "first", &["g g"])])
    }

    fn after(milliseconds: i64) -> Timestamp {
        sample::at(0).checked_add(SignedDuration::from_millis(milliseconds)).expect("in range")
    }

    fn event(key: &str) -> KeyEvent {
        let code = match key {
            "esc" => KeyCode::Esc,
            key => KeyCode::Char(key.chars().next().expect("a character")),
        };
        KeyEvent::new(code, KeyModifiers::NONE)
    }

    /// What a terminal sends for `key`.
    fn sent(key: Key) -> KeyEvent {
        let written = key.to_string();
        let (plain, modifiers) = match written.strip_prefix("ctrl-").or_else(|| written.strip_prefix("shift-")) {
            Some(plain) if written.starts_with("ctrl-") => (plain, KeyModifiers::CONTROL),
            Some(plain) => (plain, KeyModifiers::SHIFT),
            None => (written.as_str(), KeyModifiers::NONE),
        };
        let code = match plain {
            "enter" => KeyCode::Enter,
            "esc" => KeyCode::Esc,
            "tab" => KeyCode::Tab,
            "home" => KeyCode::Home,
            "end" => KeyCode::End,
            "pgup" => KeyCode::PageUp,
            "pgdn" => KeyCode::PageDown,
            "up" => KeyCode::Up,
            "down" => KeyCode::Down,
            "left" => KeyCode::Left,
            "right" => KeyCode::Right,
            "space" => KeyCode::Char(' '),
            f if f.len() > 1 => KeyCode::F(f[1..].parse().expect("a number")),
            c => KeyCode::Char(c.chars().next().expect("a character")),
        };
        let event = KeyEvent::new(code, modifiers);
        assert_eq!(keys::key(event), Some(key));
        event
    }

    fn press(app: &mut App, keys: &str, milliseconds: i64) -> Vec<Cmd> {
        keys.split(' ').flat_map(|key| app.update(Msg::Key(event(key)), after(milliseconds))).collect()
    }

    fn shows(app: &App, text: &str) -> bool {
        let mut terminal = Terminal::new(TestBackend::new(80, 24)).expect("a terminal");
        terminal.draw(|frame| app.draw(frame)).expect("draws");
        terminal.backend().to_string().contains(text)
    }

    #[test]
    fn a_chord_is_done_at_its_last_key_without_waiting() {
        let mut app = with_chords();
        press(&mut app, "g i", 0);
        assert_eq!(app.view, View::Inbox);
        assert_eq!(app.wakes_at(), None);
    }

    #[test]
    fn whoever_hesitates_is_shown_how_it_goes_on() {
        let mut app = with_chords();
        press(&mut app, "g", 0);
        assert_eq!(app.wakes_at(), Some(after(400)));
        app.update(Msg::Tick, after(399));
        assert!(!shows(&app, "go to Inbox"));
        app.update(Msg::Tick, after(400));
        assert!(shows(&app, "g and then") && shows(&app, "go to Inbox") && !shows(&app, "ctrl-l"), "{app:?}");
        assert_eq!(app.wakes_at(), None, "nothing is waited for any more");
        press(&mut app, "h", 9_000);
        assert_eq!(app.view, View::Health, "a chord has all the time in the world");
        assert!(!shows(&app, "go to Inbox"));
    }

    #[test]
    fn escape_leaves_a_chord_and_nothing_else() {
        let mut app = with_chords();
        press(&mut app, "3", 0);
        press(&mut app, "g esc", 0);
        assert_eq!((app.view, app.pending.is_none(), app.toast.is_none()), (View::Inbox, true, true));
        press(&mut app, "i", 0);
        assert_eq!(app.view, View::Inbox);
    }

    #[test]
    fn a_key_that_does_not_go_on_is_said() {
        let mut app = with_chords();
        press(&mut app, "g x", 0);
        assert_eq!(app.toast.as_ref().map(|toast| toast.text.as_str()), Some("g x does nothing here"));
        assert!(shows(&app, "g x does nothing here"));
        press(&mut app, "x", 0);
        assert!(app.toast.is_none(), "one key that does nothing is no news");
    }

    #[test]
    fn a_key_that_is_held_is_no_second_one() {
        let mut app = with_chords();
        press(&mut app, "3 g", 0);
        let held = KeyEvent::new_with_kind(KeyCode::Char('g'), KeyModifiers::NONE, KeyEventKind::Repeat);
        app.update(Msg::Key(held), after(50));
        assert!(app.pending.is_some());
    }

    #[test]
    fn keys_follow_the_engine_and_not_where_this_machine_has_its_own() {
        let mut app = app(&[("global", "go_inbox", &["ä"])]);
        press(&mut app, "3", 0);
        assert_eq!(app.view, View::Overview, "3 is no key any more");
        press(&mut app, "ä", 0);
        assert_eq!(app.view, View::Inbox);
        assert!(shows(&app, "3"));
        app.update(Msg::Update(Update::Snapshot(Box::new(sample::snapshot()))), after(0));
        press(&mut app, "1 3", 0);
        assert_eq!(app.view, View::Inbox, "a reload that takes the line away gives the key back");
        app.set_keys(
            &KeyMap::with(&[("global".into(), [("go_health".into(), vec!["x".into()])].into())].into()).expect("keys"),
        );
        app.update(Msg::Update(Update::Snapshot(Box::new(sample::snapshot()))), after(0));
        press(&mut app, "x", 0);
        assert_eq!(app.view, View::Health);
    }

    #[test]
    fn keys_of_an_engine_that_knows_more_are_refused_whole_and_said() {
        let app = app(&[("global", "fly", &["f"]), ("global", "go_inbox", &["ä"])]);
        let said = app.toast.as_ref().map(|toast| toast.text.clone()).unwrap_or_default();
        assert!(said.contains("unknown action `fly`"), "{said}");
        assert_eq!(app.keymap.overrides(), KeyMap::default().overrides());
    }

    #[test]
    fn footer_and_palette_name_the_keys_that_are_in_force() {
        let mut app = app(&[("global", "help", &["f1"]), ("global", "next_urgent", &["ctrl-x n"])]);
        assert!(shows(&app, "1 Overview 2 Channels 3 Inbox"), "the header names keys, too");
        assert!(shows(&app, "f1 help") && shows(&app, "ctrl-x n next") && !shows(&app, "? help"));
        press(&mut app, ":", 0);
        assert!(shows(&app, "ctrl-x n"));
        let app = self::app(&[("global", "go_channels", &["c"]), ("global", "go_inbox", &["g i"])]);
        assert!(shows(&app, "1 Overview c Channels Inbox 4 Nodes"));
    }

    #[test]
    fn a_key_right_behind_an_escape_confirms_nothing() {
        for (code, modifiers) in [
            (KeyCode::Char('s'), KeyModifiers::ALT),
            (KeyCode::Char('k'), KeyModifiers::ALT),
            (KeyCode::Char('s'), KeyModifiers::CONTROL),
        ] {
            let mut app = app(&[]);
            press(&mut app, "Q", 0);
            assert!(app.overlay.is_some());
            let asked = app.update(Msg::Key(KeyEvent::new(code, modifiers)), after(0));
            assert!(!asked.iter().any(|command| matches!(command, Cmd::Quit(_))), "{code:?} {modifiers:?}: {asked:?}");
        }
    }

    #[test]
    fn every_key_that_is_shown_does_what_it_says_in_every_view() {
        let at = |keys: &str| {
            let mut app = with_chords();
            press(&mut app, keys, 0);
            app.toast = None;
            app
        };
        let names = regex::Regex::new("act_[0-9a-f]{32}").expect("a pattern");
        for keys in ["1", "2", "3", "5", "5 !", "8"] {
            let app = at(keys);
            for valid in app.keymap.valid(&app.contexts()) {
                for chord in &valid.chords {
                    let (mut pressed, mut told) = (at(keys), at(keys));
                    let asked: Vec<Cmd> =
                        chord.keys().iter().flat_map(|key| pressed.update(Msg::Key(sent(*key)), after(0))).collect();
                    // Every act has a name of its own.
                    let unnamed = |asked: &[Cmd]| names.replace_all(&format!("{asked:?}"), "act").into_owned();
                    let ordered = told.act(valid.action);
                    assert_eq!(unnamed(&asked), unnamed(&ordered), "{chord} after {keys}");
                    told.update(Msg::Tick, after(0));
                    // Only what was pressed is a journey.
                    pressed.history = History::default();
                    told.history = History::default();
                    assert_eq!(format!("{pressed:?}"), format!("{told:?}"), "{chord} after {keys}");
                }
            }
        }
    }
}
