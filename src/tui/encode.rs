//! Two frames to the bytes that make the second of the first, as few as it takes.
//!
//! Only what every terminal knows is used: cursor moves, SGR, erasing to the end of a line where what is erased has the
//! default background, and rows that scroll between two margins (DECSTBM, line feed, reverse index), as a VT100 does.

use std::io::Write;

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};
use unicode_width::UnicodeWidthStr;

use super::shift::{self, Shift};

/// What shows on an empty cell.
const VISIBLE_WHEN_BLANK: Modifier = Modifier::UNDERLINED
    .union(Modifier::REVERSED)
    .union(Modifier::CROSSED_OUT)
    .union(Modifier::SLOW_BLINK)
    .union(Modifier::RAPID_BLINK);
/// Attributes, what sets them, and what takes them away.
const ATTRIBUTES: [(Modifier, u8, u8); 9] = [
    (Modifier::BOLD, 1, 22),
    (Modifier::DIM, 2, 22),
    (Modifier::ITALIC, 3, 23),
    (Modifier::UNDERLINED, 4, 24),
    (Modifier::SLOW_BLINK, 5, 25),
    (Modifier::RAPID_BLINK, 6, 25),
    (Modifier::REVERSED, 7, 27),
    (Modifier::HIDDEN, 8, 28),
    (Modifier::CROSSED_OUT, 9, 29),
];

/// How a character is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Pen {
    fg: Color,
    bg: Color,
    attributes: Modifier,
}

impl Pen {
    const PLAIN: Self = Self { fg: Color::Reset, bg: Color::Reset, attributes: Modifier::empty() };

    /// Whether an empty cell drawn with it looks as one drawn with `other`.
    fn blank_as(self, other: Self) -> bool {
        self.blank() == other.blank()
    }

    /// What is left of it on an empty cell.
    fn blank(self) -> Self {
        if self.attributes.intersects(VISIBLE_WHEN_BLANK) {
            return self;
        }
        Self { fg: Color::Reset, attributes: Modifier::empty(), ..self }
    }
}

/// What is in a column of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Glyph<'a> {
    /// Empty where the glyph to the left is two columns wide.
    text: &'a str,
    pen: Pen,
}

impl Glyph<'_> {
    const BLANK: Glyph<'static> = Glyph { text: " ", pen: Pen::PLAIN };

    fn width(self) -> usize {
        self.text.width().max(1)
    }

    /// Whether terminals disagree about how many columns it takes.
    fn is_disputed(self) -> bool {
        let mut characters = self.text.chars();
        characters.next().is_some_and(|c| c >= '\u{1f000}') || characters.next().is_some()
    }
}

/// The glyphs of a row, so that two rows that look alike are equal.
fn glyphs(row: &[Cell]) -> Vec<Glyph<'_>> {
    let mut glyphs: Vec<Glyph<'_>> = Vec::with_capacity(row.len());
    while glyphs.len() < row.len() {
        let cell = &row[glyphs.len()];
        let pen = Pen { fg: cell.fg, bg: cell.bg, attributes: cell.modifier };
        let room = row.len() - glyphs.len();
        let width = cell.symbol().width();
        if cell.symbol() == " " || width == 0 || width > room {
            glyphs.push(Glyph { text: " ", pen: pen.blank() });
            continue;
        }
        glyphs.push(Glyph { text: cell.symbol(), pen });
        glyphs.extend(std::iter::repeat_n(Glyph { text: "", pen }, width - 1));
    }
    glyphs
}

/// What the terminal shows, as far as it was told.
#[derive(Debug)]
pub(super) struct Encoder {
    /// `None` where nothing is known.
    shown: Option<Buffer>,
    pen: Pen,
    /// Column and row of the cursor; the column is `None` behind the last one, and where it is disputed.
    cursor: Option<(Option<usize>, usize)>,
}

impl Encoder {
    /// For a terminal of which nothing is known.
    pub(super) fn new() -> Self {
        Self { shown: None, pen: Pen::PLAIN, cursor: None }
    }

