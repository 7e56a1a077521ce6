//! One pane as it is kept: its screen, and what has scrolled out of it.

use std::cell::Cell as Flag;
use std::panic::{AssertUnwindSafe, catch_unwind};

use regex::{Regex, RegexBuilder};

use super::cell::row_text;
use super::emulator::Emulator;
use super::history::History;
use super::pane_screen::{PaneScreen, Scrolled};
use super::stretch::Stretch;
use super::style::plain;
use crate::model::{PaneChunk, PaneSeed};

/// Bytes that are fed before what scrolled out is put away.
const PIECE: usize = 4 << 10;
/// Most rows of one wrapped line that are searched as one.
const MAX_JOINED: u64 = 32;
/// Lines by which it is known where a history goes on.
const TAIL: usize = 20;
/// Longest pattern, in bytes.
const MAX_PATTERN: usize = 256;
/// Largest compiled pattern, in bytes: room for a few classes as `\w`, which take 50 KiB each.
const MAX_COMPILED: usize = 256 << 10;
/// Memory a search may take: with less a pattern is matched in the slowest way there is.
const MAX_CACHE: usize = 2 << 20;

/// A hole in the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("bytes {from} to {to} of the pane are missing; it needs a whole screen to go on from")]
pub struct Missing {
    /// The first missing byte.
    pub from: u64,
    /// The first byte after them.
    pub to: u64,
}

/// A pattern that cannot be searched for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadPattern {
    /// It is too long.
    #[error("a pattern has at most {MAX_PATTERN} bytes; this one has {0}")]
    Long(usize),
    /// It is no regular expression, or too large a one.
    #[error("this is no regular expression that can be searched for: {0}")]
    Syntax(String),
}

/// A numbered line: text with SGR and no other control.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its number.
    pub number: u64,
    /// Its text.
    pub text: String,
}

/// Lines, and whether there may be more.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lines {
    /// The lines.
    pub lines: Vec<Line>,
    /// Where to go on, as `before` of the next call. `None`: there are no more.
    pub next: Option<u64>,
}

/// One pane: its screen and its history, both bounded.
pub struct Glass {
    screen: Emulator,
    history: History,
    offset: u64,
    seeded: bool,
    sound: bool,
}

impl Glass {
    /// An empty screen of this size, within 2x2 and 500x300, at the begin of the stream.
    #[must_use]
    pub fn new(columns: u16, rows: u16) -> Self {
        Self {
            screen: Emulator::new(columns, rows),
            history: History::default(),
            offset: 0,
            seeded: false,
            sound: true,
        }
    }

    /// Begins anew with a whole screen. The history goes on; the history of the seed is taken by the first seed, and where
    /// bytes were lost before it.
    ///
    /// There the rows of the old screen that are not on the new one become history, because nothing else will show them
    /// again, and of the seed's history what is new.
    pub fn seed(&mut self, seed: &PaneSeed) {
        let first = !self.seeded;
        let goes_on = !first && seed.missed > 0;
        let takes = first || (goes_on && seed.history > 0);
        let mut screen = Emulator::new(seed.cols, seed.rows);
        let mut history = Vec::new();
        self.sound = guarded(&mut screen, &seed.bytes, |line| {
            if takes {
                history.push(line);
            }
        });
        if goes_on && (self.screen.is_alternate() || screen.is_alternate()) {
            history.clear();
        } else if goes_on {
            let known = self.history.newest(TAIL);
            history = joined(&known, &used_rows(&self.screen), history, rows_of(&screen));
        }
        for line in history {
            self.history.push(line);
        }
        // Not every tmux can say it.
        screen.keep_paste(&self.screen);
        self.screen = screen;
        self.offset = seed.offset;
        self.seeded = true;
    }

    /// Takes the next piece of the stream. What was taken before is passed over.
    ///
    /// # Errors
    ///
    /// A piece that begins too late: nothing of it is taken.
    pub fn feed(&mut self, chunk: &PaneChunk) -> Result<(), Missing> {
        let Some(late) = self.offset.checked_sub(chunk.offset) else {
            return Err(Missing { from: self.offset, to: chunk.offset });
        };
        let bytes = usize::try_from(late).ok().and_then(|late| chunk.bytes.get(late..)).unwrap_or_default();
        self.offset += bytes.len() as u64;
        if self.sound {
            let history = &mut self.history;
            self.sound = guarded(&mut self.screen, bytes, |line| history.push(line));
        }
        Ok(())
    }

