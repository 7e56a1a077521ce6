//! A tmux server, and how it is asked one thing.

use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

use super::TmuxError;

/// Time for one answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// Bytes of an answer. A capture of 10,000 full lines in changing colours has about as many.
const ANSWER_MAX: usize = 32 << 20;
/// Bytes of its complaints.
const COMPLAINT_MAX: u64 = 4 << 10;
/// Characters of a socket's name.
const SOCKET_MAX: usize = 64;

/// Which tmux server: the user's own, as `tmux` finds it, or another one by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    socket: Option<String>,
    pub(super) only: Option<u32>,
}

impl Server {
    /// The server of `tmux -L SOCKET`, or the user's own.
    ///
    /// # Errors
    /// When `socket` is no plain word.
    pub fn new(socket: Option<&str>) -> Result<Self, TmuxError> {
        let plain = |name: &str| {
            name.len() <= SOCKET_MAX
                && name.starts_with(|c: char| c.is_ascii_alphanumeric())
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
        };
        match socket {
            Some(name) if !plain(name) => Err(TmuxError::BadSocket),
            _ => Ok(Self { socket: socket.map(str::to_owned), only: None }),
        }
    }

    /// The same, as long as its process is `pid`: where another one answers by now nothing is typed, and no
    /// session is attached to.
    #[must_use]
    pub fn only(self, pid: u32) -> Self {
        Self { only: Some(pid), ..self }
    }

    /// A tmux that is about to be started. It never starts a server (`-N`), and takes and gives UTF-8 whatever the
    /// locale is: without `-u` it would put `_` for everything else.
    pub(super) fn command(&self) -> Result<Command, TmuxError> {
        let mut command = Command::new("tmux");
        command.args(["-u", "-N"]);
        if let Some(name) = &self.socket {
            safe_directory()?;
            command.args(["-L", name]);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        Ok(command)
    }

    /// Runs tmux with `arguments` and gives what it printed.
    pub(super) async fn ask(&self, arguments: &[&str]) -> Result<Vec<u8>, TmuxError> {
        self.tell(arguments, None).await
    }

    /// The same, with something to read for it.
    pub(super) async fn tell(&self, arguments: &[&str], input: Option<&[u8]>) -> Result<Vec<u8>, TmuxError> {
        let mut command = self.command()?;
        command.args(arguments);
        if input.is_some() {
            command.stdin(Stdio::piped());
        }
        tokio::time::timeout(PATIENCE, answer(command, input)).await.map_err(|_| TmuxError::Slow(PATIENCE))?
    }
}

pub(super) fn start(command: &mut Command) -> Result<tokio::process::Child, TmuxError> {
    command.spawn().map_err(|error| match error.kind() {
        ErrorKind::NotFound => TmuxError::NotInstalled,
        _ => TmuxError::Io(error),
    })
}

async fn answer(mut command: Command, input: Option<&[u8]>) -> Result<Vec<u8>, TmuxError> {
    let mut child = start(&mut command)?;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let give = async {
        if let (Some(mut stdin), Some(input)) = (stdin, input) {
            // It may have ended before it read everything; then it says why.
            let _ = stdin.write_all(input).await;
        }
    };
    let (mut answer, mut complaint) = (Vec::new(), Vec::new());
    let read = async {
        if let Some(stdout) = stdout {
            stdout.take(ANSWER_MAX as u64 + 1).read_to_end(&mut answer).await?;
        }
        Ok::<(), std::io::Error>(())
    };
    let listen = async {
        if let Some(stderr) = stderr {
            stderr.take(COMPLAINT_MAX).read_to_end(&mut complaint).await?;
        }
        Ok::<(), std::io::Error>(())
    };
    let ((), read, listen) = tokio::join!(give, read, listen);
    read?;
    listen?;
    if answer.len() > ANSWER_MAX {
        return Err(TmuxError::TooMuch(ANSWER_MAX));
    }
    if child.wait().await?.success() { Ok(answer) } else { Err(TmuxError::said(&complaint)) }
}

/// Refuses a directory of sockets that another user could have put one into. tmux makes it for each user.
fn safe_directory() -> Result<(), TmuxError> {
    let parent = std::env::var_os("TMUX_TMPDIR").filter(|dir| !dir.is_empty()).map_or("/tmp".into(), PathBuf::from);
    let user = rustix::process::geteuid().as_raw();
    let path = parent.join(format!("tmux-{user}"));
    let wrong = |why| Err(TmuxError::Directory { path: path.display().to_string(), why });
    let found = match std::fs::symlink_metadata(&path) {
        Ok(found) => found,
        // Then no server of ours runs there either, and tmux says so.
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    if !found.is_dir() {
        wrong("is no directory")
    } else if found.uid() != user {
        wrong("belongs to another user")
    } else if found.permissions().mode() & 0o077 != 0 {
        wrong("is open to others")
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_is_a_plain_word() {
        for good in [None, Some("work"), Some("a-b_c.1")] {
            assert!(Server::new(good).is_ok(), "{good:?}");
        }
        for bad in ["", "-S", "../x", "a b", "a/b", "ü", ".x", &"a".repeat(65)] {
            assert!(matches!(Server::new(Some(bad)), Err(TmuxError::BadSocket)), "{bad}");
        }
    }
}
