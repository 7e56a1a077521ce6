//! Log lines on their way to the engine.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use jiff::Timestamp;
use tokio::sync::mpsc;

use crate::model::{LogLevel, LogLine};

/// Lines that may wait for the engine; more are dropped, as they are in the log file all the same.
const WAITING: usize = 256;

/// What both ends count.
#[derive(Debug, Default)]
struct Counts {
    /// The number of the last line.
    last: AtomicI64,
    /// Lines dropped that nobody was told of yet.
    dropped: AtomicU64,
}

/// Where the composition root's log layer puts lines.
#[derive(Debug, Clone)]
pub struct LogSink {
    lines: mpsc::Sender<LogLine>,
    counts: Arc<Counts>,
}

/// The lines that come out of a sink.
#[derive(Debug)]
pub struct LogLines {
    lines: mpsc::Receiver<LogLine>,
    counts: Arc<Counts>,
}

impl LogSink {
    /// A sink and what comes out of it.
    #[must_use]
    pub fn new() -> (Self, LogLines) {
        let (sender, receiver) = mpsc::channel(WAITING);
        let counts = Arc::new(Counts::default());
        (Self { lines: sender, counts: Arc::clone(&counts) }, LogLines { lines: receiver, counts })
    }

    /// Gives a line its number and hands it over. When the engine is behind the line is dropped: the number is
    /// missing then, and the engine is told how many are.
    pub fn put(&self, line: LogLine) {
        let n = self.counts.next();
        if self.lines.try_send(LogLine { n, ..line }).is_err() {
            self.counts.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Counts {
    fn next(&self) -> i64 {
        self.last.fetch_add(1, Ordering::Relaxed) + 1
    }
}

impl LogLines {
    /// The next line; after a burst of which lines were dropped, one that says how many.
    pub(super) async fn next(&mut self) -> Option<LogLine> {
        if self.lines.is_empty() {
            let dropped = self.counts.dropped.swap(0, Ordering::Relaxed);
            if dropped > 0 {
                return Some(LogLine {
                    n: self.counts.next(),
                    at: Timestamp::now(),
                    level: LogLevel::Warn,
                    target: "aurora".to_owned(),
                    text: format!("{dropped} log lines came too fast for the screen; the files in logs/ have them"),
                });
            }
        }
        self.lines.recv().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_comes_too_fast_is_counted_and_told() {
        let (sink, mut lines) = LogSink::new();
        let line = |text: &str| LogLine {
            n: 0,
            at: Timestamp::UNIX_EPOCH,
            level: LogLevel::Info,
            target: "a".into(),
            text: text.into(),
        };
        for _ in 0..WAITING + 44 {
            sink.put(line("x"));
        }
        for n in 1..=WAITING {
            assert_eq!(lines.next().await.map(|line| line.n), i64::try_from(n).ok());
        }
        let told = lines.next().await.expect("a line");
        assert!(told.text.starts_with("44 log lines"), "{}", told.text);
        assert_eq!(told.n, 301, "the hole in the numbers is as large");
        sink.put(line("y"));
        assert_eq!(lines.next().await.map(|line| (line.n, line.text)), Some((302, "y".into())));
    }
}
