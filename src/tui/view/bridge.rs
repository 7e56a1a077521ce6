//! The bridge: hosts and the roads to them, the worst first, jobs, and panes.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};

use crate::model::{HostPanel, JobState, NodePanel, age};
use crate::screen;

use super::super::app::App;
use super::super::bridge::{BridgeTab, Listed, Opened, Reach, all_jobs, state_word, why};
use super::super::not_ok::ok_among;
use super::super::status::coarse;
use super::parts::{Row, all_ok, figures, fit, heading, list, marked, not_listed, tab_regions};
use super::{host, job, pane, pane_tail, panes, rollouts, tiles};

/// Rows of the selected one below the list.
const DETAIL: u16 = 7;
/// Below so many rows there is nothing below it.
const LOW: u16 = 18;
/// Below this width a row has neither counts nor who asked.
const NARROW: usize = 70;
/// Below this one a host has neither its road nor how far it is.
const SMALL: usize = 50;

/// Rows below the list on this screen.
pub(in super::super) fn below(app: &App) -> u16 {
    if app.size.1 < LOW { 0 } else { DETAIL }
}

/// How many lines the open host takes.
pub(in super::super) fn lines(app: &App) -> usize {
    match &app.bridge.open {
        Some(Opened::Host(open)) => host::lines(app, open, usize::from(app.size.0)).len(),
        _ => 0,
    }
}

pub(super) fn draw(app: &App, frame: &mut Frame<'_>, area: Rect) {
    match &app.bridge.open {
        Some(Opened::Host(open)) => return host::draw(app, open, frame, area),
        Some(Opened::Job(open)) => return job::draw(app, open, frame, area),
        Some(Opened::Pane(open)) => return pane::draw(app, open, frame, area),
        Some(Opened::Tiles(tiles)) => return tiles::draw(app, tiles, frame, area),
        Some(Opened::Tail(tail)) => return pane_tail::draw(app, tail, frame, area),
        None => {}
    }
    let tabs = Rect { x: area.x.saturating_add(8), height: 1, ..area }.intersection(area);
    tab_regions(app, BridgeTab::ALL.map(BridgeTab::name), tabs);
    let ground = app.ground();
    let listed = if app.bridge.tab == BridgeTab::Panes { app.listed_panes() } else { Vec::new() };
    let (index, len) = match app.bridge.tab {
        BridgeTab::Panes => (app.panes.index(&listed), listed.len()),
        _ => app.bridge.index(ground),
    };
    let line = Rect { height: area.height.min(1), ..area };
    let area = heading(app, title(app, len), frame, area);
    if let Some((place, hint)) = panes::sought(app, line) {
        frame.render_widget(marked(app, hint), place);
    }
    if len == 0 {
        let text = match (app.bridge.filter.text().trim(), app.bridge.tab) {
            ("", _) if app.problems_only() && all_and_ok(app).0 > 0 => all_ok(app),
            ("", BridgeTab::Hosts) => "no host is configured".to_owned(),
            ("", BridgeTab::Jobs) => "no command was run yet".to_owned(),
            ("", BridgeTab::Rollouts) => "no command went over several hosts yet".to_owned(),
            ("", BridgeTab::Panes) => panes::nothing(app).to_owned(),
            (_, BridgeTab::Panes) if app.panes.hosts.is_none() => panes::nothing(app).to_owned(),
            (text, _) => format!("nothing here has {text:?}"),
        };
        let text = Span::styled(format!("  {}", screen::line(&text)), app.look.muted);
        return frame.render_widget(marked(app, text), area);
    }
    let [above, told] = Layout::vertical([Constraint::Min(3), Constraint::Length(below(app))]).areas(area);
    let width = usize::from(told.width);
    let mut lines = match app.bridge.tab {
        BridgeTab::Hosts => {
            let shown = app.bridge.hosts(ground);
            list(app, &shown, index, frame, above, |host, width| host_row(app, host, width));
            shown.get(index).map(|host| host::summary(app, host, width)).unwrap_or_default()
        }
        BridgeTab::Jobs => {
            let shown = app.bridge.jobs(ground);
            list(app, &shown, index, frame, above, |one, width| job_row(app, one, width));
            shown.get(index).map(|one| told_of(app, one, width)).unwrap_or_default()
        }
        BridgeTab::Rollouts => {
            let shown = app.bridge.rollouts(ground);
            list(app, &shown, index, frame, above, |row, width| rollouts::row(app, row, width));
            shown.get(index).map(|row| rollouts::summary(app, row, width)).unwrap_or_default()
        }
        BridgeTab::Panes => {
            list(app, &listed, index, frame, above, |row, width| panes::row(app, row, width));
            listed.get(index).map(|row| panes::summary(app, row, width)).unwrap_or_default()
        }
    };
    lines.truncate(usize::from(told.height));
    frame.render_widget(marked(app, lines), told);
}

