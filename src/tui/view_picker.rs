//! Saved views on the screen: a picker with their counts, going to one, keeping the current query, forgetting one.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use tui_textarea::TextArea;

use crate::model::{SavedView, nearest, view_name};
use crate::protocol::{Request, Severity};

use super::app::App;
use super::desk::DeskPurpose;
use super::keying::type_into;
use super::msg::{Cmd, Overlay, Purpose};
use super::place::Place;

/// What the picker asks for.
#[derive(Debug)]
pub(super) enum Step {
    /// A view.
    Choose,
    /// The name for the query that is kept.
    Name(Box<TextArea<'static>>),
    /// Whether the view of this name is to be forgotten.
    Delete(String),
}

/// The picker while it is open.
#[derive(Debug)]
pub(super) struct ViewPicker {
    /// The views there are; `None` until they have come.
    pub views: Option<Vec<SavedView>>,
    pub selected: usize,
    pub step: Step,
    /// What the list showed when the picker was opened. It is what a name is given to.
    pub query: String,
}

impl ViewPicker {
    /// The views as far as they are known.
    pub(super) fn views(&self) -> &[SavedView] {
        self.views.as_deref().unwrap_or_default()
    }

    /// What was typed as a name.
    pub(super) fn typed(&self) -> &str {
        match &self.step {
            Step::Name(field) => field.lines().first().map_or("", String::as_str),
            Step::Choose | Step::Delete(_) => "",
        }
    }

    /// What is to be known of the name that was typed: why it cannot be one, or which query it takes the place of.
    pub(super) fn warning(&self) -> Option<String> {
        let typed = self.typed();
        if typed.trim().is_empty() {
            return None;
        }
        match view_name(typed) {
            Err(error) => Some(error.to_string()),
            Ok(name) => {
                let known = self.views().iter().find(|view| is_called(view, &name))?;
                Some(format!("takes the place of {}: {}", known.name, known.query))
            }
        }
    }

    /// Takes the views as they are now; what was selected stays so.
    fn take(&mut self, views: Vec<SavedView>) {
        let name = self.views().get(self.selected).map(|view| view.name.clone());
        let at = name.and_then(|name| views.iter().position(|view| view.name == name));
        self.selected = at.unwrap_or(self.selected).min(views.len().saturating_sub(1));
        self.views = Some(views);
    }

    fn select(&mut self, to: usize) {
        self.selected = to.min(self.views().len().saturating_sub(1));
    }
}

/// Whether `view` is meant by `name`, however it is written.
fn is_called(view: &SavedView, name: &str) -> bool {
    let (known, name) = (view.name.split_whitespace(), name.split_whitespace());
    known.map(str::to_lowercase).eq(name.map(str::to_lowercase))
}

fn ask() -> Cmd {
    Cmd::Ask(Purpose::Desk(DeskPurpose::Views), Request::Views)
}

impl App {
    /// Opens the picker. The counts come with the answer.
    pub(super) fn pick_view(&mut self) -> Vec<Cmd> {
        let query = self.inbox.listed().to_string();
        let picker = ViewPicker { views: None, selected: 0, step: Step::Choose, query };
        self.overlay = Some(Overlay::Views(Box::new(picker)));
        vec![ask()]
    }

    /// Asks which views there are where they are offered and nobody has heard of them yet.
    pub(super) fn know_views(&self) -> Vec<Cmd> {
        if self.inbox.views.is_empty() { vec![ask()] } else { Vec::new() }
    }

    /// The views are others now.
    pub(super) fn views_changed(&mut self) -> Vec<Cmd> {
        self.inbox.views.clear();
        let is_shown = self.inbox.saved.is_some() || matches!(self.overlay, Some(Overlay::Views(_)));
        if is_shown { vec![ask()] } else { Vec::new() }
    }

