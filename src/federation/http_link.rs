//! The link over HTTP: long polls for entries, and questions that are answered at once.

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::model::NodeName;
use crate::net::{HttpClient, KnownNodes, NodeKeys};
use crate::protocol::{
    Beat, BeatAnswer, Errand, ErrandAnswer, Page, PageAsk, PageRefusal, Probe, ProbeAnswer, RemoteAct, RemoteActAnswer,
};

use super::http_call::{Caller, Question, Said};
use super::http_wire::{
    self as wire, ACT, ACT_ANSWER_MAX, BEAT_MAX, ERRANDS_MAX, HEARTBEAT, PAGE_MAX, PROBE, SMALL_MAX,
};
use super::link::{ASK_AT_ONCE, ASK_ORDER, ASK_PAGE};
use super::{Answer, EventLink, LinkError};

/// The way to one node over HTTP.
#[derive(Debug, Clone)]
pub struct HttpLink {
    caller: Caller,
    known: Arc<KnownNodes>,
}

impl HttpLink {
    /// The way from `me` to `peer`, which listens at `url`. `http` comes from [`crate::net::node_client`].
    #[must_use]
    pub fn new(
        http: HttpClient,
        url: &str,
        peer: NodeName,
        me: NodeName,
        keys: Arc<NodeKeys>,
        known: Arc<KnownNodes>,
    ) -> Self {
        Self { caller: Caller { http, url: url.trim_end_matches('/').to_owned(), peer, me, keys }, known }
    }

    async fn ask(&self, question: Question) -> Result<Said, LinkError> {
        let trusted = self.known.keys(&self.caller.peer, Timestamp::now());
        self.caller.ask(question, &trusted).await
    }

    async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        asked: &impl Serialize,
        most: usize,
        time: Duration,
    ) -> Result<(T, Said), LinkError> {
        let body = serde_json::to_vec(asked).map_err(|error| LinkError::Unusable(error.to_string()))?;
        let said = self.ask(Question { method: Method::POST, path: path.to_owned(), body, most, time }).await?;
        Ok((said.parsed()?, said))
    }
}

impl EventLink for HttpLink {
    fn page<'a>(&'a self, ask: &'a PageAsk) -> Answer<'a, Result<Page, PageRefusal>> {
        Box::pin(async move {
            let time = ASK_PAGE + Duration::from_secs(ask.wait);
            let path = wire::page_path(ask);
            let said = self.ask(Question { method: Method::GET, path, body: Vec::new(), most: PAGE_MAX, time }).await?;
            // A refusal of the log is JSON with a name; any other problem is one of the door.
            if let Ok(refusal) = serde_json::from_slice::<PageRefusal>(&said.body)
                && wire::status_of(&refusal) == said.status
            {
                return Ok(Err(refusal));
            }
            said.parsed::<Page>()?.answers(ask).map(Ok).map_err(LinkError::Unusable)
        })
    }

    fn beat<'a>(&'a self, beat: &'a Beat) -> Answer<'a, BeatAnswer> {
        Box::pin(async move {
            let (answer, said): (BeatAnswer, Said) = self.post(HEARTBEAT, beat, BEAT_MAX, ASK_AT_ONCE).await?;
            let peer = &self.caller.peer;
            answer.is_of(peer).map_err(LinkError::Unusable)?;
            self.known.learn(peer, &answer.beat.keys, said.key, Timestamp::now());
            Ok(answer)
        })
    }

    fn probe<'a>(&'a self, probe: &'a Probe) -> Answer<'a, ProbeAnswer> {
        Box::pin(async move { Ok(self.post(PROBE, probe, SMALL_MAX, ASK_AT_ONCE).await?.0) })
    }

    fn act<'a>(&'a self, act: &'a RemoteAct) -> Answer<'a, RemoteActAnswer> {
        Box::pin(async move { Ok(self.post(ACT, act, ACT_ANSWER_MAX, ASK_ORDER).await?.0) })
    }

    fn errands(&self, wait: u64) -> Answer<'_, Vec<Errand>> {
        Box::pin(async move {
            let (path, time) = (wire::errands_path(wait), ASK_AT_ONCE + Duration::from_secs(wait));
            let question = Question { method: Method::GET, path, body: Vec::new(), most: ERRANDS_MAX, time };
            self.ask(question).await?.parsed()
        })
    }

    fn answer<'a>(&'a self, number: u64, answer: &'a ErrandAnswer) -> Answer<'a, ()> {
        Box::pin(async move {
            let path = wire::errand_path(number);
            self.post::<()>(&path, answer, SMALL_MAX, ASK_ORDER).await?;
            Ok(())
        })
    }
}