    /// The bytes that make the terminal show `next`; none when it does.
    pub(super) fn encode(&mut self, next: &Buffer) -> Vec<u8> {
        let mut out = Vec::new();
        let shown = match self.shown.take().filter(|shown| shown.area == next.area) {
            Some(shown) => shown,
            None => {
                out.extend_from_slice(b"\x1b[m\x1b[2J");
                (self.pen, self.cursor) = (Pen::PLAIN, None);
                Buffer::empty(next.area)
            }
        };
        let mut shown = shown;
        let width = usize::from(next.area.width).max(1);
        self.scroll(&mut shown, next, width, &mut out);
        let rows = shown.content.chunks(width).zip(next.content.chunks(width));
        for (y, (before, after)) in rows.enumerate().filter(|(_, (before, after))| before != after) {
            self.row(y, &glyphs(before), &glyphs(after), &mut out);
        }
        shown.clone_from(next);
        self.shown = Some(shown);
        out
    }

    /// Lets the terminal move rows that are on the next frame a little higher or lower.
    fn scroll(&mut self, shown: &mut Buffer, next: &Buffer, width: usize, out: &mut Vec<u8>) {
        let found = {
            let (before, after) = (shown.content.chunks(width), next.content.chunks(width));
            shift::find(&before.collect::<Vec<_>>(), &after.collect::<Vec<_>>())
        };
        let Some(Shift { top, bottom, by, up }) = found else { return };
        // Some terminals fill what comes in with the background of the pen.
        if !self.pen.blank_as(Pen::PLAIN) {
            self.draw_with(Pen::PLAIN, out);
        }
        let (from, step) = if up { (bottom, "\n") } else { (top + 1, "\x1bM") };
        // Writing to a vector cannot fail.
        let _ = write!(out, "\x1b[{};{bottom}r\x1b[{from}H{}\x1b[r", top + 1, step.repeat(by));
        // Setting margins moves the cursor to the upper left.
        self.cursor = Some((Some(0), 0));
        let region = &mut shown.content[top * width..bottom * width];
        let blank = if up {
            region.rotate_left(by * width);
            region.len() - by * width..region.len()
        } else {
            region.rotate_right(by * width);
            0..by * width
        };
        region[blank].fill(Cell::EMPTY);
    }

    /// Whether the terminal shows `frame`.
    pub(super) fn shows(&self, frame: &Buffer) -> bool {
        self.shown.as_ref() == Some(frame)
    }

    fn row(&mut self, y: usize, before: &[Glyph<'_>], after: &[Glyph<'_>], out: &mut Vec<u8>) {
        let differs = |x: usize| before[x] != after[x];
        let Some(last) = (0..after.len()).rev().find(|x| differs(*x)) else { return };
        let blank_from = after.iter().rposition(|glyph| *glyph != Glyph::BLANK).map_or(0, |x| x + 1);
        let mut x = 0;
        while x <= last {
            if !differs(x) || after[x].text.is_empty() {
                x += 1;
                continue;
            }
            self.go(x, y, after, out);
            if x >= blank_from && last - x >= 3 {
                if !self.pen.blank_as(Pen::PLAIN) {
                    self.draw_with(Pen::PLAIN, out);
                }
                out.extend_from_slice(b"\x1b[K");
                return;
            }
            self.put(x, y, after, out);
            x += after[x].width();
        }
    }

