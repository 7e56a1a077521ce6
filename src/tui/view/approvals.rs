//! Approvals: what waits for other people's yes, and exactly what would run.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};

use crate::model::{Approval, ApprovalState, Course, Plan, age};
use crate::screen;

use super::super::action::Action;
use super::super::app::App;
use super::super::approvals::OpenApproval;
use super::super::not_ok::ok_among;
use super::super::zone;
use super::parts::{Row, all_ok, fit, heading, list, marked, not_listed, with_keys};
use super::plan::{self, LABEL, labelled};

/// Below so many rows there is nothing below the list.
const LOW: u16 = 18;
/// Below this width a row names hardly more than the command.
const NARROW: usize = 70;
/// Below this one it does not count who said yes.
const SMALL: usize = 54;
/// From this width on it has room for who asked.
const WITH_ASKER: usize = 100;

/// How many lines the open approval takes.
pub(in super::super) fn lines(app: &App) -> usize {
    app.approvals.open.as_ref().map_or(0, |open| of_open(app, open, usize::from(app.size.0)).len())
}

pub(super) fn draw(app: &App, frame: &mut Frame<'_>, area: Rect) {
    let look = &app.look;
    let approvals = &app.bridge_panel().approvals;
    if let Some(open) = &app.approvals.open {
        let keys = [(Action::Back, "goes back"), (Action::Grant, "says yes"), (Action::Deny, "says no")];
        let title = Line::from(Span::styled(open.id.to_string(), look.title));
        let area = heading(app, with_keys(app, title, &keys, area.width), frame, area);
        let lines = of_open(app, open, usize::from(area.width)).into_iter();
        let lines: Vec<Line<'_>> = lines.skip(open.scroll).take(usize::from(area.height)).collect();
        return frame.render_widget(marked(app, lines), area);
    }
    let waiting = approvals.iter().filter(|approval| approval.state == ApprovalState::Open).count();
    let mut title = Line::from(vec![
        Span::styled("Approvals", look.title),
        Span::styled(format!("   {waiting} open"), if waiting > 0 { look.warn } else { look.muted }),
    ]);
    title.spans.extend(not_listed(app, ok_among(approvals), 0));
    let area = heading(app, title, frame, area);
    let shown = app.approvals.shown(approvals);
    if shown.is_empty() {
        let none = if approvals.is_empty() { "nothing waits for a yes".to_owned() } else { all_ok(app) };
        let text = Span::styled(format!("  {none}"), look.muted);
        return frame.render_widget(marked(app, text), area);
    }
    let index = app.approvals.index(&shown);
    let [above, told] = Layout::vertical([Constraint::Min(3), Constraint::Length(below(app))]).areas(area);
    list(app, &shown, index, frame, above, |approval, width| row(app, approval, width));
    let mut lines =
        shown.get(index).map(|approval| in_full(app, approval, usize::from(told.width))).unwrap_or_default();
    let room = usize::from(told.height);
    if lines.len() > room {
        lines.truncate(room.saturating_sub(1));
        let more = app.key_of(Action::Open).map(|key| format!("{key} shows the rest of it")).unwrap_or_default();
        lines.push(Line::styled(more, look.muted));
    }
    frame.render_widget(marked(app, lines), told);
}

/// Rows below the list on this screen: what is asked of whoever says yes is read before.
fn below(app: &App) -> u16 {
    if app.size.1 < LOW { 0 } else { app.size.1 / 2 }
}

