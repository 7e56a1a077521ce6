//! Questions before an act, the preview of what is done to many, and the field for a note.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use unicode_segmentation::UnicodeSegmentation;

use crate::screen;

use super::super::app::App;
use super::super::bulk::Bulk;
use super::super::dialog::{Dialog, Question};
use super::super::note::Note;
use super::parts::{fit, list, marked, overlay};

/// A question with its choices.
pub(super) fn question(app: &App, dialog: &Dialog, frame: &mut Frame<'_>, area: Rect) {
    let look = &app.look;
    let (title, hint) = match dialog.question {
        Question::Snooze => ("Snooze until", "or type: 2h, friday, tomorrow 18:00, 2026-12-01"),
        Question::Label => ("Label", "or type a new one"),
        Question::Assign => ("Assign to", "type to narrow"),
    };
    let inside = overlay(app, &format!("{title}: enter takes it, esc closes"), (64, 14), frame, area);
    let [field, rows] = Layout::vertical([Constraint::Length(1), Constraint::Min(0)]).areas(inside);
    let mut line = vec![Span::styled(screen::line(dialog.typed()), look.text), Span::styled(" ", look.selected)];
    if dialog.typed().is_empty() {
        line.push(Span::styled(format!(" {hint}"), look.muted));
    }
    frame.render_widget(marked(app, Line::from(line)), field);
    let answers = dialog.answers();
    if let Some(mistake) = dialog.mistake() {
        let lines: Vec<Line<'_>> = screen::wrap(&screen::line(&mistake), usize::from(rows.width.max(1)))
            .into_iter()
            .map(|line| Line::styled(line, look.warn))
            .collect();
        return frame.render_widget(marked(app, lines), rows);
    }
    list(app, &answers, dialog.selected, frame, rows, |choice, width| {
        Line::styled(fit(look, &format!(" {}", screen::line(&choice.words)), width), look.text)
    });
}

/// What an act on many would do.
pub(super) fn preview(app: &App, bulk: &Bulk, frame: &mut Frame<'_>, area: Rect) {
    let look = &app.look;
    let lines = bulk.lines();
    let height = u16::try_from(lines.len()).unwrap_or(u16::MAX).saturating_add(4);
    let inside = overlay(app, "Do this?", (70, height), frame, area);
    let width = usize::from(inside.width);
    let mut shown = vec![Line::styled(fit(look, &bulk.title(), width), look.title)];
    shown.extend(lines.iter().map(|(text, warns)| {
        Line::styled(fit(look, &screen::line(text), width), if *warns { look.warn } else { look.text })
    }));
    shown.push(Line::from(vec![
        Span::styled("y", look.key),
        Span::styled(" does it   ", look.text),
        Span::styled("esc", look.key),
        Span::styled(" does nothing", look.text),
    ]));
    frame.render_widget(marked(app, shown), inside);
}

/// The field for a note.
pub(super) fn note(app: &App, note: &Note, frame: &mut Frame<'_>, area: Rect) {
    let look = &app.look;
    let title = if note.leaving { "Note: esc again throws it away" } else { "Note: ctrl-s keeps it, esc leaves" };
    let inside = overlay(app, title, (76, 12), frame, area);
    let tui_textarea::DataCursor(row, column) = note.field.cursor();
    let first = (row + 1).saturating_sub(usize::from(inside.height));
    let width = usize::from(inside.width);
    for (offset, (number, text)) in note.field.lines().iter().enumerate().skip(first).enumerate() {
        let y = inside.y + u16::try_from(offset).unwrap_or(u16::MAX);
        if y >= inside.bottom() {
            break;
        }
        let here = Rect { y, height: 1, ..inside };
        if number != row {
            frame.render_widget(marked(app, Line::styled(fit(look, &screen::line(text), width), look.text)), here);
            continue;
        }
        // The end of what stands before the cursor is what somebody who writes wants to see.
        let before: String = text.chars().take(column).collect();
        let after: String = text.chars().skip(column + 1).collect();
        let under = text.chars().nth(column).map_or(" ".to_owned(), |c| screen::line(&c.to_string()));
        let before = end(&screen::line(&before), width.saturating_sub(1));
        let line = vec![
            Span::styled(before, look.text),
            Span::styled(under, look.selected),
            Span::styled(screen::line(&after), look.text),
        ];
        frame.render_widget(marked(app, Line::from(line)), here);
    }
}

/// As much of the end of `text` as fits into `width` columns.
fn end(text: &str, width: usize) -> String {
    let mut used = 0;
    let fits = |grapheme: &&str| {
        used += screen::width(grapheme);
        used <= width
    };
    let mut kept: Vec<&str> = text.graphemes(true).rev().take_while(fits).collect();
    kept.reverse();
    kept.concat()
}
