//! A job that is shown in full, and what it wrote: followed until somebody scrolls up, with every gap told.

use std::collections::VecDeque;

use crate::model::{Job, JobId, Stream, short_bytes};
use crate::protocol::JobOutput;
use crate::screen;

use super::action::Action;
use super::list::moved;

/// Lines held; the engine has the others.
const MOST: usize = 10_000;
/// Bytes of a line that are held as one; the rest goes on in the next.
const LINE: usize = 4_096;

/// The parts of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum JobTab {
    /// What it writes.
    #[default]
    Output,
    /// What exactly runs, and how it got there.
    Plan,
    /// What a person pastes on the host instead.
    ByHand,
}

impl JobTab {
    pub(super) const ALL: [Self; 3] = [Self::Output, Self::Plan, Self::ByHand];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Output => "Output",
            Self::Plan => "Plan",
            Self::ByHand => "By hand",
        }
    }
}

/// The job.
#[derive(Debug)]
pub(super) struct OpenJob {
    pub id: JobId,
    /// All of it, once it has come.
    pub job: Option<Box<Job>>,
    /// Nobody knows it.
    pub is_missing: bool,
    pub output: Output,
    /// The lines to paste, once they have come, or why there are none.
    pub by_hand: Option<Result<Vec<String>, String>>,
    pub tab: JobTab,
    /// Lines above the first that is shown, of what is no output.
    pub scroll: usize,
}

impl OpenJob {
    pub(super) fn new(id: JobId) -> Self {
        Self {
            id,
            job: None,
            is_missing: false,
            output: Output::default(),
            by_hand: None,
            tab: JobTab::default(),
            scroll: 0,
        }
    }

    pub(super) fn turn(&mut self, forward: bool) {
        let step = if forward { 1 } else { JobTab::ALL.len() - 1 };
        self.tab = JobTab::ALL[(self.tab as usize + step) % JobTab::ALL.len()];
        self.scroll = 0;
    }
}

/// One row of what a job wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Written {
    /// A line, or as much of it as fits a row.
    Line(Stream, String),
    /// Something is not here, and why.
    Gap(String),
}

/// What a job wrote, as rows.
#[derive(Debug, Default)]
pub(super) struct Output {
    /// What was written, line by line, as it came.
    lines: VecDeque<Written>,
    /// The same in rows of `width` columns.
    rows: VecDeque<Written>,
    /// How many rows each line takes.
    heights: VecDeque<usize>,
    width: usize,
    /// The last line has not ended.
    is_open: bool,
    /// The beginning of a character whose end comes with the next piece, of which stream.
    half: Vec<u8>,
    /// The number of the next piece.
    pub next: u64,
    /// A question is on its way.
    pub asked: bool,
    /// The job is over and this is all of it.
    pub is_whole: bool,
    /// Bytes that were cut out of the middle.
    pub cut: u64,
    /// Lines that were let go of here.
    gone: u64,
    /// The first row that is shown; `None` while the end is followed.
    top: Option<usize>,
    /// Lines that came since the end is not followed.
    new: u64,
}

impl Output {
    /// Takes pieces; those that are here already are not taken again. Answers whether there may be more.
    pub(super) fn take(&mut self, part: &JobOutput) -> bool {
        self.asked = false;
        let before = self.next;
        for chunk in &part.chunks {
            if chunk.seq < self.next {
                continue;
            }
            if chunk.seq > self.next {
                self.gap(chunk.seq - self.next, part.totals.cut);
            }
            self.next = chunk.seq + 1;
            self.write(chunk.stream, &chunk.bytes);
        }
        self.next = self.next.max(part.next);
        self.cut = part.totals.cut;
        self.is_whole = part.end;
        !part.end && self.next > before
    }

    fn gap(&mut self, pieces: u64, cut: u64) {
        let cut =
            if cut > 0 { format!("; {} of all that was written are cut out", short_bytes(cut)) } else { String::new() };
        self.half.clear();
        self.is_open = false;
        self.push(Written::Gap(format!("-- {pieces} pieces are missing here{cut} --")));
    }

