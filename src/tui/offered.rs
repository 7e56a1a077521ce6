//! What the footer names: what could be done with something in the list or the object that is shown.

use super::action::{Action, View};
use super::activity::ActivityTab;
use super::app::App;
use super::bridge::{BridgeTab, Opened};

impl App {
    /// Whether `action` can be done here at all, whatever is selected. [`App::why_not`] says whether it can be now; this
    /// is the same for every row of a list.
    pub(super) fn is_offered(&self, action: Action) -> bool {
        if action == Action::ProblemsOnly {
            return self.not_narrowed().is_none();
        }
        match self.view {
            View::Overview => action != Action::Back,
            View::Inbox if self.inbox.open.is_none() => match action {
                Action::ToggleOrder => self.inbox.is_ranked().is_some(),
                _ => true,
            },
            View::Inbox => action != Action::Open,
            View::Health if self.health.open.is_some() => action != Action::Open,
            View::Nodes => match action {
                Action::NextTab => self.nodes.open.is_none(),
                Action::TrustNode | Action::RemoveNode | Action::RunCommand | Action::RestartTask => {
                    !self.nodes_panel().nodes.is_empty()
                }
                _ => true,
            },
            View::Approvals if self.approvals.open.is_some() => action != Action::Open,
            View::Activity => match action {
                Action::Open => matches!(self.activity.tab, ActivityTab::Events | ActivityTab::Audit),
                _ => true,
            },
            View::Bridge => self.is_offered_on_bridge(action),
            _ => true,
        }
    }

    fn is_offered_on_bridge(&self, action: Action) -> bool {
        let (open, tab) = (&self.bridge.open, self.bridge.tab);
        match action {
            Action::CancelJob | Action::ResolveJob | Action::JobHost => match open {
                None => tab == BridgeTab::Jobs,
                Some(opened) => matches!(opened, Opened::Job(_)),
            },
            // A job is on a host, too.
            Action::RunCommand | Action::ProbeHost => match open {
                None => matches!(tab, BridgeTab::Hosts | BridgeTab::Jobs),
                Some(opened) => matches!(opened, Opened::Host(_) | Opened::Job(_)),
            },
            Action::FilterBridge => open.is_none(),
            Action::NextTab => !matches!(open, Some(Opened::Host(_))),
            Action::Open => !matches!(open, Some(Opened::Job(_) | Opened::Pane(_))),
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

    use crate::model::Role;

    use super::super::msg::Msg;
    use super::super::sample;
    use super::*;

    /// What the footer may name after `keys`.
    fn offered(keys: &str) -> Vec<Action> {
        let mut app = sample::app(sample::with_bridge(), Role::Admin, false);
        for c in keys.chars() {
            let code = match c {
                '\n' => KeyCode::Enter,
                '\t' => KeyCode::Tab,
                c => KeyCode::Char(c),
            };
            app.update(Msg::Key(KeyEvent::new(code, KeyModifiers::NONE)), sample::at(0));
        }
        let valid = app.keymap.valid(&app.contexts());
        valid.into_iter().map(|valid| valid.action).filter(|action| app.is_offered(*action)).collect()
    }

    #[test]
    fn the_footer_names_what_this_list_is_about() {
        let about_jobs = [Action::CancelJob, Action::ResolveJob, Action::JobHost];
        let hosts = offered("6");
        assert!(about_jobs.iter().all(|action| !hosts.contains(action)), "{hosts:?}");
        assert!(hosts.contains(&Action::ProbeHost) && hosts.contains(&Action::RunCommand));
        let jobs = offered("6\t");
        assert!(about_jobs.iter().all(|action| jobs.contains(action)), "{jobs:?}");
        assert!(!offered("1").contains(&Action::Back), "there is nothing above it");
        assert!(offered("2").contains(&Action::Back));
        assert!(!offered("8\t").contains(&Action::Open), "a refusal leads nowhere");
    }

    #[test]
    fn whatever_can_be_done_in_a_view_is_offered_there() {
        for keys in ["1", "2", "3", "4", "5", "5\n", "6", "6\n", "6\t", "6\t\n", "7", "8", "8\t", "8\t\t"] {
            let mut app = sample::app(sample::with_bridge(), Role::Admin, false);
            for c in keys.chars() {
                let code = match c {
                    '\n' => KeyCode::Enter,
                    '\t' => KeyCode::Tab,
                    c => KeyCode::Char(c),
                };
                app.update(Msg::Key(KeyEvent::new(code, KeyModifiers::NONE)), sample::at(0));
            }
            for valid in app.keymap.valid(&app.contexts()) {
                let can = app.why_not(valid.action).is_none();
                assert!(!can || app.is_offered(valid.action), "{:?} after {keys:?}", valid.action);
            }
        }
    }
}
