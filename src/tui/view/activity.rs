//! Activity: events, refusals with their reason, tasks, logs, the audit log.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::model::{AuditEntry, Event, EventState, LogLine, Rejection, TaskStatus, age, counted};
use crate::protocol::Snapshot;
use crate::screen;

use super::super::action::Action;
use super::super::activity::{Activity, ActivityTab};
use super::super::app::App;
use super::super::tail::{Row, Tail, Told};
use super::super::zone;
use super::parts::{all_ok, fit, heading, list, marked, not_listed, tab_regions};

/// From this width on, what belongs to the list is said in whole sentences.
const WIDE: u16 = 80;
/// Below these widths rows leave out what is known without them: how an event was proved, who was refused, what kind it is.
const NARROW: usize = 70;
const SMALL: usize = 50;
/// From this width on, log lines have their time beside their age.
const WITH_CLOCK: usize = 100;

pub(super) fn draw(app: &App, snapshot: &Snapshot, frame: &mut Frame<'_>, area: Rect) {
    if has_all_tabs(app, area.width) {
        let tabs = Rect { x: area.x + 10, height: 1, ..area }.intersection(area);
        tab_regions(app, ActivityTab::ALL.map(ActivityTab::name), tabs);
    }
    let area = heading(app, title(app, area.width), frame, area);
    let activity = &app.activity;
    match activity.tab {
        ActivityTab::Events => lines(app, &activity.events, "no events yet", frame, area, event),
        ActivityTab::Refusals => lines(app, &activity.refusals, "nothing was refused", frame, area, refusal),
        ActivityTab::Logs => lines(app, &activity.logs, "nothing was logged", frame, area, log),
        ActivityTab::Audit => lines(app, &activity.audit, "nothing was written down", frame, area, audit),
        ActivityTab::Tasks if snapshot.tasks.is_empty() => empty(app, "no tasks run", frame, area),
        ActivityTab::Tasks if app.listed_tasks().is_empty() => empty(app, &all_ok(app), frame, area),
        ActivityTab::Tasks => {
            list(app, &app.listed_tasks(), app.activity_index(), frame, area, |row, width| task(app, row, width));
        }
    }
}

/// Whether there is room for all tabs: on a narrow screen not beside a search, nor where the view is pinned or narrowed.
fn has_all_tabs(app: &App, width: u16) -> bool {
    let is_plain = app.activity.find.is_none() && told(&app.activity).0.is_none() && !app.problems_only();
    width >= WIDE || is_plain
}

/// Lines that came since the view was pinned, and how many match, of the list that is shown.
fn told(activity: &Activity) -> (Option<u64>, Option<(usize, Option<usize>)>) {
    match activity.tab {
        ActivityTab::Events => about(activity, &activity.events),
        ActivityTab::Refusals => about(activity, &activity.refusals),
        ActivityTab::Logs => about(activity, &activity.logs),
        ActivityTab::Audit => about(activity, &activity.audit),
        ActivityTab::Tasks => (None, None),
    }
}

/// How many rows are left out of the list that is shown.
fn left_out(app: &App) -> usize {
    let activity = &app.activity;
    match activity.tab {
        ActivityTab::Events => activity.events.left_out(),
        ActivityTab::Refusals => activity.refusals.left_out(),
        ActivityTab::Logs => activity.logs.left_out(),
        ActivityTab::Audit => activity.audit.left_out(),
        ActivityTab::Tasks => {
            let all = app.snapshot.as_ref().map_or(0, |snapshot| snapshot.tasks.len());
            all - app.listed_tasks().len()
        }
    }
}

/// The tabs, then what is searched or whether the view is pinned.
fn title(app: &App, width: u16) -> Line<'static> {
    let (look, activity) = (&app.look, &app.activity);
    let wide = width >= WIDE;
    let mut spans = vec![Span::styled("Activity  ", look.title)];
    for tab in ActivityTab::ALL {
        if has_all_tabs(app, width) || tab == activity.tab {
            let style = if tab == activity.tab { look.tab } else { look.muted };
            spans.push(Span::styled(format!(" {} ", tab.name()), style));
        }
    }
    spans.extend(not_listed(app, left_out(app), 0));
    let (paused, matches) = told(activity);
    if let (Some(find), Some((count, at))) = (&activity.find, matches) {
        spans.push(Span::styled("  /", look.key));
        spans.push(Span::styled(screen::line(find.typed()), look.text));
        if find.typing {
            spans.push(Span::styled(" ", look.selected));
        }
        let at = at.map_or_else(String::new, |at| format!("{at} of "));
        let style = if count == 0 { look.warn } else { look.muted };
        spans.push(Span::styled(format!("  {at}{count} found"), style));
    }
    if let Some(new) = paused {
        let text = if wide && matches.is_none() {
            let follow = app.key_of(Action::Last).map(|key| format!(", {key} to follow")).unwrap_or_default();
            format!("  paused, {new} new{follow}")
        } else {
            format!("  paused +{new}")
        };
        spans.push(Span::styled(text, look.warn));
    }
    Line::from(spans)
}

/// How many lines came since the view was pinned, and how many match, at which of them the selection is.
fn about<T: Told>(activity: &Activity, tail: &Tail<T>) -> (Option<u64>, Option<(usize, Option<usize>)>) {
    let find = activity.find.as_ref();
    (tail.paused(), find.map(|find| find.pattern().map_or((0, None), |pattern| tail.matches(&pattern))))
}

