//! The way to a running engine. Cheap to clone.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::model::Identity;
use crate::protocol::{ClientId, PaneUpdate, Request, RequestId, Update};

use super::panes::{PaneOutlet, Taken};
use super::supervisor::{Supervisor, TaskSpec};
use super::{Credential, Input, TurnedAway};

/// Updates that may wait for a client. A client that lets more wait gets a fresh snapshot instead.
const OUTBOX: usize = 512;

/// A handle on a running engine.
#[derive(Debug, Clone)]
pub struct Handle {
    pub(super) inputs: mpsc::Sender<Input>,
    pub(super) supervisor: Arc<Supervisor>,
    pub(super) next_client: Arc<AtomicU64>,
    pub(super) stop: CancellationToken,
}

/// The place of a client. Dropping it leaves, also where nobody waits any more to hear that the client is in.
#[derive(Debug)]
struct Place {
    inputs: mpsc::Sender<Input>,
    client: ClientId,
}

/// A client that is in. Dropping it leaves.
#[derive(Debug)]
pub struct Joined {
    place: Place,
    /// Who it is.
    pub identity: Identity,
    /// What the client hears, panes apart.
    pub updates: mpsc::Receiver<Update>,
    panes: mpsc::Receiver<PaneUpdate>,
    taken: Taken,
}

impl Handle {
    /// Lets a client in that is somebody. With `follow` it hears a snapshot first, then notices.
    ///
    /// # Errors
    /// Why it is not let in.
    pub async fn join(&self, credential: Credential, follow: bool, read_only: bool) -> Result<Joined, TurnedAway> {
        let client = ClientId(self.next_client.fetch_add(1, Ordering::Relaxed));
        let (outbox, updates) = mpsc::channel(OUTBOX);
        let (line, panes) = PaneOutlet::new();
        let taken = line.taken();
        let (admission, admitted) = oneshot::channel();
        let admission = Some(admission);
        let place = Place { inputs: self.inputs.clone(), client };
        let input = Input::Joined { client, outbox, panes: line, admission, credential, follow, read_only };
        self.inputs.send(input).await.map_err(|_| TurnedAway::Stopped)?;
        let identity = admitted.await.map_err(|_| TurnedAway::Stopped)??;
        Ok(Joined { place, identity, updates, panes, taken })
    }

    /// Runs a task under supervision.
    pub fn supervise(&self, spec: TaskSpec) {
        Supervisor::run(&self.supervisor, spec);
    }

    /// Asks the engine to read its configuration again. What became of it is in the log and on the screen.
    pub async fn reload(&self) {
        // The engine is gone only when everything ends.
        let _ = self.inputs.send(Input::Reload).await;
    }

    /// Waits until the engine is asked to stop, or ends by itself.
    pub async fn stopped(&self) {
        self.stop.cancelled().await;
    }

    /// Asks the engine to stop.
    pub fn stop(&self) {
        self.stop.cancel();
    }
}

impl Joined {
    /// Asks; the reply comes among the updates. Waits while the engine is busy.
    ///
    /// Answers whether the engine still listens.
    pub async fn ask(&self, id: RequestId, request: Request) -> bool {
        self.place.inputs.send(Input::Asked { client: self.place.client, id, request }).await.is_ok()
    }

    /// All below `place` of its watch with this number was taken. Nothing answers.
    pub fn seen(&self, watch: u64, place: u64) {
        self.taken.seen(watch, place);
    }

    /// What the client hears next, panes after everything else; `None` when it is in no more. When the future is dropped
    /// nothing is lost.
    pub async fn next(&mut self) -> Option<Update> {
        tokio::select! {
            biased;
            update = self.updates.recv() => update,
            Some(piece) = self.panes.recv() => Some(Update::Pane(piece)),
        }
    }

    /// The same, if there is something now.
    pub fn waiting(&mut self) -> Option<Update> {
        self.updates.try_recv().ok().or_else(|| self.panes.try_recv().ok().map(Update::Pane))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let (inputs, client) = (self.inputs.clone(), self.client);
        // Usually there is room; otherwise a task waits for it.
        if let Err(mpsc::error::TrySendError::Full(input)) = inputs.try_send(Input::Left(client))
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(async move { inputs.send(input).await });
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use crate::model::{RecognisedBy, Role};

    use super::*;

    #[tokio::test]
    async fn who_waits_no_more_to_be_let_in_leaves() {
        let (inputs, mut received) = mpsc::channel(4);
        let stop = CancellationToken::new();
        let supervisor = Arc::new(Supervisor::new(inputs.clone(), stop.clone()));
        let handle = Handle { inputs, supervisor, next_client: Arc::default(), stop };
        for is_let_in in [false, true] {
            let credential = Credential::Local { uid: 1_000, ssh_key: None };
            let mut joining = Box::pin(handle.join(credential, false, false));
            assert!((&mut joining).now_or_never().is_none(), "nobody has answered");
            let Some(Input::Joined { client, admission: Some(admission), .. }) = received.recv().await else {
                panic!("it asks to be let in");
            };
            if is_let_in {
                let operator = "anna".parse().expect("a name");
                let anna = Identity { operator, role: Role::Viewer, scopes: None, by: RecognisedBy::Nobody };
                admission.send(Ok(anna)).expect("it waits");
            }
            drop(joining);
            let next = received.recv().now_or_never().flatten();
            assert!(matches!(next, Some(Input::Left(left)) if left == client), "{is_let_in}: {next:?}");
        }
    }
}
