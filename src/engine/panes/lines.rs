//! Lines of a kept screen and its history, for whoever scrolls or searches.

use std::sync::Arc;
use std::time::{Duration, Instant};

use regex::Regex;

use crate::bridge::panes::Kept;
use crate::protocol::{PaneLine, PaneLines, PaneReply, Refusal};
use crate::screen::{Glass, Lines};

/// Lines of history in one answer.
const HISTORY: usize = 1_000;
/// Lines that match in one answer.
const FOUND: usize = 200;
/// Bytes that are copied at once to be searched: so long the screen is held.
const COPIED: usize = 64 << 10;
/// Time one search may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// Lines that scrolled out, oldest first.
pub(super) fn history(kept: &Kept, before: Option<u64>, limit: usize) -> Result<PaneReply, Refusal> {
    let screen = kept.look();
    let glass = screen.glass().ok_or_else(unknown)?;
    let found = glass.lines(before, limit.min(HISTORY));
    Ok(PaneReply::Lines(lines(kept, glass, found)))
}

/// Lines that match, newest first. They are matched in a copy, so that the screen is held only as long as it is made.
pub(super) fn search(kept: &Arc<Kept>, regex: &Regex, before: Option<u64>, limit: usize) -> Result<PaneReply, Refusal> {
    let limit = limit.min(FOUND);
    let mut all = Lines { lines: Vec::new(), next: before };
    let begun = Instant::now();
    loop {
        let stretch = kept.look().glass().ok_or_else(unknown)?.stretch(0, all.next, COPIED);
        let found = stretch.search(regex, limit - all.lines.len());
        all.lines.extend(found.lines);
        all.next = found.next;
        if all.next.is_none() || all.lines.len() >= limit {
            break;
        }
        if begun.elapsed() >= PATIENCE {
            if all.lines.is_empty() {
                let why = format!("nothing was found within {} s; a simpler pattern is quicker", PATIENCE.as_secs());
                return Err(Refusal::Failed(why));
            }
            break;
        }
    }
    let screen = kept.look();
    let glass = screen.glass().ok_or_else(unknown)?;
    Ok(PaneReply::Lines(lines(kept, glass, all)))
}

fn lines(kept: &Kept, glass: &Glass, found: Lines) -> PaneLines {
    PaneLines {
        pane: kept.pane(),
        first: glass.first_line(),
        next: glass.first_row(),
        lines: found.lines.into_iter().map(|line| PaneLine { number: line.number, text: line.text }).collect(),
        more: found.next.is_some(),
    }
}

fn unknown() -> Refusal {
    Refusal::Failed("nothing is known of what this pane shows yet".to_owned())
}
