//! Why an action cannot be done now: the one answer for keys, palette, help and footer.

use std::ops::ControlFlow;

use crate::policy;
use crate::protocol::Request;

use super::action::{Action, Subject, View};
use super::activity::ActivityTab;
use super::app::App;
use super::msg::Purpose;
use super::opened::OpenMessage;
use super::place::CheckOf;

impl App {
    /// Why `action` cannot be done now; `None` when it can. [`App::act`] asks here before it does anything, so what
    /// is greyed out in a list is exactly what a key would refuse.
    pub(super) fn why_not(&self, action: Action) -> Option<String> {
        if let ControlFlow::Break(answer) = self.pane_missing(action) {
            return answer;
        }
        let missing = match action.subject(self.view) {
            Subject::Nodes => return self.node_missing(action),
            Subject::Desk => self.desk_missing(action),
            Subject::Bridge => self.bridge_missing(action),
            Subject::Moves => (self.view == View::Overview).then(|| "nothing here can be moved through".to_owned()),
            Subject::Other => self.otherwise_missing(action),
        };
        missing.or_else(|| self.denied(&self.order(action)?.1))
    }

    /// Why an action that is about none of these cannot be done.
    fn otherwise_missing(&self, action: Action) -> Option<String> {
        match action {
            Action::Go(view) => {
                (view == self.view && self.is_whole()).then(|| format!("this is {} already", view.name()))
            }
            Action::Expand => {
                let more = self.view == View::Inbox && self.inbox.open.as_ref().is_some_and(OpenMessage::has_more);
                (!more).then(|| "there are no earlier messages and no notes here".to_owned())
            }
            Action::ToggleVip => self.no_message().or_else(|| {
                let known = self.inbox.target().is_some_and(|row| row.contact.is_some());
                (!known).then(|| "nobody is known to have written this".to_owned())
            }),
            Action::SamePerson => self.no_message().or_else(|| {
                let known = self.inbox.target().and_then(|row| row.contact);
                known.map_or_else(
                    || Some("nobody is known to have written this".to_owned()),
                    |contact| self.denied(&Self::wanted_person(contact)),
                )
            }),
            Action::Save => self.nothing_to_save(),
            Action::RestartTask => self.selected_task().is_none().then(|| "no task is selected".to_owned()),
            Action::CheckNow => match self.on_check() {
                None => Some("no check is selected".to_owned()),
                Some(CheckOf { node, .. }) => node.map(|node| format!("this check is {node}'s, which looks at it")),
            },
            Action::Open => self.nothing_to_open(),
            Action::NextTab | Action::PreviousTab => {
                let tabs = match self.view {
                    View::Activity => true,
                    View::Inbox => self.inbox.open.is_some(),
                    View::Nodes => self.nodes.open.is_none(),
                    View::Bridge => self.bridge.open.is_none() || self.bridge.open_job().is_some(),
                    _ => false,
                };
                (!tabs).then(|| "nothing here has tabs".to_owned())
            }
            Action::Back => (self.view == View::Overview).then(|| {
                let quits = self.key_of(Action::Quit).map(|key| format!("; {key} quits")).unwrap_or_default();
                format!("there is nothing above the overview{quits}")
            }),
            Action::HistoryBack => (!self.has_back()).then(|| "no place comes before this one".to_owned()),
            Action::HistoryForward => (!self.has_forward()).then(|| "nobody has gone back from here".to_owned()),
            Action::LastPlace => (!self.has_last()).then(|| "no place comes before this one".to_owned()),
            Action::Find | Action::NextError | Action::PreviousError => {
                let lines = self.view == View::Activity && self.activity.has_lines();
                (!lines).then(|| "there are no lines here; go to Activity".to_owned())
            }
            Action::NextMatch | Action::PreviousMatch => {
                let active = self.view == View::Activity && self.activity.find.is_some();
                (!active).then(|| "nothing is searched for in these lines".to_owned())
            }
            Action::Filter => (self.view != View::Inbox || self.inbox.open.is_some())
                .then(|| "this filters the list of messages; go to Inbox".to_owned()),
            Action::Views => (self.view != View::Inbox || self.inbox.open.is_some())
                .then(|| "views narrow the list of messages; go to Inbox".to_owned()),
            Action::ToggleOrder => {
                let ranks = self.view == View::Inbox && self.inbox.open.is_none() && self.inbox.is_ranked().is_some();
                (!ranks).then(|| "only what is searched for by words is ordered".to_owned())
            }
            Action::Trace => {
                let open = self.view == View::Inbox && self.inbox.open.is_some();
                (!open).then(|| "no message is open".to_owned())
            }
            Action::ProblemsOnly => self.not_narrowed(),
            Action::FilterChecks => (self.view != View::Health || self.health.open.is_some())
                .then(|| "this filters the list of checks; go to Health".to_owned()),
            Action::TourNext | Action::TourLeave => {
                self.tour.is_none().then(|| "there is no tour here; `aurora demo --tour` begins one".to_owned())
            }
            Action::Utc => self.is_utc_anyway().then(|| "this machine's own time is UTC".to_owned()),
            Action::Zoom => self.no_zoom(),
            Action::Unzoom => self.no_unzoom(),
            Action::PreviousUrgent => (!self.was_urgent()).then(|| "nothing came before in this round".to_owned()),
            // These can be done anywhere, or, being about panes, were answered before.
            _ => None,
        }
    }

