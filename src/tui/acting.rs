//! What each action does to the screen, and what it asks of the engine.

use jiff::{SignedDuration, Timestamp};

use crate::model::MessageId;
use crate::protocol::{Link, Request, Severity};

use super::action::{Action, Subject, View};
use super::activity::ActivityTab;
use super::app::App;
use super::health::{OpenCheck, watched};
use super::list::moved;
use super::msg::{Cmd, Overlay, Purpose, Quit};
use super::opened::Tab;
use super::place::CheckOf;
use super::themes::ThemeStep;
use super::view;

/// Whether whoever does `action` still waits for what they were about to open.
fn stays(action: Action) -> bool {
    matches!(
        action,
        Action::Ack
            | Action::ToggleRead
            | Action::ToggleVip
            | Action::SamePerson
            | Action::Save
            | Action::NextTab
            | Action::PreviousTab
            | Action::Trace
            | Action::Redraw
            | Action::Problems
            | Action::Utc
            | Action::Zoom
            | Action::Unzoom
            | Action::Themes
            | Action::Reload
            | Action::ToggleMouse
            | Action::ToggleLite
            | Action::ToggleFigures
            | Action::TourNext
            | Action::TourLeave
    )
}

impl App {
    /// Does `action`, as a key or the palette asked for it.
    pub(super) fn act(&mut self, action: Action) -> Vec<Cmd> {
        if let Some(why) = self.why_not(action) {
            self.toast(Severity::Info, why);
            return Vec::new();
        }
        if !stays(action) {
            self.opening = None;
            self.going = false;
            self.inbox.awaited = None;
        }
        if let Some(commands) = self.act_on_panes(action) {
            return commands;
        }
        match action.subject(self.view) {
            Subject::Nodes => return self.act_on_nodes(action),
            Subject::Desk => return self.act_on_desk(action).unwrap_or_default(),
            Subject::Bridge => return self.act_on_bridge(action),
            Subject::Moves => return self.scroll(action),
            Subject::Other => {}
        }
        match action {
            // Who is in it already wants its list, and all of it.
            Action::Go(view) if view == self.view => self.up(),
            Action::Go(view) => {
                let leaving_channel = view == View::Inbox && self.inbox.channel.take().is_some();
                self.go(view);
                if leaving_channel {
                    let request = self.inbox.request();
                    return self.rows(request);
                }
                Vec::new()
            }
            Action::Next => self.next_urgent(),
            Action::PreviousUrgent => self.previous_urgent(),
            Action::Search => {
                self.go(View::Inbox);
                if self.inbox.begin_search() { self.rows(None) } else { Vec::new() }
            }
            Action::Palette => {
                self.overlay = Some(Overlay::Palette(Box::default()));
                self.know_views()
            }
            Action::Problems | Action::Utc | Action::Zoom | Action::Unzoom | Action::FilterChecks => {
                self.arrange(action)
            }
            Action::ProblemsOnly => self.list_problems_only(!self.problems_only()),
            Action::Help => {
                self.overlay = Some(Overlay::Help(Box::default()));
                Vec::new()
            }
            Action::Back => self.up(),
            Action::HistoryBack => self.history_back(),
            Action::HistoryForward => self.history_forward(),
            Action::LastPlace => self.last_place(),
            Action::Quit => self.quit(),
            Action::Suspend => vec![Cmd::Suspend],
            Action::Redraw => vec![Cmd::Redraw],
            Action::Themes => vec![Cmd::Theme(ThemeStep::Offer)],
            Action::Open => self.open(),
            Action::NextTab | Action::PreviousTab => self.turn_tab(action == Action::NextTab),
            Action::Trace => self.toggle_trace(),
            Action::ToggleVip | Action::RestartTask | Action::Reload | Action::CheckNow => {
                let order = self.order(action);
                if let Some((Purpose::Look(id), _)) = &order {
                    self.toast(Severity::Info, format!("looking at {id}"));
                }
                order.map(|(purpose, request)| Cmd::Ask(purpose, request)).into_iter().collect()
            }
            Action::SamePerson => self.choose_person(),
            Action::Save => self.save(),
            Action::Filter | Action::ToggleOrder => self.list_otherwise(action),
            Action::Views => self.pick_view(),
            Action::ToggleMouse => self.toggle_mouse(),
            Action::ToggleLite => vec![Cmd::ToggleLite],
            Action::ToggleFigures => self.toggle_figures(),
            Action::TourNext | Action::TourLeave => self.act_on_tour(action),
            Action::Expand => {
                if let Some(open) = &mut self.inbox.open {
                    open.expand();
                }
                Vec::new()
            }
            Action::Find | Action::NextMatch | Action::PreviousMatch | Action::NextError | Action::PreviousError => {
                self.find_line(action)
            }
            // What is about anything else was done before.
            _ => Vec::new(),
        }
    }

