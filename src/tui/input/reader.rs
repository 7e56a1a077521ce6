//! Reads the terminal: waits without a thread, never blocks, and ends when the terminal does.

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::driven::Driven;
use super::event::Input;
use super::parser::{Parser, Pending};
use super::patience::{Patience, SEQUENCE};

/// Bytes read at once.
const CHUNK: usize = 4096;
/// After this rest a paste that has no end is over while somebody types into a pane.
const CALM: Duration = Duration::from_secs(1);

/// The terminal as it is read. Dropping it leaves what is not read yet to whoever reads next.
#[derive(Debug)]
pub(in crate::tui) struct Reader {
    terminal: AsyncFd<OwnedFd>,
    parser: Parser,
    patience: Patience,
    ready: VecDeque<Input>,
    /// What was read and not taken yet, and whether some of the same reading was.
    rest: Vec<u8>,
    begun: bool,
    /// Somebody types into a pane.
    driven: Option<Driven>,
    /// A pane was given back inside a paste: the rest of it is dropped, until its end or until nothing comes for a while.
    spilled: Option<Driven>,
    /// Since when the terminal has been asked something that it has not answered.
    awaits: Option<Instant>,
    /// When something last came.
    heard: Instant,
}

impl Reader {
    /// Reads standard input from now on. Within a runtime only.
    ///
    /// # Errors
    /// When standard input is nothing one can wait for: closed, or a file.
    pub(in crate::tui) fn open() -> io::Result<Self> {
        Self::of(rustix::io::fcntl_dupfd_cloexec(io::stdin(), 3)?)
    }

    #[expect(deprecated, reason = "the safe constructor asks for no owned descriptor; this one is, so it stays open")]
    fn of(terminal: OwnedFd) -> io::Result<Self> {
        Ok(Self {
            terminal: AsyncFd::with_interest(terminal, Interest::READABLE)?,
            parser: Parser::default(),
            patience: Patience::default(),
            ready: VecDeque::new(),
            rest: Vec::new(),
            begun: false,
            driven: None,
            spilled: None,
            awaits: None,
            heard: Instant::now(),
        })
    }

    /// The next input; `None` when the terminal is gone. Nothing is lost when the wait is given up.
    pub(in crate::tui) async fn next(&mut self) -> Option<Input> {
        loop {
            if let Some(input) = self.ready.pop_front() {
                return Some(input);
            }
            if !self.rest.is_empty() {
                self.step();
                continue;
            }
            let mut chunk = [0; CHUNK];
            let count = match self.waits() {
                None => more(&self.terminal, &mut chunk).await,
                Some(wait) => {
                    let left = wait.saturating_sub(self.heard.elapsed());
                    match tokio::time::timeout(left, more(&self.terminal, &mut chunk)).await {
                        Ok(count) => count,
                        Err(_) => {
                            self.ready.extend(match &mut self.driven {
                                Some(driven) => driven.pause(),
                                None => self.parser.pause(),
                            });
                            continue;
                        }
                    }
                }
            };
            let count = count.ok().filter(|count| *count > 0)?;
            let now = Instant::now();
            if self.parser.pending() != Pending::Nothing {
                self.patience.torn(now.duration_since(self.heard), now);
            }
            if let Some(driven) = self.driven.as_mut().filter(|_| now.duration_since(self.heard) >= CALM) {
                driven.calm();
            }
            if now.duration_since(self.heard) >= CALM {
                self.spilled = None;
            }
            self.heard = now;
            self.rest.extend_from_slice(&chunk[..count]);
            self.begun = false;
        }
    }

    /// Takes what was read until something comes of it: the next may be taken otherwise.
    fn step(&mut self) {
        if let Some(spilled) = &mut self.spilled {
            let dropped = spilled.spill(&self.rest);
            self.rest.drain(..dropped);
            if !spilled.is_in_paste() {
                self.spilled = None;
                self.begun = false;
            }
            return;
        }
        // A terminal that does not answer in time never does, and a lone escape does not wait for it.
        let awaits = self.awaits.is_some_and(|since| since.elapsed() < SEQUENCE);
        let (taken, inputs) = match &mut self.driven {
            Some(driven) => driven.feed(&self.rest, awaits),
            None => self.parser.step(&self.rest, !self.begun),
        };
        self.begun = true;
        self.rest.drain(..taken);
        if inputs.contains(&Input::GiveBack) {
            self.spilled = self.driven.take().filter(Driven::is_in_paste);
        }
        self.ready.extend(inputs);
    }

    /// From now on bytes are typed into a pane, or are keys again. What was read already and not taken counts.
    pub(in crate::tui) fn drive(&mut self, on: bool) {
        if on != self.driven.is_some() {
            let before = std::mem::replace(&mut self.driven, on.then(Driven::default));
            self.spilled = before.filter(Driven::is_in_paste).or(self.spilled.take());
            self.begun = false;
        }
    }

    /// Whether the terminal has been asked something that it has not answered.
    pub(in crate::tui) fn awaits(&mut self, awaits: bool) {
        self.awaits = awaits.then(|| self.awaits.unwrap_or_else(Instant::now));
    }

    /// How long what is pending may wait, counted from when something last came.
    fn waits(&self) -> Option<Duration> {
        match self.driven.as_ref().map_or_else(|| self.parser.pending(), Driven::pending) {
            Pending::Nothing => None,
            Pending::Escape => Some(self.patience.escape(self.heard)),
            Pending::Sequence => Some(SEQUENCE),
        }
    }
}

