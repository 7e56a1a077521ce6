//! Health: the checks of all nodes, the worst first, and what the selected one says.

use std::time::Duration;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::model::{CheckPanel, CheckState, Verdict, age, short_duration};
use crate::protocol::Snapshot;
use crate::screen;

use super::super::app::App;
use super::super::health::{Watched, watched};
use super::super::not_ok::ok_among;
use super::super::styles::Look;
use super::check;
use super::parts::{Row, all_ok, fit, heading, list, marked, not_listed};

/// Below this width a row has neither times nor uptime.
const NARROW: u16 = 70;
/// From this width on a row has room for a reason and a strip.
const WITH_BOTH: u16 = 100;
/// Rows of the selected check below the list.
const DETAIL: u16 = 7;
/// From this width on it stands beside the list, which then has this share of the width in percent.
const BESIDE: (u16, u16) = (160, 55);

/// Rows below the list on this screen.
pub(in super::super) fn below(app: &App) -> u16 {
    if app.checks_alone() || app.size.0 >= BESIDE.0 { 0 } else { DETAIL }
}

/// That no check is what was asked for: words in it, and whose it is.
fn none_has(text: &str) -> String {
    let (nodes, words): (Vec<&str>, Vec<&str>) = text.split_whitespace().partition(|word| word.starts_with('@'));
    let of = if nodes.is_empty() { String::new() } else { format!(" of {}", nodes.join(" and ")) };
    match words.as_slice() {
        [] => format!("there is no check{of}"),
        _ => format!("no check{of} has {:?} in its id, kind, target or cause", words.join(" ")),
    }
}

pub(super) fn draw(app: &App, snapshot: &Snapshot, frame: &mut Frame<'_>, area: Rect) {
    let look = &app.look;
    let all: Vec<Watched<'_>> = watched(snapshot).collect();
    if let Some(open) = &app.health.open {
        return check::draw(app, open, all.into_iter().find(|one| one.of() == open.id), frame, area);
    }
    let shown = app.health.shown(snapshot);
    let area = heading(app, title(app, &all, shown.len()), frame, area);
    if shown.is_empty() {
        let text = match app.health.filter.text().trim() {
            _ if all.is_empty() => "no checks are configured".to_owned(),
            _ if all.len() == ok_among(&all) => all_ok(app),
            "" => all_ok(app),
            text => none_has(text),
        };
        return frame.render_widget(marked(app, Span::styled(format!("  {}", screen::line(&text)), look.muted)), area);
    }
    let (listed, told) = match below(app) {
        _ if app.checks_alone() => (area, Rect::default()),
        0 => {
            let [left, _, right] =
                Layout::horizontal([Constraint::Percentage(BESIDE.1), Constraint::Length(2), Constraint::Min(0)])
                    .areas(area);
            (left, right)
        }
        rows => {
            let [above, below] = Layout::vertical([Constraint::Min(3), Constraint::Length(rows)]).areas(area);
            (above, below)
        }
    };
    let selected = app.health.index(&shown);
    list(app, &shown, selected, frame, listed, |one, width| row(app, one, width));
    if let Some(one) = shown.get(selected) {
        let with_strip = !has_strip(one.check, usize::from(listed.width));
        let lines = check::summary(app, one, usize::from(told.width), with_strip, false);
        frame.render_widget(marked(app, lines), told);
    }
}

