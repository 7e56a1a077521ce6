//! The tour of the demo: eight things to do on the real screens, each done by whoever learns it.
//!
//! A step is data: what it is about, what to do with which actions, and how the screen looks once that was done. The
//! keys are asked of the live map, so a step names what is really pressed.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::config::Context;
use crate::model::{JobState, Outcome};
use crate::protocol::Severity;

use super::action::{Action, View};
use super::app::App;
use super::keymap::Found;
use super::keys;
use super::msg::{Cmd, Overlay};

/// Rows of the band: its title and two lines of text.
const ROWS: u16 = 3;
/// From this size on there is room for the text; below it the band is one row.
const WITH_TEXT: (u16, u16) = (60, 16);
/// From this size on there is room for that row. A view needs the others.
const LEAST: (u16, u16) = (40, 11);

/// One thing to do.
pub(super) struct Step {
    pub title: &'static str,
    /// What to do and what it is good for; each `{}` stands for the key of an action.
    pub says: &'static str,
    /// The actions, in the order of their places, and where their keys count.
    pub keys: &'static [(Context, Action)],
    /// Whether the screen looks as it does once it was done.
    done: fn(&App) -> bool,
}

/// All of it, in order: what a shift is made of.
pub(super) const STEPS: [Step; 8] = [
    Step {
        title: "what needs you",
        says: "This is the Overview: what is wrong, and who waits. {} leads to the most urgent of it all, and {} again \
               to the next.",
        keys: &[(Context::Global, Action::Next), (Context::Global, Action::Next)],
        done: |app| app.round.has_begun(),
    },
    Step {
        title: "read a message and take it",
        says: "{} is the Inbox, what is unread first. {} opens a message; {} takes it, and everybody sees that it is \
               taken.",
        keys: &[
            (Context::Global, Action::Go(View::Inbox)),
            (Context::Inbox, Action::Open),
            (Context::Message, Action::Ack),
        ],
        done: |app| app.undo.is_some() && app.inbox.target().is_some_and(|target| target.acked),
    },
    Step {
        title: "undo",
        says: "{} undoes what you did last, for 10 seconds. Too late? {} gives the message back; then {} undoes that.",
        keys: &[(Context::Message, Action::Undo), (Context::Message, Action::Ack), (Context::Message, Action::Undo)],
        done: |app| app.undo.is_none(),
    },
    Step {
        title: "search",
        says: "{} looks through every message while you type. Type order, then press enter: that leads to the hits.",
        keys: &[(Context::Global, Action::Search)],
        done: |app| {
            let search = app.inbox.search.as_ref().filter(|search| !search.typing && !search.query().is_empty());
            search.is_some() && app.view == View::Inbox && app.inbox.list.selected().is_some()
        },
    },
    Step {
        title: "why is it red",
        says: "{} lists what is watched, the worst first. {} opens one: its cause, since when, and how its last day was.",
        keys: &[(Context::Global, Action::Go(View::Health)), (Context::Health, Action::Open)],
        done: |app| app.view == View::Health && app.health.open.is_some(),
    },
    Step {
        title: "run a command",
        says: "{} does anything by name. Type run web-1 uptime, press enter, then y: its first road is down, and \
               another carries it.",
        keys: &[(Context::Global, Action::Palette)],
        done: |app| app.view == View::Bridge && app.has_run(),
    },
    Step {
        title: "somebody waits for your yes",
        says: "{} has what nobody may run alone, to the last byte. {} says yes to exactly that, and y confirms it.",
        keys: &[(Context::Global, Action::Go(View::Approvals)), (Context::Approvals, Action::Grant)],
        done: App::has_said,
    },
    Step {
        title: "everything else",
        says: "{} lists all that can be done where you are, and does what you choose there. Whenever you are lost, \
               press {}.",
        keys: &[(Context::Global, Action::Help), (Context::Global, Action::Help)],
        done: |app| matches!(app.overlay, Some(Overlay::Help(_))),
    },
];

