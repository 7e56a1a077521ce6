//! What clients ask about nodes, answered beside the loop.

use std::sync::Arc;

use jiff::Timestamp;

use crate::config::is_node_url;
use crate::federation::{JoinFault, JoinToken, Joining, fits, join_at, kept_url};
use crate::model::{
    AuditKind, AuditNote, Identity, Invitation, NodeKey, NodeName, OperatorName, PinnedKey, PinnedKeys, Trust,
};
use crate::protocol::{Join, JoinAnswer, NodeReply, NodeRequest, Refusal};
use crate::store::KnownNode;

use super::service::Nodes;

type Answer = Result<NodeReply, Refusal>;

impl Nodes {
    /// Answers `request` of `identity`, who may ask it.
    pub(in super::super) async fn answer(self: Arc<Self>, identity: Identity, request: NodeRequest) -> Answer {
        let by = identity.operator.clone();
        match request {
            NodeRequest::List => Ok(NodeReply::Nodes(Box::new(self.panel()))),
            NodeRequest::Invite { trust } => self.invite(&by, trust).await.map(NodeReply::Invited),
            NodeRequest::Join { token, trust } => self.join(&by, &token, trust).await,
            NodeRequest::Add { name, url, key, trust } => self.add(&by, name, url, key, trust).await,
            NodeRequest::Trust { name, trust } => self.trust(&by, name, trust).await.map(|()| NodeReply::Done),
            NodeRequest::Remove(name) => {
                if self.config.nodes.contains_key(&name) {
                    return Err(Refusal::Failed(format!(
                        "{name} stands in the configuration; take its [[nodes]] out there and start again"
                    )));
                }
                self.remove(Some(&by), name).await.map(|()| NodeReply::Done)
            }
            NodeRequest::Rotate => self.rotate(&by).await,
            NodeRequest::On { node, order } => self.act_on(identity, node, order).await,
        }
    }

    async fn invite(&self, by: &OperatorName, trust: Trust) -> Result<Invitation, Refusal> {
        let Some(url) = self.url() else {
            return Err(Refusal::Failed(
                "others cannot reach this node: it has no listener (listen.federation) and no federation.url"
                    .to_owned(),
            ));
        };
        let now = Timestamp::now();
        let key = self.keys.key();
        let token = JoinToken::new(self.me.clone(), url, key, self.ways.pin(), now);
        let what = format!("a node is invited with the trust `{trust}`");
        let note = AuditNote::new(now, Some(by), AuditKind::Changed, &self.me, what);
        let hash = *token.public().as_bytes();
        self.change(async { Ok(((), self.store.invite(hash, trust, now, token.expires, vec![note]).await?)) }).await?;
        Ok(Invitation { token: token.to_string(), fingerprint: key.fingerprint(), trust, expires: token.expires })
    }

    async fn join(&self, by: &OperatorName, token: &str, trust: Trust) -> Answer {
        let fault = |fault: JoinFault| Refusal::Failed(fault.to_string());
        let token: JoinToken = token.parse().map_err(fault)?;
        let now = Timestamp::now();
        let mut join = token.wish(&self.me, self.keys.key(), self.url(), now).map_err(fault)?;
        join.pin = self.ways.pin();
        self.has_room(&token.node, &token.key, now).map_err(fault)?;
        let answer = join_at(&token, &join, &self.me, Arc::clone(&self.keys)).await;
        let answer = answer.map_err(|error| Refusal::Failed(format!("{}: {error}", token.node)))?;
        let node = KnownNode {
            name: token.node.clone(),
            url: Some(token.url.clone()),
            pin: token.pin,
            via: None,
            trust,
            configured: false,
            added: now,
            keys: PinnedKeys::of(token.key, now).0,
            quarantine: None,
        };
        let what = format!("joined; it has the trust `{trust}` here, and this node `{}` there", answer.trust);
        let note = AuditNote::new(now, Some(by), AuditKind::Changed, &node.name, what);
        self.change(async { Ok(((), self.store.keep_node(node, vec![note]).await?)) }).await?;
        let (fingerprint, own) = (token.key.fingerprint(), self.keys.key().fingerprint());
        Ok(NodeReply::Joined { name: token.node, fingerprint, own })
    }

    async fn add(&self, by: &OperatorName, name: NodeName, url: String, key: NodeKey, trust: Trust) -> Answer {
        if !is_node_url(&url) {
            return Err(Refusal::Failed(format!(
                "{url:?} is no address of a node; write it as https://hub-2.example.org:9292, without a path"
            )));
        }
        let now = Timestamp::now();
        self.has_room(&name, &key, now).map_err(|fault| Refusal::Failed(fault.to_string()))?;
        let known = self.known(&name).ok();
        let node = KnownNode {
            name: name.clone(),
            url: Some(url.trim_end_matches('/').to_owned()),
            pin: known.as_ref().and_then(|known| known.pin),
            via: None,
            trust,
            configured: false,
            added: known.as_ref().map_or(now, |known| known.added),
            keys: known.map_or_else(|| PinnedKeys::of(key, now).0, |known| known.keys),
            quarantine: None,
        };
        let note = AuditNote::new(now, Some(by), AuditKind::Changed, &name, format!("added with the trust `{trust}`"));
        self.change(async { Ok(((), self.store.keep_node(node, vec![note]).await?)) }).await?;
        Ok(NodeReply::Done)
    }

