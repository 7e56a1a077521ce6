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
use super::hearsay::{Word, trusted};
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
    /// Nobody else changes it meanwhile: what `write` reads of it first is so until it has written.
    pub(super) async fn change<T>(
        &self,
        write: impl Future<Output = Result<(T, Vec<AuditEntry>), Refusal>>,
    ) -> Result<T, Refusal> {
        let _held = self.registry.lock().await;
        let (value, entries) = write.await?;
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
        let written =
            async { Ok(((), self.store.quarantine_node(node.clone(), quarantine, vec![note]).await.map_err(failed)?)) };
        if let Err(error) = self.change(written).await {
            tracing::error!(%node, %error, "the quarantine of a node could not be written down");
        }
    }

    /// Takes in a heartbeat of `from`, or its answer to ours: logs, other nodes, keys. What is not to be believed of it is
    /// left out.
    pub(super) async fn heard(&self, from: &NodeName, beat: &mut Beat) {
        let is_kept = self.with(|desk, now| desk.hear(from, beat, now));
        self.logs.notify_one();
        if !is_kept {
            return;
        }
        let keeping = async {
            // Judged again: now nobody else changes what is known.
            let (words, now) = self.with(|desk, now| (desk.words(from, beat, now), now.wall));
            let mut entries = Vec::new();
            for (seen, word) in words {
                let name = seen.node;
                match word {
                    Word::New(node) => match self.store.vouch(node).await.map_err(failed)? {
                        Vouched::Pinned => {
                            tracing::info!(node = %name, by = %from, "node is known by the word of another one");
                        }
                        Vouched::Known => {}
                        Vouched::Removed => {
                            self.with(|desk, _| desk.removed.insert(name));
                        }
                    },
                    Word::Rekeyed(keys) => {
                        let what = format!("it has another key, by the word of {from}");
                        let note = AuditNote::new(now, None, AuditKind::Changed, &name, what);
                        entries.extend(self.store.keep_keys(name, keys, vec![note]).await.map_err(failed)?);
                    }
                    Word::Same | Word::Disputed | Word::Nothing => {}
                }
            }
            Ok(((), entries))
        };
        if let Err(error) = self.change(keeping).await {
            tracing::warn!(by = %from, %error, "the word of one node for others could not be kept");
        }
    }

    /// Lets `name` do more or less here, and ends its quarantine.
    pub(super) async fn trust(&self, by: &OperatorName, name: NodeName, trust: Trust) -> Result<(), Refusal> {
        self.change(async {
            let node = self.known(&name)?;
            if node.configured && node.trust != trust {
                return Err(Refusal::Failed(format!(
                    "{name} stands in the configuration with the trust `{}`; change its [[nodes]] there",
                    node.trust
                )));
            }
            let was = match &node.quarantine {
                Some(quarantine) => format!("in quarantine ({})", quarantine.why),
                None => format!("`{}`", node.trust),
            };
            let what = format!("it has the trust `{trust}` here; it was {was}");
            let note = AuditNote::new(Timestamp::now(), Some(by), AuditKind::Changed, &name, what);
            Ok(((), self.store.trust_node(name, trust, vec![note]).await.map_err(failed)?))
        })
        .await
    }

    /// Forgets `name`.
    pub(super) async fn remove(&self, by: Option<&OperatorName>, name: NodeName) -> Result<(), Refusal> {
        self.change(async {
            self.known(&name)?;
            let now = Timestamp::now();
            let what = "the node is removed, and who is known by its word alone";
            let note = AuditNote::new(now, by, AuditKind::Changed, &name, what);
            Ok(((), self.store.remove_node(name, now, vec![note]).await.map_err(failed)?))
        })
        .await
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

    /// What `name` may do here; `None` when it is not known, or nothing of it counts.
    pub(super) fn trust_of(&self, name: &NodeName) -> Option<Trust> {
        self.with(|desk, _| desk.known.get(name).and_then(|node| trusted(&desk.known, node)))
    }
}
