//! A list that is a window on a longer one in the store. Pure.
//!
//! Rows stand in the store's order, without a hole between them. What the window does not hold is older
//! ([`Window::is_complete`] says that nothing is) or newer ([`Window::has_newer`]), never in between. The
//! selection is a row's identity: rows come and go around it.

use std::fmt::Debug;

/// Rows asked for at once, and the rows of a snapshot.
pub(super) const PAGE: usize = 200;
/// Rows held at most, so that neither weeks nor much scrolling make a screen grow.
pub(super) const MOST: usize = 25 * PAGE;

/// What stands in such a list.
pub(super) trait Placed: Clone {
    /// What it is, whatever becomes of it.
    type Key: Copy + Eq + Debug;
    /// Where it stands. The highest comes first.
    type Place: Copy + Ord + Debug;

    fn key(&self) -> Self::Key;
    fn place(&self) -> Self::Place;
    /// Stands elsewhere from now on.
    fn set_place(&mut self, place: Self::Place);
}

/// What is on its way from the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Awaited {
    Nothing,
    /// The first page of another list.
    Other,
    /// The rest of that page, whose beginning is here.
    Rest,
    /// The first page of this list, as it is by now.
    Again,
    /// The page behind the last row.
    Older,
}

/// The window.
#[derive(Debug)]
pub(super) struct Window<R: Placed> {
    rows: Vec<R>,
    selected: Option<R::Key>,
    /// Somebody has gone away from the first row.
    moved: bool,
    /// What is to be selected in the list that is awaited, where it holds it.
    kept: Option<R::Key>,
    awaited: Awaited,
    /// Arrived while the first page was on its way, oldest first; `None` when more has arrived than was told.
    meanwhile: Option<Vec<R>>,
    complete: bool,
    newer: bool,
}

impl<R: Placed> Default for Window<R> {
    fn default() -> Self {
        Self {
            rows: Vec::new(),
            selected: None,
            moved: false,
            kept: None,
            awaited: Awaited::Nothing,
            meanwhile: Some(Vec::new()),
            complete: false,
            newer: false,
        }
    }
}

impl<R: Placed> Window<R> {
    /// The rows, in order.
    pub(super) fn rows(&self) -> &[R] {
        &self.rows
    }

    /// The rows, to change what does not move them.
    pub(super) fn rows_mut(&mut self) -> impl Iterator<Item = &mut R> {
        self.rows.iter_mut()
    }

    /// Whether nothing is older than the last row.
    pub(super) fn is_complete(&self) -> bool {
        self.complete
    }

    /// Whether newer rows than the first are to be had by asking again, and nothing is on its way.
    pub(super) fn has_newer(&self) -> bool {
        self.newer && !self.is_waiting()
    }

    /// Whether rows are on their way.
    pub(super) fn is_waiting(&self) -> bool {
        self.awaited != Awaited::Nothing
    }

    /// Whether the rows are still those of the list before.
    pub(super) fn is_outdated(&self) -> bool {
        self.awaited == Awaited::Other
    }

    // The selection

    /// Where the selection stands.
    pub(super) fn index(&self) -> usize {
        self.place_of(self.selected).unwrap_or(0)
    }

    /// The selected row.
    pub(super) fn selected(&self) -> Option<&R> {
        self.rows.get(self.index())
    }

    /// Selects the row at `index`.
    pub(super) fn select(&mut self, index: usize) {
        self.moved = index > 0;
        self.selected = self.rows.get(index).map(R::key);
    }

    /// Selects what `is` describes, where it is among the rows.
    pub(super) fn select_where(&mut self, is: impl Fn(&R) -> bool) {
        if let Some(index) = self.rows.iter().position(is) {
            self.select(index);
        }
    }

    /// Says whether somebody looks at the list. Whoever does keeps the row selected that is; a list that nobody
    /// looks at, and nobody has scrolled, begins with what is newest.
    pub(super) fn looked_at(&mut self, looked_at: bool) {
        if !looked_at && !self.moved {
            self.selected = None;
        } else if self.selected.is_none() {
            self.selected = self.rows.first().map(R::key);
        }
    }

