//! One host: its roads with all that is known of each, what its agent says of itself, and what may be run there.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::model::{CommandTemplate, HostPanel, HostSelector, LayerPanel, age};
use crate::screen;

use super::super::action::Action;
use super::super::app::App;
use super::super::bridge::{OpenHost, Reach, state_word};
use super::super::status::coarse;
use super::bridge::labels;
use super::parts::{fit, fitting, heading, marked, with_keys};
use super::plan::LABEL;

/// Jobs that are named.
const JOBS: usize = 5;
/// Least columns of why a road is as it is.
const WHY: usize = 14;

pub(super) fn draw(app: &App, open: &OpenHost, frame: &mut Frame<'_>, area: Rect) {
    let look = &app.look;
    let keys = [
        (Action::Back, "goes back"),
        (Action::RunCommand, "runs a command"),
        (Action::ProbeHost, "asks now"),
        (Action::Open, "lists its jobs"),
    ];
    let title = Line::from(Span::styled(open.name.to_string(), look.title));
    let area = heading(app, with_keys(app, title, &keys, area.width), frame, area);
    let lines = lines(app, open, usize::from(area.width));
    let lines: Vec<Line<'_>> = lines.into_iter().skip(open.scroll).take(usize::from(area.height)).collect();
    frame.render_widget(marked(app, lines), area);
}

/// Everything there is to say about a host.
pub(super) fn lines(app: &App, open: &OpenHost, width: usize) -> Vec<Line<'static>> {
    let look = &app.look;
    let panel = app.bridge_panel();
    let Some(host) = panel.hosts.iter().find(|host| host.name == open.name) else {
        return vec![Line::styled("This host is no longer configured.", look.muted)];
    };
    let reach = Reach::of(host);
    let label = |text: &str| Span::styled(format!("{text:LABEL$}"), look.muted);
    let active = host
        .active
        .map_or_else(|| "no road carries commands".to_owned(), |layer| format!("{layer} carries the next command"));
    let state = Line::from(vec![
        label("state"),
        Span::styled(format!("{} {}", look.sign(&reach), reach.as_str()), look.reach(reach)),
        Span::styled(format!(", {active}; {} run, {} wait", host.running, host.queued), look.text),
    ]);
    let mut lines = vec![
        fitting(app, state, width),
        Line::from(vec![
            label("labels"),
            Span::styled(fit(look, &labels(host), width.saturating_sub(LABEL)), look.text),
        ]),
    ];
    lines.push(Line::default());
    lines.push(Line::styled("Roads, in the order they are tried", look.title));
    for layer in &host.layers {
        lines.push(fitting(app, road(app, layer), width));
        let why = screen::line(&layer.why);
        if !why.is_empty() {
            let room = width.saturating_sub(LABEL).max(1);
            lines.extend(
                screen::wrap(&why, room)
                    .into_iter()
                    .map(|text| Line::from(vec![label(""), Span::styled(text, look.text)])),
            );
        }
    }
    lines.push(Line::default());
    lines.push(Line::styled("Agent", look.title));
    lines.extend(agent(app, host, width));
    lines.push(Line::default());
    lines.push(Line::styled("Commands that may run here", look.title));
    let commands = app.commands_on(&HostSelector::Host(host.name.clone()));
    if commands.is_empty() {
        lines.push(Line::styled("  none; `[commands.*]` says which", look.muted));
    }
    lines.extend(commands.iter().map(|command| command_row(app, command, width)));
    let jobs: Vec<_> = panel.jobs.iter().filter(|row| row.host == host.name).collect();
    if !jobs.is_empty() {
        lines.push(Line::default());
        lines.push(Line::styled("Latest jobs", look.title));
    }
    for row in jobs.into_iter().take(JOBS) {
        let title = fit(look, &screen::line(&row.title), width.saturating_sub(20));
        lines.push(Line::from(vec![
            Span::styled(
                format!("  {} {} ", look.sign(&row.state), fit(look, &state_word(&row.state), 10)),
                look.job(&row.state),
            ),
            Span::styled(format!("{:>4} ", age(row.asked, app.now)), look.muted),
            Span::styled(title.trim_end().to_owned(), look.text),
        ]));
    }
    lines
}

