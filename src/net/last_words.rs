//! What a program at the other end of a pipe says on its standard error: the end of it is kept, as the reason of its end.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::task::JoinHandle;

/// This many last bytes are kept.
const KEPT: usize = 4096;

/// Listens until the pipe is closed.
#[derive(Debug)]
pub struct LastWords {
    said: Arc<Mutex<Vec<u8>>>,
    listening: JoinHandle<()>,
}

impl LastWords {
    /// Keeps the end of what comes through `pipe`, from within a runtime.
    #[must_use]
    pub fn listen(pipe: impl AsyncRead + Unpin + Send + 'static) -> Self {
        let said = Arc::new(Mutex::new(Vec::new()));
        Self { listening: tokio::spawn(keep(pipe, Arc::clone(&said))), said }
    }

    /// The end of what was said, up to the end of the pipe or for `patience`: a grandchild may keep it open for ever.
    pub async fn text(&mut self, patience: Duration) -> String {
        if !self.listening.is_finished() {
            // What was said until then is all there is.
            let _ = tokio::time::timeout(patience, &mut self.listening).await;
        }
        String::from_utf8_lossy(&self.said.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

async fn keep(mut pipe: impl AsyncRead + Unpin, said: Arc<Mutex<Vec<u8>>>) {
    let mut chunk = [0; 512];
    while let Ok(count @ 1..) = pipe.read(&mut chunk).await {
        let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
        said.extend_from_slice(&chunk[..count]);
        let too_much = said.len().saturating_sub(KEPT);
        said.drain(..too_much);
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_end_is_kept_while_the_pipe_is_open_and_after() {
        let (pipe, mut writer) = tokio::io::duplex(64);
        let mut words = LastWords::listen(pipe);
        writer.write_all(&[b'x'; KEPT]).await.expect("it is read");
        writer.write_all(b"the end").await.expect("it is read");
        let open = words.text(Duration::from_secs(1)).await;
        assert_eq!((open.len(), &open[KEPT - 8..]), (KEPT, "xthe end"));
        drop(writer);
        for _ in 0..2 {
            assert_eq!(words.text(Duration::from_secs(1)).await, open);
        }
    }
}