    /// The place of the next byte in the stream.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Whether the screen can be believed. If not, it stands still until it is seeded: what was fed made the parser fail, or
    /// asked for far more work than its length allows.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.sound
    }

    /// The screen.
    #[must_use]
    pub fn screen(&self) -> &impl PaneScreen {
        &self.screen
    }

    /// Bytes that show the same on an empty screen of the same size. A sequence that is not complete yet is in them.
    #[must_use]
    pub fn dump(&self) -> Vec<u8> {
        self.screen.dump()
    }

    /// The number of the first row of the screen. Lines of the history have lower ones.
    #[must_use]
    pub fn first_row(&self) -> u64 {
        self.history.next()
    }

    /// The number of the oldest line that is kept.
    #[must_use]
    pub fn first_line(&self) -> u64 {
        self.history.first()
    }

    /// Lines of the history before `before`, or its newest; oldest first.
    #[must_use]
    pub fn lines(&self, before: Option<u64>, limit: usize) -> Lines {
        let end = before.unwrap_or(u64::MAX).min(self.history.next());
        let begin = end.saturating_sub(limit as u64).max(self.history.first()).min(end);
        let lines = (begin..end)
            .filter_map(|number| self.line(number))
            .map(|(number, row)| Line { number, text: row.text.into() });
        Lines { lines: lines.collect(), next: (begin > self.history.first()).then_some(begin) }
    }

    /// The rows of the screen as text, without their styles.
    #[must_use]
    pub fn text(&self) -> Vec<String> {
        rows_of(&self.screen).iter().map(|row| plain(&row.text)).collect()
    }

    /// A copy of the lines from `from` on and before `before`, of the screen and the history, to be searched without the
    /// glass: about the newest `most` bytes of them. A line that wraps stays one.
    #[must_use]
    pub fn stretch(&self, from: u64, before: Option<u64>, most: usize) -> Stretch {
        let mut stretch = Stretch::default();
        let mut copied = 0;
        let mut end = before.unwrap_or(u64::MAX).min(self.first_row() + u64::from(self.screen.size().1));
        while end > self.history.first().max(from) {
            if copied >= most {
                stretch.next = Some(end);
                break;
            }
            let begin = self.begin_of(end);
            let rows: Vec<(u64, Box<str>)> =
                (begin..end).filter_map(|number| self.line(number)).map(|(number, row)| (number, row.text)).collect();
            copied += rows.iter().map(|(_, text)| text.len() + 1).sum::<usize>();
            stretch.wrapped.push(rows);
            end = begin;
        }
        stretch
    }

    /// Whether a capture of the pane shows something else than this screen. Blinking, overlines, hidden text and the colours
    /// of blanks are not compared: a capture or this screen may not know them.
    #[must_use]
    pub fn differs(&self, seed: &PaneSeed) -> bool {
        let mut other = Emulator::new(seed.cols, seed.rows);
        if !self.sound || !guarded(&mut other, &seed.bytes, |_| {}) || other.size() != self.screen.size() {
            return true;
        }
        (0..other.size().1).any(|row| {
            let shown = |screen: &Emulator| -> Vec<_> {
                let cells = screen.row(row).filter(|cell| !cell.is_blank());
                cells.map(|cell| (cell.column, cell.to_string(), cell.style)).collect()
            };
            shown(&self.screen) != shown(&other)
        })
    }

    /// The number of the first row of the wrapped line that ends before `end`.
    fn begin_of(&self, end: u64) -> u64 {
        let mut begin = end - 1;
        while begin > self.history.first()
            && end - begin < MAX_JOINED
            && self.line(begin - 1).is_some_and(|(_, row)| row.wrapped)
        {
            begin -= 1;
        }
        begin
    }

    /// A line of the history or a row of the screen.
    fn line(&self, number: u64) -> Option<(u64, Scrolled)> {
        if let Some(line) = self.history.get(number) {
            return Some((number, line.clone()));
        }
        let row = u16::try_from(number.checked_sub(self.first_row())?).ok()?;
        (row < self.screen.size().1).then(|| (number, row_of(&self.screen, row)))
    }
}

