//! What a message to the screen is worth: whether somebody waits for the frame that shows it.

use crate::model::{CheckPanel, NodePanel};
use crate::protocol::{NodesNotice, NodesPanel, Notice, Snapshot, Update};

use super::app::App;
use super::msg::Msg;
use super::pace::Urgency;

impl App {
    /// How soon what `msg` changes has to be shown. Asked before the message is taken in.
    pub(super) fn urgency(&self, msg: &Msg) -> Urgency {
        match msg {
            Msg::Update(Update::Notice(notice)) => match notice {
                Notice::Checks(changed) => checks(self.snapshot.as_deref(), changed),
                Notice::Nodes(notice) => nodes(self.nodes_panel(), notice),
                Notice::Channels(_) | Notice::Log(_) | Notice::Clients(_) => Urgency::Figures,
                _ => Urgency::News,
            },
            // What is typed is seen where it is printed.
            Msg::Update(Update::Pane(_)) if self.panes.drive.is_some() => Urgency::Key,
            Msg::Update(_) => Urgency::News,
            Msg::Tick => Urgency::Figures,
            _ => Urgency::Key,
        }
    }
}

/// A node that stands otherwise is news, and what is wrong there; its figures and the entries of logs are not.
fn nodes(known: &NodesPanel, notice: &NodesNotice) -> Urgency {
    let is_same = |node: &NodePanel| known.node(node.name.as_str()).is_some_and(|known| known.state == node.state);
    let is_figure = match notice {
        NodesNotice::Nodes(changed) => changed.iter().all(is_same),
        NodesNotice::Me(me) => is_same(me),
        NodesNotice::Changed(changes) => changes.iter().all(|change| change.put.incidents.is_empty()),
        NodesNotice::News(_) => true,
        NodesNotice::Removed(_) | NodesNotice::Remote(_) => false,
    };
    if is_figure { Urgency::Figures } else { Urgency::News }
}

/// A check that stands otherwise is news, another figure of it is not.
fn checks(snapshot: Option<&Snapshot>, changed: &[CheckPanel]) -> Urgency {
    let known = snapshot.map(|snapshot| snapshot.checks.as_slice()).unwrap_or_default();
    let same = |check: &CheckPanel| {
        known.iter().any(|known| known.id == check.id && known.state == check.state && known.flapping == check.flapping)
    };
    if changed.iter().all(same) { Urgency::Figures } else { Urgency::News }
}

#[cfg(test)]
mod tests {
    use crate::model::NodeState;

    use super::super::node_sample;
    use super::*;

    #[test]
    fn a_node_that_goes_down_is_news_and_its_figures_are_not() {
        let known = node_sample::nodes();
        let hub = NodePanel { rate: 99, ..known.nodes[1].clone() };
        let down = NodePanel { state: NodeState::Down, ..hub.clone() };
        assert_eq!(nodes(&known, &NodesNotice::Nodes(vec![hub.clone()])), Urgency::Figures);
        assert_eq!(nodes(&known, &NodesNotice::Nodes(vec![hub, down])), Urgency::News);
        assert_eq!(nodes(&known, &NodesNotice::News(known.news.clone())), Urgency::Figures);
        assert_eq!(nodes(&known, &NodesNotice::Removed(Vec::new())), Urgency::News);
    }
}
