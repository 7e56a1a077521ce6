//! An open message: who and when, then text, headers, raw body or JSON.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};

use crate::model::age;
use crate::screen;

use super::super::app::App;
use super::super::opened::{OpenMessage, Tab};
use super::super::zone::moment;
use super::parts::{fit, fitting, marked, tab_regions};

/// Rows above the body: subject, sender, state, tabs.
const HEAD: u16 = 4;
/// From this width on, list and message stand side by side.
const SIDE_BY_SIDE: u16 = 120;

/// Whether list and message fit beside each other on a screen of `size`.
pub(in crate::tui) fn fits_beside(size: (u16, u16)) -> bool {
    size.0 >= SIDE_BY_SIDE
}

/// The list's part of `area`, and the message's when both fit and nobody wants the message alone.
pub(super) fn split(app: &App, area: Rect) -> (Rect, Option<Rect>) {
    if !fits_beside(app.size) || app.message_alone() {
        return (area, None);
    }
    let [list, _, message] =
        Layout::horizontal([Constraint::Percentage(48), Constraint::Length(2), Constraint::Min(0)]).areas(area);
    (list, Some(message))
}

/// Where the body of an open message is drawn.
pub(in crate::tui) fn body_area(app: &App) -> Rect {
    let view = Rect::new(0, 1, app.size.0, app.size.1.saturating_sub(2));
    let area = split(app, view).1.unwrap_or(view);
    Rect { y: area.y + HEAD, height: area.height.saturating_sub(HEAD), ..area }
}

/// The message that is selected in the list, beside it.
pub(super) fn preview(app: &App, frame: &mut Frame<'_>, area: Rect) {
    let Some(shown) = app.previewed() else { return };
    let [top, rest] = Layout::vertical([Constraint::Length(HEAD), Constraint::Min(0)]).areas(area);
    frame.render_widget(marked(app, head(app, shown, usize::from(area.width))), top);
    body(app, shown, frame, rest);
}

pub(super) fn draw(app: &App, open: &OpenMessage, frame: &mut Frame<'_>, area: Rect) {
    let look = &app.look;
    let mut tabs = Vec::new();
    for tab in Tab::ALL {
        tabs.push(Span::styled(format!(" {} ", tab.name()), if tab == open.tab { look.tab } else { look.muted }));
    }
    let mut lines = head(app, open, usize::from(area.width));
    lines.push(Line::from(tabs));
    let [top, rest] = Layout::vertical([Constraint::Length(HEAD), Constraint::Min(0)]).areas(area);
    tab_regions(app, Tab::ALL.map(Tab::name), Rect { y: top.y + HEAD - 1, height: 1, ..top }.intersection(top));
    frame.render_widget(marked(app, lines), top);
    body(app, open, frame, rest);
}

/// Subject, sender and state.
fn head(app: &App, open: &OpenMessage, width: usize) -> Vec<Line<'static>> {
    let look = &app.look;
    let row = &open.message.row;
    let address = open.message.address.as_deref().filter(|address| *address != row.from);
    let address = address.map(|address| format!(" <{}>", screen::line(address))).unwrap_or_default();
    let state = match (&row.marks.acked_by, &row.marks.read) {
        (Some(who), _) => format!("taken by {}", screen::line(who)),
        (None, Some(_)) => "read".to_owned(),
        (None, None) => "new".to_owned(),
    };
    let vip = if row.vip { "VIP " } else { "" };
    let received = moment(row.received, app.zone());
    let old = age(row.received, app.now);
    let about = format!("{} ({})   {received}, {old}   ", row.channel, screen::line(&row.kind));
    let tags = open.row().map(super::conversation::tags).unwrap_or_default();
    let about = Line::from(vec![
        Span::styled(about, look.muted),
        Span::styled(state, if row.marks.acked.is_some() { look.acked } else { look.ok }),
        Span::styled(tags, look.key),
    ]);
    vec![
        Line::styled(fit(look, &screen::line(&row.subject), width), look.title),
        Line::from(vec![
            Span::styled(vip, look.vip),
            Span::styled(
                fit(look, &format!("{}{address}", screen::line(&row.from)), width.saturating_sub(vip.len())),
                look.text,
            ),
        ]),
        fitting(app, about, width),
    ]
}

/// The lines of its tab.
fn body(app: &App, open: &OpenMessage, frame: &mut Frame<'_>, area: Rect) {
    let shown: Vec<Line<'_>> = open
        .lines()
        .iter()
        .skip(open.scroll)
        .take(usize::from(area.height))
        .map(|line| Line::styled(line.as_str(), app.look.text))
        .collect();
    frame.render_widget(marked(app, shown), area);
}
