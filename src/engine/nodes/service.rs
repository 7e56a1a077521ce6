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
use crate::model::{BootId, EpochId, Head, MessageRow, NodeName, Origin, SharedKind};
use crate::net::{NodeKeys, is_signed_head};
use crate::protocol::Refusal;
use crate::store::{Publication, SharedLog, Store, StoreError};

use super::super::Handle;
use super::super::bridge::Bridges;
use super::super::checks::Checks;
use super::super::projector::blocking;
use super::super::supervisor::TaskSpec;
use super::desk::Desk;
use super::publishing::entry;
use super::recall::recall;
use super::reloading::Named;
use super::ways::Ways;

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
    pub(in super::super) fn me(&self) -> &NodeName {
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

    /// The life of this node's own log.
    pub(super) fn life(&self) -> EpochId {
        self.with(|desk, _| desk.own.origin.epoch)
    }

    /// Writes to this node's own log. Answers whether it did: not when another life of it has begun than was meant.
    pub(super) async fn append(&self, publication: Publication, now: Timestamp) -> Result<bool, StoreError> {
        let (life, clock) = (publication.life, self.with(|desk, _| desk.clock.tick(now)));
        let Some(written) = self.store.append_shared(publication, clock, now).await? else { return Ok(false) };
        self.with(|desk, now| desk.wrote(life, &written, now));
        Ok(true)
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
        let publication = Publication { life: self.life(), entries: entries.collect(), up_to: None };
        let written = self.append(publication, Timestamp::now()).await;
        if let Err(error) = &written {
            tracing::error!(%error, "that this node told of an incident could not be written down; it is tried again");
        }
        // Also when another life of the log has just begun.
        if !matches!(written, Ok(true)) {
            self.with(|desk, now| desk.incidents.again(now.mono));
        }
    }

    /// Begins another life of this node's log, if `told` says, with this node's own signature, that it once wrote more than
    /// it knows, or something else: its database was restored from a backup.
    pub(super) async fn may_begin_anew(&self, told: &Head) {
        if let Err(error) = self.try_begin_anew(told).await {
            tracing::error!(%error, "this node's log may have to begin anew and cannot");
        }
    }

    async fn try_begin_anew(&self, told: &Head) -> Result<(), StoreError> {
        let (own, previous) = self.judge(told).await?;
        if previous.is_none() && own.origin.epoch == self.life() {
            return Ok(());
        }
        // Of several who say so at once only the first begins one: the others' word is about the life before.
        let _alone = self.registry.lock().await;
        let (own, previous) = self.judge(told).await?;
        let log = match previous {
            None => own,
            Some(previous) => {
                let epoch = epoch_after(Some(previous.max(own.origin.epoch)), Timestamp::now(), rand::random());
                tracing::warn!(%epoch, "others hold more of this node's log than it does; it begins anew");
                self.store.begin_epoch(Origin { node: self.me.clone(), epoch }).await?
            }
        };
        // Also when whoever began it was stopped before it could say so.
        if self.with(|desk, _| desk.lives(log)) {
            self.anew.notify_one();
        }
        Ok(())
    }

    /// This node's own log, and after which life another one has to begin, if `told` says so. Judged by the store alone: an
    /// entry is given to others as soon as it is there, and the desk hears of it a little later.
    async fn judge(&self, told: &Head) -> Result<(SharedLog, Option<EpochId>), StoreError> {
        let (store, seq) = (Arc::clone(&self.store), told.seq);
        let (own, held) = blocking(move || store.own_at(seq)).await?;
        let previous = begins_anew(&own, told, held, |head| self.keys.is_own(&head.key) && is_signed_head(head));
        Ok((own, previous))
    }
}
