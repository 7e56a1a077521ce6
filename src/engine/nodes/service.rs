//! The way to the nodes of a running engine.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use jiff::Timestamp;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::config::FederationConfig;
use crate::federation::{EventLink, Feed, Me, MemberInput, Membership, Now, begins_anew, epoch_after};
use crate::ingress::Swap;
use crate::model::{BootId, Head, Hlc, MessageRow, NodeName, Origin, SharedEvent, SharedKind};
use crate::net::{NodeKeys, is_signed_head};
use crate::protocol::Refusal;
use crate::store::{Publication, SharedState, Store, StoreError};

use super::super::Handle;
use super::super::bridge::Bridges;
use super::super::checks::Checks;
use super::super::projector::blocking;
use super::super::supervisor::TaskSpec;
use super::desk::{Desk, Held, LATER, Said};
use super::publishing::entry;
use super::reloading::Named;
use super::ways::Ways;

/// Messages of another node that are read from the store at the start.
const MESSAGES: usize = 100;
/// Lines of the logs that are read from the store at the start.
const LINES: usize = 200;

/// The nodes of an engine. Shared by its tasks and whoever asks for something.
pub(in super::super) struct Nodes {
    pub(super) config: Swap<FederationConfig>,
    /// The nodes that the configuration names.
    pub(super) named: Swap<Named>,
    pub(super) me: NodeName,
    pub(super) store: Arc<Store>,
    pub(super) handle: Handle,
    /// Where the audit log is written.
    pub(super) bridges: Arc<Bridges>,
    /// What is looked at, also by others.
    pub(super) checks: Arc<Checks>,
    pub(super) keys: Arc<NodeKeys>,
    feed: Feed,
    /// How others are asked, and who may ask here.
    pub(super) ways: Ways,
    desk: Mutex<Desk>,
    pub(super) began: Instant,
    /// Rung when the membership wants something done, or screens have something to hear of.
    pub(super) stirred: Notify,
    /// Rung when logs may be to be looked at.
    pub(super) logs: Notify,
    /// Rung when a node wants this one to fetch what it asks.
    pub(super) asking: Notify,
    /// Rung when something else is to be shared than before.
    pub(super) reshare: Notify,
    /// Rung when another life of the own log has begun.
    pub(super) anew: Notify,
    /// Held while what is known of nodes is written and taken over.
    pub(super) registry: tokio::sync::Mutex<()>,
}

impl std::fmt::Debug for Nodes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Nodes").field("me", &self.me).finish_non_exhaustive()
    }
}

/// What the nodes of an engine stand on.
pub(in super::super) struct Ground {
    pub config: FederationConfig,
    /// The nodes that the configuration names.
    pub named: Named,
    pub store: Arc<Store>,
    pub handle: Handle,
    pub bridges: Arc<Bridges>,
    pub checks: Arc<Checks>,
    pub keys: Arc<NodeKeys>,
    pub ways: Ways,
}

