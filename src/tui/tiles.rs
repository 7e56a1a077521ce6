//! Live pictures of several panes at once: how many fit, where each is, which page is shown. Pure.

use ratatui::layout::Rect;

use crate::model::PaneAddress;

use super::action::Action;

/// The least a tile is legible at, its frame counted in.
const LEAST: (u16, u16) = (36, 8);
/// What is not worth more room: a terminal of the usual size in its frame.
const IDEAL: (u16, u16) = (82, 26);

/// The pictures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tiles {
    /// Of which panes, in order.
    pub panes: Vec<PaneAddress>,
    /// Which one has the focus.
    pub focus: usize,
}

/// How a page is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Division {
    pub columns: usize,
    pub rows: usize,
}

impl Division {
    /// The division of a room for `count` tiles: as many as are legible, each as large as can be.
    pub(super) fn of(count: usize, room: (u16, u16)) -> Self {
        let most = (usize::from(room.0 / LEAST.0).max(1), usize::from(room.1 / LEAST.1).max(1));
        let wanted = count.clamp(1, most.0 * most.1);
        let worth = |columns: usize| {
            let rows = wanted.div_ceil(columns);
            let share =
                |room: u16, ideal: u16, parts: usize| (usize::from(room) * 100 / parts / usize::from(ideal)).min(100);
            (rows <= most.1).then(|| (share(room.0, IDEAL.0, columns) * share(room.1, IDEAL.1, rows), rows))
        };
        let divided =
            (1..=most.0.min(wanted)).filter_map(|columns| worth(columns).map(|(worth, rows)| (worth, columns, rows)));
        // Of equals the one with fewer columns: lines are long.
        let best = divided.max_by_key(|(worth, columns, _)| (*worth, std::cmp::Reverse(*columns)));
        best.map_or(Self { columns: 1, rows: 1 }, |(_, columns, rows)| Self { columns, rows })
    }

    fn page(self) -> usize {
        self.columns * self.rows
    }

    /// The tile at `place` of a page in `area`; the last of a row or column takes what is left.
    pub(super) fn tile(self, place: usize, area: Rect) -> Rect {
        let part = |at: usize, of: usize, room: u16| -> (u16, u16) {
            let edge = |at: usize| u16::try_from(usize::from(room) * at / of).unwrap_or(u16::MAX);
            (edge(at), edge(at + 1) - edge(at))
        };
        let (x, width) = part(place % self.columns, self.columns, area.width);
        let (y, height) = part((place / self.columns).min(self.rows - 1), self.rows, area.height);
        Rect { x: area.x + x, y: area.y + y, width, height }
    }
}

impl Tiles {
    /// The panes of the page that holds the focus, with their numbers.
    pub(super) fn page(&self, division: Division) -> impl Iterator<Item = (usize, &PaneAddress)> {
        let page = division.page();
        let first = self.focus / page * page;
        self.panes.iter().enumerate().skip(first).take(page)
    }

    /// Which page is shown, from 1, and how many there are.
    pub(super) fn pages(&self, division: Division) -> (usize, usize) {
        (self.focus / division.page() + 1, self.panes.len().div_ceil(division.page()).max(1))
    }

    /// The pane with the focus.
    pub(super) fn focused(&self) -> Option<&PaneAddress> {
        self.panes.get(self.focus)
    }

    /// Moves the focus.
    pub(super) fn move_by(&mut self, action: Action, division: Division) {
        let to = match action {
            Action::Left => self.focus.checked_sub(1),
            Action::Right => Some(self.focus + 1),
            Action::Up => self.focus.checked_sub(division.columns),
            Action::Down => Some(self.focus + division.columns),
            Action::PageUp => Some(self.focus.saturating_sub(division.page())),
            Action::PageDown => Some((self.focus + division.page()).min(self.panes.len().saturating_sub(1))),
            Action::First => Some(0),
            Action::Last => self.panes.len().checked_sub(1),
            _ => None,
        };
        if let Some(to) = to.filter(|to| *to < self.panes.len()) {
            self.focus = to;
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::model::PaneId;

    use super::*;

    fn tiles(count: u32) -> Tiles {
        let pane = |number| PaneAddress { host: "web-1".parse().expect("a name"), pane: PaneId { server: 1, number } };
        Tiles { panes: (0..count).map(pane).collect(), focus: 0 }
    }

    #[test]
    fn as_many_fit_as_are_legible() {
        let of = |count, room| {
            let division = Division::of(count, room);
            (division.columns, division.rows)
        };
        assert_eq!(of(1, (80, 22)), (1, 1));
        assert_eq!(of(2, (80, 22)), (1, 2));
        assert_eq!(of(4, (80, 22)), (2, 2));
        assert_eq!(of(40, (80, 22)), (2, 2), "the rest are on other pages");
        assert_eq!(of(3, (200, 58)), (2, 2));
        assert_eq!(of(9, (200, 58)), (3, 3));
        assert_eq!(of(5, (20, 5)), (1, 1));
    }

    #[test]
    fn tiles_cover_their_room_and_do_not_overlap() {
        for (count, room) in [(1, (80, 22)), (5, (121, 37)), (30, (300, 97)), (3, (1, 1))] {
            let area = Rect::new(3, 1, room.0, room.1);
            let division = Division::of(count, room);
            let covered: u32 = (0..division.page()).map(|place| division.tile(place, area).area()).sum();
            assert_eq!(covered, area.area(), "{count} in {room:?}");
        }
    }

    #[test]
    fn the_focus_moves_within_what_there_is() {
        let mut tiles = tiles(7);
        let division = Division::of(7, (80, 22));
        tiles.move_by(Action::Down, division);
        tiles.move_by(Action::Right, division);
        assert_eq!(tiles.focus, 3);
        tiles.move_by(Action::Right, division);
        assert_eq!((tiles.focus, tiles.pages(division)), (4, (2, 2)));
        assert_eq!(tiles.page(division).map(|(index, _)| index).collect::<Vec<_>>(), [4, 5, 6]);
        tiles.move_by(Action::Down, division);
        tiles.move_by(Action::Down, division);
        assert_eq!(tiles.focus, 6);
        tiles.move_by(Action::Last, division);
        tiles.move_by(Action::Right, division);
        assert_eq!(tiles.focus, 6);
    }
}
