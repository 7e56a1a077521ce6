//! `aurora pane watch`: the lines of a pane as they come to be, as plain text.
//!
//! A line is printed once it is complete: when the cursor stands below it, or it has scrolled out. Of a program that draws
//! the whole screen nothing is a line; that is said once.

use std::collections::VecDeque;

use serde::Serialize;

use crate::client::Client;
use crate::model::{PaneAddress, PaneDriver};
use crate::protocol::{
    Link, PaneLost, PanePace, PaneReply, PaneRequest, PaneUpdate, Refusal, Reply, Request, RequestId, Update,
};
use crate::screen::{Glass, PaneScreen, plain};

use super::exit::{Exit, Failure, Outcome};
use super::output;

/// Lines of history asked for at once.
const PAGE: usize = 1_000;
/// Lines that were printed last and are remembered.
const TOLD: usize = 20;
/// How often a broken line is tried again before it is given up.
const TRIES: u32 = 20;

/// One piece, for programs.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
enum Piece<'a> {
    /// A whole screen, without its colours.
    Screen {
        missed: u64,
        too_fast: bool,
        rows: Vec<String>,
    },
    /// What was printed, with its escapes escaped.
    Output {
        text: String,
    },
    Stale {
        since: Option<jiff::Timestamp>,
        why: Option<&'a str>,
    },
    Driver {
        driver: Option<&'a PaneDriver>,
        why: &'a str,
    },
    /// Lines are numbered anew: some may be missing, some told twice.
    Anew,
    Ended {
        why: &'a str,
    },
}

struct Watching<'a> {
    client: &'a mut Client,
    pane: &'a PaneAddress,
    json: bool,
    watch: u64,
    glass: Glass,
    /// The epoch of the numbers of its lines.
    epoch: Option<u64>,
    /// What of it never came to the engine, as was told last.
    lost: PaneLost,
    /// The lines that were printed last.
    told: VecDeque<String>,
    /// The number of the screen's first row, as the engine counts.
    first_row: u64,
    /// The number of the next line to print.
    next: Option<u64>,
    is_full_screen: bool,
    /// The watch, as it was asked for last.
    asked: RequestId,
    /// The recording, where one is wanted, as it was asked for last: it ends with the line.
    recorded: Option<RequestId>,
    /// Bytes of a character that is not complete yet.
    cut: Vec<u8>,
    /// The person has seen enough.
    is_left: bool,
    /// What came while something else was waited for.
    waiting: VecDeque<PaneUpdate>,
}

/// Says something beside the lines.
pub(super) fn aside(words: &str) {
    output::aside(&format!("-- {}", crate::screen::line(words)));
}

/// Prints what `pane` shows until it ends or the person has seen enough.
pub(super) async fn follow(client: &mut Client, pane: &PaneAddress, json: bool, record: bool) -> Outcome {
    let mut watching = Watching {
        client,
        pane,
        json,
        watch: 0,
        glass: Glass::new(80, 24),
        epoch: None,
        lost: PaneLost::default(),
        told: VecDeque::new(),
        first_row: 0,
        next: None,
        is_full_screen: false,
        asked: RequestId(0),
        recorded: record.then_some(RequestId(0)),
        cut: Vec::new(),
        is_left: false,
        waiting: VecDeque::new(),
    };
    watching.begin();
    loop {
        if watching.is_left || !output::is_read() {
            return Ok(Exit::Fine);
        }
        if let Some(update) = watching.waiting.pop_front() {
            if watching.take(update).await? {
                return Ok(Exit::Fine);
            }
            continue;
        }
        let update = tokio::select! {
            update = watching.client.next() => update,
            _ = tokio::signal::ctrl_c() => return Ok(Exit::Fine),
        };
        match update.ok_or_else(|| Failure::new(Exit::Down, "the engine has ended"))? {
            Update::Pane(update) => watching.waiting.push_back(update),
            Update::Reply { id, reply } if id == watching.asked || Some(id) == watching.recorded => {
                told(reply)?;
            }
            Update::Link(Link::Reconnecting { tries, why, .. }) if tries >= TRIES => {
                return Err(Failure::new(Exit::Down, why));
            }
            // The watch has ended with the line.
            Update::Link(Link::Reconnecting { .. }) => watching.watch = 0,
            Update::Link(Link::Connected { .. }) if watching.watch == 0 => watching.begin(),
            _ => {}
        }
    }
}

/// What is said of bytes that nobody here has seen since `before`.
fn lost_words(before: PaneLost, lost: PaneLost) -> String {
    match lost.bytes.saturating_sub(before.bytes) {
        _ if lost.too_fast > before.too_fast => {
            "it is too fast to follow and is looked at once a second; lines are missing".to_owned()
        }
        0 => "some of it was printed while nobody looked, and is missing here".to_owned(),
        bytes => format!("{bytes} bytes of it came to nobody here; lines are missing"),
    }
}

