//! One job: how it is and what to do, and below that what it writes, what exactly it runs, or what to paste instead.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::model::{End, Job, JobRow, JobState, Lane, Outcome, Stream, age, counted, short_bytes, short_duration};
use crate::protocol::{BridgeRequest, Request};
use crate::screen;

use super::super::action::Action;
use super::super::app::App;
use super::super::bridge::Reach;
use super::super::job::{JobTab, OpenJob, Written};
use super::super::zone;
use super::parts::{fit, heading, marked, tab_regions, with_keys};
use super::plan::{self, LABEL, labelled};

/// Below so many rows only the state stands above what it writes.
const LOW: usize = 14;
/// Columns before a row of output, for the sign of its stream.
pub(in super::super) const MARGIN: u16 = 2;

/// How many rows there are for the open part, and how many lines that has where it is no output.
pub(in super::super) fn body(app: &App) -> (usize, usize) {
    let Some(open) = app.bridge.open_job() else { return (0, 0) };
    let width = usize::from(app.size.0);
    let above = 2 + head(app, open, width).len();
    let height = usize::from(app.size.1).saturating_sub(2 + above);
    let lines = if open.tab == JobTab::Output { 0 } else { part(app, open, width).len() };
    (height, lines)
}

pub(super) fn draw(app: &App, open: &OpenJob, frame: &mut Frame<'_>, area: Rect) {
    let look = &app.look;
    let width = usize::from(area.width);
    let row = row(app, open);
    let name =
        row.as_ref().map_or_else(|| open.id.to_string(), |row| format!("{} on {}", screen::line(&row.title), row.host));
    let keys =
        [(Action::CancelJob, "stops it"), (Action::ResolveJob, "says whether it ran"), (Action::JobHost, "its host")];
    let can: Vec<_> = keys.into_iter().filter(|(action, _)| app.why_not(*action).is_none()).collect();
    let title = Line::from(Span::styled(fit(look, &name, screen::width(&name).min(width)), look.title));
    let area = heading(app, with_keys(app, title, &can, area.width), frame, area);
    let head = head(app, open, width);
    let [above, tabs, rest] = ratatui::layout::Layout::vertical([
        ratatui::layout::Constraint::Length(u16::try_from(head.len()).unwrap_or(u16::MAX)),
        ratatui::layout::Constraint::Length(1),
        ratatui::layout::Constraint::Min(0),
    ])
    .areas(area);
    frame.render_widget(marked(app, head), above);
    tab_regions(app, JobTab::ALL.map(JobTab::name), tabs);
    frame.render_widget(marked(app, tab_line(app, open)), tabs);
    let height = usize::from(rest.height);
    let lines: Vec<Line<'_>> = match open.tab {
        JobTab::Output => output(app, open, row.as_ref(), height),
        _ => part(app, open, width).into_iter().skip(open.scroll).take(height).collect(),
    };
    frame.render_widget(marked(app, lines), rest);
}

/// The job as lists show it, from the newest that is known.
fn row(app: &App, open: &OpenJob) -> Option<JobRow> {
    app.job_row(open.id).cloned().or_else(|| open.job.as_ref().map(|job| job.row()))
}

/// What stands above the tabs.
fn head(app: &App, open: &OpenJob, width: usize) -> Vec<Line<'static>> {
    let mut lines = match row(app, open) {
        Some(row) => summary(app, &row, open.job.as_deref(), width),
        None if open.is_missing => vec![Line::styled("no job has this id", app.look.muted)],
        None => vec![Line::styled("it is on its way", app.look.muted)],
    };
    if usize::from(app.size.1) < LOW {
        lines.truncate(2);
    }
    lines
}

fn tab_line(app: &App, open: &OpenJob) -> Line<'static> {
    let look = &app.look;
    let mut spans = Vec::new();
    for tab in JobTab::ALL {
        spans.push(Span::styled(format!(" {} ", tab.name()), if tab == open.tab { look.tab } else { look.muted }));
    }
    if open.tab == JobTab::Output {
        let output = &open.output;
        if let Some(new) = output.paused() {
            let follow = app.key_of(Action::Last).map(|key| format!(", {key} to follow")).unwrap_or_default();
            spans.push(Span::styled(format!("  paused, {new} new{follow}"), look.warn));
        }
        if output.cut > 0 {
            spans.push(Span::styled(format!("  {} cut out of the middle", short_bytes(output.cut)), look.warn));
        }
        if output.gone() > 0 {
            spans.push(Span::styled(format!("  {} earlier lines are not held here", output.gone()), look.warn));
        }
    }
    Line::from(spans)
}

