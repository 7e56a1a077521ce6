//! Channels: a panel each, those of other nodes with what they count.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};

use crate::model::{ChannelPanel, ChannelStats, NodePanel, TaskStatus, age, counted};
use crate::screen;

use super::super::action::Action;
use super::super::app::App;
use super::super::channels::Counted;
use super::super::mouse::Hit;
use super::super::not_ok::ok_among;
use super::parts::{all_ok, fit, framed, heading, marked, not_listed, with_keys};

/// Rows and least columns of a panel.
const HEIGHT: u16 = 7;
const WIDTH: u16 = 38;

pub(super) fn draw(app: &App, frame: &mut Frame<'_>, area: Rect) {
    let channels = app.counted();
    let selected = app.channel_index(&channels);
    let all = app.all_counted();
    let here = all.iter().filter(|channel| matches!(channel, Counted::Here(_))).count();
    let mut title = vec![Span::styled("Channels", app.look.title)];
    title.extend(not_listed(app, ok_among(&all), 0));
    title.push(Span::styled(told(app, here, all.len() - here), app.look.muted));
    let keys = [(Action::Open, "shows a channel's messages")];
    let area = heading(app, with_keys(app, Line::from(title), &keys, area.width), frame, area);
    let area = troubles(app, frame, area);
    if channels.is_empty() && app.problems_only() {
        let none = Span::styled(format!("  {}", all_ok(app)), app.look.muted);
        return frame.render_widget(marked(app, none), area);
    }
    let columns = usize::from((area.width / WIDTH).max(1));
    let rows = usize::from((area.height / HEIGHT).max(1));
    let first = selected / (columns * rows) * (columns * rows);
    let grid = Layout::vertical(vec![Constraint::Length(HEIGHT); rows]).split(area);
    for (index, channel) in channels.iter().enumerate().skip(first).take(columns * rows) {
        let (row, column) = ((index - first) / columns, (index - first) % columns);
        let cells = Layout::horizontal(vec![Constraint::Fill(1); columns]).split(grid[row]);
        app.region(cells[column], Hit::Row(index));
        match channel {
            Counted::Here(channel) => panel(app, channel, index == selected, frame, cells[column]),
            Counted::There(node, stats) => there(app, node, stats, index == selected, frame, cells[column]),
        }
    }
}

/// What is wrong with listeners, a line each: it is about all channels there, so it stands above them once. Answers what
/// is left.
fn troubles(app: &App, frame: &mut Frame<'_>, area: Rect) -> Rect {
    let tasks = app.snapshot.as_ref().map(|snapshot| snapshot.tasks.as_slice()).unwrap_or_default();
    let is_listener = |task: &&TaskStatus| task.name.starts_with("listener ");
    let told = tasks.iter().filter(is_listener).filter_map(|task| Some((&task.name, task.trouble.as_ref()?)));
    let line = |(name, trouble): (&String, &String)| {
        let text = format!("! {name}: {}", screen::line(trouble));
        Line::styled(fit(&app.look, &text, area.width.into()), app.look.warn)
    };
    let lines: Vec<Line<'_>> = told.map(line).collect();
    let height = u16::try_from(lines.len()).unwrap_or(u16::MAX).min(area.height);
    let [above, rest] = Layout::vertical([Constraint::Length(height), Constraint::Min(0)]).areas(area);
    frame.render_widget(marked(app, lines), above);
    rest
}

/// How many channels are shown, and whose.
fn told(app: &App, here: usize, there: usize) -> String {
    match (&app.channels.of, there) {
        (Some(node), _) => format!("   {} of @{}", here + there, screen::line(node)),
        (None, 0) => format!("   {here} configured"),
        (None, there) => format!("   {here} configured, {there} of other nodes"),
    }
}

/// A channel of another node, as that counts it.
fn there(app: &App, node: &NodePanel, stats: &ChannelStats, selected: bool, frame: &mut Frame<'_>, area: Rect) {
    let look = &app.look;
    let title = if selected { look.selected } else { look.title };
    let name = format!("{}@{}", stats.channel, node.name);
    let block = framed(look, fit(look, &name, usize::from(area.width).saturating_sub(4)).trim_end(), title);
    let inside = block.inner(area);
    frame.render_widget(block, area);
    let width = usize::from(inside.width);
    let old = node.old_since();
    let shade = |style| if old.is_some() { look.stale } else { style };
    let stands = match old {
        Some(old) => format!("{} old: {} is {}", age(old, app.now), node.name, node.state.as_str()),
        None => format!("{} is {}", node.name, node.state.as_str()),
    };
    let stands = format!("{} {stands}", look.sign(&node.state));
    let lines = vec![
        Line::styled(fit(look, &stands, width), shade(look.node(node.state))),
        Line::from(vec![
            Span::styled(format!("{} VIP", stats.vip), shade(if stats.vip > 0 { look.vip } else { look.muted })),
            Span::styled(format!(" messages, {} unread", stats.unread), shade(look.text)),
        ]),
        Line::styled(format!("messages {}, {} today", stats.messages, stats.processed_today), shade(look.text)),
    ];
    frame.render_widget(marked(app, lines), inside);
}

fn panel(app: &App, channel: &ChannelPanel, selected: bool, frame: &mut Frame<'_>, area: Rect) {
    let look = &app.look;
    // Only the title shows the selection: a frame in another colour would be sent again at every move.
    let title = if selected { look.selected } else { look.title };
    let block = framed(look, &format!("{} ({})", channel.id, channel.provider), title);
    let inside = block.inner(area);
    frame.render_widget(block, area);
    let width = usize::from(inside.width);
    let last = channel.last_event.map(|last| format!("last event {}", age(last, app.now)));
    let last = last.unwrap_or_else(|| "no event yet".to_owned());
    let vip = if channel.unread_vip > 0 { look.vip } else { look.muted };
    let error = match &channel.last_error {
        None => Span::styled("no error", look.muted),
        Some((at, text)) => Span::styled(
            fit(look, &format!("last error {}: {}", age(*at, app.now), screen::line(text)), width),
            look.warn,
        ),
    };
    let lines = vec![
        Line::from(vec![
            Span::styled(
                format!("{} {:9}", look.sign(&channel.state), channel.state.as_str()),
                look.channel(channel.state),
            ),
            Span::styled(format!(" {last}, {}/min", channel.per_minute), look.text),
        ]),
        Line::from(vec![
            Span::styled(format!("{} VIP", channel.unread_vip), vip),
            Span::styled(format!(" and {} unread", counted(channel.unread, "other")), look.text),
        ]),
        Line::styled(format!("events {}, refused {} since start", channel.events, channel.rejected), look.text),
        Line::from(error),
        Line::styled(fit(look, channel.urls.last().map_or("", String::as_str), width), look.muted),
    ];
    frame.render_widget(marked(app, lines), inside);
}
