//! Performs effects and brings their results back as inputs.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};

use crate::model::Identity;
use crate::protocol::{
    BridgeRequest, ClientId, NodeReply, NodeRequest, Notice, PaneRequest, Refusal, Reply, RequestId, StoreFigures,
    Update,
};
use crate::store::{Patience, Point, Store};

use super::answers::failed;
use super::bridge::Bridges;
use super::checks::Checks;
use super::in_turn::InTurn;
use super::nodes::Nodes;
use super::panes::{PaneOutlet, Panes};
use super::projector::Projector;
use super::reload::{Followers, Reloader};
use super::supervisor::Supervisor;
use super::views::Counted;
use super::watchdog::Turns;
use super::{Effect, Engine, Input, TurnedAway};

struct Outbox {
    sender: mpsc::Sender<Update>,
    /// Where the client hears of panes.
    panes: PaneOutlet,
    /// Where the client waits to hear whether it is in.
    admission: Option<oneshot::Sender<Result<Identity, TurnedAway>>>,
    follow: bool,
    /// It has missed something; nothing but a snapshot or an answer goes to it until it has one.
    lagging: bool,
}

/// The hands of the engine.
pub(super) struct Driver {
    pub store: Arc<Store>,
    pub projector: Arc<Projector>,
    pub supervisor: Arc<Supervisor>,
    pub(super) reloader: Option<Arc<Reloader>>,
    checks: Arc<Checks>,
    pub(super) bridges: Arc<Bridges>,
    panes: Arc<Panes>,
    nodes: Option<Arc<Nodes>>,
    /// What is answered about nodes where there are none.
    alone: &'static str,
    pub inputs: mpsc::Sender<Input>,
    /// What is written, one after the other.
    pub(super) in_turn: InTurn,
    /// The views as they were counted last.
    pub(super) counted: Counted,
    clients: HashMap<ClientId, Outbox>,
    /// The search each client asked for last: the one before ends when another comes.
    pub(super) searches: HashMap<ClientId, Patience>,
}

impl Driver {
    pub(super) fn new(
        store: Arc<Store>,
        projector: Arc<Projector>,
        supervisor: Arc<Supervisor>,
        reloader: Option<Arc<Reloader>>,
        followers: Followers,
        inputs: mpsc::Sender<Input>,
    ) -> Self {
        let Followers { checks, bridges, panes, nodes, alone } = followers;
        let in_turn = InTurn::begin(Arc::clone(&projector), inputs.clone());
        Self {
            store,
            projector,
            supervisor,
            reloader,
            checks,
            bridges,
            panes,
            nodes,
            alone,
            inputs,
            in_turn,
            counted: Counted::default(),
            clients: HashMap::new(),
            searches: HashMap::new(),
        }
    }

    /// The loop: wait, decide, do. It counts its `turns`.
    pub(super) async fn run(mut self, mut engine: Engine, turns: Turns) {
        while !engine.is_done() {
            turns.another();
            let mut input = tokio::select! {
                biased;
                input = engine.select() => input,
                () = turns.asked() => continue,
            };
            if let Input::Joined { client, outbox, panes, admission, follow, .. } = &mut input {
                let outbox = Outbox {
                    sender: outbox.clone(),
                    panes: panes.clone(),
                    admission: admission.take(),
                    follow: *follow,
                    lagging: false,
                };
                self.clients.insert(*client, outbox);
            }
            let mut pending = vec![input];
            while let Some(input) = pending.pop() {
                for effect in engine.apply(input, Timestamp::now()) {
                    pending.extend(self.perform(effect));
                }
            }
        }
    }

