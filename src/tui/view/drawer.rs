//! The drawer: each problem in full: what, since when, how often, what it comes from, what to do.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::Line;

use crate::model::age;
use crate::protocol::Trouble;
use crate::screen;

use super::super::app::App;
use super::super::drawer::Drawer;
use super::super::mouse::Hit;
use super::super::zone;
use super::parts::{fit, marked, overlay};
use super::stale;

/// Columns at most, its frame included.
const WIDTH: u16 = 100;
/// Columns before what a problem says.
const INDENT: usize = 9;
/// Rows that are not problems': header, footer, frame, and where the log is.
const AROUND: u16 = 5;

/// Columns and rows there are for problems on a screen of `size`.
pub(in super::super) fn room(size: (u16, u16)) -> (usize, usize) {
    (usize::from(size.0.min(WIDTH).saturating_sub(2)), usize::from(size.1.saturating_sub(AROUND)).max(1))
}

/// Each problem's lines; the first says how bad it is and what it is.
pub(in super::super) fn blocks(app: &App, troubles: &[Trouble], width: usize) -> Vec<Vec<Line<'static>>> {
    troubles.iter().map(|trouble| block(app, trouble, width)).collect()
}

fn block(app: &App, trouble: &Trouble, width: usize) -> Vec<Line<'static>> {
    let look = &app.look;
    let problem = &trouble.problem;
    let mut lines = Vec::new();
    let mut tell = |first: &str, indent: usize, text: &str, style: Style| {
        let room = width.saturating_sub(indent).max(1);
        for (number, line) in screen::wrap(&screen::line(text), room).into_iter().enumerate() {
            let before = if number == 0 { first } else { "" };
            lines.push(Line::styled(format!("{}{line}", fit(look, before, indent)), style));
        }
    };
    // Errors come as what failed, then what that comes from, and so on.
    let mut chain = problem.what.split(": ");
    let head = format!(" {} {:4}", look.sign(&problem.severity), problem.severity.as_str());
    tell(&head, INDENT, chain.next().unwrap_or_default(), look.severity(problem.severity));
    let because = format!("{}{} ", " ".repeat(INDENT), look.glyph("└", "-"));
    for cause in chain.filter(|cause| !cause.trim().is_empty()) {
        tell(&because, INDENT + 2, cause, look.text);
    }
    let often = match trouble.count {
        None => String::new(),
        Some(1) => ", once".to_owned(),
        Some(count) => format!(", {count} times"),
    };
    let since = format!("since {} ({})", zone::moment(trouble.since, app.zone()), age(trouble.since, app.now));
    tell("", INDENT, &format!("{since}{often}"), look.muted);
    tell(&format!("{}next: ", " ".repeat(INDENT)), INDENT + 6, &problem.next, look.text);
    lines.push(Line::default());
    lines
}

/// The first problem of the page that holds the selected one.
fn page(heights: &[usize], selected: usize, height: usize) -> usize {
    let (mut first, mut used) = (0, 0);
    for (index, lines) in heights.iter().enumerate().take(selected + 1) {
        // The empty line below the last one needs no row.
        if used > 0 && used + lines.saturating_sub(1) > height {
            (first, used) = (index, 0);
        }
        used += lines;
    }
    first
}

pub(super) fn draw(app: &App, drawer: &Drawer, frame: &mut Frame<'_>, area: Rect) {
    let look = &app.look;
    let troubles = app.troubles();
    let (width, height) = room(app.size);
    let blocks = blocks(app, &troubles, width);
    let all = blocks.iter().map(Vec::len).sum::<usize>().clamp(1, height);
    let title = match troubles.len() {
        0 => "Nothing is wrong".to_owned(),
        1 => "What is wrong".to_owned(),
        count => format!("What is wrong: {count}, the worst first"),
    };
    let title = stale::told(app).map_or_else(|| title.clone(), |told| format!("{title}; {told}"));
    let rows = u16::try_from(all + 3).unwrap_or(u16::MAX);
    let inside = overlay(app, &title, (WIDTH, rows), frame, area);
    let [above, below] = Layout::vertical([Constraint::Min(0), Constraint::Length(1)]).areas(inside);
    if let Some(snapshot) = &app.snapshot {
        let log = format!(" the log of {} is in {}/logs", snapshot.node, snapshot.state_dir);
        frame.render_widget(marked(app, Line::styled(screen::line(&log), look.muted)), below);
    }
    let selected = drawer.index(&troubles);
    let first = page(&blocks.iter().map(Vec::len).collect::<Vec<_>>(), selected, height);
    let mut lines = Vec::new();
    for (index, block) in blocks.into_iter().enumerate().skip(first) {
        let skip = if index == first && index == selected { drawer.scroll } else { 0 };
        for (number, line) in block.into_iter().enumerate().skip(skip) {
            let focused = index == selected && number == skip;
            let text = |line: &Line<'_>| line.spans.iter().map(|span| span.content.as_ref()).collect::<String>();
            let row = u16::try_from(lines.len()).unwrap_or(u16::MAX);
            let clicked = Rect { y: above.y.saturating_add(row), height: 1, ..above };
            app.region(clicked.intersection(above), Hit::Row(index));
            lines.push(if focused { Line::styled(fit(look, &text(&line), width), look.selected) } else { line });
        }
    }
    lines.truncate(usize::from(above.height));
    frame.render_widget(marked(app, lines), above);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_begin_with_a_whole_problem() {
        assert_eq!(page(&[4, 4, 4], 1, 8), 0);
        assert_eq!(page(&[4, 4, 4], 2, 8), 2);
        assert_eq!(page(&[4, 4, 4], 2, 11), 0, "the last empty line needs no row");
        assert_eq!(page(&[4, 40, 4], 1, 8), 1);
        assert_eq!(page(&[], 0, 8), 0);
    }
}
