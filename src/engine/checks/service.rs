//! The way to the checks of a running engine.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use tokio::sync::{Notify, mpsc, oneshot, watch};

use crate::config::{CheckConfig, Config, ConfigError};
use crate::model::{CheckId, CheckPanel, Endpoint, NodeName, Observation};
use crate::protocol::Refusal;
use crate::store::{Store, StoreError};

use super::super::Input;
use super::super::supervisor::{TaskContext, TaskSpec};
use super::measure::CheckMeasures;
use super::observe::Script;
use super::runner::Runner;
use super::votes::Votes;
use super::watch::Prepared;

/// Orders that may wait for the task.
const ORDERS: usize = 64;

/// What is watched, with the secrets in it, and who is asked whether this machine is cut off.
#[derive(Debug)]
pub struct CheckSet {
    pub(super) checks: Vec<Arc<Prepared>>,
    pub(super) witnesses: Vec<Endpoint>,
    pub(super) need: usize,
    /// This node, where it is one of several that may have to agree.
    pub(super) me: Option<NodeName>,
}

impl CheckSet {
    /// What `config` names.
    ///
    /// # Errors
    /// When a secret in a header cannot be read.
    pub fn new(config: &Config) -> Result<Self, Box<ConfigError>> {
        let prepare = |check: &Arc<CheckConfig>| {
            let secret = match check.secret_headers.as_slice() {
                [] => None,
                _ => Some(config.check_target(check)?),
            };
            Ok(Arc::new(Prepared { config: Arc::clone(check), secret }))
        };
        Ok(Self {
            checks: config.health.checks.iter().map(prepare).collect::<Result<_, Box<ConfigError>>>()?,
            witnesses: config.health.witnesses.clone(),
            need: config.health.need,
            me: config.federation.me.clone().filter(|_| config.federation.enabled),
        })
    }

    /// The same, looked at from `me`: whether a node takes part, and under which name, is as it was at the start.
    pub(in super::super) fn seen_from(self, me: Option<NodeName>) -> Self {
        Self { me, ..self }
    }
}

/// A look that somebody waits for.
#[derive(Debug)]
pub(super) struct Order {
    pub id: CheckId,
    pub answer: oneshot::Sender<Observation>,
}

/// The checks of an engine. Shared by its task and whoever asks for something.
#[derive(Debug)]
pub struct Checks {
    pub(super) store: Arc<Store>,
    pub(super) inputs: mpsc::Sender<Input>,
    pub(super) measures: Arc<CheckMeasures>,
    /// What looks find, where nothing is looked at.
    pub(super) script: Option<Arc<dyn Script>>,
    set: Mutex<Arc<CheckSet>>,
    /// Rung when there is another set.
    replaced: Notify,
    /// What other nodes see, and rung when they see something else.
    votes: Mutex<Arc<Votes>>,
    pub(super) voted: Notify,
    /// Whether enough witnesses answer.
    witnessed: watch::Sender<Option<bool>>,
    orders: mpsc::Sender<Order>,
    is_running: AtomicBool,
    /// Locked by the task while it runs; one that is started again goes on with what waits.
    pub(super) received: tokio::sync::Mutex<mpsc::Receiver<Order>>,
}

/// The task that looks is running. However that ends, it is known.
struct Running<'a>(&'a AtomicBool);