    /// What `action` asks of the engine when it changes something there.
    pub(super) fn order(&self, action: Action) -> Option<(Purpose, Request)> {
        match action {
            Action::ToggleVip => {
                let row = self.inbox.target()?;
                Some((Purpose::Change("not changed"), Request::SetVip { id: row.contact?, vip: !row.vip }))
            }
            Action::RestartTask => {
                let name = self.selected_task()?.to_owned();
                Some((Purpose::Change("not restarted"), Request::RestartTask(name)))
            }
            Action::Reload => Some((Purpose::Reload, Request::Reload)),
            Action::CheckNow => {
                let id = self.on_check()?.id;
                Some((Purpose::Look(id.clone()), Request::CheckNow(id)))
            }
            _ => None,
        }
    }

    /// Why the engine would refuse `request` from this screen, as far as the screen knows who it is.
    pub(super) fn denied(&self, request: &Request) -> Option<String> {
        if self.read_only && request.writes() {
            return Some("this screen is read-only".to_owned());
        }
        policy::may(self.identity.as_ref()?, request).err()
    }

    pub(super) fn no_message(&self) -> Option<String> {
        if let Some(why) = self.kept_there() {
            return Some(why);
        }
        let here = self.view == View::Inbox && self.inbox.target().is_some();
        (!here).then(|| "no message is selected".to_owned())
    }

    fn nothing_to_save(&self) -> Option<String> {
        let Some(open) = &self.inbox.open else { return Some("no message is open".to_owned()) };
        if open.message.attachments.is_empty() {
            return Some("no files came with this message".to_owned());
        }
        self.saving.is_some().then(|| "files are still being saved".to_owned())
    }

    fn nothing_to_open(&self) -> Option<String> {
        match self.view {
            View::Inbox => match &self.inbox.open {
                Some(_) => Some("the message is open already".to_owned()),
                None => self.no_message(),
            },
            View::Channels => self.no_channel(),
            View::Health => match &self.health.open {
                Some(_) => Some("the check is open already".to_owned()),
                None => self.on_check().is_none().then(|| "no check is selected".to_owned()),
            },
            View::Nodes => self.nothing_among_nodes(),
            View::Bridge => self.nothing_on_bridge(),
            View::Approvals => self.no_approval(),
            View::Activity if self.activity.tab == ActivityTab::Audit => self
                .audited()
                .is_none()
                .then(|| "this entry is about no job, approval or host that is known".to_owned()),
            View::Activity if self.activity.tab == ActivityTab::Events => match self.activity.events.selected() {
                None => Some("no event is selected".to_owned()),
                Some(event) if event.cause.is_some() => {
                    Some(format!("a dead letter has no message; aurora events show {}", event.id))
                }
                Some(_) => None,
            },
            View::Activity => Some("only events and the audit log lead anywhere".to_owned()),
            View::Overview => Some("nothing is selected".to_owned()),
        }
    }

