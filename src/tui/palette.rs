//! The palette: everything that can be done, named and gone to, on one line.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use tui_textarea::TextArea;

use crate::config::Context;
use crate::protocol::{Severity, Verb};

use super::action::Action;
use super::app::App;
use super::choices::{Choice, Does};
use super::fuzzy;
use super::keying::type_into;
use super::keymap::{Keymap, Valid};
use super::known::Known;
use super::msg::{Cmd, Overlay};
use super::place::{PANE, Place};

/// What it costs to be named by an id and not by words: more than any words that fit.
const NAMED: u32 = 1_000;

/// One action that is valid somewhere, and the keys that do it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub action: Action,
    pub words: &'static str,
    pub keys: String,
}

/// Everything that can be done in `contexts`, each once.
pub(super) fn entries(keymap: &Keymap, contexts: &[Context]) -> Vec<Entry> {
    let entry = |valid: &Valid| Entry { action: valid.action, words: valid.action.words(), keys: valid.keys() };
    keymap.valid(contexts).iter().map(entry).collect()
}

/// The palette while it is open.
#[derive(Debug, Default)]
pub(super) struct Palette {
    pub field: TextArea<'static>,
    pub selected: usize,
    /// The line of what is selected. Rows come and go with what happens; an order is about the one that was seen.
    held: Option<String>,
    /// What was typed before a verb was taken that needs more.
    before: Option<String>,
    /// How far back in what was chosen before the line comes from; 0 when it was typed.
    recalled: usize,
}

/// A choice that fits what was typed.
#[derive(Debug)]
pub(super) struct Match {
    pub choice: Choice,
    /// The places of the letters that were meant, in characters of its words.
    pub meant: Vec<usize>,
}

impl Palette {
    /// What was typed.
    pub(super) fn line(&self) -> &str {
        self.field.lines().first().map_or("", String::as_str)
    }

    /// Whether panes are to be offered by their names, which have to be asked for.
    pub(super) fn names_panes(&self) -> bool {
        self.line().split_whitespace().next() == Some(PANE)
    }

    /// The palette with `line` typed already.
    pub(super) fn begun(line: &str) -> Self {
        let mut palette = Self::default();
        palette.set(line);
        palette
    }

    fn set(&mut self, line: &str) {
        self.field = TextArea::new(vec![line.to_owned()]);
        self.field.move_cursor(tui_textarea::CursorMove::End);
        self.select(0);
    }

    /// Selects a row by its number.
    pub(super) fn select(&mut self, index: usize) {
        (self.selected, self.held) = (index, None);
    }

    /// Where the selection stands among `matches`.
    pub(super) fn index(&self, matches: &[Match]) -> usize {
        let held = self.held.as_ref().and_then(|line| matches.iter().position(|found| found.choice.line == *line));
        held.unwrap_or(self.selected).min(matches.len().saturating_sub(1))
    }
}

impl App {
    /// What fits the line of `palette`, best first, and the verb whose argument is chosen. What was chosen lately comes
    /// before its equals.
    pub(super) fn matches(&self, palette: &Palette) -> (Vec<Match>, Option<&'static Verb>) {
        let mut choices = self.choices(palette.line());
        if choices.verb.is_none() {
            let known = self.snapshot.as_deref().map(Known::from).unwrap_or_default();
            for line in self.recent.lines() {
                if !choices.rest.iter().any(|choice| choice.line == line)
                    && let Ok(place) = Place::parse(line, &known)
                {
                    choices.rest.push(Choice::place(format!("go to {line}"), place));
                }
            }
        }
        let mut scored: Vec<(i64, Match)> = Vec::new();
        for choice in choices.rest {
            let fits = fuzzy::fit(&choices.typed, &choice.words);
            // An id that is typed in full fits, too, behind what fits by its words.
            let fits = fits.or_else(|| choice.line.ends_with(choices.typed.trim()).then(|| (NAMED, Vec::new())));
            let Some((cost, meant)) = fits else { continue };
            let known =
                self.recent.rank(&choice.line).map_or(0, |rank| 6 - i64::try_from(rank / 4).unwrap_or(6).min(5));
            scored.push((i64::from(cost) - known, Match { choice, meant }));
        }
        // Stable: among equals actions come first, then orders, places, things.
        scored.sort_by_key(|(cost, _)| *cost);
        let first = choices.first.map(|choice| Match { choice, meant: Vec::new() });
        let same = first.as_ref().map(|first| first.choice.line.clone());
        let rest = scored.into_iter().map(|(_, found)| found).filter(|found| same.as_ref() != Some(&found.choice.line));
        (first.into_iter().chain(rest).collect(), choices.verb)
    }

