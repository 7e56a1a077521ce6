//! Questions about nodes, and the token for who is invited.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};

use crate::model::{HostPanel, Invitation, TaskStatus, Trust, age};
use crate::screen;

use super::super::app::App;
use super::super::node_dialog::{NodeDialog, Step};
use super::bridge::host_row;
use super::parts::{fit, list, marked, overlay};

/// Columns it has at most.
const WIDTH: u16 = 84;

pub(super) fn draw(app: &App, dialog: &NodeDialog, frame: &mut Frame<'_>, area: Rect) {
    let look = &app.look;
    let room = usize::from(WIDTH.min(area.width).saturating_sub(2)).max(1);
    let title = match &dialog.step {
        Step::Invite | Step::Making => "Invite another node".to_owned(),
        Step::Join => "Join another node".to_owned(),
        Step::Asked(_) => "A moment".to_owned(),
        Step::Joined(name, ..) => format!("{name} is known now"),
        Step::Rotate(me) => format!("Change the key of {me}?"),
        Step::Rotated(..) => "This node has another key".to_owned(),
        Step::Invited(_) => "Give this to the other node".to_owned(),
        Step::Trust(name, _) => format!("What may {name} do here?"),
        Step::Remove(name) => format!("Forget {name}?"),
        Step::Tasks(node, _) => format!("Restart which task of {node}?"),
        Step::Hosts { node, .. } => format!("Run a command at {node}: on which host?"),
        Step::Refused(_) => "It cannot be done".to_owned(),
    };
    let about = about(app, dialog, room);
    let choices = match &dialog.step {
        Step::Invite | Step::Trust(..) => Trust::ALL.len(),
        Step::Tasks(_, tasks) => tasks.len().min(12),
        Step::Hosts { hosts, .. } => hosts.as_ref().map_or(0, |hosts| hosts.len().min(12)),
        _ => 0,
    };
    let height = u16::try_from(about.len() + choices + 3).unwrap_or(u16::MAX);
    let inside = overlay(app, &title, (WIDTH, height), frame, area);
    let [above, rows, below] = Layout::vertical([
        Constraint::Length(u16::try_from(about.len()).unwrap_or(u16::MAX)),
        Constraint::Min(0),
        Constraint::Length(1),
    ])
    .areas(inside);
    frame.render_widget(marked(app, about), above);
    match &dialog.step {
        Step::Invite | Step::Trust(..) => {
            list(app, &Trust::ALL, dialog.selected, frame, rows, |trust, width| level(app, dialog, *trust, width));
        }
        Step::Tasks(_, tasks) => {
            list(app, tasks, dialog.selected, frame, rows, |task, width| task_row(app, task, width));
        }
        Step::Hosts { hosts: Some(hosts), .. } => {
            list(app, hosts, dialog.selected, frame, rows, |host: &HostPanel, width| host_row(app, host, width));
        }
        _ => {}
    }
    let mut keys = Vec::new();
    if let Some((key, does)) = dialog.doing() {
        keys.push(Span::styled(key, look.key));
        keys.push(Span::styled(format!(" {does}   "), look.text));
    }
    let leaves = if dialog.doing().is_some() { " does nothing" } else { " closes this" };
    keys.extend([Span::styled("esc", look.key), Span::styled(leaves, look.text)]);
    frame.render_widget(marked(app, Line::from(keys)), below);
}

