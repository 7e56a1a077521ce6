//! Performs effects and brings their results back as inputs.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};

use crate::model::Identity;
use crate::protocol::{Bytes, ClientId, FullEvent, Notice, Refusal, Reply, Request, RequestId, StoreFigures, Update};
use crate::store::{Store, StoreError};

use super::checks::{Checks, history};
use super::projector::{Projector, blocking};
use super::reload::Reloader;
use super::supervisor::Supervisor;
use super::watchdog::LOOP;
use super::{Aftermath, Effect, Engine, Input, TokenEffect, TurnedAway, mint};

/// Answers at once at most; a client that asks for more gets this many and asks again.
const PAGE_MAX: usize = 1_000;
/// Bytes of an attachment in one answer.
const ATTACHMENT_PART: usize = 1 << 20;

struct Outbox {
    sender: mpsc::Sender<Update>,
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
    reloader: Option<Arc<Reloader>>,
    checks: Arc<Checks>,
    pub inputs: mpsc::Sender<Input>,
    clients: HashMap<ClientId, Outbox>,
}

type Answer = Result<(Reply, Option<Aftermath>), Refusal>;

impl Driver {
    pub(super) fn new(
        store: Arc<Store>,
        projector: Arc<Projector>,
        supervisor: Arc<Supervisor>,
        reloader: Option<Arc<Reloader>>,
        checks: Arc<Checks>,
        inputs: mpsc::Sender<Input>,
    ) -> Self {
        Self { store, projector, supervisor, reloader, checks, inputs, clients: HashMap::new() }
    }

    /// The loop: wait, decide, do.
    pub(super) async fn run(mut self, mut engine: Engine) {
        let supervisor = Arc::clone(&self.supervisor);
        let part = supervisor.parts.begin(LOOP);
        while !engine.is_done() {
            part.turns.another();
            let mut input = engine.select().await;
            if let Input::Joined { client, outbox, admission, follow, .. } = &mut input {
                let outbox =
                    Outbox { sender: outbox.clone(), admission: admission.take(), follow: *follow, lagging: false };
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
                Vec::new()
            }
            Effect::Read { client, id, request: Request::Attachment { message, number, offset } } => {
                let projector = Arc::clone(&self.projector);
                self.answer(client, id, async move {
                    let read = blocking(move || projector.attachment(message, number, offset, ATTACHMENT_PART)).await;
                    Ok((Reply::Attachment(read.map_err(failed)?.map(Bytes)), None))
                })
            }
            Effect::Read { client, id, request } => {
                let store = Arc::clone(&self.store);
                self.answer(client, id, async move {
                    let read = blocking(move || Ok(read(&store, request))).await;
                    Ok((read.and_then(|reply| reply).map_err(failed)?, None))
                })
            }
            Effect::Figures { client, id, mut figures } => {
                figures.looks = self.checks.measures().figures();
                figures.store = store_figures(&self.store);
                let reply = Update::Reply { id, reply: Ok(Reply::Figures(figures)) };
                self.send(client, reply).into_iter().collect()
            }
            Effect::Mark { client, id, ids, mark, who } => {
                let store = Arc::clone(&self.store);
                self.answer(client, id, async move {
                    let who = who.as_str().to_owned();
                    let (marks, unread) = store.mark(ids, mark, who, Timestamp::now()).await.map_err(failed)?;
                    if marks.is_empty() {
                        return Err(Refusal::Unknown("no such message".to_owned()));
                    }
                    Ok((Reply::Marked(marks.clone()), Some(Aftermath::Marked { marks, unread })))
                })
            }
            Effect::SetVip { client, id, contact, vip } => {
                let store = Arc::clone(&self.store);
                self.answer(client, id, async move {
                    let found = store.set_vip(contact, vip).await.map_err(failed)?;
                    let (contact, unread) = found.ok_or_else(|| Refusal::Unknown("no such contact".to_owned()))?;
                    let aftermath = Aftermath::Vip { contact: contact.id, vip, unread };
                    Ok((Reply::Contact(Some(Box::new(contact))), Some(aftermath)))
                })
            }
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
            Effect::Token(effect) => self.token(effect),
            Effect::RestartTask(name) => {
                self.supervisor.restart(&name);
                Vec::new()
            }
            Effect::Reload(asked) => {
                let reloader = self.reloader.clone();
                let reload = async move {
                    let Some(reloader) = reloader else {
                        return Err(Refusal::Failed("this engine follows no configuration file".to_owned()));
                    };
                    reloader.reload().await.map_err(|fault| Refusal::Failed(fault.shown))?;
                    Ok((Reply::Done, None))
                };
                match asked {
                    Some((client, id)) => self.answer(client, id, reload),
                    None => {
                        // The engine, the log and the screen hear of it by themselves.
                        tokio::spawn(async move { drop(reload.await) });
                        Vec::new()
                    }
                }
            }
            Effect::KeepRejections(rejections) => {
                let store = Arc::clone(&self.store);
                tokio::spawn(async move {
                    match store.keep_rejections(rejections).await {
                        // The store says itself what is wrong with the disk, once.
                        Ok(()) | Err(StoreError::Disk { .. }) => {}
                        Err(error) => {
                            tracing::warn!(%error, "failed to keep refusals; they are shown until the engine stops");
                        }
                    }
                });
                Vec::new()
            }
        }
    }