    pub(super) fn key_in_palette(&mut self, key: KeyEvent, mut palette: Box<Palette>) -> Vec<Cmd> {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        let mut matches = self.matches(&palette).0;
        let index = palette.index(&matches);
        match key.code {
            KeyCode::Char('c') if control => return Vec::new(),
            KeyCode::Esc => match palette.before.take() {
                Some(before) => palette.set(&before),
                // One step back, from an argument to the choice of a verb.
                None if self.choices(palette.line()).verb.is_some() => palette.set(""),
                None => return Vec::new(),
            },
            KeyCode::Enter => {
                if let Some(Match { choice, .. }) = matches.into_iter().nth(index) {
                    return self.choose(choice, palette);
                }
            }
            KeyCode::Tab => {
                if let Some(Match { choice, .. }) = matches.into_iter().nth(index) {
                    complete(&mut palette, &choice);
                }
            }
            KeyCode::Up if index == 0 => {
                if let Some(line) = self.recent.lines().nth(palette.recalled) {
                    palette.set(line);
                    palette.recalled += 1;
                }
            }
            KeyCode::Down => {
                palette.select((index + 1).min(matches.len().saturating_sub(1)));
            }
            KeyCode::Up => palette.select(index - 1),
            _ => {
                if type_into(&mut palette.field, key) {
                    palette.select(0);
                    palette.recalled = 0;
                }
            }
        }
        matches = self.matches(&palette).0;
        palette.held = matches.into_iter().nth(palette.selected).map(|found| found.choice.line);
        self.overlay = Some(Overlay::Palette(palette));
        Vec::new()
    }

    /// Does what was chosen; what cannot be done now says why, and what needs more is gone on with.
    fn choose(&mut self, choice: Choice, mut palette: Box<Palette>) -> Vec<Cmd> {
        if let Some(why) = choice.why {
            self.toast(Severity::Info, why);
            self.overlay = Some(Overlay::Palette(palette));
            return Vec::new();
        }
        if choice.does == Does::Continue {
            complete(&mut palette, &choice);
            self.overlay = Some(Overlay::Palette(palette));
            return Vec::new();
        }
        self.recent.note(&choice.line);
        let mut commands = match choice.does {
            Does::Act(action) => self.act(action),
            Does::Go(place) => self.go_to_place(place),
            Does::Order(request) => vec![Self::give(choice.line, request)],
            Does::Confirm(request) => self.confirm_bridge(request),
            Does::Say(act) => self.confirm_person(act),
            Does::Continue | Does::Tell => Vec::new(),
        };
        commands.extend(self.remember());
        commands
    }
}

/// Puts what stands for `choice` into the line.
fn complete(palette: &mut Palette, choice: &Choice) {
    if choice.does == Does::Continue && palette.before.is_none() {
        palette.before = Some(palette.line().to_owned());
    }
    palette.set(&choice.line);
}

#[cfg(test)]
mod tests {
    use crossterm::event::KeyEvent;
    use proptest::prelude::*;

    use crate::model::Role;
    use crate::protocol::{Reply, Request};

    use super::super::desk::DeskPurpose;
    use super::super::msg::{Msg, Purpose};
    use super::super::sample;
    use super::*;

    fn press(app: &mut App, code: KeyCode) -> Vec<Cmd> {
        app.update(Msg::Key(KeyEvent::new(code, KeyModifiers::NONE)), sample::at(0))
    }

    fn typed(app: &mut App, line: &str) {
        for c in line.chars() {
            press(app, KeyCode::Char(c));
        }
    }

    /// The screen with the palette open over the view of `key`, and `line` typed.
    fn open(key: char, line: &str, role: Role) -> App {
        let mut app = sample::app(sample::with_bridge(), role, false);
        typed(&mut app, &format!("{key}:{line}"));
        app
    }

    fn palette(app: &App) -> &Palette {
        match &app.overlay {
            Some(Overlay::Palette(palette)) => palette,
            other => panic!("no palette is open but {other:?}"),
        }
    }

    fn offered(app: &App) -> Vec<String> {
        app.matches(palette(app)).0.into_iter().map(|found| found.choice.words).collect()
    }

