//! What is picked in a list for one act on all of it. Pure.

use std::collections::BTreeSet;

/// The rows that are picked, by what they are, so that a row that moves stays picked.
#[derive(Debug, Clone)]
pub(super) struct Picked<K> {
    keys: BTreeSet<K>,
    /// Where a range begins whose end is the selection.
    from: Option<K>,
}

impl<K> Default for Picked<K> {
    fn default() -> Self {
        Self { keys: BTreeSet::new(), from: None }
    }
}

impl<K: Copy + Ord> Picked<K> {
    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.from.is_none()
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Picks a row, or no longer.
    pub(super) fn toggle(&mut self, key: K) {
        if !self.keys.remove(&key) {
            self.keys.insert(key);
        }
    }

    /// Begins a range at the selected row, or ends the one there is and keeps what it holds.
    pub(super) fn range(&mut self, rows: &[K], selected: usize) {
        if self.from.is_some() {
            self.keys = self.all(rows, selected);
            self.from = None;
        } else {
            self.from = rows.get(selected).copied();
        }
    }

    /// Picks all of `rows`; all of them no longer when all are picked already.
    pub(super) fn every(&mut self, rows: &[K]) {
        self.from = None;
        if rows.iter().all(|key| self.keys.contains(key)) {
            self.keys.clear();
        } else {
            self.keys.extend(rows);
        }
    }

    /// Everything that is picked while the selection stands at `selected` of `rows`.
    pub(super) fn all(&self, rows: &[K], selected: usize) -> BTreeSet<K> {
        let mut all = self.keys.clone();
        if let Some(from) = self.from.and_then(|from| rows.iter().position(|key| *key == from)) {
            let (first, last) = (from.min(selected), from.max(selected));
            all.extend(rows.iter().skip(first).take(last - first + 1));
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(picked: &Picked<u8>, selected: usize) -> Vec<u8> {
        picked.all(&[10, 20, 30, 40, 50], selected).into_iter().collect()
    }

    #[test]
    fn rows_are_picked_one_by_one_in_ranges_and_all_at_once() {
        let rows = [10, 20, 30, 40, 50];
        let mut picked = Picked::default();
        assert!(picked.is_empty());
        picked.toggle(50);
        picked.range(&rows, 2);
        assert_eq!(all(&picked, 1), [20, 30, 50]);
        assert_eq!(all(&picked, 3), [30, 40, 50]);
        picked.range(&rows, 3);
        assert_eq!(all(&picked, 0), [30, 40, 50], "an ended range stays as it was");
        picked.every(&rows);
        assert_eq!(all(&picked, 0).len(), 5);
        picked.every(&rows);
        assert!(picked.is_empty());
        picked.range(&rows, 1);
        assert!(!picked.is_empty());
        assert_eq!(picked.all(&[30, 40], 0).len(), 0, "where the range begins is no longer there");
    }
}
