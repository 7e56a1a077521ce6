//! The way to the panes of a running engine.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::sync::{Mutex, Notify, mpsc};

use crate::model::{HostName, Identity, OperatorName};
use crate::protocol::{ClientId, PaneRequest, Refusal, RequestId};

use super::super::bridge::Bridges;
use super::super::supervisor::{TaskContext, TaskSpec};
use super::super::{Input, OpenRoad};
use super::desk::Desk;
use super::outlet::PaneOutlet;

/// Requests that may wait for the task, all clients together.
const WAITING: usize = 4_096;

/// What the task is told.
pub(super) enum Order {
    /// A client asks.
    Asked(Box<Asking>),
    /// A client has gone.
    Left(ClientId),
    /// Somebody wants the roads to a host tried now.
    Nudge(HostName),
}

/// A request with everything it needs.
pub(super) struct Asking {
    pub client: ClientId,
    pub id: RequestId,
    pub identity: Identity,
    /// Where the client hears of panes.
    pub line: PaneOutlet,
    pub request: PaneRequest,
}

/// The panes of an engine's hosts. Shared by their task and the loop.
pub(in super::super) struct Panes {
    pub(super) bridges: Arc<Bridges>,
    pub(super) inputs: mpsc::Sender<Input>,
    pub(super) open: OpenRoad,
    pub(super) state_dir: PathBuf,
    /// Rung when there are other hosts.
    pub(super) replaced: Notify,
    orders: mpsc::UnboundedSender<Order>,
    /// Requests among them.
    waiting: AtomicUsize,
    /// Whether there is a task that takes orders.
    has_task: AtomicBool,
    /// Whoever followed when the task ended, for the one that is started again.
    pub(super) followers: std::sync::Mutex<Vec<(ClientId, OperatorName, PaneOutlet)>>,
    /// Locked by the task while it runs; one that is started again goes on with what waits.
    received: Mutex<mpsc::UnboundedReceiver<Order>>,
}

impl Panes {
    /// The panes of the hosts `bridges` knows, over connections of their own that `open` opens.
    pub(in super::super) fn new(
        bridges: Arc<Bridges>,
        inputs: mpsc::Sender<Input>,
        open: OpenRoad,
        state_dir: PathBuf,
    ) -> Self {
        // The loop never waits, so requests are counted instead.
        let (orders, received) = mpsc::unbounded_channel();
        Self {
            bridges,
            inputs,
            open,
            state_dir,
            replaced: Notify::new(),
            orders,
            waiting: AtomicUsize::new(0),
            has_task: AtomicBool::new(false),
            followers: std::sync::Mutex::default(),
            received: Mutex::new(received),
        }
    }

    /// Has a request answered, in the order they are asked.
    ///
    /// # Errors
    /// When nobody looks at panes here, or too many requests wait.
    pub(in super::super) fn ask(
        &self,
        client: ClientId,
        id: RequestId,
        identity: Identity,
        line: PaneOutlet,
        request: PaneRequest,
    ) -> Result<(), Refusal> {
        if !self.has_task() {
            let why = "this engine looks at no panes: it only takes events in, or plays a demo without them";
            return Err(Refusal::Failed(why.to_owned()));
        }
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= WAITING {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            return Err(Refusal::Failed("too many requests about panes wait; try again".to_owned()));
        }
        self.order(Order::Asked(Box::new(Asking { client, id, identity, line, request })));
        Ok(())
    }

    /// A client has gone: what it watched is watched no more, and what it drove is given back.
    pub(in super::super) fn left(&self, client: ClientId) {
        self.order(Order::Left(client));
    }

    /// Tries the roads to a host now, where they rest.
    pub(in super::super) fn nudge(&self, host: HostName) {
        self.order(Order::Nudge(host));
    }

    /// There are other hosts.
    pub(in super::super) fn replaced(&self) {
        self.replaced.notify_one();
    }

    fn has_task(&self) -> bool {
        self.has_task.load(Ordering::Relaxed)
    }

    fn order(&self, order: Order) {
        if self.has_task() {
            // The other end is held here.
            let _ = self.orders.send(order);
        }
    }

    /// The task that looks at panes. Orders are taken from here on.
    pub(in super::super) fn task(this: &Arc<Self>) -> TaskSpec {
        this.has_task.store(true, Ordering::Relaxed);
        let panes = Arc::clone(this);
        TaskSpec::new("panes", move |context| Arc::clone(&panes).run(context))
    }

    /// Looks at panes until it is stopped. Nothing is opened before somebody asks, or a mark stands.
    ///
    /// # Errors
    /// When the bridge has ended.
    async fn run(self: Arc<Self>, context: TaskContext) -> Result<(), String> {
        let mut received = self.received.lock().await;
        let mut desk = Desk::new(Arc::clone(&self)).await;
        context.running();
        loop {
            context.turn();
            let due = desk.due();
            tokio::select! {
                () = context.stop.cancelled() => break,
                () = self.replaced.notified() => desk.replaced(),
                Some(order) = received.recv() => {
                    if let Order::Asked(_) = &order {
                        self.waiting.fetch_sub(1, Ordering::Relaxed);
                    }
                    desk.ordered(order);
                }
                () = desk.hear() => {}
                () = context.asked() => continue,
                () = tokio::time::sleep_until(due) => {}
            }
            desk.step().await;
        }
        desk.close().await;
        Ok(())
    }
}
