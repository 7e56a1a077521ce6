//! The nodes as the screen holds them: a list, who hears whom, the newest entries, and one node in full.

use crate::model::{NodeName, NodePanel};
use crate::protocol::{NodesPanel, SharedLine};

use super::not_ok::Judged;

/// The lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NodesTab {
    /// This node and the others.
    #[default]
    Nodes,
    /// Who hears whom, and over which relays.
    Topology,
    /// The newest entries of all logs.
    Log,
}

impl NodesTab {
    /// Every list, in the order of the tabs.
    pub const ALL: [Self; 3] = [Self::Nodes, Self::Topology, Self::Log];

    /// The name on its tab.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Nodes => "Nodes",
            Self::Topology => "Topology",
            Self::Log => "Log",
        }
    }
}

/// The view's state.
#[derive(Debug, Default)]
pub(super) struct Nodes {
    pub tab: NodesTab,
    /// Whether nodes that are ok are left out.
    pub problems_only: bool,
    /// The selection stays with its node when the order changes.
    selected: Option<NodeName>,
    /// The same for an entry of a log: whose, and its number there.
    line: Option<(NodeName, u64)>,
    /// Rows of the topology above the first that is shown.
    pub scroll: usize,
    pub open: Option<OpenNode>,
}

/// A node shown in full.
#[derive(Debug)]
pub(super) struct OpenNode {
    pub name: NodeName,
    pub scroll: usize,
}

impl Nodes {
    /// Those of [`Self::all`] that are shown.
    pub(super) fn shown<'a>(&self, panel: &'a NodesPanel) -> Vec<&'a NodePanel> {
        let mut shown = Self::all(panel);
        shown.retain(|node| !self.problems_only || node.needs_a_look());
        shown
    }

    /// This node, then the others, the worst first, then by name.
    pub(super) fn all(panel: &NodesPanel) -> Vec<&NodePanel> {
        let mut others: Vec<&NodePanel> = panel.nodes.iter().collect();
        others.sort_by(|a, b| b.state.cmp(&a.state).then_with(|| a.name.cmp(&b.name)));
        panel.me.iter().chain(others).collect()
    }

    /// Where the selection is, and how many rows there are.
    pub(super) fn index(&self, panel: &NodesPanel) -> (usize, usize) {
        match self.tab {
            NodesTab::Nodes => {
                let shown = self.shown(panel);
                let at = shown.iter().position(|node| Some(&node.name) == self.selected.as_ref());
                (at.unwrap_or(0), shown.len())
            }
            NodesTab::Log => {
                let is_it = |line: &SharedLine| self.line.as_ref() == Some(&(line.node.clone(), line.seq));
                (panel.news.iter().position(is_it).unwrap_or(0), panel.news.len())
            }
            NodesTab::Topology => (self.scroll, 0),
        }
    }

    /// Selects a row by its number.
    pub(super) fn select(&mut self, panel: &NodesPanel, index: usize) {
        match self.tab {
            NodesTab::Nodes => self.selected = self.shown(panel).get(index).map(|node| node.name.clone()),
            NodesTab::Log => self.line = panel.news.get(index).map(|line| (line.node.clone(), line.seq)),
            NodesTab::Topology => {}
        }
    }

    pub(super) fn select_node(&mut self, name: NodeName) {
        self.selected = Some(name);
    }

    /// The node that keys are about: the one that is open or selected, or whose entry is.
    pub(super) fn target<'a>(&self, panel: &'a NodesPanel) -> Option<&'a NodePanel> {
        if let Some(open) = &self.open {
            return panel.node(open.name.as_str());
        }
        let index = self.index(panel).0;
        match self.tab {
            NodesTab::Nodes => self.shown(panel).get(index).copied(),
            NodesTab::Log => panel.node(panel.news.get(index)?.node.as_str()),
            NodesTab::Topology => None,
        }
    }

    /// Turns to another list.
    pub(super) fn turn(&mut self, forward: bool) {
        let (at, len) = (self.tab as usize, NodesTab::ALL.len());
        self.tab = NodesTab::ALL[if forward { at + 1 } else { at + len - 1 } % len];
        self.scroll = 0;
    }
}

#[cfg(test)]
mod tests {
    use crate::model::NodeState;

    use super::super::node_sample;
    use super::*;

    fn names(panel: &NodesPanel) -> Vec<String> {
        Nodes::all(panel).into_iter().map(|node| node.name.to_string()).collect()
    }

    #[test]
    fn this_node_is_first_then_the_worst_and_the_selection_stays() {
        let mut panel = node_sample::nodes();
        assert_eq!(names(&panel), ["hub-1", "edge-3", "hub-2"]);
        let mut nodes = Nodes::default();
        nodes.select(&panel, 2);
        panel.nodes[1].state = NodeState::Quarantined;
        assert_eq!(names(&panel), ["hub-1", "hub-2", "edge-3"]);
        assert_eq!(nodes.index(&panel), (1, 3));
        assert_eq!(nodes.target(&panel).map(|node| node.name.to_string()).as_deref(), Some("hub-2"));
        panel.nodes.remove(1);
        assert_eq!(nodes.index(&panel), (0, 2), "its node was forgotten");
    }

    #[test]
    fn an_entry_stays_selected_while_others_come() {
        let mut panel = node_sample::nodes();
        let mut nodes = Nodes { tab: NodesTab::Log, ..Nodes::default() };
        nodes.select(&panel, 1);
        let chosen = panel.news[1].clone();
        let new = SharedLine { seq: 9_999, ..panel.news[0].clone() };
        panel.news.insert(0, new);
        assert_eq!(nodes.index(&panel).0, 2);
        assert_eq!(nodes.target(&panel).map(|node| &node.name), Some(&chosen.node));
        nodes.turn(true);
        assert_eq!((nodes.tab, nodes.target(&panel)), (NodesTab::Nodes, panel.me.as_ref()));
    }
}
