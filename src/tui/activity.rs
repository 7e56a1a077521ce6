//! Activity as the screen holds it: five lists under tabs, and what is searched in them.

use jiff::Timestamp;
use tui_textarea::TextArea;

use crate::model::{AuditEntry, AuditKind, Event, LogLevel, LogLine, Rejection, TaskStatus};
use crate::protocol::{BridgeNotice, Notice, Snapshot};

use super::action::Action;
use super::app::App;
use super::list::moved;
use super::not_ok::Judged;
use super::tail::{Pattern, Tail, Told};

/// The lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ActivityTab {
    /// What was received.
    #[default]
    Events,
    /// What was refused.
    Refusals,
    /// The engine's background tasks.
    Tasks,
    /// What was logged.
    Logs,
    /// Who did what: the audit log.
    Audit,
}

impl ActivityTab {
    /// Every list, in the order of the tabs.
    pub const ALL: [Self; 5] = [Self::Events, Self::Refusals, Self::Tasks, Self::Logs, Self::Audit];

    /// The name on its tab.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Events => "Events",
            Self::Refusals => "Refusals",
            Self::Tasks => "Tasks",
            Self::Logs => "Logs",
            Self::Audit => "Audit",
        }
    }
}

/// A search through the lines of a list.
#[derive(Debug, Default)]
pub(super) struct Find {
    pub field: TextArea<'static>,
    /// Keys go into the field; otherwise they go from match to match.
    pub typing: bool,
}

impl Find {
    pub(super) fn typed(&self) -> &str {
        self.field.lines().first().map_or("", String::as_str)
    }

    pub(super) fn pattern(&self) -> Option<Pattern> {
        Pattern::new(self.typed())
    }
}

/// The view's state: which list, and where in each.
#[derive(Debug, Default)]
pub(super) struct Activity {
    pub tab: ActivityTab,
    pub events: Tail<Event>,
    pub refusals: Tail<Rejection>,
    pub logs: Tail<LogLine>,
    pub audit: Tail<AuditEntry>,
    /// The selection stays with its task when others come and go.
    task: Option<String>,
    pub find: Option<Find>,
    /// What was searched for last, to begin the next search with.
    searched: String,
    /// Rows there is room for.
    pub height: usize,
    /// Which run of the engine the lines are of.
    run: Option<Timestamp>,
}

impl Activity {
    pub(super) fn turn(&mut self, forward: bool) {
        let step = if forward { 1 } else { ActivityTab::ALL.len() - 1 };
        self.tab = ActivityTab::ALL[(self.tab as usize + step) % ActivityTab::ALL.len()];
    }

    /// Takes the newest lines of a snapshot.
    pub(super) fn refreshed(&mut self, snapshot: &Snapshot) {
        if self.run.replace(snapshot.started) != Some(snapshot.started) {
            // Another run of the engine counts its lines anew.
            let problems_only = self.problems_only();
            self.logs = Tail::default();
            self.logs.problems_only = problems_only;
        }
        self.events.catch_up(&snapshot.events);
        self.refusals.catch_up(&snapshot.rejections);
        self.logs.catch_up(&snapshot.logs);
        self.audit.catch_up(&snapshot.bridge.audit);
    }

    /// Takes the lines of a notice.
    pub(super) fn heard(&mut self, notice: &Notice) {
        match notice {
            Notice::Arrived { events, .. } => self.events.take(events),
            Notice::Rejected(rejections) => self.refusals.take(rejections),
            Notice::Bridge(BridgeNotice::Audited(entries)) => self.audit.take(entries),
            Notice::Log(line) => self.logs.take(std::slice::from_ref(line)),
            _ => {}
        }
    }

    /// The list that is shown, unless it is the tasks, which are no lines.
    fn lines(&mut self) -> Option<&mut dyn Lines> {
        match self.tab {
            ActivityTab::Events => Some(&mut self.events),
            ActivityTab::Refusals => Some(&mut self.refusals),
            ActivityTab::Tasks => None,
            ActivityTab::Logs => Some(&mut self.logs),
            ActivityTab::Audit => Some(&mut self.audit),
        }
    }

