//! Health as the screen holds it: the checks of all nodes, the worst first, and one of them in full.

use jiff::Timestamp;

use crate::model::{CheckHistory, CheckPanel, CheckState, NodePanel};
use crate::protocol::Snapshot;

use super::narrow::Narrowing;
use super::not_ok::Judged;
use super::place::CheckOf;

/// A check, and how the node stands that says so.
#[derive(Debug, Clone, Copy)]
pub(super) struct Watched<'a> {
    pub check: &'a CheckPanel,
    /// The other node it belongs to; `None` for one of this node's.
    pub node: Option<&'a NodePanel>,
}

impl Watched<'_> {
    /// Which check it is.
    pub(super) fn of(&self) -> CheckOf {
        CheckOf { id: self.check.id.clone(), node: self.node.map(|node| node.name.clone()) }
    }

    /// Since when nothing newer is known of it, where its node is not current.
    pub(super) fn old_since(&self) -> Option<Timestamp> {
        self.node.and_then(NodePanel::old_since)
    }

    /// How it stands: what is too old to say is stale, whatever it was.
    pub(super) fn state(&self) -> CheckState {
        if self.old_since().is_some() { CheckState::Stale } else { self.check.state }
    }
}

/// The checks of this node and of the others.
pub(super) fn watched(snapshot: &Snapshot) -> impl Iterator<Item = Watched<'_>> {
    let here = snapshot.checks.iter().map(|check| Watched { check, node: None });
    let there = snapshot.nodes.shared();
    here.chain(there.flat_map(|(node, remote)| remote.checks.iter().map(|check| Watched { check, node: Some(node) })))
}

/// The view's state.
#[derive(Debug, Default)]
pub(super) struct Health {
    /// The selection stays with its check when the order changes.
    selected: Option<CheckOf>,
    /// Whether checks that are ok are left out.
    pub problems_only: bool,
    /// What a check must have in its id, kind, target or cause.
    pub filter: Narrowing,
    /// The check that is shown in full.
    pub open: Option<OpenCheck>,
}

/// A check shown in full.
#[derive(Debug)]
pub(super) struct OpenCheck {
    pub id: CheckOf,
    /// Its past, once it has come.
    pub history: Option<Box<CheckHistory>>,
    pub scroll: usize,
}

impl OpenCheck {
    pub(super) fn new(id: CheckOf) -> Self {
        Self { id, history: None, scroll: 0 }
    }
}