    /// Goes to the view `name`, once it is clear what it is.
    pub(super) fn go_to_view(&mut self, name: String) -> Vec<Cmd> {
        if self.inbox.search.is_none() && self.inbox.saved.as_ref().is_some_and(|saved| saved.name == name) {
            return Vec::new();
        }
        self.inbox.awaited = Some(name.clone());
        vec![Cmd::Ask(Purpose::Desk(DeskPurpose::GoView(name)), Request::Views)]
    }

    /// Takes the views: for whoever picks one, and for the list that shows one.
    pub(super) fn take_views(&mut self, views: Vec<SavedView>) -> Vec<Cmd> {
        self.inbox.views.clone_from(&views);
        if let Some(Overlay::Views(picker)) = &mut self.overlay {
            picker.take(views);
        }
        let Some(saved) = self.inbox.saved.clone() else { return Vec::new() };
        let known = self.inbox.views.iter().find(|view| view.name == saved.name).cloned();
        match known {
            Some(view) if view.query == saved.query => Vec::new(),
            Some(view) => self.show_view(&view),
            None => {
                self.toast(Severity::Warn, format!("the view {} is no more; this is everything", saved.name));
                self.inbox.saved = None;
                let request = self.inbox.request();
                self.rows(request)
            }
        }
    }

    /// Shows the view `name` of `views`, if whoever asked still waits for it.
    pub(super) fn found_view(&mut self, name: &str, views: Vec<SavedView>) -> Vec<Cmd> {
        self.inbox.views = views;
        if self.inbox.awaited.take_if(|awaited| awaited == name).is_none() {
            return Vec::new();
        }
        if let Some(view) = self.inbox.views.iter().find(|view| is_called(view, name)).cloned() {
            return self.show_view(&view);
        }
        let near = nearest(name, self.inbox.views.iter().map(|view| view.name.as_str()));
        let meant = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
        self.toast(Severity::Warn, format!("no view is called {name}{meant}"));
        Vec::new()
    }

    fn show_view(&mut self, view: &SavedView) -> Vec<Cmd> {
        match self.inbox.show_view(view) {
            Ok(()) => {
                self.view = super::action::View::Inbox;
                let request = self.inbox.request();
                self.rows(request)
            }
            Err(error) => {
                self.toast(Severity::Crit, format!("the view {} cannot be read: {error}", view.name));
                Vec::new()
            }
        }
    }

    // Keys

    pub(super) fn key_in_views(&mut self, key: KeyEvent, mut picker: Box<ViewPicker>) -> Vec<Cmd> {
        let leaves =
            key.code == KeyCode::Esc || key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
        let done = match std::mem::replace(&mut picker.step, Step::Choose) {
            Step::Choose if leaves || key.code == KeyCode::Char('q') => return Vec::new(),
            // One step back.
            Step::Name(_) | Step::Delete(_) if leaves => None,
            Step::Choose => self.choose_view(key, &mut picker),
            Step::Name(field) => name_view(key, field, &mut picker),
            Step::Delete(name) => match key.code {
                KeyCode::Char('y') => {
                    let purpose = Purpose::Desk(DeskPurpose::DeleteView(name.clone()));
                    Some(vec![Cmd::Ask(purpose, Request::DeleteView(name))])
                }
                KeyCode::Char('n') => None,
                _ => {
                    picker.step = Step::Delete(name);
                    None
                }
            },
        };
        if done.is_none() {
            self.overlay = Some(Overlay::Views(picker));
        }
        done.unwrap_or_default()
    }

    /// A key while a view is chosen; `None` where the picker stays.
    fn choose_view(&mut self, key: KeyEvent, picker: &mut ViewPicker) -> Option<Vec<Cmd>> {
        let selected = picker.views().get(picker.selected).cloned();
        match (key.code, selected) {
            (KeyCode::Enter, Some(view)) => return Some(self.go_to_place(Place::View(view.name))),
            (KeyCode::Down | KeyCode::Char('j'), _) => picker.select(picker.selected + 1),
            (KeyCode::Up | KeyCode::Char('k'), _) => picker.select(picker.selected.saturating_sub(1)),
            (KeyCode::Home | KeyCode::Char('g'), _) => picker.select(0),
            (KeyCode::End | KeyCode::Char('G'), _) => picker.select(usize::MAX),
            (KeyCode::Char('s'), _) => match self.no_saving(&picker.query) {
                Some(why) => self.toast(Severity::Info, why),
                None => picker.step = Step::Name(Box::default()),
            },
            (KeyCode::Char('d'), Some(view)) => match self.no_deleting(&view) {
                Some(why) => self.toast(Severity::Info, why),
                None => picker.step = Step::Delete(view.name),
            },
            _ => {}
        }
        None
    }

