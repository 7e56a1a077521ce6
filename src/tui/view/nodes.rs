//! The nodes: this one and the others with their figures, who hears whom, and the newest entries of all logs.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::model::{NodePanel, NodeState, age, short_duration};
use crate::protocol::{NodesPanel, SharedLine};
use crate::screen;

use super::super::action::Action;
use super::super::app::App;
use super::super::nodes::{Nodes, NodesTab};
use super::super::not_ok::ok_among;
use super::super::status::coarse;
use super::node;
use super::parts::{Row, all_ok, fit, heading, list, marked, not_listed, tab_regions};

/// Rows of the selected node below the list.
const DETAIL: u16 = 5;
/// Below so many rows there is nothing below it.
const LOW: u16 = 18;
/// Below this width a row has its state, name, age and reason only.
const NARROW: usize = 72;
/// From this width on it has the version, and from the other one the reason too.
const VERSION: usize = 90;
const REASON: usize = 110;
/// Columns of a state.
const STATE: usize = 13;
/// The names of the figures, each above its own.
const FIGURES: &str = "    rtt  behind   lag  clock    rate";

/// Rows beside those of the list: the names of the columns, and what is said of the selected node.
pub(in super::super) fn beside_the_list(app: &App) -> usize {
    match app.nodes.tab {
        NodesTab::Nodes => 1 + usize::from(below(app)),
        NodesTab::Topology | NodesTab::Log => 0,
    }
}

fn below(app: &App) -> u16 {
    if app.size.1 < LOW { 0 } else { DETAIL }
}

/// How many lines the topology takes.
pub(in super::super) fn lines_of_topology(app: &App) -> usize {
    if app.nodes.tab == NodesTab::Topology { topology(app, usize::from(app.size.0)).len() } else { 0 }
}

pub(super) fn draw(app: &App, frame: &mut Frame<'_>, area: Rect) {
    if let Some(open) = &app.nodes.open {
        return node::draw(app, open, frame, area);
    }
    let tabs = Rect { x: area.x.saturating_add(7), height: 1, ..area }.intersection(area);
    tab_regions(app, NodesTab::ALL.map(NodesTab::name), tabs);
    let area = heading(app, title(app), frame, area);
    let panel = app.nodes_panel();
    if panel.me.is_none() && panel.nodes.is_empty() {
        return frame.render_widget(marked(app, alone(app, usize::from(area.width))), area);
    }
    let index = app.nodes.index(panel).0;
    match app.nodes.tab {
        NodesTab::Nodes => {
            let width = usize::from(area.width);
            let area = heading(app, columns(app, width), frame, area);
            let [above, told] = Layout::vertical([Constraint::Min(3), Constraint::Length(below(app))]).areas(area);
            let shown = app.nodes.shown(panel);
            if shown.is_empty() {
                let none = Span::styled(format!("  {}", all_ok(app)), app.look.muted);
                return frame.render_widget(marked(app, none), area);
            }
            list(app, &shown, index, frame, above, |node, width| row(app, node, width));
            let lines = shown.get(index).map(|node| node::summary(app, node, width)).unwrap_or_default();
            let lines: Vec<Line<'_>> = lines.into_iter().take(usize::from(told.height)).collect();
            frame.render_widget(marked(app, lines), told);
        }
        NodesTab::Topology => {
            let lines = topology(app, usize::from(area.width)).into_iter().skip(app.nodes.scroll);
            let lines: Vec<Line<'_>> = lines.take(usize::from(area.height)).collect();
            frame.render_widget(marked(app, lines), area);
        }
        NodesTab::Log if panel.news.is_empty() => {
            let none = Span::styled("  nothing was shared yet", app.look.muted);
            frame.render_widget(marked(app, none), area);
        }
        NodesTab::Log => list(app, &panel.news, index, frame, area, |line, width| entry(app, line, width, true)),
    }
}

/// What to do where there is no other node.
fn alone(app: &App, width: usize) -> Vec<Line<'static>> {
    let look = &app.look;
    let said = [
        "This node knows no other one. Several of them show each other's checks, channels, incidents and jobs:",
        "  1. on each, in the configuration: [federation] enabled = true",
        "  2. on one of them: aurora node invite",
        "  3. on the other, within 15 minutes: aurora node join TOKEN",
    ];
    let rows = said.into_iter().flat_map(|text| screen::wrap(text, width.max(1)));
    rows.map(|row| Line::styled(row, look.muted)).collect()
}

