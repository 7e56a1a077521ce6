//! What a command wrote, on its way to this process's own outputs.

use std::io::{self, IsTerminal, Write};

use crate::model::{OutputChunk, Stream};
use crate::screen;

use super::output;

/// Prints pieces of output: byte for byte where it goes to a file or a pipe, without anything that controls where it
/// goes to a terminal.
#[derive(Debug)]
pub(super) struct RawOutput {
    out: Way,
    err: Way,
    /// The number of the next piece, to tell where something was cut out.
    next: u64,
}

#[derive(Debug)]
struct Way {
    is_terminal: bool,
    /// Bytes of a character, or of a line break, that is not whole yet.
    held: Vec<u8>,
    /// Whether it stands at the beginning of a line.
    fresh: bool,
}

impl Way {
    fn new(is_terminal: bool) -> Self {
        Self { is_terminal, held: Vec::new(), fresh: true }
    }

    /// What is to be printed for `bytes`.
    fn take(&mut self, bytes: &[u8]) -> Vec<u8> {
        let printed = if self.is_terminal {
            self.held.extend_from_slice(bytes);
            let whole = self.held.len() - unfinished(&self.held);
            let rest = self.held.split_off(whole);
            let whole = std::mem::replace(&mut self.held, rest);
            screen::lines(&String::from_utf8_lossy(&whole)).into_bytes()
        } else {
            bytes.to_vec()
        };
        if let Some(last) = printed.last() {
            self.fresh = *last == b'\n';
        }
        printed
    }

    /// What is left at the end.
    fn end(&mut self) -> Vec<u8> {
        let held = std::mem::take(&mut self.held);
        screen::lines(&String::from_utf8_lossy(&held)).into_bytes()
    }
}

/// How many bytes at the end of `bytes` are the beginning of a character or of a line break.
fn unfinished(bytes: &[u8]) -> usize {
    if bytes.last() == Some(&b'\r') {
        return 1;
    }
    // A character has at most four bytes; its first says how many.
    let tail = bytes.len().saturating_sub(3)..bytes.len();
    for place in tail.rev() {
        let needs = match bytes[place] {
            0x80..=0xbf => continue,
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            _ => 1,
        };
        let there = bytes.len() - place;
        return if there < needs { there } else { 0 };
    }
    0
}

impl RawOutput {
    /// Prints to the outputs of this process.
    pub(super) fn new() -> Self {
        Self { out: Way::new(io::stdout().is_terminal()), err: Way::new(io::stderr().is_terminal()), next: 0 }
    }

    /// Prints pieces, each to the output it was written to.
    pub(super) fn print(&mut self, chunks: &[OutputChunk]) -> io::Result<()> {
        for chunk in chunks {
            if chunk.seq > self.next {
                self.say("... a part of the output is left out here ...");
            }
            self.next = chunk.seq + 1;
            match chunk.stream {
                Stream::Out => output::bytes(&self.out.take(&chunk.bytes))?,
                Stream::Err => beside(&self.err.take(&chunk.bytes)),
            }
        }
        Ok(())
    }

    /// Prints a line of aurora's own beside the output, on standard error.
    pub(super) fn say(&mut self, line: &str) {
        let joined = self.out.is_terminal && !self.out.fresh || !self.err.fresh;
        let line = screen::line(line);
        (self.out.fresh, self.err.fresh) = (true, true);
        beside(format!("{}{line}\n", if joined { "\n" } else { "" }).as_bytes());
    }

    /// Prints what was held back.
    pub(super) fn end(&mut self) -> io::Result<()> {
        output::bytes(&self.out.end())?;
        beside(&self.err.end());
        Ok(())
    }
}

/// Writes to standard error, where somebody reads that.
fn beside(bytes: &[u8]) {
    let _ = io::stderr().write_all(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_gets_no_control_and_a_pipe_gets_every_byte() {
        let hostile = b"a\x1b]52;c;aGk=\x07\xff\r\n\xe2\x82\xac";
        let mut pipe = Way::new(false);
        assert_eq!(pipe.take(hostile), hostile);
        // However it is cut into pieces.
        let whole = { Way::new(true).take(hostile) };
        assert!(!whole.iter().any(|byte| *byte < 0x20 && *byte != b'\n'), "{whole:?}");
        for cut in 1..hostile.len() {
            let mut terminal = Way::new(true);
            let mut printed = terminal.take(&hostile[..cut]);
            printed.extend(terminal.take(&hostile[cut..]));
            printed.extend(terminal.end());
            assert_eq!(String::from_utf8_lossy(&printed), String::from_utf8_lossy(&whole), "cut at {cut}");
        }
    }

    #[test]
    fn what_never_becomes_whole_is_printed_at_the_end() {
        let mut terminal = Way::new(true);
        assert_eq!(terminal.take(b"x\xe2\x82"), b"x");
        assert_eq!(String::from_utf8_lossy(&terminal.end()), "\u{fffd}");
    }
}