impl Health {
    /// The checks that are shown, the worst first, then by name, those of this node before others.
    pub(super) fn shown<'a>(&self, snapshot: &'a Snapshot) -> Vec<Watched<'a>> {
        let nodes = snapshot.nodes.nodes.iter().map(|node| node.name.as_str());
        let sought = self.filter.sought(nodes.chain([snapshot.node.as_str()]));
        let is_shown = |one: &Watched<'_>| {
            let node = one.node.map_or(snapshot.node.as_str(), |node| node.name.as_str());
            let fits = sought.fits(node, |_| false, |text| has(one, text));
            (!self.problems_only || one.needs_a_look()) && fits
        };
        let mut shown: Vec<Watched<'a>> = watched(snapshot).filter(is_shown).collect();
        shown.sort_by(|a, b| {
            let (a_state, b_state) = ((a.state(), a.check.flapping), (b.state(), b.check.flapping));
            b_state.cmp(&a_state).then_with(|| a.check.id.cmp(&b.check.id))
        });
        shown
    }

    /// Whether keys go into the filter now.
    pub(super) fn is_typing(&self) -> bool {
        self.filter.typing && self.open.is_none()
    }

    /// Where the selection is among `shown`. A check that has gone leaves it at the first.
    pub(super) fn index(&self, shown: &[Watched<'_>]) -> usize {
        shown.iter().position(|one| Some(one.of()) == self.selected).unwrap_or(0)
    }

    /// Selects the check at `index` of `shown`.
    pub(super) fn select(&mut self, shown: &[Watched<'_>], index: usize) {
        self.selected = shown.get(index).map(Watched::of);
    }

    /// Selects the check `id`.
    pub(super) fn select_check(&mut self, id: CheckOf) {
        self.selected = Some(id);
    }

    /// The check that keys are about: the one that is open, else the selected one.
    pub(super) fn target(&self, snapshot: &Snapshot) -> Option<CheckOf> {
        if let Some(open) = &self.open {
            return Some(open.id.clone());
        }
        let shown = self.shown(snapshot);
        shown.get(self.index(&shown)).map(Watched::of)
    }
}

/// Whether a check has `text`, in lower case, where a person would look for it.
fn has(one: &Watched<'_>, text: &str) -> bool {
    let found = |part: &str| part.to_lowercase().contains(text);
    let check = one.check;
    found(&one.of().to_string())
        || found(&check.kind.to_string())
        || found(&check.target)
        || check.cause.as_deref().is_some_and(found)
}

#[cfg(test)]
mod tests {
    use crate::model::NodeState;

    use super::super::{node_sample, sample};
    use super::*;

    fn names(shown: &[Watched<'_>]) -> Vec<String> {
        shown.iter().map(|one| one.of().to_string()).collect()
    }

    fn snapshot() -> Snapshot {
        let states =
            [("a", CheckState::Ok), ("b", CheckState::Critical), ("c", CheckState::Warn), ("d", CheckState::Ok)];
        Snapshot { checks: states.map(|(id, state)| sample::check(id, state)).to_vec(), ..sample::empty() }
    }

    #[test]
    fn the_worst_come_first_and_the_selection_stays_with_its_check() {
        let mut snapshot = snapshot();
        let mut health = Health::default();
        let shown = health.shown(&snapshot);
        assert_eq!(names(&shown), ["b", "c", "a", "d"]);
        health.select(&shown, 3);
        snapshot.checks[3].state = CheckState::Critical;
        let shown = health.shown(&snapshot);
        assert_eq!((names(&shown), health.index(&shown)), (["b", "d", "c", "a"].map(str::to_owned).to_vec(), 1));
        health.problems_only = true;
        assert_eq!(names(&health.shown(&snapshot)), ["b", "d", "c"]);
        for (text, found) in [("C", vec!["c"]), ("HTTP", vec!["b", "d", "c"]), ("nothing", vec![])] {
            health.filter.set(text);
            assert_eq!(names(&health.shown(&snapshot)), found, "{text}");
        }
        assert!(health.filter.clear() && !health.filter.clear());
        snapshot.checks.remove(3);
        let shown = health.shown(&snapshot);
        assert_eq!(health.index(&shown), 0, "its check has gone");
    }

    #[test]
    fn checks_of_other_nodes_stand_among_ours_and_a_node_narrows() {
        let mut snapshot = Snapshot { nodes: node_sample::nodes(), ..snapshot() };
        let mut health = Health::default();
        assert_eq!(names(&health.shown(&snapshot)), ["b", "web@hub-2", "c", "pay@edge-3", "a", "d", "tls@hub-2"]);
        assert_eq!(health.shown(&snapshot)[3].state(), CheckState::Stale, "edge-3 is down");
        for (text, found) in [
            ("@hub-2", vec!["web@hub-2", "tls@hub-2"]),
            ("@hub-1 c", vec!["c"]),
            ("tls @HUB-2", vec!["tls@hub-2"]),
            ("@hub-9", vec![]),
        ] {
            health.filter.set(text);
            assert_eq!(names(&health.shown(&snapshot)), found, "{text}");
        }
        health.filter.clear();
        snapshot.nodes.remote[0].checks[0].state = CheckState::Ok;
        health.problems_only = true;
        assert!(
            names(&health.shown(&snapshot)).contains(&"pay@edge-3".to_owned()),
            "whatever it was when it was heard"
        );
        health.problems_only = false;
        health.select(&health.shown(&snapshot), 1);
        snapshot.nodes.nodes[1].state = NodeState::Down;
        assert_eq!(health.target(&snapshot).map(|of| of.to_string()).as_deref(), Some("web@hub-2"));
    }
}
