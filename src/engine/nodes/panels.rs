//! What screens see of the nodes, and what they are told: what stands otherwise soon, figures alone now and then.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::federation::Now;
use crate::model::{NodeKey, NodeName, NodePanel, NodeState, Trust};
use crate::protocol::{NodesNotice, NodesPanel};

use super::super::Input;
use super::desk::Desk;
use super::hearsay::trusted;
use super::service::Nodes;

/// What screens were told last.
#[derive(Debug, Default)]
pub(super) struct Told {
    me: Option<NodePanel>,
    nodes: BTreeMap<NodeName, NodePanel>,
}

impl Told {
    /// What is to be told now that the nodes are so; with `figures` also what is no more than another number.
    fn news(&mut self, mut me: NodePanel, mut nodes: Vec<NodePanel>, figures: bool) -> Vec<NodesNotice> {
        for node in nodes.iter_mut().chain([&mut me]) {
            let before = self.nodes.get(&node.name).or(self.me.as_ref().filter(|me| me.name == node.name));
            // Two clocks are read to say since when, so the moment moves by a little each time.
            node.since =
                before.map(|before| before.since).filter(|since| near(*since, node.since)).unwrap_or(node.since);
        }
        let is_news = |before: Option<&NodePanel>, now: &NodePanel| {
            before.is_none_or(|before| if figures { before != now } else { standing(before) != standing(now) })
        };
        let mut notices = Vec::new();
        if is_news(self.me.as_ref(), &me) {
            self.me = Some(me.clone());
            notices.push(NodesNotice::Me(Box::new(me)));
        }
        let gone: Vec<NodeName> =
            self.nodes.keys().filter(|name| !nodes.iter().any(|node| node.name == **name)).cloned().collect();
        if !gone.is_empty() {
            self.nodes.retain(|name, _| !gone.contains(name));
            notices.push(NodesNotice::Removed(gone));
        }
        let changed: Vec<NodePanel> =
            nodes.into_iter().filter(|node| is_news(self.nodes.get(&node.name), node)).collect();
        if !changed.is_empty() {
            self.nodes.extend(changed.iter().map(|node| (node.name.clone(), node.clone())));
            notices.push(NodesNotice::Nodes(changed));
        }
        notices
    }
}

fn near(one: Timestamp, other: Timestamp) -> bool {
    one.duration_since(other).abs() < SignedDuration::from_secs(1)
}

/// A node without its figures.
fn standing(node: &NodePanel) -> NodePanel {
    NodePanel {
        last_seen: None,
        // That it is known now is more than another number.
        rtt: node.rtt.map(|_| Duration::ZERO),
        skew_ms: node.skew_ms.map(|_| 0),
        phi_tenths: None,
        high: 0,
        applied: 0,
        lag: None,
        rate: 0,
        bytes: (0, 0),
        ..node.clone()
    }
}

impl Desk {
    /// This node and the others as they are now. `keys` are this node's, `url` is how others reach it.
    fn standing(&self, keys: Vec<NodeKey>, url: Option<String>, now: Now) -> (NodePanel, Vec<NodePanel>) {
        let mut me = NodePanel { url, keys, ..NodePanel::unknown(self.me.clone(), now.wall) };
        (me.trust, me.high, me.applied) = (Trust::Command, self.own.high, self.own.high);
        self.members.fill(&mut me, now);
        (me, self.known.keys().map(|name| self.panel(name, now)).collect())
    }