/// The tabs, and how many nodes stand how.
fn title(app: &App) -> Line<'static> {
    let (look, panel) = (&app.look, app.nodes_panel());
    let mut spans = vec![Span::styled("Nodes  ", look.title)];
    for tab in NodesTab::ALL {
        let style = if tab == app.nodes.tab { look.tab } else { look.muted };
        spans.push(Span::styled(format!(" {} ", tab.name()), style));
    }
    spans.extend(not_listed(app, ok_among(Nodes::all(panel)), 0));
    for state in NodeState::ALL.into_iter().rev() {
        let count = panel.nodes.iter().filter(|node| node.state == state).count();
        if count > 0 {
            spans.push(Span::styled(format!("   {count} {}", state.as_str()), look.node(state)));
        }
    }
    let behind: u64 = panel.nodes.iter().map(NodePanel::behind).sum();
    if behind > 0 {
        spans.push(Span::styled(format!("   {behind} entries behind"), look.muted));
    }
    if let Some(key) = app.key_of(Action::InviteNode).filter(|_| panel.nodes.is_empty()) {
        spans.push(Span::styled(format!("   {key} invites another one"), look.muted));
    }
    Line::from(spans)
}

/// How wide a name is in a row of `width`.
fn name_width(width: usize) -> usize {
    match width {
        REASON.. => 20,
        NARROW.. => 14,
        _ => 12,
    }
}

/// The names of the columns.
fn columns(app: &App, width: usize) -> Line<'static> {
    let name = name_width(width);
    let begins = format!("  {:STATE$} {:name$}", "state", "node");
    let heard = format!("{:>5}", "heard");
    let text = match width {
        VERSION.. => format!("{begins}{FIGURES} {heard} {:7} version", "trust"),
        NARROW.. => format!("{begins}{FIGURES} {heard} trust"),
        _ => format!("{begins} {heard}"),
    };
    Line::styled(fit(&app.look, &text, width), app.look.muted)
}

/// One node on one line: how it stands, how far it is, how far behind its log is here, its clock, what it may do.
pub(super) fn row(app: &App, node: &NodePanel, width: usize) -> Row {
    let look = &app.look;
    let is_own = app.nodes_panel().me.as_ref().is_some_and(|me| me.name == node.name);
    let name = if is_own { format!("{} (this)", node.name) } else { node.name.to_string() };
    let name_width = name_width(width);
    // What is not current is grey as a whole; its age stands beside it.
    let (text, muted) =
        if node.old_since().is_some() && !is_own { (look.stale, look.stale) } else { (look.text, look.muted) };
    let line = Line::from(vec![
        Span::styled(format!("{} {:STATE$} ", look.sign(&node.state), node.state.as_str()), look.node(node.state)),
        Span::styled(fit(look, &name, name_width), text),
    ]);
    let mut taken = 2 + STATE + 1 + name_width;
    let mut rest = Vec::new();
    let dash = || "-".to_owned();
    let heard = node.last_seen.filter(|_| !is_own).map_or_else(dash, |seen| age(seen, app.now));
    if width >= NARROW {
        let rtt = node.rtt.map_or_else(dash, |rtt| format!("<{}ms", coarse(rtt).as_millis()));
        let lag = node.lag.filter(|_| !is_own && node.behind() > 0).map_or_else(dash, short_duration);
        let theirs = |figure: String| if is_own { dash() } else { figure };
        let (rate, behind) = (theirs(format!("{}/min", node.rate)), theirs(node.behind().to_string()));
        let figures = format!("{rtt:>7} {behind:>7} {lag:>5} {:>6} {rate:>7} {heard:>5} ", clock(node));
        taken += screen::width(&figures) + 7;
        rest.push(Span::styled(figures, text));
        let trust = if is_own { "-" } else { node.trust.as_str() };
        rest.push(Span::styled(format!("{trust:7}"), if is_own { muted } else { look.trust(node.trust) }));
    } else {
        rest.push(Span::styled(format!(" {heard:>5}"), muted));
        taken += 6;
    }
    if width >= VERSION {
        let version = node.version.as_deref().map_or_else(dash, screen::line);
        rest.push(Span::styled(format!(" {}", fit(look, &version, 10)), muted));
        taken += 11;
    }
    if let Some(why) = why(node).filter(|_| !(NARROW..REASON).contains(&width)) {
        rest.push(Span::styled(format!(" {}", fit(look, &why, width.saturating_sub(taken + 1))), text));
    }
    Row { line, rest }
}

/// Why it stands so, or over which relay it is heard.
fn why(node: &NodePanel) -> Option<String> {
    let via = || node.via.as_ref().map(|via| format!("over {via}"));
    node.why.as_deref().map(screen::line).or_else(via)
}

