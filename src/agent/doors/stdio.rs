//! The door of a child: frames on standard input and output, for this machine and for ssh.

use tokio::io::{AsyncRead, AsyncWrite};

use crate::agent::Desk;
use crate::net::{FrameError, FrameReader, FrameWriter};

use super::talk::talk;

/// Serves one engine over `input` and `output` until it closes them. The journal is opened beside any other agent of
/// this host: whoever is first in it starts a job, and everybody else finds it there.
///
/// # Errors
/// When what comes is no question, or the pipe breaks.
pub async fn stdio(
    desk: &Desk,
    input: impl AsyncRead + Unpin,
    output: impl AsyncWrite + Unpin,
) -> Result<(), FrameError> {
    talk(desk, FrameReader::new(input), FrameWriter::new(output), None).await
}