/// How many of the lines that are `kept` come up to the end of those that were `told` last. Where those are there more than
/// once it is the first time: a line told twice is better than none. `None` where they are not among them.
fn behind(kept: &[String], told: &[String]) -> Option<usize> {
    let at = kept.windows(told.len().max(1)).position(|lines| lines == told)?;
    Some(at + told.len())
}

/// Takes what came of beginning.
fn told(reply: Result<Reply, Refusal>) -> Result<(), Failure> {
    if let Reply::Pane(PaneReply::Recording(path)) = reply? {
        aside(&format!("it is recorded to {path}"));
    }
    Ok(())
}

impl Watching<'_> {
    fn begin(&mut self) {
        self.watch += 1;
        let (watch, pane, pace) = (self.watch, self.pane.clone(), PanePace::LIVE);
        self.asked = self.client.ask(Request::Pane(PaneRequest::Watch { watch, pane, pace }));
        if self.recorded.is_some() {
            let record = PaneRequest::Record { pane: self.pane.clone(), on: true, stays: false };
            self.recorded = Some(self.client.ask(Request::Pane(record)));
        }
    }

    /// The text of these bytes; of a character that is not complete the rest is waited for.
    fn text(&mut self, bytes: &[u8]) -> String {
        self.cut.extend_from_slice(bytes);
        let cut = self.cut.utf8_chunks().last().map_or(0, |last| {
            // A cut character is shorter than one, at the very end, and could still become one.
            let rest = last.invalid();
            if matches!(std::str::from_utf8(rest), Err(error) if error.error_len().is_none()) { rest.len() } else { 0 }
        });
        let rest = self.cut.split_off(self.cut.len() - cut);
        String::from_utf8_lossy(&std::mem::replace(&mut self.cut, rest)).into_owned()
    }

    /// Takes an update; answers whether it was the last.
    async fn take(&mut self, update: PaneUpdate) -> Result<bool, Failure> {
        match &update {
            PaneUpdate::Seed { watch, epoch, first_row, lost, seed } if *watch == self.watch => {
                let before = self.epoch.replace(*epoch);
                let is_anew = before.is_some_and(|before| before != *epoch);
                let lost_before = std::mem::replace(&mut self.lost, *lost);
                if is_anew && self.json {
                    output::json_line(&Piece::Anew)?;
                } else if !is_anew && lost.gaps > lost_before.gaps && !self.json {
                    aside(&lost_words(lost_before, *lost));
                }
                // A fresh one: its rows are numbered by the engine alone.
                self.glass = Glass::new(seed.cols, seed.rows);
                self.glass.seed(seed);
                self.first_row = *first_row;
                self.seen(seed.offset);
                self.cut.clear();
                if self.json {
                    let (missed, too_fast, rows) = (seed.missed, seed.too_fast, self.glass.text());
                    output::json_line(&Piece::Screen { missed, too_fast, rows })?;
                } else {
                    if is_anew {
                        self.go_on().await?;
                    }
                    self.print().await?;
                }
            }
            PaneUpdate::Chunk { watch, first_row, chunk } if *watch == self.watch => {
                if self.glass.feed(chunk).is_err() {
                    return Err(Failure::new(Exit::Failed, "a piece of the pane is missing; this is a defect"));
                }
                self.first_row = *first_row;
                self.seen(chunk.offset + chunk.bytes.len() as u64);
                if self.json {
                    let text = self.text(&chunk.bytes);
                    output::json_line(&Piece::Output { text })?;
                } else {
                    self.print().await?;
                }
            }
            PaneUpdate::Stale { since, .. } => {
                let why = since.as_ref().map(|(_, why)| why.as_str());
                let words = match why {
                    Some(why) => format!("what is shown is old: {why}"),
                    None => "it is shown as it is again".to_owned(),
                };
                self.note(&Piece::Stale { since: since.as_ref().map(|(at, _)| *at), why }, &words)?;
            }
            PaneUpdate::Driver { driver, why, .. } => {
                self.note(&Piece::Driver { driver: driver.as_ref(), why }, why)?;
            }
            PaneUpdate::Ended { why, .. } => {
                self.note(&Piece::Ended { why }, why)?;
                return Ok(true);
            }
            _ => {}
        }
        Ok(false)
    }

    fn seen(&mut self, offset: u64) {
        self.client.seen(self.watch, offset);
    }

    /// Something about the pane: in words on standard error, so that standard output holds its lines alone.
    fn note(&self, piece: &Piece<'_>, words: &str) -> std::io::Result<()> {
        if self.json {
            return output::json_line(piece);
        }
        aside(words);
        Ok(())
    }

    /// Prints the lines that are complete now and were not before.
    async fn print(&mut self) -> Result<(), Failure> {
        let was_full = std::mem::replace(&mut self.is_full_screen, self.glass.screen().is_alternate());
        if self.is_full_screen {
            if !was_full {
                aside("a program draws the whole screen; its lines come when it is over");
            }
            return Ok(());
        }
        let rows = self.glass.text();
        let used = rows.iter().rposition(|row| !row.trim().is_empty()).map_or(0, |last| last as u64);
        let below = self.glass.screen().cursor().map_or(used, |(_, row)| u64::from(row));
        let end = self.first_row + below;
        let from = self.next.unwrap_or(self.first_row);
        // A program that went up writes those lines anew.
        let from = from.min(end);
        self.next = Some(end);
        if from < self.first_row {
            self.scrolled(from).await?;
        }
        let begin = usize::try_from(from.saturating_sub(self.first_row)).unwrap_or(rows.len());
        let count = usize::try_from(below).unwrap_or(rows.len());
        for row in rows.iter().take(count).skip(begin) {
            self.line(row)?;
        }
        Ok(())
    }

    fn line(&mut self, line: &str) -> std::io::Result<()> {
        let line = line.trim_end();
        self.told.push_back(line.to_owned());
        if self.told.len() > TOLD {
            self.told.pop_front();
        }
        output::line(line)
    }

    /// The engine began anew with this pane, and numbers its lines anew: it goes on behind what was printed last, where that
    /// is still among them.
    async fn go_on(&mut self) -> Result<(), Failure> {
        let (mut kept, mut from) = (Vec::new(), None);
        // The newest page first: only it says which line is the oldest.
        let mut before = self.first_row;
        while from.is_none_or(|from| from < before) {
            let request = PaneRequest::History { pane: self.pane.clone(), before: Some(before), limit: PAGE };
            let Some(PaneReply::Lines(lines)) = self.answer(request).await? else { break };
            from = Some(lines.first);
            let Some(oldest) = lines.lines.first() else { break };
            before = oldest.number;
            kept.splice(0..0, lines.lines.iter().map(|line| plain(&line.text).trim_end().to_owned()));
        }
        // What the screen shows may have been printed, too.
        kept.extend(self.glass.text().iter().map(|row| row.trim_end().to_owned()));
        let told: Vec<String> = self.told.iter().cloned().collect();
        let behind = behind(&kept, &told);
        // Who was told nothing begins with the screen, as everybody does.
        let oldest = if told.is_empty() { self.first_row } else { before };
        self.next = Some(behind.map_or(oldest, |behind| before + behind as u64));
        aside(match behind {
            Some(_) => "the engine began anew with this pane; its lines go on behind the last one",
            None => "the engine began anew with this pane: some lines may be missing, and some come again",
        });
        Ok(())
    }

    /// Prints the lines from `from` on that have scrolled out.
    async fn scrolled(&mut self, mut from: u64) -> Result<(), Failure> {
        let end = self.first_row;
        while from < end {
            let before = (from + PAGE as u64).min(end);
            let limit = usize::try_from(before - from).unwrap_or(PAGE);
            let request = PaneRequest::History { pane: self.pane.clone(), before: Some(before), limit };
            let Some(PaneReply::Lines(lines)) = self.answer(request).await? else {
                // What is left of them comes with the next line that holds.
                self.next = Some(from);
                return Ok(());
            };
            if lines.first > from {
                let lost = lines.first.min(end) - from;
                aside(&format!("{lost} lines are not kept any more"));
            }
            for line in lines.lines.iter().filter(|line| line.number >= from) {
                self.line(&plain(&line.text))?;
            }
            from = before.max(lines.first);
        }
        Ok(())
    }

    /// Asks, and keeps what comes of panes meanwhile. `None`: the line broke, or the person has seen enough.
    async fn answer(&mut self, request: PaneRequest) -> Result<Option<PaneReply>, Failure> {
        let asked = self.client.ask(Request::Pane(request));
        loop {
            let update = tokio::select! {
                update = self.client.next() => update,
                _ = tokio::signal::ctrl_c() => {
                    self.is_left = true;
                    return Ok(None);
                }
            };
            match update.ok_or_else(|| Failure::new(Exit::Down, "the engine has ended"))? {
                Update::Reply { id, reply } if id == self.asked || Some(id) == self.recorded => told(reply)?,
                Update::Pane(update) => self.waiting.push_back(update),
                Update::Reply { id, reply } if id == asked => {
                    return match reply? {
                        Reply::Pane(reply) => Ok(Some(reply)),
                        reply => Err(super::session::unexpected(&reply)),
                    };
                }
                // The watch has ended with the line, and what came over it.
                Update::Link(Link::Reconnecting { .. }) => {
                    self.watch = 0;
                    self.waiting.clear();
                    return Ok(None);
                }
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_told_is_found_among_lines_with_other_numbers() {
        let lines = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let kept = lines("a b c b c d");
        assert_eq!(behind(&kept, &lines("b c")), Some(3), "rather twice than never");
        assert_eq!(behind(&kept, &lines("c d")), Some(6), "nothing came since");
        assert_eq!(behind(&kept, &lines("x c d")), None);
        assert_eq!(behind(&lines("a"), &lines("a b")), None);
        assert_eq!(behind(&kept, &[]), None, "nothing was told");
    }
}
