//! What really was, beside what the nodes said: who says that a node is down while it is there is wrong.

use aurora::federation::MemberEffect;
use aurora::model::NodeState;

/// A node that came back this recently may still be called down by somebody, in milliseconds.
const JUST_BACK: u64 = 3_000;

/// A node stands otherwise, as another one sees it.
#[derive(Debug, Clone)]
pub struct Change {
    pub at: u64,
    pub by: usize,
    pub of: usize,
    pub to: NodeState,
}

/// What really was, and what was said.
pub struct Truth {
    seed: u64,
    /// Since when each is there; `None` while it is not.
    there: Vec<Option<u64>>,
    parts: Vec<usize>,
    /// When the parts last changed.
    cut: u64,
    pub changes: Vec<Change>,
    pub effects: Vec<(usize, MemberEffect)>,
    /// What must not be and was.
    pub broken: Vec<String>,
}

impl Truth {
    pub fn new(seed: u64, nodes: usize) -> Self {
        Self {
            seed,
            there: vec![Some(0); nodes],
            parts: vec![0; nodes],
            cut: 0,
            changes: Vec::new(),
            effects: Vec::new(),
            broken: Vec::new(),
        }
    }

    pub fn gone(&mut self, node: usize) {
        self.there[node] = None;
    }

    pub fn back(&mut self, node: usize, at: u64) {
        self.there[node] = Some(at);
    }

    pub fn cut(&mut self, parts: &[usize], at: u64) {
        self.parts = parts.to_vec();
        self.cut = at;
    }

    pub fn changed(&mut self, by: usize, of: usize, to: NodeState, why: &str, at: u64) {
        let back = self.there[of].is_some_and(|since| since == 0 || at - since > JUST_BACK);
        let reachable = self.parts[by] == self.parts[of] && (self.cut == 0 || at - self.cut > JUST_BACK);
        if to == NodeState::Down && back && reachable {
            self.broke(&format!("at {at} hub-{by} said that hub-{of}, which was there, is down: {why}"));
        }
        self.changes.push(Change { at, by, of, to });
    }

    pub fn said(&mut self, by: usize, effect: MemberEffect) {
        if let MemberEffect::Untrue { node, why } = &effect {
            self.broke(&format!("hub-{by} said of honest {node}: {why}"));
        }
        self.effects.push((by, effect));
    }

    /// Something that must not be was.
    pub fn broke(&mut self, what: &str) {
        self.broken.push(format!("seed {}: {what}", self.seed));
    }

    /// Notes what must not be, unless it holds.
    pub fn must(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.broke(&what());
        }
    }

    /// When `by` first said at or after `at` that `of` stands so.
    pub fn when(&self, by: usize, of: usize, to: NodeState, at: u64) -> Option<u64> {
        let change =
            self.changes.iter().find(|change| (change.by, change.of, change.to) == (by, of, to) && change.at >= at);
        change.map(|change| change.at)
    }
}
