//! Who answers other nodes here.

use std::sync::Arc;

use jiff::Timestamp;

use crate::federation::{Answered, Answerer, MemberInput, PROBE_WITHIN, TokenAnswerer, TokenRefusal};
use crate::model::{NodeName, SharedEvent, TokenHash};
use crate::protocol::{
    Beat, BeatAnswer, Join, JoinAnswer, NodeReply, NodeRequest, NodesPanel, Page, PageAsk, PageRefusal, Probe,
    ProbeAnswer, Refusal, RemoteAct, RemoteActAnswer, Reply, Request,
};

use super::super::projector::blocking;
use super::super::{Credential, TurnedAway};
use super::acting::ask;
use super::service::Nodes;

/// The nodes, for who asks from outside.
pub(super) struct Desks(pub Arc<Nodes>);

impl Answerer for Desks {
    fn page(&self, from: NodeName, ask: PageAsk) -> Answered<'_, Result<Page, PageRefusal>> {
        Box::pin(async move {
            let nodes = &self.0;
            if from != nodes.me {
                nodes.tell(MemberInput::Noticed(from.clone()));
            }
            let at_once = PageAsk { wait: 0, ..ask.clone() };
            let feed = nodes.feed();
            let page = tokio::select! {
                page = feed.page(ask) => page,
                // Who waits for entries does not keep this node from stopping.
                () = nodes.handle.stopped() => feed.page(at_once).await,
            };
            let page = page.unwrap_or_else(|error| {
                tracing::warn!(%error, node = %from, "a page for another node could not be read");
                Err(PageRefusal::Unknown)
            })?;
            let bytes = page.events.iter().map(SharedEvent::weight).sum();
            if from != nodes.me {
                nodes.with(|desk, _| desk.count(&from, 0, bytes));
            }
            Ok(page)
        })
    }

    fn beat(&self, from: NodeName, mut beat: Beat) -> Answered<'_, Result<BeatAnswer, String>> {
        Box::pin(async move {
            let (nodes, node) = (&self.0, &from);
            let received = Timestamp::now();
            if let Some(why) = nodes.with(|desk, _| desk.members.objection(node, &beat)) {
                return Err(why);
            }
            nodes.keep_learned().await;
            nodes.heard(node, &mut beat).await;
            nodes.tell(MemberInput::Heard { from: node.clone(), beat: Box::new(beat) });
            let (store, whose) = (Arc::clone(&nodes.store), node.clone());
            // Without it the other one hears of a backup that was restored by its next heartbeat.
            let holds = blocking(move || store.held_head(&whose)).await.unwrap_or_default();
            let keys = nodes.keys.public();
            let beat = nodes.with(|desk, now| desk.beat(node, keys, now));
            let asks = nodes.known(node).is_ok_and(|node| node.url.is_none() && node.via.is_none());
            Ok(BeatAnswer { beat, received, holds, asks })
        })
    }

    fn probe(&self, from: NodeName, probe: Probe) -> Answered<'_, ProbeAnswer> {
        Box::pin(async move {
            self.0.tell(MemberInput::Noticed(from));
            ProbeAnswer { reached: self.0.beat_to(&probe.whom, PROBE_WITHIN).await }
        })
    }

    fn act(&self, from: NodeName, act: RemoteAct) -> Answered<'_, RemoteActAnswer> {
        Box::pin(async move { self.0.acted(from, act).await })
    }

    fn join(&self, join: Join) -> Answered<'_, Result<JoinAnswer, String>> {
        Box::pin(async move { self.0.joined(join).await })
    }
}

impl TokenAnswerer for Desks {
    fn nodes(&self, token: TokenHash) -> Answered<'_, Result<Box<NodesPanel>, TokenRefusal>> {
        Box::pin(async move {
            let joined = self.0.handle.join(Credential::Token(token), false, true).await;
            let joined = joined.map_err(|why| match why {
                TurnedAway::Unrecognised(why) => TokenRefusal::Unknown(why),
                TurnedAway::Denied(why) => TokenRefusal::Denied(why),
                TurnedAway::Stopped => TokenRefusal::Unavailable(why.to_string()),
            })?;
            match ask(joined, Request::Node(NodeRequest::List)).await {
                Ok(Reply::Node(NodeReply::Nodes(panel))) => Ok(panel),
                Ok(_) => Err(TokenRefusal::Unavailable("the engine answered something else than was asked".to_owned())),
                Err(Refusal::Denied(why)) => Err(TokenRefusal::Denied(why)),
                Err(refusal) => Err(TokenRefusal::Unavailable(refusal.to_string())),
            }
        })
    }
}