/// What is asked, in words.
fn about(app: &App, dialog: &NodeDialog, room: usize) -> Vec<Line<'static>> {
    let look = &app.look;
    let wrapped = |text: &str, style| {
        let rows = screen::wrap(text, room).into_iter();
        rows.map(move |row| Line::styled(row, style)).collect::<Vec<_>>()
    };
    match &dialog.step {
        Step::Invite => wrapped("What may the node do here that joins with this token?", look.text),
        Step::Making => wrapped("the engine makes the token", look.muted),
        Step::Join => {
            let mut lines = wrapped(
                "The token that `aurora node invite`, or i in its Nodes view, made there. It joins with the trust report.",
                look.text,
            );
            lines.extend(field(app, &dialog.typed(), room));
            lines
        }
        Step::Asked(what) => wrapped(what, look.muted),
        Step::Joined(name, fingerprint, own) => {
            let mut lines = wrapped("It knows this node, too. Compare on both sides:", look.text);
            for (whose, print) in [(name.as_str(), fingerprint), ("this node", own)] {
                lines.push(Line::styled(fit(look, &format!("{whose:<16} {}", screen::line(print)), room), look.title));
            }
            lines
        }
        Step::Rotate(me) => {
            let mut lines = wrapped(
                &format!(
                    "The key before counts for 24 hours; the others learn the new one by themselves. Who is away for all \
                     of that has to join again. Type {me} to do it."
                ),
                look.warn,
            );
            lines.extend(field(app, &dialog.typed(), room));
            lines
        }
        Step::Rotated(fingerprint, until) => {
            let mut lines = wrapped("Its fingerprint, as the others show it from their next heartbeat on:", look.text);
            lines.push(Line::styled(screen::line(fingerprint), look.title));
            lines.extend(wrapped(&format!("The key before counts until {until:.0}."), look.text));
            lines
        }
        Step::Invited(invitation) => invited(app, invitation, room),
        Step::Trust(..) => wrapped("This also ends a quarantine: look first at what it sent.", look.text),
        Step::Remove(name) => wrapped(
            &format!(
                "Its key no longer counts, and what it shared is dropped here. What this node shared stays at {name}; \
                 forget this node there, too. To come back it has to be invited again."
            ),
            look.warn,
        ),
        Step::Tasks(node, _) => {
            wrapped(&format!("{node} decides whether you may; both nodes write it down."), look.muted)
        }
        Step::Hosts { hosts: None, node, .. } => wrapped(&format!("{node} is asked for its hosts"), look.muted),
        Step::Hosts { node, .. } => {
            wrapped(&format!("{node} decides by its own policy; both nodes write it down."), look.muted)
        }
        Step::Refused(why) => wrapped(&screen::line(why), look.crit),
    }
}

/// What is typed, to its end where it is long.
fn field(app: &App, typed: &str, room: usize) -> [Line<'static>; 3] {
    let look = &app.look;
    let text = screen::line(typed);
    let rows = screen::chop(&text, room.saturating_sub(1).max(1));
    let end = rows.last().cloned().unwrap_or_default();
    let line = Line::from(vec![Span::styled(end, look.text), Span::styled(" ", look.selected)]);
    [Line::default(), line, Line::default()]
}

/// The token in full: it is typed or pasted on the other side.
fn invited(app: &App, invitation: &Invitation, room: usize) -> Vec<Line<'static>> {
    let look = &app.look;
    let mut lines = vec![Line::styled("aurora node join \\", look.muted)];
    lines.extend(
        screen::chop(&screen::line(&invitation.token), room).into_iter().map(|row| Line::styled(row, look.key)),
    );
    lines.push(Line::default());
    let left = age(app.now, invitation.expires);
    let counts = format!("It counts once, for {left}, and lets the node {} here.", invitation.trust);
    lines.push(Line::styled(fit(look, &counts, room), look.text));
    lines.push(Line::styled("The other side shows this fingerprint; compare them:", look.text));
    lines.push(Line::styled(screen::line(&invitation.fingerprint), look.title));
    lines.push(Line::default());
    lines
}

/// One level of trust, what it means, and whether it is the one now.
fn level(app: &App, dialog: &NodeDialog, trust: Trust, width: usize) -> Line<'static> {
    let look = &app.look;
    let is_now = matches!(&dialog.step, Step::Trust(_, now) if *now == trust);
    let words = match trust {
        Trust::Observe => "it may read what is shared here",
        Trust::Report => "what it shares is shown here, too",
        Trust::Command => "its operators may run what policy allows here",
    };
    let now = if is_now { "   (now)" } else { "" };
    let text = format!(" {:9}{words}{now}", trust.as_str());
    Line::styled(fit(look, &text, width), look.text)
}

fn task_row(app: &App, task: &TaskStatus, width: usize) -> Line<'static> {
    let look = &app.look;
    let error = task.error().map(|error| format!("  {error}")).unwrap_or_default();
    let text = screen::line(&format!("{}{error}", task.name));
    Line::from(vec![
        Span::styled(format!(" {} {:9}", look.sign(&task.state), task.state.as_str()), look.task(task.state)),
        Span::styled(fit(look, &text, width.saturating_sub(12)), look.text),
    ])
}
