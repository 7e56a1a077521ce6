//! What is noted of panes in the audit log: one note after the other, in the order things happened, and answers that wait for
//! their note.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use crate::model::{AuditNote, PaneAddress};
use crate::protocol::{ClientId, PaneReply, Refusal, Reply, RequestId};

use super::super::Input;
use super::super::bridge::Bridges;
use super::super::caught::caught;

/// What is next.
enum Next {
    Note(AuditNote),
    Answer(ClientId, RequestId, Result<PaneReply, Refusal>, PaneAddress),
    Tell(oneshot::Sender<()>),
}

/// A pane that was taken over by a client, which could not be noted: nobody types there.
pub(super) type Unnoted = (ClientId, PaneAddress);

/// Where notes wait for their turn. When it is dropped, what waits is written all the same.
pub(super) struct Notes(mpsc::UnboundedSender<Next>);

impl Notes {
    /// Begins to write down what will be put here; answers are told to `inputs`. What could not be noted is told, too.
    pub(super) fn begin(
        bridges: Arc<Bridges>,
        inputs: mpsc::Sender<Input>,
    ) -> (Self, mpsc::UnboundedReceiver<Unnoted>) {
        // Each is of a request, and as many of those may wait as the task takes; the store takes what comes together at once.
        let (next, waiting) = mpsc::unbounded_channel();
        let (sender, unnoted) = mpsc::unbounded_channel();
        tokio::spawn(write(waiting, bridges, inputs, sender));
        (Self(next), unnoted)
    }

    /// Writes `note` down.
    pub(super) fn note(&self, note: AuditNote) {
        self.put(Next::Note(note));
    }

    /// Answers once everything before is written down. That `pane` is taken over is refused where it could not be.
    pub(super) fn answer(&self, client: ClientId, id: RequestId, reply: Result<PaneReply, Refusal>, pane: PaneAddress) {
        self.put(Next::Answer(client, id, reply, pane));
    }

    fn put(&self, next: Next) {
        // The other end is there as long as this.
        let _ = self.0.send(next);
    }

    /// Waits until everything that was put here is written down.
    pub(super) async fn written(&self) {
        let (tell, told) = oneshot::channel();
        self.put(Next::Tell(tell));
        // It is told in its turn.
        let _ = told.await;
    }
}

async fn write(
    mut waiting: mpsc::UnboundedReceiver<Next>,
    bridges: Arc<Bridges>,
    inputs: mpsc::Sender<Input>,
    unnoted: mpsc::UnboundedSender<Unnoted>,
) {
    let mut is_written = true;
    while let Some(next) = waiting.recv().await {
        match next {
            Next::Note(note) => is_written = caught(bridges.audit(vec![note])).await.unwrap_or(false),
            // Whoever asked may have stopped waiting.
            Next::Tell(tell) => drop(tell.send(())),
            Next::Answer(client, id, mut reply, pane) => {
                if !is_written && matches!(reply, Ok(PaneReply::Taken(_))) {
                    let why = "that it is taken over could not be written to the audit log; it is given back";
                    reply = Err(Refusal::Failed(why.to_owned()));
                    // Its task may have ended, and has given everything back then.
                    let _ = unnoted.send((client, pane));
                }
                let reply = reply.map(Reply::Pane);
                // The engine is gone only when everything ends.
                let _ = inputs.send(Input::Answered { client, id, reply, aftermath: None }).await;
            }
        }
    }
}