    /// Writes one glyph where the cursor is.
    fn put(&mut self, x: usize, y: usize, row: &[Glyph<'_>], out: &mut Vec<u8>) {
        let glyph = row[x];
        if glyph.text != " " || !self.pen.blank_as(glyph.pen) {
            self.draw_with(glyph.pen, out);
        }
        out.extend_from_slice(glyph.text.as_bytes());
        let after = x + glyph.width();
        // Behind the last column terminals wait with the line break, each in its own way.
        let known = after < row.len() && !glyph.is_disputed();
        self.cursor = Some((known.then_some(after), y));
    }

    /// Moves the cursor to `x` in row `y`, the cheapest way.
    fn go(&mut self, x: usize, y: usize, row: &[Glyph<'_>], out: &mut Vec<u8>) {
        if self.cursor == Some((Some(x), y)) {
            return;
        }
        let mut best = format!("\x1b[{};{}H", y + 1, x + 1);
        if x == 0 {
            best = if y == 0 { "\x1b[H".to_owned() } else { format!("\x1b[{}H", y + 1) };
        }
        if let Some((column, from)) = self.cursor
            && from <= y
        {
            let down = "\n".repeat(y - from);
            let ways =
                [Some(format!("\r{down}{}", right(x))), column.map(|column| format!("{down}{}", sideways(column, x)))];
            best = ways.into_iter().flatten().chain([best]).min_by_key(String::len).unwrap_or_default();
            // What is already there may be cheaper to write again than to step over.
            if from == y
                && let Some(column) = column.filter(|column| *column < x && x - column <= best.len())
                && row[column..x].iter().all(|glyph| glyph.text.len() == 1 && self.takes(*glyph))
            {
                out.extend(row[column..x].iter().flat_map(|glyph| glyph.text.bytes()));
                self.cursor = Some((Some(x), y));
                return;
            }
        }
        out.extend_from_slice(best.as_bytes());
        self.cursor = Some((Some(x), y));
    }

    /// Whether `glyph` can be written with the pen as it is.
    fn takes(&self, glyph: Glyph<'_>) -> bool {
        if glyph.text == " " { self.pen.blank_as(glyph.pen) } else { self.pen == glyph.pen }
    }

    /// Changes the pen: by what differs, or from the beginning, whichever is shorter.
    fn draw_with(&mut self, pen: Pen, out: &mut Vec<u8>) {
        if self.pen == pen {
            return;
        }
        let anew = [vec![String::new()], changes(Pen::PLAIN, pen)].concat().join(";");
        let differing = changes(self.pen, pen).join(";");
        let shorter = if differing.len() <= anew.len() { differing } else { anew };
        // Writing to a vector cannot fail.
        let _ = write!(out, "\x1b[{shorter}m");
        self.pen = pen;
    }
}

/// A move to the right by `columns`.
fn right(columns: usize) -> String {
    match columns {
        0 => String::new(),
        1 => "\x1b[C".to_owned(),
        columns => format!("\x1b[{columns}C"),
    }
}

/// A move within a row.
fn sideways(from: usize, to: usize) -> String {
    match from.saturating_sub(to) {
        0 => right(to - from),
        1 => "\x1b[D".to_owned(),
        columns => format!("\x1b[{columns}D"),
    }
}

/// The SGR parameters that make `to` of `from`.
fn changes(from: Pen, to: Pen) -> Vec<String> {
    let mut parameters: Vec<String> = Vec::new();
    let mut left = from.attributes;
    for (attribute, _, off) in ATTRIBUTES {
        if left.contains(attribute) && !to.attributes.contains(attribute) {
            parameters.push(off.to_string());
            // Two attributes may go by one parameter.
            for (other, _, other_off) in ATTRIBUTES {
                if other_off == off {
                    left.remove(other);
                }
            }
        }
    }
    for (attribute, on, _) in ATTRIBUTES {
        if to.attributes.contains(attribute) && !left.contains(attribute) {
            parameters.push(on.to_string());
        }
    }
    if from.fg != to.fg {
        parameters.push(colour(to.fg, 30));
    }
    if from.bg != to.bg {
        parameters.push(colour(to.bg, 40));
    }
    parameters
}

/// A colour of text (`base` 30) or background (`base` 40), in its shortest form.
fn colour(colour: Color, base: u8) -> String {
    let index = match colour {
        Color::Reset => return (base + 9).to_string(),
        Color::Rgb(red, green, blue) => return format!("{};2;{red};{green};{blue}", base + 8),
        Color::Indexed(index) => index,
        Color::Black => 0,
        Color::Red => 1,
        Color::Green => 2,
        Color::Yellow => 3,
        Color::Blue => 4,
        Color::Magenta => 5,
        Color::Cyan => 6,
        Color::Gray => 7,
        Color::DarkGray => 8,
        Color::LightRed => 9,
        Color::LightGreen => 10,
        Color::LightYellow => 11,
        Color::LightBlue => 12,
        Color::LightMagenta => 13,
        Color::LightCyan => 14,
        Color::White => 15,
    };
    match index {
        0..=7 => (base + index).to_string(),
        8..=15 => (base + 60 + index - 8).to_string(),
        _ => format!("{};5;{index}", base + 8),
    }
}

#[cfg(test)]
#[path = "encode_tests.rs"]
mod tests;