fn title(app: &App, all: &[Watched<'_>], shown: usize) -> Line<'static> {
    let look = &app.look;
    let mut line = vec![Span::styled("Health", look.title)];
    let states = [CheckState::Critical, CheckState::Warn, CheckState::Stale, CheckState::Unknown, CheckState::Ok];
    for state in states {
        let count = all.iter().filter(|one| one.state() == state).count();
        if count > 0 {
            line.push(Span::styled(format!("   {count} {}", state.as_str()), look.check(state)));
        }
    }
    if app.health.is_typing() {
        line.push(Span::styled(format!("   /{}", screen::line(app.health.filter.text())), look.text));
        line.push(Span::styled(" ", look.selected));
    } else if !app.health.filter.text().is_empty() {
        line.push(Span::styled(format!("   /{}", screen::line(app.health.filter.text())), look.title));
    }
    let ok = if app.problems_only() { ok_among(all) } else { 0 };
    line.extend(not_listed(app, ok, all.len() - ok - shown));
    if let Some(since) = app.snapshot.as_ref().and_then(|snapshot| snapshot.isolated) {
        line.push(Span::styled(format!("   this machine is isolated ({})", age(since, app.now)), look.crit));
    }
    Line::from(line)
}

/// One check on one line: state, name, since when, time, uptime, and as much of its strip as there is room for.
pub(super) fn row(app: &App, one: &Watched<'_>, width: usize) -> Row {
    let (look, check) = (&app.look, one.check);
    let narrow = width < usize::from(NARROW);
    // Where there are other nodes' checks a name is longer.
    let longer = if app.nodes_panel().remote.is_empty() { 0 } else { 6 };
    let name = longer
        + match width {
            100.. => 24,
            _ if !narrow => 16,
            _ => 10,
        };
    let latency = check.latency.map_or_else(|| "-".to_owned(), short_duration);
    let uptime = check.uptime_24h.map_or_else(|| "-".to_owned(), percent);
    // What is too old is grey as a whole; its age stands beside it.
    let is_stale = one.state() == CheckState::Stale;
    let (text, muted) = if is_stale { (look.stale, look.stale) } else { (look.text, look.muted) };
    let line = Line::from(vec![
        Span::styled(format!("{} {:8} ", sign(look, one), word(one)), look.check(one.state())),
        Span::styled(fit(look, &one.of().to_string(), name), text),
    ]);
    let mut rest = vec![Span::styled(format!(" {:>4} ", age(one.old_since().unwrap_or(check.since), app.now)), muted)];
    let mut taken = 11 + name + 1 + 5;
    if !narrow {
        rest.push(Span::styled(format!("{latency:>6} {uptime:>7}  "), text));
        taken += 16;
    }
    let mut room = width.saturating_sub(taken);
    let told = one.old_since().map(|old| format!("{} old, was {}", age(old, app.now), check.state.as_str()));
    let told = [told, reason(check)].into_iter().flatten().collect::<Vec<_>>().join(": ");
    if let Some(reason) = Some(told).filter(|told| !told.is_empty()) {
        // The reason is worth more than the picture.
        let share = if has_strip(check, width) { room / 2 } else { room };
        let gap = usize::from(share < room).min(share);
        rest.push(Span::styled(fit(look, &reason, share - gap) + &" ".repeat(gap), text));
        room -= share;
    }
    if has_strip(check, width) {
        rest.extend(strip(look, check, room));
    }
    Row { line, rest }
}

/// Why a check is not ok, or not quite.
fn reason(check: &CheckPanel) -> Option<String> {
    if check.state == CheckState::Ok && check.soft.is_none() {
        return None;
    }
    let soft = check.soft.map(|soft| format!("{} {} of {} looks: ", soft.state.as_str(), soft.count, soft.of));
    Some(format!("{}{}", soft.unwrap_or_default(), check.cause.as_deref().map(screen::line).unwrap_or_default()))
}

/// Whether the row of a check has its strip at this width: there is room for it beside the reason, or no reason.
fn has_strip(check: &CheckPanel, width: usize) -> bool {
    width >= usize::from(WITH_BOTH) || width >= usize::from(NARROW) && reason(check).is_none()
}

/// How a check stands, in a word. Where its node is not heard it is stale, however it stood.
pub(super) fn word(one: &Watched<'_>) -> &'static str {
    match one.old_since() {
        Some(_) => CheckState::Stale.as_str(),
        None if one.check.flapping => "flapping",
        None => one.check.state.as_str(),
    }
}

/// The same as a sign.
pub(super) fn sign(look: &Look, one: &Watched<'_>) -> &'static str {
    if one.old_since().is_some() { look.sign(&CheckState::Stale) } else { look.sign(one.check) }
}

/// Two digits behind the point, and never 100 % unless it is.
pub(super) fn percent(share: f64) -> String {
    if share < 100.0 { format!("{:.2}%", share.min(99.99)) } else { "100%".to_owned() }
}

/// The newest slots, as many as fit: heights for how long good looks took, signs for everything else.
pub(super) fn strip(look: &Look, check: &CheckPanel, room: usize) -> Vec<Span<'static>> {
    let slots = &check.strip.slots;
    let newest = &slots[slots.len().saturating_sub(room)..];
    let longest = newest.iter().map(|slot| slot.longest()).max().unwrap_or_default();
    let mut spans: Vec<(String, Style)> = Vec::new();
    for slot in newest {
        let (sign, style) = match slot.verdict {
            None => (look.glyph("·", "."), look.muted),
            Some(Verdict::Ok) => (height(look, slot.longest(), longest), look.ok),
            Some(Verdict::Warn) => ("!", look.warn),
            Some(Verdict::Critical) => (look.glyph("✗", "x"), look.crit),
            Some(Verdict::Unknown) => ("?", look.unknown),
        };
        match spans.last_mut() {
            Some((text, same)) if *same == style => text.push_str(sign),
            _ => spans.push((sign.to_owned(), style)),
        }
    }
    spans.into_iter().map(|(text, style)| Span::styled(text, style)).collect()
}

/// How long a look took, as a share of the longest.
fn height(look: &Look, took: Duration, longest: Duration) -> &'static str {
    const BLOCKS: [(&str, &str); 6] = [("▁", "_"), ("▂", "_"), ("▃", "-"), ("▄", "-"), ("▅", "="), ("▆", "=")];
    let level = (took.as_micros() * BLOCKS.len() as u128).checked_div(longest.as_micros() + 1).unwrap_or(0);
    let (unicode, ascii) = BLOCKS[usize::try_from(level).unwrap_or(0).min(BLOCKS.len() - 1)];
    look.glyph(unicode, ascii)
}