    fn no_saving(&self, query: &str) -> Option<String> {
        if query.is_empty() {
            return Some("the list shows everything: search or filter first, then give that a name".to_owned());
        }
        self.denied(&Request::SaveView { name: String::new(), query: query.to_owned() })
    }

    fn no_deleting(&self, view: &SavedView) -> Option<String> {
        if view.builtin {
            return Some(format!("the view {} is always there", view.name));
        }
        self.denied(&Request::DeleteView(view.name.clone()))
    }
}

/// A key while a name is typed; `None` where the picker stays.
fn name_view(key: KeyEvent, mut field: Box<TextArea<'static>>, picker: &mut ViewPicker) -> Option<Vec<Cmd>> {
    if key.code == KeyCode::Enter
        && let Ok(name) = view_name(field.lines().first().map_or("", String::as_str))
    {
        let purpose = Purpose::Desk(DeskPurpose::SaveView(name.clone()));
        return Some(vec![Cmd::Ask(purpose, Request::SaveView { name, query: picker.query.clone() })]);
    }
    type_into(&mut field, key);
    picker.step = Step::Name(field);
    None
}

#[cfg(test)]
mod tests {
    use crate::model::{Count, Role};
    use crate::protocol::{Notice, Reply, Update};

    use super::super::msg::Msg;
    use super::super::sample;
    use super::*;

    fn view(name: &str, query: &str, unread: u32) -> SavedView {
        let unread = Count { n: unread, more: unread == 1_000 };
        SavedView { name: name.into(), query: query.into(), builtin: name == "vip", unread }
    }

    fn views() -> Vec<SavedView> {
        vec![view("vip", "vip", 1), view("Late orders", "unread label:late", 1_000)]
    }

    fn press(app: &mut App, keys: &str) -> Vec<Cmd> {
        let mut asked = Vec::new();
        for key in keys.chars() {
            let code = match key {
                '\n' => KeyCode::Enter,
                '\u{1b}' => KeyCode::Esc,
                key => KeyCode::Char(key),
            };
            asked = app.update(Msg::Key(KeyEvent::new(code, KeyModifiers::NONE)), sample::at(0));
        }
        asked
    }

    /// Answers what is asked of the views.
    fn answer(app: &mut App, asked: Vec<Cmd>, views: Vec<SavedView>) -> Vec<Cmd> {
        for command in asked {
            if let Cmd::Ask(purpose, Request::Views) = command {
                return app.update(Msg::Reply(purpose, Ok(Reply::Views(views))), sample::at(0));
            }
        }
        panic!("nobody asks for the views")
    }

    /// The picker with its views.
    fn picking(role: Role) -> App {
        let mut app = sample::app(sample::snapshot(), role, false);
        let asked = press(&mut app, "3F");
        answer(&mut app, asked, views());
        app
    }

    fn at(app: &App) -> String {
        app.here().place.to_string()
    }