    fn place_of(&self, key: Option<R::Key>) -> Option<usize> {
        self.rows.iter().position(|row| Some(row.key()) == key)
    }

    // Asking

    /// The first page of another list is asked for; what is here stays until it comes.
    pub(super) fn begin(&mut self) {
        self.kept = None;
        self.ask(Awaited::Other);
    }

    /// What is selected is to be selected in the list that is awaited, too, where its first page has it.
    pub(super) fn keep_selected(&mut self) {
        self.kept = self.selected().map(R::key);
    }

    /// The first page of this list is asked for again.
    pub(super) fn refresh(&mut self) {
        // While another list is awaited its first page is that, and not this one's.
        let is_other = matches!(self.awaited, Awaited::Other | Awaited::Rest);
        self.ask(if is_other { self.awaited } else { Awaited::Again });
    }

    /// This list has no rows, and nothing is asked.
    pub(super) fn clear(&mut self) {
        *self = Self { complete: true, ..Self::default() };
    }

    fn ask(&mut self, awaited: Awaited) {
        self.awaited = awaited;
        self.meanwhile = Some(Vec::new());
    }

    /// Behind which place to ask for more, when the selection comes near the end of what is here.
    pub(super) fn older(&mut self) -> Option<R::Place> {
        let near = self.index() + PAGE / 4 >= self.rows.len();
        if self.complete || self.is_waiting() || !near {
            return None;
        }
        let last = self.rows.last()?.place();
        self.awaited = Awaited::Older;
        Some(last)
    }

    // Answers

    /// Takes the beginning of the first page of another list: whoever waits for that reads what has been found, while the
    /// rest is looked for.
    pub(super) fn take_beginning(&mut self, rows: &[R]) {
        match self.awaited {
            Awaited::Other if !rows.is_empty() => {
                self.awaited = Awaited::Rest;
                (self.rows, self.complete, self.newer) = (rows.to_vec(), false, false);
                self.select(0);
            }
            Awaited::Rest if rows.len() > self.rows.len() => self.rows = rows.to_vec(),
            _ => {}
        }
    }

    /// Takes a first page. Rows of this list that are here and not in it stay, so that nothing vanishes under
    /// the cursor; only where page and rows do not meet one of them must go.
    pub(super) fn take_first(&mut self, page: Vec<R>) {
        let awaited = std::mem::replace(&mut self.awaited, Awaited::Nothing);
        let meanwhile = self.meanwhile.as_mut().map(std::mem::take);
        let full = page.len() >= PAGE;
        if awaited == Awaited::Other {
            self.rows = page;
            self.complete = !full;
            let kept = self.kept.take().and_then(|key| self.place_of(Some(key)));
            self.select(kept.unwrap_or(0));
        } else if awaited == Awaited::Rest {
            self.rows = page;
            self.complete = !full;
        } else {
            let last = page.last().filter(|_| full).map(R::place);
            let meets = last.is_none_or(|last| self.rows.iter().any(|row| row.place() >= last));
            if meets {
                self.complete = self.complete || !full;
                for row in page {
                    self.put(row);
                }
            } else if self.moved {
                self.newer = true;
                self.meanwhile = Some(Vec::new());
                return;
            } else {
                self.rows = page;
                self.complete = false;
                self.select(0);
            }
        }
        self.newer = meanwhile.is_none();
        for row in meanwhile.into_iter().flatten() {
            self.put(row);
        }
        self.bound();
    }

    /// Takes the page behind the last row.
    pub(super) fn take_older(&mut self, page: Vec<R>) {
        self.awaited = Awaited::Nothing;
        self.complete = page.len() < PAGE;
        for row in page {
            if self.place_of(Some(row.key())).is_none() {
                self.rows.push(row);
            }
        }
        let over = self.rows.len().saturating_sub(MOST).min(self.index());
        if over > 0 {
            self.rows.drain(..over);
            self.newer = true;
        }
    }

