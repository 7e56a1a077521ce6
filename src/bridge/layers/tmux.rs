//! The road over one long ssh connection, `aurora agent stdio` at its end. It is called `tmux` for what it is used for
//! most.

use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::process::ChildStdout;
use tokio::sync::{mpsc, watch};

use crate::bridge::layer::{LayerNews, Term};
use crate::bridge::ssh::{Failure, Marked, SshCall, SshChild, mark};
use crate::model::{HostName, LayerKind};
use crate::net::{FrameReader, FrameWriter};

use super::stream::{Closed, Line, Open, Opening, StreamLayer};

/// Time for ssh to connect, be let in, for the shell's files on the host, and for the agent to begin.
const ARRIVAL: Duration = Duration::from_secs(30);
/// Time for the agent to greet once it has begun.
const PATIENCE: Duration = Duration::from_secs(10);

/// Opens the road. The local ssh ends with it; what the host runs goes on.
#[must_use]
pub fn open(call: SshCall, host: HostName, term: watch::Receiver<Term>, news: mpsc::Sender<LayerNews>) -> StreamLayer {
    StreamLayer::start(LayerKind::Tmux, call, host, term, news)
}

impl Open for SshCall {
    fn open(&mut self) -> Opening<'_> {
        Box::pin(async move {
            let word = mark();
            // After the files of the host's shell, and before a byte of the agent's. Every shell knows this much.
            let line = format!("echo aurora {word} && {}", self.agent_line("stdio"));
            let (ssh, (stdin, mut stdout)) = SshChild::start(self, &line).map_err(Closed::Down)?;
            let mut marked = Marked::new(&word);
            let rest = match tokio::time::timeout(ARRIVAL, arrive(&mut stdout, &mut marked)).await {
                Ok(Ok(Some(rest))) => rest,
                Ok(Ok(None)) => return Err(closed(ssh, self).await),
                Ok(Err(noise)) => return Err(Closed::Down(format!("start: {noise}"))),
                Err(_) => {
                    let waited = ARRIVAL.as_secs();
                    let why = format!("start: no agent within {waited} s; the host's last line was {}", marked.last());
                    return Err(Closed::Down(why));
                }
            };
            let call = self.clone();
            Ok(Line {
                reader: FrameReader::new(Box::new(std::io::Cursor::new(rest).chain(stdout))),
                writer: FrameWriter::new(Box::new(stdin)),
                patience: PATIENCE,
                last_words: Box::pin(async move { Some(closed(ssh, &call).await) }),
            })
        })
    }
}

/// Reads up to the mark; answers what came after it, or `None` where the connection ended before.
async fn arrive(stdout: &mut ChildStdout, marked: &mut Marked) -> Result<Option<Vec<u8>>, String> {
    let mut chunk = [0; 4096];
    while let Ok(count @ 1..) = stdout.read(&mut chunk).await {
        if let Some(rest) = marked.feed(&chunk[..count])? {
            return Ok(Some(rest));
        }
    }
    Ok(None)
}

async fn closed(ssh: SshChild, call: &SshCall) -> Closed {
    match ssh.ended().await.failure(call).await {
        Failure::OtherKey(why) => Closed::Barred(why),
        Failure::NoKey(why) | Failure::Other(why) => Closed::Down(why),
    }
}
