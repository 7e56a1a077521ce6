//! Pieces that several regions draw with.

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::symbols::border;
use ratatui::text::{Line, Span, Text};
use ratatui::widgets::{Block, Borders, Clear, Widget};
use unicode_segmentation::UnicodeSegmentation;

use crate::model::MessageRow;
use crate::screen;

use super::super::action::Action;
use super::super::app::App;
use super::super::list::first_shown;
use super::super::mouse::Hit;
use super::super::styles::Look;

/// A border of plain ASCII.
const ASCII_BORDER: border::Set<'static> = border::Set {
    top_left: "+",
    top_right: "+",
    bottom_left: "+",
    bottom_right: "+",
    vertical_left: "|",
    vertical_right: "|",
    horizontal_top: "-",
    horizontal_bottom: "-",
};

/// Text from outside, sanitised, in a style.
pub(super) fn outside(text: &str, style: Style) -> Span<'static> {
    Span::styled(screen::line(text), style)
}

/// `text` in exactly `width` columns: cut with an ellipsis or filled with spaces.
pub(super) fn fit(look: &Look, text: &str, width: usize) -> String {
    let taken = screen::width(text);
    if taken <= width {
        return format!("{text}{}", " ".repeat(width - taken));
    }
    let ellipsis = look.glyph("…", "~");
    let mut cut = String::new();
    let mut used = 0;
    for grapheme in text.graphemes(true) {
        let wide = screen::width(grapheme);
        if used + wide > width.saturating_sub(1) {
            break;
        }
        used += wide;
        cut.push_str(grapheme);
    }
    if width > 0 {
        cut.push_str(ellipsis);
        used += 1;
    }
    cut + &" ".repeat(width.saturating_sub(used))
}

/// A frame with a title in this style.
pub(super) fn framed(look: &Look, title: &str, style: Style) -> Block<'static> {
    let border = if look.ascii { ASCII_BORDER } else { border::PLAIN };
    Block::new()
        .borders(Borders::ALL)
        .border_set(border)
        .border_style(look.border)
        .style(look.text)
        .title(Span::styled(format!(" {title} "), style))
}

/// An overlay of at most `width` by `height` in the middle of `area`, cleared and framed. Answers its inside.
pub(super) fn overlay(app: &App, title: &str, (width, height): (u16, u16), frame: &mut Frame<'_>, area: Rect) -> Rect {
    let [row] =
        Layout::vertical([Constraint::Length(height.min(area.height))]).flex(ratatui::layout::Flex::Center).areas(area);
    let [middle] =
        Layout::horizontal([Constraint::Length(width.min(area.width))]).flex(ratatui::layout::Flex::Center).areas(row);
    // Corners and spaces stand beside it.
    let title = fit(&app.look, title, usize::from(middle.width.saturating_sub(4)));
    let block = framed(&app.look, title.trim_end(), app.look.title);
    let inside = block.inner(middle);
    app.region(area, Hit::Covered);
    frame.render_widget(Clear, middle);
    frame.render_widget(block, middle);
    inside
}

/// Lines of text, a row each. All text of a view is drawn as this.
#[derive(Debug)]
pub(super) struct Marked<'a> {
    text: Text<'a>,
    mark: &'static str,
}

/// `text`, a row a line; a line that does not fit ends with a mark.
pub(super) fn marked<'a>(app: &App, text: impl Into<Text<'a>>) -> Marked<'a> {
    Marked { text: text.into(), mark: app.look.glyph("…", "~") }
}

impl Widget for Marked<'_> {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        buffer.set_style(area, self.text.style);
        for (line, row) in self.text.lines.into_iter().zip(area.rows()) {
            let said: usize = line.width() - trailing_blanks(&line);
            let cut = said > usize::from(area.width);
            line.render(row, buffer);
            // The last column may hold the first half of a character that is two columns wide.
            if !cut || row.width == 0 {
                continue;
            }
            let (last, before) = (row.right() - 1, row.right().saturating_sub(2));
            if let Some(cell) = buffer.cell_mut((before, row.y)).filter(|cell| screen::width(cell.symbol()) > 1) {
                cell.set_symbol(" ");
            }
            if let Some(cell) = buffer.cell_mut((last, row.y)) {
                cell.set_symbol(self.mark);
            }
        }
    }
}

