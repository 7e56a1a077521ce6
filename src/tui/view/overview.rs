//! Overview: is anything wrong, what needs me.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};

use crate::model::{ApprovalState, ChannelPanel, LayerKind, NodePanel, NodeState, ProviderKind, age, counted};
use crate::protocol::{Severity, Snapshot, Trouble};
use crate::screen;

use super::super::action::Action;
use super::super::app::App;
use super::super::bridge::{Bridge, Reach};
use super::super::health::Health;
use super::super::nodes::Nodes;
use super::super::palette;
use super::bridge::host_row;
use super::health;
use super::nodes::row as node_row;
use super::parts::{figures, fit, fitting, marked, message_row, outside};

/// Below these columns and rows there is room for two things only.
const COMPACT: (u16, u16) = (60, 18);
/// From these widths on there are two and three columns.
const TWO: u16 = 120;
const THREE: u16 = 160;
/// From this width on a channel's figures have words beside them.
const WORDS: usize = 70;
/// What stands above them below it.
const HEADS: &str = "  VIP unread   last";
/// Problems that are named in one column, and messages that are named all the same.
const WRONG: usize = 5;
const WAITING: usize = 2;
/// Hosts that are named where there is room.
const HOSTS: usize = 4;

pub(super) fn draw(app: &App, snapshot: &Snapshot, frame: &mut Frame<'_>, area: Rect) {
    let problems = snapshot.troubles(app.now);
    if area.width >= THREE {
        let [left, _, middle, _, right] = Layout::horizontal([
            Constraint::Percentage(45),
            Constraint::Length(2),
            Constraint::Percentage(30),
            Constraint::Length(2),
            Constraint::Min(0),
        ])
        .areas(area);
        let mut lines = wrong(app, &problems, usize::from(left.width), 12);
        lines.push(Line::default());
        let room = usize::from(left.height).saturating_sub(lines.len() + 1);
        lines.extend(needs(app, snapshot, usize::from(left.width), room));
        frame.render_widget(marked(app, lines), left);
        let mut lines = channels(app, snapshot, usize::from(middle.width));
        lines.push(Line::default());
        let mut hosts = bridge(app, snapshot, usize::from(middle.width), HOSTS);
        hosts.extend(nodes(app, snapshot, usize::from(middle.width), HOSTS));
        let room = usize::from(middle.height).saturating_sub(lines.len() + hosts.len() + 1);
        lines.extend(checks(app, snapshot, usize::from(middle.width), room));
        lines.extend(hosts);
        frame.render_widget(marked(app, lines), middle);
        let room = usize::from(right.height).saturating_sub(1);
        return frame.render_widget(marked(app, latest(app, snapshot, usize::from(right.width), room)), right);
    }
    if area.width >= TWO {
        let [left, _, right] =
            Layout::horizontal([Constraint::Percentage(60), Constraint::Length(2), Constraint::Min(0)]).areas(area);
        let mut lines = wrong(app, &problems, usize::from(left.width), 8);
        lines.push(Line::default());
        let room = usize::from(left.height).saturating_sub(lines.len() + 1);
        lines.extend(needs(app, snapshot, usize::from(left.width), room));
        frame.render_widget(marked(app, lines), left);
        let mut lines = channels(app, snapshot, usize::from(right.width));
        lines.extend(bridge(app, snapshot, usize::from(right.width), HOSTS));
        lines.extend(nodes(app, snapshot, usize::from(right.width), HOSTS));
        lines.push(Line::default());
        lines.extend(latest(app, snapshot, usize::from(right.width), 12));
        return frame.render_widget(marked(app, lines), right);
    }
    let width = usize::from(area.width);
    if area.width < COMPACT.0 || area.height < COMPACT.1 {
        // A status list: what is wrong, then who waits, and nothing else.
        let mut lines = wrong(app, &problems, width, usize::from(area.height / 2).saturating_sub(1));
        let room = usize::from(area.height).saturating_sub(lines.len() + 1);
        lines.extend(needs(app, snapshot, width, room));
        return frame.render_widget(marked(app, lines), area);
    }
    let mut below = channels(app, snapshot, width);
    below.extend(bridge(app, snapshot, width, 0));
    below.extend(nodes(app, snapshot, width, 0));
    // Two headings, two empty rows, one that says how many more: what waits has at least two of the others.
    let most = usize::from(area.height).saturating_sub(below.len() + 5 + WAITING).clamp(2, WRONG);
    let mut lines = wrong(app, &problems, width, most);
    lines.push(Line::default());
    let room = usize::from(area.height).saturating_sub(lines.len() + below.len() + 2);
    lines.extend(needs(app, snapshot, width, room));
    lines.push(Line::default());
    lines.extend(below);
    frame.render_widget(marked(app, lines), area);
}

