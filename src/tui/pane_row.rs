//! A row of a pane that is kept for later: its text, in pieces that look the same. Pure.

use unicode_width::UnicodeWidthChar;

use crate::screen::{Cell, Style};

/// Text of one style from a column on.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Run {
    column: u16,
    text: String,
    style: Style,
}

/// The row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct KeptRow(Vec<Run>);

/// One cell of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct KeptCell<'a> {
    pub column: u16,
    /// A character with its marks.
    pub text: &'a str,
    pub width: u16,
    pub style: Style,
}

impl KeptRow {
    /// Keeps these cells, left to right.
    pub(super) fn of<'a>(cells: impl Iterator<Item = Cell<'a>>) -> Self {
        let mut runs: Vec<Run> = Vec::new();
        let mut next = 0;
        for cell in cells {
            match runs.last_mut().filter(|run| run.style == cell.style && next == cell.column) {
                Some(run) => {
                    run.text.push(cell.base);
                    run.text.push_str(cell.marks);
                }
                None => runs.push(Run { column: cell.column, text: cell.to_string(), style: cell.style }),
            }
            next = cell.column + cell.width;
        }
        if let Some(run) = runs.last_mut().filter(|run| run.style == Style::default()) {
            run.text.truncate(run.text.trim_end_matches(' ').len());
        }
        Self(runs)
    }

    /// Its cells, left to right.
    pub(super) fn cells(&self) -> impl Iterator<Item = KeptCell<'_>> {
        self.0.iter().flat_map(|run| {
            let mut column = run.column;
            pieces(&run.text).map(move |(text, width)| {
                let cell = KeptCell { column, text, width, style: run.style };
                column += width;
                cell
            })
        })
    }

    /// What is written there.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        let mut next = 0;
        for cell in self.cells() {
            text.extend(std::iter::repeat_n(' ', usize::from(cell.column.saturating_sub(next))));
            text.push_str(cell.text);
            next = cell.column + cell.width;
        }
        text.truncate(text.trim_end().len());
        text
    }
}

/// Characters with the marks behind them, and the columns they take.
fn pieces(text: &str) -> impl Iterator<Item = (&str, u16)> {
    let columns = |c: char| c.width().unwrap_or(0);
    let begins: Vec<(usize, usize)> =
        text.char_indices().map(|(at, c)| (at, columns(c))).filter(|(_, width)| *width > 0).collect();
    let ends: Vec<usize> = begins.iter().skip(1).map(|(at, _)| *at).chain([text.len()]).collect();
    begins.into_iter().zip(ends).map(move |((from, width), to)| (&text[from..to], u16::try_from(width).unwrap_or(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(column: u16, base: char, marks: &str, width: u16, style: Style) -> Cell<'_> {
        Cell { column, base, marks, width, style }
    }

    #[test]
    fn what_is_kept_is_what_was_there() {
        let plain = Style::default();
        let other = Style { fg: Some(crate::screen::Color::Indexed(1)), ..plain };
        let cells = [
            cell(0, 'a', "", 1, plain),
            cell(1, '日', "", 2, plain),
            cell(3, 'e', "\u{301}", 1, other),
            cell(4, ' ', "", 1, plain),
            cell(5, ' ', "", 1, plain),
        ];
        let row = KeptRow::of(cells.into_iter());
        let kept: Vec<(u16, &str, u16)> = row.cells().map(|cell| (cell.column, cell.text, cell.width)).collect();
        assert_eq!(kept, [(0, "a", 1), (1, "日", 2), (3, "e\u{301}", 1)]);
        assert_eq!(row.text(), "a日e\u{301}");
        assert_eq!(row.cells().nth(2).map(|cell| cell.style), Some(other));
    }
}
