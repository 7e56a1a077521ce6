//! Supervision: a task that ends comes back with backoff, and an operator can start it again.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Notify, mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::model::{TaskState, TaskStatus};

use super::Input;
use super::watchdog::{Parts, Turns};

/// First pause before a task is started again; doubled each time.
const BACKOFF: Duration = Duration::from_secs(1);
/// Longest pause.
const BACKOFF_MAX: Duration = Duration::from_secs(30);
/// A task that ran this long begins again with the first pause.
const HEALTHY: SignedDuration = SignedDuration::from_secs(60);
/// Time for a task to end by itself when it is asked to.
const GRACE: Duration = Duration::from_secs(6);

type Work = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;

/// A task: a name and how to start it, any number of times.
pub struct TaskSpec {
    /// Its name, as operators see it.
    pub name: String,
    /// Starts it.
    pub start: Box<dyn Fn(TaskContext) -> Work + Send + Sync>,
}

impl TaskSpec {
    /// A task called `name` that `start` starts.
    pub fn new<F>(name: impl Into<String>, start: impl Fn(TaskContext) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        Self { name: name.into(), start: Box::new(move |context| Box::pin(start(context))) }
    }
}

/// What a running task is given.
#[derive(Debug, Clone)]
pub struct TaskContext {
    /// Cancelled when it is to end.
    pub stop: CancellationToken,
    ready: Arc<Notify>,
    trouble: watch::Sender<Option<String>>,
    turns: Turns,
}

impl TaskContext {
    /// Says that it does its work from now on.
    pub fn running(&self) {
        self.ready.notify_one();
    }

    /// Says what is wrong while it does its work, or that nothing is any more.
    pub fn trouble(&self, what: Option<String>) {
        self.trouble.send_replace(what);
    }

    /// Says that it has taken another turn. From the first on it is expected to take one every few seconds, or when it
    /// is asked to: the watchdog is not fed while it does not.
    pub fn turn(&self) {
        self.turns.another();
    }

    /// Resolves when the watchdog wants to see another turn.
    pub(super) async fn asked(&self) {
        self.turns.asked().await;
    }

    /// Of a task that nobody supervises.
    #[cfg(test)]
    pub(super) fn of_nobody() -> Self {
        let (stop, ready, trouble) = (CancellationToken::new(), Arc::default(), watch::Sender::new(None));
        Self { stop, ready, trouble, turns: Turns::default() }
    }
}

/// Runs tasks and reports on them.
#[derive(Debug)]
pub(super) struct Supervisor {
    inputs: mpsc::Sender<Input>,
    stop: CancellationToken,
    tasks: TaskTracker,
    reins: Mutex<HashMap<String, Arc<Rein>>>,
    generations: AtomicU64,
    /// What must advance.
    pub(super) parts: Arc<Parts>,
}

/// The hold on one task.
#[derive(Debug)]
struct Rein {
    /// Larger than that of every task before it.
    generation: u64,
    restart: Notify,
    stop: CancellationToken,
}

impl Supervisor {
    pub(super) fn new(inputs: mpsc::Sender<Input>, stop: CancellationToken) -> Self {
        let reins = Mutex::default();
        Self {
            inputs,
            stop,
            tasks: TaskTracker::new(),
            reins,
            generations: AtomicU64::default(),
            parts: Arc::default(),
        }
    }

    /// Runs `spec` until the engine stops, or until it is stopped by its name. A task of that name that is still
    /// ending does so unseen.
    pub(super) fn run(this: &Arc<Self>, spec: TaskSpec) {
        let generation = this.generations.fetch_add(1, Ordering::Relaxed);
        let rein = Arc::new(Rein { generation, restart: Notify::new(), stop: this.stop.child_token() });
        this.reins().insert(spec.name.clone(), Arc::clone(&rein));
        let this = Arc::clone(this);
        this.tasks.clone().spawn(async move { this.supervise(spec, &rein).await });
    }

    /// How many tasks are held.
    pub(super) fn count(&self) -> usize {
        self.reins().len()
    }

    /// Starts the task called `name` again, at once.
    pub(super) fn restart(&self, name: &str) {
        if let Some(rein) = self.reins().get(name) {
            rein.restart.notify_one();
        }
    }

    /// Ends the task called `name` for good; once it has ended the engine forgets it.
    pub(super) fn stop(&self, name: &str) {
        if let Some(rein) = self.reins().get(name) {
            rein.stop.cancel();
        }
    }

