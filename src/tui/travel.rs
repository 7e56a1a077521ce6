//! Going from place to place: up, back and forward, and to the place before.

use crate::model::{ApprovalId, HostName, InboxFilter, JobId, MessageId, NodeName, PaneAddress};
use crate::protocol::Severity;

use super::action::View;
use super::app::App;
use super::health::OpenCheck;
use super::known::Known;
use super::memory::Kept;
use super::msg::Cmd;
use super::place::{CheckOf, Place};
use super::recent::Recent;

/// Stops remembered in each direction.
const MOST: usize = 64;

/// What was selected at a place, so that whoever comes back finds it selected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Selected {
    Nothing,
    Message(MessageId),
    Check(CheckOf),
    Node(NodeName),
    Host(HostName),
    Job(JobId),
    Pane(PaneAddress),
    Approval(ApprovalId),
    Row(usize),
}

/// A place, and what was selected there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stop {
    pub place: Place,
    selected: Selected,
}

/// Where somebody has been.
#[derive(Debug, Default)]
pub(super) struct History {
    back: Vec<Stop>,
    forward: Vec<Stop>,
    /// Where they were before this place, however they came here.
    last: Option<Stop>,
    /// Where a journey began that has not ended: a message is on its way, or something is still typed.
    left: Option<Stop>,
    /// The journey goes along the history and does not make it longer.
    along: bool,
}

impl History {
    fn leave(&mut self, stop: Stop) {
        self.last = Some(stop.clone());
        if self.back.last() != Some(&stop) {
            self.back.push(stop);
        }
        if self.back.len() > MOST {
            self.back.remove(0);
        }
        self.forward.clear();
    }
}

impl App {
    /// Where the screen is.
    pub(super) fn here(&self) -> Stop {
        let (place, selected) = match self.view {
            View::Inbox => match &self.inbox.open {
                Some(open) => (Place::Message(open.message.row.id), Selected::Nothing),
                None => {
                    let saved = self.inbox.saved.as_ref().filter(|_| self.inbox.search.is_none());
                    let selected =
                        self.inbox.list.selected().map_or(Selected::Nothing, |row| Selected::Message(row.message()));
                    let place = match saved {
                        Some(saved) => Place::View(saved.name.clone()),
                        None => Place::Inbox(Box::new(self.inbox.listed())),
                    };
                    (place, selected)
                }
            },
            View::Health => match &self.health.open {
                Some(open) => (Place::Check(open.id.clone()), Selected::Nothing),
                None => {
                    let selected = self.on_check().map_or(Selected::Nothing, Selected::Check);
                    (Place::Health(self.health.filter.text().trim().to_owned()), selected)
                }
            },
            View::Bridge => self.here_on_bridge(),
            View::Approvals => self.here_on_approvals(),
            View::Activity => (Place::Activity(self.activity.tab), Selected::Row(self.activity_index())),
            View::Channels => {
                let at = self.channel_index(&self.counted());
                (Place::Channels(self.channels.of.clone()), Selected::Row(at))
            }
            View::Nodes => self.here_among_nodes(),
            View::Overview => (Place::Overview, Selected::Nothing),
        };
        let is_part = self.problems_only() && place.is_list();
        Stop { place: if is_part { Place::Problems(Box::new(place)) } else { place }, selected }
    }

    /// Remembers where a message led away from, once it is clear where to.
    pub(super) fn track(&mut self, before: Stop) {
        if self.opening.is_some() || self.inbox.awaited.is_some() || self.is_typing() {
            self.history.left.get_or_insert(before);
            return;
        }
        let from = self.history.left.take().unwrap_or(before);
        let along = std::mem::take(&mut self.history.along);
        if !along && from.place != self.here().place {
            self.history.leave(from);
        }
    }

    /// Whether text is typed into the view, so that where it leads is not settled.
    pub(super) fn is_typing(&self) -> bool {
        match self.view {
            View::Inbox => self.inbox.search.as_ref().is_some_and(|search| search.typing),
            View::Health => self.health.is_typing(),
            View::Bridge => self.bridge.is_typing(),
            View::Activity => self.activity.find.as_ref().is_some_and(|find| find.typing),
            _ => false,
        }
    }

    pub(super) fn has_back(&self) -> bool {
        !self.history.back.is_empty()
    }

