//! The screen of a pane, by `avt`, with tmux's rules where the two differ.
//!
//! `avt` keeps the cells and moves the cursor. What it reads differently than tmux (what erases with which colour, where the
//! last column ends, what the saved cursor is, the origin, insertion) is decided here, and `avt` is only told what to do.

use avt::parser::Function;
use avt::{Observation, Observer, ScreenKind};

use super::cell::{Cell, row_text};
use super::decode::Utf8;
use super::glyph::{Clusters, Glyph, glyph};
use super::pane_screen::{InputModes, PaneScreen, Scrolled};
use super::pen::{cells, sgr, style_of, used_cells};
use super::sequence::{Event, Sequences};
use super::style::Style;

/// Work a stream may ask for beyond its length. A unit is about a nanosecond.
const WORK_AHEAD: usize = 8 << 20;
/// Work a byte may ask for on the average: `yes` in 175 columns asks for as much.
const WORK_PER_BYTE: usize = 150;

/// A place to come back to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Saved {
    pub(super) column: usize,
    pub(super) row: usize,
    pub(super) pen: Style,
    pub(super) origin: bool,
    pub(super) charsets: Charsets,
}

/// Whether G0 and G1 draw lines, and whether G1 is in use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Charsets {
    pub(super) drawing: [bool; 2],
    pub(super) shifted: bool,
}

/// Modes that `avt` is not told of, or that have to be known here too.
#[derive(Debug, Clone, Copy)]
pub(super) struct Modes {
    pub(super) insert: bool,
    /// Rows are counted from the top of the scroll region.
    pub(super) origin: bool,
    pub(super) wraps: bool,
    /// Pastes are marked (mode 2004); `None` until it was said.
    pub(super) paste: Option<bool>,
}

/// A screen that is fed with what a program prints.
pub struct Emulator {
    pub(super) terminal: avt::Terminal,
    utf8: Utf8,
    pub(super) sequences: Sequences,
    pub(super) clusters: Clusters,
    scrolled: Vec<Scrolled>,
    /// How the program wants to draw, and how `avt` draws at the moment.
    pub(super) pen: Style,
    applied: Style,
    pub(super) saved: Saved,
    /// Where the cursor goes when the alternate screen is left.
    pub(super) main: Option<Saved>,
    /// First and last row of the scroll region.
    pub(super) region: (usize, usize),
    pub(super) modes: Modes,
    /// The keypad sends sequences of its own (DECKPAM).
    pub(super) keypad: bool,
    pub(super) charsets: Charsets,
    /// What a repetition repeats.
    pub(super) last: Option<char>,
    joining: bool,
    work: usize,
    exhausted: bool,
}

/// Receives what leaves the screen at the top.
struct Leaving<'a> {
    clusters: &'a Clusters,
    scrolled: &'a mut Vec<Scrolled>,
    keep: bool,
}

impl Observer for Leaving<'_> {
    type Output = ();

    fn evicted(&mut self, _: &mut Observation<'_>, line: &avt::Line) {
        if self.keep {
            let text = row_text(used_cells(line, self.clusters)).into_boxed_str();
            self.scrolled.push(Scrolled { text, wrapped: line.is_wrapped() });
        }
    }

    fn end(&mut self, _: &mut Observation<'_>) {}
}

impl PaneScreen for Emulator {
    fn feed(&mut self, bytes: &[u8]) {
        self.work = self.work.saturating_add(bytes.len().saturating_mul(WORK_PER_BYTE)).min(WORK_AHEAD);
        // Taken out, because an event borrows from it.
        let mut sequences = std::mem::take(&mut self.sequences);
        let mut rest = bytes;
        while let [byte, after @ ..] = rest {
            if self.is_exhausted() {
                break;
            }
            if sequences.is_ground() && self.utf8.is_empty() && !self.joining {
                let run = rest.iter().take_while(|byte| (0x20..0x7f).contains(*byte)).count();
                if run > 0 {
                    self.print_run(&rest[..run]);
                    rest = &rest[run..];
                    continue;
                }
            }
            for c in self.utf8.next(*byte).into_iter().flatten() {
                if let Some(event) = sequences.next(c) {
                    self.take(&event);
                }
            }
            rest = after;
        }
        self.sequences = sequences;
    }

    fn size(&self) -> (u16, u16) {
        let (columns, rows) = self.terminal.size();
        (number(columns), number(rows))
    }