    fn token(&self, effect: TokenEffect) -> Vec<Input> {
        match effect {
            TokenEffect::Add { client, id, wish } => {
                let store = Arc::clone(&self.store);
                self.answer(client, id, async move {
                    let (hash, token, fresh) = mint::mint(&store, wish, Timestamp::now()).await.map_err(failed)?;
                    let reply = Reply::TokenAdded(Box::new(token.clone()), fresh);
                    Ok((reply, Some(Aftermath::TokenAdded(hash, token))))
                })
            }
            TokenEffect::Revoke { client, id, token } => {
                let store = Arc::clone(&self.store);
                self.answer(client, id, async move {
                    store.revoke_token(token).await.map_err(failed)?;
                    Ok((Reply::Done, Some(Aftermath::TokenRevoked(token))))
                })
            }
            TokenEffect::Used(token, at) => {
                let store = Arc::clone(&self.store);
                tokio::spawn(async move {
                    if let Err(error) = store.token_used(token, at).await {
                        tracing::warn!(%error, "failed to remember when a token was used");
                    }
                });
                Vec::new()
            }
        }
    }

    /// Works out an answer beside the loop.
    fn answer(
        &self,
        client: ClientId,
        id: RequestId,
        work: impl Future<Output = Answer> + Send + 'static,
    ) -> Vec<Input> {
        let inputs = self.inputs.clone();
        tokio::spawn(async move {
            let (reply, aftermath) = match work.await {
                Ok((reply, aftermath)) => (Ok(reply), aftermath),
                Err(refusal) => (Err(refusal), None),
            };
            // The engine is gone only when everything ends.
            let _ = inputs.send(Input::Answered { client, id, reply, aftermath }).await;
        });
        Vec::new()
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
            // The same: it leaves as its outbox is found closed.
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

#[expect(clippy::needless_pass_by_value, reason = "it is the last word of an error's way, as `map_err` hands it over")]
fn failed(error: StoreError) -> Refusal {
    Refusal::Failed(error.to_string())
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

/// When the day of `now` began, in UTC.
fn midnight(now: Timestamp) -> Timestamp {
    const DAY: i64 = 86_400;
    Timestamp::from_second(now.as_second().div_euclid(DAY) * DAY).unwrap_or(now)
}

/// Answers a question from the store.
fn read(store: &Store, request: Request) -> Result<Reply, StoreError> {
    Ok(match request {
        Request::Events { filter, after: Some(after), limit, .. } => {
            Reply::Events(store.events_after(&filter, after, limit.min(PAGE_MAX))?)
        }
        Request::Events { filter, before, limit, .. } => {
            Reply::Events(store.events(&filter, before, limit.min(PAGE_MAX))?)
        }
        Request::EventCount(filter) => Reply::Count(store.event_count(&filter)?),
        Request::Event(id) => Reply::Event(store.event(id)?.map(|raw| {
            Box::new(FullEvent { event: raw.event, headers: raw.headers, body: raw.body, report: raw.report })
        })),
        Request::Inbox { filter, before, limit } => {
            Reply::Messages(store.inbox(&filter, before, limit.min(PAGE_MAX))?)
        }
        Request::InboxCount(filter) => Reply::Count(store.inbox_count(&filter)?),
        Request::NextUnread => Reply::Messages(store.next_unread()?.into_iter().collect()),
        Request::Search { query, before, limit } => {
            Reply::Messages(store.search(&query, before, limit.min(PAGE_MAX))?)
        }
        Request::Message(id) => Reply::Message(store.message(id)?.map(Box::new)),
        Request::Contacts { filter, limit } => Reply::Contacts(store.contacts(&filter, limit.min(PAGE_MAX))?),
        Request::Contact(id) => Reply::Contact(store.contact(id)?.map(Box::new)),
        Request::CheckHistory { id, since, slots } => {
            Reply::CheckHistory(history(store, &id, since, slots, Timestamp::now())?.map(Box::new))
        }
        Request::Stats => Reply::Stats(store.channel_stats(midnight(Timestamp::now()))?),
        Request::Snapshot
        | Request::Overall
        | Request::Figures
        | Request::Health
        | Request::Attachment { .. }
        | Request::Mark { .. }
        | Request::SetVip { .. }
        | Request::CheckNow(_)
        | Request::Replay(_)
        | Request::RestartTask(_)
        | Request::Reload
        | Request::WhoAmI
        | Request::Tokens
        | Request::AddToken(_)
        | Request::RevokeToken(_) => unreachable!("the engine turns these into effects of their own"),
    })
}
