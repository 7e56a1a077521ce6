//! The door of a child: frames on standard input and output, for this machine and for ssh.

use tokio::io::{AsyncRead, AsyncWrite};

use crate::agent::Desk;
use crate::net::{FrameError, FrameReader, FrameWriter};
use crate::protocol::{ToAgent, WatchAsk};

use super::side::{pass, passing};
use super::talk::talk_until;

/// Serves one engine over `input` and `output` until it closes them. The journal is opened beside any other agent of
/// this host: whoever is first in it starts a job, and everybody else finds it there. So commands do not hang on another
/// process, and least of all on one that has just been killed.
///
/// Panes do: where another agent of this journal runs, it gets the whole connection from the first question about them on.
///
/// # Errors
/// When what comes is no question, the pipe breaks, or the agent that has the panes ends.
pub async fn stdio(
    desk: Desk,
    input: impl AsyncRead + Unpin,
    output: impl AsyncWrite + Unpin,
) -> Result<(), FrameError> {
    let (mut reader, mut writer) = (FrameReader::new(input), FrameWriter::new(output));
    let mut greeting = None;
    let leave = async |question: &ToAgent| match question {
        ToAgent::Hello { .. } => {
            greeting = Some(question.clone());
            None
        }
        ToAgent::Watch(WatchAsk::List { .. }) => passing(desk.config(), greeting.as_ref()?, question).await,
        _ => None,
    };
    let Some(agent) = talk_until(&desk, &mut reader, &mut writer, None, leave).await? else { return Ok(()) };
    // It starts no runner ahead any more.
    drop(desk);
    Ok(pass(agent, reader.into_rest(), writer.into_inner()).await?)
}
