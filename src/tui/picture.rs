//! A frame as an SVG picture: text on a grid, in the colours of the frame.

use std::fmt::Write as _;

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};
use unicode_width::UnicodeWidthStr;

/// Size of a cell, and of the margin around all of them, in pixels.
const CELL: (u32, u32) = (9, 19);
const MARGIN: u32 = 14;
/// Where a line of text stands within its cell.
const BASELINE: u32 = 14;
/// What a terminal would draw where a frame says nothing.
const TEXT: &str = "#d6dae2";
const GROUND: &str = "#14171c";
/// The sixteen colours of a terminal that is dark.
const ANSI: [&str; 16] = [
    "#22262e", "#e0606a", "#7bc275", "#d9b35a", "#6aa3e8", "#bf87d9", "#5fbdc4", "#c3c8d2", "#7d8593", "#ef7b84",
    "#93d68d", "#ebc873", "#86b8f4", "#d29fe8", "#79d3da", "#eef1f6",
];

/// The picture of `frame`; `title` is what it says to who cannot see it.
#[must_use]
pub fn picture(frame: &Buffer, title: &str) -> String {
    let (columns, rows) = (u32::from(frame.area.width), u32::from(frame.area.height));
    let (width, height) = (columns * CELL.0 + 2 * MARGIN, rows * CELL.1 + 2 * MARGIN);
    let title = escaped(title);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{title}\" \
         font-family=\"'DejaVu Sans Mono', Menlo, Consolas, monospace\" font-size=\"15\" xml:space=\"preserve\">\n\
         <title>{title}</title>\n<rect width=\"{width}\" height=\"{height}\" rx=\"8\" fill=\"{GROUND}\"/>\n"
    );
    for (row, cells) in (0..).zip(frame.content.chunks(usize::from(frame.area.width))) {
        for run in runs(cells) {
            draw(&mut svg, &run, row);
        }
    }
    svg + "</svg>\n"
}

/// Neighbours that look alike.
struct Run {
    column: u32,
    width: u32,
    text: String,
    paint: Paint,
}

/// How a cell looks, in the end.
#[derive(Clone, PartialEq, Eq)]
struct Paint {
    ink: String,
    ground: String,
    modifier: Modifier,
}

fn paint(cell: &Cell) -> Paint {
    let (ink, ground) = (colour(cell.fg, TEXT), colour(cell.bg, GROUND));
    let is_reversed = cell.modifier.contains(Modifier::REVERSED);
    let (ink, ground) = if is_reversed { (ground, ink) } else { (ink, ground) };
    Paint { ink, ground, modifier: cell.modifier }
}

/// Runs of cells. What is not plain text stands alone, so that no font moves what comes after it.
fn runs(cells: &[Cell]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    let mut covered = 0;
    for (column, cell) in (0..).zip(cells) {
        if column < covered {
            continue;
        }
        let symbol = cell.symbol();
        let width = u32::try_from(symbol.width()).unwrap_or(1).max(1);
        covered = column + width;
        let paint = paint(cell);
        match runs.last_mut() {
            Some(run) if run.paint == paint && symbol.is_ascii() && run.text.is_ascii() => {
                run.text.push_str(symbol);
                run.width += width;
            }
            _ => runs.push(Run { column, width, text: symbol.to_owned(), paint }),
        }
    }
    runs
}

fn draw(svg: &mut String, run: &Run, row: u32) {
    let (x, y) = (MARGIN + run.column * CELL.0, MARGIN + row * CELL.1);
    let (width, height) = (run.width * CELL.0, CELL.1);
    let Paint { ink, ground, .. } = &run.paint;
    // Writing to a string cannot fail.
    if ground != GROUND {
        let _ = writeln!(svg, "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" fill=\"{ground}\"/>");
    }
    if run.text.trim().is_empty() {
        return;
    }
    if let Some(eighths) = block(&run.text) {
        let tall = height * eighths / 8;
        let top = y + height - tall;
        let _ = writeln!(svg, "<rect x=\"{x}\" y=\"{top}\" width=\"{}\" height=\"{tall}\" fill=\"{ink}\"/>", CELL.0);
        return;
    }
    let mut style = String::new();
    for (modifier, attribute) in [
        (Modifier::BOLD, " font-weight=\"bold\""),
        (Modifier::ITALIC, " font-style=\"italic\""),
        (Modifier::UNDERLINED, " text-decoration=\"underline\""),
        (Modifier::DIM, " opacity=\"0.6\""),
    ] {
        style.push_str(if run.paint.modifier.contains(modifier) { attribute } else { "" });
    }
    for (column, words) in phrases(&run.text) {
        let (x, taken) = (x + column * CELL.0, u32::try_from(words.width()).unwrap_or_default() * CELL.0);
        let _ = writeln!(
            svg,
            "<text x=\"{x}\" y=\"{}\" textLength=\"{taken}\" fill=\"{ink}\"{style}>{}</text>",
            y + BASELINE,
            escaped(words)
        );
    }
}