    fn reins(&self) -> MutexGuard<'_, HashMap<String, Arc<Rein>>> {
        self.reins.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether `rein` still holds the task of its name, and no newer one does.
    fn holds(&self, name: &str, rein: &Arc<Rein>) -> bool {
        self.reins().get(name).is_some_and(|held| Arc::ptr_eq(held, rein))
    }

    /// Waits until every task has ended.
    pub(super) async fn ended(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    async fn report(&self, rein: &Arc<Rein>, status: &TaskStatus) {
        if self.holds(&status.name, rein) {
            // The engine is gone only when everything ends.
            let _ = self.inputs.send(Input::Task(rein.generation, status.clone())).await;
        }
    }

    /// Says that a task has ended: with the engine it stays on the list, by its name it goes.
    async fn stopped(&self, rein: &Arc<Rein>, mut status: TaskStatus) {
        status.state = TaskState::Stopped;
        status.since = Timestamp::now();
        self.report(rein, &status).await;
        if !self.stop.is_cancelled() && self.let_go(&status.name, rein) {
            let _ = self.inputs.send(Input::TaskGone(rein.generation, status.name)).await;
        }
    }

    /// Forgets `rein`, unless a newer one holds the task of its name; answers whether it did.
    fn let_go(&self, name: &str, rein: &Arc<Rein>) -> bool {
        let mut reins = self.reins();
        let is_held = reins.get(name).is_some_and(|held| Arc::ptr_eq(held, rein));
        is_held && reins.remove(name).is_some()
    }

    async fn supervise(&self, spec: TaskSpec, rein: &Arc<Rein>) {
        let mut status = TaskStatus {
            name: spec.name.clone(),
            state: TaskState::Starting,
            since: Timestamp::now(),
            restarts: 0,
            last_error: None,
            next_try: None,
            trouble: None,
        };
        let mut pause = BACKOFF;
        loop {
            let set = |status: &mut TaskStatus, state| {
                status.state = state;
                status.since = Timestamp::now();
            };
            set(&mut status, TaskState::Starting);
            status.next_try = None;
            self.report(rein, &status).await;
            let started = status.since;
            let ended = self.once(&spec, rein, &mut status).await;
            status.trouble = None;
            if rein.stop.is_cancelled() {
                return self.stopped(rein, status).await;
            }
            status.restarts += 1;
            let Some(error) = ended else {
                // An operator started it again: that is not a failure.
                pause = BACKOFF;
                continue;
            };
            tracing::warn!(task = spec.name, %error, "task ended; it is started again");
            if Timestamp::now().duration_since(started) > HEALTHY {
                pause = BACKOFF;
            }
            set(&mut status, TaskState::Waiting);
            status.last_error = Some(error);
            status.next_try = status.since.checked_add(SignedDuration::try_from(pause).unwrap_or_default()).ok();
            self.report(rein, &status).await;
            tokio::select! {
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(BACKOFF_MAX),
                () = rein.restart.notified() => pause = BACKOFF,
                () = rein.stop.cancelled() => return self.stopped(rein, status).await,
            }
        }
    }

    /// Runs the task once. Answers why it ended, or `None` when it was asked to.
    async fn once(&self, spec: &TaskSpec, rein: &Arc<Rein>, status: &mut TaskStatus) -> Option<String> {
        let (trouble, mut troubles) = watch::channel(None);
        let part = self.parts.begin(&spec.name);
        let context = TaskContext {
            stop: rein.stop.child_token(),
            ready: Arc::new(Notify::new()),
            trouble,
            turns: part.turns.clone(),
        };
        let (stop, ready) = (context.stop.clone(), Arc::clone(&context.ready));
        // A task of its own, so that a panic ends it alone.
        let mut work = tokio::spawn((spec.start)(context));
        let asked = loop {
            tokio::select! {
                ended = &mut work => return Some(match ended {
                    Ok(Ok(())) => "it ended by itself".to_owned(),
                    Ok(Err(error)) => error,
                    Err(error) => panic_text(error),
                }),
                () = ready.notified() => {
                    status.state = TaskState::Running;
                    status.since = Timestamp::now();
                    self.report(rein, status).await;
                }
                Ok(()) = troubles.changed() => {
                    status.trouble.clone_from(&troubles.borrow_and_update());
                    if let Some(trouble) = &status.trouble {
                        tracing::warn!(task = spec.name, %trouble, "task goes on with a trouble");
                    } else {
                        tracing::info!(task = spec.name, "the trouble is over");
                    }
                    self.report(rein, status).await;
                }
                () = rein.restart.notified() => break None,
                () = rein.stop.cancelled() => break None,
            }
        };
        stop.cancel();
        drop(part);
        if tokio::time::timeout(GRACE, &mut work).await.is_err() {
            work.abort();
        }
        asked
    }
}

/// What a panic said.
pub(super) fn panic_text(error: tokio::task::JoinError) -> String {
    match error.try_into_panic() {
        Ok(payload) => {
            let text = payload.downcast_ref::<&str>().map(ToString::to_string);
            let text = text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_default();
            format!("panicked: {text}")
        }
        Err(_) => "it was cancelled".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use super::*;

    async fn next(inputs: &mut mpsc::Receiver<Input>) -> TaskStatus {
        match inputs.recv().await {
            Some(Input::Task(_, status)) => status,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_stopped_by_name_is_forgotten_and_a_newer_one_of_its_name_is_not() {
        let (sender, mut inputs) = mpsc::channel(16);
        let supervisor = Arc::new(Supervisor::new(sender, CancellationToken::new()));
        let lingering = || {
            TaskSpec::new("t", |context: TaskContext| async move {
                context.stop.cancelled().await;
                tokio::time::sleep(Duration::from_secs(2)).await;
                Ok(())
            })
        };
        Supervisor::run(&supervisor, lingering());
        assert_eq!(next(&mut inputs).await.state, TaskState::Starting);
        supervisor.stop("t");
        assert_eq!(next(&mut inputs).await.state, TaskState::Stopped);
        assert!(matches!(inputs.recv().await, Some(Input::TaskGone(_, name)) if name == "t"));
        Supervisor::run(&supervisor, lingering());
        assert_eq!(next(&mut inputs).await.state, TaskState::Starting);
        supervisor.stop("t");
        tokio::time::sleep(Duration::from_secs(1)).await;
        Supervisor::run(&supervisor, lingering());
        assert_eq!(next(&mut inputs).await.state, TaskState::Starting, "the newer one");
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert!(inputs.try_recv().is_err(), "the older one ends unseen");
        supervisor.restart("t");
        assert_eq!(next(&mut inputs).await.state, TaskState::Starting, "the newer one is still held");
    }

    #[tokio::test(start_paused = true)]
    async fn a_trouble_is_reported_and_so_is_its_end() {
        let (sender, mut inputs) = mpsc::channel(16);
        let stop = CancellationToken::new();
        let supervisor = Arc::new(Supervisor::new(sender, stop.clone()));
        let spec = TaskSpec::new("t", |context| async move {
            context.running();
            tokio::time::sleep(Duration::from_secs(1)).await;
            context.trouble(Some("a broken file".to_owned()));
            tokio::time::sleep(Duration::from_secs(1)).await;
            context.trouble(None);
            context.stop.cancelled().await;
            Ok(())
        });
        Supervisor::run(&supervisor, spec);
        assert_eq!(next(&mut inputs).await.state, TaskState::Starting);
        assert_eq!(next(&mut inputs).await.state, TaskState::Running);
        let troubled = next(&mut inputs).await;
        assert_eq!((troubled.state, troubled.error()), (TaskState::Running, Some("a broken file")));
        assert_eq!(next(&mut inputs).await.error(), None);
        stop.cancel();
        supervisor.ended().await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_panicking_task_comes_back_and_says_why() {
        let (sender, mut inputs) = mpsc::channel(16);
        let stop = CancellationToken::new();
        let supervisor = Arc::new(Supervisor::new(sender, stop.clone()));
        let runs = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&runs);
        let spec = TaskSpec::new("t", move |context| {
            let run = counted.fetch_add(1, Ordering::Relaxed);
            async move {
                assert!(run > 0, "the first run breaks");
                context.running();
                context.stop.cancelled().await;
                Ok(())
            }
        });
        Supervisor::run(&supervisor, spec);
        assert_eq!(next(&mut inputs).await.state, TaskState::Starting);
        let waiting = next(&mut inputs).await;
        assert_eq!(waiting.state, TaskState::Waiting);
        assert!(waiting.last_error.expect("a reason").contains("the first run breaks"));
        assert_eq!(next(&mut inputs).await.state, TaskState::Starting);
        let running = next(&mut inputs).await;
        assert_eq!((running.state, running.restarts), (TaskState::Running, 1));
        supervisor.restart("t");
        assert_eq!(next(&mut inputs).await.state, TaskState::Starting);
        assert_eq!(next(&mut inputs).await.restarts, 2);
        stop.cancel();
        assert_eq!(next(&mut inputs).await.state, TaskState::Stopped);
        supervisor.ended().await;
        assert_eq!(runs.load(Ordering::Relaxed), 3);
    }
}