/// Reads a pattern to search for: at most 256 bytes, and no more than 256 KiB when it is compiled.
///
/// # Errors
///
/// What is wrong with it.
pub fn pattern(text: &str) -> Result<Regex, BadPattern> {
    if text.len() > MAX_PATTERN {
        return Err(BadPattern::Long(text.len()));
    }
    RegexBuilder::new(text)
        .size_limit(MAX_COMPILED)
        .dfa_size_limit(MAX_CACHE)
        .build()
        .map_err(|error| BadPattern::Syntax(super::line(&error.to_string())))
}

thread_local! {
    static IN_PARSER: Flag<bool> = const { Flag::new(false) };
}

/// Does `work`, and says whether it came to its end.
fn caught(work: impl FnOnce()) -> bool {
    IN_PARSER.set(true);
    let done = catch_unwind(AssertUnwindSafe(work)).is_ok();
    IN_PARSER.set(false);
    done
}

/// Whether this thread is feeding a screen: a panic now is caught, and nobody's end. For whoever is told of panics.
#[must_use]
pub fn panics_are_caught() -> bool {
    IN_PARSER.get()
}

/// Feeds a screen and says whether it can be believed afterwards. A failure of the parser is caught here.
fn guarded(screen: &mut Emulator, bytes: &[u8], mut scrolled: impl FnMut(Scrolled)) -> bool {
    for piece in bytes.chunks(PIECE) {
        // A screen that failed is not looked into again: it is replaced by the next seed.
        if !caught(|| screen.feed(piece)) {
            let (columns, rows) = screen.size();
            *screen = Emulator::new(columns, rows);
            return false;
        }
        screen.take_scrolled().into_iter().for_each(&mut scrolled);
        if screen.is_exhausted() {
            return false;
        }
    }
    true
}

fn row_of(screen: &impl PaneScreen, row: u16) -> Scrolled {
    Scrolled { text: row_text(screen.row(row)).into_boxed_str(), wrapped: screen.is_wrapped(row) }
}

fn rows_of(screen: &impl PaneScreen) -> Vec<Scrolled> {
    (0..screen.size().1).map(|row| row_of(screen, row)).collect()
}

fn used_rows(screen: &impl PaneScreen) -> Vec<Scrolled> {
    let mut rows = rows_of(screen);
    rows.truncate(rows.iter().rposition(|row| !row.text.is_empty()).map_or(0, |last| last + 1));
    rows
}

/// What becomes history between what is known, the end of the old history and the rows of the old screen, and the new screen
/// with a history of its own, of which some may be known.
fn joined(known: &[Scrolled], old: &[Scrolled], history: Vec<Scrolled>, new: Vec<Scrolled>) -> Vec<Scrolled> {
    if history.is_empty() {
        return left_behind(old, &new);
    }
    // The last row may have been printed on.
    let whole = &old[..old.len().saturating_sub(1)];
    let tail: Vec<&Scrolled> = known.iter().chain(whole).collect();
    let tail = &tail[tail.len().saturating_sub(TAIL)..];
    let count = history.len();
    let mut all = history;
    all.extend(new);
    // Where they are there more than once it is the first time: a line told twice is better than none.
    let begin = all.windows(tail.len().max(1)).position(|lines| lines.iter().eq(tail.iter().copied()));
    match begin {
        Some(begin) => {
            let from = (begin + tail.len()).saturating_sub(whole.len()).min(count);
            all.drain(from..count).collect()
        }
        // All there was is that one row.
        None if tail.is_empty() => all.drain(..count).collect(),
        None => old.iter().cloned().chain(all.drain(..count)).collect(),
    }
}

/// The rows of the old screen that the new one does not show, where it is the old one moved up and printed on.
fn left_behind(old: &[Scrolled], new: &[Scrolled]) -> Vec<Scrolled> {
    let used = old.len();
    let moved = (0..used).find(|by| {
        let pairs: Vec<bool> =
            old[*by..].iter().zip(new).filter(|(old, _)| !old.text.is_empty()).map(|(old, new)| old == new).collect();
        // The last row may have been printed on, so more than half is enough.
        let same = pairs.iter().filter(|same| **same).count();
        same * 2 > pairs.len()
    });
    old[..moved.unwrap_or(used)].to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_of_the_parser_is_caught_and_whoever_hears_of_it_knows() {
        let mut inside = false;
        let done = caught(|| {
            inside = panics_are_caught();
            panic!("this is what a parser that fails does");
        });
        assert!(inside && !done && !panics_are_caught());
        assert!(caught(|| {}));
    }
}
