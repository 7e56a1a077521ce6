//! Cells of a pane on the screen, one for one.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};

use crate::screen::{Glass, PaneScreen};

use super::super::pane_row::KeptRow;
use super::super::styles::Look;

/// Where the pane is drawn, and which of its columns is the first.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    pub area: Rect,
    pub from: u16,
}

impl Window {
    /// Draws a character of `width` columns at `column` of the pane on a row of the area. One that is cut by an edge is
    /// blank.
    fn put(self, row: u16, column: u16, text: &str, width: u16, style: Style, buffer: &mut Buffer) {
        let end = column.saturating_add(width);
        let y = self.area.y + row;
        for at in column.max(self.from)..end.min(self.from.saturating_add(self.area.width)) {
            let Some(cell) = buffer.cell_mut((self.area.x + at - self.from, y)) else { continue };
            cell.reset();
            cell.set_style(style);
        }
        if column >= self.from
            && end <= self.from.saturating_add(self.area.width)
            && let Some(cell) = buffer.cell_mut((self.area.x + column - self.from, y))
        {
            cell.set_symbol(text);
        }
    }

    /// Draws a row of what is shown now.
    pub(super) fn live(self, look: &Look, row: u16, glass: &Glass, y: u16, buffer: &mut Buffer) {
        let mut marked = String::new();
        for cell in glass.screen().row(y) {
            if cell.column.saturating_add(cell.width) <= self.from {
                continue;
            }
            if cell.column >= self.from.saturating_add(self.area.width) {
                break;
            }
            marked.clear();
            marked.push(cell.base);
            marked.push_str(cell.marks);
            self.put(row, cell.column, &marked, cell.width, look.pane(cell.style), buffer);
        }
    }

    /// Draws a row that is kept.
    pub(super) fn kept(self, look: &Look, row: u16, kept: &KeptRow, buffer: &mut Buffer) {
        for cell in kept.cells() {
            self.put(row, cell.column, cell.text, cell.width, look.pane(cell.style), buffer);
        }
    }

    /// Shows where the cursor is.
    pub(super) fn cursor(self, row: u16, column: u16, buffer: &mut Buffer) {
        if (self.from..self.from.saturating_add(self.area.width)).contains(&column)
            && let Some(cell) = buffer.cell_mut((self.area.x + column - self.from, self.area.y + row))
        {
            cell.modifier ^= Modifier::REVERSED;
        }
    }

    /// Lights up these columns of a row.
    pub(super) fn light(self, row: u16, columns: std::ops::Range<u16>, style: Style, buffer: &mut Buffer) {
        for column in columns.start.max(self.from)..columns.end.min(self.from.saturating_add(self.area.width)) {
            if let Some(cell) = buffer.cell_mut((self.area.x + column - self.from, self.area.y + row)) {
                cell.set_style(style);
            }
        }
    }
}