    /// Lists other messages, or the same in another order.
    fn list_otherwise(&mut self, action: Action) -> Vec<Cmd> {
        if action == Action::Filter {
            self.inbox.shown = self.inbox.shown.next();
            self.inbox.search = None;
            self.inbox.saved = None;
        } else {
            self.inbox.toggle_order();
        }
        let request = self.inbox.request();
        self.rows(request)
    }

    fn turn_tab(&mut self, forward: bool) -> Vec<Cmd> {
        match &mut self.inbox.open {
            Some(open) if self.view == View::Inbox => open.turn(forward),
            _ if self.view == View::Nodes => self.nodes.turn(forward),
            _ if self.view == View::Bridge => return self.turn_bridge(forward),
            _ => self.activity.turn(forward),
        }
        self.ask_trace()
    }

    /// Turns to the way of the open message, or back to its text.
    fn toggle_trace(&mut self) -> Vec<Cmd> {
        if let Some(open) = &mut self.inbox.open {
            open.show(if open.tab == Tab::Trace { Tab::Text } else { Tab::Trace });
        }
        self.ask_trace()
    }

    /// Asks for the way of the open message where it is looked at: each time, as it goes on.
    fn ask_trace(&self) -> Vec<Cmd> {
        let open = self.inbox.open.as_ref().filter(|open| self.view == View::Inbox && open.tab == Tab::Trace);
        let id = open.map(|open| open.message.row.id);
        id.map(|id| Cmd::Ask(Purpose::Trace(id), Request::Trace(id.into()))).into_iter().collect()
    }

    /// Searches the lines under Activity, or goes through what is found there.
    fn find_line(&mut self, action: Action) -> Vec<Cmd> {
        let (found, what) = match action {
            Action::NextMatch | Action::PreviousMatch => {
                (self.activity.go_to_match(action == Action::NextMatch), "lines match")
            }
            Action::NextError | Action::PreviousError => {
                (self.activity.go_to_error(action == Action::NextError), "errors")
            }
            _ => {
                self.activity.begin_find();
                return Vec::new();
            }
        };
        if !found {
            self.toast(Severity::Info, format!("no more {what} in this direction"));
        }
        Vec::new()
    }

    /// What changes how much is shown, and how.
    fn arrange(&mut self, action: Action) -> Vec<Cmd> {
        match action {
            Action::Problems => self.overlay = Some(Overlay::Problems(Box::default())),
            Action::Utc => self.toggle_utc(),
            Action::Unzoom => self.zoom_out(),
            Action::FilterChecks => self.health.filter.typing = true,
            _ => return self.zoom_in(),
        }
        Vec::new()
    }

    pub(super) fn go(&mut self, view: View) {
        self.view = view;
    }

    fn quit(&mut self) -> Vec<Cmd> {
        if self.link != Link::Embedded {
            return vec![Cmd::Quit(Quit::Leave)];
        }
        if self.ends_with_screen {
            return vec![Cmd::Quit(Quit::StopEngine)];
        }
        let others = self.snapshot.as_ref().is_some_and(|snapshot| snapshot.clients > 1);
        if others {
            return vec![Cmd::Quit(Quit::KeepEngine)];
        }
        self.overlay = Some(Overlay::Quit);
        Vec::new()
    }

    /// The check that keys are about.
    pub(super) fn on_check(&self) -> Option<CheckOf> {
        self.health.target(self.snapshot.as_ref()?)
    }

