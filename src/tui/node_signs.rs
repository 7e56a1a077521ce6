//! One character and one style for each state of nodes, and for how much they may do.

use ratatui::style::Style;

use crate::model::{NodeState, Trust};

use super::signs::Sign;
use super::styles::Look;

impl Sign for NodeState {
    fn sign(&self) -> (&'static str, &'static str) {
        match self {
            Self::Alive => ("✓", "+"),
            Self::Unknown => ("?", "?"),
            Self::Left => ("■", "-"),
            Self::Suspect => ("!", "!"),
            Self::IsolatedSelf => ("◌", "o"),
            Self::Down => ("✗", "x"),
            Self::Quarantined => ("⊘", "#"),
        }
    }
}

impl Look {
    pub(super) fn node(&self, state: NodeState) -> Style {
        match state {
            NodeState::Alive => self.ok,
            NodeState::Unknown => self.unknown,
            NodeState::Left => self.muted,
            NodeState::Suspect => self.warn,
            NodeState::IsolatedSelf | NodeState::Down | NodeState::Quarantined => self.crit,
        }
    }

    pub(super) fn trust(&self, trust: Trust) -> Style {
        match trust {
            Trust::Observe => self.muted,
            Trust::Report => self.text,
            Trust::Command => self.warn,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_has_a_sign_and_a_word_of_its_own() {
        for (index, state) in NodeState::ALL.iter().enumerate() {
            let (sign, ascii) = state.sign();
            assert!(ascii.is_ascii() && ascii.len() == 1 && !state.as_str().is_empty());
            assert_eq!(crate::screen::width(sign), 1, "{}", state.as_str());
            for other in &NodeState::ALL[index + 1..] {
                let apart = sign != other.sign().0 && ascii != other.sign().1 && state.as_str() != other.as_str();
                assert!(apart, "{} and {}", state.as_str(), other.as_str());
            }
        }
    }
}
