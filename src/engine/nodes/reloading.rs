//! Another configuration: the nodes it names, what is shared, where is listened.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::config::{Config, ConfigError, FederationConfig};
use crate::model::{AuditEntry, AuditKind, AuditNote, NodeKey, NodeName, PinnedKeys, Trust};
use crate::protocol::BridgeNotice;
use crate::store::{KnownNode, StoreError};

use super::super::doors::listener_task;
use super::service::Nodes;
use super::ways::Listening;

/// The nodes that a configuration names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in super::super) struct Named(BTreeMap<NodeName, NamedNode>);

/// What it says of one.
#[derive(Debug, Clone, PartialEq, Eq)]
struct NamedNode {
    url: Option<String>,
    via: Option<NodeName>,
    trust: Trust,
    key: NodeKey,
}

impl Named {
    /// Reads their keys.
    ///
    /// # Errors
    /// The first key that cannot be read, with its place in the file.
    pub(in super::super) fn of(config: &Config) -> Result<Self, Box<ConfigError>> {
        let keys = config.node_keys()?;
        let nodes = config.federation.nodes.iter().filter_map(|(name, typed)| {
            let key = *keys.get(name)?;
            let node = NamedNode { url: typed.url.clone(), via: typed.via.clone(), trust: typed.trust, key };
            Some((name.clone(), node))
        });
        Ok(Self(nodes.collect()))
    }

    /// Whether it names `node`.
    pub(super) fn contains(&self, node: &NodeName) -> bool {
        self.0.contains_key(node)
    }
}

/// What a configuration says of nodes, read and ready to be taken.
pub(in super::super) struct NodesReady {
    config: FederationConfig,
    named: Named,
    listening: Listening,
}

impl Nodes {
    /// Reads what `config` says.
    ///
    /// # Errors
    /// When a key or the certificate of the listener cannot be used.
    pub(in super::super) fn ready(&self, config: &Config) -> Result<NodesReady, Box<ConfigError>> {
        Ok(NodesReady {
            config: config.federation.clone(),
            named: Named::of(config)?,
            listening: Listening::of(config, Some(&self.ways.listening.get()))?,
        })
    }

    /// Knows the nodes that `ready` names; it is the part that can fail.
    ///
    /// # Errors
    /// When the store cannot write. What it says is taken the next time.
    pub(in super::super) async fn take_nodes(&self, ready: &NodesReady) -> Result<(), StoreError> {
        if *self.named.get() == ready.named { Ok(()) } else { self.take_named(ready.named.clone()).await }
    }

    /// Puts the rest of `ready` in force. A listener that stays as it is is not touched, and neither is a task.
    pub(in super::super) fn replace(this: &Arc<Self>, ready: NodesReady) {
        let NodesReady { config, listening, .. } = ready;
        let before = this.config.get();
        let shares_otherwise = (&before.share, &before.messages_when) != (&config.share, &config.messages_when);
        this.config.set(config);
        if shares_otherwise {
            this.reshare.notify_one();
        }
        let listened = this.ways.listening.get();
        if !listened.is_same(&listening) {
            if let Some(address) = listened.address {
                this.handle.supervisor.stop(&listener_task(address));
            }
            this.ways.listening.set(listening);
            if let Some(listener) = Self::listening(this) {
                this.handle.supervise(listener);
            }
        }
        this.with(|desk, _| desk.dirty = true);
    }

    /// Knows the nodes that the configuration names as it says, and no others that it once named. What it says as before
    /// is left as operators have made it since.
    pub(super) async fn take_named(&self, named: Named) -> Result<(), StoreError> {
        let _held = self.registry.lock().await;
        let (now, before) = (Timestamp::now(), self.named.get());
        let known = self.store.nodes()?;
        let mut written: Vec<AuditEntry> = Vec::new();
        for gone in known.iter().filter(|node| node.configured && !named.contains(&node.name)) {
            let note = AuditNote::new(now, None, AuditKind::Changed, &gone.name, "no longer in the configuration");
            written.extend(self.store.remove_node(gone.name.clone(), now, vec![note]).await?);
        }
        for (name, typed) in named.0.iter().filter(|(name, typed)| before.0.get(*name) != Some(*typed)) {
            let before = known.iter().find(|node| node.name == *name);
            let same_key = before.filter(|before| before.keys.iter().any(|pinned| pinned.key == typed.key));
            let node = KnownNode {
                name: name.clone(),
                url: typed.url.clone(),
                pin: same_key.and_then(|before| before.pin),
                via: typed.via.clone(),
                trust: typed.trust,
                configured: true,
                added: before.map_or(now, |before| before.added),
                keys: same_key.map_or_else(|| PinnedKeys::of(typed.key, now).0, |before| before.keys.clone()),
                quarantine: before.and_then(|before| before.quarantine.clone()),
            };
            if before != Some(&node) {
                let note = AuditNote::new(now, None, AuditKind::Changed, name, "known by the configuration");
                written.extend(self.store.keep_node(node, vec![note]).await?);
            }
        }
        self.refresh().await?;
        self.named.set(named);
        if !written.is_empty() {
            self.bridges.tell_all(BridgeNotice::Audited(written)).await;
        }
        Ok(())
    }
}
