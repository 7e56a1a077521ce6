//! What is told line by line, the newest last: follows until somebody scrolls up. Pure.
//!
//! What is missing is never passed over: a hole in the numbers of the lines, or a line whose predecessor is not
//! here, stands as a gap between them, with its size where that is known.

use std::collections::VecDeque;

use regex::{Regex, RegexBuilder};

use super::action::Action;
use super::list::moved;

/// Lines held while the newest are followed.
const MOST: usize = 1_000;
/// Lines held while the view is pinned. What comes then is only counted, so that the view stays and nothing grows.
const MOST_PINNED: usize = 5_000;
/// Bytes a compiled pattern may take.
const PATTERN_SIZE: usize = 64 * 1024;

/// A line of such a list.
pub(super) trait Told: Clone + PartialEq {
    /// Its number in the sequence of its source, which has no holes.
    fn number(&self) -> Option<i64>;
    /// What is searched.
    fn text(&self) -> String;
    /// Whether it says that something failed.
    fn is_error(&self) -> bool;
    /// Whether an operator would want to know.
    fn needs_a_look(&self) -> bool {
        self.is_error()
    }
}

/// One row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Row<T> {
    Told(T),
    /// So many lines are not here; `None` when nobody knows how many.
    Skipped(Option<u64>),
}

/// The list.
#[derive(Debug)]
pub(super) struct Tail<T> {
    rows: VecDeque<Row<T>>,
    /// Rows that were let go of at the beginning: what a row's place is counted from.
    gone: u64,
    /// The selected row's place and the first row's that is shown; `None` while the newest are followed.
    pinned: Option<(u64, u64)>,
    /// Lines that came since the view was pinned.
    new: u64,
    last: Option<T>,
    /// Whether lines that nobody has to know of are left out. Gaps never are: nobody knows what is in them.
    pub problems_only: bool,
}

impl<T> Default for Tail<T> {
    fn default() -> Self {
        Self { rows: VecDeque::new(), gone: 0, pinned: None, new: 0, last: None, problems_only: false }
    }
}

impl<T: Told> Tail<T> {
    /// The rows, the oldest first, those that are left out among them.
    pub(super) fn rows(&self) -> &VecDeque<Row<T>> {
        &self.rows
    }

    /// The rows that are shown, the oldest first.
    pub(super) fn shown(&self) -> Vec<&Row<T>> {
        self.places().into_iter().filter_map(|place| self.rows.get(place)).collect()
    }

    /// How many lines are left out.
    pub(super) fn left_out(&self) -> usize {
        self.rows.len() - self.places().len()
    }

    /// Which rows are shown.
    fn places(&self) -> Vec<usize> {
        let is_shown = |row: &Row<T>| match row {
            Row::Told(line) => !self.problems_only || line.needs_a_look(),
            Row::Skipped(_) => true,
        };
        (0..self.rows.len()).filter(|place| is_shown(&self.rows[*place])).collect()
    }

    /// Lines that came while the view was pinned; `None` while the newest are followed.
    pub(super) fn paused(&self) -> Option<u64> {
        self.pinned.map(|_| self.new)
    }

    /// Which of the shown rows is selected: the last one, unless somebody has scrolled up.
    pub(super) fn index(&self) -> usize {
        let places = self.places();
        self.pinned.map_or(places.len().saturating_sub(1), |(at, _)| shown_at(&places, self.here(at)))
    }

    /// The selected line, when it is no gap.
    pub(super) fn selected(&self) -> Option<&T> {
        match self.rows.get(*self.places().get(self.index())?) {
            Some(Row::Told(line)) => Some(line),
            _ => None,
        }
    }

    /// The first of the shown rows where there is room for `height`.
    pub(super) fn first(&self, height: usize) -> usize {
        let (height, places) = (height.max(1), self.places());
        let end = places.len().saturating_sub(height);
        let Some((at, first)) = self.pinned else { return end };
        let (at, first) = (shown_at(&places, self.here(at)), shown_at(&places, self.here(first)));
        // The screen may have become lower since.
        first.max((at + 1).saturating_sub(height)).min(at)
    }

    fn here(&self, place: u64) -> usize {
        usize::try_from(place.saturating_sub(self.gone)).unwrap_or(usize::MAX)
    }

    /// Takes new lines, the oldest first.
    pub(super) fn take(&mut self, lines: &[T]) {
        for line in lines {
            if let (Some(last), Some(number)) = (self.last.as_ref().and_then(Told::number), line.number()) {
                let missing = number - last - 1;
                if missing < 0 {
                    continue;
                }
                if missing > 0 {
                    self.push(Row::Skipped(Some(missing.unsigned_abs())));
                }
            }
            self.last = Some(line.clone());
            let is_shown = !self.problems_only || line.needs_a_look();
            self.new += u64::from(self.pinned.is_some() && is_shown);
            self.push(Row::Told(line.clone()));
        }
    }