    #[test]
    fn everything_that_is_offered_does_something_or_says_why_not() {
        for key in ['1', '2', '3', '5', '6', '7', '8'] {
            for line in [
                "",
                "e",
                "re",
                "inbox ",
                "restart ",
                "ack ",
                "label ",
                "vip ",
                "merge ",
                "split ",
                "check now ",
                "health /w",
                "helth /w",
                "web",
                "run ",
                "resolve ",
                "grant ",
            ] {
                for role in [Role::Viewer, Role::Admin] {
                    let count = app_matches(key, line, role);
                    for index in 0..count {
                        let mut app = open(key, line, role);
                        if let Some(Overlay::Palette(palette)) = &mut app.overlay {
                            palette.select(index);
                        }
                        let choice = app.matches(palette(&app)).0.swap_remove(index).choice;
                        app.toast = None;
                        let before = format!("{:?}", app.here());
                        let asked = press(&mut app, KeyCode::Enter);
                        let asks = asked.iter().any(|command| !matches!(command, Cmd::Remember(..)));
                        let said = app.toast.as_ref().map(|toast| toast.text.clone());
                        match choice.why.clone() {
                            Some(why) => {
                                assert!(asked.is_empty() && app.overlay.is_some(), "{choice:?}");
                                assert_eq!(said, Some(why));
                            }
                            None => {
                                let moved =
                                    format!("{:?}", app.here()) != before || app.overlay.is_some() || app.is_typing();
                                let is_move = matches!(&choice.does, Does::Act(action) if is_silent(*action));
                                let is_here = matches!(&choice.does, Does::Go(place) if *place == app.here().place);
                                assert!(
                                    asks || said.is_some() || moved || is_move || is_here,
                                    "{key} {line:?} {choice:?}"
                                );
                            }
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn the_letters_that_begin_its_words_find_it_first() {
        assert_eq!(offered(&open('1', "gti", Role::Admin)).first().map(String::as_str), Some("go to Inbox"));
    }

    fn app_matches(key: char, line: &str, role: Role) -> usize {
        let app = open(key, line, role);
        app.matches(palette(&app)).0.len()
    }

    /// What may lead nowhere at the end of a list, and what only draws.
    fn is_silent(action: Action) -> bool {
        use Action::{
            Down, First, Last, PageDown, PageUp, Pick, PickAll, PickRange, ToggleFigures, Unzoom, Up, Utc, Zoom,
        };
        let moves = matches!(action, Down | Up | PageDown | PageUp | First | Last);
        moves || matches!(action, ToggleFigures | Pick | PickAll | PickRange | Zoom | Unzoom | Utc)
    }

    #[test]
    fn an_order_is_about_what_was_selected_whatever_comes_before_it() {
        let mut app = open('1', "ack ", Role::Admin);
        press(&mut app, KeyCode::Down);
        let seen = app.matches(palette(&app)).0.swap_remove(1).choice.line;
        let mut snapshot = sample::snapshot();
        snapshot.inbox.insert(0, sample::row(9, false));
        app.snapshot = Some(Box::new(snapshot));
        assert_ne!(app.matches(palette(&app)).0.swap_remove(1).choice.line, seen, "it stands elsewhere by now");
        let asked = press(&mut app, KeyCode::Enter);
        let ordered = asked.iter().any(|command| match command {
            Cmd::Ask(Purpose::Desk(DeskPurpose::Act(..)), Request::Act { on, .. }) => {
                seen.ends_with(&on[0].to_string())
            }
            _ => false,
        });
        assert!(ordered, "{seen}: {asked:?}");
    }

    #[test]
    fn an_act_that_needs_more_is_chosen_in_three_steps() {
        let mut app = open('1', "snooze ", Role::Operator);
        assert_eq!(press(&mut app, KeyCode::Enter), [], "it needs a time");
        let line = palette(&app).line().to_owned();
        assert!(line.starts_with("snooze msg_") && line.ends_with(' '), "{line}");
        assert_eq!(offered(&app)[..2], ["1h", "4h"]);
        typed(&mut app, "until-r");
        let asked = press(&mut app, KeyCode::Enter);
        let until = crate::model::Act::Snooze(crate::model::Snooze::Reply);
        assert!(
            matches!(asked.first(), Some(Cmd::Ask(_, Request::Act { act, on, seen: Some(0), .. })) if *act == until && on.len() == 1),
            "{asked:?}"
        );
        let mut app = open('1', "label msg_01a1fbc1535071810000000000000001 late", Role::Operator);
        let asked = press(&mut app, KeyCode::Enter);
        let Some(Cmd::Ask(purpose, Request::Act { id, .. })) = asked.first() else { panic!("{asked:?}") };
        let acted = crate::model::Acted { id: *id, changed: 1, unknown: 0, full: 0, more: false };
        app.update(Msg::Reply(purpose.clone(), Ok(Reply::Acted(acted))), sample::at(0));
        assert!(app.undoable().is_some(), "an order can be undone as a key can");
    }

    #[test]
    fn places_are_typed_as_they_are_written() {
        let mut app = open('1', "inbox unread vip", Role::Viewer);
        assert_eq!(offered(&app)[0], "go to inbox unread vip");
        assert!(press(&mut app, KeyCode::Enter).iter().any(|command| matches!(command, Cmd::Ask(Purpose::Rows(_), _))));
        assert_eq!(app.here().place.to_string(), "inbox unread vip");
        let mut app = open('1', "health /tls @hub-2", Role::Viewer);
        assert!(offered(&app)[0].starts_with("health /tls @hub-2"), "{:?}", offered(&app));
        press(&mut app, KeyCode::Enter);
        assert!(app.toast.as_ref().is_some_and(|toast| toast.text.contains("no node is called `hub-2`")));
        assert!(app.overlay.is_some(), "the line can be mended");
    }

    #[test]
    fn an_argument_is_chosen_in_a_second_step_and_esc_goes_back_one() {
        let mut app = open('1', "rest", Role::Operator);
        let index = offered(&app).iter().position(|words| words.starts_with("restart TASK")).expect("the verb");
        for _ in 0..index {
            press(&mut app, KeyCode::Down);
        }
        press(&mut app, KeyCode::Tab);
        assert_eq!(palette(&app).line(), "restart ");
        assert_eq!(offered(&app), ["listener 127.0.0.1:9296: running", "search: waiting"]);
        press(&mut app, KeyCode::Esc);
        assert_eq!(palette(&app).line(), "rest");
        press(&mut app, KeyCode::Esc);
        assert!(app.overlay.is_none());
        let mut app = open('1', "restart sea", Role::Operator);
        let asked = press(&mut app, KeyCode::Enter);
        let order = Cmd::Ask(Purpose::Order("restart search".into()), Request::RestartTask("search".into()));
        assert_eq!(asked.first(), Some(&order));
        app.update(Msg::Reply(Purpose::Order("restart search".into()), Ok(Reply::Done)), sample::at(0));
        assert_eq!(app.toast.as_ref().map(|toast| toast.text.as_str()), Some("search is started again"));
    }

    #[test]
    fn a_viewer_sees_the_order_and_why_it_cannot_be_given() {
        let app = open('1', "restart search", Role::Viewer);
        let found = app.matches(palette(&app)).0;
        let why = found[0].choice.why.as_deref();
        assert_eq!(why, Some("this needs the role operator; anna has the role viewer"));
    }

    #[test]
    fn what_was_chosen_comes_first_and_up_brings_it_back() {
        let mut app = open('1', "inbox vip", Role::Viewer);
        press(&mut app, KeyCode::Enter);
        press(&mut app, KeyCode::Char(':'));
        assert_eq!(offered(&app)[0], "go to inbox vip");
        press(&mut app, KeyCode::Up);
        assert_eq!(palette(&app).line(), "inbox vip");
        app.update(Msg::Paste(" unread\n:q\u{1b}".into()), sample::at(0));
        assert_eq!(palette(&app).line(), "inbox vip unread:q", "what is pasted is text");
    }

    #[test]
    fn a_thing_is_found_by_its_name() {
        for (line, first) in [
            ("web", "check web: critical"),
            ("shop", "channel shop: 2 unread"),
            ("subject 2", "message by Sender 2: Subject 2"),
        ] {
            assert_eq!(offered(&open('1', line, Role::Viewer))[0], first);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn whatever_is_typed_the_palette_stands(line in "[a-z/:@! é]{0,12}", keys in "[udte]{0,8}") {
            let mut app = open('5', &line, Role::Admin);
            for key in keys.chars() {
                press(&mut app, match key { 'u' => KeyCode::Up, 'd' => KeyCode::Down, 't' => KeyCode::Tab, _ => KeyCode::Enter });
                if let Some(Overlay::Palette(palette)) = &app.overlay {
                    let shown = app.matches(palette).0.len();
                    prop_assert!(palette.selected == 0 || palette.selected < shown);
                }
            }
        }
    }
}
