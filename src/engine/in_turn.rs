//! Writes one after the other, in the order they were asked for.

use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::Input;
use super::caught::caught;
use super::projector::Projector;

/// A write, and what the loop is told of it.
type Write = Pin<Box<dyn Future<Output = Input> + Send>>;

/// Where writes wait for their turn.
#[derive(Debug)]
pub(super) struct InTurn(mpsc::UnboundedSender<Write>);

impl InTurn {
    /// Begins to carry out what will be [put](Self::put) here, until this is dropped and everything is done.
    ///
    /// Each write has the projector's turn until the loop is told, so that a reload counts either with it or before it.
    /// Nobody holds the turn for longer than a batch takes.
    pub(super) fn begin(projector: Arc<Projector>, inputs: mpsc::Sender<Input>) -> Self {
        // Without a bound, as the loop never waits: each write is a request whose answer is awaited, and of those a door lets
        // a client have so many at once.
        let (put, mut waiting) = mpsc::unbounded_channel::<Write>();
        tokio::spawn(async move {
            while let Some(write) = waiting.recv().await {
                let _turn = projector.turn.lock().await;
                match caught(write).await {
                    // The engine is gone only when everything ends.
                    Ok(input) => drop(inputs.send(input).await),
                    Err(panicked) => tracing::error!(%panicked, "a write is given up"),
                }
            }
        });
        Self(put)
    }

    /// Has `write` done after everything that was put here before.
    pub(super) fn put(&self, write: impl Future<Output = Input> + Send + 'static) {
        // The other end is there as long as this.
        let _ = self.0.send(Box::pin(write));
    }
}
