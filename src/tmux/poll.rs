//! A pane heard by looking at it again and again, where nothing else works: what was printed between two looks is missing.

use std::time::Duration;

use tokio::time::Instant;

use super::{Server, Shot, TmuxError};

/// Between two looks while somebody sees it.
const SEEN: Duration = Duration::from_millis(100);
/// Between two looks while nobody does.
const UNSEEN: Duration = Duration::from_secs(2);

/// One pane.
#[derive(Debug)]
pub struct Poll {
    server: Server,
    pane: u32,
    seen: bool,
    looked: Option<Instant>,
    last: Option<Shot>,
}

impl Poll {
    /// Looks at once first, then as often as nobody sees it.
    #[must_use]
    pub fn new(server: &Server, pane: u32) -> Self {
        Self { server: server.clone(), pane, seen: false, looked: None, last: None }
    }

    /// Whether somebody sees it.
    pub fn set_seen(&mut self, seen: bool) {
        self.seen = seen;
    }

    /// Waits until it shows something else than the last time. Nothing is lost when the waiting is given up.
    ///
    /// # Errors
    /// When the pane is gone, or tmux does not answer.
    pub async fn next(&mut self) -> Result<Shot, TmuxError> {
        loop {
            if let Some(looked) = self.looked {
                tokio::time::sleep_until(looked + if self.seen { SEEN } else { UNSEEN }).await;
            }
            let shot = self.server.shot(self.pane, 0).await;
            self.looked = Some(Instant::now());
            let shot = shot?;
            if self.last.as_ref() != Some(&shot) {
                self.last = Some(shot.clone());
                return Ok(shot);
            }
        }
    }
}
