//! Asking the writer whether it still works.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::StoreError;
use super::queue::Queue;

/// Reaches the writer without keeping the store open.
#[derive(Clone)]
pub struct Pulse(Arc<Queue>);

impl Pulse {
    pub(super) fn new(queue: Arc<Queue>) -> Self {
        Self(queue)
    }

    /// Resolves when the writer has come to it: behind what was queued before, and never while the writer is
    /// stuck. It touches neither the database nor the disk, so a store that fails is no store that is stuck.
    ///
    /// # Errors
    /// When the store is closed.
    pub async fn answered(&self) -> Result<(), StoreError> {
        let (done, answer) = oneshot::channel();
        self.0.work(Box::new(move |_, _| {
            // Whoever asked may have gone.
            let _ = done.send(());
        }))?;
        answer.await.map_err(|_| StoreError::Closed)
    }
}

impl std::fmt::Debug for Pulse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pulse").finish_non_exhaustive()
    }
}
