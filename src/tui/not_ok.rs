//! Lists without what is ok: one key, one word and one figure, whatever is listed.

use crate::model::{
    Approval, ApprovalState, ChannelState, CheckState, HostPanel, JobState, NodePanel, NodeState, Outcome,
    RolloutPhase, RolloutRow, TaskState, TaskStatus,
};

use super::action::View;
use super::app::App;
use super::bridge::{self, Reach};
use super::channels::Counted;
use super::health::Watched;
use super::msg::Cmd;
use super::nodes::NodesTab;
use super::panes::{self, PaneState, is_stale};

/// A row of a list, and whether it may be left out.
pub(super) trait Judged {
    /// Whether an operator would want to know. What is too old, or not known, is not ok.
    fn needs_a_look(&self) -> bool;
}

/// How many of `rows` are ok.
pub(super) fn ok_among<T: Judged>(rows: impl IntoIterator<Item = T>) -> usize {
    rows.into_iter().filter(|row| !row.needs_a_look()).count()
}

impl<T: Judged> Judged for &T {
    fn needs_a_look(&self) -> bool {
        T::needs_a_look(self)
    }
}

impl Judged for Watched<'_> {
    fn needs_a_look(&self) -> bool {
        self.state() != CheckState::Ok || self.check.flapping || self.check.soft.is_some()
    }
}

impl Judged for Counted<'_> {
    fn needs_a_look(&self) -> bool {
        match self {
            // What went wrong before the last event is past.
            Self::Here(channel) => {
                let wrong = channel.last_error.as_ref().map(|(at, _)| *at);
                channel.state != ChannelState::Listening || wrong > channel.last_event
            }
            Self::There(node, _) => node.needs_a_look(),
        }
    }
}

impl Judged for NodePanel {
    fn needs_a_look(&self) -> bool {
        let is_off = self.skew_ms.is_some_and(|skew| skew.abs() > 2_000);
        self.state != NodeState::Alive || self.missing > 0 || is_off
    }
}

impl Judged for HostPanel {
    fn needs_a_look(&self) -> bool {
        Reach::of(self) != Reach::Up
    }
}

impl Judged for bridge::Listed<'_> {
    fn needs_a_look(&self) -> bool {
        let is_bad = match &self.row.state {
            JobState::AwaitingApproval(_) | JobState::Unsure => true,
            JobState::Ended(outcome) => !matches!(outcome, Outcome::Done(end) if end.is_good()),
            _ => false,
        };
        is_bad || self.node.is_some_and(|node| node.old_since().is_some())
    }
}

impl Judged for RolloutRow {
    fn needs_a_look(&self) -> bool {
        matches!(self.phase, RolloutPhase::Held | RolloutPhase::Stops) || self.stopped.is_some() || self.undone > 0
    }
}

impl Judged for panes::Listed<'_> {
    fn needs_a_look(&self) -> bool {
        // The states are in the order in which they matter; a host without panes may have none.
        self.row.map_or(is_stale(self.host), |row| PaneState::of(self.host, row) <= PaneState::Dead)
    }
}

impl Judged for Approval {
    fn needs_a_look(&self) -> bool {
        self.state == ApprovalState::Open
    }
}

impl Judged for TaskStatus {
    fn needs_a_look(&self) -> bool {
        self.state != TaskState::Running || self.trouble.is_some()
    }
}

impl App {
    /// Whether the list that is shown leaves out what is ok.
    pub(super) fn problems_only(&self) -> bool {
        match self.view {
            View::Overview => false,
            View::Channels => self.channels.problems_only,
            View::Inbox => self.inbox.problems_only(),
            View::Nodes => self.nodes.problems_only && self.nodes.tab == NodesTab::Nodes,
            View::Health => self.health.problems_only,
            View::Bridge => self.bridge.problems_only,
            View::Approvals => self.approvals.problems_only,
            View::Activity => self.activity.problems_only(),
        }
    }

    /// Leaves out what is ok in the lists of the view, or no longer; the selection stays where its row does.
    pub(super) fn list_problems_only(&mut self, on: bool) -> Vec<Cmd> {
        match self.view {
            View::Overview => {}
            View::Channels => self.channels.problems_only = on,
            View::Inbox => {
                let request = self.inbox.list_problems_only(on);
                return self.rows(request);
            }
            View::Nodes => self.nodes.problems_only = on,
            View::Health => self.health.problems_only = on,
            View::Bridge => self.bridge.problems_only = on,
            View::Approvals => self.approvals.problems_only = on,
            View::Activity => self.activity.list_problems_only(on),
        }
        Vec::new()
    }

