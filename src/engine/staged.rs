//! An engine for a made-up world: nobody connects and nothing is looked at; what would come from outside is played.
//!
//! Everything behind the doors is real: events are stored, projected and indexed, results of checks settle, and every
//! request of a client is answered as ever.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::bridge::Term;
use crate::config::Config;
use crate::ingress;
use crate::model::{
    Act, ActId, Approval, AuditEntry, ChannelId, CheckPanel, EngineId, EventId, HostPanel, Item, Job, OperatorName,
    OutputChunk, Rejection, TaskState, TaskStatus,
};
use crate::protocol::{BridgePanel, NodesNotice, NodesPanel, Reply, Request, RequestId, Update};
use crate::provider::{RawRequest, Verified};
use crate::store::{ActOrder, JobBatch, Store, StoreError};

use super::bridge::{Bridges, CommandScript};
use super::checks::{CheckSet, Checks, Script, rehearse};
use super::doors::{Channels, addresses, listener_task};
use super::projector::Projector;
use super::staged_panes::{PaneScript, road};
use super::start::{Begun, begin};
use super::supervisor::TaskSpec;
use super::{Credential, Doors, Handle, Input, LogLines, OpenRoad, Running, StartError, rest};

/// Panels with new figures that are sent in one second: every one of a large screen.
pub(super) const FIGURES_A_SECOND: usize = 64;
/// The term of the only orders there are: those of who types into a made-up pane.
pub(super) const TERM: Term = Term { engine: EngineId::from_uuid(uuid::Uuid::nil()), epoch: 1 };

/// A delivery as a provider would send it, taken for verified.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Its channel.
    pub channel: ChannelId,
    /// The id of its event.
    pub id: EventId,
    /// When it is received.
    pub at: Timestamp,
    /// What came.
    pub request: RawRequest,
    /// What its signature would prove.
    pub verified: Verified,
}

/// What a made-up world is when it begins.
#[derive(Debug)]
pub struct Scenery {
    /// What was delivered, oldest first.
    pub deliveries: Vec<Delivery>,
    /// Marks that were put on messages: which, what, by whom, when.
    pub marks: Vec<(EventId, Act, OperatorName, Timestamp)>,
    /// What was refused.
    pub rejections: Vec<Rejection>,
    /// What looks find.
    pub script: Arc<dyn Script>,
    /// From when to when checks were looked at, and how often.
    pub looked: (Timestamp, Timestamp, Duration),
    /// Whether checks stay as they are from now on.
    pub still: bool,
    /// What is known of hosts, where there are any.
    pub remote: Option<Remote>,
    /// The other nodes, and what they share.
    pub nodes: NodesPanel,
    /// What the task of the first listener has to complain about.
    pub trouble: Option<String>,
}

/// Hosts as they stand, what was run there, and what waits for a yes.
#[derive(Debug)]
pub struct Remote {
    /// The hosts, by name.
    pub hosts: Vec<HostPanel>,
    /// What was run, and what it wrote.
    pub jobs: Vec<(Job, Vec<OutputChunk>)>,
    /// What waits, and what was answered, newest first.
    pub approvals: Vec<Approval>,
    /// What was written down of all that, newest first.
    pub audit: Vec<AuditEntry>,
    /// What their panes show.
    pub panes: Arc<dyn PaneScript>,
    /// What commands write that are run from now on.
    pub commands: CommandScript,
}

impl Scenery {
    /// Lets everything have happened; answers how the checks stand.
    pub(super) async fn happen(
        &self,
        config: &Config,
        store: &Arc<Store>,
        channels: &Channels,
        projector: &Arc<Projector>,
    ) -> Result<Vec<CheckPanel>, StartError> {
        for delivery in &self.deliveries {
            deliver(store, channels, delivery).await?;
        }
        projector.catch_up().await?;
        for (id, act, who, at) in &self.marks {
            let on = vec![Item::Message((*id).into())];
            let id = ActId::from_uuid(uuid::Uuid::now_v7());
            let order = ActOrder { id, on, act: act.clone(), who: who.as_str().to_owned(), seen: None };
            // A mark that refuses itself is none.
            drop(store.act(order, *at).await?);
        }
        store.keep_rejections(self.rejections.clone()).await?;
        if let Some(remote) = &self.remote {
            let approvals = remote.approvals.clone();
            let notes = remote.audit.iter().rev().map(|entry| entry.note.clone()).collect();
            let mut batch = JobBatch { approvals, notes, ..JobBatch::default() };
            for (job, wrote) in &remote.jobs {
                batch.jobs.push(job.clone());
                batch.output.extend(wrote.iter().map(|chunk| (job.id, chunk.clone())));
            }
            store.keep_jobs(batch).await?;
        }
        let (from, to, every) = self.looked;
        Ok(rehearse(store, &CheckSet::new(config)?, &*self.script, every, from, to).await?)
    }

