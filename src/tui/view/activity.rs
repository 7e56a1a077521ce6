//! Activity: events, refusals with their reason, tasks, logs.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use crate::model::{Event, EventState, LogLine, Rejection, TaskStatus, age};
use crate::screen;

use super::super::activity::ActivityTab;
use super::super::app::App;
use super::parts::{fit, heading, list};

pub(super) fn draw(app: &App, frame: &mut Frame<'_>, area: Rect) {
    let look = &app.look;
    let mut tabs = vec![Span::styled("Activity  ", look.title)];
    for tab in ActivityTab::ALL {
        tabs.push(Span::styled(
            format!(" {} ", tab.name()),
            if tab == app.activity.tab { look.tab } else { look.muted },
        ));
    }
    let area = heading(Line::from(tabs), frame, area);
    let Some(snapshot) = &app.snapshot else { return };
    let selected = app.activity.index();
    let empty = match app.activity.tab {
        ActivityTab::Events if snapshot.events.is_empty() => "no events yet",
        ActivityTab::Refusals if snapshot.rejections.is_empty() => "nothing was refused",
        ActivityTab::Tasks if snapshot.tasks.is_empty() => "no tasks run",
        ActivityTab::Logs if snapshot.logs.is_empty() => "nothing was logged",
        _ => "",
    };
    if !empty.is_empty() {
        return frame.render_widget(Paragraph::new(Span::styled(format!("  {empty}"), look.muted)), area);
    }
    match app.activity.tab {
        ActivityTab::Events => list(look, &snapshot.events, selected, frame, area, |row, width| event(app, row, width)),
        ActivityTab::Refusals => {
            list(look, &snapshot.rejections, selected, frame, area, |row, width| refusal(app, row, width));
        }
        ActivityTab::Tasks => list(look, &snapshot.tasks, selected, frame, area, |row, width| task(app, row, width)),
        ActivityTab::Logs => list(look, &snapshot.logs, selected, frame, area, |row, width| log(app, row, width)),
    }
}

fn event(app: &App, event: &Event, width: usize) -> Line<'static> {
    let look = &app.look;
    let about = event.cause.as_deref().or(event.subject.as_deref()).unwrap_or_default();
    let state = if event.state == EventState::Dead { look.warn } else { look.muted };
    Line::from(vec![
        Span::styled(format!("{:>4} ", age(event.received, app.now)), look.muted),
        Span::styled(format!("{} ", fit(look, event.channel.as_str(), 10)), look.text),
        Span::styled(format!("{:9} ", event.state.as_str()), state),
        Span::styled(format!("{:9} ", event.assurance.as_str()), look.muted),
        Span::styled(format!("{} ", fit(look, &screen::line(&event.kind), 22)), look.text),
        Span::styled(fit(look, &screen::line(about), width.saturating_sub(59)), look.text),
    ])
}

fn refusal(app: &App, refusal: &Rejection, width: usize) -> Line<'static> {
    let look = &app.look;
    let style = if refusal.alarm { look.warn } else { look.text };
    let channel = refusal.channel.as_deref().unwrap_or("-");
    Line::from(vec![
        Span::styled(format!("{:>4} ", age(refusal.last, app.now)), look.muted),
        Span::styled(format!("{:>5}x ", refusal.count), look.text),
        Span::styled(format!("{} ", fit(look, &screen::line(channel), 10)), look.text),
        Span::styled(format!("{:15} ", refusal.reason), style),
        Span::styled(format!("{} ", fit(look, &refusal.source, 15)), look.muted),
        Span::styled(fit(look, &screen::line(&refusal.detail), width.saturating_sub(55)), look.text),
    ])
}

fn task(app: &App, task: &TaskStatus, width: usize) -> Line<'static> {
    let look = &app.look;
    let error = task.error().map(screen::line).unwrap_or_default();
    Line::from(vec![
        Span::styled(format!("{:9}", task.state.as_str()), look.task(task.state)),
        Span::styled(format!("{:>4}  ", age(task.since, app.now)), look.muted),
        Span::styled(format!("{} ", fit(look, &task.name, 26)), look.text),
        Span::styled(format!("{:>3} restarts  ", task.restarts), look.muted),
        Span::styled(fit(look, &error, width.saturating_sub(56)), look.warn),
    ])
}

fn log(app: &App, line: &LogLine, width: usize) -> Line<'static> {
    let look = &app.look;
    Line::from(vec![
        Span::styled(format!("{:>4} ", age(line.at, app.now)), look.muted),
        Span::styled(format!("{:5} ", line.level.as_str()), look.log(line.level)),
        Span::styled(fit(look, &screen::line(&line.text), width.saturating_sub(11)), look.text),
    ])
}