/// Blanks at the end of a line, which nobody misses.
fn trailing_blanks(line: &Line<'_>) -> usize {
    let mut blanks = 0;
    for span in line.spans.iter().rev() {
        let said = span.content.trim_end_matches(' ');
        blanks += span.content.len() - said.len();
        if !said.is_empty() {
            break;
        }
    }
    blanks
}

/// A title, and what keys do here: as many as there is room for, whole. What is left out is in the footer and in help.
pub(super) fn with_keys(app: &App, title: Line<'static>, keys: &[(Action, &str)], width: u16) -> Line<'static> {
    let mut room = usize::from(width).saturating_sub(title.width() + 1);
    let (mut title, mut hint) = (title, String::new());
    for (action, does) in keys {
        let Some(key) = app.key_of(*action) else { continue };
        let next = format!("{}{key} {does}", if hint.is_empty() { "   " } else { ", " });
        let Some(left) = room.checked_sub(screen::width(&next)) else { break };
        room = left;
        hint.push_str(&next);
    }
    title.push_span(Span::styled(hint, app.look.muted));
    title
}

/// `line` in at most `width` columns: what is last in it is cut, with a mark.
pub(super) fn fitting(app: &App, mut line: Line<'static>, width: usize) -> Line<'static> {
    while line.width() > width {
        let over = line.width() - width;
        let Some(last) = line.spans.pop() else { break };
        if let Some(room) = screen::width(&last.content).checked_sub(over).filter(|room| *room > 0) {
            line.spans.push(Span::styled(fit(&app.look, &last.content, room), last.style));
        }
    }
    line
}

/// As much of `figures` behind `title` as fits whole: half a word would say less than none. The most important is first.
pub(super) fn figures(mut title: Line<'static>, figures: Vec<Span<'static>>, width: usize) -> Line<'static> {
    for figure in figures {
        if title.width() + figure.width() > width {
            break;
        }
        title.push_span(figure);
    }
    title
}

/// What is not listed: so many rows that are ok, where those are left out, and so many others.
pub(super) fn not_listed(app: &App, ok: usize, others: usize) -> Vec<Span<'static>> {
    let look = &app.look;
    let mut told = Vec::new();
    if app.problems_only() {
        told.push(Span::styled("   problems only", look.key));
        if ok > 0 {
            told.push(Span::styled(format!(", {ok} ok hidden"), look.muted));
        }
    }
    if others > 0 {
        told.push(Span::styled(format!("   {others} hidden"), look.muted));
    }
    told
}

/// That nothing is listed as all of it is ok, and the key that lists it again.
pub(super) fn all_ok(app: &App) -> String {
    let key = app.key_of(Action::ProblemsOnly).map(|key| format!("; {key} shows it")).unwrap_or_default();
    format!("what is hidden is ok{key}")
}

/// A heading, as much of it as fits, and the rest of the area below it.
pub(super) fn heading(app: &App, line: Line<'static>, frame: &mut Frame<'_>, area: Rect) -> Rect {
    let [top, rest] = Layout::vertical([Constraint::Length(1), Constraint::Min(0)]).areas(area);
    frame.render_widget(marked(app, fitting(app, line, top.width.into())), top);
    rest
}

/// One row of a list.
pub(super) struct Row {
    /// What the selection covers, to the end of the row where there is no `rest`.
    pub line: Line<'static>,
    /// What looks the same whether the row is selected or not: a move need not draw it again.
    pub rest: Vec<Span<'static>>,
}

impl From<Line<'static>> for Row {
    fn from(line: Line<'static>) -> Self {
        Self { line, rest: Vec::new() }
    }
}