/// What stands between gaps of several spaces, with its column: not every program that shows pictures keeps gaps wide.
fn phrases(text: &str) -> impl Iterator<Item = (u32, &str)> {
    let mut from = 0;
    text.split("  ").filter_map(move |phrase| {
        let begins = from + phrase.len() - phrase.trim_start().len();
        from += phrase.len() + 2;
        let words = phrase.trim();
        (!words.is_empty()).then(|| (u32::try_from(begins).unwrap_or_default(), words))
    })
}

/// How many eighths of its cell a block fills, from below.
fn block(text: &str) -> Option<u32> {
    let (first, rest) = text.chars().next().map(|first| (first, text.len() - first.len_utf8()))?;
    let eighths = u32::from(first).checked_sub(0x2580)?;
    (rest == 0 && (1..=8).contains(&eighths)).then_some(eighths)
}

fn colour(colour: Color, default: &str) -> String {
    let index = |index: u8| ANSI.get(usize::from(index)).map_or_else(|| default.to_owned(), |name| (*name).to_owned());
    match colour {
        Color::Rgb(red, green, blue) => format!("#{red:02x}{green:02x}{blue:02x}"),
        Color::Reset => default.to_owned(),
        Color::Black => index(0),
        Color::Red => index(1),
        Color::Green => index(2),
        Color::Yellow => index(3),
        Color::Blue => index(4),
        Color::Magenta => index(5),
        Color::Cyan => index(6),
        Color::Gray => index(7),
        Color::DarkGray => index(8),
        Color::LightRed => index(9),
        Color::LightGreen => index(10),
        Color::LightYellow => index(11),
        Color::LightBlue => index(12),
        Color::LightMagenta => index(13),
        Color::LightCyan => index(14),
        Color::White => index(15),
        Color::Indexed(number) => index(number),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use ratatui::layout::Rect;
    use ratatui::style::Style;

    use super::*;

    #[test]
    fn runs_keep_their_places_and_their_colours() {
        let mut frame = Buffer::empty(Rect::new(0, 0, 12, 1));
        frame.set_string(0, 0, "a<b", Style::new().fg(Color::Red));
        frame.set_string(3, 0, "日x", Style::new().fg(Color::Rgb(1, 2, 3)).add_modifier(Modifier::BOLD));
        frame.set_string(6, 0, "▄", Style::new().fg(Color::Green));
        frame.set_string(7, 0, "c   d", Style::new().fg(Color::Blue));
        let svg = picture(&frame, "a \"test\"");
        let x = |column: u32| MARGIN + column * CELL.0;
        assert!(
            svg.contains(&format!("<text x=\"{}\" y=\"28\" textLength=\"27\" fill=\"#e0606a\">a&lt;b</text>", x(0))),
            "{svg}"
        );
        assert!(
            svg.contains(&format!(
                "<text x=\"{}\" y=\"28\" textLength=\"18\" fill=\"#010203\" font-weight=\"bold\">日</text>",
                x(3)
            )),
            "{svg}"
        );
        assert!(
            svg.contains(&format!(
                "<text x=\"{}\" y=\"28\" textLength=\"9\" fill=\"#010203\" font-weight=\"bold\">x</text>",
                x(5)
            )),
            "{svg}"
        );
        assert!(
            svg.contains(&format!("<rect x=\"{}\" y=\"24\" width=\"9\" height=\"9\" fill=\"#7bc275\"/>", x(6))),
            "{svg}"
        );
        for (column, text) in [(7, "c"), (11, "d")] {
            assert!(svg.contains(&format!(
                "<text x=\"{}\" y=\"28\" textLength=\"9\" fill=\"#6aa3e8\">{text}</text>",
                x(column)
            )));
        }
        assert!(svg.contains("aria-label=\"a &quot;test&quot;\""), "{svg}");
    }
}