/// Where somebody is on the tour.
#[derive(Debug, Default)]
pub(super) struct Tour {
    /// The number of the step, from 0.
    pub at: usize,
    /// The screen did not look like the end of this step at some moment since it began: what was so before is not done.
    begun: bool,
    /// Rows of the terminal that are the tour's.
    pub rows: u16,
}

impl Tour {
    /// The step to be done.
    pub(super) fn step(&self) -> &'static Step {
        &STEPS[self.at.min(STEPS.len() - 1)]
    }
}

/// Rows the band has on a terminal of this size.
fn rows((columns, rows): (u16, u16)) -> u16 {
    let has = |least: (u16, u16)| columns >= least.0 && rows >= least.1;
    if has(WITH_TEXT) { ROWS } else { u16::from(has(LEAST)) }
}

impl App {
    /// Begins the tour.
    pub fn begin_tour(&mut self) {
        let size = self.terminal_size();
        self.tour = Some(Tour::default());
        self.fit(size);
    }

    /// Has a terminal of `size` from now on. The views have what the tour leaves of it.
    pub(super) fn fit(&mut self, size: (u16, u16)) {
        let taken = self.tour.as_mut().map_or(0, |tour| {
            tour.rows = rows(size);
            tour.rows
        });
        self.size = (size.0, size.1.saturating_sub(taken));
    }

    fn terminal_size(&self) -> (u16, u16) {
        (self.size.0, self.size.1 + self.tour.as_ref().map_or(0, |tour| tour.rows))
    }

    /// Goes on to the next step where this one was done.
    pub(super) fn go_on_tour(&mut self) {
        let Some(tour) = &self.tour else { return };
        let (is_done, begun) = ((tour.step().done)(self), tour.begun);
        if is_done && begun {
            self.next_of_tour();
        } else if let Some(tour) = self.tour.as_mut().filter(|_| !is_done) {
            tour.begun = true;
        }
    }

    /// Passes over a step, or leaves the tour.
    pub(super) fn act_on_tour(&mut self, action: Action) -> Vec<Cmd> {
        if action == Action::TourNext {
            self.next_of_tour();
        } else {
            self.end_tour();
        }
        Vec::new()
    }

    /// What `event` does to the tour where something else takes keys: a key that types nothing is the tour's there, too.
    pub(super) fn key_of_tour(&self, event: KeyEvent) -> Option<Action> {
        self.tour.as_ref()?;
        let types = !event.modifiers.contains(KeyModifiers::CONTROL) && !matches!(event.code, KeyCode::F(_));
        let key = keys::key(event).filter(|_| !types)?;
        match self.keymap.found(&[Context::Tour], &[key]) {
            Found::Action(action) => Some(action),
            Found::Pending | Found::Nothing => None,
        }
    }

    /// Goes on to the next step; after the last one the tour is over.
    fn next_of_tour(&mut self) {
        let Some(tour) = &mut self.tour else { return };
        tour.at += 1;
        tour.begun = false;
        if tour.at < STEPS.len() {
            return self.go_on_tour();
        }
        let key = |action| self.key_in(Context::Global, action);
        let told =
            format!("that was the tour; {} has other colours, {} leaves", key(Action::Themes), key(Action::Quit));
        self.end_tour();
        self.toast(Severity::Info, told);
    }

    /// Leaves the tour; the terminal is the views' again.
    fn end_tour(&mut self) {
        let size = self.terminal_size();
        self.tour = None;
        self.fit(size);
    }

    /// The key of `action` where `context` counts; its words behind the key of the palette where it has none.
    pub(super) fn key_in(&self, context: Context, action: Action) -> String {
        let contexts: Vec<Context> = context.outwards().collect();
        let first = |action: Action| {
            let valid = self.keymap.valid(&contexts).into_iter().find(|valid| valid.action == action)?;
            valid.chords.first().map(ToString::to_string)
        };
        first(action).unwrap_or_else(|| {
            let name = action.words().split(':').next().unwrap_or_default();
            first(Action::Palette).map_or_else(|| name.to_owned(), |palette| format!("{palette} {name}"))
        })
    }