    /// What was asked is not answered.
    pub(super) fn failed(&mut self) {
        let missed = self.is_behind();
        match std::mem::replace(&mut self.awaited, Awaited::Nothing) {
            Awaited::Nothing => return,
            // The rows are those of a list that is not shown any more.
            Awaited::Other => self.rows.clear(),
            Awaited::Older if !missed => return,
            Awaited::Older | Awaited::Again | Awaited::Rest => {}
        }
        self.newer = true;
    }

    // What arrives

    /// Takes new rows, oldest first.
    pub(super) fn arrived(&mut self, new: impl IntoIterator<Item = R>) {
        let first_page = matches!(self.awaited, Awaited::Other | Awaited::Rest | Awaited::Again);
        for row in new {
            let Some(meanwhile) = &mut self.meanwhile else { return };
            if first_page {
                meanwhile.push(row.clone());
            }
            if !self.newer && self.awaited != Awaited::Other {
                self.put(row);
            }
        }
        if self.meanwhile.as_ref().is_some_and(|meanwhile| meanwhile.len() > PAGE) {
            self.missed();
        }
        self.bound();
    }

    /// More has arrived than was told. Answers whether to [`refresh`](Self::refresh) now. In a burst there is
    /// one question at a time: every answer would be outdated by the next question.
    pub(super) fn missed(&mut self) -> bool {
        if self.has_newer() && self.moved {
            // Whoever has scrolled down was told already that newer rows wait above.
            return false;
        }
        let ask = !self.is_waiting();
        self.meanwhile = ask.then(Vec::new);
        // Until the answer comes, what arrives would leave a hole behind it.
        self.newer = true;
        ask
    }

    /// Whether to [`refresh`](Self::refresh) now that an answer has come.
    pub(super) fn is_behind(&mut self) -> bool {
        self.meanwhile.replace(Vec::new()).is_none()
    }

    /// Puts a row where it belongs. One that is here already only ever goes up, and not while it is selected: what was
    /// read or taken keeps its place until the list is asked for again.
    fn put(&mut self, mut row: R) {
        if let Some(known) = self.place_of(Some(row.key())) {
            let place = self.rows[known].place();
            if row.place() <= place || self.selected == Some(row.key()) {
                row.set_place(place);
                self.rows[known] = row;
                return;
            }
            self.rows.remove(known);
        }
        let at = self.rows.partition_point(|other| other.place() > row.place());
        // Behind the last row are those that were not asked for yet, and it is one of them.
        if at < self.rows.len() || self.complete || self.rows.is_empty() {
            self.rows.insert(at, row);
        }
    }

    /// Whether the row is here.
    pub(super) fn holds(&self, key: R::Key) -> bool {
        self.place_of(Some(key)).is_some()
    }

