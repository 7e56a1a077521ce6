//! The channels as the screen holds them: a panel for each of this node's, then the counts that others share.

use crate::model::{ChannelId, ChannelPanel, ChannelStats, InboxFilter, NodeName, NodePanel};

use super::app::App;
use super::msg::Cmd;
use super::not_ok::Judged;
use super::place::Place;

/// The view's state.
#[derive(Debug, Default)]
pub(super) struct Channels {
    /// The selection stays with its channel when others come and go.
    selected: Option<(ChannelId, Option<NodeName>)>,
    /// The node whose channels are shown; those of all without one.
    pub of: Option<String>,
    /// Whether channels that are ok are left out.
    pub problems_only: bool,
}

/// What is known of a channel.
#[derive(Debug, Clone, Copy)]
pub(super) enum Counted<'a> {
    /// One of this node's.
    Here(&'a ChannelPanel),
    /// One of another node's, as that counts it.
    There(&'a NodePanel, &'a ChannelStats),
}

impl Counted<'_> {
    /// Which channel it is, and of which other node.
    fn key(&self) -> (ChannelId, Option<NodeName>) {
        match self {
            Self::Here(channel) => (channel.id.clone(), None),
            Self::There(node, stats) => (stats.channel.clone(), Some(node.name.clone())),
        }
    }
}

impl App {
    /// The channels that are shown: those of this node, then those of others.
    pub(super) fn counted(&self) -> Vec<Counted<'_>> {
        let mut shown = self.all_counted();
        shown.retain(|channel| !self.channels.problems_only || channel.needs_a_look());
        shown
    }

    /// The same, those that are ok among them whatever is shown.
    pub(super) fn all_counted(&self) -> Vec<Counted<'_>> {
        let Some(snapshot) = &self.snapshot else { return Vec::new() };
        let only = self.channels.of.as_deref();
        let shows = |node: &str| only.is_none_or(|only| only == node);
        let here = snapshot.channels.iter().filter(|_| shows(&snapshot.node)).map(Counted::Here);
        let there = snapshot.nodes.shared().filter(|(node, _)| shows(node.name.as_str()));
        let there = there.flat_map(|(node, remote)| remote.counts.iter().map(move |stats| Counted::There(node, stats)));
        here.chain(there).collect()
    }

    /// Where the selection is among `shown`. A channel that is not there leaves it at the first.
    pub(super) fn channel_index(&self, shown: &[Counted<'_>]) -> usize {
        shown.iter().position(|channel| Some(channel.key()) == self.channels.selected).unwrap_or(0)
    }

    /// Selects a channel by its number; answers whether another one was selected before.
    pub(super) fn select_channel(&mut self, index: usize) -> bool {
        let shown = self.counted();
        let (before, selected) = (self.channel_index(&shown), shown.get(index).map(Counted::key));
        self.channels.selected = selected;
        before != index
    }

    /// The channel that keys are about.
    fn on_channel(&self) -> Option<Counted<'_>> {
        let shown = self.counted();
        shown.get(self.channel_index(&shown)).copied()
    }

    /// Why the selected channel leads nowhere.
    pub(super) fn no_channel(&self) -> Option<String> {
        match self.on_channel() {
            None => Some("no channel is selected".to_owned()),
            Some(Counted::Here(_)) => None,
            Some(Counted::There(node, _)) => {
                let shared = self.nodes_panel().remote(node.name.as_str());
                let none = shared.is_none_or(|shared| shared.messages.is_empty());
                none.then(|| format!("{} shares counts of this channel, and no messages", node.name))
            }
        }
    }

    /// Lists the messages of the selected channel.
    pub(super) fn open_channel(&mut self) -> Vec<Cmd> {
        let (channel, node) = match self.on_channel() {
            None => return Vec::new(),
            Some(Counted::Here(panel)) => (panel.id.clone(), None),
            Some(Counted::There(node, stats)) => (stats.channel.clone(), Some(node.name.to_string())),
        };
        let filter = InboxFilter { channel: Some(channel), node, ..InboxFilter::default() };
        self.go_to_place(Place::Inbox(Box::new(filter)))
    }
}
