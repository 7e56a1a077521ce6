//! Reads the terminal: waits without a thread, never blocks, and ends when the terminal does.

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::event::Input;
use super::parser::{Parser, Pending};
use super::patience::{Patience, SEQUENCE};

/// Bytes read at once.
const CHUNK: usize = 4096;

/// The terminal as it is read. Dropping it leaves what is not read yet to whoever reads next.
#[derive(Debug)]
pub(in crate::tui) struct Reader {
    terminal: AsyncFd<OwnedFd>,
    parser: Parser,
    patience: Patience,
    ready: VecDeque<Input>,
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
            heard: Instant::now(),
        })
    }

    /// The next input; `None` when the terminal is gone. Nothing is lost when the wait is given up.
    pub(in crate::tui) async fn next(&mut self) -> Option<Input> {
        loop {
            if let Some(input) = self.ready.pop_front() {
                return Some(input);
            }
            let mut chunk = [0; CHUNK];
            let count = match self.waits() {
                None => more(&self.terminal, &mut chunk).await,
                Some(wait) => {
                    let left = wait.saturating_sub(self.heard.elapsed());
                    match tokio::time::timeout(left, more(&self.terminal, &mut chunk)).await {
                        Ok(count) => count,
                        Err(_) => {
                            self.ready.extend(self.parser.pause());
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
            self.heard = now;
            self.ready.extend(self.parser.feed(&chunk[..count]));
        }
    }

    /// How long what is pending may wait, counted from when something last came.
    fn waits(&self) -> Option<Duration> {
        match self.parser.pending() {
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
}
