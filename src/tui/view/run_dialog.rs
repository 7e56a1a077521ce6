//! Running a command: the choice, its values, and exactly what would run.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};

use crate::model::Course;
use crate::protocol::Preview;
use crate::screen;

use super::super::app::App;
use super::super::run_dialog::{RunDialog, Step, kind};
use super::host::command_row;
use super::parts::{list, marked, overlay};
use super::plan::{self, LABEL, labelled};

/// Columns and rows it has at most.
const SIZE: (u16, u16) = (90, 24);

pub(super) fn draw(app: &App, dialog: &RunDialog, frame: &mut Frame<'_>, area: Rect) {
    let look = &app.look;
    let name = dialog.chosen.as_ref().map_or_else(|| "a command".to_owned(), |command| command.name.to_string());
    let step = match &dialog.step {
        Step::Choose => "which one?",
        Step::Fill => "with which values?",
        Step::Asking => "asking what that is",
        Step::Look(_) => "this would run",
        Step::Refused(_) => "it cannot run",
    };
    let name = if matches!(dialog.step, Step::Choose) { "a command".to_owned() } else { name };
    let at = dialog.node.as_ref().map(|node| format!(" of @{node}")).unwrap_or_default();
    let inside = overlay(app, &format!("Run {name} on {}{at}: {step}", dialog.on), SIZE, frame, area);
    match &dialog.step {
        Step::Choose => choose(app, dialog, frame, inside),
        Step::Fill => fill(app, dialog, frame, inside),
        Step::Asking => {
            let whom = dialog.node.as_ref().map_or_else(|| "the engine".to_owned(), ToString::to_string);
            frame.render_widget(marked(app, Line::styled(format!("{whom} is asked"), look.muted)), inside);
        }
        Step::Refused(why) => {
            let rows = screen::wrap(&screen::line(why), usize::from(inside.width).max(1)).into_iter();
            let lines: Vec<Line<'_>> = rows.map(|row| Line::styled(row, look.crit)).collect();
            frame.render_widget(marked(app, lines), inside);
        }
        Step::Look(preview) => look_at(app, dialog, preview, frame, inside),
    }
}

fn choose(app: &App, dialog: &RunDialog, frame: &mut Frame<'_>, area: Rect) {
    let look = &app.look;
    let [field, rows] = Layout::vertical([Constraint::Length(1), Constraint::Min(0)]).areas(area);
    let typed = dialog.field.lines().first().map_or("", String::as_str);
    let mut line = vec![Span::styled(screen::line(typed), look.text), Span::styled(" ", look.selected)];
    if typed.is_empty() {
        line.push(Span::styled(" type to narrow; enter takes one", look.muted));
    }
    frame.render_widget(marked(app, Line::from(line)), field);
    let fitting = dialog.fitting();
    if fitting.is_empty() {
        let none = Line::styled("  no command that may run here fits", look.muted);
        return frame.render_widget(marked(app, none), rows);
    }
    list(app, &fitting, dialog.selected, frame, rows, |command, width| command_row(app, command, width));
}