/// What is said of a host below the list: its roads, a line each.
pub(super) fn summary(app: &App, host: &HostPanel, width: usize) -> Vec<Line<'static>> {
    let look = &app.look;
    let mut lines = vec![Line::from(vec![
        Span::styled(host.name.to_string(), look.title),
        Span::styled(
            format!("  {}", fit(look, &labels(host), width.saturating_sub(host.name.as_str().len() + 2)).trim_end()),
            look.muted,
        ),
    ])];
    for layer in &host.layers {
        let mut line = fitting(app, road(app, layer), width);
        let used = line.width();
        // Less than a word or two would only look like one.
        if used + WHY <= width {
            let why = fit(look, &screen::line(&layer.why), width - used - 2);
            line.spans.push(Span::styled(format!("  {}", why.trim_end()), look.text));
        }
        lines.push(line);
    }
    lines
}

/// One road on one line: how it is, since when, how far the agent is over it, when that last answered, how restless it is.
fn road(app: &App, layer: &LayerPanel) -> Line<'static> {
    let look = &app.look;
    let rtt = layer.rtt.map_or_else(|| "-".to_owned(), |rtt| format!("<{}ms", coarse(rtt).as_millis()));
    let good = layer.last_good.map_or_else(|| "never".to_owned(), |at| age(at, app.now));
    let flaps = if layer.flaps > 0 { format!("  {}x down in 1h", layer.flaps) } else { String::new() };
    Line::from(vec![
        Span::styled(format!("  {:8}", layer.kind), look.text),
        Span::styled(format!("{} {:10}", look.sign(&layer.state), layer.state.as_str()), look.layer(&layer.state)),
        Span::styled(format!(" {:>4}  rtt {rtt:>7}  good {good:<5}{flaps}", age(layer.since, app.now)), look.muted),
    ])
}

fn agent(app: &App, host: &HostPanel, width: usize) -> Vec<Line<'static>> {
    let look = &app.look;
    let Some(card) = &host.agent else {
        return vec![Line::styled("  it has not said anything of itself yet", look.muted)];
    };
    // Agent and engine stay still where clocks agree, as they mostly do.
    let skew = if card.skew_ms.abs() < 1_000 {
        "its clock agrees with ours".to_owned()
    } else {
        let seconds = card.skew_ms.abs() / 1_000;
        format!("its clock is {seconds}s {}", if card.skew_ms > 0 { "ahead" } else { "behind" })
    };
    let load = card.load_percent.map(|load| format!(", load {}.{:02}", load / 100, load % 100)).unwrap_or_default();
    let said = format!("  aurora {}, {skew}{load}", screen::line(&card.version));
    let style = if card.skew_ms.abs() > 5_000 { look.warn } else { look.text };
    let mut lines = vec![Line::styled(fit(look, &said, width).trim_end().to_owned(), style)];
    for lost in &card.lost {
        let text = screen::line(&format!("it cannot promise: {lost}"));
        let rows = screen::wrap(&text, width.saturating_sub(4).max(1)).into_iter();
        lines.extend(rows.map(|row| Line::styled(format!("  ! {row}"), look.warn)));
    }
    lines
}

/// One command: its name, how much harm it can do, what it does.
pub(super) fn command_row(app: &App, command: &CommandTemplate, width: usize) -> Line<'static> {
    let look = &app.look;
    let about = screen::line(command.about.as_deref().unwrap_or_default());
    Line::from(vec![
        Span::styled(format!("  {} ", fit(look, command.name.as_str(), 20)), look.text),
        Span::styled(format!("{:9}", command.risk), look.risk(command.risk)),
        Span::styled(fit(look, &about, width.saturating_sub(32)), look.muted),
    ])
}