    /// Takes the newest lines there are, the newest first. Those that are here already are not taken again.
    pub(super) fn catch_up(&mut self, newest: &[T]) {
        let mut fresh = newest;
        if let Some(last) = &self.last
            && last.number().is_none()
            && !newest.is_empty()
        {
            match newest.iter().position(|line| line == last) {
                Some(known) => fresh = &newest[..known],
                None => self.push(Row::Skipped(None)),
            }
        }
        let lines: Vec<T> = fresh.iter().rev().cloned().collect();
        self.take(&lines);
    }

    fn push(&mut self, row: Row<T>) {
        if self.pinned.is_none() {
            self.rows.push_back(row);
            while self.rows.len() > MOST {
                self.rows.pop_front();
                self.gone += 1;
            }
            return;
        }
        if self.rows.len() < MOST_PINNED {
            self.rows.push_back(row);
            return;
        }
        let more = match row {
            Row::Told(_) => Some(1),
            Row::Skipped(more) => more,
        };
        match self.rows.back_mut() {
            Some(Row::Skipped(count)) => *count = count.zip(more).map(|(count, more)| count + more),
            _ => self.rows.push_back(Row::Skipped(more)),
        }
    }

    /// Moves the selection in a view of `height` rows. Away from the end the view is pinned; at the end the newest
    /// are followed again.
    pub(super) fn move_by(&mut self, action: Action, height: usize) {
        if let Some(to) = moved(action, self.index(), self.places().len(), height) {
            self.select(to, height);
        }
    }

    /// Selects the newest line that is so, where there is one.
    pub(super) fn select_newest(&mut self, height: usize, is: impl Fn(&T) -> bool) {
        let found = self.shown().iter().rposition(|row| matches!(row, Row::Told(line) if is(line)));
        if let Some(index) = found {
            self.select(index, height);
        }
    }

    /// Selects the shown row at `index` in a view of `height` rows.
    pub(super) fn select(&mut self, index: usize, height: usize) {
        let places = self.places();
        if index + 1 >= places.len() {
            self.pinned = None;
            self.new = 0;
            return;
        }
        let height = height.max(1);
        let mut first = self.first(height);
        if index < first {
            first = (index + 1).saturating_sub(height);
        } else if index >= first + height {
            first = index;
        }
        if self.pinned.is_none() {
            self.new = 0;
        }
        self.pinned = Some((self.gone + places[index] as u64, self.gone + places[first] as u64));
    }

    /// Goes to the next row after the selected one for which `is` holds, or the one before; answers whether there
    /// is one.
    pub(super) fn go_to(&mut self, forward: bool, height: usize, is: impl Fn(&T) -> bool) -> bool {
        let (shown, at) = (self.shown(), self.index());
        let holds = |index: &usize| matches!(shown.get(*index), Some(Row::Told(line)) if is(line));
        let found =
            if forward { (at + 1..shown.len()).find(holds) } else { (0..at.min(shown.len())).rev().find(holds) };
        if let Some(found) = found {
            self.select(found, height);
        }
        found.is_some()
    }

    /// How many lines hold `pattern`, and the how manieth of them is selected, counted from 1.
    pub(super) fn matches(&self, pattern: &Pattern) -> (usize, Option<usize>) {
        let (mut count, mut selected, at) = (0, None, self.index());
        for (index, row) in self.shown().into_iter().enumerate() {
            if matches!(row, Row::Told(line) if pattern.is_in(&line.text())) {
                count += 1;
                if index == at {
                    selected = Some(count);
                }
            }
        }
        (count, selected)
    }
}

/// Which of the rows at `places` is the one at `place`, or the last before it.
fn shown_at(places: &[usize], place: usize) -> usize {
    places.partition_point(|shown| *shown <= place).saturating_sub(1)
}

/// What is searched for in lines.
#[derive(Debug, Clone)]
pub(super) struct Pattern(Regex, String);

impl Pattern {
    /// The pattern of what was typed: a regular expression where it is one, else the words as they are. Capitals
    /// count when there are any in it. `None` when nothing was typed.
    pub(super) fn new(typed: &str) -> Option<Self> {
        if typed.is_empty() {
            return None;
        }
        let smart = !typed.chars().any(char::is_uppercase);
        let build = |text: &str| {
            let regex = RegexBuilder::new(text).case_insensitive(smart).size_limit(PATTERN_SIZE).build().ok()?;
            Some(Self(regex, if smart { format!("(?i){text}") } else { text.to_owned() }))
        };
        build(typed).or_else(|| build(&regex::escape(typed)))
    }

    pub(super) fn is_in(&self, text: &str) -> bool {
        self.0.is_match(text)
    }

    /// Where it is in `text`, in bytes.
    pub(super) fn places(&self, text: &str) -> Vec<std::ops::Range<usize>> {
        self.0.find_iter(text).map(|found| found.range()).filter(|range| !range.is_empty()).collect()
    }

