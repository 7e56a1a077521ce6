//! What control characters and sequences do to a screen, as tmux 3.3a does it. What is not here tmux ignores.

use avt::Charset;
use avt::parser::{DecMode, DecModes, EdScope, ElScope, Function, TbcScope};

use super::emulator::{Emulator, Saved, number};
use super::pane_screen::PaneScreen;
use super::sequence::{Param, Params};
use super::style::Style;

impl Emulator {
    pub(super) fn control(&mut self, c: char) {
        match c {
            '\x08' => self.backspace(),
            // A tab in the last column leaves the cursor where it is, behind the column too.
            '\t' if self.place().0 + 1 < self.dimensions().0 => self.run(Function::Ht),
            '\n' | '\x0b' | '\x0c' => self.line_feed(),
            '\r' => self.run(Function::Cr),
            '\x0e' => self.shift(true),
            '\x0f' => self.shift(false),
            _ => {}
        }
    }

    pub(super) fn escape(&mut self, intermediates: &str, last: char) {
        match (intermediates, last) {
            ("", '7') => self.save(),
            ("", '8') => self.restore(),
            ("", 'D') => self.line_feed(),
            ("", 'E') => {
                self.run(Function::Cr);
                self.line_feed();
            }
            ("", 'H') => self.run(Function::Hts),
            ("", 'M') => {
                if self.place().1 == self.region.0 {
                    let work = self.rows_work(self.region.0, 1);
                    self.erase(Function::Ri, work);
                } else {
                    self.run(Function::Ri);
                }
            }
            ("", '=') => self.keypad = true,
            ("", '>') => self.keypad = false,
            ("", 'c') => self.reset(),
            ("#", '8') => self.align(),
            ("(", '0') => self.designate(0, true),
            ("(", 'B') => self.designate(0, false),
            (")", '0') => self.designate(1, true),
            (")", 'B') => self.designate(1, false),
            _ => {}
        }
    }

    pub(super) fn csi(&mut self, marker: &str, params: Params<'_>, last: char) {
        match (marker, last) {
            ("", 'm') => self.pen.apply(params),
            ("", 'h' | 'l') if params.list().any(|param| param == Param::Number(4)) => {
                self.modes.insert = last == 'h';
            }
            ("?", 'h' | 'l') => {
                for param in params.list() {
                    if let Param::Number(mode) = param {
                        self.mode(mode, last == 'h');
                    }
                }
            }
            ("", 'J' | 'K' | 'g') => {
                if let Some(which) = params.number(0, 0, 0) {
                    self.erase_some(which, last);
                }
            }
            ("", 'H' | 'f') => {
                if let (Some(row), Some(column)) = (params.number(0, 1, 1), params.number(1, 1, 1)) {
                    self.go(Some(row), Some(column));
                }
            }
            ("", 'r') => {
                let rows = number(self.dimensions().1);
                if let (Some(top), Some(bottom)) = (params.number(0, 1, 1), params.number(1, 1, rows)) {
                    self.set_region(top.min(rows), bottom.min(rows));
                }
            }
            ("", 's') => self.save(),
            ("", 'u') => self.restore(),
            ("", _) => {
                if let Some(count) = params.number(0, 1, 1) {
                    self.counted(count, last);
                }
            }
            _ => {}
        }
    }

    /// Sequences with one count or place.
    fn counted(&mut self, count: u16, last: char) {
        let columns = self.dimensions().0;
        let (column, row) = self.place();
        // Behind the last column there is nothing to insert, delete or erase.
        let hangs = column == columns;
        match last {
            'A' => self.run(Function::Cuu(count)),
            'B' => self.run(Function::Cud(count)),
            'C' => self.run(Function::Cuf(count)),
            'D' => self.left(count),
            'E' => self.run(Function::Cnl(count)),
            'F' => self.run(Function::Cpl(count)),
            'G' | '`' => self.go(None, Some(count)),
            'd' => self.go(Some(count), None),
            'Z' => self.run(Function::Cbt(count)),
            'b' => self.repeat(count),
            // tmux moves nothing where everything would leave the row.
            '@' if hangs || (column + 1 < columns && usize::from(count) >= columns - column) => {}
            '@' => self.erase(Function::Ich(count), self.shift_work()),
            'P' if !hangs => {
                let most = number(columns - column);
                self.erase(Function::Dch(count.min(most)), self.shift_work());
            }
            'X' if !hangs => self.erase(Function::Ech(count), self.shift_work()),
            'L' => {
                let work = self.rows_work(row, count);
                self.outside_region(|screen| screen.erase(Function::Il(count), work));
            }
            'M' => {
                let work = self.rows_work(row, count);
                self.outside_region(|screen| {
                    // Deleted rows are no history.
                    screen.spend(work);
                    screen.run_with(Function::Dl(count), screen.pen.erased(), false);
                });
            }
            'S' => self.erase(Function::Su(count), self.rows_work(self.region.0, count)),
            'T' => self.erase(Function::Sd(count), self.rows_work(self.region.0, count)),
            _ => {}
        }
    }

