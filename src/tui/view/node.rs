//! One node: how it is reached and how far behind it is, its keys, what it shares, and its last entries.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::model::{CheckState, NodePanel, Trust, age, short_bytes, short_duration};
use crate::protocol::RemoteNode;
use crate::screen;

use super::super::action::Action;
use super::super::app::App;
use super::super::nodes::OpenNode;
use super::super::status::coarse;
use super::super::zone;
use super::nodes::entry;
use super::parts::{fit, heading, marked, with_keys};
use super::plan::LABEL;

/// Entries, incidents and tasks that are named.
const ENTRIES: usize = 12;
const NAMED: usize = 12;

/// How many lines the open node takes.
pub(in super::super) fn lines_of_open(app: &App) -> usize {
    app.nodes.open.as_ref().map_or(0, |open| lines(app, open, usize::from(app.size.0)).len())
}

pub(super) fn draw(app: &App, open: &OpenNode, frame: &mut Frame<'_>, area: Rect) {
    let keys = [
        (Action::Back, "goes back"),
        (Action::Open, "lists its checks"),
        (Action::RunCommand, "runs a command there"),
        (Action::TrustNode, "trust"),
        (Action::RemoveNode, "forgets it"),
    ];
    let possible: Vec<_> = keys.into_iter().filter(|(action, _)| app.why_not(*action).is_none()).collect();
    let title = Line::from(Span::styled(open.name.to_string(), app.look.title));
    let area = heading(app, with_keys(app, title, &possible, area.width), frame, area);
    let lines = lines(app, open, usize::from(area.width)).into_iter().skip(open.scroll);
    frame.render_widget(marked(app, lines.take(usize::from(area.height)).collect::<Vec<_>>()), area);
}

/// What is said of a node below the list: what its row has no room for.
pub(super) fn summary(app: &App, node: &NodePanel, width: usize) -> Vec<Line<'static>> {
    let look = &app.look;
    let is_own = is_own(app, node);
    let room = width.saturating_sub(LABEL);
    let mut lines = vec![Line::styled(fit(look, node.name.as_str(), width), look.title)];
    let mut tell = |name: &str, text: &str, style: Style| {
        lines
            .push(Line::from(vec![label(app, name), Span::styled(fit(look, text, room).trim_end().to_owned(), style)]));
    };
    tell("state", &state(app, node), look.node(node.state));
    tell("reached", &way(node, is_own), look.text);
    if !is_own {
        let gone = Some(node.missing).filter(|missing| *missing > 0);
        let gone = gone.map(|missing| format!("{missing} are gone for good; ")).unwrap_or_default();
        tell("log", &format!("{gone}{}", entries_here(node)), if gone.is_empty() { look.text } else { look.warn });
    }
    let shares = app.nodes_panel().remote(node.name.as_str()).map(shares).unwrap_or_default();
    if !shares.is_empty() {
        tell("shares", &shares.join(", "), look.text);
    }
    lines
}

fn is_own(app: &App, node: &NodePanel) -> bool {
    app.nodes_panel().me.as_ref().is_some_and(|me| me.name == node.name)
}

fn label(app: &App, text: &str) -> Span<'static> {
    Span::styled(format!("{text:LABEL$}"), app.look.muted)
}

/// Everything there is to say about a node.
fn lines(app: &App, open: &OpenNode, width: usize) -> Vec<Line<'static>> {
    let look = &app.look;
    let panel = app.nodes_panel();
    let Some(node) = panel.node(open.name.as_str()) else {
        return vec![Line::styled("This node was forgotten.", look.muted)];
    };
    let mut lines = standing(app, node, width);
    lines.push(Line::default());
    lines.push(Line::styled("Keys, by their fingerprints", look.title));
    if node.keys.is_empty() {
        lines.push(Line::styled("  none is known yet", look.muted));
    }
    for (index, key) in node.keys.iter().enumerate() {
        let which = if index == 0 { "the one that counts" } else { "the other one, while they are changed" };
        lines.push(Line::from(vec![
            Span::styled(format!("  {}  ", key.fingerprint()), look.text),
            Span::styled(fit(look, which, width.saturating_sub(43)).trim_end().to_owned(), look.muted),
        ]));
        lines.push(Line::styled(fit(look, &format!("  {key}"), width).trim_end().to_owned(), look.muted));
    }
    if let Some(remote) = panel.remote(open.name.as_str()) {
        lines.extend(shared(app, node, remote, width));
    }
    let entries: Vec<_> = panel.news.iter().filter(|line| line.node == node.name).take(ENTRIES).collect();
    if !entries.is_empty() {
        lines.push(Line::default());
        lines.push(Line::styled("Last entries of its log", look.title));
    }
    lines.extend(entries.into_iter().map(|line| entry(app, line, width, false).into_line()));
    lines
}