    /// Whether the job that is open is this operator's, and ran to its end.
    fn has_run(&self) -> bool {
        let job = self.bridge.open_job().and_then(|open| open.job.as_deref());
        let me = self.identity.as_ref().map(|identity| &identity.operator);
        job.is_some_and(|job| matches!(job.state, JobState::Ended(Outcome::Done(_))) && Some(&job.by) == me)
    }

    /// Whether this operator has answered anything that waits for a yes.
    fn has_said(&self) -> bool {
        let (Some(snapshot), Some(me)) = (&self.snapshot, &self.identity) else { return false };
        snapshot.bridge.approvals.iter().flat_map(|approval| &approval.votes).any(|vote| vote.by == me.operator)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use crate::model::Role;
    use crate::protocol::Update;

    use super::super::msg::Msg;
    use super::super::sample;
    use super::*;

    fn app(size: (u16, u16)) -> App {
        let mut app = sample::app(sample::with_bridge(), Role::Admin, false);
        app.update(Msg::Resize(size.0, size.1), sample::at(0));
        app.begin_tour();
        app
    }

    fn press(app: &mut App, code: KeyCode, modifiers: KeyModifiers) {
        app.update(Msg::Key(KeyEvent::new(code, modifiers)), sample::at(0));
    }

    fn skip(app: &mut App) {
        press(app, KeyCode::Char('n'), KeyModifiers::CONTROL);
    }

    /// The rows of a terminal of `size`.
    fn rows(app: &App, size: (u16, u16)) -> Vec<String> {
        let mut terminal = Terminal::new(TestBackend::new(size.0, size.1)).expect("a terminal");
        terminal.draw(|frame| app.draw(frame)).expect("draws");
        let cells: Vec<&str> = terminal.backend().buffer().content.iter().map(ratatui::buffer::Cell::symbol).collect();
        cells.chunks(size.0.into()).map(|row| row.concat().trim_end().to_owned()).collect()
    }

    fn band(app: &App, size: (u16, u16)) -> String {
        let rows = rows(app, size);
        rows[rows.len() - usize::from(app.tour.as_ref().map_or(0, |tour| tour.rows))..].join("\n")
    }

    /// Other keys of the engine's configuration.
    fn remap(app: &mut App, context: &str, action: &str, keys: &[&str]) {
        let mut snapshot = sample::with_bridge();
        let keys = keys.iter().map(ToString::to_string).collect();
        snapshot.config.keys = BTreeMap::from([(context.to_owned(), BTreeMap::from([(action.to_owned(), keys)]))]);
        app.update(Msg::Update(Update::Snapshot(Box::new(snapshot))), sample::at(0));
    }

    #[test]
    fn every_step_fits_two_lines_of_sixty_columns_and_names_its_keys() {
        let mut app = app((60, 18));
        for (number, step) in (1..).zip(&STEPS) {
            let band = band(&app, (60, 18));
            assert!(band.contains(&format!("Tour {number} of 8: {}", step.title)), "{band}");
            assert!(band.contains("ctrl-n skips") && !band.contains('…'), "{band}");
            let (said, meant) = (band.split_whitespace().count(), step.says.split_whitespace().count());
            assert!(said > meant, "all of it: {band}");
            let places = step.says.matches("{}").count();
            assert_eq!(places, step.keys.len(), "{}", step.title);
            for (context, action) in step.keys {
                assert!(band.contains(&app.key_in(*context, *action)), "{action:?}: {band}");
            }
            skip(&mut app);
        }
    }

    #[test]
    fn whoever_skips_everything_or_leaves_has_the_whole_terminal_again() {
        let mut skipped = app((80, 24));
        assert_eq!((skipped.size, skipped.contexts().contains(&Context::Tour)), ((80, 21), true));
        (0..STEPS.len()).for_each(|_| skip(&mut skipped));
        assert!(skipped.tour.is_none());
        assert_eq!((skipped.size, skipped.contexts().contains(&Context::Tour)), ((80, 24), false));
        let said = skipped.toast.take().map(|toast| toast.text);
        assert_eq!(said.as_deref(), Some("that was the tour; ctrl-t has other colours, Q leaves"));
        skip(&mut skipped);
        assert!(skipped.toast.is_none(), "its keys are nobody's then");
        let mut left = app((80, 24));
        press(&mut left, KeyCode::Char('x'), KeyModifiers::CONTROL);
        assert_eq!((left.tour.is_none(), left.size), (true, (80, 24)));
    }

    #[test]
    fn a_step_is_done_by_doing_it_and_not_by_what_was_so_before() {
        let mut app = app((80, 24));
        let at = |app: &App| app.tour.as_ref().map(|tour| tour.at);
        press(&mut app, KeyCode::Char('5'), KeyModifiers::NONE);
        press(&mut app, KeyCode::Enter, KeyModifiers::NONE);
        assert_eq!(at(&app), Some(0), "another step is not this one");
        (0..4).for_each(|_| skip(&mut app));
        press(&mut app, KeyCode::Char('j'), KeyModifiers::NONE);
        assert_eq!(at(&app), Some(4), "a check was open before");
        press(&mut app, KeyCode::Char('5'), KeyModifiers::NONE);
        assert_eq!(at(&app), Some(4), "its list");
        press(&mut app, KeyCode::Enter, KeyModifiers::NONE);
        assert_eq!(at(&app), Some(5));
        (0..2).for_each(|_| skip(&mut app));
        press(&mut app, KeyCode::Char('?'), KeyModifiers::NONE);
        assert!(app.tour.is_none(), "help was the last");
    }

    #[test]
    fn the_keys_are_those_that_are_pressed() {
        let mut app = app((80, 24));
        remap(&mut app, "global", "next_urgent", &["ctrl-g"]);
        assert!(band(&app, (80, 24)).contains("waits. ctrl-g leads"), "{}", band(&app, (80, 24)));
        remap(&mut app, "global", "next_urgent", &[]);
        assert!(band(&app, (80, 24)).contains("waits. : next that needs somebody"), "{}", band(&app, (80, 24)));
        remap(&mut app, "tour", "tour_next", &["f5"]);
        assert!(band(&app, (80, 24)).contains("f5 skips, ctrl-x leaves"));
        press(&mut app, KeyCode::F(5), KeyModifiers::NONE);
        assert!(band(&app, (80, 24)).contains("Tour 2 of 8"));
    }

    #[test]
    fn a_key_that_types_nothing_skips_while_something_else_takes_keys() {
        let mut app = app((80, 24));
        press(&mut app, KeyCode::Char(':'), KeyModifiers::NONE);
        skip(&mut app);
        assert_eq!(app.tour.as_ref().map(|tour| tour.at), Some(1));
        assert!(matches!(app.overlay, Some(Overlay::Palette(_))));
        remap(&mut app, "tour", "tour_leave", &["w"]);
        press(&mut app, KeyCode::Char('w'), KeyModifiers::NONE);
        assert!(app.tour.is_some(), "a letter is typed");
        press(&mut app, KeyCode::Esc, KeyModifiers::NONE);
        press(&mut app, KeyCode::Char('w'), KeyModifiers::NONE);
        assert!(app.tour.is_none());
    }

    #[test]
    fn small_terminals_have_a_row_of_it_or_none_and_views_have_the_rest() {
        let mut app = app((80, 24));
        for (size, taken) in [((200, 60), 3), ((60, 16), 3), ((59, 24), 1), ((80, 15), 1), ((40, 11), 1), ((40, 10), 0)]
        {
            app.update(Msg::Resize(size.0, size.1), sample::at(0));
            assert_eq!(app.size, (size.0, size.1 - taken), "{size:?}");
            let rows = rows(&app, size);
            assert_eq!(rows.iter().any(|row| row.contains("Tour 1 of 8")), taken > 0, "{size:?}: {rows:#?}");
            assert!(taken != 1 || rows.last().is_some_and(|row| row.contains("(n n)") || size.0 < 50), "{rows:#?}");
        }
    }

    #[test]
    fn it_stays_as_it_is_while_nothing_is_done() {
        let mut app = app((80, 24));
        let before = band(&app, (80, 24));
        app.update(Msg::Tick, sample::at(300));
        assert_eq!(band(&app, (80, 24)), before);
    }
}
