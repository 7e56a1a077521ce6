//! What keys do among nodes, and why they do not.

use crate::model::{InboxFilter, NodeName, NodePanel, NodeState, Trust};
use crate::protocol::{BridgeRequest, NodeOrder, NodeRequest, NodesPanel, Order, Request};

use super::action::{Action, View};
use super::app::App;
use super::bridge::{BridgeShown, BridgeTab};
use super::choices::Choice;
use super::list::moved;
use super::msg::{Cmd, Overlay, Purpose};
use super::node_dialog::{NodeDialog, NodePurpose};
use super::nodes::{NodesTab, OpenNode};
use super::place::{CheckOf, Place};
use super::travel::Selected;
use super::view;

static NOBODY: NodesPanel = NodesPanel { me: None, nodes: Vec::new(), remote: Vec::new(), news: Vec::new() };

impl App {
    /// What is known of other nodes.
    pub(super) fn nodes_panel(&self) -> &NodesPanel {
        self.snapshot.as_ref().map_or(&NOBODY, |snapshot| &snapshot.nodes)
    }

    /// The node keys are about.
    pub(super) fn on_node(&self) -> Option<&NodePanel> {
        (self.view == View::Nodes).then(|| self.nodes.target(self.nodes_panel())).flatten()
    }

    /// The same, where it is another one.
    fn on_other(&self) -> Result<&NodePanel, String> {
        let node = self.on_node().ok_or("no node is selected; go to Nodes")?;
        let is_own = self.nodes_panel().me.as_ref().is_some_and(|me| me.name == node.name);
        if is_own { Err("this is this node itself".to_owned()) } else { Ok(node) }
    }

    /// Why `action` cannot be done with nodes; `None` when it can, or is about something else.
    pub(super) fn node_missing(&self, action: Action) -> Option<String> {
        let on = |node: &NodePanel, order| Request::Node(NodeRequest::On { node: node.name.clone(), order });
        let request = match action {
            Action::InviteNode | Action::JoinNode | Action::RotateKey if self.nodes_panel().me.is_none() => {
                return Some("this node takes no part; `[federation] enabled = true` lets it".to_owned());
            }
            Action::InviteNode => Request::Node(NodeRequest::Invite { trust: Trust::default() }),
            Action::JoinNode => Request::Node(NodeRequest::Join { token: String::new(), trust: Trust::default() }),
            Action::RotateKey => Request::Node(NodeRequest::Rotate),
            Action::TrustNode | Action::RemoveNode => match self.on_other() {
                Err(why) => return Some(why),
                Ok(node) if action == Action::RemoveNode => Request::Node(NodeRequest::Remove(node.name.clone())),
                Ok(node) => Request::Node(NodeRequest::Trust { name: node.name.clone(), trust: node.trust }),
            },
            Action::RunCommand => match self.reached() {
                Err(why) => return Some(why),
                // What every command needs; which there are is that node's to say.
                Ok(node) => match Order::parse("run HOST COMMAND", &self.asking()).ok()?.request {
                    Request::Bridge(run) => on(node, NodeOrder::Bridge(run)),
                    _ => return None,
                },
            },
            Action::RestartTask => match self.reached() {
                Err(why) => return Some(why),
                Ok(node) => match self.nodes_panel().remote(node.name.as_str()).and_then(|there| there.tasks.first()) {
                    None => return Some(format!("{} shares no tasks: `share` in its `[federation]`", node.name)),
                    Some(task) => on(node, NodeOrder::RestartTask(task.name.clone())),
                },
            },
            _ => return None,
        };
        self.denied(&request)
    }

    /// The node an order would go to.
    fn reached(&self) -> Result<&NodePanel, String> {
        let node = self.on_other()?;
        if let Some(via) = &node.via {
            return Err(format!("{} is reached over {via} only; act on it from there", node.name));
        }
        match node.state {
            NodeState::Alive | NodeState::Suspect | NodeState::Unknown => Ok(node),
            state => Err(format!("{} is {}: nothing can be done there now", node.name, state.as_str())),
        }
    }

    /// Does what `action` says about nodes.
    pub(super) fn act_on_nodes(&mut self, action: Action) -> Vec<Cmd> {
        let name = self.on_node().map(|node| node.name.clone());
        let dialog = match (action, name) {
            (Action::InviteNode, _) => NodeDialog::invite(self.now),
            (Action::JoinNode, _) => NodeDialog::join(self.now),
            (Action::RotateKey, _) => match &self.nodes_panel().me {
                Some(me) => NodeDialog::rotate(me.name.clone(), self.now),
                None => return Vec::new(),
            },
            (Action::TrustNode, Some(name)) => {
                let trust = self.on_node().map(|node| node.trust).unwrap_or_default();
                NodeDialog::trust(name, trust, self.now)
            }
            (Action::RemoveNode, Some(name)) => NodeDialog::remove(name, self.now),
            (Action::RestartTask, Some(name)) => {
                let tasks = self.nodes_panel().remote(name.as_str()).map(|there| there.tasks.clone());
                NodeDialog::tasks(name, tasks.unwrap_or_default(), self.now)
            }
            (Action::RunCommand, Some(name)) => {
                let ask = |request| {
                    let order = NodeOrder::Bridge(request);
                    let request = Request::Node(NodeRequest::On { node: name.clone(), order });
                    Cmd::Ask(Purpose::Node(NodePurpose::Ground(name.clone())), request)
                };
                let commands = vec![ask(BridgeRequest::Hosts), ask(BridgeRequest::Commands)];
                self.overlay = Some(Overlay::Node(Box::new(NodeDialog::hosts(name, self.now))));
                return commands;
            }
            _ => return Vec::new(),
        };
        self.overlay = Some(Overlay::Node(Box::new(dialog)));
        Vec::new()
    }