    #[test]
    fn a_view_is_chosen_and_left_again() {
        let mut app = picking(Role::Viewer);
        let asked = press(&mut app, "j\n");
        let asked = answer(&mut app, asked, views());
        let Some(Cmd::Ask(_, Request::Conversations { filter, .. })) = asked.first() else { panic!("{asked:?}") };
        assert_eq!(filter.to_string(), "unread label:late");
        assert_eq!(at(&app), "inbox view Late orders");
        assert!(!app.is_whole());
        press(&mut app, "1[");
        assert_eq!(at(&app), "inbox view Late orders");
        let asked = press(&mut app, "\u{1b}");
        assert!(
            matches!(&asked[..], [Cmd::Ask(_, Request::Conversations { filter, .. })] if filter.to_string().is_empty())
        );
        assert_eq!(at(&app), "inbox");
        let asked = press(&mut app, "[");
        answer(&mut app, asked, views());
        assert_eq!(at(&app), "inbox view Late orders", "the way back leads into it again");
    }

    #[test]
    fn what_is_shown_is_kept_under_a_name_and_forgotten_only_after_a_question() {
        let mut app = picking(Role::Operator);
        assert_eq!(press(&mut app, "s"), []);
        assert!(app.toast.as_ref().is_some_and(|toast| toast.text.contains("shows everything")));
        press(&mut app, "\u{1b}f");
        let asked = press(&mut app, "F");
        answer(&mut app, asked, views());
        assert_eq!(press(&mut app, "sVIP\n"), [], "this name is taken");
        let asked = press(&mut app, "-2\n");
        let save = Request::SaveView { name: "VIP-2".into(), query: "unread".into() };
        assert!(matches!(&asked[..], [Cmd::Ask(_, request)] if *request == save), "{asked:?}");

        let mut app = picking(Role::Operator);
        assert_eq!(press(&mut app, "d"), [], "what is always there stays");
        assert_eq!(press(&mut app, "jd\n"), [], "enter does not do it");
        let asked = press(&mut app, "y");
        assert!(matches!(&asked[..], [Cmd::Ask(_, Request::DeleteView(name))] if name == "Late orders"), "{asked:?}");
        let mut app = picking(Role::Viewer);
        assert_eq!(press(&mut app, "jdy"), []);
        assert!(matches!(&app.overlay, Some(Overlay::Views(picker)) if matches!(picker.step, Step::Choose)));
    }

    #[test]
    fn a_name_in_use_says_what_it_takes_the_place_of() {
        let mut app = picking(Role::Operator);
        press(&mut app, "\u{1b}f");
        let asked = press(&mut app, "F");
        answer(&mut app, asked, views());
        press(&mut app, "slate  orders");
        let Some(Overlay::Views(picker)) = &app.overlay else { panic!("it is open") };
        let warning = picker.warning();
        assert_eq!(warning.as_deref(), Some("takes the place of Late orders: unread label:late"));
    }

    #[test]
    fn a_view_that_changes_or_goes_takes_the_list_along() {
        let mut app = picking(Role::Viewer);
        let asked = press(&mut app, "j\n");
        answer(&mut app, asked, views());
        let heard = |app: &mut App| app.update(Msg::Update(Update::Notice(Notice::Views)), sample::at(1));
        let asked = heard(&mut app);
        assert_eq!(answer(&mut app, asked, views()), [], "it is the same");
        let asked = heard(&mut app);
        let asked = answer(&mut app, asked, vec![view("Late orders", "vip", 0)]);
        assert!(matches!(&asked[..], [Cmd::Ask(_, Request::Conversations { filter, .. })] if filter.vip), "{asked:?}");
        let asked = heard(&mut app);
        answer(&mut app, asked, Vec::new());
        assert_eq!(at(&app), "inbox");
        assert!(app.toast.as_ref().is_some_and(|toast| toast.text.contains("is no more")));
    }

    #[test]
    fn whoever_goes_elsewhere_meanwhile_is_not_led_back() {
        let mut app = picking(Role::Viewer);
        let asked = press(&mut app, "j\n");
        press(&mut app, "5");
        answer(&mut app, asked, views());
        assert_eq!(at(&app), "health");
        let asked = app.go_to_place(Place::View("lat orders".into()));
        answer(&mut app, asked, views());
        let said = app.toast.as_ref().map(|toast| toast.text.as_str());
        assert_eq!(said, Some("no view is called lat orders; did you mean Late orders?"));
    }
}
