//! Log lines on their way to the engine.

use tokio::sync::mpsc;

use crate::model::LogLine;

/// Lines that may wait for the engine; more are dropped, as they are in the log file all the same.
const WAITING: usize = 256;

/// Where the composition root's log layer puts lines.
#[derive(Debug, Clone)]
pub struct LogSink(mpsc::Sender<LogLine>);

impl LogSink {
    /// A sink and what comes out of it.
    #[must_use]
    pub fn new() -> (Self, mpsc::Receiver<LogLine>) {
        let (sender, receiver) = mpsc::channel(WAITING);
        (Self(sender), receiver)
    }

    /// Hands a line over, or drops it when the engine is behind.
    pub fn put(&self, line: LogLine) {
        // Full or closed: the file has the line.
        let _ = self.0.try_send(line);
    }
}