    /// Asks for the past of the check that is open. That of another node's is kept there.
    pub(super) fn past(&self) -> Vec<Cmd> {
        let open = self.health.open.as_ref().map(|open| &open.id).filter(|id| id.node.is_none());
        let Some(open) = open else { return Vec::new() };
        let since = self.now.checked_sub(SignedDuration::from_hours(24)).unwrap_or(Timestamp::UNIX_EPOCH);
        let request = Request::CheckHistory { id: open.id.clone(), since, until: self.now, slots: 24 };
        vec![Cmd::Ask(Purpose::CheckHistory(open.id.clone()), request)]
    }

    pub(super) fn open_message(&mut self, id: MessageId) -> Vec<Cmd> {
        self.opening = Some(id);
        vec![Cmd::Ask(Purpose::Open(id), Request::Message(id))]
    }

    pub(super) fn open(&mut self) -> Vec<Cmd> {
        match self.view {
            View::Inbox => {
                let row = self.inbox.target().map(|target| target.message);
                row.map_or_else(Vec::new, |id| self.open_message(id))
            }
            View::Channels => self.open_channel(),
            View::Health => {
                let Some(id) = self.on_check() else { return Vec::new() };
                self.health.open = Some(OpenCheck::new(id));
                self.past()
            }
            View::Nodes => self.open_among_nodes(),
            View::Bridge => self.open_on_bridge(),
            View::Approvals => self.open_approval(),
            View::Activity if self.activity.tab == ActivityTab::Audit => {
                self.audited().map(|place| self.go_to_place(place)).unwrap_or_default()
            }
            View::Activity if self.activity.tab == ActivityTab::Events => {
                match self.activity.events.selected().map(|event| MessageId::from(event.id)) {
                    Some(id) => {
                        self.go(View::Inbox);
                        self.open_message(id)
                    }
                    None => Vec::new(),
                }
            }
            _ => Vec::new(),
        }
    }

    fn scroll(&mut self, action: Action) -> Vec<Cmd> {
        let height = self.list_height();
        match self.view {
            View::Inbox => {
                let body = view::message::body_area(self);
                if let Some(open) = &mut self.inbox.open {
                    let (len, page) = (open.last(body.height) + 1, usize::from(body.height));
                    open.scroll = moved(action, open.scroll, len, page).unwrap_or(open.scroll);
                    return Vec::new();
                }
                if self.inbox.elsewhere().is_some() {
                    self.scroll_there(action, height.saturating_sub(view::inbox::DETAIL_THERE));
                    return Vec::new();
                }
                let list = &mut self.inbox.list;
                if let Some(to) = moved(action, list.index(), list.rows().len(), height) {
                    list.select(to);
                }
                if action == Action::First && self.inbox.search.is_none() {
                    // New rows may wait above, and some that are here may no longer belong to the list.
                    let request = self.inbox.request();
                    return self.rows(request);
                }
                self.older()
            }
            View::Channels => {
                let shown = self.counted();
                if let Some(to) = moved(action, self.channel_index(&shown), shown.len(), height) {
                    self.select_channel(to);
                }
                Vec::new()
            }
            View::Health => {
                self.scroll_health(action);
                Vec::new()
            }
            View::Nodes => {
                self.scroll_nodes(action);
                Vec::new()
            }
            View::Bridge => {
                self.scroll_bridge(action);
                Vec::new()
            }
            View::Approvals => {
                self.scroll_approvals(action);
                Vec::new()
            }
            View::Activity => {
                let names = self.listed_task_names();
                self.activity.scroll(action, &names);
                Vec::new()
            }
            View::Overview => Vec::new(),
        }
    }

    fn scroll_health(&mut self, action: Action) {
        let height = self.list_height();
        if let Some(open) = &self.health.open {
            let check = self.snapshot.as_ref().and_then(|all| watched(all).find(|one| one.of() == open.id));
            let lines = view::check::lines(self, open, check, usize::from(self.size.0)).len();
            let last = (lines + 1).saturating_sub(height.max(1)).max(1);
            let to = moved(action, open.scroll, last, height);
            if let (Some(open), Some(to)) = (&mut self.health.open, to) {
                open.scroll = to;
            }
            return;
        }
        let Some(snapshot) = &self.snapshot else { return };
        let shown = self.health.shown(snapshot);
        let height = height.saturating_sub(view::health::below(self).into());
        if let Some(to) = moved(action, self.health.index(&shown), shown.len(), height) {
            self.health.select(&shown, to);
        }
    }
}