/// Reads what there is; 0 at the end.
///
/// The terminal stays in blocking mode, as that is a property it shares with the shell and with our own output.
/// So it is asked first how much there is, and never for more.
async fn more(terminal: &AsyncFd<OwnedFd>, chunk: &mut [u8]) -> io::Result<usize> {
    loop {
        let mut guard = terminal.readable().await?;
        let waiting = usize::try_from(rustix::io::ioctl_fionread(terminal.get_ref())?).unwrap_or(CHUNK);
        if waiting == 0 && !guard.ready().is_read_closed() {
            guard.clear_ready();
            continue;
        }
        let most = waiting.clamp(1, chunk.len());
        match rustix::io::read(terminal.get_ref(), &mut chunk[..most]) {
            Ok(count) => {
                if count >= waiting {
                    guard.clear_ready();
                }
                return Ok(count);
            }
            Err(Errno::INTR | Errno::AGAIN) => guard.clear_ready(),
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_comes_in_pieces_is_put_together_and_the_end_is_the_end() {
        use std::io::Write;
        let (near, mut far) = std::os::unix::net::UnixStream::pair().expect("a pair");
        let mut reader = Reader::of(near.into()).expect("can be waited for");
        far.write_all(b"a\x1b[").expect("writes");
        let key = |input: Option<Input>| match input {
            Some(Input::Key(key)) => key.code.to_string(),
            other => panic!("{other:?}"),
        };
        assert_eq!(key(reader.next().await), "a");
        assert!(tokio::time::timeout(Duration::from_millis(60), reader.next()).await.is_err());
        far.write_all(b"B\x1b").expect("writes");
        assert_eq!(key(reader.next().await), "Down");
        assert_eq!(key(reader.next().await), "Esc");
        far.write_all(b"z").expect("writes");
        drop(far);
        assert_eq!(key(reader.next().await), "z");
        assert_eq!(reader.next().await, None);
    }

    #[tokio::test]
    async fn what_was_typed_ahead_goes_where_it_was_meant_to_go() {
        use std::io::Write;
        let (near, mut far) = std::os::unix::net::UnixStream::pair().expect("a pair");
        let mut reader = Reader::of(near.into()).expect("can be waited for");
        far.write_all(b"ils\r\x1b[A\x1djk\x1b[200~i\x1b[201~").expect("writes");
        let key = |c| Some(Input::Key(crossterm::event::KeyEvent::from(crossterm::event::KeyCode::Char(c))));
        assert_eq!(reader.next().await, key('i'));
        reader.drive(true);
        assert_eq!(reader.next().await, Some(Input::Typed(b"ls\r\x1b[A".to_vec())));
        assert_eq!(reader.next().await, Some(Input::GiveBack));
        reader.drive(false);
        assert_eq!(reader.next().await, key('j'));
        assert_eq!(reader.next().await, key('k'));
        assert_eq!(reader.next().await, Some(Input::Paste("i".into())));
    }

    #[tokio::test]
    async fn the_rest_of_a_paste_is_no_keys_after_the_pane_was_given_back() {
        use std::io::Write;
        let (near, mut far) = std::os::unix::net::UnixStream::pair().expect("a pair");
        let mut reader = Reader::of(near.into()).expect("can be waited for");
        let key = |c| Some(Input::Key(crossterm::event::KeyEvent::from(crossterm::event::KeyCode::Char(c))));
        reader.drive(true);
        far.write_all(b"\x1b[200~a").expect("writes");
        assert_eq!(reader.next().await, Some(Input::Typed(b"\x1b[200~a".to_vec())));
        // The line stood still in the middle of it, or so it seems.
        reader.heard -= CALM;
        far.write_all(b"\x1dq\r\x1b[201~j").expect("writes");
        assert_eq!(reader.next().await, Some(Input::GiveBack));
        reader.drive(false);
        assert_eq!(reader.next().await, key('j'));
        // The same where the screen ends it, and a paste without an end locks nobody out.
        reader.drive(true);
        far.write_all(b"\x1b[200~a").expect("writes");
        assert_eq!(reader.next().await, Some(Input::Typed(b"\x1b[200~a".to_vec())));
        reader.drive(false);
        far.write_all(b"qq").expect("writes");
        assert!(tokio::time::timeout(Duration::from_millis(60), reader.next()).await.is_err());
        reader.heard -= CALM;
        far.write_all(b"k").expect("writes");
        assert_eq!(reader.next().await, key('k'));
    }

    #[tokio::test]
    async fn a_lone_escape_does_not_wait_for_a_terminal_that_does_not_answer() {
        use std::io::Write;
        let (near, mut far) = std::os::unix::net::UnixStream::pair().expect("a pair");
        let mut reader = Reader::of(near.into()).expect("can be waited for");
        reader.drive(true);
        reader.awaits(true);
        far.write_all(b"\x1b").expect("writes");
        let soon = tokio::time::timeout(SEQUENCE / 2, reader.next()).await;
        assert_eq!(soon, Ok(Some(Input::Typed(b"\x1b".to_vec()))), "as short as without a pane");
        reader.awaits = reader.awaits.map(|since| since.checked_sub(SEQUENCE).expect("a time"));
        reader.awaits(true);
        far.write_all(b"\x1b").expect("writes");
        let now = tokio::time::timeout(Duration::from_millis(60), reader.next()).await;
        assert_eq!(now, Ok(Some(Input::Typed(b"\x1b".to_vec()))));
    }
}
