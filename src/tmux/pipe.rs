//! A pane heard through `pipe-pane`: every byte, where control clients do not last. tmux has one pipe a pane, so a pipe of
//! the user is left alone.

use std::path::Path;
use std::time::Duration;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::{OpenOptions, Receiver};

use super::server::PATIENCE;
use super::{Server, TmuxError};

/// Bytes that are read at once.
const CHUNK: usize = 64 << 10;
/// How often it is looked whether the other end is there.
const LOOK: Duration = Duration::from_millis(10);

/// The output of one pane. It has to be read while it is there, or it piles up in tmux. Dropping it gives the pane back
/// when it prints the next time, [`close`](Pipe::close) at once.
#[derive(Debug)]
pub struct Pipe {
    server: Server,
    pane: u32,
    output: Receiver,
    first: Vec<u8>,
    ended: bool,
}

impl Pipe {
    /// Pipes a pane through a FIFO that only this user can open.
    ///
    /// # Errors
    /// [`TmuxError::PipeTaken`] when it is piped already; when there is no such pane.
    pub async fn open(server: &Server, pane: u32) -> Result<Self, TmuxError> {
        let directory = tempfile::Builder::new().prefix("aurora-pane-").tempdir()?;
        let path = directory.path().join("output");
        let Some(plain) = plain(&path) else {
            return Err(TmuxError::Strange("a temporary directory whose name a shell would not take as it is"));
        };
        mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).map_err(std::io::Error::from)?;
        let output = OpenOptions::new().open_receiver(&path)?;
        let target = format!("%{pane}");
        // In one go: a `pipe-pane` ends the pipe that is there.
        let pipe = format!("pipe-pane -O -t {target} 'exec cat >{plain}'");
        let words = ["if-shell", "-F", "-t", &target, "#{pane_pipe}", "display-message -p taken", &pipe];
        if !server.ask(&words).await?.is_empty() {
            return Err(TmuxError::PipeTaken(pane));
        }
        let connected = async {
            loop {
                match read_now(&output)? {
                    Some(first) => break Ok::<_, TmuxError>(first),
                    None => tokio::time::sleep(LOOK).await,
                }
            }
        };
        let first = tokio::time::timeout(PATIENCE, connected).await.map_err(|_| TmuxError::Slow(PATIENCE))??;
        Ok(Self { server: server.clone(), pane, output, first, ended: false })
    }

    /// What it printed next; `None`: it is piped no more. Nothing is lost when the waiting is given up.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, TmuxError> {
        if !self.first.is_empty() {
            return Ok(Some(std::mem::take(&mut self.first)));
        }
        let mut bytes = Vec::with_capacity(CHUNK);
        self.ended |= self.output.read_buf(&mut bytes).await? == 0;
        Ok((!self.ended).then_some(bytes))
    }

    /// Gives the pane back.
    ///
    /// # Errors
    /// When tmux does not answer.
    pub async fn close(self) -> Result<(), TmuxError> {
        // Without its other end it is not ours any more, and what is there now is somebody else's.
        if self.ended || read_now(&self.output)?.is_none() {
            return Ok(());
        }
        let target = format!("%{}", self.pane);
        match self.server.ask(&["pipe-pane", "-t", &target]).await {
            Ok(_) | Err(TmuxError::NoPane(_) | TmuxError::NoServer) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// What can be read without waiting, which may be nothing; `None`: the other end is not open.
fn read_now(output: &Receiver) -> Result<Option<Vec<u8>>, TmuxError> {
    let mut bytes = vec![0; CHUNK];
    match rustix::io::read(output, &mut bytes) {
        Ok(0) => Ok(None),
        Ok(count) => {
            bytes.truncate(count);
            Ok(Some(bytes))
        }
        Err(rustix::io::Errno::AGAIN) => Ok(Some(Vec::new())),
        Err(error) => Err(std::io::Error::from(error).into()),
    }
}

/// A path that is the same to tmux, which expands formats and times, and to a shell.
fn plain(path: &Path) -> Option<&str> {
    let is_plain = |text: &&str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte));
    path.to_str().filter(is_plain)
}