/// How a job is, why, what to do about it, and who asked.
pub(super) fn summary(app: &App, row: &JobRow, job: Option<&Job>, width: usize) -> Vec<Line<'static>> {
    let look = &app.look;
    let room = width.saturating_sub(LABEL).max(1);
    let mut lines = Vec::new();
    let state = format!("{} {}", look.sign(&row.state), state(app, row));
    for (number, text) in screen::wrap(&screen::line(&state), room).into_iter().enumerate() {
        let label = if number == 0 { "state" } else { "" };
        let style = look.job(&row.state);
        lines.push(Line::from(vec![Span::styled(format!("{label:LABEL$}"), look.muted), Span::styled(text, style)]));
    }
    if let Some(next) = next(app, row) {
        for (number, text) in screen::wrap(&next, room).into_iter().enumerate() {
            let label = if number == 0 { "next" } else { "" };
            lines.push(Line::from(vec![
                Span::styled(format!("{label:LABEL$}"), look.muted),
                Span::styled(text, look.text),
            ]));
        }
    }
    let rollout = app.bridge_panel().rollouts.iter().find(|rollout| Some(rollout.id) == row.rollout);
    if let Some(rollout) = rollout {
        lines.extend(labelled(look, "rollout", &screen::line(&rollout.told()), room));
    }
    let tries = match row.attempts {
        0 => "no try yet".to_owned(),
        tries => counted(tries, "try"),
    };
    let mut asked = format!("by {} {}, {tries}", row.by, age(row.asked, app.now));
    if let Some(job) = job {
        let until = zone::clock(job.not_after, app.zone());
        // Of one that is held back the time to start counts from when it is let go.
        let counts = !matches!(row.state, JobState::Ended(_) | JobState::Staged { .. } | JobState::AwaitingApproval(_));
        let over = if counts { format!(", starts until {until}") } else { String::new() };
        let lane = match job.lane {
            Lane::Urgent | Lane::Normal => String::new(),
            last => format!(", {}", last.as_str()),
        };
        asked = format!("{asked}, {} risk{lane}{over}", job.risk);
    }
    lines.push(Line::from(vec![
        Span::styled(format!("{:LABEL$}", "asked"), look.muted),
        Span::styled(fit(look, &asked, room).trim_end().to_owned(), look.text),
    ]));
    if let Some(left) = job.and_then(|job| job.left.as_ref()) {
        lines.extend(labelled(look, "cancelled", &screen::line(left), room));
    }
    lines
}

fn state(app: &App, row: &JobRow) -> String {
    let over = row.layer.map(|layer| format!(" over {layer}")).unwrap_or_default();
    match &row.state {
        JobState::AwaitingApproval(id) => format!("waits for approval {id}"),
        JobState::Staged { why } => format!("waits for its stage: {why}"),
        JobState::Queued { position: 0, why } => format!("queued, the next one: {why}"),
        JobState::Queued { position, why } => format!("queued, {position} before it: {why}"),
        JobState::Sending => format!("on its way{over}"),
        JobState::Unsure => format!("handed over{over}, and its host has not said that it has it"),
        JobState::Accepted => format!("its host has it in its journal{over} and starts it"),
        JobState::Running => {
            let since = row.started.map(|at| format!(" since {}", age(at, app.now))).unwrap_or_default();
            format!("running{since}{over}")
        }
        JobState::Cancelling => "its processes are being stopped".to_owned(),
        JobState::Ended(Outcome::Done(end)) => {
            let took = row.started.zip(row.ended).and_then(|(from, to)| to.duration_since(from).try_into().ok());
            let took = took.map(|took| format!(" after {}", short_duration(took))).unwrap_or_default();
            let said = match end {
                End::Submitted => "its pane took it",
                End::TypedNotConfirmed => "look at its pane; it is never typed again by itself",
                end if end.is_good() => "it worked",
                _ => "it failed",
            };
            format!("done: {end}{took}{over}; {said}")
        }
        JobState::Ended(Outcome::NotRun { rule, reason }) => {
            format!("it did not run and never will ({rule}): {reason}")
        }
        JobState::Ended(Outcome::Unknown { reason }) => format!("unknown: it may have run: {reason}"),
    }
}