/// How it stands, a line each; what matters most is first.
fn standing(app: &App, node: &NodePanel, width: usize) -> Vec<Line<'static>> {
    let look = &app.look;
    let room = width.saturating_sub(LABEL).max(1);
    let is_own = is_own(app, node);
    let mut lines = Vec::new();
    let mut tell = |name: &str, text: &str, style: Style| {
        for (number, row) in screen::wrap(text, room).into_iter().enumerate() {
            lines.push(Line::from(vec![label(app, if number == 0 { name } else { "" }), Span::styled(row, style)]));
        }
    };
    let old = node.old_since().filter(|_| !is_own);
    let old = old.map(|old| format!("; what is shown of it is {} old", age(old, app.now))).unwrap_or_default();
    tell("state", &format!("{}{old}", state(app, node)), look.node(node.state));
    tell("reached", &reached(app, node, is_own), look.text);
    if !is_own {
        tell("log", &format!("{}; {} in the last minute", entries_here(node), node.rate), look.text);
        if node.missing > 0 {
            let gone = format!("{} entries are gone for good: swept before they were fetched", node.missing);
            tell("gaps", &gone, look.warn);
        }
        let may = match node.trust {
            Trust::Observe => "it may read what is shared here; what it says is not taken over",
            Trust::Report => "what it shares is shown here",
            Trust::Command => "its operators may run what policy allows here",
        };
        tell("trust", &format!("{}: {may}", node.trust), look.trust(node.trust));
        tell(
            "clock",
            &clock(node),
            if node.skew_ms.is_some_and(|skew| skew.abs() > 2_000) { look.warn } else { look.text },
        );
    }
    let version = node.version.as_deref().map_or_else(|| "not known yet".to_owned(), screen::line);
    let started = node.started.map(|at| format!(", started {}", zone::moment(at, app.zone()))).unwrap_or_default();
    tell("version", &format!("{version}{started}"), look.text);
    if !is_own {
        let (from, to) = node.bytes;
        let bytes = format!("{} from it and {} to it since this engine started", short_bytes(from), short_bytes(to));
        tell("bytes", &bytes, look.text);
    }
    if !node.hears.is_empty() {
        let names: Vec<String> = node.hears.iter().map(ToString::to_string).collect();
        tell("hears", &names.join(", "), look.text);
    }
    lines
}

/// How it stands, since when, and why.
fn state(app: &App, node: &NodePanel) -> String {
    let since = match age(node.since, app.now).as_str() {
        "now" => "just now".to_owned(),
        since => format!("for {since}"),
    };
    let why = node.why.as_deref().map(|why| format!("; {}", screen::line(why))).unwrap_or_default();
    format!("{} {} {since}{why}", app.look.sign(&node.state), node.state.as_str())
}

/// How much of its log is here.
fn entries_here(node: &NodePanel) -> String {
    match node.behind() {
        0 if node.old_since().is_some() => format!("{} entries are here, all that are known of", node.applied),
        0 if node.missing > 0 => format!("all entries that are left are here, up to {}", node.applied),
        0 => format!("all {} entries are here", node.applied),
        behind => {
            let lag = node.lag.map(|lag| format!(", the oldest waits {}", short_duration(lag))).unwrap_or_default();
            format!("{} of {} entries are here, {behind} behind{lag}", node.applied, node.high)
        }
    }
}