fn fill(app: &App, dialog: &RunDialog, frame: &mut Frame<'_>, area: Rect) {
    let look = &app.look;
    let room = usize::from(area.width).max(1);
    let mut lines = Vec::new();
    let mut first = 0;
    for (number, value) in dialog.values.iter().enumerate() {
        let is_here = number == dialog.at;
        if is_here {
            first = lines.len();
        }
        let name = screen::line(&value.argument.name);
        let mut line = vec![
            Span::styled(format!("{name} = "), if is_here { look.key } else { look.muted }),
            Span::styled(screen::line(value.typed()), look.text),
        ];
        if is_here {
            line.push(Span::styled(" ", look.selected));
        }
        lines.push(Line::from(line));
        if !is_here {
            continue;
        }
        let about = format!("  {}", screen::line(&kind(&value.argument.kind)));
        lines.extend(screen::wrap(&about, room).into_iter().map(|row| Line::styled(row, look.muted)));
        let fitting = value.fitting();
        if !fitting.is_empty() {
            let words = format!("  tab: {}", screen::line(&fitting.join(" ")));
            lines.extend(screen::wrap(&words, room).into_iter().map(|row| Line::styled(row, look.text)));
        }
        if !value.typed().is_empty()
            && let Some(mistake) = value.mistake()
        {
            let text = format!("  {}", screen::line(&mistake));
            lines.extend(screen::wrap(&text, room).into_iter().map(|row| Line::styled(row, look.warn)));
        }
    }
    lines.push(Line::styled("enter goes on, up and down choose a value, esc goes back", look.muted));
    let height = usize::from(area.height);
    let skip = if lines.len() > height { first.min(lines.len() - height) } else { 0 };
    let lines: Vec<Line<'_>> = lines.into_iter().skip(skip).collect();
    frame.render_widget(marked(app, lines), area);
}

fn look_at(app: &App, dialog: &RunDialog, preview: &Preview, frame: &mut Frame<'_>, area: Rect) {
    let look = &app.look;
    let width = usize::from(area.width);
    let room = width.saturating_sub(LABEL);
    let mut lines = Vec::new();
    let mut over: Vec<String> = Vec::new();
    for (host, layer) in &preview.layers {
        let layer = layer.map_or("no road now: it waits for one", |layer| layer.as_str());
        over.push(if preview.layers.len() > 1 { format!("{host}: {layer}") } else { layer.to_owned() });
    }
    lines.push(Line::from(vec![
        Span::styled(format!("{:LABEL$}", "risk"), look.muted),
        Span::styled(preview.risk.to_string(), look.risk(preview.risk)),
    ]));
    if preview.need > 0 {
        let people = if preview.need == 1 {
            "1 other person has".to_owned()
        } else {
            format!("{} other people have", preview.need)
        };
        lines.extend(labelled(look, "waits", &format!("{people} to say yes first; it waits under Approvals"), room));
    }
    for (label, text) in preview.rollout.iter().flat_map(Course::told) {
        lines.extend(labelled(look, &label, &text, room));
    }
    lines.extend(labelled(look, "over", &over.join(", "), room));
    lines.extend(labelled(look, "hash", preview.hash.as_str(), room));
    for plan in &preview.plans {
        lines.push(Line::default());
        lines.extend(plan::lines(look, plan, width));
    }
    lines.extend(preview.rollout.iter().flat_map(|course| plan::undoing(look, course, width)));
    let mut below = Vec::new();
    match &preview.confirm {
        Some(wanted) => {
            below.push(Line::from(vec![
                Span::styled(format!("type {} to run it: ", screen::exact(wanted)), look.warn),
                Span::styled(screen::line(dialog.confirmed()), look.text),
                Span::styled(" ", look.selected),
            ]));
            below.push(Line::from(vec![
                Span::styled("enter", look.key),
                Span::styled(" runs it   ", look.text),
                Span::styled("esc", look.key),
                Span::styled(" goes back", look.text),
            ]));
        }
        None => below.push(Line::from(vec![
            Span::styled("y", look.key),
            Span::styled(if preview.need > 0 { " asks for it   " } else { " runs it   " }, look.text),
            Span::styled("esc", look.key),
            Span::styled(" goes back", look.text),
        ])),
    }
    let height = usize::from(area.height).saturating_sub(below.len());
    let hidden = lines.len().saturating_sub(height.saturating_sub(1).max(1));
    let skip = if lines.len() > height { dialog.scroll.min(hidden) } else { 0 };
    let more = lines.len().saturating_sub(skip) > height;
    let mut shown: Vec<Line<'_>> = lines.into_iter().skip(skip).take(height).collect();
    if more && let Some(last) = shown.last_mut() {
        *last = Line::styled("down shows more", look.warn);
    }
    shown.extend(below);
    frame.render_widget(marked(app, shown), area);
}
