//! What of a pane calls a person, and whether it has. No I/O; time is given.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use regex::Regex;
use serde::{Deserialize, Serialize};

use crate::bridge::panes::Screen;
use crate::model::PaneAddress;
use crate::protocol::PaneMark;
use crate::screen::{PaneScreen, Stretch, pattern, plain};

/// What is printed after a rest of this length is activity.
const REST: SignedDuration = SignedDuration::from_secs(10);
/// Shortest and longest silence.
const SILENCE: [Duration; 2] = [Duration::from_secs(1), Duration::from_hours(24 * 30)];
/// Lines that are looked at for a pattern at once.
const HITS: usize = 50;
/// Bytes of the newest lines that are looked at at once; what was printed before them since the last look is passed over.
const COPIED: usize = 64 << 10;
/// Of a line that matched, this many characters are shown.
const SHOWN: usize = 120;

/// A mark as it is kept over a restart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeptMark {
    pub pane: PaneAddress,
    pub mark: PaneMark,
    /// Since when and why it calls.
    pub calls: Option<(Timestamp, String)>,
}

/// A mark that stands.
#[derive(Debug)]
pub(super) struct Mark {
    pub mark: PaneMark,
    pub calls: Option<(Timestamp, String)>,
    regex: Option<Regex>,
    /// When it was set, or went on after a restart.
    begun: Timestamp,
    /// When the pane had printed last, as far as was looked.
    printed: Option<Timestamp>,
    /// Its silence was called about.
    was_silent: bool,
    /// Something was printed that was not looked at for the pattern yet.
    unread: bool,
    /// Lines that match and were there before, from the first that may still change: of the main screen and of the alternate
    /// one, whose rows have the same numbers.
    known: [Option<Known>; 2],
    /// The epoch of their numbers.
    epoch: Option<u64>,
}

type Known = (u64, BTreeSet<(u64, String)>);

/// Lines to be looked through for the pattern of a mark, where that holds up nobody.
#[derive(Debug)]
pub(super) struct Hunt {
    regex: Regex,
    lines: Stretch,
    from: u64,
    first_row: u64,
    is_alternate: bool,
    epoch: u64,
}

/// What was found.
#[derive(Debug)]
pub(super) struct Hits {
    regex: Regex,
    known: Known,
    is_alternate: bool,
    epoch: u64,
}

impl Hunt {
    /// Looks through them.
    pub(super) fn hits(self) -> Hits {
        let found = self.lines.search(&self.regex, HITS).lines;
        let found = found.into_iter().filter(|line| line.number >= self.from);
        let hits = found.map(|line| (line.number, plain(&line.text))).collect();
        Hits { regex: self.regex, known: (self.first_row, hits), is_alternate: self.is_alternate, epoch: self.epoch }
    }
}

impl Mark {
    /// A mark that stands from `now` on.
    ///
    /// # Errors
    /// When its pattern cannot be searched for, or its silence is none.
    pub(super) fn new(mark: PaneMark, calls: Option<(Timestamp, String)>, now: Timestamp) -> Result<Self, String> {
        if mark.silence.is_some_and(|silence| silence < SILENCE[0] || silence > SILENCE[1]) {
            return Err("a silence lasts between a second and 30 days".to_owned());
        }
        let regex = mark.pattern.as_deref().map(pattern).transpose().map_err(|error| error.to_string())?;
        Ok(Self {
            mark,
            calls,
            regex,
            begun: now,
            printed: None,
            was_silent: false,
            unread: true,
            known: [None, None],
            epoch: None,
        })
    }

    /// Looks at when the pane printed; answers whether it calls now and did not before.
    pub(super) fn look(&mut self, screen: &Screen, now: Timestamp) -> bool {
        if is_unknown(screen) {
            // Nothing is known, and that is no silence.
            self.begun = now;
            return false;
        }
        if self.epoch.replace(screen.epoch) != Some(screen.epoch) {
            // Its lines are numbered anew.
            (self.known, self.unread) = ([None, None], true);
        }
        let before = self.printed;
        let has_printed = screen.printed.is_some() && screen.printed != before;
        self.printed = screen.printed;
        self.unread |= has_printed;
        let why = [self.active(before, has_printed), self.silent(has_printed, now)];
        self.call(why.into_iter().flatten().next(), now)
    }

    fn call(&mut self, why: Option<String>, now: Timestamp) -> bool {
        let Some(why) = why else { return false };
        if self.calls.is_some() {
            return false;
        }
        self.calls = Some((now, why));
        true
    }

    fn active(&self, before: Option<Timestamp>, has_printed: bool) -> Option<String> {
        let rest = self.printed?.duration_since(before.unwrap_or(self.begun).max(self.begun));
        (self.mark.activity && has_printed && rest >= REST)
            .then(|| format!("it prints again after {} s", rest.as_secs()))
    }

    fn silent(&mut self, has_printed: bool, now: Timestamp) -> Option<String> {
        self.was_silent &= !has_printed;
        let silence = self.mark.silence.and_then(|silence| SignedDuration::try_from(silence).ok())?;
        let since = self.printed.unwrap_or(self.begun).max(self.begun);
        if self.was_silent || now.duration_since(since) < silence {
            return None;
        }
        self.was_silent = true;
        Some(format!("it has printed nothing for {} s", silence.as_secs()))
    }

