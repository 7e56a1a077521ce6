//! A connection over the standard input and output of a child process.

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::process::Command;

use crate::net::{FrameReader, FrameWriter, LastWords};

use super::stream::{Closed, Line};

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
    let mut said = LastWords::listen(stderr);
    let last_words = async move {
        let status = child.wait().await.ok()?;
        Some(judge(status, said.text(LAST_SAID).await.trim()))
    };
    Ok(Line {
        reader: FrameReader::new(Box::new(stdout)),
        writer: FrameWriter::new(Box::new(stdin)),
        patience,
        last_words: Box::pin(last_words),
    })
}
