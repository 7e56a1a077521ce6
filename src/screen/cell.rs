//! One cell of a pane, and a row of them as text.

use std::fmt;

use super::style::Style;

/// What one or two columns of a row show. It never holds a control, bidirectional or invisible character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cell<'a> {
    /// Its column, from 0.
    pub column: u16,
    /// Its character.
    pub base: char,
    /// Marks that are drawn onto it: four at most.
    pub marks: &'a str,
    /// Columns it takes: 1 or 2.
    pub width: u16,
    /// How it looks.
    pub style: Style,
}

impl Cell<'_> {
    /// Whether it shows nothing but its background.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        self.base == ' ' && self.marks.is_empty()
    }
}

impl fmt::Display for Cell<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.base, self.marks)
    }
}

/// A row as text with SGR, without the blanks at its end that nothing marks.
pub(super) fn row_text<'a>(cells: impl Iterator<Item = Cell<'a>>) -> String {
    let mut text = String::new();
    let mut style = Style::default();
    // Where the text ended after the last cell that shows something.
    let mut end = 0;
    for cell in cells {
        if cell.style != style {
            style = cell.style;
            style.write_sgr(&mut text);
        }
        text.push(cell.base);
        text.push_str(cell.marks);
        if !cell.is_blank() || cell.style != Style::default() {
            end = text.len();
        }
    }
    let styled = text[..end].rfind('\x1b').is_some_and(|last| !text[last..].starts_with("\x1b[0m"));
    text.truncate(end);
    if styled {
        text.push_str("\x1b[0m");
    }
    text
}