    /// Why nothing can be left out here.
    pub(super) fn not_narrowed(&self) -> Option<String> {
        let is_open = match self.view {
            View::Overview => return Some("nothing is listed here".to_owned()),
            View::Nodes if self.nodes.tab != NodesTab::Nodes => {
                return Some("what is ok is left out of the list of nodes; tab turns to it".to_owned());
            }
            View::Inbox => self.inbox.open.is_some(),
            View::Nodes => self.nodes.open.is_some(),
            View::Health => self.health.open.is_some(),
            View::Bridge => self.bridge.open.is_some(),
            View::Approvals => self.approvals.open.is_some(),
            View::Channels | View::Activity => false,
        };
        is_open.then(|| "what is ok is left out of lists; this is one thing in full".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use crate::model::{JobState, LogLevel, LogLine, Role};

    use super::super::action::Action;
    use super::super::msg::Msg;
    use super::super::{node_sample, pane_sample, sample};
    use super::*;

    fn press(app: &mut App, keys: &str) {
        for key in keys.chars() {
            let code = match key {
                '\t' => KeyCode::Tab,
                '\n' => KeyCode::Enter,
                '\u{1b}' => KeyCode::Esc,
                key => KeyCode::Char(key),
            };
            app.update(Msg::Key(KeyEvent::new(code, KeyModifiers::NONE)), sample::at(0));
        }
    }

    fn title(app: &App) -> String {
        let mut terminal = Terminal::new(TestBackend::new(200, 40)).expect("a terminal");
        terminal.draw(|frame| app.draw(frame)).expect("draws");
        let buffer = terminal.backend().buffer();
        buffer.content.chunks(200).nth(1).expect("rows").iter().map(ratatui::buffer::Cell::symbol).collect()
    }

    /// Something of everything that is ok, and something that is not.
    fn app() -> App {
        let log =
            |n: i64, level| LogLine { n, at: sample::at(-n), level, target: "aurora".into(), text: "text".into() };
        let mut snapshot = node_sample::with_nodes();
        snapshot.bridge = sample::bridge();
        snapshot.bridge.jobs.push(sample::job(9, "web-1", JobState::Running).row());
        snapshot.tasks.push(sample::task("sweep", TaskState::Running));
        snapshot.logs = vec![log(3, LogLevel::Info), log(2, LogLevel::Warn), log(1, LogLevel::Info)];
        let mut app = sample::app(snapshot, Role::Admin, false);
        app.panes.take(&pane_sample::panes());
        app.update(Msg::Resize(200, 40), sample::at(0));
        app
    }

    #[test]
    fn one_key_leaves_out_what_is_ok_in_every_list_and_lifts_it_again() {
        for (keys, place, hidden) in [
            ("2", "channels !", true),
            ("4", "nodes !", true),
            ("5", "health !", true),
            ("6", "bridge !", true),
            ("6\t", "bridge ! jobs", true),
            ("6\t\t", "bridge ! panes", true),
            ("6\t\t\t", "bridge ! rollouts", false),
            ("7", "approvals !", true),
            ("8", "activity ! events", true),
            ("8\t", "activity ! refusals", false),
            ("8\t\t", "activity ! tasks", true),
            ("8\t\t\t", "activity ! logs", true),
            ("8\t\t\t\t", "activity ! audit", true),
            ("3", "inbox unread open", false),
        ] {
            let mut app = app();
            press(&mut app, keys);
            let all = app.here().place.to_string();
            press(&mut app, "!");
            assert_eq!(app.here().place.to_string(), place);
            let told = title(&app);
            assert!(told.contains("problems only") && told.contains(" ok hidden") == hidden, "{place}: {told}");
            for lifts in ["!", "\u{1b}"] {
                press(&mut app, lifts);
                assert_eq!(app.here().place.to_string(), all, "{lifts:?}");
                assert!(!title(&app).contains("problems only"));
                press(&mut app, "!");
            }
        }
    }

    #[test]
    fn what_is_open_or_is_no_list_says_why_not() {
        for keys in ["1", "4\t", "5\n", "6\n", "7\n", "4\n"] {
            let mut app = app();
            press(&mut app, keys);
            assert!(app.why_not(Action::ProblemsOnly).is_some(), "{keys:?}");
        }
    }

    #[test]
    fn the_selection_stays_and_each_view_has_its_own_answer() {
        let mut app = app();
        press(&mut app, "6\tG");
        let selected = app.here();
        press(&mut app, "!5");
        assert!(!app.problems_only(), "the one of the bridge is the bridge's");
        press(&mut app, "6!");
        assert_eq!(app.here(), selected, "it was left out meanwhile");
        press(&mut app, "8\t\t\tkk!");
        let line = |app: &App| app.activity.logs.selected().map(|line| line.n);
        assert_eq!(line(&app), Some(2), "the last one before that is left");
        press(&mut app, "!");
        assert_eq!(line(&app), Some(1), "it was only out of sight");
    }

    #[test]
    fn what_is_stale_or_unknown_is_never_left_out() {
        let mut snapshot = node_sample::with_nodes();
        for check in snapshot.nodes.remote.iter_mut().flat_map(|remote| &mut remote.checks) {
            check.state = CheckState::Ok;
        }
        let old = |watched: &Watched<'_>| watched.old_since().is_some();
        let mut stale = super::super::health::watched(&snapshot).filter(old).peekable();
        assert!(stale.peek().is_some());
        assert!(stale.all(|one| one.needs_a_look()));
        let mut host = sample::bridge().hosts.remove(1);
        host.active = None;
        assert!(host.needs_a_look(), "nothing is known yet");
        let mut node = snapshot.nodes.nodes[0].clone();
        (node.state, node.missing, node.skew_ms) = (NodeState::Unknown, 0, None);
        assert!(node.needs_a_look());
    }
}
