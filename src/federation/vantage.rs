//! One thing looked at from several nodes: it is down when enough of them say so.

use crate::model::{CheckState, Sight};

/// What the nodes together come to. The sentences name nodes only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Vantage {
    /// Nobody sees it down.
    Up,
    /// Some see it down, and they are too few.
    Partial(String),
    /// Enough see it down.
    Down(String),
    /// Nobody can say.
    Unknown(String),
}

impl Vantage {
    /// What `sights` come to where `need` of them have to see it down. Who can say nothing is not waited for: when fewer
    /// than `need` can, all of those have to.
    #[must_use]
    pub fn of(need: usize, sights: &[Sight]) -> Self {
        let says = |state: CheckState| matches!(state, CheckState::Ok | CheckState::Warn | CheckState::Critical);
        let (can, cannot): (Vec<&Sight>, Vec<&Sight>) = sights.iter().partition(|sight| sight.state.is_some_and(says));
        let (down, up): (Vec<&Sight>, Vec<&Sight>) =
            can.iter().partition(|sight| sight.state == Some(CheckState::Critical));
        let rest = if cannot.is_empty() { String::new() } else { format!("; {} cannot say", names(&cannot)) };
        if can.is_empty() {
            return Self::Unknown(format!("none of {} nodes can say", sights.len()));
        }
        if down.is_empty() {
            return Self::Up;
        }
        let need = need.clamp(1, can.len());
        let seen = format!("down from {} of {}: {}", down.len(), can.len(), names(&down));
        if down.len() >= need {
            Self::Down(format!("{seen}{rest}"))
        } else {
            Self::Partial(format!("{seen}, not from {}; {need} are needed{rest}", names(&up)))
        }
    }
}

fn names(sights: &[&Sight]) -> String {
    let names: Vec<&str> = sights.iter().map(|sight| sight.node.as_str()).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const UP: Option<CheckState> = Some(CheckState::Ok);
    const DOWN: Option<CheckState> = Some(CheckState::Critical);

    fn of(need: usize, states: &[Option<CheckState>]) -> Vantage {
        let sights = states.iter().zip(1..);
        let sight = |(state, n): (&Option<CheckState>, i32)| Sight {
            node: format!("hub-{n}").parse().expect("a name"),
            state: *state,
        };
        Vantage::of(need, &sights.map(sight).collect::<Vec<_>>())
    }

    #[test]
    fn it_is_down_when_enough_say_so_and_partial_before() {
        assert_eq!(of(2, &[UP, UP, UP]), Vantage::Up);
        assert_eq!(
            of(2, &[DOWN, UP, UP]),
            Vantage::Partial("down from 1 of 3: hub-1, not from hub-2, hub-3; 2 are needed".to_owned())
        );
        assert_eq!(of(2, &[DOWN, UP, DOWN]), Vantage::Down("down from 2 of 3: hub-1, hub-3".to_owned()));
        assert!(matches!(of(1, &[DOWN, UP]), Vantage::Down(_)));
    }

    #[test]
    fn a_node_that_is_gone_neither_hides_an_outage_nor_makes_one() {
        assert_eq!(
            of(2, &[DOWN, None, None]),
            Vantage::Down("down from 1 of 1: hub-1; hub-2, hub-3 cannot say".to_owned())
        );
        assert_eq!(of(2, &[UP, None, None]), Vantage::Up);
        assert!(matches!(of(2, &[DOWN, UP, None]), Vantage::Partial(_)));
        let silent = [None, Some(CheckState::Unknown), Some(CheckState::Stale)];
        assert_eq!(of(2, &silent), Vantage::Unknown("none of 3 nodes can say".to_owned()));
        assert!(matches!(of(1, &[]), Vantage::Unknown(_)));
    }

    #[test]
    fn slow_is_not_down() {
        assert_eq!(of(1, &[Some(CheckState::Warn), UP]), Vantage::Up);
        assert!(matches!(of(2, &[Some(CheckState::Warn), DOWN]), Vantage::Partial(_)));
    }
}