impl Row {
    /// The row as it is drawn where nothing is selected.
    pub(super) fn into_line(mut self) -> Line<'static> {
        self.line.spans.extend(self.rest);
        self.line
    }
}

/// The page of a list that holds the selection; the selected row is drawn as such.
pub(super) fn list<T, R: Into<Row>>(
    app: &App,
    rows: &[T],
    selected: usize,
    frame: &mut Frame<'_>,
    area: Rect,
    draw: impl Fn(&T, usize) -> R,
) {
    let look = &app.look;
    let height = usize::from(area.height);
    let first = first_shown(selected, height);
    for (offset, row) in rows.iter().skip(first).take(height).enumerate() {
        let y = area.y + u16::try_from(offset).unwrap_or(u16::MAX);
        let line_area = Rect { y, height: 1, ..area };
        app.region(line_area, Hit::Row(first + offset));
        let Row { mut line, rest } = draw(row, usize::from(area.width)).into();
        if first + offset == selected {
            // One style over all of it, so that the focus shows without any colour.
            let text: String = line.spans.iter().map(|span| span.content.as_ref()).collect();
            let text = if rest.is_empty() { fit(look, &text, usize::from(area.width)) } else { text };
            line = Line::from(Span::styled(text, look.selected));
        }
        line.spans.extend(rest);
        frame.render_widget(marked(app, line), line_area);
    }
}

/// Says where tabs are that stand in `area` one after the other, with a space on both sides of each name.
pub(super) fn tab_regions<const N: usize>(app: &App, names: [&str; N], area: Rect) {
    let mut x = area.x;
    for (index, name) in names.into_iter().enumerate() {
        let width = u16::try_from(screen::width(name) + 2).unwrap_or(u16::MAX);
        app.region(Rect { x, width, ..area }.intersection(area), Hit::Tab(index));
        x = x.saturating_add(width);
    }
}

/// One message in a list.
pub(super) fn message_row(app: &App, row: &MessageRow, width: usize) -> Line<'static> {
    let look = &app.look;
    let mark = look.sign(&row.marks);
    let mark_style = if row.marks.acked.is_some() { look.acked } else { look.title };
    let vip = if row.vip { "VIP" } else { "   " };
    let age = crate::model::age(row.received, app.now);
    let (channel, from) = match width {
        100.. => (12, 20),
        70.. => (9, 14),
        // Half of the line is the subject's; what is left is hardly a channel and a sender.
        50.. => (5, (width / 2).saturating_sub(17)),
        _ => (0, (width / 2).saturating_sub(11)),
    };
    let weight =
        if row.marks.read.is_none() { look.text.add_modifier(ratatui::style::Modifier::BOLD) } else { look.text };
    let on = if channel > 0 { format!("{} ", fit(look, row.channel.as_str(), channel)) } else { String::new() };
    let subject_width = width.saturating_sub(2 + 4 + 4 + screen::width(&on) + from + 1);
    let subject = screen::line(&row.subject);
    let room = subject_width.saturating_sub(screen::width(&subject) + 3);
    let preview =
        if room >= 8 && !row.preview.is_empty() { format!("   {}", screen::line(&row.preview)) } else { String::new() };
    Line::from(vec![
        Span::styled(format!("{mark} "), mark_style),
        Span::styled(format!("{vip} "), look.vip),
        Span::styled(format!("{age:>3} "), look.muted),
        Span::styled(on, look.muted),
        Span::styled(format!("{} ", fit(look, &screen::line(&row.from), from)), look.text),
        Span::styled(if preview.is_empty() { fit(look, &subject, subject_width) } else { subject }, weight),
        Span::styled(fit(look, &preview, room + 3).trim_end().to_owned(), look.muted),
    ])
}