    fn selected_task(&self) -> Option<&str> {
        if self.view != View::Activity || self.activity.tab != ActivityTab::Tasks {
            return None;
        }
        let tasks = self.listed_tasks();
        tasks.get(self.activity_index()).map(|task| task.name.as_str())
    }
}

#[cfg(test)]
mod tests {
    use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
    use proptest::prelude::*;

    use crate::model::Role;
    use crate::protocol::Reply;

    use super::super::msg::{Cmd, Msg};
    use super::super::sample;
    use super::*;

    /// The screen after `keys`, where the engine answers what opens a message.
    fn after(keys: &[char], full: bool, role: Role, read_only: bool) -> App {
        let snapshot = if full { sample::with_bridge() } else { sample::empty() };
        let rows = snapshot.inbox.clone();
        let mut app = sample::app(snapshot, role, read_only);
        for key in keys {
            let code = if *key == '\n' { KeyCode::Enter } else { KeyCode::Char(*key) };
            let asked = app.update(Msg::Key(KeyEvent::new(code, KeyModifiers::NONE)), sample::at(0));
            for command in asked {
                if let Cmd::Ask(Purpose::Open(id), _) = command {
                    let message = rows.iter().find(|row| row.id == id).cloned().map(sample::message);
                    app.update(Msg::Reply(Purpose::Open(id), Ok(Reply::Message(message))), sample::at(0));
                }
            }
        }
        app
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]
        /// Every action in every state that keys lead to: a reason is all that is said and done, or something is done.
        #[test]
        fn what_is_allowed_does_something_and_what_is_not_says_why(
            keys in proptest::collection::vec(prop::sample::select("12345678jkG\n\t!aqrxCRPhdti *ml".chars().collect::<Vec<_>>()), 0..7),
            full: bool,
            role in prop::sample::select(Role::ALL.to_vec()),
            read_only: bool,
        ) {
            for action in Action::all() {
                let mut app = after(&keys, full, role, read_only);
                // What a key opened lies over the view; an action is done below it.
                (app.toast, app.overlay) = (None, None);
                let before = format!("{app:?}");
                let why = app.why_not(action);
                let commands = app.act(action);
                match why {
                    Some(why) => {
                        prop_assert!(commands.is_empty(), "{action:?} is refused and asks {commands:?}");
                        prop_assert_eq!(app.toast.take().map(|toast| toast.text), Some(why));
                        prop_assert_eq!(format!("{app:?}"), before, "{:?} is refused and does something", action);
                    }
                    // At the end of a list there is nowhere to move; saying so at every key would be noise.
                    None if action.subject(View::Inbox) == Subject::Moves => {}
                    None => prop_assert!(
                        !commands.is_empty() || format!("{app:?}") != before,
                        "{action:?} is allowed and does nothing after {keys:?}"
                    ),
                }
            }
        }
    }

    #[test]
    fn roles_and_read_only_screens_have_their_reasons() {
        let why = |role, read_only, action| after(&['3'], true, role, read_only).why_not(action);
        assert_eq!(why(Role::Operator, false, Action::Ack), None);
        let role = why(Role::Viewer, false, Action::Ack);
        assert_eq!(role.as_deref(), Some("this needs the role operator; anna has the role viewer"));
        assert_eq!(why(Role::Admin, true, Action::Reload).as_deref(), Some("this screen is read-only"));
        assert_eq!(why(Role::Viewer, true, Action::Search), None, "looking is open to everybody");
        let nothing = after(&['3'], false, Role::Admin, false).why_not(Action::Ack);
        assert_eq!(nothing.as_deref(), Some("no message is selected"));
    }

    #[test]
    fn a_viewer_opens_a_message_without_marking_it() {
        let asked = |role| {
            let mut app = after(&['3'], true, role, false);
            let row = sample::row(3, false);
            app.act(Action::Open);
            let reply = Msg::Reply(Purpose::Open(row.id), Ok(Reply::Message(Some(sample::message(row)))));
            let asked = app.update(reply, sample::at(0));
            asked.iter().filter(|command| matches!(command, Cmd::Ask(_, request) if request.writes())).count()
        };
        assert_eq!((asked(Role::Viewer), asked(Role::Operator)), (0, 1));
    }
}