    pub(super) fn panel(&self, name: &NodeName, now: Now) -> NodePanel {
        let mut panel = NodePanel::unknown(name.clone(), now.wall);
        if let Some(known) = self.known.get(name) {
            panel.url.clone_from(&known.url);
            panel.via.clone_from(&known.via);
            panel.trust = known.trust;
            let counts = |key: &&crate::model::PinnedKey| key.until.is_none_or(|until| now.wall <= until);
            panel.keys = known.keys.iter().filter(counts).map(|key| key.key).collect();
            panel.keys.reverse();
        }
        self.members.fill(&mut panel, now);
        if let Some(standing) = self.sync.standing(name, now.mono) {
            panel.high = standing.high;
            panel.applied = standing.applied;
            panel.lag = standing.behind_since.map(|since| now.mono.saturating_sub(since));
            panel.rate = standing.rate;
            // What is wrong with its log matters where nothing worse is known.
            if panel.state == NodeState::Alive && standing.trouble.is_some() {
                panel.why = standing.trouble;
            }
        } else if let Some(held) = self.held.get(name) {
            (panel.high, panel.applied) = (held.end.seq, held.end.seq);
        }
        panel.why = self.doubtful(name, panel.state).or(panel.why);
        panel.missing = self.held.get(name).map_or(0, |held| held.missing);
        panel.bytes = self.traffic.get(name).copied().unwrap_or_default();
        panel
    }

    /// What is doubtful about who a node is, where nothing worse is known.
    fn doubtful(&self, name: &NodeName, state: NodeState) -> Option<String> {
        let known = self.known.get(name).filter(|_| state != NodeState::Quarantined)?;
        if trusted(&self.known, known).is_none() {
            let by = known.via.as_ref()?;
            return Some(format!(
                "nothing of it is taken over: it is known by the word of {by} alone, which does not count"
            ));
        }
        let (_, by) = self.disputed.iter().find(|(of, _)| of == name)?;
        Some(format!("{by} names another key of it than is pinned here"))
    }
}

impl Nodes {
    /// Everything a screen begins with.
    pub(in super::super) fn panel(&self) -> NodesPanel {
        let (keys, url) = (self.keys.public(), self.url());
        self.with(|desk, now| {
            let (me, nodes) = desk.standing(keys, url, now);
            NodesPanel { me: Some(me), nodes, remote: desk.remotes.all(), news: desk.remotes.news() }
        })
    }

    /// Tells screens what is otherwise.
    pub(super) async fn tell_screens(&self, told: &mut Told, figures: bool) {
        let (keys, url) = (self.keys.public(), self.url());
        let (me, nodes, remote) = self.with(|desk, now| {
            desk.dirty = false;
            let (me, nodes) = desk.standing(keys, url, now);
            (me, nodes, desk.remotes.notices())
        });
        for notice in told.news(me, nodes, figures).into_iter().chain(remote) {
            // The engine is gone only when everything ends.
            let _ = self.handle.inputs.send(Input::Nodes(notice)).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_alone_are_told_now_and_then_and_what_stands_otherwise_at_once() {
        let [me, other] =
            ["hub-1", "hub-2"].map(|name| NodePanel::unknown(name.parse().expect("a name"), Timestamp::UNIX_EPOCH));
        let mut told = Told::default();
        assert_eq!(told.news(me.clone(), vec![other.clone()], false).len(), 2);
        let measured = NodePanel { rtt: Some(Duration::from_millis(9)), ..other.clone() };
        assert_eq!(told.news(me.clone(), vec![measured.clone()], false).len(), 1);
        let later = NodePanel { rtt: Some(Duration::from_millis(3)), high: 9, bytes: (1, 2), ..measured };
        assert!(told.news(me.clone(), vec![later.clone()], false).is_empty());
        assert_eq!(told.news(me.clone(), vec![later.clone()], true), [NodesNotice::Nodes(vec![later.clone()])]);
        let down = NodePanel { state: NodeState::Down, ..later };
        assert_eq!(told.news(me.clone(), vec![down.clone()], false), [NodesNotice::Nodes(vec![down.clone()])]);
        assert_eq!(told.news(me.clone(), Vec::new(), false), [NodesNotice::Removed(vec![down.name.clone()])]);
        assert!(told.news(me, Vec::new(), true).is_empty());
    }
}
