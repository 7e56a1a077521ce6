//! The whole screen: header, view, what lies over it, footer.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::Span;
use ratatui::widgets::Block;

use crate::protocol::Snapshot;

use super::super::action::View;
use super::super::app::App;
use super::super::msg::Overlay;
use super::{
    activity, approvals, bridge, channels, confirm, counts, dialog, drawer, footer, header, health, help, inbox,
    node_dialog, nodes, overview, palette, pane_mark, parts, quit, run_dialog, stale, themes, tour, views, which,
};

/// Draws the whole screen.
pub(in crate::tui) fn draw(app: &App, frame: &mut Frame<'_>) {
    app.no_regions();
    frame.render_widget(Block::new().style(app.look.text), frame.area());
    let taken = app.tour.as_ref().map_or(0, |tour| tour.rows);
    let [area, band] = Layout::vertical([Constraint::Min(0), Constraint::Length(taken)]).areas(frame.area());
    if area.width < counts::LEAST.0 || area.height < counts::LEAST.1 {
        return counts::draw(app, frame, area);
    }
    let [header, body, footer] =
        Layout::vertical([Constraint::Length(1), Constraint::Min(0), Constraint::Length(1)]).areas(area);
    header::draw(app, frame, header);
    match &app.snapshot {
        Some(snapshot) => view(app, snapshot, frame, body),
        // Nothing is known, so no view says that there is nothing.
        None => frame.render_widget(parts::marked(app, Span::styled("waiting for the engine", app.look.muted)), body),
    }
    stale::draw(app, frame, body);
    match &app.overlay {
        None => {}
        Some(Overlay::Help(help)) => help::draw(app, help, frame, body),
        Some(Overlay::Palette(palette)) => palette::draw(app, palette, frame, body),
        Some(Overlay::Problems(drawer)) => drawer::draw(app, drawer, frame, body),
        Some(Overlay::Themes(picker)) => themes::draw(app, picker, frame, body),
        Some(Overlay::Dialog(open)) => dialog::question(app, open, frame, body),
        Some(Overlay::Bulk(bulk)) => dialog::preview(app, bulk, frame, body),
        Some(Overlay::Note(note)) => dialog::note(app, note, frame, body),
        Some(Overlay::Views(picker)) => views::draw(app, picker, frame, body),
        Some(Overlay::Run(dialog)) => run_dialog::draw(app, dialog, frame, body),
        Some(Overlay::Confirm(confirm)) => confirm::draw(app, confirm, frame, body),
        Some(Overlay::Node(dialog)) => node_dialog::draw(app, dialog, frame, body),
        Some(Overlay::Mark(dialog)) => pane_mark::draw(app, dialog, frame, body),
        Some(Overlay::Quit) => quit::draw(app, frame, body),
    }
    if let Some(pending) = app.hesitates() {
        which::draw(app, pending, frame, body);
    }
    footer::draw(app, frame, footer);
    if let Some(tour) = app.tour.as_ref().filter(|_| taken > 0) {
        tour::draw(app, tour, frame, band);
    }
    if app.look.only_ascii {
        parts::only_ascii(frame.buffer_mut());
    }
}

fn view(app: &App, snapshot: &Snapshot, frame: &mut Frame<'_>, area: Rect) {
    match app.view {
        View::Channels => channels::draw(app, frame, area),
        View::Inbox => inbox::draw(app, frame, area),
        View::Nodes => nodes::draw(app, frame, area),
        View::Health => health::draw(app, snapshot, frame, area),
        View::Bridge => bridge::draw(app, frame, area),
        View::Approvals => approvals::draw(app, frame, area),
        View::Activity => activity::draw(app, snapshot, frame, area),
        View::Overview => overview::draw(app, snapshot, frame, area),
    }
}