    pub(super) fn has_forward(&self) -> bool {
        !self.history.forward.is_empty()
    }

    pub(super) fn has_last(&self) -> bool {
        self.history.last.is_some()
    }

    pub(super) fn history_back(&mut self) -> Vec<Cmd> {
        let here = self.here();
        let Some(stop) = self.history.back.pop() else { return Vec::new() };
        self.history.forward.push(here.clone());
        self.travel(stop, here)
    }

    pub(super) fn history_forward(&mut self) -> Vec<Cmd> {
        let here = self.here();
        let Some(stop) = self.history.forward.pop() else { return Vec::new() };
        self.history.back.push(here.clone());
        self.travel(stop, here)
    }

    /// Goes to the place before, and from there back again.
    pub(super) fn last_place(&mut self) -> Vec<Cmd> {
        let here = self.here();
        let Some(stop) = self.history.last.take() else { return Vec::new() };
        let commands = self.travel(stop, here.clone());
        self.history.leave(here);
        commands
    }

    fn travel(&mut self, stop: Stop, from: Stop) -> Vec<Cmd> {
        self.history.last = Some(from);
        self.history.along = true;
        self.go_to(stop)
    }

    /// Goes to `place`.
    pub(super) fn go_to_place(&mut self, place: Place) -> Vec<Cmd> {
        self.go_to(Stop { place, selected: Selected::Nothing })
    }

    fn go_to(&mut self, Stop { place, selected }: Stop) -> Vec<Cmd> {
        let (place, is_part) = match place {
            Place::Problems(place) => (*place, true),
            place => (place, false),
        };
        if place.is_list() {
            self.view = place.view();
            // An inbox is narrowed by what is asked of it.
            self.list_problems_only(is_part);
        }
        match place {
            // Nobody leaves out twice what is ok.
            Place::Problems(place) => return self.go_to_place(*place),
            Place::Overview => self.view = View::Overview,
            Place::Channels(of) => {
                self.view = View::Channels;
                self.channels.of = of;
            }
            Place::Nodes(tab) => {
                self.go_to_nodes(tab, selected);
                return Vec::new();
            }
            Place::Node(name) => {
                self.open_node(name);
                return Vec::new();
            }
            Place::Inbox(filter) => {
                self.view = View::Inbox;
                self.inbox.open = None;
                let is_shown =
                    self.inbox.listed() == *filter && (self.inbox.saved.is_none() || self.inbox.search.is_some());
                let commands = if is_shown { Vec::new() } else { self.show_inbox(&filter) };
                if let Selected::Message(id) = selected {
                    self.inbox.list.select_where(|row| row.message() == id);
                }
                return commands;
            }
            Place::View(name) => {
                self.inbox.open = None;
                let commands = self.go_to_view(name);
                if commands.is_empty() {
                    self.view = View::Inbox;
                }
                return commands;
            }
            Place::Message(id) => {
                self.view = View::Inbox;
                self.inbox.list.select_where(|row| row.message() == id);
                return self.open_message(id);
            }
            Place::Health(text) => {
                self.view = View::Health;
                self.health.open = None;
                self.health.filter.set(&text);
                if let Selected::Check(id) = &selected {
                    self.health.select_check(id.clone());
                }
            }
            Place::Check(id) => {
                self.view = View::Health;
                self.health.select_check(id.clone());
                self.health.open = Some(OpenCheck::new(id));
                return self.past();
            }
            Place::Bridge(_)
            | Place::Host(_)
            | Place::Job(_)
            | Place::Pane(_)
            | Place::Approvals
            | Place::Approval(_) => {
                return self.go_to_bridge(place, selected);
            }
            Place::Activity(tab) => {
                self.view = View::Activity;
                self.activity.tab = tab;
                self.activity.find = None;
            }
        }
        if let Selected::Row(index) = selected {
            match self.view {
                View::Channels => self.select_channel(index),
                _ => self.select_in_activity(index),
            };
        }
        Vec::new()
    }

    fn show_inbox(&mut self, filter: &InboxFilter) -> Vec<Cmd> {
        self.inbox.show(filter);
        let request = self.inbox.request();
        self.rows(request)
    }

    /// Whether all of the view is shown, and nothing of it in full.
    pub(super) fn is_whole(&self) -> bool {
        !self.problems_only() && self.is_all()
    }