/// What a person can do about it, where there is anything.
fn next(app: &App, row: &JobRow) -> Option<String> {
    let key = |action| app.key_of(action).unwrap_or_else(|| "the palette".to_owned());
    match &row.state {
        JobState::Ended(Outcome::Unknown { .. }) => Some(format!(
            "look on {} whether it ran; {} says so. It is never sent again.",
            row.host,
            key(Action::ResolveJob)
        )),
        JobState::Ended(_) => None,
        state => {
            let host = app.bridge_panel().hosts.iter().find(|host| host.name == row.host);
            if host.is_some_and(|host| Reach::of(host) == Reach::Gone) {
                return Some(format!(
                    "no road leads to {}; By hand has the lines to paste there, and they run it once whatever else comes",
                    row.host
                ));
            }
            (*state == JobState::Unsure)
                .then(|| "its host is asked before anything is sent again; it starts at most once".to_owned())
        }
    }
}

/// The rows of output there is room for.
fn output(app: &App, open: &OpenJob, row: Option<&JobRow>, height: usize) -> Vec<Line<'static>> {
    let look = &app.look;
    if open.output.is_empty() {
        let over = row.is_some_and(|row| row.state.outcome().is_some());
        let text = if over && open.output.is_whole { "it wrote nothing" } else { "it has written nothing yet" };
        return vec![Line::styled(format!("  {text}"), look.muted)];
    }
    let line = |row: &Written| match row {
        Written::Line(Stream::Out, text) => Line::styled(format!("  {text}"), look.text),
        Written::Line(Stream::Err, text) => {
            Line::from(vec![Span::styled("! ", look.warn), Span::styled(text.clone(), look.warn)])
        }
        Written::Gap(text) => Line::styled(format!("  {text}"), look.crit),
    };
    open.output.shown(height).map(line).collect()
}

/// What is shown under the other tabs.
fn part(app: &App, open: &OpenJob, width: usize) -> Vec<Line<'static>> {
    if open.tab == JobTab::ByHand { by_hand(app, open, width) } else { exactly(app, open, width) }
}

fn exactly(app: &App, open: &OpenJob, width: usize) -> Vec<Line<'static>> {
    let look = &app.look;
    let Some(job) = &open.job else { return vec![Line::styled("  it is on its way", look.muted)] };
    let room = width.saturating_sub(LABEL);
    let mut lines = plan::lines(look, &job.plan, width);
    lines.extend(labelled(look, "hash", job.hash.as_str(), room));
    lines.extend(labelled(look, "job", &job.id.to_string(), room));
    if let Some(only) = job.only {
        lines.extend(labelled(look, "only over", only.as_str(), room));
    }
    lines.push(Line::default());
    lines.push(Line::styled("Tries", look.title));
    if job.attempts.is_empty() {
        lines.push(Line::styled("  none yet", look.muted));
    }
    for attempt in &job.attempts {
        let at = zone::clock(attempt.at, app.zone());
        let what = format!("{at} {:8} {}", attempt.layer, screen::line(&attempt.what));
        lines.extend(
            screen::wrap(&what, width.saturating_sub(2).max(1))
                .into_iter()
                .map(|row| Line::styled(format!("  {row}"), look.text)),
        );
    }
    lines
}

fn by_hand(app: &App, open: &OpenJob, width: usize) -> Vec<Line<'static>> {
    let look = &app.look;
    let told = |text: &str| {
        let rows = screen::wrap(text, width.saturating_sub(2).max(1)).into_iter();
        rows.map(|row| Line::styled(format!("  {row}"), look.muted)).collect::<Vec<_>>()
    };
    let Some(row) = row(app, open) else { return told("it is on its way") };
    if matches!(row.state.outcome(), Some(Outcome::Done(_) | Outcome::NotRun { .. })) {
        return told("the job is over: there is nothing to paste");
    }
    if let Some(why) = app.denied(&Request::Bridge(BridgeRequest::Manual(open.id))) {
        return told(&screen::line(&why));
    }
    let lines = match &open.by_hand {
        None => return told("they are on their way"),
        Some(Err(why)) => return told(&screen::line(why)),
        Some(Ok(lines)) => lines,
    };
    let mut all =
        told(&format!("Paste this on {}, whole. It runs there once, whatever else brings it there:", row.host));
    all.push(Line::default());
    // From the first column on and without a mark, so that what is selected with the mouse is what is pasted.
    for line in lines {
        all.extend(screen::chop(&screen::line(line), width.max(1)).into_iter().map(|row| Line::styled(row, look.text)));
    }
    all.push(Line::default());
    let key = app.key_of(Action::ResolveJob).unwrap_or_else(|| "the palette".to_owned());
    all.extend(told(&format!("Without a road nobody hears of it here: {key} says whether it ran.")));
    all
}