/// How many rows the list has without a filter, and how many of them are ok.
fn all_and_ok(app: &App) -> (usize, usize) {
    let panel = app.bridge_panel();
    match app.bridge.tab {
        BridgeTab::Hosts => (panel.hosts.len(), ok_among(&panel.hosts)),
        BridgeTab::Jobs => (all_jobs(app.ground()).count(), ok_among(all_jobs(app.ground()))),
        BridgeTab::Rollouts => (panel.rollouts.len(), ok_among(&panel.rollouts)),
        BridgeTab::Panes => {
            let all = app.panes.listed("", |_| &[]);
            (all.len(), ok_among(&all))
        }
    }
}

/// The tabs, what is filtered, and how many of what there are.
fn title(app: &App, shown: usize) -> Line<'static> {
    let (look, panel) = (&app.look, app.bridge_panel());
    let mut spans = vec![Span::styled("Bridge  ", look.title)];
    for tab in BridgeTab::ALL {
        let style = if tab == app.bridge.tab { look.tab } else { look.muted };
        spans.push(Span::styled(format!(" {} ", tab.name()), style));
    }
    let text = screen::line(app.bridge.filter.text());
    if app.bridge.is_typing() {
        spans.push(Span::styled(format!("   /{text}"), look.text));
        spans.push(Span::styled(" ", look.selected));
    } else if !text.is_empty() {
        spans.push(Span::styled(format!("   /{text}"), look.title));
    }
    let (all, ok) = all_and_ok(app);
    let ok = if app.problems_only() { ok } else { 0 };
    spans.extend(not_listed(app, ok, all - ok - shown));
    let mut told = Vec::new();
    match app.bridge.tab {
        BridgeTab::Hosts => {
            for reach in [Reach::Gone, Reach::Barred, Reach::Detour, Reach::Waiting, Reach::Up] {
                let count = panel.hosts.iter().filter(|host| Reach::of(host) == reach).count();
                if count > 0 {
                    told.push(Span::styled(format!("   {count} {}", reach.as_str()), look.reach(reach)));
                }
            }
        }
        BridgeTab::Jobs => {
            let open = all_jobs(app.ground()).filter(|one| one.row.state.outcome().is_none()).count();
            let unknown = all_jobs(app.ground()).filter(|one| one.row.state.word() == "unknown").count();
            if unknown > 0 {
                told.push(Span::styled(format!("   {unknown} unknown"), look.crit));
            }
            told.push(Span::styled(format!("   {open} open"), look.muted));
        }
        BridgeTab::Rollouts => {
            let open = panel.rollouts.iter().filter(|row| row.ended.is_none()).count();
            told.push(Span::styled(format!("   {open} not over"), look.muted));
        }
        BridgeTab::Panes => told.extend(panes::counts(app)),
    }
    figures(Line::from(spans), told, app.size.0.into())
}