    fn is_all(&self) -> bool {
        match self.view {
            View::Inbox => {
                let inbox = &self.inbox;
                let narrowed = inbox.search.is_some() || inbox.saved.is_some() || inbox.channel.is_some();
                inbox.open.is_none() && !narrowed && inbox.picked.is_empty()
            }
            View::Health => {
                self.health.open.is_none() && self.health.filter.text().is_empty() && !self.health.filter.typing
            }
            View::Bridge => {
                self.bridge.open.is_none() && self.bridge.filter.text().is_empty() && !self.bridge.filter.typing
            }
            View::Approvals => self.approvals.open.is_none(),
            View::Activity => self.activity.find.is_none(),
            View::Channels => self.channels.of.is_none(),
            View::Nodes => self.nodes.open.is_none(),
            View::Overview => true,
        }
    }

    /// What the next screen of this operator is to know; nothing while nobody knows who that is.
    pub(super) fn remember(&self) -> Option<Cmd> {
        let who = self.identity.as_ref()?.operator.clone();
        let recent = self.recent.lines().map(str::to_owned).collect();
        Some(Cmd::Remember(who, Kept { recent, place: None }))
    }

    /// The same for a screen that lost its terminal: the next one begins where it was.
    #[must_use]
    pub fn left_behind(&self) -> Option<Cmd> {
        let Some(Cmd::Remember(who, kept)) = self.remember() else { return None };
        Some(Cmd::Remember(who, Kept { place: Some(self.here().place.to_string()), ..kept }))
    }

    /// Takes what was remembered. Who has gone anywhere by now stays there.
    pub(super) fn remembered(&mut self, kept: Result<Kept, String>) -> Vec<Cmd> {
        let kept = match kept {
            Ok(kept) => kept,
            Err(why) => {
                self.toast(Severity::Warn, why);
                return Vec::new();
            }
        };
        let now: Vec<String> = self.recent.lines().map(str::to_owned).collect();
        self.recent = Recent::of(now.into_iter().chain(kept.recent));
        let Some(place) = kept.place else { return Vec::new() };
        // Once: a screen that is left later does not come back.
        let mut commands: Vec<Cmd> = self.remember().into_iter().collect();
        let known = self.snapshot.as_deref().map(Known::from).unwrap_or_default();
        if let Ok(place) = Place::parse(&place, &known)
            && self.here().place == Place::Overview
            && place != Place::Overview
            && !self.has_back()
        {
            commands.extend(self.go_to_place(place));
            self.toast(Severity::Info, "back where the line to the terminal broke");
        }
        commands
    }

