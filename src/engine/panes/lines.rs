//! Lines of a kept screen and its history, for whoever scrolls or searches.

use std::sync::Arc;
use std::time::{Duration, Instant};

use regex::Regex;

use crate::bridge::panes::{Kept, Screen};
use crate::protocol::{PaneLine, PaneLines, PaneReply, Refusal};
use crate::screen::{Glass, Lines};

/// Lines of history in one answer.
const HISTORY: usize = 1_000;
/// Lines that match in one answer.
const FOUND: usize = 200;
/// Bytes that are copied at once to be searched: so long the screen is held.
const COPIED: usize = 64 << 10;
/// Time one search may take before it says how far it came.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);

/// Lines that scrolled out, oldest first.
pub(super) fn history(kept: &Kept, before: Option<u64>, limit: usize) -> Result<PaneReply, Refusal> {
    let screen = kept.look();
    let glass = screen.glass().ok_or_else(unknown)?;
    let found = glass.lines(before, limit.min(HISTORY));
    Ok(PaneReply::Lines(lines(&screen, glass, found)))
}

/// Lines that match, newest first. They are matched in a copy, so that the screen is held only as long as it is made. Where
/// that takes long, what was found so far is answered, if only where to go on.
pub(super) fn search(
    kept: &Arc<Kept>,
    regex: &Regex,
    before: Option<u64>,
    limit: usize,
    patience: Duration,
) -> Result<PaneReply, Refusal> {
    let limit = limit.min(FOUND);
    let mut all = Lines { lines: Vec::new(), next: before };
    let begun = Instant::now();
    loop {
        let stretch = kept.look().glass().ok_or_else(unknown)?.stretch(0, all.next, COPIED);
        let found = stretch.search(regex, limit - all.lines.len());
        all.lines.extend(found.lines);
        all.next = found.next;
        if all.next.is_none() || all.lines.len() >= limit || begun.elapsed() >= patience {
            break;
        }
    }
    let screen = kept.look();
    let glass = screen.glass().ok_or_else(unknown)?;
    Ok(PaneReply::Lines(lines(&screen, glass, all)))
}

fn lines(screen: &Screen, glass: &Glass, found: Lines) -> PaneLines {
    PaneLines {
        pane: screen.pane(),
        epoch: screen.epoch,
        first: glass.first_line(),
        next: glass.first_row(),
        lines: found.lines.into_iter().map(|line| PaneLine { number: line.number, text: line.text }).collect(),
        before: found.next,
    }
}

fn unknown() -> Refusal {
    Refusal::Failed("nothing is known of what this pane shows yet".to_owned())
}

#[cfg(test)]
mod tests {
    use crate::model::{PaneId, PaneSeed};
    use crate::screen;

    use super::*;

    #[test]
    fn a_search_that_takes_long_says_where_to_go_on_and_comes_to_an_end() {
        let pane = PaneId { server: 1, number: 1 };
        let kept = Kept::new(pane);
        let text = "a line of a build that went well\r\n".repeat(9_000);
        let bytes = ["the first error\r\n", &text].concat().into_bytes();
        kept.seed(&PaneSeed { pane, offset: 0, missed: 0, too_fast: false, cols: 80, rows: 24, history: 0, bytes });
        let regex = screen::pattern("error").expect("a pattern");
        let (mut before, mut rounds) = (None, 0);
        let found = loop {
            let Ok(PaneReply::Lines(lines)) = search(&kept, &regex, before, 9, Duration::ZERO) else { panic!("lines") };
            rounds += 1;
            if !lines.lines.is_empty() || lines.before.is_none() {
                break lines;
            }
            assert!(before.is_none_or(|before| lines.before < Some(before)), "it goes on");
            before = lines.before;
        };
        assert_eq!((found.lines[0].number, found.lines[0].text.as_str()), (0, "the first error"));
        assert!(rounds > 2, "{rounds} rounds");
    }
}