    /// What is to be looked through for its pattern, where something was printed.
    pub(super) fn hunt(&mut self, screen: &Screen) -> Option<Hunt> {
        let (regex, glass) = (self.regex.as_ref()?, screen.glass()?);
        if is_unknown(screen) || !std::mem::take(&mut self.unread) {
            return None;
        }
        let is_alternate = glass.screen().is_alternate();
        let first_row = glass.first_row();
        let from = self.known[usize::from(is_alternate)].as_ref().map_or(first_row, |(from, _)| *from);
        let lines = glass.stretch(from, None, COPIED);
        Some(Hunt { regex: regex.clone(), lines, from, first_row, is_alternate, epoch: screen.epoch })
    }

    /// Takes what was found; answers whether it calls now and did not before.
    pub(super) fn found(&mut self, hits: Hits, now: Timestamp) -> bool {
        let is_other = self.regex.as_ref().is_none_or(|regex| regex.as_str() != hits.regex.as_str());
        if is_other || self.epoch != Some(hits.epoch) {
            return false;
        }
        // What was there when the mark was set was not printed since; what another screen shows later was.
        let is_first = self.known.iter().all(Option::is_none);
        let [main, alternate] = &mut self.known;
        let (its, other) = if hits.is_alternate { (alternate, main) } else { (main, alternate) };
        other.get_or_insert_with(|| (hits.known.0, BTreeSet::new()));
        let before = its.replace(hits.known);
        if is_first {
            return false;
        }
        let (before, hits) = (before.map(|(_, before)| before).unwrap_or_default(), its.as_ref());
        let fresh = hits.and_then(|(_, hits)| hits.iter().rfind(|hit| !before.contains(*hit)));
        let why = fresh.map(|(_, text)| format!("it prints: {}", text.trim().chars().take(SHOWN).collect::<String>()));
        self.call(why, now)
    }
}

/// Whether nobody knows what the pane shows now.
fn is_unknown(screen: &Screen) -> bool {
    screen.stale.is_some() || screen.ended.is_some() || screen.glass().is_none()
}

/// Whether there is anything in a mark.
pub(super) fn is_mark(mark: &PaneMark) -> bool {
    *mark != PaneMark::default()
}

#[cfg(test)]
mod tests {
    use crate::bridge::panes::Kept;
    use crate::model::{PaneChunk, PaneId, PaneSeed};

    use super::*;

