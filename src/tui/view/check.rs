//! One check: how it stands, where its time goes, what it was like, and its last failures in full.

use std::time::Duration;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::model::{CheckHistory, CheckPanel, CheckState, Failure, HistorySlot, Phase, age, short_duration};
use crate::screen;

use super::super::action::Action;
use super::super::app::App;
use super::super::health::{OpenCheck, Watched};
use super::super::styles::Look;
use super::super::zone;
use super::health::{percent, sign, strip, word};
use super::parts::{fit, heading, marked, with_keys};
use super::plan::LABEL;

/// Columns of the bar of phases.
const BAR: u128 = 50;

pub(super) fn draw(app: &App, open: &OpenCheck, check: Option<Watched<'_>>, frame: &mut Frame<'_>, area: Rect) {
    let keys = [(Action::Back, "goes back"), (Action::CheckNow, "looks now")];
    // Only its own node looks at it.
    let known = if open.id.node.is_some() { 1 } else { 2 };
    let title = Line::from(Span::styled(open.id.to_string(), app.look.title));
    let area = heading(app, with_keys(app, title, &keys[..known], area.width), frame, area);
    let lines = lines(app, open, check, usize::from(area.width));
    let lines: Vec<Line<'_>> = lines.into_iter().skip(open.scroll).take(usize::from(area.height)).collect();
    frame.render_widget(marked(app, lines), area);
}

/// Everything there is to say about a check.
pub(in super::super) fn lines(
    app: &App,
    open: &OpenCheck,
    check: Option<Watched<'_>>,
    width: usize,
) -> Vec<Line<'static>> {
    let look = &app.look;
    let Some(check) = check else {
        return vec![Line::styled("This check is no longer configured.", look.muted)];
    };
    let mut lines = summary(app, &check, width, true, true);
    lines.push(Line::default());
    if let Some(node) = check.node {
        lines.push(Line::styled(format!("Its past is kept by {}.", node.name), look.muted));
        return lines;
    }
    match &open.history {
        None => lines.push(Line::styled("its past is on its way", look.muted)),
        Some(history) => lines.extend(past(app, history, width)),
    }
    lines
}

/// What is said of a check beside or below the list: state, cause, its strip unless that is drawn already, and what took
/// longest; all phases with a bar of them where they are not drawn again at every move.
pub(super) fn summary(
    app: &App,
    one: &Watched<'_>,
    width: usize,
    with_strip: bool,
    with_bar: bool,
) -> Vec<Line<'static>> {
    let (look, check) = (&app.look, one.check);
    let about = format!("{} {}, every {}", check.kind, screen::line(&check.target), short_duration(check.interval));
    let soft = check.soft.map(|soft| format!("; {}", soft.told()));
    let enabled = if check.enabled { "" } else { "; not enabled" };
    let since = match age(check.since, app.now).as_str() {
        "now" => "just now".to_owned(),
        since => format!("for {since}"),
    };
    let soft = soft.unwrap_or_default();
    let state = match one.old_since() {
        None => format!("{} {since}{soft}{enabled}", word(one)),
        Some(old) => {
            let (old, was) = (age(old, app.now), check.state.as_str());
            format!("{}: this is {old} old, as its node is not heard; it was {was} {since}{soft}{enabled}", word(one))
        }
    };
    // Nobody knows whether a node that is not heard looks again.
    let next = check.next.filter(|_| one.old_since().is_none());
    let next = next.map_or_else(String::new, |next| format!(", next {}", age(app.now, next)));
    let last = check.last.map_or_else(|| "never looked".to_owned(), |last| format!("looked {}", age(last, app.now)));
    let cause = check.cause.as_deref().map(screen::line);
    let without_cause = match (check.last, check.state) {
        (None, _) => "nobody has looked yet",
        (Some(_), CheckState::Ok) => "everything that must hold holds",
        _ => "-",
    };
    let known = |value: Option<Duration>| value.map_or_else(|| "-".to_owned(), short_duration);
    let figures = format!(
        "p50 {}  p95 {}  p99 {}  uptime {}  {last}{next}",
        known(check.p50),
        known(check.p95),
        known(check.p99),
        check.uptime_24h.map_or_else(|| "-".to_owned(), percent)
    );
    let step = format!("each {}", short_duration(check.strip.step));
    let label = |text: &str| Span::styled(format!("{text:LABEL$}"), look.muted);
    let room = width.saturating_sub(LABEL);
    let name = one.of().to_string();
    let mut lines = vec![
        Line::from(vec![
            Span::styled(format!("{} ", fit(look, &name, name.len().min(24))), look.title),
            Span::styled(fit(look, &about, width.saturating_sub(25)), look.muted),
        ]),
        Line::from(vec![label("state"), Span::styled(format!("{} {state}", sign(look, one)), look.check(one.state()))]),
        Line::from(vec![
            label("cause"),
            Span::styled(fit(look, cause.as_deref().unwrap_or(without_cause), room), look.text),
        ]),
        Line::from(vec![label("24 hours"), Span::styled(fit(look, &figures, room), look.text)]),
    ];
    let time = if with_bar {
        let named = Line::from(vec![label(""), Span::styled(fit(look, &phases(check), room), look.muted)]);
        vec![Line::from([vec![label("time")], bar(look, check)].concat()), named]
    } else {
        let latency = check.latency.map_or_else(|| "-".to_owned(), short_duration);
        let text = format!("{latency:7} {}", longest(check));
        vec![Line::from(vec![label("time"), Span::styled(fit(look, &text, room), look.text)])]
    };
    // Before the figures of the day.
    lines.splice(3..3, time);
    if let Some(sights) = &check.sights {
        let told = screen::line(&sights.told());
        lines.insert(3, Line::from(vec![label("seen by"), Span::styled(fit(look, &told, room), look.text)]));
    }
    // Other nodes share how their checks stand, and not every look.
    if with_strip && (one.node.is_none() || !check.strip.slots.is_empty()) {
        lines.push(Line::from([vec![label(&step)], strip(look, check, room)].concat()));
    }
    lines
}

