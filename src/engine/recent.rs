//! The newest few of something, newest first.

use std::collections::VecDeque;

/// A list that forgets its oldest entries.
#[derive(Debug)]
pub(super) struct Recent<T> {
    entries: VecDeque<T>,
    kept: usize,
}

impl<T: Clone> Recent<T> {
    /// A list of at most `kept` entries, holding `entries` (newest first).
    pub(super) fn new(kept: usize, entries: Vec<T>) -> Self {
        Self { entries: entries.into_iter().take(kept).collect(), kept }
    }

    pub(super) fn push(&mut self, entry: T) {
        self.entries.push_front(entry);
        self.entries.truncate(self.kept);
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.entries.iter_mut()
    }

    pub(super) fn to_vec(&self) -> Vec<T> {
        self.entries.iter().cloned().collect()
    }
}