/// How its clock differs from ours, in whole seconds.
fn clock(node: &NodePanel) -> String {
    match node.skew_ms {
        None => "-".to_owned(),
        Some(skew) if skew.abs() < 1_000 => "<1s".to_owned(),
        Some(skew) => format!("{:+}s", skew / 1_000),
    }
}

/// Who hears whom: a row a node that hears, a column a node that is heard.
fn topology(app: &App, width: usize) -> Vec<Line<'static>> {
    let (look, panel) = (&app.look, app.nodes_panel());
    let mut all: Vec<&NodePanel> = panel.me.iter().chain(&panel.nodes).collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    let name = all.iter().map(|node| node.name.as_str().len()).max().unwrap_or(0).clamp(4, 20);
    let room = width.saturating_sub(4 + name + 2 + 2 + STATE) / 3;
    let shown = &all[..all.len().min(room.max(1))];
    let mut lines = vec![Line::styled("A row hears a column directly", look.muted)];
    let numbers = (1..=shown.len()).map(|number| Span::styled(format!("{number:>3}"), look.muted));
    let before = Span::raw(" ".repeat(4 + name + 2));
    lines.push(std::iter::once(before).chain(numbers).collect());
    for (number, node) in (1..).zip(&all) {
        let text = if node.old_since().is_some() { look.stale } else { look.text };
        let mut spans = vec![Span::styled(format!("{number:>3} {}  ", fit(look, node.name.as_str(), name)), text)];
        for other in shown {
            let (sign, style) = cell(app, panel, node, other);
            spans.push(Span::styled(format!("{sign:>3}"), style));
        }
        spans
            .push(Span::styled(format!("  {} {}", look.sign(&node.state), node.state.as_str()), look.node(node.state)));
        lines.push(Line::from(spans));
    }
    if shown.len() < all.len() {
        let text = format!("{} more columns have no room here", all.len() - shown.len());
        lines.push(Line::styled(text, look.muted));
    }
    lines.push(Line::default());
    let signs = [(look.glyph("✓", "+"), "hears it"), ("-", "does not"), ("?", "not known here")];
    let signs = signs.map(|(sign, words)| format!("{sign} {words}")).join("   ");
    lines.push(Line::styled(signs, look.muted));
    lines.push(Line::default());
    lines.push(Line::styled("Relays", look.title));
    let relayed: Vec<_> = all.iter().filter_map(|node| Some((node, node.via.as_ref()?))).collect();
    if relayed.is_empty() {
        lines.push(Line::styled("  every node is reached directly", look.muted));
    }
    for (node, via) in relayed {
        let seen = node.last_seen.map_or_else(|| "never".to_owned(), |seen| age(seen, app.now));
        let text = format!("  {} is reached over {via}, heard {seen}", node.name);
        lines.push(Line::styled(fit(look, &text, width), look.text));
    }
    lines
}

/// Whether `node` hears `other` directly.
fn cell(app: &App, panel: &NodesPanel, node: &NodePanel, other: &NodePanel) -> (&'static str, Style) {
    let look = &app.look;
    if node.name == other.name {
        return (look.glyph("·", "."), look.muted);
    }
    let is_own = panel.me.as_ref().is_some_and(|me| me.name == node.name);
    let hears = if is_own { other.via.is_none() && other.state.is_current() } else { node.hears.contains(&other.name) };
    match hears {
        // Of a node behind a relay its own word is not heard, and the relay says only whom it hears itself.
        _ if !is_own && (node.old_since().is_some() || node.via.is_some()) => ("?", look.unknown),
        true => (look.glyph("✓", "+"), look.ok),
        false => ("-", look.muted),
    }
}

/// One entry of a log on one line, with whose it is where that is not said already.
pub(super) fn entry(app: &App, line: &SharedLine, width: usize, with_node: bool) -> Row {
    let look = &app.look;
    let node = if with_node { format!("{} ", fit(look, line.node.as_str(), 14)) } else { String::new() };
    let head = Line::from(vec![
        Span::styled(format!("  {:>4} ", age(line.at, app.now)), look.muted),
        Span::styled(node, look.text),
        Span::styled(format!("{:>7} ", line.seq), look.muted),
    ]);
    let taken: usize = head.spans.iter().map(|span| screen::width(&span.content)).sum();
    let about = fit(look, &screen::line(&line.about), 22);
    let rest = vec![
        Span::styled(format!("{about} "), look.text),
        Span::styled(fit(look, &screen::line(&line.text), width.saturating_sub(taken + 23)), look.muted),
    ];
    Row { line: head, rest }
}