    /// What a screen knows of the bridge: no road is opened here, so nobody else says it.
    pub(super) fn bridge(&self, panel: &mut BridgePanel) {
        if let Some(remote) = &self.remote {
            panel.hosts.clone_from(&remote.hosts);
            panel.approvals.clone_from(&remote.approvals);
            panel.audit.clone_from(&remote.audit);
        }
    }

    /// The task that lets what is asked of its hosts happen, where there are any.
    pub(super) fn commanding(&self, bridges: &Arc<Bridges>) -> Option<TaskSpec> {
        self.remote.as_ref().map(|remote| Bridges::played(bridges, &remote.hosts, remote.commands))
    }

    /// The roads to the panes of its hosts, where there are any.
    pub(super) fn pane_roads(&self) -> Option<OpenRoad> {
        self.remote.as_ref().map(|remote| road(Arc::clone(&remote.panes), remote.hosts.clone()))
    }

    /// The task that looks at `checks`, or that repeats `shown` while they stand still.
    pub(super) fn looking(
        &self,
        checks: &Arc<Checks>,
        shown: Vec<CheckPanel>,
        inputs: mpsc::Sender<Input>,
    ) -> TaskSpec {
        if !self.still {
            return Checks::task(checks);
        }
        TaskSpec::new("checks", move |context| {
            let (mut shown, inputs) = (shown.clone(), inputs.clone());
            async move {
                context.running();
                loop {
                    tokio::select! {
                        () = context.stop.cancelled() => return Ok(()),
                        () = tokio::time::sleep_until(rest::after(Instant::now() + rest::REST)) => {}
                    }
                    // Checks that stand still say so well before they would count as stale.
                    for panel in &mut shown {
                        panel.last = Some(Timestamp::now());
                    }
                    // The engine is gone only when everything ends.
                    let _ = inputs.send(Input::Checks(shown.clone())).await;
                }
            }
        })
    }
}

/// The way to let something happen in a made-up world.
#[derive(Debug, Clone)]
pub struct Stage {
    store: Arc<Store>,
    channels: Channels,
    inputs: mpsc::Sender<Input>,
}

impl Stage {
    /// Lets a delivery come in.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub async fn deliver(&self, delivery: &Delivery) -> Result<(), StoreError> {
        deliver(&self.store, &self.channels, delivery).await
    }

    /// Lets other nodes change. No link leads to them, so nobody else says it.
    pub async fn tell_of_nodes(&self, notice: NodesNotice) {
        // The engine is gone only when everything ends.
        let _ = self.inputs.send(Input::Nodes(notice)).await;
    }

    /// Lets deliveries be refused.
    pub async fn refuse(&self, rejections: Vec<Rejection>) {
        // The engine is gone only when everything ends.
        let _ = self.inputs.send(Input::Rejected(rejections)).await;
    }
}

async fn deliver(store: &Store, channels: &Channels, delivery: &Delivery) -> Result<(), StoreError> {
    let Some(channel) = channels.get(&delivery.channel) else { return Ok(()) };
    let mut events = ingress::events(channel, &delivery.request, &delivery.verified, delivery.at);
    for event in &mut events {
        event.id = delivery.id;
    }
    store.record(events).await.map(drop)
}

/// Starts an engine on `config` with `scenery` around it.
///
/// # Errors
/// As [`super::start()`].
pub async fn stage(config: Config, logs: LogLines, scenery: Scenery) -> Result<(Running, Stage), StartError> {
    let addresses = addresses(&config);
    let mut trouble = scenery.trouble.clone();
    let Begun { running, store, channels } = begin(config, Doors::Staged, Some(logs), None, Some(scenery)).await?;
    for address in addresses {
        let trouble = trouble.take();
        running.handle.supervise(TaskSpec::new(listener_task(address), move |context| {
            let trouble = trouble.clone();
            async move {
                context.trouble(trouble);
                context.running();
                context.stop.cancelled().await;
                Ok(())
            }
        }));
    }
    settled(&running.handle).await;
    let inputs = running.handle.inputs.clone();
    Ok((running, Stage { store, channels, inputs }))
}

/// Waits until every task of `engine` has said that it runs: a world begins at rest.
async fn settled(engine: &Handle) {
    let own = Credential::Local { uid: rustix::process::geteuid().as_raw(), ssh_key: None };
    let Ok(mut joined) = engine.join(own, false, true).await else { return };
    for number in 0.. {
        joined.ask(RequestId(number), Request::Snapshot).await;
        let Some(Update::Reply { reply: Ok(Reply::Snapshot(snapshot)), .. }) = joined.updates.recv().await else {
            return;
        };
        let is_running = |task: &TaskStatus| task.state == TaskState::Running;
        if snapshot.tasks.len() == engine.supervisor.count() && snapshot.tasks.iter().all(is_running) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
