//! Counts instead of views, where nothing else fits: what is wrong, what is unread, what it takes to see more.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::protocol::{Link, Severity};

use super::super::app::App;
use super::parts::{fit, marked};

/// Below these columns and rows there are counts and no views.
pub(super) const LEAST: (u16, u16) = (40, 10);

/// What is wrong and what is unread, a word or two each, what matters most first; what there is nothing of is left
/// out.
pub(super) fn counts(app: &App) -> Vec<(String, Style)> {
    let look = &app.look;
    let Some(snapshot) = &app.snapshot else { return vec![("waiting".to_owned(), look.muted)] };
    let problems = snapshot.problems(app.now);
    let of = |severity| problems.iter().filter(|problem| problem.severity == severity).count() as u64;
    let unread = snapshot.channels.iter().map(|channel| channel.unread + channel.unread_vip).sum();
    let vip = snapshot.channels.iter().map(|channel| channel.unread_vip).sum();
    let all = [
        (of(Severity::Crit), "crit", look.crit),
        (of(Severity::Warn), "warn", look.warn),
        (vip, "VIP", look.vip),
        (unread, "unread", look.text),
    ];
    let mut counts: Vec<(String, Style)> = Vec::new();
    if let Link::Reconnecting { .. } = app.link {
        counts.push(("NO LINE".to_owned(), look.crit));
    }
    counts.extend(
        all.into_iter().filter(|(count, ..)| *count > 0).map(|(count, word, style)| (format!("{count} {word}"), style)),
    );
    if counts.is_empty() {
        counts.push(("all well".to_owned(), look.ok));
    }
    counts
}

/// Draws them, in any size.
pub(super) fn draw(app: &App, frame: &mut Frame<'_>, area: Rect) {
    let width = usize::from(area.width);
    let mut lines: Vec<Line<'_>> =
        counts(app).into_iter().map(|(text, style)| Line::styled(fit(&app.look, &text, width), style)).collect();
    lines.truncate(usize::from(area.height));
    if lines.len() < usize::from(area.height) {
        let needs = format!("more from {}x{}", LEAST.0, LEAST.1);
        lines.push(Line::from(Span::styled(fit(&app.look, &needs, width), app.look.muted)));
    }
    frame.render_widget(marked(app, lines), area);
}
