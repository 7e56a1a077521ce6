//! The band of the tour, below everything else: where it is, what to do, and how it is left.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::config::Context;
use crate::screen;

use super::super::action::Action;
use super::super::app::App;
use super::super::tour::{STEPS, Step, Tour};
use super::parts::{fit, fitting, marked};

pub(super) fn draw(app: &App, tour: &Tour, frame: &mut Frame<'_>, area: Rect) {
    let (step, width) = (tour.step(), usize::from(area.width));
    let mut lines = vec![title(app, tour, width, area.height > 1)];
    lines.extend(text(app, step, width, usize::from(area.height).saturating_sub(1)));
    frame.render_widget(marked(app, lines), area);
}

/// A rule with where the tour is, and how to go on without doing it. Where the text has no room, the keys of the step.
fn title(app: &App, tour: &Tour, width: usize, has_text: bool) -> Line<'static> {
    let look = &app.look;
    let mut named = format!(" Tour {} of {}: {} ", tour.at + 1, STEPS.len(), tour.step().title);
    if !has_text {
        let keys: Vec<String> =
            tour.step().keys.iter().map(|(context, action)| app.key_in(*context, *action)).collect();
        named = format!("{named}({}) ", keys.join(" "));
    }
    let key = |action| app.key_in(Context::Tour, action);
    let skips = format!(" {} skips", key(Action::TourNext));
    let room = width.saturating_sub(2 + screen::width(&named));
    // Help names both.
    let ways = [format!("{skips}, {} leaves ", key(Action::TourLeave)), format!("{skips} ")];
    let ways = ways.into_iter().find(|ways| screen::width(ways) < room).unwrap_or_default();
    let rule = look.glyph("─", "-");
    let rest = room - screen::width(&ways);
    let end = if ways.is_empty() { 0 } else { rest.min(2) };
    Line::from(vec![
        Span::styled(rule.repeat(2), look.border),
        Span::styled(fit(look, &named, screen::width(&named).min(width.saturating_sub(2))), look.title),
        Span::styled(rule.repeat(rest - end), look.border),
        Span::styled(ways, look.muted),
        Span::styled(rule.repeat(end), look.border),
    ])
}

/// What the step says, with its keys, in at most `most` lines; more than that ends with a mark.
fn text(app: &App, step: &Step, width: usize, most: usize) -> Vec<Line<'static>> {
    let look = &app.look;
    let mut keys = step.keys.iter().map(|(context, action)| app.key_in(*context, *action));
    let mut lines: Vec<Vec<(String, Style)>> = vec![Vec::new()];
    let mut used = 0;
    for word in step.says.split_whitespace() {
        // A key and what stands right behind it are not torn apart.
        let mut spans = Vec::new();
        match word.split_once("{}") {
            Some((before, after)) => {
                spans.push((before.to_owned(), look.text));
                spans.push((keys.next().unwrap_or_default(), look.key));
                spans.push((after.to_owned(), look.text));
            }
            None => spans.push((word.to_owned(), look.text)),
        }
        let wide: usize = spans.iter().map(|(text, _)| screen::width(text)).sum();
        if used > 0 && used + 1 + wide > width && lines.len() < most {
            lines.push(Vec::new());
            used = 0;
        } else if used > 0 {
            spans.insert(0, (" ".to_owned(), look.text));
            used += 1;
        }
        used += wide;
        if let Some(line) = lines.last_mut() {
            line.extend(spans);
        }
    }
    lines.truncate(most);
    let line = |spans: Vec<(String, Style)>| {
        let spans = spans.into_iter().map(|(text, style)| Span::styled(text, style)).collect::<Vec<_>>();
        fitting(app, Line::from(spans), width)
    };
    lines.into_iter().map(line).collect()
}