    /// Lets go of what nobody looks at when there is too much.
    fn bound(&mut self) {
        if self.rows.len() <= MOST {
            return;
        }
        let index = self.index();
        if index < MOST / 2 {
            self.rows.truncate(index + PAGE);
            self.complete = false;
        } else {
            self.rows.drain(..self.rows.len() - MOST);
            self.newer = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    impl Placed for i64 {
        type Key = Self;
        type Place = Self;

        fn key(&self) -> Self {
            *self
        }

        fn place(&self) -> Self {
            *self
        }

        fn set_place(&mut self, _: Self) {}
    }

    fn page(range: std::ops::RangeInclusive<i64>) -> Vec<i64> {
        range.rev().collect()
    }

    fn window(range: std::ops::RangeInclusive<i64>) -> Window<i64> {
        let mut window = Window::default();
        window.begin();
        window.take_first(page(range));
        window
    }

    #[test]
    fn the_selection_stays_on_its_row() {
        let mut list = window(1..=5);
        list.select(2);
        list.arrived([6, 7]);
        assert_eq!((list.selected(), list.index()), (Some(&3), 4));
        list.select(0);
        list.arrived([8]);
        assert_eq!(list.selected(), Some(&7), "at the top too: a key is about what was seen");
        list.looked_at(false);
        list.arrived([9]);
        list.looked_at(true);
        assert_eq!(list.selected(), Some(&9), "who comes back begins with the newest");
    }

    #[test]
    fn a_first_page_keeps_the_place_of_who_has_scrolled() {
        let mut list = window(101..=300);
        list.select(150);
        let place = list.selected().copied();
        list.refresh();
        list.take_first(page(151..=350));
        assert_eq!((list.selected().copied(), list.rows().len()), (place, 250));
        list.refresh();
        list.take_first(page(801..=1_000));
        assert_eq!(list.selected().copied(), place, "a gap is not bridged, and nobody is moved");
        assert!(list.has_newer());
        list.arrived([1_001]);
        assert_eq!(list.rows().first(), Some(&350), "what would leave a hole waits above");
        list.begin();
        list.take_first(page(801..=1_000));
        assert_eq!((list.rows().len(), list.selected(), list.has_newer()), (200, Some(&1_000), false));
    }

    #[test]
    fn what_no_longer_matches_does_not_vanish_until_another_list_is_asked_for() {
        let mut list = window(1..=5);
        list.select(1);
        list.refresh();
        list.take_first(vec![5, 3]);
        assert_eq!((list.rows(), list.selected()), (&[5, 4, 3, 2, 1][..], Some(&4)));
        list.begin();
        list.take_first(vec![5, 3]);
        assert_eq!(list.rows(), [5, 3]);
    }

    #[test]
    fn a_burst_asks_one_question_at_a_time() {
        let mut list = window(1..=5);
        assert!(list.missed());
        list.refresh();
        assert!(!list.missed(), "the answer is on its way");
        list.take_first(page(1..=15));
        assert!(list.is_behind());
        list.refresh();
        list.take_first(page(1..=30));
        assert!(!list.is_behind());
    }

    #[test]
    fn a_list_that_could_not_be_read_says_so() {
        let mut list = window(1..=5);
        list.begin();
        list.failed();
        assert!(list.rows().is_empty() && list.has_newer(), "the rows were another list's");
        let mut list = window(1..=5);
        list.refresh();
        list.failed();
        assert_eq!((list.rows().len(), list.has_newer()), (5, true));
        list.failed();
        list.begin();
        list.take_first(page(1..=6));
        assert!(!list.has_newer());
    }

    #[test]
    fn what_has_been_found_is_read_while_the_rest_is_looked_for() {
        let mut window = Window::default();
        window.begin();
        window.take_first(vec![9, 8]);
        window.begin();
        window.take_beginning(&[]);
        assert_eq!(window.rows(), [9, 8], "until something of the other list is here");
        window.take_beginning(&[30, 20]);
        assert_eq!((window.rows(), window.index()), (&[30, 20][..], 0));
        assert!(window.is_waiting() && !window.is_complete());
        window.select(1);
        window.arrived([31]);
        window.take_beginning(&[30, 20, 10]);
        assert_eq!(window.selected(), Some(&20), "it is not taken from under the cursor");
        assert_eq!(window.older(), None, "the rest is asked for already");
        window.take_first(vec![30, 20, 10, 5]);
        assert_eq!((window.rows(), window.selected()), (&[31, 30, 20, 10, 5][..], Some(&20)));
        assert!(window.is_complete() && !window.is_waiting());
        window.begin();
        window.take_beginning(&[7]);
        window.failed();
        assert_eq!(window.rows(), [7]);
        assert!(window.has_newer(), "and it says that it is not all");
    }

    #[test]
    fn another_list_is_not_taken_for_a_refresh_of_this_one() {
        let mut list = window(1..=5);
        list.select(3);
        list.begin();
        list.refresh();
        list.take_first(vec![4, 2]);
        assert_eq!((list.rows(), list.index()), (&[4, 2][..], 0));
    }

    #[derive(Debug, Clone, Copy)]
    enum Step {
        Arrive(u8),
        /// More arrives than is told.
        Burst(u16),
        Answer,
        Fail,
        Refresh,
        Begin,
        Select(u16),
        Older,
        LookedAt(bool),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (1..20_u8).prop_map(Step::Arrive),
            1 => (1..600_u16).prop_map(Step::Burst),
            6 => Just(Step::Answer),
            1 => Just(Step::Fail),
            1 => Just(Step::Refresh),
            1 => Just(Step::Begin),
            4 => (0..7_000_u16).prop_map(Step::Select),
            6 => Just(Step::Older),
            1 => any::<bool>().prop_map(Step::LookedAt),
        ]
    }

    /// The store and the screen's window on it, with what is on its way between them.
    struct World {
        newest: i64,
        window: Window<i64>,
        /// What was asked, and how new the store was when it read.
        asked: Option<(Option<i64>, i64)>,
    }

    impl World {
        fn do_step(&mut self, step: Step) {
            let window = &mut self.window;
            match step {
                Step::Arrive(count) => {
                    let from = self.newest + 1;
                    self.newest += i64::from(count);
                    window.arrived(from..=self.newest);
                }
                Step::Burst(count) => {
                    self.newest += i64::from(count);
                    if window.missed() {
                        window.refresh();
                        self.asked = Some((None, self.newest));
                    }
                }
                Step::Answer => {
                    let Some((before, newest)) = self.asked.take() else { return };
                    let first = before.map_or(newest, |before| before - 1);
                    let page = page((first - 199).max(1)..=first);
                    if before.is_some() {
                        window.take_older(page);
                    } else {
                        window.take_first(page);
                    }
                    if window.is_behind() {
                        window.refresh();
                        self.asked = Some((None, self.newest));
                    }
                }
                Step::Fail if self.asked.take().is_some() => window.failed(),
                Step::Fail => {}
                Step::Refresh => {
                    window.refresh();
                    self.asked = Some((None, self.newest));
                }
                Step::Begin => {
                    window.begin();
                    self.asked = Some((None, self.newest));
                }
                Step::Select(index) => window.select(usize::from(index).min(window.rows().len().saturating_sub(1))),
                Step::Older => {
                    if let Some(before) = window.older() {
                        self.asked = Some((Some(before), self.newest));
                    }
                }
                Step::LookedAt(looked_at) => window.looked_at(looked_at),
            }
        }
    }

    proptest! {
        #[test]
        fn there_is_never_a_hole_and_never_too_much(
            many in 0..12_000_i64,
            steps in proptest::collection::vec(step(), 1..120),
        ) {
            let mut world = World { newest: many, window: Window::default(), asked: None };
            world.do_step(Step::Begin);
            world.do_step(Step::Answer);
            for step in steps {
                let before = world.window.selected().copied().filter(|_| world.window.selected.is_some());
                let stays = matches!(step, Step::Arrive(_) | Step::Burst(_) | Step::Refresh | Step::Older);
                world.do_step(step);
                let window = &world.window;
                prop_assert!(window.rows().windows(2).all(|pair| pair[0] == pair[1] + 1), "a hole");
                prop_assert!(window.rows().len() <= MOST + PAGE);
                prop_assert!(!stays || before.is_none() || window.selected().copied() == before);
                if !window.has_newer() && !window.is_waiting() {
                    prop_assert_eq!(window.rows().first().copied().unwrap_or(0), world.newest);
                }
                prop_assert!(!window.is_complete() || window.rows().last().is_none_or(|last| *last == 1));
            }
            while world.asked.is_some() {
                world.do_step(Step::Answer);
            }
            world.do_step(Step::Begin);
            world.do_step(Step::Answer);
            prop_assert_eq!(world.window.rows().first().copied().unwrap_or(0), world.newest);
        }
    }
}