    /// What so many new rows from `row` on cost, and the rows that move.
    fn rows_work(&self, row: usize, count: u16) -> usize {
        let rows = self.dimensions().1;
        usize::from(count).min(rows - row.min(rows)) * self.row_work() + rows
    }

    /// Does something with the rows from the cursor to the end: of the region, or of the screen where the cursor is outside.
    fn outside_region(&mut self, does: impl FnOnce(&mut Self)) {
        let (column, row) = self.place();
        let (top, bottom) = self.region;
        if (top..=bottom).contains(&row) {
            return does(self);
        }
        let rows = self.dimensions().1;
        self.run(Function::Decstbm(1, number(rows)));
        self.run(Function::Cup(number(row + 1), number(column + 1)));
        does(self);
        self.run(Function::Decstbm(number(top + 1), number(bottom + 1)));
        self.run(Function::Cup(number(row + 1), number(column + 1)));
    }

    fn line_feed(&mut self) {
        let work = if self.place().1 == self.region.1 { self.row_work() } else { 0 };
        self.erase(Function::Lf, work);
    }

    fn backspace(&mut self) {
        let (columns, _) = self.dimensions();
        let (column, row) = self.place();
        match column {
            0 if row > 0 && self.continues(row - 1) => {
                self.run(Function::Cup(number(row), number(columns)));
            }
            _ => self.left(1),
        }
    }

    fn left(&mut self, count: u16) {
        let column = self.place().0;
        self.run(Function::Cha(number(column.saturating_sub(count.into()) + 1)));
    }

    /// Goes to a row and a column, from 1. The row is counted from the top of the region where the origin is there.
    fn go(&mut self, row: Option<u16>, column: Option<u16>) {
        let (columns, rows) = self.dimensions();
        let here = self.place();
        let (top, bottom) = self.region;
        let row = row.map_or(here.1, |row| {
            let row = usize::from(row) - 1;
            let row = if self.modes.origin { (row + top).min(bottom) } else { row };
            row.min(rows - 1)
        });
        let column = column.map(|column| (usize::from(column) - 1).min(columns - 1));
        // Only the row changes: what hangs behind the last column comes back into it.
        let column = column.unwrap_or(here.0.min(columns - 1));
        self.run(Function::Cup(number(row + 1), number(column + 1)));
    }

    fn set_region(&mut self, top: u16, bottom: u16) {
        if top < bottom {
            self.region = (usize::from(top) - 1, usize::from(bottom) - 1);
            self.run(Function::Decstbm(top, bottom));
            self.run(Function::Cup(1, 1));
        }
    }

    fn erase_some(&mut self, which: u16, last: char) {
        let (column, row) = self.place();
        let scope = match (last, which) {
            // Erasing everything that way keeps it in the history too.
            ('J', 0) if (column, row) == (0, 0) && !self.is_alternate() => Function::Ed(EdScope::All),
            ('J', 0) => Function::Ed(EdScope::Below),
            ('J', 1) => Function::Ed(EdScope::Above),
            ('J', 2) => Function::Ed(EdScope::All),
            ('K', 0) => Function::El(ElScope::ToRight),
            ('K', 1) => Function::El(ElScope::ToLeft),
            ('K', 2) => Function::El(ElScope::All),
            ('g', 0) => return self.run(Function::Tbc(TbcScope::CurrentColumn)),
            ('g', 3) => return self.run(Function::Tbc(TbcScope::All)),
            _ => return,
        };
        let work = match &scope {
            Function::Ed(EdScope::All) => self.screen_work(),
            // Nothing is looked through for the history.
            Function::Ed(_) => self.screen_work() / 3,
            _ => self.shift_work(),
        };
        self.erase(scope, work);
    }