    /// The regular expression, as another process is to read it.
    pub(super) fn written(&self) -> String {
        self.1.clone()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone, PartialEq)]
    struct Line(Option<i64>, &'static str);

    impl Told for Line {
        fn number(&self) -> Option<i64> {
            self.0
        }

        fn text(&self) -> String {
            self.1.to_owned()
        }

        fn is_error(&self) -> bool {
            self.1.contains("error")
        }
    }

    fn lines(numbers: std::ops::RangeInclusive<i64>) -> Vec<Line> {
        numbers.map(|number| Line(Some(number), "text")).collect()
    }

    #[test]
    fn scrolling_up_pins_the_view_and_the_end_follows_again() {
        let mut tail = Tail::default();
        tail.take(&lines(1..=50));
        assert_eq!((tail.first(10), tail.index(), tail.paused()), (40, 49, None));
        tail.move_by(Action::Up, 10);
        tail.take(&lines(51..=362));
        assert_eq!((tail.first(10), tail.index(), tail.paused()), (40, 48, Some(312)), "nothing moves");
        tail.move_by(Action::Last, 10);
        assert_eq!((tail.first(10), tail.index(), tail.paused()), (352, 361, None));
    }

    #[test]
    fn what_is_missing_is_counted() {
        let mut tail = Tail::default();
        tail.take(&lines(1..=2));
        tail.take(&lines(1_207..=1_207));
        assert_eq!(tail.rows()[2], Row::Skipped(Some(1_204)));
        tail.catch_up(&[Line(Some(1_209), "b"), Line(Some(1_208), "a"), Line(Some(1_207), "text")]);
        assert_eq!((tail.rows().len(), tail.selected()), (6, Some(&Line(Some(1_209), "b"))));
        let mut nameless = Tail::default();
        nameless.catch_up(&[Line(None, "b"), Line(None, "a")]);
        nameless.catch_up(&[Line(None, "c"), Line(None, "b")]);
        assert_eq!(nameless.rows().len(), 3);
        nameless.catch_up(&[Line(None, "z"), Line(None, "y")]);
        assert_eq!(nameless.rows()[3], Row::Skipped(None));
    }

    #[test]
    fn a_pinned_view_stays_whatever_comes_and_does_not_grow_without_end() {
        let mut tail = Tail::default();
        tail.take(&lines(1..=100));
        tail.select(0, 10);
        tail.take(&lines(101..=50_000));
        assert_eq!((tail.first(10), tail.selected().and_then(Told::number)), (0, Some(1)));
        assert!(tail.rows().len() <= MOST_PINNED + 1);
        assert_eq!(tail.rows().back(), Some(&Row::Skipped(Some(45_000))));
        tail.move_by(Action::Last, 10);
        tail.take(&lines(50_001..=50_001));
        assert_eq!(tail.rows().len(), MOST);
    }

    #[test]
    fn searches_and_errors_lead_from_line_to_line() {
        let mut tail = Tail::default();
        let said = ["a Timeout", "error: b", "timeout (c)", "error: d", "e"];
        tail.take(&(1..).zip(said).map(|(number, text)| Line(Some(number), text)).collect::<Vec<_>>());
        let pattern = Pattern::new("timeout").expect("a pattern");
        assert_eq!(tail.matches(&pattern), (2, None));
        assert!(tail.go_to(false, 10, |line| pattern.is_in(&line.text())));
        assert_eq!(tail.matches(&pattern), (2, Some(2)));
        assert!(tail.go_to(false, 10, |line| pattern.is_in(&line.text())));
        assert!(!tail.go_to(false, 10, |line| pattern.is_in(&line.text())));
        assert_eq!(tail.matches(&Pattern::new("Timeout").expect("a pattern")), (1, Some(1)), "capitals count");
        assert_eq!(tail.matches(&Pattern::new("(c").expect("words")), (1, None));
        assert!(tail.go_to(true, 10, Line::is_error));
        assert_eq!(tail.selected(), Some(&Line(Some(2), "error: b")));
        assert!(Pattern::new("").is_none());
    }

    proptest! {
        #[test]
        fn every_line_is_here_or_counted(
            jumps in proptest::collection::vec((1..40_i64, 0..6_u8), 1..400),
            height in 0..60_usize,
        ) {
            let mut tail = Tail::default();
            let mut number = 0;
            for (jump, key) in jumps {
                number += jump;
                tail.take(&lines(number..=number));
                match key {
                    0 => tail.move_by(Action::PageUp, height),
                    1 => tail.move_by(Action::Down, height),
                    2 => tail.move_by(Action::First, height),
                    3 => tail.move_by(Action::Last, height),
                    _ => {}
                }
                let first = tail.first(height);
                prop_assert!(tail.rows().is_empty() || first <= tail.index());
                prop_assert!(height == 0 || tail.index() < first + height);
            }
            let here: u64 = tail.rows().iter().map(|row| match row {
                Row::Told(_) => 1,
                Row::Skipped(count) => count.unwrap_or(0),
            }).sum();
            let begins = tail.rows().iter().find_map(|row| match row {
                Row::Told(line) => line.number(),
                Row::Skipped(_) => None,
            });
            prop_assert_eq!(here.cast_signed(), number - begins.unwrap_or(0) + 1);
        }
    }
}