/// The way to it.
fn way(node: &NodePanel, is_own: bool) -> String {
    let at = node.url.as_deref().map(screen::line);
    match (&node.via, at) {
        (_, None) if is_own => "by nobody: it has no address".to_owned(),
        (Some(via), _) if !is_own => format!("over {via}"),
        (_, Some(at)) => format!("at {at}"),
        (_, None) => "it calls here; no address of its own is known".to_owned(),
    }
}

fn reached(app: &App, node: &NodePanel, is_own: bool) -> String {
    let way = way(node, is_own);
    if is_own {
        return way;
    }
    let rtt = node.rtt.map(|rtt| format!(", rtt <{}ms", coarse(rtt).as_millis())).unwrap_or_default();
    let heard = node.last_seen.map_or_else(|| "never".to_owned(), |seen| age(seen, app.now));
    let phi = node.phi_tenths.map(|phi| format!(", phi {}.{}", phi / 10, phi % 10)).unwrap_or_default();
    let slow =
        if node.slowness > 0 { format!(", slow by its own word: {} of 8", node.slowness) } else { String::new() };
    format!("{way}{rtt}, heard {heard}{phi}{slow}")
}

fn clock(node: &NodePanel) -> String {
    match node.skew_ms {
        None => "not measured yet".to_owned(),
        Some(skew) if skew.abs() < 1_000 => "it agrees with ours".to_owned(),
        Some(skew) => format!("{}s {} ours", skew.abs() / 1_000, if skew > 0 { "ahead of" } else { "behind" }),
    }
}

/// What it shares, in figures.
fn shares(remote: &RemoteNode) -> Vec<String> {
    let mut shares = Vec::new();
    let mut figure = |count: usize, word: &str, more: String| {
        if count > 0 {
            shares.push(format!("{count} {word}{}{more}", if count == 1 { "" } else { "s" }));
        }
    };
    let bad = remote.checks.iter().filter(|check| check.state != CheckState::Ok).count();
    figure(remote.checks.len(), "check", if bad > 0 { format!(" ({bad} not ok)") } else { String::new() });
    let unread: u64 = remote.counts.iter().map(|counts| counts.unread).sum();
    figure(remote.counts.len(), "channel", format!(" ({unread} unread)"));
    figure(remote.jobs.len(), "job", String::new());
    figure(remote.tasks.len(), "task", String::new());
    figure(remote.messages.len(), "message", String::new());
    shares
}

fn shared(app: &App, node: &NodePanel, remote: &RemoteNode, width: usize) -> Vec<Line<'static>> {
    let look = &app.look;
    let is_old = node.old_since().is_some();
    let shade = |style: Style| if is_old { look.stale } else { style };
    let mut lines = vec![Line::default(), Line::styled("Shares", look.title)];
    let shares = shares(remote);
    let text = if shares.is_empty() { "nothing yet".to_owned() } else { shares.join(", ") };
    lines.push(Line::styled(fit(look, &format!("  {text}"), width).trim_end().to_owned(), shade(look.text)));
    for incident in remote.incidents.iter().filter(|incident| !incident.is_over()).take(NAMED) {
        let told = incident.told_by.as_ref().map(|by| format!("; told by {by}")).unwrap_or_default();
        let cause = incident.cause.as_deref().map(|cause| format!(": {cause}")).unwrap_or_default();
        let text = format!("{} is {}{cause}{told}", incident.subject, incident.state);
        lines.push(Line::from(vec![
            Span::styled(format!("  ! {:>4} ", age(incident.since, app.now)), shade(look.warn)),
            Span::styled(
                fit(look, &screen::line(&text), width.saturating_sub(9)).trim_end().to_owned(),
                shade(look.text),
            ),
        ]));
    }
    for task in remote.tasks.iter().take(NAMED) {
        let error = task.error().map(|error| format!("  {error}")).unwrap_or_default();
        let text = screen::line(&format!("{}{error}", task.name));
        lines.push(Line::from(vec![
            Span::styled(
                format!("  {} {:8} ", look.sign(&task.state), task.state.as_str()),
                shade(look.task(task.state)),
            ),
            Span::styled(fit(look, &text, width.saturating_sub(13)).trim_end().to_owned(), shade(look.text)),
        ]));
    }
    lines
}
