//! The list of panes: by host, how each is, what runs there, and what of it needs somebody.

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::model::{age, ago, lasting, short_duration};
use crate::protocol::{HostPanes, PaneRow};
use crate::screen;

use super::super::app::App;
use super::super::bridge::Reach;
use super::super::panes::{Listed, PaneState, is_stale};
use super::pane::lost;
use super::parts::{Row, fit};

/// Below this width a row is name, command and what matters most.
const NARROW: usize = 70;

/// One row: how it is, how it is called, what runs there, how large it is, and why it needs anybody.
pub(super) fn row(app: &App, listed: &Listed<'_>, width: usize) -> Row {
    let look = &app.look;
    let Some(row) = listed.row else {
        let why = listed.host.why.as_deref();
        let (sign, word, style, why) = match listed.host.layer {
            None if listed.host.is_being_asked() => {
                (look.glyph("·", "."), "asked", look.muted, "it is being asked for its panes")
            }
            None => (look.sign(&Reach::Gone), Reach::Gone.as_str(), look.reach(Reach::Gone), why.unwrap_or("no panes")),
            Some(_) => (look.glyph("·", "."), "empty", look.muted, why.unwrap_or("no panes")),
        };
        let line = Line::from(vec![
            Span::styled(format!("{sign} {word:8}"), style),
            Span::styled(fit(look, listed.host.host.as_str(), 22), look.text),
        ]);
        let rest = vec![Span::styled(fit(look, &screen::line(why), width.saturating_sub(32)), look.muted)];
        return Row { line, rest };
    };
    let state = PaneState::of(listed.host, row);
    let (named, command) = match width {
        110.. => (26, 16),
        NARROW.. => (20, 12),
        _ => (width.saturating_sub(20).min(16), 8),
    };
    let pane = listed.host.address(row);
    let picked = if app.panes.picked.contains(&pane) { look.glyph("▣ ", "# ") } else { "" };
    let shown = format!("{picked}{}", screen::line(&listed.host.name(row).to_string()));
    let line = Line::from(vec![
        Span::styled(format!("{} {:8}", look.sign(&state), state.as_str()), look.pane_state(state)),
        Span::styled(fit(look, &shown, named), look.text),
    ]);
    let mut rest = vec![Span::styled(format!(" {}", fit(look, &screen::line(&row.facts.command), command)), look.text)];
    let mut taken = 10 + named + 1 + command;
    if width >= NARROW {
        let size = format!(" {:>8}", format!("{}x{}", row.facts.cols, row.facts.rows));
        taken += size.len();
        rest.push(Span::styled(size, look.muted));
    }
    let told = screen::line(&matters(app, listed.host, row).join("   "));
    rest.push(Span::styled(format!(" {}", fit(look, &told, width.saturating_sub(taken + 1))), look.muted));
    Row { line, rest }
}

/// What there is to say of it in a row, what matters most first. It holds text from outside.
fn matters(app: &App, host: &HostPanes, row: &PaneRow) -> Vec<String> {
    let facts = &row.facts;
    let mut told = Vec::new();
    if let Some((since, why)) = &row.calls {
        told.push(format!("{}: {why}", ago(*since, app.now)));
    }
    if is_stale(host) {
        told.push(format!("{} old", age(host.at, app.now)));
    }
    if let Some(Some(status)) = facts.dead {
        told.push(format!("exit {status}"));
    }
    if let Some(mode) = &facts.mode {
        told.push(mode.clone());
    }
    if facts.synchronized {
        told.push("synchronized".to_owned());
    }
    if let Some(driver) = &facts.driver {
        told.push(format!("{} types", driver.who));
    }
    if facts.generation > 1 {
        told.push(format!("generation {}", facts.generation));
    }
    if let Some(program) = &row.program {
        told.push(format!(
            "{} {} {}: {}",
            program.tool,
            program.doing.as_str(),
            age(program.since, app.now),
            program.evidence
        ));
    }
    if !facts.title.is_empty() && facts.title != facts.command {
        told.push(facts.title.clone());
    }
    told
}