/// Puts `?` for all that is not ASCII. Own signs are ASCII already; this is text from outside, and a terminal that
/// does not read UTF-8 may take one of its bytes for a control.
pub(super) fn only_ascii(buffer: &mut Buffer) {
    for cell in &mut buffer.content {
        if !cell.symbol().is_ascii() {
            cell.set_char('?');
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::model::Role;

    use super::super::super::sample;
    use super::*;

    fn said(line: &Line<'_>) -> String {
        line.spans.iter().map(|span| span.content.as_ref()).collect()
    }

    #[test]
    fn a_row_that_does_not_fit_ends_with_a_mark_whatever_it_is_made_of() {
        let app = sample::app(sample::snapshot(), Role::Admin, false);
        let drawn = |spans: &[&'static str], width| {
            let area = Rect::new(0, 0, width, 1);
            let mut buffer = Buffer::empty(area);
            let line: Line<'_> = spans.iter().map(|text| Span::raw(*text)).collect();
            marked(&app, line).render(area, &mut buffer);
            buffer.content.iter().map(ratatui::buffer::Cell::symbol).collect::<String>()
        };
        assert_eq!([drawn(&["ab", "cd"], 4), drawn(&["ab", "cd"], 3), drawn(&["ab", "cd"], 2)], ["abcd", "ab…", "a…"]);
        assert_eq!(drawn(&["ab", "  ", "   "], 3), "ab ", "blanks are no loss");
        assert_eq!([drawn(&["a日本"], 4), drawn(&["a日本"], 3)], ["a日 …", "a …"]);
        assert_eq!(drawn(&["ab"], 0), "");
    }

    #[test]
    fn the_title_of_an_overlay_that_does_not_fit_ends_with_a_mark() {
        let app = sample::app(sample::snapshot(), Role::Admin, false);
        let titled = |title: &str| {
            let mut terminal = ratatui::Terminal::new(ratatui::backend::TestBackend::new(12, 3)).expect("a terminal");
            let draw = |frame: &mut Frame<'_>| {
                overlay(&app, title, (12, 3), frame, frame.area());
            };
            terminal.draw(draw).expect("draws");
            let top = &terminal.backend().buffer().content[..12];
            top.iter().map(ratatui::buffer::Cell::symbol).collect::<String>()
        };
        assert_eq!([titled("12345678"), titled("123456789")], ["┌ 12345678 ┐", "┌ 1234567… ┐"]);
        assert_eq!(titled("12"), "┌ 12 ──────┐");
    }

    #[test]
    fn no_view_draws_text_past_the_marks() {
        let views = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tui/view");
        for file in std::fs::read_dir(views).expect("a directory") {
            let path = file.expect("a file").path();
            let text = std::fs::read_to_string(&path).expect("text");
            let draws = ["Paragraph", "set_line(", "set_string(", "render_widget(Line", "render_widget(Span"]
                .into_iter()
                .find(|word| text.contains(*word));
            let is_allowed = path.ends_with("parts.rs") || path.ends_with("pane_cells.rs");
            assert!(draws.is_none() || is_allowed, "{}: {draws:?} in place of `parts::marked`", path.display());
        }
    }

    #[test]
    fn what_does_not_fit_ends_with_a_mark_and_figures_are_whole_or_not_there() {
        let app = sample::app(sample::snapshot(), Role::Admin, false);
        let line = || Line::from(vec![Span::raw("Bridge"), Span::raw("   1 unknown"), Span::raw("   3 open")]);
        let cut = |width| said(&fitting(&app, line(), width));
        assert_eq!(cut(27), "Bridge   1 unknown   3 open");
        assert_eq!(
            [cut(26), cut(18), cut(15)],
            ["Bridge   1 unknown   3 op…", "Bridge   1 unknown", "Bridge   1 unk…"]
        );
        let whole = |width| {
            let [title, told @ ..] = &line().spans[..] else { panic!("spans") };
            said(&figures(Line::from(title.clone()), told.to_vec(), width))
        };
        assert_eq!([whole(27), whole(26), whole(17)], ["Bridge   1 unknown   3 open", "Bridge   1 unknown", "Bridge"]);
    }
}