    const PANE: PaneId = PaneId { server: 1, number: 1 };

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + seconds).expect("a time")
    }

    struct Scene {
        kept: std::sync::Arc<Kept>,
        mark: Mark,
        place: u64,
    }

    fn scene(mark: PaneMark, shows: &str) -> Scene {
        let kept = Kept::new(PANE);
        let bytes = shows.as_bytes().to_vec();
        kept.seed(&PaneSeed {
            pane: PANE,
            offset: 0,
            missed: 0,
            too_fast: false,
            cols: 40,
            rows: 5,
            history: 0,
            bytes,
        });
        Scene { kept, mark: Mark::new(mark, None, at(0)).expect("a mark"), place: 0 }
    }

    impl Scene {
        fn print(&mut self, text: &str, now: i64) {
            let bytes = text.as_bytes().to_vec();
            self.kept.feed(&PaneChunk { pane: PANE, offset: self.place, bytes }, at(now));
            self.place += text.len() as u64;
        }

        fn look(&mut self, now: i64) -> Option<String> {
            let mut calls = self.mark.look(&self.kept.look(), at(now));
            let hunt = self.mark.hunt(&self.kept.look());
            if let Some(hunt) = hunt {
                calls |= self.mark.found(hunt.hits(), at(now));
            }
            calls.then(|| self.mark.calls.take().expect("it calls").1)
        }
    }

    #[test]
    fn what_prints_after_a_rest_calls_once() {
        let mut scene = scene(PaneMark { activity: true, ..PaneMark::default() }, "$ ");
        assert_eq!(scene.look(1), None);
        scene.print("a", 5);
        assert_eq!(scene.look(5), None, "no rest before");
        scene.print("b", 16);
        assert_eq!(scene.look(16).as_deref(), Some("it prints again after 11 s"));
        scene.print("c", 17);
        assert_eq!(scene.look(17), None);
    }

    #[test]
    fn silence_calls_once_and_again_after_something_was_printed_and_never_while_nothing_is_known() {
        let mut scene = scene(PaneMark { silence: Some(Duration::from_mins(1)), ..PaneMark::default() }, "$ ");
        assert_eq!(scene.look(59), None);
        assert_eq!(scene.look(60).as_deref(), Some("it has printed nothing for 60 s"));
        assert_eq!(scene.look(500), None);
        scene.print("x", 501);
        assert_eq!(scene.look(502), None);
        scene.kept.change(|screen| screen.stale = Some((at(503), "cut".to_owned())));
        assert_eq!(scene.look(900), None);
        scene.kept.change(|screen| screen.stale = None);
        assert_eq!(scene.look(901), None);
        assert!(scene.look(961).is_some());
        scene.print("x", 962);
        assert_eq!(scene.look(963), None);
        scene.kept.change(|screen| screen.ended = Some("it was refused".to_owned()));
        assert_eq!(scene.look(2_000), None, "it is not heard");
    }

    #[test]
    fn another_screen_of_the_pane_does_not_call_for_what_stood_there() {
        let mark = PaneMark { pattern: Some("error".to_owned()), ..PaneMark::default() };
        let mut one = scene(mark.clone(), "");
        assert_eq!(one.look(1), None);
        one.print(&format!("{}error: x\r\n", "fine\r\n".repeat(20)), 2);
        assert!(one.look(2).is_some());
        // Its watch ended and began anew: its lines are numbered from the begin.
        let fresh = scene(mark, "error: x\r\n");
        (one.kept, one.place) = (fresh.kept, 0);
        assert_eq!(one.look(4), None);
        one.print("fine\r\n", 5);
        assert_eq!(one.look(5), None, "nothing of it was printed since");
        one.print("error: y\r\n", 6);
        assert_eq!(one.look(6).as_deref(), Some("it prints: error: y"));
    }

    #[test]
    fn what_was_found_on_the_screen_before_says_nothing_of_this_one() {
        let mark = PaneMark { pattern: Some("error".to_owned()), ..PaneMark::default() };
        let mut one = scene(mark, "");
        assert_eq!(one.look(1), None);
        one.print("error\r\n", 2);
        one.mark.look(&one.kept.look(), at(2));
        let hunt = one.mark.hunt(&one.kept.look()).expect("something was printed");
        let fresh = scene(PaneMark::default(), "");
        one.mark.look(&fresh.kept.look(), at(3));
        assert!(!one.mark.found(hunt.hits(), at(3)));
    }

    #[test]
    fn a_pattern_calls_for_what_is_printed_after_it_was_set() {
        let mark = PaneMark { pattern: Some("error|failed".to_owned()), ..PaneMark::default() };
        let mut scene = scene(mark, "old error\r\n");
        assert_eq!(scene.look(1), None);
        scene.print("fine\r\n", 2);
        assert_eq!(scene.look(2), None);
        scene.print("\x1b[31mbuild failed\x1b[m here\r\n", 3);
        assert_eq!(scene.look(3).as_deref(), Some("it prints: build failed here"));
        scene.print("fine\r\n", 4);
        assert_eq!(scene.look(4), None, "the same line");
        // It scrolls away between two looks.
        scene.print(&format!("error 2\r\n{}", "x\r\n".repeat(20)), 5);
        assert_eq!(scene.look(5).as_deref(), Some("it prints: error 2"));
    }

    #[test]
    fn what_was_seen_before_a_full_screen_program_does_not_call_after_it() {
        let mark = PaneMark { pattern: Some("error".to_owned()), ..PaneMark::default() };
        let mut scene = scene(mark, "");
        assert_eq!(scene.look(1), None);
        scene.print("error: x\r\n", 2);
        assert!(scene.look(2).is_some());
        scene.print("\x1b[?1049h\x1b[Hvim", 3);
        assert_eq!(scene.look(3), None);
        scene.print("\x1b[2;1Hanother error", 4);
        assert_eq!(scene.look(4).as_deref(), Some("it prints: another error"));
        scene.print("\x1b[?1049l$ ", 5);
        assert_eq!(scene.look(5), None);
    }

    #[test]
    fn what_was_printed_while_the_line_was_cut_calls() {
        let mark = PaneMark { pattern: Some("FAILED".to_owned()), ..PaneMark::default() };
        let mut scene = scene(mark, "make\r\n");
        assert_eq!(scene.look(1), None);
        let bytes = b"make\r\nFAILED".to_vec();
        let seed = PaneSeed {
            pane: PANE,
            offset: 9_000,
            missed: 8_000,
            too_fast: false,
            cols: 40,
            rows: 5,
            history: 0,
            bytes,
        };
        scene.kept.reseed(&seed, at(2));
        assert_eq!(scene.look(2).as_deref(), Some("it prints: FAILED"));
    }

    #[test]
    fn it_calls_until_somebody_looks() {
        let mut scene = scene(PaneMark { activity: true, ..PaneMark::default() }, "");
        scene.print("x", 20);
        assert!(scene.mark.look(&scene.kept.look(), at(20)));
        let first = scene.mark.calls.clone();
        scene.print("x", 60);
        assert!(!scene.mark.look(&scene.kept.look(), at(60)));
        assert_eq!(scene.mark.calls, first);
    }

    #[test]
    fn what_cannot_be_looked_for_is_refused() {
        for pattern in ["(", &"x".repeat(300), "(a{1000}){1000}"] {
            let mark = PaneMark { pattern: Some(pattern.to_owned()), ..PaneMark::default() };
            assert!(Mark::new(mark, None, at(0)).is_err(), "{pattern}");
        }
        let never = PaneMark { silence: Some(Duration::ZERO), ..PaneMark::default() };
        assert!(Mark::new(never, None, at(0)).is_err());
    }
}
