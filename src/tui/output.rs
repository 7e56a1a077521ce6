//! Frames on their way to the terminal: one write each, the newest wins, input never waits.
//!
//! A terminal that does not read blocks a thread of its own. While it does, frames are not made at all;
//! when it reads again, the next frame shows the newest state.

use std::io;
use std::sync::mpsc as std_mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

/// The thread that writes frames.
#[derive(Debug)]
pub(super) struct Output {
    frames: Option<std_mpsc::Sender<Vec<u8>>>,
    written: mpsc::Receiver<io::Result<()>>,
    thread: Option<JoinHandle<()>>,
    /// Since when a frame is being written.
    busy: Option<Instant>,
}

impl Output {
    /// Starts writing to standard output.
    pub(super) fn start() -> io::Result<Self> {
        let (frames, next) = std_mpsc::channel::<Vec<u8>>();
        let (done, written) = mpsc::channel(1);
        let thread = std::thread::Builder::new().name("screen-output".to_owned()).spawn(move || {
            for frame in next {
                if done.blocking_send(write_through(&frame)).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { frames: Some(frames), written, thread: Some(thread), busy: None })
    }

    /// Whether a frame is still being written.
    pub(super) fn is_busy(&self) -> bool {
        self.busy.is_some()
    }

    /// Hands over a frame. Only when none is being written.
    pub(super) fn write(&mut self, frame: Vec<u8>) {
        if let Some(frames) = &self.frames {
            self.busy = frames.send(frame).is_ok().then(Instant::now);
        }
    }

    /// Resolves when the frame is written, with how long that took, or when the terminal is gone.
    pub(super) async fn written(&mut self) -> io::Result<Duration> {
        let result = self.written.recv().await;
        let took = self.busy.take().map_or(Duration::ZERO, |since| since.elapsed());
        result.unwrap_or_else(|| Err(io::ErrorKind::BrokenPipe.into())).map(|()| took)
    }

    /// Ends the thread, unless the terminal blocks it: then the process ends without it.
    pub(super) fn stop(mut self) {
        drop(self.frames.take());
        if self.busy.is_none()
            && let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the output thread ended in a panic");
        }
    }
}

/// One `write` for the whole frame, as far as the terminal takes it in one.
///
/// It goes past standard output's own buffer, which would cut the frame at a line break, and past its lock,
/// which a terminal that does not read would keep from whoever gives the terminal back.
fn write_through(frame: &[u8]) -> io::Result<()> {
    use std::os::fd::AsFd;

    let stdout = io::stdout();
    let mut rest = frame;
    while !rest.is_empty() {
        match rustix::io::write(stdout.as_fd(), rest) {
            Ok(count) => rest = &rest[count..],
            Err(rustix::io::Errno::INTR) => {}
            Err(rustix::io::Errno::AGAIN) => std::thread::sleep(std::time::Duration::from_millis(5)),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