/// One approval on one line: how it stands, what, where, who asked, how many of how many, how long it can be answered.
fn row(app: &App, approval: &Approval, width: usize) -> Row {
    let look = &app.look;
    // Half of the room is for what would be done, with its values.
    let named = if width < NARROW { 18 } else { (width / 2).saturating_sub(14) };
    let line = Line::from(vec![
        Span::styled(
            format!("{} {:9} ", look.sign(&approval.state), approval.state.as_str()),
            look.approval(approval.state),
        ),
        Span::styled(fit(look, &title(approval), named), look.text),
    ]);
    let left = if approval.state == ApprovalState::Open { left(app, approval) } else { age(approval.asked, app.now) };
    // Where little fits, how long there is to answer is worth more than how many have.
    let told = match width {
        SMALL.. => format!(" {} of {} yes  {left:>9}", approval.yes(), approval.need),
        _ => format!(" {left:>8}"),
    };
    let by = if width < WITH_ASKER { String::new() } else { format!(" by {}", fit(look, approval.by.as_str(), 10)) };
    let taken = 12 + named + told.len() + screen::width(&by) + 1;
    let rest = vec![
        Span::styled(format!(" {}", fit(look, &hosts(approval), width.saturating_sub(taken))), look.text),
        Span::styled(by, look.muted),
        Span::styled(told, look.text),
    ];
    Row { line, rest }
}

fn left(app: &App, approval: &Approval) -> String {
    if approval.expires <= app.now {
        return "over".to_owned();
    }
    format!("{} left", age(app.now, approval.expires))
}

/// What would be done, as jobs call it, and how much harm it could do.
fn title(approval: &Approval) -> String {
    let title = approval.plans.first().map_or_else(|| "-".to_owned(), Plan::title);
    screen::line(&format!("{title} ({} risk)", approval.risk))
}

fn hosts(approval: &Approval) -> String {
    let names: Vec<&str> = approval.plans.iter().map(|plan| plan.host.as_str()).collect();
    names.join(" ")
}

/// What is said of the open approval.
fn of_open(app: &App, open: &OpenApproval, width: usize) -> Vec<Line<'static>> {
    match app.bridge_panel().approvals.iter().find(|approval| approval.id == open.id) {
        Some(approval) => in_full(app, approval, width),
        None => {
            let told = format!("It is not among the newest; `aurora approval show {}` tells of it.", open.id);
            vec![Line::styled(told, app.look.muted)]
        }
    }
}

/// Everything there is to say about an approval.
fn in_full(app: &App, approval: &Approval, width: usize) -> Vec<Line<'static>> {
    let look = &app.look;
    let room = width.saturating_sub(LABEL);
    let Approval { need, by, risk, asked, .. } = approval;
    let until = zone::moment(approval.expires, app.zone());
    let ends = if approval.state == ApprovalState::Open {
        format!("{until}, {}", left(app, approval))
    } else {
        format!("it is over; it could be answered until {until}")
    };
    let state = format!("{}, {} of {need} have said yes", approval.state.as_str(), approval.yes());
    let mut lines = vec![Line::from(vec![
        Span::styled(format!("{:LABEL$}", "state"), look.muted),
        Span::styled(format!("{} {state}", look.sign(&approval.state)), look.approval(approval.state)),
    ])];
    let me = app.identity.as_ref().map(|identity| &identity.operator);
    if let Some(why) = me.and_then(|me| approval.closed_to(me, true, app.now)) {
        lines.extend(labelled(look, "you", &why, room));
    }
    lines.extend(labelled(look, "asked", &format!("by {by} {}, {risk} risk", age(*asked, app.now)), room));
    lines.extend(labelled(look, "until", &ends, room));
    lines.extend(labelled(look, "hash", approval.hash.as_str(), room));
    for (label, text) in approval.rollout.iter().flat_map(Course::told) {
        lines.extend(labelled(look, &label, &text, room));
    }
    for vote in &approval.votes {
        let said = if vote.yes { "yes" } else { "no" };
        let note = vote.note.as_deref().map(|note| format!(": {}", screen::line(note))).unwrap_or_default();
        let text = format!("{} said {said} {}{note}", vote.by, age(vote.at, app.now));
        lines.extend(labelled(look, "vote", &text, room));
    }
    for plan in &approval.plans {
        lines.push(Line::default());
        lines.extend(plan::lines(look, plan, width));
    }
    lines.extend(approval.rollout.iter().flat_map(|course| plan::undoing(look, course, width)));
    lines
}
