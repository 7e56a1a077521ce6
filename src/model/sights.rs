//! What several nodes see that look at the same, each by its own looks.

use serde::{Deserialize, Serialize};

use super::{CheckState, NodeName};

/// How one node sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sight {
    /// Which node.
    pub node: NodeName,
    /// What its looks have confirmed; `None` while that node is not current, or has said nothing yet.
    pub state: Option<CheckState>,
}

/// What all of them see, where a check has a `vantage`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sights {
    /// How this node sees it by its own looks alone: its vote, whatever the others say.
    pub own: CheckState,
    /// How many have to see it down.
    pub need: usize,
    /// Who sees what, in the order of the configuration. Nodes share their own sight only, so it is empty for a check of
    /// another node.
    pub seen: Vec<Sight>,
}

impl Sights {
    /// What of it other nodes hear: the vote.
    #[must_use]
    pub fn vote(&self) -> Self {
        Self { own: self.own, need: self.need, seen: Vec::new() }
    }

    /// Who sees what, in a line.
    #[must_use]
    pub fn told(&self) -> String {
        let sees = |sight: &Sight| match sight.state {
            Some(state) => format!("{} {}", sight.node, state.as_str()),
            None => format!("{} cannot say", sight.node),
        };
        let seen: Vec<String> = self.seen.iter().map(sees).collect();
        let seen = if seen.is_empty() { format!("by itself {}", self.own.as_str()) } else { seen.join(", ") };
        format!("{seen}; down from {} of them is critical", self.need)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_sees_what_is_one_line() {
        let sight = |node: &str, state| Sight { node: node.parse().expect("a name"), state };
        let seen = vec![sight("hub-1", Some(CheckState::Critical)), sight("hub-2", None)];
        let sights = Sights { own: CheckState::Critical, need: 2, seen };
        assert_eq!(sights.told(), "hub-1 critical, hub-2 cannot say; down from 2 of them is critical");
        assert_eq!(sights.vote().told(), "by itself critical; down from 2 of them is critical");
    }
}