    /// Whether a node of this name and key can be known here.
    fn has_room(&self, name: &NodeName, key: &NodeKey, now: Timestamp) -> Result<(), JoinFault> {
        let known = self.pinned();
        if *name == self.me {
            return Err(JoinFault::NameTaken(name.clone()));
        }
        for (other, keys) in &known {
            let is_its = keys.counting(now).contains(key);
            match (other == name, is_its) {
                (true, false) => return Err(JoinFault::NameTaken(name.clone())),
                (false, true) => return Err(JoinFault::KeyTaken(name.clone(), other.clone())),
                _ => {}
            }
        }
        Ok(())
    }

    fn pinned(&self) -> Vec<(NodeName, PinnedKeys)> {
        self.with(|desk, _| {
            desk.known.values().map(|node| (node.name.clone(), PinnedKeys(node.keys.clone()))).collect()
        })
    }

    /// A node wants to join that has proven its key and that of an invitation.
    pub(super) async fn joined(&self, join: Join) -> Result<JoinAnswer, String> {
        let now = Timestamp::now();
        let pinned = self.pinned();
        let known = pinned.iter().map(|(name, keys)| (name, keys));
        let joining = fits(&join, &self.me, self.keys.key(), known, now).map_err(|fault| fault.to_string())?;
        let answer = |trust| JoinAnswer { node: self.me.clone(), key: self.keys.key(), trust };
        if let (Joining::Known, Some(trust)) = (joining, self.trust_of(&join.node)) {
            // Who is known by a relay's word is invited in earnest now.
            if self.known(&join.node).is_ok_and(|node| node.via.is_none()) {
                return Ok(answer(trust));
            }
        }
        let node = KnownNode {
            name: join.node.clone(),
            url: kept_url(&join),
            pin: join.pin,
            via: None,
            trust: Trust::default(),
            configured: false,
            added: now,
            keys: vec![PinnedKey { key: join.key, since: now, until: None }],
            quarantine: None,
        };
        let what = format!("joined by an invitation; its fingerprint is {}", join.key.fingerprint());
        let note = AuditNote::new(now, None, AuditKind::Changed, &node.name, what);
        let name = node.name.clone();
        let accepting = async {
            let accepted = self.store.accept_invitation(*join.invitation.as_bytes(), node, now, vec![note]).await?;
            Ok(accepted.map_or((None, Vec::new()), |(trust, entries)| (Some(trust), entries)))
        };
        match self.change(accepting).await {
            Ok(Some(trust)) => {
                tracing::info!(node = %name, %trust, "node has joined");
                Ok(answer(trust))
            }
            Ok(None) => Err("nobody was invited by this token, or it was used, or it is over".to_owned()),
            Err(refusal) => Err(refusal.to_string()),
        }
    }

    async fn rotate(&self, by: &OperatorName) -> Answer {
        let (key, until) = self.keys.rotate(Timestamp::now()).map_err(|error| Refusal::Failed(error.to_string()))?;
        let what = format!("a new key; its fingerprint is {}, the one before counts until {until}", key.fingerprint());
        let note = AuditNote::new(Timestamp::now(), Some(by), AuditKind::Changed, &self.me, what);
        self.bridges.audit(vec![note]).await;
        self.with(|desk, _| desk.dirty = true);
        Ok(NodeReply::Rotated { key, until })
    }

    /// Knows the nodes that the configuration names as it says, and no others that it once named.
    pub(super) async fn take_file(
        &self,
        keys: &std::collections::BTreeMap<NodeName, NodeKey>,
    ) -> Result<(), crate::store::StoreError> {
        let now = Timestamp::now();
        let known = self.store.nodes()?;
        for gone in known.iter().filter(|node| node.configured && !self.config.nodes.contains_key(&node.name)) {
            let note = AuditNote::new(now, None, AuditKind::Changed, &gone.name, "no longer in the configuration");
            self.store.remove_node(gone.name.clone(), now, vec![note]).await?;
        }
        for (name, typed) in &self.config.nodes {
            let Some(key) = keys.get(name) else { continue };
            let before = known.iter().find(|node| node.name == *name);
            let same_key = before.filter(|before| before.keys.iter().any(|pinned| pinned.key == *key));
            let node = KnownNode {
                name: name.clone(),
                url: typed.url.clone(),
                pin: same_key.and_then(|before| before.pin),
                via: typed.via.clone(),
                trust: typed.trust,
                configured: true,
                added: before.map_or(now, |before| before.added),
                keys: same_key.map_or_else(|| PinnedKeys::of(*key, now).0, |before| before.keys.clone()),
                quarantine: before.and_then(|before| before.quarantine.clone()),
            };
            if before != Some(&node) {
                let note = AuditNote::new(now, None, AuditKind::Changed, name, "known by the configuration");
                self.store.keep_node(node, vec![note]).await?;
            }
        }
        Ok(())
    }

    /// Ends a change of this node's key when its day is over, and keeps what others have said of theirs.
    pub(super) async fn settle_keys(&self) {
        match self.keys.settle(Timestamp::now()) {
            Ok(true) => tracing::info!("the key before counts no more"),
            Ok(false) => {}
            Err(error) => tracing::error!(%error, "the change of this node's key could not be finished"),
        }
        self.keep_learned().await;
    }

    /// Keeps the keys that nodes have named by their own word.
    pub(super) async fn keep_learned(&self) {
        for (name, keys) in self.ways.pinned().take_learned() {
            let Ok(mut node) = self.known(&name) else { continue };
            node.keys = keys.0;
            let what = "it has named another key in words signed with the one that counts";
            let note = AuditNote::new(Timestamp::now(), None, AuditKind::Changed, &name, what);
            tracing::info!(node = %name, "node changes its key");
            let kept = self.change(async { Ok(((), self.store.keep_node(node, vec![note]).await?)) }).await;
            if let Err(error) = kept {
                tracing::error!(node = %name, %error, "the new key of a node could not be kept");
            }
        }
    }
}