fn wrong(app: &App, troubles: &[Trouble], width: usize, most: usize) -> Vec<Line<'static>> {
    let look = &app.look;
    let key = app.key_of(Action::Problems).filter(|_| !troubles.is_empty());
    let in_full = key.map(|key| format!("{key} shows all in full"));
    let hint = in_full.as_ref().map(|text| format!("   {text}")).unwrap_or_default();
    let mut lines =
        vec![Line::from(vec![Span::styled("Is anything wrong?", look.title), Span::styled(hint, look.muted)])];
    let known = troubles.iter().filter(|trouble| trouble.problem.severity > Severity::Info).count();
    if known == 0 {
        lines.push(Line::styled(format!("  {} ok    nothing is wrong", look.glyph("✓", "+")), look.ok));
    }
    for trouble in troubles.iter().take(most) {
        let Trouble { problem, since, .. } = trouble;
        let text = format!("{}  ({})", screen::line(&trouble.without_age(app.now)), screen::line(&problem.next));
        let word = format!("  {} {:4}  ", look.sign(&problem.severity), problem.severity.as_str());
        let style = look.severity(problem.severity);
        lines.push(Line::from(vec![
            Span::styled(word, style),
            Span::styled(format!("{:>3}  ", age(*since, app.now)), look.muted),
            Span::styled(fit(look, &text, width.saturating_sub(15)), look.text),
        ]));
    }
    if troubles.len() > most {
        lines.push(Line::styled(format!("{}and {} more", " ".repeat(15), troubles.len() - most), look.muted));
    }
    lines
}

/// The key that goes through everything that needs somebody.
fn next_key(app: &App) -> Option<String> {
    let entries = palette::entries(&app.keymap, &app.contexts());
    let next = entries.into_iter().find(|entry| entry.action == Action::Next)?;
    next.keys.split(' ').next().map(str::to_owned)
}

/// Unread messages: VIPs first, then the newest.
fn needs(app: &App, snapshot: &Snapshot, width: usize, room: usize) -> Vec<Line<'static>> {
    let look = &app.look;
    let vip: u64 = snapshot.channels.iter().map(|channel| channel.unread_vip).sum();
    let others: u64 = snapshot.channels.iter().map(|channel| channel.unread).sum();
    let unread = match (vip, others) {
        (0, 0) => String::new(),
        (0, others) => format!("   {} unread", counted(others, "message")),
        (vip, 0) => format!("   {} unread, from VIPs", counted(vip, "message")),
        (vip, others) => format!("   {vip} VIP and {} unread", counted(others, "other message")),
    };
    let next = next_key(app).map(|key| format!("   {key}: what next"));
    // A hint that is cut says nothing.
    let next = next.filter(|next| 14 + screen::width(&unread) + screen::width(next) <= width).unwrap_or_default();
    let title = Line::from(vec![Span::styled("What needs me?", look.title), Span::styled(unread + &next, look.muted)]);
    let mut lines = vec![fitting(app, title, width)];
    if snapshot.channels.iter().all(|channel| channel.events == 0) {
        let easy = snapshot.channels.iter().find(|channel| channel.provider == ProviderKind::Standard);
        let first = easy.or(snapshot.channels.first()).map_or("CHANNEL", |channel| channel.id.as_str());
        lines.push(Line::styled("  Nothing has come in yet. Send the first message from another terminal:", look.text));
        lines.push(Line::styled(format!("    aurora send-test {first}"), look.key));
        return lines;
    }
    let mut unread: Vec<_> = snapshot.inbox.iter().filter(|row| row.marks.read.is_none()).collect();
    unread.sort_by_key(|row| !row.vip);
    if unread.is_empty() {
        lines.push(Line::styled(format!("  {} ok    nothing needs you", look.glyph("✓", "+")), look.ok));
    }
    lines.extend(unread.into_iter().take(room).map(|row| message_row(app, row, width)));
    lines
}

fn channels(app: &App, snapshot: &Snapshot, width: usize) -> Vec<Line<'static>> {
    // Figures have their word beside them, or above them where there is no room.
    let before = " ".repeat(15 + name_columns(width, HEADS.len()) - "Channels".len());
    let heads = if width >= WORDS { String::new() } else { before + HEADS };
    let title = vec![Span::styled("Channels", app.look.title), Span::styled(heads, app.look.muted)];
    let mut lines = vec![Line::from(title)];
    lines.extend(snapshot.channels.iter().take(8).map(|channel| channel_line(app, channel, width)));
    if snapshot.channels.len() > 8 {
        lines.push(Line::styled(format!("  and {} more: see Channels", snapshot.channels.len() - 8), app.look.muted));
    }
    lines
}

