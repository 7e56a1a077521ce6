//! The channels as the screen holds them: a panel for each of this node's, then the counts that others share.

use crate::model::{ChannelPanel, ChannelStats, InboxFilter, NodePanel};

use super::app::App;
use super::msg::Cmd;
use super::place::Place;

/// What is known of a channel.
#[derive(Debug, Clone, Copy)]
pub(super) enum Counted<'a> {
    /// One of this node's.
    Here(&'a ChannelPanel),
    /// One of another node's, as that counts it.
    There(&'a NodePanel, &'a ChannelStats),
}

impl App {
    /// The channels that are shown: those of this node, then those of others.
    pub(super) fn counted(&self) -> Vec<Counted<'_>> {
        let Some(snapshot) = &self.snapshot else { return Vec::new() };
        let only = self.channels_of.as_deref();
        let shows = |node: &str| only.is_none_or(|only| only == node);
        let here = snapshot.channels.iter().filter(|_| shows(&snapshot.node)).map(Counted::Here);
        let there = snapshot.nodes.shared().filter(|(node, _)| shows(node.name.as_str()));
        let there = there.flat_map(|(node, remote)| remote.counts.iter().map(move |stats| Counted::There(node, stats)));
        here.chain(there).collect()
    }

    /// Why the selected channel leads nowhere.
    pub(super) fn no_channel(&self) -> Option<String> {
        match self.counted().get(self.channel) {
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
        let (channel, node) = match self.counted().get(self.channel) {
            None => return Vec::new(),
            Some(Counted::Here(panel)) => (panel.id.clone(), None),
            Some(Counted::There(node, stats)) => (stats.channel.clone(), Some(node.name.to_string())),
        };
        let filter = InboxFilter { channel: Some(channel), node, ..InboxFilter::default() };
        self.go_to_place(Place::Inbox(Box::new(filter)))
    }
}