    /// Why there is no node to open.
    pub(super) fn nothing_among_nodes(&self) -> Option<String> {
        match (&self.nodes.open, self.nodes.tab) {
            (Some(open), _) => {
                let shared = self.nodes_panel().remote(open.name.as_str());
                shared.is_none().then(|| format!("{} shares nothing here", open.name))
            }
            (None, NodesTab::Topology) => Some("the list of nodes leads to each; tab turns to it".to_owned()),
            (None, _) => self.on_node().is_none().then(|| "no node is selected".to_owned()),
        }
    }

    /// Opens the selected node; of one that is open, its checks.
    pub(super) fn open_among_nodes(&mut self) -> Vec<Cmd> {
        if let Some(open) = &self.nodes.open {
            let text = format!("@{}", open.name);
            return self.go_to_place(Place::Health(text));
        }
        if let Some(name) = self.on_node().map(|node| node.name.clone()) {
            self.open_node(name);
        }
        Vec::new()
    }

    /// Shows a node in full.
    pub(super) fn open_node(&mut self, name: NodeName) {
        self.go(View::Nodes);
        self.nodes.select_node(name.clone());
        self.nodes.open = Some(OpenNode { name, scroll: 0 });
    }

    /// Moves through what is shown of nodes.
    pub(super) fn scroll_nodes(&mut self, action: Action) {
        let height = self.list_height();
        let last = |lines: usize| (lines + 1).saturating_sub(height.max(1)).max(1);
        let (node, map) = (view::node::lines_of_open(self), view::nodes::lines_of_topology(self));
        if let Some(open) = &mut self.nodes.open {
            open.scroll = moved(action, open.scroll, last(node), height).unwrap_or(open.scroll);
            return;
        }
        if self.nodes.tab == NodesTab::Topology {
            self.nodes.scroll = moved(action, self.nodes.scroll, last(map), height).unwrap_or(self.nodes.scroll);
            return;
        }
        let Some(snapshot) = &self.snapshot else { return };
        let (index, len) = self.nodes.index(&snapshot.nodes);
        let height = height.saturating_sub(view::nodes::beside_the_list(self));
        if let Some(to) = moved(action, index, len, height) {
            self.nodes.select(&snapshot.nodes, to);
        }
    }

    /// Selects a row by its number; answers whether another one was selected before.
    pub(super) fn select_among_nodes(&mut self, index: usize) -> bool {
        let Some(snapshot) = &self.snapshot else { return false };
        let before = self.nodes.index(&snapshot.nodes).0;
        self.nodes.select(&snapshot.nodes, index);
        before != index
    }

    /// Where the screen is among nodes, and what is selected there.
    pub(super) fn here_among_nodes(&self) -> (Place, Selected) {
        match &self.nodes.open {
            Some(open) => (Place::Node(open.name.clone()), Selected::Nothing),
            None => {
                let selected = self.on_node().map_or(Selected::Nothing, |node| Selected::Node(node.name.clone()));
                (Place::Nodes(self.nodes.tab), selected)
            }
        }
    }

    /// Goes to one of the lists of nodes.
    pub(super) fn go_to_nodes(&mut self, tab: NodesTab, selected: Selected) {
        self.go(View::Nodes);
        (self.nodes.tab, self.nodes.open, self.nodes.scroll) = (tab, None, 0);
        if let Selected::Node(name) = selected {
            self.nodes.select_node(name);
        }
    }

    /// Nodes by their names, and what each shares.
    pub(super) fn node_choices(&self) -> Vec<Choice> {
        let mut choices = Vec::new();
        for node in &self.nodes_panel().nodes {
            let name = &node.name;
            choices.push(Choice::place(format!("node {name}: {}", node.state.as_str()), Place::Node(name.clone())));
            let Some(remote) = self.nodes_panel().remote(name.as_str()) else { continue };
            let text = format!("@{name}");
            if !remote.checks.is_empty() {
                let place = Place::Health(text.clone());
                choices.push(Choice::place(format!("go to checks of @{name}"), place));
            }
            if !remote.counts.is_empty() {
                choices
                    .push(Choice::place(format!("go to channels of @{name}"), Place::Channels(Some(name.to_string()))));
            }
            if !remote.jobs.is_empty() {
                choices.push(Choice::place(
                    format!("go to jobs of @{name}"),
                    Place::Bridge(BridgeShown { tab: BridgeTab::Jobs, text: text.clone() }),
                ));
            }
            if !remote.messages.is_empty() {
                let filter = InboxFilter { node: Some(name.to_string()), ..Default::default() };
                choices.push(Choice::place(format!("go to messages of @{name}"), Place::Inbox(Box::new(filter))));
            }
            let checks = remote.checks.iter().map(|check| {
                let of = CheckOf { id: check.id.clone(), node: Some(name.clone()) };
                Choice::place(format!("check {of}: {}", check.state.as_str()), Place::Check(of))
            });
            choices.extend(checks);
        }
        choices
    }
}

/// Places of nodes that need no name.
pub(super) fn places() -> Vec<Choice> {
    let lists = NodesTab::ALL.into_iter();
    lists
        .map(|tab| {
            let words = format!("go to {}: {}", View::Nodes.name(), tab.name().to_lowercase());
            Choice::place(words, Place::Nodes(tab))
        })
        .collect()
}