/// Hosts, jobs and approvals in figures, and the hosts that are worst reached; nothing where only this machine is one.
fn bridge(app: &App, snapshot: &Snapshot, width: usize, hosts: usize) -> Vec<Line<'static>> {
    let (look, panel) = (&app.look, &snapshot.bridge);
    let alone = panel.hosts.iter().flat_map(|host| &host.layers).all(|layer| layer.kind == LayerKind::Local);
    if alone && panel.jobs.is_empty() && panel.approvals.is_empty() {
        return Vec::new();
    }
    let mut told = vec![Span::styled(format!("   {}", counted(panel.hosts.len(), "host")), look.muted)];
    let mut figure = |count: usize, words: &str, style| {
        if count > 0 {
            told.push(Span::styled(format!("   {count} {words}"), style));
        }
    };
    let reached = |reach| panel.hosts.iter().filter(|host| Reach::of(host) == reach).count();
    figure(reached(Reach::Gone), Reach::Gone.as_str(), look.crit);
    figure(reached(Reach::Barred), Reach::Barred.as_str(), look.crit);
    let jobs = |word| panel.jobs.iter().filter(|row| row.state.word() == word).count();
    figure(jobs("unknown"), "unknown", look.crit);
    let open = panel.approvals.iter().filter(|approval| approval.state == ApprovalState::Open).count();
    figure(open, "to approve", look.warn);
    figure(jobs("running"), "running", look.text);
    figure(jobs("queued"), "queued", look.text);
    let title = Line::from(Span::styled("Bridge", look.title));
    let mut lines = vec![figures(title, told, width)];
    let worst_first = Bridge::default().hosts(app.ground()).into_iter().take(hosts);
    lines.extend(worst_first.map(|host| host_row(app, host, width).into_line()));
    if hosts > 0 {
        lines.insert(0, Line::default());
    }
    lines
}

/// How the other nodes stand, in figures, and those that are worst; nothing where there is none.
fn nodes(app: &App, snapshot: &Snapshot, width: usize, named: usize) -> Vec<Line<'static>> {
    let (look, panel) = (&app.look, &snapshot.nodes);
    if panel.nodes.is_empty() {
        return Vec::new();
    }
    let mut told = Vec::new();
    for state in NodeState::ALL.into_iter().rev() {
        let count = panel.nodes.iter().filter(|node| node.state == state).count();
        if count > 0 {
            told.push(Span::styled(format!("   {count} {}", state.as_str()), look.node(state)));
        }
    }
    let behind: u64 = panel.nodes.iter().map(NodePanel::behind).sum();
    if behind > 0 {
        told.push(Span::styled(format!("   {} behind", counted(behind, "entry")), look.muted));
    }
    let title = Line::from(Span::styled("Nodes", look.title));
    let mut lines = vec![figures(title, told, width)];
    let others = Nodes::all(panel).into_iter().skip(usize::from(panel.me.is_some()));
    lines.extend(others.take(named).map(|node| node_row(app, node, width).into_line()));
    if named > 0 {
        lines.insert(0, Line::default());
    }
    lines
}

fn channel_line(app: &App, channel: &ChannelPanel, width: usize) -> Line<'static> {
    let look = &app.look;
    let last = channel.last_event.map_or_else(|| "-".to_owned(), |last| age(last, app.now));
    let ChannelPanel { unread_vip, unread, per_minute, .. } = channel;
    let (counts, last, rate) = if width >= WORDS {
        let counts = format!("{unread_vip:>4} VIP {unread:>5} unread");
        (counts, format!("  last {last:<5}"), format!(" {per_minute:>4}/min"))
    } else {
        (format!("{unread_vip:>5} {unread:>6}"), format!(" {last:>6}"), String::new())
    };
    let name = name_columns(width, counts.len() + last.len() + rate.len());
    Line::from(vec![
        Span::styled(format!("  {} ", fit(look, channel.id.as_str(), name)), look.text),
        Span::styled(
            format!("{} {:10}", look.sign(&channel.state), channel.state.as_str()),
            look.channel(channel.state),
        ),
        Span::styled(counts, look.text),
        Span::styled(last, look.muted),
        Span::styled(rate, look.text),
    ])
}

/// Columns of a channel's name where its figures take `counts`.
fn name_columns(width: usize, counts: usize) -> usize {
    width.saturating_sub(counts + 16).clamp(4, 16)
}

/// The checks, the worst first.
fn checks(app: &App, snapshot: &Snapshot, width: usize, room: usize) -> Vec<Line<'static>> {
    let mut lines = vec![Line::styled("Checks", app.look.title)];
    let worst_first = Health::default().shown(snapshot).into_iter();
    lines.extend(worst_first.take(room).map(|one| health::row(app, &one, width).into_line()));
    lines
}

fn latest(app: &App, snapshot: &Snapshot, width: usize, room: usize) -> Vec<Line<'static>> {
    let look = &app.look;
    let mut lines = vec![Line::styled("Latest events", look.title)];
    if snapshot.events.is_empty() {
        lines.push(Line::styled("  none yet", look.muted));
    }
    for event in snapshot.events.iter().take(room) {
        let kind = fit(look, &screen::line(&event.kind), width.saturating_sub(20));
        lines.push(Line::from(vec![
            Span::styled(format!("  {:>4}  ", age(event.received, app.now)), look.muted),
            outside(&fit(look, event.channel.as_str(), 10), look.muted),
            Span::styled(format!("  {kind}"), look.text),
        ]));
    }
    lines
}