/// One host on one line: how it is reached, over what, how far it is, what runs there, and why it is not better.
pub(super) fn host_row(app: &App, host: &HostPanel, width: usize) -> Row {
    let look = &app.look;
    let reach = Reach::of(host);
    let name = if width < NARROW { 12 } else { 16 };
    let active = host.active.map_or("-", |layer| layer.as_str());
    let line = Line::from(vec![
        Span::styled(format!("{} {:7} ", look.sign(&reach), reach.as_str()), look.reach(reach)),
        Span::styled(format!("{} ", fit(look, host.name.as_str(), name)), look.text),
    ]);
    // Where little fits, why it is not up is worth more than over what it is.
    let over = if width < SMALL { String::new() } else { format!("{active:7} {:>7} ", rtt(host)) };
    let mut taken = 10 + name + 1 + over.len();
    let mut rest = vec![Span::styled(over, look.text)];
    if width >= NARROW {
        rest.push(Span::styled(format!("{:>2} run {:>2} wait  ", host.running, host.queued), look.muted));
        taken += 16;
    }
    let told = why(host).unwrap_or_else(|| labels(host));
    let style = if reach == Reach::Up { look.muted } else { look.text };
    rest.push(Span::styled(fit(look, &told, width.saturating_sub(taken)), style));
    Row { line, rest }
}

pub(super) fn labels(host: &HostPanel) -> String {
    host.labels.iter().map(|label| screen::line(&format!("@{label}"))).collect::<Vec<_>>().join(" ")
}

/// To the agent and back over the road in use, in coarse steps.
fn rtt(host: &HostPanel) -> String {
    let active = host.layers.iter().find(|layer| Some(layer.kind) == host.active);
    active.and_then(|layer| layer.rtt).map_or_else(|| "-".to_owned(), |rtt| format!("<{}ms", coarse(rtt).as_millis()))
}

/// What is said of a job below the list.
fn told_of(app: &App, one: &Listed<'_>, width: usize) -> Vec<Line<'static>> {
    let mut lines = job::summary(app, one.row, None, width);
    if let Some(node) = one.node {
        let old = node.old_since().map(|old| format!("; this is {} old", age(old, app.now))).unwrap_or_default();
        let text = format!("at {}, which is {}{old}; what it wrote is kept there", node.name, node.state.as_str());
        lines.push(Line::styled(fit(&app.look, &text, width), app.look.node(node.state)));
    }
    lines
}

/// One job on one line: how it is, where, what, who asked, how long ago, over what, how many tries.
fn job_row(app: &App, one: &Listed<'_>, width: usize) -> Row {
    let (look, row) = (&app.look, one.row);
    let old = one.node.and_then(NodePanel::old_since);
    let shade = |style| if old.is_some() { look.stale } else { style };
    let place = one.node.map_or_else(|| row.host.to_string(), |node| format!("{}@{}", row.host, node.name));
    let (host, by) = match width {
        100.. => (16, 12),
        NARROW.. => (12, 8),
        _ => (12, 0),
    };
    // Where there are other nodes' jobs a place is longer.
    let longer = app.nodes_panel().remote.iter().any(|remote| !remote.jobs.is_empty());
    let host = host + if longer && by > 0 { 8 } else { 0 };
    let line = Line::from(vec![
        Span::styled(
            format!("{} {} ", look.sign(&row.state), fit(look, &state_word(&row.state), 10)),
            shade(look.job(&row.state)),
        ),
        Span::styled(format!("{} ", fit(look, &place, host)), shade(look.text)),
    ]);
    let layer = row.layer.map_or("-", |layer| layer.as_str());
    let tries = if row.attempts > 1 { format!("{}x", row.attempts) } else { String::new() };
    let mut told = format!(" {:>4}", age(row.asked, app.now));
    if by > 0 {
        told = format!(" {} {:>4} {layer:7} {tries:>3}", fit(look, row.by.as_str(), by), age(row.asked, app.now));
    }
    let room = width.saturating_sub(13 + host + 1 + screen::width(&told));
    let title = match &row.state {
        JobState::Staged { why } => format!("{}: {why}", row.title),
        _ => row.title.clone(),
    };
    let title = old.map_or_else(|| title.clone(), |old| format!("{} old: {title}", age(old, app.now)));
    let rest = vec![
        Span::styled(fit(look, &screen::line(&title), room), shade(look.text)),
        Span::styled(told, shade(look.muted)),
    ];
    Row { line, rest }
}
