//! Cells and styles as `avt` has them, and as they are here.

use avt::parser::{Function, SgrOp, SgrOps};

use super::cell::Cell;
use super::emulator::number;
use super::glyph::Clusters;
use super::style::{Attributes, Color, Style};

pub(super) fn cells<'a>(line: &'a avt::Line, clusters: &'a Clusters) -> impl Iterator<Item = Cell<'a>> {
    converted(line.cells(), clusters)
}

/// The cells up to the last that shows something.
pub(super) fn used_cells<'a>(line: &'a avt::Line, clusters: &'a Clusters) -> impl Iterator<Item = Cell<'a>> {
    let used = line.cells().iter().rposition(|cell| cell.char() != ' ' || !cell.pen().is_default());
    // The second half of a wide character is a blank.
    let end = used.map_or(0, |last| (last + 2).min(line.len()));
    converted(&line.cells()[..end], clusters)
}

fn converted<'a>(cells: &'a [avt::Cell], clusters: &'a Clusters) -> impl Iterator<Item = Cell<'a>> {
    cells.iter().enumerate().filter(|(_, cell)| cell.width() > 0).map(|(column, cell)| {
        let (base, marks) = clusters.resolve(cell.char());
        Cell { column: number(column), base, marks, width: cell.width().into(), style: style_of(cell.pen()) }
    })
}

pub(super) fn style_of(pen: &avt::Pen) -> Style {
    if pen.is_default() {
        return Style::default();
    }
    let color = |color: Option<avt::Color>| match color? {
        avt::Color::Indexed(index) => Some(Color::Indexed(index)),
        avt::Color::RGB(rgb) => Some(Color::Rgb(rgb.r, rgb.g, rgb.b)),
    };
    let mut attributes = Attributes::default();
    for (attribute, on) in [
        (Attributes::BOLD, pen.is_bold()),
        (Attributes::DIM, pen.is_faint()),
        (Attributes::ITALIC, pen.is_italic()),
        (Attributes::UNDERLINE, pen.is_underline()),
        (Attributes::INVERSE, pen.is_inverse()),
        (Attributes::STRIKE, pen.is_strikethrough()),
    ] {
        attributes.set(attribute, on);
    }
    Style { fg: color(pen.foreground()), bg: color(pen.background()), attributes }
}

pub(super) fn sgr(style: Style) -> Function {
    let color = |color: Color| match color {
        Color::Indexed(index) => avt::Color::Indexed(index),
        Color::Rgb(red, green, blue) => avt::Color::rgb(red, green, blue),
    };
    let mut ops = vec![SgrOp::Reset];
    ops.extend(style.fg.map(|fg| SgrOp::SetForegroundColor(color(fg))));
    ops.extend(style.bg.map(|bg| SgrOp::SetBackgroundColor(color(bg))));
    for (attribute, op) in [
        (Attributes::DIM, SgrOp::SetFaintIntensity),
        (Attributes::BOLD, SgrOp::SetBoldIntensity),
        (Attributes::ITALIC, SgrOp::SetItalic),
        (Attributes::UNDERLINE, SgrOp::SetUnderline),
        (Attributes::INVERSE, SgrOp::SetInverse),
        (Attributes::STRIKE, SgrOp::SetStrikethrough),
    ] {
        if style.has(attribute) {
            ops.push(op);
        }
    }
    Function::Sgr(SgrOps::from(ops))
}
