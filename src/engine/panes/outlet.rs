//! Where one client hears of panes and says what it has taken of them: neither passes the loop.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{mpsc, watch};

use crate::protocol::PaneUpdate;

use super::watching::Said;

/// Pieces of panes that may wait for a client. Who makes them waits for room, and makes the next of what there is then.
const PIECES: usize = 64;

/// Where a client hears of panes, with what it has taken of them. Cheap to clone.
#[derive(Debug, Clone)]
pub struct PaneOutlet {
    pub(super) out: mpsc::Sender<PaneUpdate>,
    pub(super) taken: Taken,
}

impl PaneOutlet {
    /// A line, and its near end.
    pub(in super::super) fn new() -> (Self, mpsc::Receiver<PaneUpdate>) {
        let (out, heard) = mpsc::channel(PIECES);
        (Self { out, taken: Taken::default() }, heard)
    }

    /// Where the client says what it has taken.
    pub(in super::super) fn taken(&self) -> Taken {
        self.taken.clone()
    }
}

/// The watches of a client, to which is said what it has taken. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(in super::super) struct Taken(Arc<Mutex<BTreeMap<u64, Arc<watch::Sender<Said>>>>>);

impl Taken {
    /// All below `place` of the watch with this number was taken. Of one that is over the client may not have heard yet.
    pub(in super::super) fn seen(&self, number: u64, place: u64) {
        if let Some(said) = self.watches().get(&number) {
            said.send_modify(|said| said.seen = Some(place));
        }
    }

    /// A watch begins.
    pub(super) fn enter(&self, number: u64, said: &Arc<watch::Sender<Said>>) {
        self.watches().insert(number, Arc::clone(said));
    }

    /// A watch is over.
    pub(super) fn leave(&self, number: u64, said: &Arc<watch::Sender<Said>>) {
        let mut watches = self.watches();
        if watches.get(&number).is_some_and(|entered| Arc::ptr_eq(entered, said)) {
            watches.remove(&number);
        }
    }

    fn watches(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<watch::Sender<Said>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
