//! One watch of one client: pieces of a kept screen, as its pace allows.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::bridge::panes::{Kept, Pacer, Turn};
use crate::model::PaneAddress;
use crate::protocol::{PanePace, PaneUpdate};

use super::outlet::{PaneOutlet, Taken};

/// What the client has said of its watch last. Only the newest of each counts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Said {
    pub(super) pace: PanePace,
    pub(super) seen: Option<u64>,
}

/// A watch. Dropping it ends it.
#[derive(Debug)]
pub(super) struct Watch {
    /// What is watched.
    pub pane: PaneAddress,
    number: u64,
    said: Arc<watch::Sender<Said>>,
    taken: Taken,
    task: JoinHandle<()>,
    /// It still tells that it is over.
    finishes: bool,
}

impl Watch {
    /// Begins to tell the client at `line` of `kept` as watch `number`.
    pub(super) fn begin(number: u64, pane: PaneAddress, pace: PanePace, kept: Arc<Kept>, line: PaneOutlet) -> Self {
        let said = Arc::new(watch::Sender::new(Said { pace, seen: None }));
        let pacer = Pacer::new(number, pane.clone(), pace, Instant::now());
        let PaneOutlet { out, taken } = line;
        taken.enter(number, &said);
        let task = tokio::spawn(tell(kept, pacer, said.subscribe(), out));
        Self { pane, number, said, taken, task, finishes: false }
    }

    /// Another pace.
    pub(super) fn pace(&self, pace: PanePace) {
        self.said.send_modify(|said| said.pace = pace);
    }

    /// Ends it by telling so, as soon as the client has room for that.
    pub(super) fn finish(mut self) {
        self.finishes = true;
    }

    /// Whether there is nothing more to tell.
    pub(super) fn is_over(&self) -> bool {
        self.task.is_finished()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.taken.leave(self.number, &self.said);
        if !self.finishes {
            self.task.abort();
        }
    }
}

/// Tells what is new until the pane has ended or the client is gone.
async fn tell(kept: Arc<Kept>, mut pacer: Pacer, mut said: watch::Receiver<Said>, out: mpsc::Sender<PaneUpdate>) {
    let mut news = kept.listen();
    while !pacer.is_over() {
        // Whatever comes from here on rings again.
        news.borrow_and_update();
        let turn = pacer.turn(&kept.look(), Instant::now());
        let until = match turn {
            Turn::Now => {
                // Room first: what is told is what there is once it can be told.
                let Ok(room) = out.reserve().await else { return };
                let update = pacer.next(&kept.look(), Instant::now());
                if let Some(update) = update {
                    room.send(update);
                }
                None
            }
            Turn::At(at) => Some(at),
            Turn::Rest => None,
        };
        if turn == Turn::Now {
            continue;
        }
        tokio::select! {
            changed = said.changed() => {
                if changed.is_err() {
                    let why = || "the task that looks at panes has ended; watch it again".to_owned();
                    kept.change(|screen| screen.ended = Some(screen.ended.take().unwrap_or_else(why)));
                    continue;
                }
                let said = *said.borrow_and_update();
                pacer.pace(said.pace);
                said.seen.into_iter().for_each(|place| pacer.seen(place));
            }
            // While the pace holds back, what else is printed changes nothing but what is stale or over.
            _ = news.changed(), if until.is_none() => {}
            () = sleep_until(until) => {}
            () = out.closed() => return,
        }
    }
}

async fn sleep_until(until: Option<Instant>) {
    match until {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
