//! What can be seen of a tmux server, and the one hand that types. Whoever watches holds a [`Sight`], and that has no
//! word that types; the [`Hand`] is only in the hands of who drives.

use std::sync::Arc;

use tokio::sync::{AcquireError, Semaphore, SemaphorePermit};

use crate::model::PaneId;
use crate::tmux::{Control, Listing, NotTyped, Pipe, Poll, Server, Shot, TmuxError};

/// Processes of tmux that look at once, for one server.
const LOOKS_AT_ONCE: usize = 8;

/// Looks at one tmux server.
#[derive(Debug, Clone)]
pub(super) struct Sight {
    server: Server,
    looks: Arc<Semaphore>,
}

impl Sight {
    /// Of the server of `tmux -L SOCKET`, or the user's own.
    pub(super) fn new(socket: Option<&str>) -> Result<Self, TmuxError> {
        Ok(Self { server: Server::new(socket)?, looks: Arc::new(Semaphore::new(LOOKS_AT_ONCE)) })
    }

    /// All panes there are.
    pub(super) async fn list(&self) -> Result<Listing, TmuxError> {
        self.server.list().await
    }

    /// What a pane shows now.
    pub(super) async fn shot(&self, pane: u32, history: u32) -> Result<Shot, TmuxError> {
        let _look = self.look().await;
        self.server.shot(pane, history).await
    }

    /// Hears the session of this number, of the server whose process is `server`.
    pub(super) async fn attach(&self, server: u32, session: u32) -> Result<Control, TmuxError> {
        Control::attach(&self.server.clone().only(server), session).await
    }

    /// Hears one pane through a pipe.
    pub(super) async fn pipe(&self, pane: u32) -> Result<Pipe, TmuxError> {
        Pipe::open(&self.server, pane).await
    }

    /// Looks at one pane again and again.
    pub(super) fn poll(&self, pane: u32) -> Poll {
        Poll::new(&self.server, pane)
    }

    /// The semaphore is never closed; were it, nothing would be bounded and everything would work.
    async fn look(&self) -> Result<SemaphorePermit<'_>, AcquireError> {
        self.looks.acquire().await
    }
}

/// Types into the panes of one tmux server.
#[derive(Debug)]
pub(super) struct Hand(Server);

impl Hand {
    /// Of the server of `tmux -L SOCKET`, or the user's own.
    pub(super) fn new(socket: Option<&str>) -> Result<Self, TmuxError> {
        Server::new(socket).map(Self)
    }

    /// Types exactly these bytes, and nothing where another server answers by now: there it would be another pane.
    pub(super) async fn type_bytes(&self, pane: PaneId, bytes: &[u8]) -> Result<(), NotTyped> {
        self.0.clone().only(pane.server).type_bytes(pane.number, bytes).await
    }
}

#[cfg(test)]
mod tests {
    /// Whoever watches cannot type: this is the only file here that has a [`super::Server`], and only the driver has a
    /// [`super::Hand`].
    #[test]
    fn only_the_driver_has_a_hand() {
        let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/src/agent/panes");
        for entry in std::fs::read_dir(dir).expect("a directory") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
            let text = std::fs::read_to_string(&path).expect("a file");
            let has = |word: &str| text.split(|c: char| !c.is_alphanumeric() && c != '_').any(|found| found == word);
            assert!(name == "sight.rs" || !has("Server"), "{name} has a whole tmux server");
            assert!(["sight.rs", "driver.rs"].contains(&name.as_str()) || !has("Hand"), "{name} has a hand");
            assert!(["sight.rs", "driver.rs"].contains(&name.as_str()) || !has("type_bytes"), "{name} types");
        }
    }
}