    fn write(&mut self, stream: Stream, bytes: &[u8]) {
        if self.open_stream() != Some(stream) {
            self.half.clear();
            self.is_open = false;
        }
        let bytes = [std::mem::take(&mut self.half).as_slice(), bytes].concat();
        // What may become a whole character with the next piece waits for it.
        let ends = match std::str::from_utf8(&bytes) {
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            _ => bytes.len(),
        };
        self.half = bytes[ends..].to_vec();
        for line in bytes[..ends].split_inclusive(|byte| *byte == b'\n') {
            let text = line.strip_suffix(b"\n").unwrap_or(line);
            let text = text.strip_suffix(b"\r").unwrap_or(text);
            self.add(stream, &screen::line(&String::from_utf8_lossy(text)));
            self.is_open = line.last() != Some(&b'\n');
        }
    }

    /// Which stream the line belongs to that may go on.
    fn open_stream(&self) -> Option<Stream> {
        match self.lines.back() {
            Some(Written::Line(stream, _)) if self.is_open => Some(*stream),
            _ => None,
        }
    }

    fn add(&mut self, stream: Stream, text: &str) {
        if self.is_open
            && let Some(Written::Line(_, line)) = self.lines.back_mut()
            && line.len() + text.len() <= LINE
        {
            line.push_str(text);
            let line = line.clone();
            let height = self.heights.pop_back().unwrap_or(0);
            self.rows.truncate(self.rows.len().saturating_sub(height));
            return self.lay(&Written::Line(stream, line));
        }
        for part in screen::chop(text, LINE) {
            self.push(Written::Line(stream, part));
        }
    }

    fn push(&mut self, written: Written) {
        self.lay(&written);
        self.lines.push_back(written);
        self.new += u64::from(self.top.is_some());
        while self.lines.len() > MOST {
            self.lines.pop_front();
            self.gone += 1;
            let height = self.heights.pop_front().unwrap_or(0);
            self.rows.drain(..height.min(self.rows.len()));
            self.top = self.top.map(|top| top.saturating_sub(height));
        }
    }

    /// Puts the rows of a line at the end.
    fn lay(&mut self, written: &Written) {
        let before = self.rows.len();
        match written {
            Written::Line(stream, text) => {
                let rows = screen::chop(text, self.width.max(1)).into_iter();
                self.rows.extend(rows.map(|row| Written::Line(*stream, row)));
            }
            gap @ Written::Gap(_) => self.rows.push_back(gap.clone()),
        }
        self.heights.push_back(self.rows.len() - before);
    }

    /// Lays everything out for rows of `width` columns.
    pub(super) fn fit(&mut self, width: usize) {
        if width == self.width {
            return;
        }
        // What was at the top stays as far down, in share of the whole.
        let place = self.top.map(|top| (top, self.rows.len().max(1)));
        self.width = width;
        self.rows.clear();
        self.heights.clear();
        let lines = std::mem::take(&mut self.lines);
        for line in &lines {
            self.lay(line);
        }
        self.lines = lines;
        self.top = place.map(|(top, of)| top * self.rows.len() / of);
    }

    /// The rows that are shown where there is room for `height`.
    pub(super) fn shown(&self, height: usize) -> impl Iterator<Item = &Written> {
        self.rows.iter().skip(self.first(height)).take(height)
    }

    fn first(&self, height: usize) -> usize {
        let end = self.rows.len().saturating_sub(height);
        self.top.map_or(end, |top| top.min(end))
    }

    /// Lines that came while the end was not followed; `None` while it is.
    pub(super) fn paused(&self) -> Option<u64> {
        self.top.map(|_| self.new)
    }

