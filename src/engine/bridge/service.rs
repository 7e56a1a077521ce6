//! The way to the bridge of a running engine.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use tokio::sync::{Notify, mpsc, watch};

use crate::bridge::{BridgeInput, Caps, CommandRule, HostSpec, Term};
use crate::config::Config;
use crate::model::HostName;
use crate::screen::KnownSecrets;
use crate::store::Store;

use super::super::Input;
use super::super::checks::Checks;
use super::super::supervisor::{TaskContext, TaskSpec};
use super::live::Live;
use super::roads::OpenRoad;
use super::runner::Runner;

/// Inputs that may wait for the task.
const ORDERS: usize = 256;

/// The hosts, commands and rules there are.
#[derive(Debug)]
pub struct BridgeSet {
    pub(super) config: Config,
}

impl BridgeSet {
    /// What `config` names.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self { config }
    }

    /// The configuration they are of.
    pub(in super::super) fn config(&self) -> &Config {
        &self.config
    }

    /// The secrets that were read of it: what commands and panes show of them is hidden.
    pub(in super::super) fn known(&self) -> KnownSecrets {
        KnownSecrets::new(self.config.read.expose())
    }

    pub(super) fn hosts(&self) -> Vec<HostSpec> {
        let spec = |host: &crate::config::HostConfig| HostSpec {
            name: host.name.clone(),
            labels: host.labels.clone(),
            layers: host.kinds().into_iter().filter(|kind| *kind != crate::model::LayerKind::Manual).collect(),
            at_once: host.at_once,
        };
        self.config.hosts.values().map(spec).collect()
    }

    pub(super) fn caps(&self) -> Caps {
        let rule = |template: &crate::model::CommandTemplate| CommandRule {
            at_once: template.at_once,
            weakest: template.weakest_layer,
        };
        let commands = self.config.commands.iter().map(|(name, template)| (name.clone(), rule(template))).collect();
        Caps { commands, ..Caps::default() }
    }
}

/// The bridge of an engine. Shared by its task and whoever asks for something.
pub struct Bridges {
    pub(super) store: Arc<Store>,
    pub(super) inputs: mpsc::Sender<Input>,
    /// Who looks whether hosts are well before a rollout goes on.
    pub(super) checks: Arc<Checks>,
    pub(super) open: OpenRoad,
    pub(super) live: Live,
    /// Since when it is there: what nobody has heard of since may only not have answered yet.
    pub(super) since: Timestamp,
    set: Mutex<Arc<BridgeSet>>,
    /// The term orders are given in, once the task has begun it.
    term: watch::Sender<Option<Term>>,
    /// Rung when there is another set.
    pub(super) replaced: Notify,
    /// Rung by the first who needs a host: until then no road is opened.
    needed: Option<Notify>,
    /// Whether there is a task that takes orders.
    pub(super) has_task: AtomicBool,
    orders: mpsc::Sender<BridgeInput>,
    /// Locked by the task while it runs; one that is started again goes on with what waits.
    pub(super) received: tokio::sync::Mutex<mpsc::Receiver<BridgeInput>>,
    /// Held while jobs are made of a draft, so that the same draft twice at once makes them once.
    pub(super) drafting: tokio::sync::Mutex<()>,
    /// Held while an approval is read or made, and written.
    pub(super) voting: tokio::sync::Mutex<()>,
    /// Whether jobs may be waiting for other people's yes.
    pub(super) holds: AtomicBool,
}

impl std::fmt::Debug for Bridges {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bridges").finish_non_exhaustive()
    }
}