    fn row(&self, row: u16) -> impl Iterator<Item = Cell<'_>> {
        self.terminal.screen().line(row.into()).into_iter().flat_map(|line| cells(line, &self.clusters))
    }

    fn is_wrapped(&self, row: u16) -> bool {
        self.terminal.screen().line(row.into()).is_some_and(avt::Line::is_wrapped)
    }

    fn cursor(&self) -> Option<(u16, u16)> {
        let (column, row) = self.terminal.cursor().position()?;
        Some((number(column.min(self.terminal.size().0 - 1)), number(row)))
    }

    fn is_alternate(&self) -> bool {
        self.terminal.active_screen_kind() == ScreenKind::Alternate
    }

    fn input_modes(&self) -> InputModes {
        let default = InputModes::default();
        InputModes {
            cursor_keys: self.terminal.cursor_key_app_mode(),
            keypad: self.keypad,
            paste: self.modes.paste.unwrap_or(default.paste),
        }
    }

    fn take_scrolled(&mut self) -> Vec<Scrolled> {
        std::mem::take(&mut self.scrolled)
    }

    fn is_exhausted(&self) -> bool {
        self.exhausted
    }

    fn dump(&self) -> Vec<u8> {
        let mut bytes = self.dump_text().into_bytes();
        bytes.extend_from_slice(self.utf8.pending());
        bytes
    }
}

impl Emulator {
    /// An empty screen. Its size is brought into the bounds of 2x2 and 500x300.
    #[must_use]
    pub fn new(columns: u16, rows: u16) -> Self {
        let (columns, rows) = clamped(columns, rows);
        let Ok(terminal) = avt::Terminal::new(columns, rows) else { unreachable!("a clamped size is not zero") };
        Self {
            terminal,
            utf8: Utf8::default(),
            sequences: Sequences::default(),
            clusters: Clusters::default(),
            scrolled: Vec::new(),
            pen: Style::default(),
            applied: Style::default(),
            saved: Saved::default(),
            main: None,
            region: (0, rows - 1),
            modes: Modes { insert: false, origin: false, wraps: true, paste: None },
            charsets: Charsets::default(),
            last: None,
            keypad: false,
            joining: false,
            work: WORK_AHEAD,
            exhausted: false,
        }
    }

    /// Knows of pastes what the screen before knew, where nothing newer was said.
    pub(super) fn keep_paste(&mut self, before: &Self) {
        self.modes.paste = self.modes.paste.or(before.modes.paste);
    }

    /// Columns and rows.
    pub(super) fn dimensions(&self) -> (usize, usize) {
        self.terminal.size()
    }

    /// Column and row of the cursor. The column is one too many while the next character wraps.
    pub(super) fn place(&self) -> (usize, usize) {
        let cursor = self.terminal.cursor();
        (cursor.col, cursor.row)
    }

    /// Counts work that is going to be done.
    pub(super) fn spend(&mut self, work: usize) {
        self.work = self.work.saturating_sub(work);
        self.exhausted |= self.work == 0;
    }

    /// What a new row costs, with the one that leaves for it.
    pub(super) fn row_work(&self) -> usize {
        100 + 2 * self.dimensions().0
    }

    /// What moving or erasing the cells of a row costs.
    pub(super) fn shift_work(&self) -> usize {
        2 * self.dimensions().0
    }

    /// What erasing the whole screen costs.
    pub(super) fn screen_work(&self) -> usize {
        let (columns, rows) = self.dimensions();
        3 * columns * rows
    }

    /// Has `avt` do something, as the program draws.
    pub(super) fn run(&mut self, function: Function) {
        self.run_with(function, self.pen, true);
    }

    /// Has `avt` erase, which leaves only the background behind.
    pub(super) fn erase(&mut self, function: Function, work: usize) {
        self.spend(work);
        self.run_with(function, self.pen.erased(), true);
    }

    /// Has `avt` do something in the given style. What leaves the screen at the top is kept, or not.
    pub(super) fn run_with(&mut self, function: Function, style: Style, keep: bool) {
        let mut observer = Leaving { clusters: &self.clusters, scrolled: &mut self.scrolled, keep };
        if self.applied != style {
            self.applied = style;
            self.terminal.execute_with(sgr(style), &mut observer);
        }
        self.terminal.execute_with(function, observer);
    }