/// What is known of the selected one, below the list.
pub(super) fn summary(app: &App, listed: &Listed<'_>, width: usize) -> Vec<Line<'static>> {
    let look = &app.look;
    let line = |label: &str, text: &str| {
        let text = fit(look, &screen::line(text), width.saturating_sub(11));
        Line::from(vec![Span::styled(format!("{label:10} "), look.muted), Span::styled(text, look.text)])
    };
    let host = listed.host;
    let layer = match host.layer {
        Some(layer) => format!("over {layer}"),
        None if host.is_being_asked() => "being asked".to_owned(),
        None => format!("no road ({})", age(host.at, app.now)),
    };
    let why = host.why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
    let drive = if host.may_drive { "" } else { "; only to be watched" };
    let mut lines = vec![Line::default()];
    let Some(row) = listed.row else {
        lines.push(line("host", &format!("{}, {layer}{why}", host.host)));
        return lines;
    };
    let facts = &row.facts;
    let session =
        format!("session {}, window {} \"{}\", process {}", facts.session, facts.window, facts.window_name, facts.pid);
    lines.push(line("pane", &session));
    lines.push(line("host", &format!("{}, {layer}{drive}{why}", host.host)));
    if let Some(program) = &row.program {
        let (tool, doing, confidence) = (&program.tool, program.doing.as_str(), program.confidence);
        let since = lasting(program.since, app.now);
        lines.push(line("program", &format!("{tool} {doing} {since}, {confidence} % sure: {}", program.evidence)));
    }
    lines.push(line("watched", &watched(app, row)));
    let mark = mark(row);
    if !mark.is_empty() {
        lines.push(line("calls", &mark.join(", ")));
    }
    let lost = lost(row.lost);
    if !lost.is_empty() {
        lines.push(line("lost", &lost.join("; ")));
    }
    lines
}

fn watched(app: &App, row: &PaneRow) -> String {
    let feed = row.facts.feed.map_or("by nobody".to_owned(), |feed| format!("by {}", feed.as_str()));
    let printed = row.printed.map(|at| format!(", printed {}", ago(at, app.now))).unwrap_or_default();
    let by = row.watchers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let by = if by.is_empty() { by } else { format!(", for {by}") };
    let recording = row.recording.as_ref().map(|file| format!(", recorded to {file}")).unwrap_or_default();
    format!("{feed}{printed}{by}{recording}")
}

/// When it calls a person.
fn mark(row: &PaneRow) -> Vec<String> {
    let mark = &row.mark;
    let mut told = Vec::new();
    if mark.activity {
        told.push("when it prints".to_owned());
    }
    told.extend(mark.silence.map(|silence| format!("when it is silent for {}", short_duration(silence))));
    told.extend(mark.pattern.as_ref().map(|pattern| format!("when a line matches {pattern}")));
    told
}

/// What of all panes stands in the title.
pub(super) fn counts(app: &App) -> Vec<Span<'static>> {
    let look = &app.look;
    let hosts = app.panes.hosts.as_deref().unwrap_or_default();
    let states: Vec<PaneState> =
        hosts.iter().flat_map(|host| host.panes.iter().map(move |row| PaneState::of(host, row))).collect();
    let counted =
        [PaneState::Calls, PaneState::Asks, PaneState::Stale, PaneState::Dead].into_iter().filter_map(|state| {
            let count = states.iter().filter(|known| **known == state).count();
            (count > 0).then(|| Span::styled(format!("   {count} {}", state.as_str()), look.pane_state(state)))
        });
    let picked = app.panes.picked.len();
    let picked = (picked > 0).then(|| Span::styled(format!("   {picked} picked"), look.key));
    counted.chain(picked).collect()
}

/// What stands in place of an empty list.
pub(super) fn nothing(app: &App) -> &'static str {
    match &app.panes.hosts {
        None => "asking the hosts",
        Some(_) => "no host has a pane: tmux runs nowhere",
    }
}

/// Where the hint stands that a pane is looked for.
pub(super) fn sought(app: &App, area: Rect) -> Option<(Rect, Span<'static>)> {
    let name = app.panes.sought.as_ref()?;
    let text = format!(" looking for {} ", screen::line(&name.to_string()));
    let width = u16::try_from(screen::width(&text)).unwrap_or(u16::MAX).min(area.width);
    Some((
        Rect { x: area.right() - width, width, height: area.height.min(1), ..area },
        Span::styled(text, app.look.warn),
    ))
}