fn phase_name(phase: Phase) -> (&'static str, &'static str) {
    match phase {
        Phase::Dns => ("d", "dns"),
        Phase::Connect => ("c", "connect"),
        Phase::Tls => ("t", "tls"),
        Phase::FirstByte => ("f", "first byte"),
        Phase::Transfer => ("x", "transfer"),
    }
}

/// The whole time and a bar of letters, each as long as its share.
fn bar(look: &Look, check: &CheckPanel) -> Vec<Span<'static>> {
    let Some(latency) = check.latency else { return vec![Span::styled("-", look.muted)] };
    let all: u128 = check.phases.iter().map(|(_, took)| took.as_micros()).sum();
    let mut drawn = String::new();
    let mut past = 0;
    for (phase, took) in &check.phases {
        past += took.as_micros();
        // What lies before is rounded, not each share, so that the whole bar has its length.
        while all > 0 && drawn.len() as u128 * all * 2 + all <= past * BAR * 2 {
            drawn.push_str(phase_name(*phase).0);
        }
    }
    vec![Span::styled(format!("{:7} ", short_duration(latency)), look.text), Span::styled(drawn, look.key)]
}

/// The parts of the time by name.
fn phases(check: &CheckPanel) -> String {
    check.phases.iter().map(named).collect::<Vec<_>>().join(", ")
}

fn named((phase, took): &(Phase, Duration)) -> String {
    format!("{} {}", phase_name(*phase).1, short_duration(*took))
}

/// The part that took longest, where there are several.
fn longest(check: &CheckPanel) -> String {
    let part = check.phases.iter().max_by_key(|(_, took)| *took).filter(|_| check.phases.len() > 1);
    part.map(|part| format!("most of it {}", named(part))).unwrap_or_default()
}

fn past(app: &App, history: &CheckHistory, width: usize) -> Vec<Line<'static>> {
    let look = &app.look;
    let mut lines = vec![Line::styled(
        format!(
            "{:17} {:>8} {:>8} {:>8} {:>8} {:>6} {:>6} {:>6}",
            format!("from ({})", zone::name(app.now, app.zone())),
            "uptime",
            "p50",
            "p95",
            "p99",
            "ok",
            "warn",
            "crit"
        ),
        look.title,
    )];
    lines.push(slot("all", &history.total, look));
    for stretch in history.slots.iter().rev() {
        lines.push(slot(&zone::minute(stretch.from, app.zone()), stretch, look));
    }
    lines.push(Line::default());
    if history.failures.is_empty() {
        lines.push(Line::styled("no failure is kept", look.muted));
    } else {
        lines.push(Line::styled("Last failures, the newest first", look.title));
    }
    for failure in &history.failures {
        lines.extend(in_full(app, failure, width));
    }
    lines
}

fn slot(name: &str, slot: &HistorySlot, look: &Look) -> Line<'static> {
    let known = |value: Option<Duration>| value.map_or_else(|| "-".to_owned(), short_duration);
    let uptime = slot.uptime.map_or_else(|| "-".to_owned(), percent);
    let text = format!(
        "{name:17} {uptime:>8} {:>8} {:>8} {:>8} {:>6} {:>6} {:>6}",
        known(slot.p50),
        known(slot.p95),
        known(slot.p99),
        slot.ok,
        slot.warn,
        slot.critical
    );
    Line::styled(text, if slot.critical > 0 { look.crit } else { look.text })
}

fn in_full(app: &App, failure: &Failure, width: usize) -> Vec<Line<'static>> {
    let look = &app.look;
    let seen = &failure.observation;
    let head = format!(
        "{} ({}), after {}",
        zone::moment(seen.at, app.zone()),
        age(seen.at, app.now),
        short_duration(seen.took)
    );
    let cause = seen.cause.as_deref().map(screen::line).unwrap_or_default();
    let mut lines = vec![Line::styled(head, look.muted)];
    let mut tell = |indent: usize, text: &str, style| {
        let wrapped = screen::wrap(text, width.saturating_sub(indent).max(1));
        lines.extend(wrapped.into_iter().map(|line| Line::styled(format!("{}{line}", " ".repeat(indent)), style)));
    };
    tell(2, &cause, look.check(failure.state));
    let values: Vec<String> = seen.values.iter().map(|(name, value)| format!("{name} = {value}")).collect();
    if !values.is_empty() {
        tell(4, &screen::line(&values.join(", ")), look.muted);
    }
    for step in &seen.steps {
        tell(4, &format!("{:>7}  {}", short_duration(step.at), screen::line(&step.text)), look.text);
    }
    lines
}
