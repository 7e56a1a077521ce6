//! The lines of a pane that have left its screen at the top.

use std::collections::VecDeque;

use super::pane_screen::Scrolled;

/// Most lines that are kept of a pane.
pub const MAX_LINES: usize = 10_000;
/// Most bytes of text that are kept of a pane.
pub const MAX_BYTES: usize = 4 << 20;
/// What a line costs besides its text.
const LINE_BYTES: usize = 48;

/// The newest lines, with their numbers: every line that ever scrolled out has its own, from 0.
#[derive(Debug, Default)]
pub(super) struct History {
    lines: VecDeque<Scrolled>,
    /// The number of the oldest line that is kept.
    first: u64,
    bytes: usize,
}

impl History {
    pub(super) fn push(&mut self, line: Scrolled) {
        self.bytes += line.text.len() + LINE_BYTES;
        self.lines.push_back(line);
        while self.lines.len() > MAX_LINES || self.bytes > MAX_BYTES {
            let Some(oldest) = self.lines.pop_front() else { break };
            self.bytes -= oldest.text.len() + LINE_BYTES;
            self.first += 1;
        }
    }

    /// The number of the oldest line that is kept.
    pub(super) fn first(&self) -> u64 {
        self.first
    }

    /// The number of the next line.
    pub(super) fn next(&self) -> u64 {
        self.first + self.lines.len() as u64
    }

    /// The newest lines, at most so many.
    pub(super) fn newest(&self, most: usize) -> Vec<Scrolled> {
        self.lines.range(self.lines.len().saturating_sub(most)..).cloned().collect()
    }

    /// The line of this number.
    pub(super) fn get(&self, number: u64) -> Option<&Scrolled> {
        self.lines.get(usize::try_from(number.checked_sub(self.first)?).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Scrolled {
        Scrolled { text: text.into(), wrapped: false }
    }

    #[test]
    fn the_newest_lines_are_kept_and_keep_their_numbers() {
        let mut history = History::default();
        for number in 0..MAX_LINES + 5 {
            history.push(line(&number.to_string()));
        }
        assert_eq!((history.first(), history.next()), (5, MAX_LINES as u64 + 5));
        assert_eq!(history.get(4), None);
        assert_eq!(&*history.get(5).expect("kept").text, "5");
        assert_eq!(history.get(history.next()), None);
    }

    #[test]
    fn long_lines_are_bounded_in_bytes() {
        let mut history = History::default();
        let long = "x".repeat(40_000);
        for _ in 0..1_000 {
            history.push(line(&long));
            assert!(history.bytes <= MAX_BYTES);
        }
        assert_eq!(history.next(), 1_000);
        assert_eq!(history.lines.len(), MAX_BYTES / (long.len() + LINE_BYTES));
    }
}