    /// Performs one effect; answers clients that turned out to lag or to be gone.
    fn perform(&mut self, effect: Effect) -> Vec<Input> {
        match effect {
            Effect::Send(client, update) => self.send(client, *update).into_iter().collect(),
            Effect::Publish(notice) => self.publish(&notice),
            Effect::Admit(client, result) => {
                self.admit(client, result);
                Vec::new()
            }
            Effect::Drop(client) => {
                self.clients.remove(&client);
                self.panes.left(client);
                if let Some(search) = self.searches.remove(&client) {
                    search.end();
                }
                Vec::new()
            }
            Effect::Read { client, id, request } => self.read(client, id, request),
            Effect::Figures { client, id, mut figures } => {
                figures.looks = self.checks.measures().figures();
                figures.store = store_figures(&self.store);
                let reply = Update::Reply { id, reply: Ok(Reply::Figures(figures)) };
                self.send(client, reply).into_iter().collect()
            }
            Effect::Act { client, id, order } => self.act(client, id, order),
            Effect::Undo { client, id, act, who } => self.undo(client, id, act, who),
            Effect::Views { client, id, node, who } => self.views(client, id, node, who),
            Effect::KeepView { client, id, name, query } => self.keep_view(client, id, name, query),
            Effect::Shown { first, last, at } => {
                self.store.passages().note(Point::Shown, first, last, at);
                Vec::new()
            }
            Effect::Wake => self.wake(),
            Effect::SetVip { client, id, contact, vip } => self.set_vip(client, id, contact, vip),
            Effect::Person { client, id, order } => self.say_person(client, id, order),
            Effect::Replay { client, id, filter } => {
                let projector = Arc::clone(&self.projector);
                self.answer(client, id, async move {
                    Ok((Reply::Count(projector.replay(filter).await.map_err(failed)?), None))
                })
            }
            Effect::CheckNow { client, id, check } => {
                let checks = Arc::clone(&self.checks);
                self.answer(
                    client,
                    id,
                    async move { Ok((Reply::Observation(Box::new(checks.now(check).await?)), None)) },
                )
            }
            Effect::Bridge { client, id, identity, request } => {
                if let BridgeRequest::Probe(host) = &request {
                    self.panes.nudge(host.clone());
                }
                let bridges = Arc::clone(&self.bridges);
                self.answer(
                    client,
                    id,
                    async move { Ok((Reply::Bridge(bridges.answer(identity, request).await?), None)) },
                )
            }
            Effect::Pane { client, id, identity, request } => self.pane(client, id, identity, request),
            Effect::Node { client, id, identity, request } => {
                let (nodes, alone) = (self.nodes.clone(), self.alone);
                self.answer(client, id, async move {
                    let reply = match (nodes, request) {
                        (Some(nodes), request) => nodes.answer(identity, request).await?,
                        (None, NodeRequest::List) => NodeReply::Nodes(Box::default()),
                        (None, _) => return Err(Refusal::Failed(alone.to_owned())),
                    };
                    Ok((Reply::Node(reply), None))
                })
            }
            Effect::Audit(note) => {
                let bridges = Arc::clone(&self.bridges);
                tokio::spawn(async move { bridges.audit(vec![note]).await });
                Vec::new()
            }
            Effect::Token(effect) => self.token(effect),
            Effect::RestartTask(name) => {
                self.supervisor.restart(&name);
                Vec::new()
            }
            Effect::Reload(occasion) => self.reload(occasion),
            Effect::KeepRejections(rejections) => self.keep(rejections),
        }
    }

    /// Hands a request about panes to their task.
    fn pane(&self, client: ClientId, id: RequestId, identity: Identity, request: PaneRequest) -> Vec<Input> {
        let Some(outbox) = self.clients.get(&client) else { return Vec::new() };
        let asked = self.panes.ask(client, id, identity, outbox.panes.clone(), request);
        let refused = |refusal| Input::Answered { client, id, reply: Err(refusal), aftermath: None };
        asked.err().map(refused).into_iter().collect()
    }

    /// Tells a client whether it is in, and forgets one that is not.
    fn admit(&mut self, client: ClientId, result: Result<Identity, TurnedAway>) {
        if result.is_err() {
            // Its outbox goes with it; the channel below outlives that.
            if let Some(admission) = self.clients.remove(&client).and_then(|outbox| outbox.admission) {
                // Whoever asked may have gone.
                let _ = admission.send(result);
            }
        } else if let Some(admission) = self.clients.get_mut(&client).and_then(|outbox| outbox.admission.take()) {
            // The same: then it leaves by itself.
            let _ = admission.send(result);
        }
    }

    fn send(&mut self, client: ClientId, update: Update) -> Option<Input> {
        let outbox = self.clients.get_mut(&client)?;
        let is_answer = matches!(update, Update::Reply { .. });
        let is_snapshot = matches!(update, Update::Snapshot(_));
        match outbox.sender.try_send(update) {
            Ok(()) => {
                outbox.lagging &= !is_snapshot;
                None
            }
            // An answer must not be lost: a client with no room for one has stopped listening.
            Err(mpsc::error::TrySendError::Full(_)) if is_answer => Some(Input::Left(client)),
            Err(mpsc::error::TrySendError::Full(_)) => {
                outbox.lagging = true;
                Some(Input::Lagging(client))
            }
            Err(mpsc::error::TrySendError::Closed(_)) => Some(Input::Left(client)),
        }
    }

    fn publish(&mut self, notice: &Notice) -> Vec<Input> {
        let following: Vec<ClientId> =
            self.clients.iter().filter(|(_, outbox)| outbox.follow && !outbox.lagging).map(|(id, _)| *id).collect();
        following.into_iter().filter_map(|client| self.send(client, Update::Notice(notice.clone()))).collect()
    }
}

fn store_figures(store: &Store) -> StoreFigures {
    let times = store.commit_times();
    StoreFigures {
        recorded: store.recorded(),
        waiting: store.waiting(),
        commits: times.buckets(),
        committing: times.total(),
    }
}
