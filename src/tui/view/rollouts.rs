//! Rollouts on the bridge: how far each is, and where its hosts stand.

use std::collections::BTreeMap;

use ratatui::text::{Line, Span};

use crate::model::{RolloutPhase, RolloutRow, age};
use crate::screen;

use super::super::app::App;
use super::super::bridge::state_word;
use super::parts::{Row, fit};

/// Columns of how a host stands, in the summary.
const WORD: usize = 16;
/// Below this width a row does not say who asked.
const NARROW: usize = 60;

/// One rollout on one line: what it waits for, on how many hosts, what, how far, who asked, how long ago.
pub(super) fn row(app: &App, row: &RolloutRow, width: usize) -> Row {
    let look = &app.look;
    let style = match row.phase {
        _ if row.stopped.is_some() => look.crit,
        RolloutPhase::Over => look.muted,
        _ => look.text,
    };
    let hosts: u32 = row.sizes.iter().sum();
    let line = Line::from(Span::styled(format!("{} {hosts:>4} ", fit(look, row.phase.as_str(), 8)), style));
    let by = if width < NARROW { String::new() } else { format!(" {}", fit(look, row.by.as_str(), 8)) };
    let told = format!("{by} {:>4}", age(row.asked, app.now));
    let room = width.saturating_sub(14 + screen::width(&told));
    let text = format!("{}: {}", row.title, row.told());
    let rest = vec![Span::styled(fit(look, &screen::line(&text), room), look.text), Span::styled(told, look.muted)];
    Row { line, rest }
}

/// What is said of a rollout below the list: how it is, and its hosts by how they stand.
pub(super) fn summary(app: &App, row: &RolloutRow, width: usize) -> Vec<Line<'static>> {
    let look = &app.look;
    let mut lines = vec![
        Line::styled(fit(look, &screen::line(&row.title), width), look.title),
        Line::styled(fit(look, &screen::line(&row.told()), width), look.text),
    ];
    let mut stand: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for job in app.bridge_panel().jobs.iter().filter(|job| job.rollout == Some(row.id)) {
        let is_undoing = job.id == row.id.undoing_on(&job.host);
        let word = state_word(&job.state);
        let word = if is_undoing { format!("rollback {word}") } else { word };
        stand.entry(word).or_default().push(job.host.as_str());
    }
    if stand.is_empty() {
        let text = format!("its jobs are too old to be listed here: aurora rollout show {}", row.id);
        lines.push(Line::styled(fit(look, &text, width), look.muted));
    }
    for (word, mut hosts) in stand {
        hosts.sort_unstable();
        let text = format!("{} {:>4}  {}", fit(look, &word, WORD), hosts.len(), screen::line(&hosts.join(", ")));
        lines.push(Line::styled(fit(look, &text, width), look.text));
    }
    lines
}