impl<'a> Running<'a> {
    fn begin(flag: &'a AtomicBool) -> Self {
        flag.store(true, Ordering::Relaxed);
        Self(flag)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

impl Checks {
    /// The checks of `set`; nobody looks before [`Checks::run`].
    #[must_use]
    pub fn new(set: CheckSet, store: Arc<Store>, inputs: mpsc::Sender<Input>) -> Self {
        let (orders, received) = mpsc::channel(ORDERS);
        Self {
            store,
            inputs,
            measures: Arc::default(),
            script: None,
            set: Mutex::new(Arc::new(set)),
            replaced: Notify::new(),
            votes: Mutex::default(),
            voted: Notify::new(),
            witnessed: watch::Sender::default(),
            orders,
            is_running: AtomicBool::new(false),
            received: tokio::sync::Mutex::new(received),
        }
    }

    /// Looks at nothing from now on: `script` says what is found.
    #[must_use]
    pub(in super::super) fn scripted(self, script: Option<Arc<dyn Script>>) -> Self {
        Self { script, ..self }
    }

    /// Watches `set` from now on. A check that is the same keeps its schedule, one that has changed its state and
    /// history; one that is gone is no longer shown, and its history stays in the store.
    pub fn replace(&self, set: CheckSet) {
        *self.set.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(set);
        self.replaced.notify_one();
    }

    /// The checks that are looked at from several nodes, and from which.
    pub(in super::super) fn seen_by_several(&self) -> Vec<(CheckId, Vec<NodeName>)> {
        let set = self.set();
        let several = set.checks.iter().filter(|check| set.me.is_some() && check.config.enabled);
        several
            .filter_map(|check| Some((check.config.id.clone(), check.config.vantage.as_ref()?.nodes.clone())))
            .collect()
    }

    /// This is what other nodes see now.
    pub(in super::super) fn take_votes(&self, votes: Votes) {
        let mut known = self.votes.lock().unwrap_or_else(PoisonError::into_inner);
        if **known != votes {
            *known = Arc::new(votes);
            self.voted.notify_one();
        }
    }

    /// Whether enough witnesses answered when they were asked last, and whenever that is otherwise. `None` while there are
    /// none, or none was asked yet.
    pub(in super::super) fn witnesses(&self) -> watch::Receiver<Option<bool>> {
        self.witnessed.subscribe()
    }

    /// So it is with the witnesses now.
    pub(super) fn tell_witnesses(&self, answer: Option<bool>) {
        self.witnessed.send_if_modified(|known| std::mem::replace(known, answer) != answer);
    }

    pub(super) fn votes(&self) -> Arc<Votes> {
        Arc::clone(&self.votes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether the task that looks is running.
    #[must_use]
    pub fn are_looked_at(&self) -> bool {
        self.is_running.load(Ordering::Relaxed)
    }

    /// Looks at `id` now. The result counts like any other.
    ///
    /// # Errors
    /// When there is no such check, or nobody looks.
    pub async fn now(&self, id: CheckId) -> Result<Observation, Refusal> {
        if !self.set().checks.iter().any(|check| check.config.id == id) {
            return Err(Refusal::Unknown(format!("no check is called {id}; `aurora check list` names them")));
        }
        let gone = || Refusal::Failed("the task that looks is not running; `aurora task list` says why".to_owned());
        if !self.are_looked_at() {
            return Err(gone());
        }
        let (answer, found) = oneshot::channel();
        self.orders.send(Order { id, answer }).await.map_err(|_| gone())?;
        let given_up = || Refusal::Failed("the look was given up; try again".to_owned());
        found.await.map_err(|_| given_up())
    }

    /// How well looks keep their schedule.
    #[must_use]
    pub fn measures(&self) -> Arc<CheckMeasures> {
        Arc::clone(&self.measures)
    }

    /// The checks as they are shown before anybody looks.
    pub(in super::super) async fn panels(&self) -> Result<Vec<CheckPanel>, StoreError> {
        super::restore::panels(&self.store, self.set().checks.clone(), Timestamp::now()).await
    }

    pub(super) fn set(&self) -> Arc<CheckSet> {
        Arc::clone(&self.set.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The task that looks.
    pub(in super::super) fn task(this: &Arc<Self>) -> TaskSpec {
        let looking = Arc::clone(this);
        TaskSpec::new("checks", move |context| Arc::clone(&looking).run(context))
    }

    /// Looks until it is stopped.
    ///
    /// # Errors
    /// When what is known of the checks cannot be read.
    pub async fn run(self: Arc<Self>, context: TaskContext) -> Result<(), String> {
        let mut received = self.received.lock().await;
        let _running = Running::begin(&self.is_running);
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
                () = self.replaced.notified() => runner.replace().await,
                () = self.voted.notified() => runner.judge_all(),
                Some(order) = received.recv() => runner.order(order),
                done = runner.done() => runner.take(done),
                () = tokio::time::sleep_until(due) => {}
            }
            runner.step().await;
        }
        runner.close().await;
        Ok(())
    }
}