fn empty(app: &App, why: &str, frame: &mut Frame<'_>, area: Rect) {
    frame.render_widget(marked(app, Span::styled(format!("  {why}"), app.look.muted)), area);
}

fn lines<T: Told>(
    app: &App,
    tail: &Tail<T>,
    none: &str,
    frame: &mut Frame<'_>,
    area: Rect,
    draw: impl Fn(&App, &T, usize) -> Line<'static>,
) {
    if tail.rows().is_empty() {
        return empty(app, none, frame, area);
    }
    let first = tail.first(usize::from(area.height));
    let rows: Vec<&Row<T>> = tail.shown().into_iter().skip(first).take(usize::from(area.height)).collect();
    if rows.is_empty() {
        return empty(app, &all_ok(app), frame, area);
    }
    list(app, &rows, tail.index() - first, frame, area, |row, width| match row {
        Row::Told(line) => draw(app, line, width),
        Row::Skipped(count) => {
            let lines = count.map_or_else(|| "some lines".to_owned(), |count| counted(count, "line"));
            Line::styled(format!("     -- {lines} skipped --"), app.look.warn)
        }
    });
}

fn event(app: &App, event: &Event, width: usize) -> Line<'static> {
    let look = &app.look;
    let about = event.cause.as_deref().or(event.subject.as_deref()).unwrap_or_default();
    let state = if event.state == EventState::Dead { look.warn } else { look.muted };
    // What it is about is worth more than how it was proved.
    let (channel, assurance, kind) = match width {
        NARROW.. => (10, format!("{:10} ", event.assurance.as_str()), 22),
        SMALL.. => (8, String::new(), 16),
        _ => (6, String::new(), 0),
    };
    let taken = 5 + channel + 1 + 12 + assurance.len() + kind + 1;
    Line::from(vec![
        Span::styled(format!("{:>4} ", age(event.received, app.now)), look.muted),
        Span::styled(format!("{} ", fit(look, event.channel.as_str(), channel)), look.text),
        Span::styled(format!("{} {:9} ", look.sign(&event.state), event.state.as_str()), state),
        Span::styled(assurance, look.muted),
        Span::styled(format!("{} ", fit(look, &screen::line(&event.kind), kind)), look.text),
        Span::styled(fit(look, &screen::line(about), width.saturating_sub(taken)), look.text),
    ])
}

fn refusal(app: &App, refusal: &Rejection, width: usize) -> Line<'static> {
    let look = &app.look;
    let style = if refusal.alarm { look.warn } else { look.text };
    let channel = refusal.channel.as_deref().unwrap_or("-");
    let (named, source) = match width {
        NARROW.. => (10, format!("{} ", fit(look, &refusal.source, 15))),
        _ => (8, String::new()),
    };
    let taken = 12 + named + 1 + 16 + source.len();
    Line::from(vec![
        Span::styled(format!("{:>4} ", age(refusal.last, app.now)), look.muted),
        Span::styled(format!("{:>5}x ", refusal.count), look.text),
        Span::styled(format!("{} ", fit(look, &screen::line(channel), named)), look.text),
        Span::styled(format!("{:15} ", refusal.reason), style),
        Span::styled(source, look.muted),
        Span::styled(fit(look, &screen::line(&refusal.detail), width.saturating_sub(taken)), look.text),
    ])
}

fn task(app: &App, task: &TaskStatus, width: usize) -> Line<'static> {
    let look = &app.look;
    let error = task.error().map(screen::line).unwrap_or_default();
    let (named, restarts) = match width {
        NARROW.. => (26, format!("{:>3} restarts  ", task.restarts)),
        SMALL.. => (22, String::new()),
        _ => (14, String::new()),
    };
    let room = width.saturating_sub(17 + named + 1 + restarts.len());
    Line::from(vec![
        Span::styled(format!("{} {:9}", look.sign(&task.state), task.state.as_str()), look.task(task.state)),
        Span::styled(format!("{:>4}  ", age(task.since, app.now)), look.muted),
        Span::styled(format!("{} ", fit(look, &task.name, named)), look.text),
        Span::styled(restarts, look.muted),
        Span::styled(fit(look, &error, room), look.warn),
    ])
}

fn log(app: &App, line: &LogLine, width: usize) -> Line<'static> {
    let look = &app.look;
    let clock = if width >= WITH_CLOCK { format!("{} ", zone::clock(line.at, app.zone())) } else { String::new() };
    let room = width.saturating_sub(13 + clock.len());
    Line::from(vec![
        Span::styled(format!("{:>4} {clock}", age(line.at, app.now)), look.muted),
        Span::styled(format!("{} {:5} ", look.sign(&line.level), line.level.as_str()), look.log(line.level)),
        Span::styled(fit(look, &screen::line(&line.text), room), look.text),
    ])
}

fn audit(app: &App, entry: &AuditEntry, width: usize) -> Line<'static> {
    let look = &app.look;
    let note = &entry.note;
    let by = note.by.as_ref().map_or("aurora", |by| by.as_str());
    // The id of a job or an approval tells little, and the whole of it a key away.
    let what = format!("{} ({})", screen::line(&note.what), screen::line(&note.about));
    Line::from(vec![
        Span::styled(format!("{:>4} ", age(note.at, app.now)), look.muted),
        Span::styled(format!("{} {:9} ", look.sign(&note.kind), note.kind.as_str()), look.audit(note.kind)),
        Span::styled(format!("{} ", fit(look, by, 10)), look.text),
        Span::styled(fit(look, &what, width.saturating_sub(28)), look.text),
    ])
}
