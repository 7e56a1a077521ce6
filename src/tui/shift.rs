//! Where a frame is the one before with some of its rows moved up or down. Pure.
//!
//! A terminal moves rows itself for some twenty bytes; a pane that scrolls is then the lines that are new.

use std::hash::{DefaultHasher, Hash, Hasher};

use ratatui::buffer::Cell;

/// Characters that have to be saved, or moving is not worth it.
const WORTH: usize = 32;

/// Rows that move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shift {
    /// The first row concerned, and the one after the last.
    pub top: usize,
    pub bottom: usize,
    /// By so many rows; as many become blank.
    pub by: usize,
    /// Towards the top.
    pub up: bool,
}

/// The move that leaves least to be drawn, where one is worth it.
pub(super) fn find(before: &[&[Cell]], after: &[&[Cell]]) -> Option<Shift> {
    let differs = |y: &usize| before[*y] != after[*y];
    let rows = before.len().min(after.len());
    let (first, last) = ((0..rows).find(differs)?, (0..rows).rfind(differs)?);
    if last - first < 2 {
        return None;
    }
    let numbers = |rows: &[&[Cell]]| rows[first..=last].iter().map(|row| number(row)).collect::<Vec<u64>>();
    let (old, new) = (numbers(before), numbers(after));
    let ink: Vec<usize> = after[first..=last].iter().map(|row| ink(row)).collect();
    let mut best: Option<(usize, Shift)> = None;
    for by in 1..old.len() {
        for up in [true, false] {
            if let Some((saved, top, bottom)) = saved(&old, &new, &ink, by, up)
                && best.is_none_or(|(most, _)| saved > most)
            {
                best = Some((saved, Shift { top: first + top, bottom: first + bottom, by, up }));
            }
        }
    }
    best.filter(|(saved, _)| *saved >= WORTH).map(|(_, shift)| shift)
}

/// The run of rows that saves most when all rows of it move `by`: how much, its first row and the one after its last, those
/// that become blank counted in.
fn saved(old: &[u64], new: &[u64], ink: &[usize], by: usize, up: bool) -> Option<(usize, usize, usize)> {
    let pairs = old.len() - by;
    // The row that shows what the other showed, and the other.
    let pair = |at: usize| if up { (at, at + by) } else { (at + by, at) };
    let mut best: Option<(usize, usize, usize)> = None;
    let mut at = 0;
    while at < pairs {
        let begin = at;
        let mut gain = 0;
        while at < pairs && new[pair(at).0] == old[pair(at).1] {
            let row = pair(at).0;
            gain += if old[row] == new[row] { 0 } else { ink[row] };
            at += 1;
        }
        if at > begin {
            let blank = if up { at..at + by } else { begin..begin + by };
            let lost: usize = blank.filter(|row| old[*row] == new[*row]).map(|row| ink[row]).sum();
            let saved = gain.saturating_sub(lost);
            if best.is_none_or(|(most, ..)| saved > most) {
                best = Some((saved, begin, at + by));
            }
        }
        at += 1;
    }
    best
}

fn number(row: &[Cell]) -> u64 {
    let mut hasher = DefaultHasher::new();
    row.hash(&mut hasher);
    hasher.finish()
}

/// What drawing the row takes, about.
fn ink(row: &[Cell]) -> usize {
    row.iter().filter(|cell| cell.symbol() != " ").count()
}

#[cfg(test)]
mod tests {
    use ratatui::buffer::Buffer;

    use super::*;

    fn shift(before: &[&str], after: &[&str]) -> Option<Shift> {
        let padded = |lines: &[&str]| Buffer::with_lines(lines.iter().map(|line| format!("{line:60}")));
        let (before, after) = (padded(before), padded(after));
        find(&before.content.chunks(60).collect::<Vec<_>>(), &after.content.chunks(60).collect::<Vec<_>>())
    }

    const A: &str = "the first line of what a build prints on its way";
    const B: &str = "the second line of what a build prints on its way";
    const C: &str = "the third line of what a build prints on its way";

    #[test]
    fn rows_between_others_that_stay_are_found() {
        let up = shift(&["title", A, B, C, "end"], &["title", B, C, "new", "end"]);
        assert_eq!(up, Some(Shift { top: 1, bottom: 4, by: 1, up: true }));
        let down = shift(&["title", A, B, C, "end"], &["title", "old", "er", A, "end"]);
        assert_eq!(down, Some(Shift { top: 1, bottom: 4, by: 2, up: false }));
    }

    #[test]
    fn what_saves_nothing_is_left_alone() {
        assert_eq!(shift(&[A, B, C], &[A, B, C]), None);
        assert_eq!(shift(&["a", "b", "c", "d"], &["b", "c", "d", "e"]), None, "short lines are drawn as cheaply");
        assert_eq!(shift(&["", "", "", ""], &["", A, B, C]), None);
    }
}
