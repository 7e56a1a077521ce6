//! Exactly what would run: every word in quotes, with escapes for what would not be seen.

use ratatui::text::{Line, Span};

use crate::model::{Class, Course, Plan, short_duration};
use crate::screen;

use super::super::styles::Look;

/// Columns of the labels.
pub(super) const LABEL: usize = 10;

/// Everything that is in `plan`; nothing of it is cut.
pub(super) fn lines(look: &Look, plan: &Plan, width: usize) -> Vec<Line<'static>> {
    let mut lines = vec![Line::from(vec![Span::styled(format!("{} on {}", plan.command, plan.host), look.title)])];
    let room = width.saturating_sub(LABEL);
    for (number, word) in plan.argv.iter().enumerate() {
        lines.extend(exactly(look, &format!("argv {number}"), &screen::exact(word), room));
        lines.extend(remark(look, word, room));
    }
    if let Some(prompt) = &plan.keys {
        lines.extend(exactly(look, "types", &screen::exact(&prompt.text), room));
        lines.extend(remark(look, &prompt.text, room));
        lines.extend(labelled(look, "into", &format!("{}, then Enter by itself", prompt.place), room));
    }
    for (name, value) in &plan.args {
        lines.extend(exactly(look, "value", &format!("{} = {}", screen::exact(name), screen::exact(value)), room));
    }
    if let Some(cwd) = &plan.cwd {
        lines.extend(exactly(look, "in", &screen::exact(cwd), room));
        lines.extend(remark(look, cwd, room));
    }
    for (name, value) in &plan.env {
        lines.extend(exactly(look, "env", &format!("{} = {}", screen::exact(name), screen::exact(value)), room));
        lines.extend(remark(look, value, room));
    }
    let again = match plan.class {
        Class::Idempotent => "running it twice does no more than once",
        Class::AtMostOnce => "not declared repeatable",
    };
    let limits = if plan.keys.is_some() {
        "typed at most once; nothing on the screen is ever answered by itself".to_owned()
    } else {
        let timeout = short_duration(std::time::Duration::from_millis(plan.timeout_ms));
        format!("killed after {timeout}; {again}")
    };
    lines.extend(labelled(look, "limits", &limits, room));
    lines
}

/// Exactly what undoes a command that goes as `course` says, host by host.
pub(super) fn undoing(look: &Look, course: &Course, width: usize) -> Vec<Line<'static>> {
    let mut shown = Vec::new();
    for plan in course.undoing.iter().flat_map(|undoing| &undoing.plans) {
        shown.extend([Line::default(), Line::styled("what undoes it:", look.warn)]);
        shown.extend(lines(look, plan, width));
    }
    shown
}

/// A word that holds letters that may be taken for others says so.
fn remark(look: &Look, word: &str, room: usize) -> Vec<Line<'static>> {
    let Some(letters) = screen::lookalikes(word) else { return Vec::new() };
    let text = format!("not ASCII: {letters}");
    let rows = screen::chop(&text, room.max(1)).into_iter();
    rows.map(|row| Line::from(vec![Span::raw(" ".repeat(LABEL)), Span::styled(row, look.warn)])).collect()
}

/// A label and its text in as many rows as it takes, broken between words.
pub(super) fn labelled(look: &Look, label: &str, text: &str, room: usize) -> Vec<Line<'static>> {
    beside(look, label, screen::wrap(text, room.max(1)))
}

/// A label and a text of which every space counts.
fn exactly(look: &Look, label: &str, text: &str, room: usize) -> Vec<Line<'static>> {
    beside(look, label, screen::chop(text, room.max(1)))
}

fn beside(look: &Look, label: &str, rows: Vec<String>) -> Vec<Line<'static>> {
    let line = |(number, row): (usize, String)| {
        let label = if number == 0 { label } else { "" };
        Line::from(vec![Span::styled(format!("{label:LABEL$}"), look.muted), Span::styled(row, look.text)])
    };
    rows.into_iter().enumerate().map(line).collect()
}
