//! A connection over the standard input and output of a child process.

use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;

use crate::net::{FrameReader, FrameWriter};

use super::stream::{Closed, Line};

/// Of what a child says on its standard error, this many last bytes are kept.
const SAID_MAX: usize = 4096;
/// What it said last may be on its way for so long after its end.
const LAST_SAID: Duration = Duration::from_millis(200);

/// Starts `command` and talks with it over its pipes. `judge` says what its end means, by its status and the end of
/// what it wrote to standard error. The child is killed when the connection is dropped; what is to outlive it is no
/// child of this process.
///
/// # Errors
/// When it cannot be started.
pub(super) fn start(
    mut command: Command,
    patience: Duration,
    judge: impl FnOnce(ExitStatus, &str) -> Closed + Send + 'static,
) -> std::io::Result<Line> {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true).spawn()?;
    let (Some(stdin), Some(stdout), Some(stderr)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err(std::io::Error::other("a child without pipes"));
    };
    let said = Arc::new(Mutex::new(Vec::new()));
    let listening = tokio::spawn(listen(stderr, Arc::clone(&said)));
    let last_words = async move {
        let status = child.wait().await.ok()?;
        // A grandchild may keep it open for ever.
        let _ = tokio::time::timeout(LAST_SAID, listening).await;
        let said = said.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Some(judge(status, String::from_utf8_lossy(&said).trim()))
    };
    Ok(Line {
        reader: FrameReader::new(Box::new(stdout)),
        writer: FrameWriter::new(Box::new(stdin)),
        patience,
        last_words: Box::pin(last_words),
    })
}

/// Keeps the end of what comes.
async fn listen(mut stderr: impl AsyncRead + Unpin, said: Arc<Mutex<Vec<u8>>>) {
    let mut chunk = [0; 512];
    while let Ok(count @ 1..) = stderr.read(&mut chunk).await {
        let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
        said.extend_from_slice(&chunk[..count]);
        let too_much = said.len().saturating_sub(SAID_MAX);
        said.drain(..too_much);
    }
}
