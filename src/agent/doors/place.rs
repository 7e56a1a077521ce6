//! The listening socket of an agent: an address, or a path that only its owner and root may use.

use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::{Path, PathBuf};

use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use crate::config::AgentListen;

/// What engines connect to.
#[derive(Debug)]
pub(super) enum Listening {
    /// A port.
    Tcp(TcpListener),
    /// A path; it is removed when the door closes.
    Unix(UnixListener, PathBuf),
}

/// A connection, not proven.
#[derive(Debug)]
pub(super) enum Connection {
    /// Over a port, from this place.
    Tcp(TcpStream),
    /// Over a path, from a process of the owner or of root.
    Unix(UnixStream),
}

impl Listening {
    /// Listens at `place`; `None` where that is off. What an agent that was killed left behind is removed.
    pub(super) async fn open(place: &AgentListen) -> io::Result<Option<Self>> {
        Ok(Some(match place {
            AgentListen::Off => return Ok(None),
            AgentListen::Tcp(address) => Self::Tcp(crate::net::take_over(*address).await?),
            AgentListen::Unix(path) => Self::Unix(bind(path)?, path.clone()),
        }))
    }

    /// The next connection of somebody who may connect.
    pub(super) async fn accept(&self) -> io::Result<Connection> {
        match self {
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                // Without it an answer may wait 40 ms for the next packet; a failure costs only that.
                let _ = stream.set_nodelay(true);
                Ok(Connection::Tcp(stream))
            }
            Self::Unix(listener, _) => {
                let (stream, _) = listener.accept().await?;
                let uid = stream.peer_cred()?.uid();
                if uid != 0 && uid != rustix::process::geteuid().as_raw() {
                    let why = format!("the user {uid} is neither the owner of this agent nor root");
                    return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
                }
                Ok(Connection::Unix(stream))
            }
        }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        if let Self::Unix(_, path) = self {
            // Gone already is fine: nobody can connect either way.
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Binds `path` with mode 0600, unless somebody answers there.
fn bind(path: &Path) -> io::Result<UnixListener> {
    match std::fs::symlink_metadata(path) {
        Ok(meta) if !meta.file_type().is_socket() => {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "something that is no socket is there"));
        }
        Ok(_) if StdUnixStream::connect(path).is_ok() => return Err(io::ErrorKind::AddrInUse.into()),
        Ok(_) => std::fs::remove_file(path)?,
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Err(_) => {}
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_socket_that_was_left_behind_is_taken_over_and_one_in_use_is_not() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("agent.sock");
        drop(UnixListener::bind(&path).expect("binds"));
        assert!(path.exists(), "it was left behind");
        let place = AgentListen::Unix(path.clone());
        let open = Listening::open(&place).await.expect("binds");
        assert_eq!(std::fs::metadata(&path).expect("is there").permissions().mode() & 0o777, 0o600);
        assert_eq!(Listening::open(&place).await.expect_err("in use").kind(), io::ErrorKind::AddrInUse);
        drop(open);
        assert!(!path.exists());
        std::fs::write(&path, "precious").expect("writes");
        assert!(Listening::open(&place).await.is_err());
        assert_eq!(std::fs::read(&path).expect("is there"), b"precious");
        assert!(Listening::open(&AgentListen::Off).await.expect("off").is_none());
    }
}