    fn repeat(&mut self, count: u16) {
        let Some(c) = self.last else { return };
        let free = self.dimensions().0.saturating_sub(self.place().0);
        for _ in 0..usize::from(count).min(free) {
            self.spend(1);
            self.show(c, 1);
        }
    }

    fn mode(&mut self, mode: u32, on: bool) {
        match mode {
            1 => self.set_mode(DecMode::CursorKeys, on),
            3 => {
                self.go(Some(1), Some(1));
                self.erase(Function::Ed(EdScope::All), self.screen_work());
            }
            6 => {
                self.modes.origin = on;
                self.go(Some(1), Some(1));
            }
            7 => {
                self.modes.wraps = on;
                self.set_mode(DecMode::AutoWrap, on);
            }
            25 => self.set_mode(DecMode::TextCursorEnable, on),
            2004 => self.modes.paste = Some(on),
            47 | 1047 => self.alternate(on, false),
            1049 => self.alternate(on, true),
            _ => {}
        }
    }

    fn set_mode(&mut self, mode: DecMode, on: bool) {
        let modes = DecModes::from(vec![mode]);
        self.run(if on { Function::Decset(modes) } else { Function::Decrst(modes) });
    }

    fn alternate(&mut self, on: bool, with_cursor: bool) {
        let modes = DecModes::from(vec![DecMode::AltScreenBuffer]);
        if on && !self.is_alternate() {
            if with_cursor {
                self.main = Some(self.here());
            }
            self.spend(self.screen_work());
            // The new screen is without colour, whatever the program draws with.
            self.run_with(Function::Decset(modes), Style::default(), true);
        } else if !on {
            if self.is_alternate() {
                self.run(Function::Decrst(modes));
            }
            if let (true, Some(main)) = (with_cursor, self.main) {
                self.pen = main.pen;
                self.run(Function::Cup(number(main.row + 1), number(main.column + 1)));
            }
        }
    }

    fn here(&self) -> Saved {
        let (column, row) = self.place();
        Saved {
            column: column.min(self.dimensions().0 - 1),
            row,
            pen: self.pen,
            origin: self.modes.origin,
            charsets: self.charsets,
        }
    }

    fn save(&mut self) {
        self.saved = self.here();
    }

    fn restore(&mut self) {
        let saved = self.saved;
        let (columns, rows) = self.dimensions();
        self.pen = saved.pen;
        self.modes.origin = saved.origin;
        for (slot, drawing) in saved.charsets.drawing.into_iter().enumerate() {
            self.designate(slot, drawing);
        }
        self.shift(saved.charsets.shifted);
        self.run(Function::Cup(number(saved.row.min(rows - 1) + 1), number(saved.column.min(columns - 1) + 1)));
    }

    fn designate(&mut self, slot: usize, drawing: bool) {
        let charset = if drawing { Charset::Drawing } else { Charset::Ascii };
        self.charsets.drawing[slot] = drawing;
        self.run(if slot == 0 { Function::Gzd4(charset) } else { Function::G1d4(charset) });
    }

    fn shift(&mut self, shifted: bool) {
        self.charsets.shifted = shifted;
        self.run(if shifted { Function::So } else { Function::Si });
    }

    fn align(&mut self) {
        let (columns, rows) = self.dimensions();
        // Cell by cell is slower than erasing.
        self.spend(16 * columns * rows);
        self.run(Function::Decaln);
        self.region = (0, rows - 1);
        self.run(Function::Decstbm(1, number(rows)));
        self.run(Function::Cup(1, 1));
    }

    fn reset(&mut self) {
        let (columns, rows) = self.dimensions();
        self.pen = Style::default();
        self.saved = Saved::default();
        self.modes.insert = false;
        self.modes.origin = false;
        self.keypad = false;
        self.designate(0, false);
        self.designate(1, false);
        self.shift(false);
        self.mode(7, true);
        self.mode(25, true);
        self.mode(1, false);
        self.mode(2004, false);
        self.region = (0, rows - 1);
        self.run(Function::Decstbm(1, number(rows)));
        self.run(Function::Tbc(TbcScope::All));
        for tab in (8..columns).step_by(8) {
            self.run(Function::Cha(number(tab + 1)));
            self.run(Function::Hts);
        }
        self.erase(Function::Ed(EdScope::All), self.screen_work());
        self.run(Function::Cup(1, 1));
    }
}
