//! Who is known and what each may do here: kept in the store first, taken over then, told to all who need it.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::federation::EventLink;
use crate::model::{AuditEntry, AuditKind, AuditNote, NodeKey, NodeName, OperatorName, Trust};
use crate::protocol::{Beat, BridgeNotice, Refusal};
use crate::store::{KnownNode, Quarantine, StoreError, Vouched};

use super::super::answers::failed;
use super::super::projector::blocking;
use super::service::Nodes;

impl Nodes {
    /// Takes over what the store knows of nodes.
    pub(super) async fn refresh(&self) -> Result<(), StoreError> {
        let store = Arc::clone(&self.store);
        let known = blocking(move || store.nodes()).await?;
        let links: BTreeMap<NodeName, Arc<dyn EventLink>> =
            known.iter().filter_map(|node| Some((node.name.clone(), self.ways.link(node)?))).collect();
        self.ways.admit(&known);
        let gone = self.with(|desk, now| desk.replace(known, links, now));
        for name in gone {
            self.ways.forget(&name);
        }
        self.logs.notify_one();
        Ok(())
    }

    /// Writes a change of the registry down with `write`, and takes it over.
    pub(super) async fn change<T>(
        &self,
        write: impl Future<Output = Result<(T, Vec<AuditEntry>), StoreError>>,
    ) -> Result<T, Refusal> {
        let _held = self.registry.lock().await;
        let (value, entries) = write.await.map_err(failed)?;
        self.refresh().await.map_err(failed)?;
        if !entries.is_empty() {
            self.bridges.tell_all(BridgeNotice::Audited(entries)).await;
        }
        Ok(value)
    }

    /// Takes over nothing of `node` from now on, until an operator decides.
    pub(super) async fn quarantine(&self, node: NodeName, why: String) {
        tracing::error!(%node, why, "node is in quarantine: nothing of it is taken over");
        let now = Timestamp::now();
        let note = AuditNote::new(now, None, AuditKind::Refused, &node, format!("in quarantine: {why}"));
        let quarantine = Quarantine { since: now, why };
        let written = async { Ok(((), self.store.quarantine_node(node.clone(), quarantine, vec![note]).await?)) };
        if let Err(error) = self.change(written).await {
            tracing::error!(%node, %error, "the quarantine of a node could not be written down");
        }
    }

    /// Takes in a heartbeat of `from`, or its answer to ours: logs, other nodes, keys.
    pub(super) async fn heard(&self, from: &NodeName, beat: &Beat) {
        let hearsay = self.with(|desk, now| desk.hear(from, beat, now));
        self.logs.notify_one();
        if let Some(why) = hearsay.untrue {
            return self.quarantine(from.clone(), why).await;
        }
        for node in hearsay.rekeyed {
            let (name, what) = (node.name.clone(), format!("it has another key, by the word of {from}"));
            let note = AuditNote::new(Timestamp::now(), None, AuditKind::Changed, &name, what);
            if let Err(error) = self.change(async { Ok(((), self.store.keep_node(node, vec![note]).await?)) }).await {
                tracing::warn!(node = %name, %error, "the other key of a node could not be kept");
            }
        }
        if hearsay.vouched.is_empty() {
            return;
        }
        let vouching = async {
            let mut contradicted = None;
            for node in hearsay.vouched {
                let name = node.name.clone();
                match self.store.vouch(node).await? {
                    Vouched::Pinned => {
                        tracing::info!(node = %name, by = %from, "node is known by the word of another one");
                    }
                    Vouched::Same => {}
                    Vouched::Removed => {
                        self.with(|desk, _| desk.removed.insert(name));
                    }
                    Vouched::Contradicted => contradicted = Some(name),
                }
            }
            Ok((contradicted, Vec::new()))
        };
        match self.change(vouching).await {
            Ok(None) => {}
            Ok(Some(name)) => {
                let why = format!("it vouches for another key of {name} than is pinned here");
                self.quarantine(from.clone(), why).await;
            }
            Err(error) => tracing::warn!(%error, "the word of one node for another could not be kept"),
        }
    }

    /// Lets `name` do more or less here, and ends its quarantine.
    pub(super) async fn trust(&self, by: &OperatorName, name: NodeName, trust: Trust) -> Result<(), Refusal> {
        let mut node = self.known(&name)?;
        let was = match &node.quarantine {
            Some(quarantine) => format!("in quarantine ({})", quarantine.why),
            None => format!("`{}`", node.trust),
        };
        (node.trust, node.quarantine) = (trust, None);
        let what = format!("it has the trust `{trust}` here; it was {was}");
        let note = AuditNote::new(Timestamp::now(), Some(by), AuditKind::Changed, &name, what);
        self.change(async { Ok(((), self.store.keep_node(node, vec![note]).await?)) }).await
    }

    /// Forgets `name`.
    pub(super) async fn remove(&self, by: Option<&OperatorName>, name: NodeName) -> Result<(), Refusal> {
        self.known(&name)?;
        let now = Timestamp::now();
        let note = AuditNote::new(now, by, AuditKind::Changed, &name, "the node is removed");
        self.change(async { Ok(((), self.store.remove_node(name, now, vec![note]).await?)) }).await
    }

    /// What is known of `name`.
    pub(super) fn known(&self, name: &NodeName) -> Result<KnownNode, Refusal> {
        let found = self.with(|desk, _| desk.known.get(name).cloned());
        found.ok_or_else(|| Refusal::Unknown(format!("no node is called {name}; `aurora node list` names them")))
    }

    /// The keys that prove what `name` once signed.
    pub(super) fn keys_of(&self, name: &NodeName) -> Vec<NodeKey> {
        self.with(|desk, _| {
            desk.known.get(name).map(|node| node.keys.iter().map(|key| key.key).collect()).unwrap_or_default()
        })
    }

    /// What `name` may do here; `None` when it is not known, or in quarantine.
    pub(super) fn trust_of(&self, name: &NodeName) -> Option<Trust> {
        self.with(|desk, _| desk.known.get(name).filter(|node| node.quarantine.is_none()).map(|node| node.trust))
    }
}