    /// Whether what is ok is left out: one answer for all lists.
    pub(super) fn problems_only(&self) -> bool {
        self.logs.problems_only
    }

    /// Leaves out what is ok, or no longer.
    pub(super) fn list_problems_only(&mut self, on: bool) {
        (self.events.problems_only, self.refusals.problems_only) = (on, on);
        (self.logs.problems_only, self.audit.problems_only) = (on, on);
    }

    /// Where the selection is in the list that is shown; `tasks` are the names of those that are listed.
    pub(super) fn index(&self, tasks: &[String]) -> usize {
        match self.tab {
            ActivityTab::Events => self.events.index(),
            ActivityTab::Refusals => self.refusals.index(),
            // One that has gone leaves it at the first.
            ActivityTab::Tasks => tasks.iter().position(|name| Some(name) == self.task.as_ref()).unwrap_or(0),
            ActivityTab::Logs => self.logs.index(),
            ActivityTab::Audit => self.audit.index(),
        }
    }

    /// The row that is drawn first of what fits.
    pub(super) fn first(&self) -> usize {
        match self.tab {
            ActivityTab::Events => self.events.first(self.height),
            ActivityTab::Refusals => self.refusals.first(self.height),
            // The list itself says which page of tasks it draws.
            ActivityTab::Tasks => 0,
            ActivityTab::Logs => self.logs.first(self.height),
            ActivityTab::Audit => self.audit.first(self.height),
        }
    }

    /// Selects a row by its number; `tasks` are the names of those that are listed.
    pub(super) fn select(&mut self, index: usize, tasks: &[String]) {
        let height = self.height;
        match self.lines() {
            Some(lines) => lines.select(index, height),
            None => self.task = tasks.get(index).cloned(),
        }
    }

    /// Selects a task.
    pub(super) fn select_task(&mut self, name: String) {
        self.task = Some(name);
    }

    /// Selects the newest event that is so.
    pub(super) fn select_event(&mut self, is: impl Fn(&Event) -> bool) {
        self.events.select_newest(self.height, is);
    }

    /// Selects the newest refusal that is so.
    pub(super) fn select_refusal(&mut self, is: impl Fn(&Rejection) -> bool) {
        self.refusals.select_newest(self.height, is);
    }

    /// Moves the selection; `tasks` are the names of those that are listed.
    pub(super) fn scroll(&mut self, action: Action, tasks: &[String]) {
        let (height, index) = (self.height, self.index(tasks));
        match self.lines() {
            Some(lines) => lines.scroll(action, height),
            None => {
                if let Some(to) = moved(action, index, tasks.len(), height) {
                    self.select(to, tasks);
                }
            }
        }
    }

    /// Goes to the next line that says that something failed, or the one before; answers whether there is one.
    pub(super) fn go_to_error(&mut self, forward: bool) -> bool {
        let height = self.height;
        self.lines().is_some_and(|lines| lines.go_to_error(forward, height))
    }

    /// Goes to the next match of the search, or the one before; answers whether there is one.
    pub(super) fn go_to_match(&mut self, forward: bool) -> bool {
        let height = self.height;
        let Some(pattern) = self.find.as_ref().and_then(Find::pattern) else { return false };
        self.lines().is_some_and(|lines| lines.go_to_match(&pattern, forward, height))
    }

    /// Whether there is something to search through.
    pub(super) fn has_lines(&self) -> bool {
        self.tab != ActivityTab::Tasks
    }

    /// Begins a search with what was searched for last, or types on in the one there is.
    pub(super) fn begin_find(&mut self) {
        let last = &self.searched;
        let find = self.find.get_or_insert_with(|| {
            let mut field = TextArea::from([last.as_str()]);
            field.select_all();
            Find { field, typing: true }
        });
        find.typing = true;
    }