impl Nodes {
    /// The nodes that `me` knows, as the store knows them. Nobody beats or asks before its [tasks](Self::tasks) run.
    pub(in super::super) async fn new(me: NodeName, ground: Ground) -> Result<Arc<Self>, StoreError> {
        let Ground { config, named, store, handle, bridges, checks, keys, ways } = ground;
        let now = Timestamp::now();
        let own = store.own_log(me.clone(), epoch_after(None, now, rand::random())).await?;
        let began = Instant::now();
        let run = Me {
            name: me.clone(),
            boot: BootId::from_uuid(Uuid::now_v7()),
            started: now,
            program: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let members = Membership::new(run, rand::random(), Now { mono: began.elapsed(), wall: now });
        let mut desk = Desk::new(me.clone(), members, own);
        let reading = Arc::clone(&store);
        desk = blocking(move || recall(&reading, desk, Now { mono: began.elapsed(), wall: now })).await?;
        let signing = Arc::clone(&keys);
        let sign = Arc::new(move |origin: &Origin, seq, hash: &_| signing.head(origin.clone(), seq, *hash));
        let feed = Feed { store: Arc::clone(&store), me: me.clone(), relay: config.relay, sign };
        let this = Self {
            config: Swap::new(config),
            named: Swap::new(Named::default()),
            me,
            store,
            handle,
            bridges,
            checks,
            keys,
            feed,
            ways,
            desk: Mutex::new(desk),
            began,
            stirred: Notify::new(),
            logs: Notify::new(),
            asking: Notify::new(),
            reshare: Notify::new(),
            anew: Notify::new(),
            registry: tokio::sync::Mutex::default(),
        };
        if this.shares().contains(&SharedKind::Message) {
            // From when on is settled before the first door opens, or what comes until the task runs would be left out.
            this.store.published_up_to().await?;
        }
        this.take_named(named).await?;
        Ok(Arc::new(this))
    }

    /// The tasks that keep this node among the others.
    pub(in super::super) fn tasks(this: &Arc<Self>) -> Vec<TaskSpec> {
        let listener = Self::listening(this);
        [Self::membership(this), Self::syncing(this), Self::publishing(this), Self::fetching(this)]
            .into_iter()
            .chain(listener)
            .collect()
    }

    /// This node.
    pub(super) fn me(&self) -> &NodeName {
        &self.me
    }

    /// How others reach this node, when they can.
    pub(super) fn url(&self) -> Option<String> {
        self.config.get().reached_at(self.ways.has_tls())
    }

    fn now(&self) -> Now {
        Now { mono: self.began.elapsed(), wall: Timestamp::now() }
    }

    /// Does something to what is known. Whoever has to act on it is rung.
    pub(super) fn with<T>(&self, act: impl FnOnce(&mut Desk, Now) -> T) -> T {
        let mut desk = self.desk.lock().unwrap_or_else(PoisonError::into_inner);
        let (dirty, todo) = (desk.dirty, desk.todo.len());
        // Read under the lock, so that what is told is told in the order of its time.
        let result = act(&mut desk, self.now());
        let stirred = (desk.dirty && !dirty) || desk.todo.len() > todo;
        drop(desk);
        if stirred {
            self.stirred.notify_one();
        }
        result
    }

    /// Tells the membership something.
    pub(super) fn tell(&self, input: MemberInput) {
        self.with(|desk, now| desk.tell(input, now));
    }

    /// The link to a node that is reached directly, or fetches what it is asked.
    pub(super) fn link_of(&self, node: &NodeName) -> Option<Arc<dyn EventLink>> {
        self.with(|desk, _| desk.links.get(node).cloned())
    }

    /// The same for an order of an operator, with why not.
    pub(super) fn link_to(&self, node: &NodeName) -> Result<Arc<dyn EventLink>, Refusal> {
        let known = self.known(node)?;
        self.link_of(node).ok_or_else(|| {
            Refusal::Failed(match known.via {
                Some(via) => format!("{node} is reached over {via} only; act on it from there"),
                None => format!("there is no way to {node}; the log says why"),
            })
        })
    }

    /// What this node shares.
    pub(super) fn shares(&self) -> BTreeSet<SharedKind> {
        self.config.get().share.clone()
    }

    /// What gives pages of the logs there are.
    pub(super) fn feed(&self) -> Feed {
        Feed { relay: self.config.get().relay, ..self.feed.clone() }
    }

    /// Whether this message is shared.
    pub(super) fn shares_message(&self, row: &MessageRow) -> bool {
        self.config.get().shares_message(row)
    }

    /// This node's hybrid clock, now.
    pub(super) fn tick(&self, now: Timestamp) -> Hlc {
        self.with(|desk, _| desk.clock.tick(now))
    }

    /// This node wrote these entries to its own log.
    pub(super) fn wrote(&self, events: &[SharedEvent]) {
        self.with(|desk, now| desk.wrote(events, now));
    }

    /// Says that somebody is told of what this node has to tell of. There is nobody to send anything yet: the entry in the
    /// log is how others know, and how screens show who did.
    pub(super) async fn tell_of_incidents(&self) {
        let due = self.with(|desk, now| desk.incidents.take_due(now.mono));
        if due.is_empty() {
            return;
        }
        let entries = due.into_iter().filter_map(|(subject, told)| {
            tracing::warn!(node = %told.node, subject, "an incident: this node tells of it");
            let body = serde_json::value::to_raw_value(&told).ok()?;
            Some(entry(super::publisher::Draft { kind: SharedKind::Told, subject, body }))
        });
        let (now, publication) = (Timestamp::now(), Publication { entries: entries.collect(), up_to: None });
        match self.store.append_shared(publication, self.tick(now), now).await {
            Ok(written) => self.wrote(&written),
            Err(error) => {
                tracing::error!(%error, "that this node told of an incident could not be written down; it is tried again");
                self.with(|desk, now| desk.incidents.again(now.mono));
            }
        }
    }

    /// Begins another life of this node's log, if `told` says, with this node's own signature, that it once wrote more than
    /// it knows, or something else: its database was restored from a backup.
    pub(super) async fn may_begin_anew(&self, told: &Head) {
        let own = self.with(|desk, _| desk.own.clone());
        let (store, seq) = (Arc::clone(&self.store), told.seq);
        let held = blocking(move || store.own_hash(seq)).await.unwrap_or_default();
        let mine = self.keys.public();
        let is_own = |head: &Head| mine.contains(&head.key) && is_signed_head(head);
        let Some(previous) = begins_anew(&own, told, held, is_own) else { return };
        // Of several who say so at once only the first begins one: the others' word is about the life before.
        let _alone = self.registry.lock().await;
        if self.with(|desk, _| desk.own.origin.epoch) != own.origin.epoch {
            return;
        }
        let epoch = epoch_after(Some(previous.max(own.origin.epoch)), Timestamp::now(), rand::random());
        match self.store.begin_epoch(Origin { node: self.me.clone(), epoch }).await {
            Ok(log) => {
                tracing::warn!(%epoch, "others hold more of this node's log than it does; it begins anew");
                self.with(|desk, _| {
                    desk.own = log;
                    desk.dirty = true;
                });
                self.anew.notify_one();
            }
            Err(error) => tracing::error!(%error, "this node's log has to begin anew and cannot"),
        }
    }
}

/// Fills `desk` with what the store knows of other nodes' logs, and with what this node may still have to tell of.
fn recall(store: &Store, mut desk: Desk, now: Now) -> Result<Desk, StoreError> {
    let (mut told, mut wrong) = (Vec::new(), Vec::new());
    for log in store.shared_logs()? {
        let node = log.origin.node.clone();
        desk.clock_after(log.hlc);
        for state in store.shared_states(&node, log.own)? {
            if state.kind == SharedKind::Told {
                told.push((node.clone(), state));
                continue;
            }
            if !log.own {
                desk.remotes.put(&node, state.kind, &state.subject, state.body.get());
            }
            if state.kind == SharedKind::Incident {
                wrong.push((node.clone(), state));
            }
        }
        if log.own {
            continue;
        }
        for event in store.shared_messages(&node, MESSAGES)? {
            desk.remotes.put(&node, event.kind, &event.subject, event.body.get());
        }
        desk.held.insert(node, Held::from(&log));
    }
    // Who told of an incident stands in the log of who told; by now the incidents are all there.
    for (node, state) in told {
        desk.remotes.put(&node, state.kind, &state.subject, state.body.get());
        desk.heed(&node, &said(&state), LATER, now);
    }
    // It may have been about to tell when it went down.
    for (node, state) in wrong {
        desk.heed(&node, &said(&state), LATER, now);
    }
    for row in store.shared_newest(LINES)?.into_iter().rev() {
        desk.remotes.line(&super::remotes::line(&row.node, &row.event));
    }
    desk.remotes.settle();
    Ok(desk)
}

fn said(state: &SharedState) -> Said<'_> {
    Said { kind: state.kind, subject: &state.subject, body: state.body.get(), at: state.hlc.at() }
}