    /// One level up: from what is open to its list, from a part of a list to all of it, from a view to the overview.
    pub(super) fn up(&mut self) -> Vec<Cmd> {
        if self.view == View::Bridge && (self.leave_pane() || self.bridge.filter.clear()) {
            return Vec::new();
        }
        match self.view {
            View::Inbox => {
                if self.inbox.open.take().is_some() {
                    return Vec::new();
                }
                if !self.inbox.picked.is_empty() {
                    self.inbox.picked.clear();
                    return Vec::new();
                }
                let left = self.inbox.search.take().is_some()
                    || self.inbox.saved.take().is_some()
                    || self.inbox.channel.take().is_some();
                if left {
                    let request = self.inbox.request();
                    return self.rows(request);
                }
            }
            View::Health if self.health.open.take().is_some() || self.health.filter.clear() => return Vec::new(),
            View::Approvals if self.approvals.open.take().is_some() => return Vec::new(),
            View::Nodes if self.nodes.open.take().is_some() => return Vec::new(),
            View::Channels if self.channels.of.take().is_some() => return Vec::new(),
            View::Activity if self.activity.find.take().is_some() => return Vec::new(),
            _ => {}
        }
        if self.problems_only() {
            return self.list_problems_only(false);
        }
        self.view = View::Overview;
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

    use crate::model::{CheckState, Role};
    use crate::protocol::{Reply, Snapshot};

    use super::super::msg::{Msg, Purpose};
    use super::super::sample;
    use super::*;

    /// Presses `keys` and answers whatever opens a message.
    fn press(app: &mut App, snapshot: &Snapshot, keys: &str) {
        for key in keys.chars() {
            let code = match key {
                '\n' => KeyCode::Enter,
                '\u{1b}' => KeyCode::Esc,
                key => KeyCode::Char(key),
            };
            for command in app.update(Msg::Key(KeyEvent::new(code, KeyModifiers::NONE)), sample::at(0)) {
                if let Cmd::Ask(Purpose::Open(id), _) = command {
                    let message = snapshot.inbox.iter().find(|row| row.id == id).cloned().map(sample::message);
                    app.update(Msg::Reply(Purpose::Open(id), Ok(Reply::Message(message))), sample::at(0));
                }
            }
        }
    }

    fn at(app: &App) -> String {
        app.here().place.to_string()
    }

    #[test]
    fn back_and_forward_lead_through_where_somebody_was() {
        let snapshot = sample::snapshot();
        let mut app = sample::app(snapshot.clone(), Role::Viewer, false);
        press(&mut app, &snapshot, "3j\n5!j\n8");
        assert_eq!(at(&app), "activity events");
        let mut seen = Vec::new();
        while app.has_back() {
            press(&mut app, &snapshot, "[");
            seen.push(at(&app));
        }
        let message = format!("inbox message {}", sample::row(2, true).id);
        assert_eq!(seen, ["health tls", "health !", "health", message.as_str(), "inbox", "overview"]);
        assert!(app.why_not(super::super::Action::HistoryBack).is_some());
        press(&mut app, &snapshot, "]]");
        assert_eq!(at(&app), message);
        press(&mut app, &snapshot, "2");
        assert!(!app.has_forward(), "who goes elsewhere makes another way");
        press(&mut app, &snapshot, "-");
        assert_eq!(at(&app), message);
        press(&mut app, &snapshot, "-");
        assert_eq!(at(&app), "channels");
    }

    #[test]
    fn esc_goes_up_to_the_overview_and_not_back() {
        let snapshot = sample::snapshot();
        let mut app = sample::app(snapshot.clone(), Role::Viewer, false);
        press(&mut app, &snapshot, "85\n\u{1b}");
        assert_eq!(at(&app), "health");
        press(&mut app, &snapshot, "/we\n");
        assert_eq!(at(&app), "health /we");
        press(&mut app, &snapshot, "\u{1b}\u{1b}");
        assert_eq!(at(&app), "overview");
        press(&mut app, &snapshot, "\u{1b}");
        let said = app.toast.as_ref().map(|toast| toast.text.as_str());
        assert_eq!(said, Some("there is nothing above the overview; Q quits"));
    }

    #[test]
    fn a_filter_that_is_typed_is_one_place_and_the_selection_comes_back() {
        let snapshot = sample::snapshot();
        let mut app = sample::app(snapshot.clone(), Role::Viewer, false);
        press(&mut app, &snapshot, "5jj");
        assert_eq!(app.on_check(), Some(sample::check("api", CheckState::Ok).id.into()));
        press(&mut app, &snapshot, "/tls\n1[");
        assert_eq!(at(&app), "health /tls");
        press(&mut app, &snapshot, "[");
        assert_eq!(at(&app), "health", "not every letter is a place");
        assert_eq!(app.on_check(), Some(sample::check("api", CheckState::Ok).id.into()));
    }

    #[test]
    fn a_screen_that_lost_its_terminal_is_gone_on_with_once() {
        let snapshot = sample::snapshot();
        let mut app = sample::app(snapshot.clone(), Role::Viewer, false);
        press(&mut app, &snapshot, "5/tls\n");
        let Some(Cmd::Remember(_, kept)) = app.left_behind() else { panic!("somebody was there") };
        assert_eq!(kept.place.as_deref(), Some("health /tls"));
        let mut next = sample::app(snapshot.clone(), Role::Viewer, false);
        let commands = next.update(Msg::Remembered(Ok(kept.clone())), sample::at(0));
        assert_eq!(at(&next), "health /tls");
        assert!(matches!(&commands[..], [Cmd::Remember(_, kept)] if kept.place.is_none()), "{commands:?}");
        let mut busy = sample::app(snapshot.clone(), Role::Viewer, false);
        press(&mut busy, &snapshot, "2");
        busy.update(Msg::Remembered(Ok(kept)), sample::at(0));
        assert_eq!(at(&busy), "channels", "who has gone somewhere stays");
        busy.update(Msg::Remembered(Err("what was remembered is not used: x".into())), sample::at(0));
        assert!(busy.toast.is_some());
    }
}