    /// The search stays, and keys go from match to match: first to the last one above.
    pub(super) fn end_typing(&mut self) {
        let Some(find) = &mut self.find else { return };
        find.typing = false;
        find.field.cancel_selection();
        self.searched = find.typed().to_owned();
        let Some(pattern) = find.pattern() else {
            self.find = None;
            return;
        };
        let height = self.height;
        if let Some(lines) = self.lines()
            && lines.matches(&pattern).1.is_none()
            && !lines.go_to_match(&pattern, false, height)
        {
            lines.go_to_match(&pattern, true, height);
        }
    }
}

impl App {
    /// The tasks that are listed.
    pub(super) fn listed_tasks(&self) -> Vec<&TaskStatus> {
        let tasks = self.snapshot.as_ref().map(|snapshot| snapshot.tasks.as_slice()).unwrap_or_default();
        tasks.iter().filter(|task| !self.activity.problems_only() || task.needs_a_look()).collect()
    }

    /// Their names.
    pub(super) fn listed_task_names(&self) -> Vec<String> {
        self.listed_tasks().into_iter().map(|task| task.name.clone()).collect()
    }

    /// Where the selection is under Activity.
    pub(super) fn activity_index(&self) -> usize {
        self.activity.index(&self.listed_task_names())
    }

    /// Selects a row under Activity by its number; answers whether another one was selected before.
    pub(super) fn select_in_activity(&mut self, index: usize) -> bool {
        let names = self.listed_task_names();
        let before = self.activity.index(&names);
        self.activity.select(index, &names);
        before != index
    }
}

/// What all lists of lines can do.
trait Lines {
    fn select(&mut self, index: usize, height: usize);
    fn scroll(&mut self, action: Action, height: usize);
    fn go_to_error(&mut self, forward: bool, height: usize) -> bool;
    fn go_to_match(&mut self, pattern: &Pattern, forward: bool, height: usize) -> bool;
    fn matches(&self, pattern: &Pattern) -> (usize, Option<usize>);
}

impl<T: Told> Lines for Tail<T> {
    fn select(&mut self, index: usize, height: usize) {
        Self::select(self, index, height);
    }

    fn scroll(&mut self, action: Action, height: usize) {
        self.move_by(action, height);
    }

    fn go_to_error(&mut self, forward: bool, height: usize) -> bool {
        self.go_to(forward, height, T::is_error)
    }

    fn go_to_match(&mut self, pattern: &Pattern, forward: bool, height: usize) -> bool {
        self.go_to(forward, height, |line| pattern.is_in(&line.text()))
    }

    fn matches(&self, pattern: &Pattern) -> (usize, Option<usize>) {
        Self::matches(self, pattern)
    }
}

impl Told for Event {
    fn number(&self) -> Option<i64> {
        Some(self.seq)
    }

    fn text(&self) -> String {
        let about = self.cause.as_deref().or(self.subject.as_deref()).unwrap_or_default();
        format!("{} {} {} {} {about}", self.channel, self.state.as_str(), self.assurance.as_str(), self.kind)
    }

    fn is_error(&self) -> bool {
        self.cause.is_some()
    }
}

impl Told for Rejection {
    fn number(&self) -> Option<i64> {
        None
    }

    fn text(&self) -> String {
        let channel = self.channel.as_deref().unwrap_or("-");
        format!("{channel} {} {} {}", self.reason, self.source, self.detail)
    }

    fn is_error(&self) -> bool {
        self.alarm
    }
}

impl Told for LogLine {
    fn number(&self) -> Option<i64> {
        Some(self.n)
    }

    fn text(&self) -> String {
        format!("{} {}", self.level.as_str(), self.text)
    }

    fn is_error(&self) -> bool {
        self.level == LogLevel::Error
    }

    fn needs_a_look(&self) -> bool {
        matches!(self.level, LogLevel::Error | LogLevel::Warn)
    }
}

impl Told for AuditEntry {
    fn number(&self) -> Option<i64> {
        i64::try_from(self.seq).ok()
    }

    fn text(&self) -> String {
        let by = self.note.by.as_ref().map_or("aurora", |by| by.as_str());
        format!("{} {by} {} {}", self.note.kind.as_str(), self.note.about, self.note.what)
    }

    fn is_error(&self) -> bool {
        matches!(self.note.kind, AuditKind::Refused | AuditKind::Denied)
    }
}