    /// Lines before the first that is held here.
    pub(super) fn gone(&self) -> u64 {
        self.gone
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Scrolls in a view of `height` rows. At the end it is followed again.
    pub(super) fn scroll(&mut self, action: Action, height: usize) {
        let end = self.rows.len().saturating_sub(height);
        let Some(to) = moved(action, self.first(height), end + 1, height) else { return };
        if to >= end {
            (self.top, self.new) = (None, 0);
        } else {
            if self.top.is_none() {
                self.new = 0;
            }
            self.top = Some(to);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::model::{OutputChunk, OutputTotals};

    use super::*;

    fn part(chunks: &[(u64, Stream, &[u8])], cut: u64) -> JobOutput {
        let chunk = |(seq, stream, bytes): &(u64, Stream, &[u8])| OutputChunk {
            seq: *seq,
            stream: *stream,
            bytes: bytes.to_vec(),
        };
        let chunks: Vec<OutputChunk> = chunks.iter().map(chunk).collect();
        let next = chunks.last().map_or(0, |chunk| chunk.seq + 1);
        JobOutput { chunks, next, totals: OutputTotals { out: 0, err: 0, cut }, end: false }
    }

    fn rows(output: &Output, height: usize) -> Vec<String> {
        let text = |row: &Written| match row {
            Written::Line(Stream::Out, text) | Written::Gap(text) => text.clone(),
            Written::Line(Stream::Err, text) => format!("! {text}"),
        };
        output.shown(height).map(text).collect()
    }

    fn output(width: usize) -> Output {
        let mut output = Output::default();
        output.fit(width);
        output
    }

    #[test]
    fn pieces_become_lines_of_their_stream_whatever_is_cut_where() {
        let mut output = output(20);
        assert!(output.take(&part(&[(0, Stream::Out, b"one\ntw"), (1, Stream::Out, b"o\nthr")], 0)));
        assert_eq!(rows(&output, 9), ["one", "two", "thr"], "what has not ended is shown");
        output.take(&part(&[(1, Stream::Out, b"again"), (2, Stream::Err, b"bad\r\n"), (3, Stream::Out, b"ee\n")], 0));
        assert_eq!(rows(&output, 9), ["one", "two", "thr", "! bad", "ee"]);
        let (first, second) = "gr\u{fc}n\n".as_bytes().split_at(3);
        output.take(&part(&[(4, Stream::Out, first), (5, Stream::Out, second)], 0));
        assert_eq!(rows(&output, 1), ["gr\u{fc}n"], "a character that came in two");
        output.take(&part(&[(6, Stream::Out, b"\xff\x1b]0;owned\x07\xe2\x80\xae\n")], 0));
        assert_eq!(rows(&output, 1), ["\u{fffd}␛]0;owned␇\u{fffd}"]);
        output.fit(2);
        assert_eq!(rows(&output, 99)[..2], ["on", "e"]);
        output.fit(20);
        assert_eq!(rows(&output, 99)[..2], ["one", "two"]);
    }

    #[test]
    fn a_gap_is_told_with_what_was_cut() {
        let mut output = output(20);
        output.take(&part(&[(0, Stream::Out, b"a\n"), (9, Stream::Out, b"b\n")], 4_096));
        let gap = "-- 8 pieces are missing here; 4.0 KiB of all that was written are cut out --";
        assert_eq!(rows(&output, 9), ["a", gap, "b"]);
        assert_eq!(output.next, 10);
        assert!(!output.take(&part(&[], 0)), "nothing new: there is no more for now");
    }

    #[test]
    fn the_end_is_followed_until_somebody_scrolls_up_and_again_at_the_end() {
        let mut output = output(20);
        let line = |seq: u64| part(&[(seq, Stream::Out, b"x\n")], 0);
        (0..50).for_each(|seq| assert!(output.take(&line(seq))));
        assert_eq!((output.first(10), output.paused()), (40, None));
        output.scroll(Action::Up, 10);
        (50..62).for_each(|seq| assert!(output.take(&line(seq))));
        assert_eq!((output.first(10), output.paused()), (39, Some(12)));
        output.scroll(Action::Last, 10);
        assert_eq!((output.first(10), output.paused()), (52, None));
        (62..20_000).for_each(|seq| assert!(output.take(&line(seq))));
        assert_eq!((output.rows.len(), output.gone()), (10_000, 10_000));
    }

    proptest! {
        #[test]
        fn whatever_comes_every_row_fits_and_controls_nothing(
            pieces in proptest::collection::vec((any::<bool>(), proptest::collection::vec(any::<u8>(), 0..40), 1..3_u64), 0..30),
            width in 1..40_usize,
        ) {
            let mut output = output(width);
            let mut seq = 0;
            for (err, bytes, step) in &pieces {
                let stream = if *err { Stream::Err } else { Stream::Out };
                output.take(&part(&[(seq, stream, bytes)], 0));
                seq += step;
            }
            let mut again = Output { lines: output.lines.clone(), ..Output::default() };
            again.fit(width);
            prop_assert_eq!(&again.rows, &output.rows, "line by line or at once");
            for row in output.shown(usize::MAX) {
                if let Written::Line(_, text) = row {
                    prop_assert!(screen::width(text) <= width.max(2));
                    prop_assert!(!text.chars().any(char::is_control));
                }
            }
        }
    }
}