    /// Whether a row of the screen continues on the next.
    pub(super) fn continues(&self, row: usize) -> bool {
        self.terminal.screen().line(row).is_some_and(avt::Line::is_wrapped)
    }

    fn take(&mut self, event: &Event<'_>) {
        self.spend(1);
        match event {
            Event::Print(c) => return self.print(*c),
            Event::Control(c) => self.control(*c),
            Event::Escape(intermediates, last) => self.escape(intermediates, *last),
            Event::Csi(marker, params, last) => self.csi(marker, *params, *last),
        }
        self.last = None;
        self.joining = false;
    }

    /// Prints ASCII.
    fn print_run(&mut self, run: &[u8]) {
        self.spend(run.len());
        let mut rest = run;
        while let [first, ..] = rest {
            let free = self.dimensions().0.saturating_sub(self.place().0);
            // What has to wrap, insert or stay in the last column goes the careful way.
            let easy = if self.modes.insert || !self.modes.wraps { 0 } else { free.min(rest.len()) };
            if easy == 0 {
                self.show(char::from(*first), 1);
                rest = &rest[1..];
                continue;
            }
            let (text, after) = rest.split_at(easy);
            let mut observer = Leaving { clusters: &self.clusters, scrolled: &mut self.scrolled, keep: true };
            if self.applied != self.pen {
                self.applied = self.pen;
                self.terminal.execute_with(sgr(self.pen), &mut observer);
            }
            self.terminal.execute_with(text.iter().map(|byte| Function::Print(char::from(*byte))), observer);
            rest = after;
        }
        self.last = run.last().copied().map(char::from);
    }

    fn print(&mut self, c: char) {
        self.last = None;
        if std::mem::take(&mut self.joining) {
            return;
        }
        match glyph(c) {
            Glyph::Show(c, width) => {
                self.show(c, width);
                self.last = c.is_ascii().then_some(c);
            }
            Glyph::Twice(c) => {
                self.show(c, 1);
                self.show(c, 1);
            }
            Glyph::Onto(mark) => self.mark(mark),
            Glyph::Join => self.joining = self.place().0 > 0,
            Glyph::Nothing => {}
        }
    }

    /// Shows a character at the cursor.
    pub(super) fn show(&mut self, c: char, width: usize) {
        let (columns, _) = self.dimensions();
        let (column, row) = self.place();
        if column + width <= columns {
            if self.modes.insert {
                self.spend(self.shift_work());
                self.run_with(Function::Ich(number(width)), Style::default(), true);
            }
            self.run(Function::Print(c));
        } else if self.modes.wraps {
            self.spend(self.row_work());
            if row == self.region.1 && self.pen != Style::default() {
                // The row that comes in at the bottom has no colour: it is made first, and written over.
                self.run_with(Function::Print(c), Style::default(), true);
                self.run(Function::Cr);
            }
            self.run(Function::Print(c));
        } else if width == 1 {
            self.run(Function::Print(c));
        }
    }

    /// Draws a mark onto the character before the cursor.
    fn mark(&mut self, mark: char) {
        let (column, row) = self.place();
        let line = self.terminal.screen().line(row);
        let at = |x: usize| line.and_then(|line| line.cells().get(x)).copied();
        let Some((x, cell)) = (column.saturating_sub(2)..column)
            .rev()
            .filter_map(|x| at(x).map(|cell| (x, cell)))
            .find(|(_, cell)| cell.width() > 0)
        else {
            return;
        };
        let wide = cell.width() == 2;
        // A wide character that was cut, or something else between: only what the cursor stands behind is meant.
        if x + usize::from(cell.width()) != column && self.modes.wraps {
            return;
        }
        if let Some(marked) = self.clusters.marked(cell.char(), wide, mark) {
            self.run_with(Function::Cha(number(x + 1)), self.pen, true);
            self.run_with(Function::Print(marked), style_of(cell.pen()), true);
        }
    }
}

/// The size a screen has: at least 2x2, because a wide character has to fit, and at most 500x300.
#[must_use]
fn clamped(columns: u16, rows: u16) -> (usize, usize) {
    (columns.clamp(2, 500).into(), rows.clamp(2, 300).into())
}

/// A count or a place of at most 500, as `avt` wants it.
pub(super) fn number(value: usize) -> u16 {
    u16::try_from(value).unwrap_or(u16::MAX)
}