impl Bridges {
    /// The bridge to the hosts of `set`, by roads that `open` opens. A `lazy` one opens them when the first who needs
    /// a host asks.
    #[must_use]
    pub fn new(
        set: BridgeSet,
        store: Arc<Store>,
        inputs: mpsc::Sender<Input>,
        checks: Arc<Checks>,
        open: OpenRoad,
        lazy: bool,
    ) -> Self {
        let (orders, received) = mpsc::channel(ORDERS);
        let live = Live::default();
        live.take(&set.config, Timestamp::now());
        Self {
            store,
            inputs,
            checks,
            open,
            live,
            since: Timestamp::now(),
            set: Mutex::new(Arc::new(set)),
            term: watch::Sender::new(None),
            replaced: Notify::new(),
            needed: lazy.then(Notify::new),
            has_task: AtomicBool::new(false),
            orders,
            received: tokio::sync::Mutex::new(received),
            drafting: tokio::sync::Mutex::default(),
            voting: tokio::sync::Mutex::default(),
            holds: AtomicBool::new(true),
        }
    }

    /// Has the hosts and commands of `set` from now on. Roads that stay as they are are not touched.
    pub fn replace(&self, set: BridgeSet) {
        self.live.take(&set.config, Timestamp::now());
        *self.set.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(set);
        self.replaced.notify_one();
    }

    /// The term orders are given in; `None` while the task has not begun one.
    pub(super) fn term(&self) -> Option<Term> {
        *self.term.borrow()
    }

    /// The same, and every term after it.
    pub(in super::super) fn terms(&self) -> watch::Receiver<Option<Term>> {
        self.term.subscribe()
    }

    /// Orders are given in `term` from now on.
    pub(in super::super) fn begin(&self, term: Term) {
        self.term.send_replace(Some(term));
    }

    /// The hosts and commands there are.
    pub(in super::super) fn set(&self) -> Arc<BridgeSet> {
        Arc::clone(&self.set.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Why nothing may go to `host` until a person has looked, if so.
    pub(in super::super) fn barred(&self, host: &HostName) -> Option<String> {
        self.live.barred(host)
    }

    /// Has the task begin, if it waits for somebody who needs a host.
    pub(in super::super) fn wake(&self) {
        if let Some(needed) = &self.needed {
            needed.notify_one();
        }
    }

    /// Whether what is ordered is carried out, now or when the task is started again.
    pub(super) fn has_task(&self) -> bool {
        self.has_task.load(Ordering::Relaxed)
    }

    /// Lets the task know of something; it opens the roads, if they are not. Where there is no task nothing is left waiting
    /// for it: what is written down is found by the next engine that has one.
    pub(super) async fn order(&self, input: BridgeInput) {
        if !self.has_task() {
            return;
        }
        self.wake();
        // The other end is held here.
        let _ = self.orders.send(input).await;
    }

    /// The task that brings commands to hosts. Orders are taken from here on.
    pub(in super::super) fn task(this: &Arc<Self>) -> TaskSpec {
        this.has_task.store(true, Ordering::Relaxed);
        let bridge = Arc::clone(this);
        TaskSpec::new("bridge", move |context| Arc::clone(&bridge).run(context))
    }

    /// Brings commands to hosts until it is stopped.
    ///
    /// # Errors
    /// When the store cannot say what is under way.
    async fn run(self: Arc<Self>, context: TaskContext) -> Result<(), String> {
        let mut received = self.received.lock().await;
        if let Some(needed) = &self.needed {
            context.running();
            tokio::select! {
                () = context.stop.cancelled() => return Ok(()),
                () = needed.notified() => {}
            }
        }
        let mut runner = Runner::new(Arc::clone(&self)).await.map_err(|error| error.to_string())?;
        context.running();
        let mut told = None;
        loop {
            context.turn();
            if runner.trouble() != told.as_deref() {
                told = runner.trouble().map(str::to_owned);
                context.trouble(told.clone());
            }
            let due = runner.next_wake();
            tokio::select! {
                () = context.stop.cancelled() => break,
                () = self.replaced.notified() => runner.replace(),
                Some(input) = received.recv() => runner.apply(input),
                () = runner.hear() => {}
                () = context.asked() => continue,
                () = tokio::time::sleep_until(due) => {}
            }
            runner.step().await;
        }
        runner.close().await;
        Ok(())
    }
}
