//! What was chosen in the palette, the last first. Pure.

use std::collections::VecDeque;

/// Lines remembered.
const MOST: usize = 100;
/// Longest line remembered, in bytes; longer ones are not typed twice.
const LONGEST: usize = 512;

/// Lines, each once, the last chosen first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Recent(VecDeque<String>);

impl Recent {
    /// Those of a file, the last chosen first. What no palette could have written is left out.
    pub(super) fn of(lines: impl IntoIterator<Item = String>) -> Self {
        let mut recent = Self::default();
        for line in lines {
            if recent.0.len() < MOST && is_line(&line) && recent.rank(&line).is_none() {
                recent.0.push_back(line);
            }
        }
        recent
    }

    /// The last first.
    pub(super) fn lines(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// How many were chosen since.
    pub(super) fn rank(&self, line: &str) -> Option<usize> {
        self.0.iter().position(|known| known == line)
    }

    /// `line` was chosen.
    pub(super) fn note(&mut self, line: &str) {
        if let Some(known) = self.rank(line) {
            self.0.remove(known);
        }
        if is_line(line) {
            self.0.push_front(line.to_owned());
            self.0.truncate(MOST);
        }
    }
}

fn is_line(line: &str) -> bool {
    !line.trim().is_empty() && line.len() <= LONGEST && !line.contains(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_chosen_comes_first_once() {
        let mut recent = Recent::default();
        for line in ["a", "b", "a", "", "c\n", "c"] {
            recent.note(line);
        }
        assert_eq!(recent.lines().collect::<Vec<_>>(), ["c", "a", "b"]);
        assert_eq!((recent.rank("b"), recent.rank("x")), (Some(2), None));
        for number in 0..300 {
            recent.note(&number.to_string());
        }
        assert_eq!(recent.lines().count(), MOST);
        let read = Recent::of(
            ["x", "y", "x", "\u{1b}[2J"].map(str::to_owned).into_iter().chain((0..300).map(|n| n.to_string())),
        );
        assert_eq!(read.lines().take(3).collect::<Vec<_>>(), ["x", "y", "0"]);
        assert_eq!(read.lines().count(), MOST);
    }
}
