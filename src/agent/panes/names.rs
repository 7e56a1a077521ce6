//! How many panes there were by one name: a session that comes back is not the one that went.

use std::collections::HashMap;

use crate::model::PaneId;

/// Names that are remembered. Beyond them those that no pane has now begin again.
const NAMES_MAX: usize = 4_096;

/// Names of panes (session, window, number) with who has them.
#[derive(Debug, Default)]
pub(super) struct Names(HashMap<(String, u32, u32), Named>);

#[derive(Debug)]
struct Named {
    /// The pane, and the process tmux started there: after `respawn-pane` it is another program's.
    pane: (PaneId, u32),
    generation: u32,
    seen: u64,
}

impl Names {
    /// How many panes had this name until now, `pane` counted, which has it in the look with this number.
    pub(super) fn generation(&mut self, name: (&str, u32, u32), pane: (PaneId, u32), look: u64) -> u32 {
        let key = (name.0.to_owned(), name.1, name.2);
        let named = self.0.entry(key).or_insert(Named { pane, generation: 1, seen: look });
        if named.pane != pane {
            (named.pane, named.generation) = (pane, named.generation.saturating_add(1));
        }
        named.seen = look;
        named.generation
    }

    /// Forgets, where there are too many, who was not there in the look with this number.
    pub(super) fn bound(&mut self, look: u64) {
        if self.0.len() > NAMES_MAX {
            self.0.retain(|_, named| named.seen == look);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_comes_back_is_another_generation() {
        let mut names = Names::default();
        let pane = |server, number| (PaneId { server, number }, 4711);
        let name = ("work", 0, 1);
        for (look, id, generation) in
            [(1, pane(7, 3), 1), (2, pane(7, 3), 1), (9, pane(7, 4), 2), (10, pane(8, 4), 3), (11, pane(8, 4), 3)]
        {
            assert_eq!(names.generation(name, id, look), generation);
        }
        assert_eq!(names.generation(("work", 0, 2), pane(8, 5), 11), 1);
        assert_eq!(names.generation(("work", 0, 2), (pane(8, 5).0, 4712), 11), 2, "another program");
        for window in 0..5_000 {
            names.generation(("new", window, 0), pane(8, window), 12);
        }
        names.bound(12);
        assert_eq!(names.0.len(), 5_000, "whoever is there is not forgotten");
        names.bound(13);
        assert!(names.0.is_empty());
    }
}
