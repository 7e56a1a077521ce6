//! What clients ask about nodes, answered beside the loop.

use std::sync::Arc;

use jiff::Timestamp;

use crate::config::is_node_url;
use crate::federation::{JoinFault, JoinToken, fits, join_at, kept_url};
use crate::model::{AuditKind, AuditNote, Identity, Invitation, NodeKey, NodeName, OperatorName, PinnedKeys, Trust};
use crate::protocol::{Join, JoinAnswer, NodeReply, NodeRequest, Refusal};
use crate::store::KnownNode;

use super::super::answers::failed;
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
                if self.named.get().contains(&name) {
                    return Err(Refusal::Failed(format!(
                        "{name} stands in the configuration; take its [[nodes]] out there"
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
        let inviting = self.store.invite(hash, trust, now, token.expires, vec![note]);
        self.change(async { Ok(((), inviting.await.map_err(failed)?)) }).await?;
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
        self.change(async {
            let node = made_known(self.known(&node.name).ok().as_ref(), node);
            let what =
                format!("joined; it has the trust `{}` here, and this node `{}` there", node.trust, answer.trust);
            let note = AuditNote::new(now, Some(by), AuditKind::Changed, &node.name, what);
            Ok(((), self.store.keep_node(node, vec![note]).await.map_err(failed)?))
        })
        .await?;
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
        self.change(async {
            self.has_room(&name, &key, now).map_err(|fault| Refusal::Failed(fault.to_string()))?;
            let before = self.known(&name).ok();
            if let Some(known) = before.as_ref().filter(|known| !known.is_vouched()) {
                if known.configured {
                    let what = format!("{name} stands in the configuration; change its [[nodes]] there");
                    return Err(Refusal::Failed(what));
                }
                if known.trust != trust {
                    let known = known.trust;
                    let what =
                        format!("{name} is known with the trust `{known}`; `aurora node trust {name}` changes that");
                    return Err(Refusal::Failed(what));
                }
            }
            let node = KnownNode {
                name: name.clone(),
                url: Some(url.trim_end_matches('/').to_owned()),
                pin: before.as_ref().and_then(|known| known.pin),
                via: None,
                trust,
                configured: false,
                added: now,
                keys: PinnedKeys::of(key, now).0,
                quarantine: None,
            };
            let node = made_known(before.as_ref(), node);
            let what = format!("added with the trust `{trust}`");
            let note = AuditNote::new(now, Some(by), AuditKind::Changed, &name, what);
            Ok(((), self.store.keep_node(node, vec![note]).await.map_err(failed)?))
        })
        .await?;
        Ok(NodeReply::Done)
    }

    /// Whether a node of this name and key can be known here.
    fn has_room(&self, name: &NodeName, key: &NodeKey, now: Timestamp) -> Result<(), JoinFault> {
        let pinned = self.pinned();
        fits((name, *key), (&self.me, self.keys.key()), pinned.iter().map(|(name, keys)| (name, keys)), now)
    }

    fn pinned(&self) -> Vec<(NodeName, PinnedKeys)> {
        self.with(|desk, _| {
            desk.known.values().map(|node| (node.name.clone(), PinnedKeys(node.keys.clone()))).collect()
        })
    }

    /// A node wants to join that has proven its key and that of an invitation.
    pub(super) async fn joined(&self, join: Join) -> Result<JoinAnswer, String> {
        let now = Timestamp::now();
        let name = join.node.clone();
        let accepting = async {
            let said = |fault: JoinFault| Refusal::Failed(fault.to_string());
            self.has_room(&name, &join.key, now).map_err(said)?;
            let before = self.known(&name).ok();
            let node = KnownNode {
                name: name.clone(),
                url: kept_url(&join),
                pin: join.pin,
                via: None,
                trust: Trust::default(),
                configured: false,
                added: now,
                keys: PinnedKeys::of(join.key, now).0,
                quarantine: None,
            };
            let what = format!("joined by an invitation; its fingerprint is {}", join.key.fingerprint());
            let note = AuditNote::new(now, None, AuditKind::Changed, &name, what);
            let node = made_known(before.as_ref(), node);
            let accepted = self.store.accept_invitation(*join.invitation.as_bytes(), node, now, vec![note]).await;
            match (accepted.map_err(failed)?, before) {
                (Some((trust, entries)), _) => Ok((trust, entries)),
                // Its answer was lost, and it asks again: nothing changes by that.
                (None, Some(known)) if !known.is_vouched() => Ok((known.trust, Vec::new())),
                (None, _) => {
                    let why = "nobody was invited by this token, or it was used, or it is over";
                    Err(Refusal::Failed(why.to_owned()))
                }
            }
        };
        let trust = self.change(accepting).await.map_err(|refusal| refusal.to_string())?;
        tracing::info!(node = %name, %trust, "node has joined");
        Ok(JoinAnswer { node: self.me.clone(), key: self.keys.key(), trust })
    }

    async fn rotate(&self, by: &OperatorName) -> Answer {
        let (key, until) = self.keys.rotate(Timestamp::now()).map_err(|error| Refusal::Failed(error.to_string()))?;
        let what = format!("a new key; its fingerprint is {}, the one before counts until {until}", key.fingerprint());
        let note = AuditNote::new(Timestamp::now(), Some(by), AuditKind::Changed, &self.me, what);
        self.bridges.audit(vec![note]).await;
        self.with(|desk, _| desk.dirty = true);
        Ok(NodeReply::Rotated { key, until })
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
        for name in self.ways.pinned().take_learned() {
            let what = "it has named another key in words signed with the one that counts";
            let keeping = async {
                // Read when nobody changes it any more: it may have been removed, or known anew by another key.
                let Some(keys) = self.ways.pinned().pinned(&name) else { return Ok(((), Vec::new())) };
                let note = AuditNote::new(Timestamp::now(), None, AuditKind::Changed, &name, what);
                Ok(((), self.store.keep_keys(name.clone(), keys, vec![note]).await.map_err(failed)?))
            };
            match self.change(keeping).await {
                Ok(()) => tracing::info!(node = %name, "node changes its key"),
                Err(error) => tracing::error!(node = %name, %error, "the new key of a node could not be kept"),
            }
        }
    }
}

/// What is kept of a node that an operator makes known: its address, certificate and trust are what `fresh` says. What the
/// configuration says of it stays, and so do the keys that are pinned, and a quarantine: only `aurora node trust` ends one.
fn made_known(before: Option<&KnownNode>, fresh: KnownNode) -> KnownNode {
    let Some(before) = before else { return fresh };
    let said = if before.configured { before } else { &fresh };
    KnownNode {
        url: said.url.clone(),
        via: said.via.clone(),
        trust: said.trust,
        configured: before.configured,
        added: before.added,
        // Those that somebody else named count no more.
        keys: if before.is_vouched() { fresh.keys.clone() } else { before.keys.clone() },
        quarantine: before.quarantine.clone(),
        ..fresh
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Quarantine;

    #[test]
    fn who_is_made_known_again_moves_and_stays_in_quarantine() {
        let key = |byte| PinnedKeys::of(NodeKey::from_bytes([byte; 32]), Timestamp::UNIX_EPOCH).0;
        let before = KnownNode {
            name: "hub-2".parse().expect("a name"),
            url: Some("https://old.example.org:9292".into()),
            pin: Some([1; 32]),
            via: None,
            trust: Trust::Report,
            configured: false,
            added: Timestamp::UNIX_EPOCH,
            keys: [key(1), key(2)].concat(),
            quarantine: Some(Quarantine { since: Timestamp::UNIX_EPOCH, why: "it lied".into() }),
        };
        let fresh = KnownNode {
            url: Some("https://new.example.org:9292".into()),
            pin: Some([2; 32]),
            trust: Trust::Command,
            added: Timestamp::MAX,
            keys: key(2),
            quarantine: None,
            ..before.clone()
        };
        assert_eq!(made_known(None, fresh.clone()), fresh);
        let moved = KnownNode { url: fresh.url.clone(), pin: fresh.pin, trust: Trust::Command, ..before.clone() };
        assert_eq!(made_known(Some(&before), fresh.clone()), moved);
        let of_the_file = KnownNode { configured: true, ..before.clone() };
        let pinned = KnownNode { pin: fresh.pin, ..of_the_file.clone() };
        assert_eq!(made_known(Some(&of_the_file), fresh.clone()), pinned, "the file says where it is, and its trust");
        let vouched = KnownNode { via: Some("hub-3".parse().expect("a name")), keys: key(7), ..before };
        let in_earnest = made_known(Some(&vouched), fresh.clone());
        assert_eq!((in_earnest.via, in_earnest.keys), (None, fresh.keys));
    }
}
