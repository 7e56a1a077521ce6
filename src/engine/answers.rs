//! Work that an effect asks for, beside the loop: what is read, written or tried, and the answer to whoever asked.

use std::sync::Arc;

use jiff::Timestamp;

use crate::model::{AuditKind, AuditNote, ContactId, Order, Rejection};
use crate::protocol::{BridgeNotice, Bytes, ClientId, FullEvent, Refusal, Reply, Request, RequestId};
use crate::store::{Patience, Store, StoreError};

use super::access::row;
use super::caught::caught;
use super::checks::history;
use super::driver::Driver;
use super::projector::blocking;
use super::{Aftermath, Input, Occasion, TokenEffect, mint};

/// Answers at once at most; a client that asks for more gets this many and asks again.
pub(super) const PAGE_MAX: usize = 1_000;
/// Messages of a conversation in one answer: their texts come along.
const MESSAGES_MAX: usize = 200;
/// Bytes of an attachment in one answer.
const ATTACHMENT_PART: usize = 1 << 20;

type Answer = Result<(Reply, Option<Aftermath>), Refusal>;

impl Driver {
    /// Answers a question from the store.
    pub(super) fn read(&mut self, client: ClientId, id: RequestId, request: Request) -> Vec<Input> {
        if let Request::Attachment { message, number, offset } = request {
            let projector = Arc::clone(&self.projector);
            return self.answer(client, id, async move {
                let read = blocking(move || projector.attachment(message, number, offset, ATTACHMENT_PART)).await;
                Ok((Reply::Attachment(read.map_err(failed)?.map(Bytes)), None))
            });
        }
        let store = Arc::clone(&self.store);
        let patience = Patience::for_answer();
        if matches!(request, Request::Search { .. })
            && let Some(before) = self.searches.insert(client, patience.clone())
        {
            // Whoever types on does not want to know any more.
            before.end();
        }
        self.answer(client, id, async move {
            let read = blocking(move || read(&store, request, &patience)).await;
            Ok((read.map_err(failed)?, None))
        })
    }

    /// Makes a contact a VIP or not.
    pub(super) fn set_vip(&self, client: ClientId, id: RequestId, contact: ContactId, vip: bool) -> Vec<Input> {
        let store = Arc::clone(&self.store);
        self.answer_in_turn(client, id, async move {
            let found = store.set_vip(contact, vip).await.map_err(failed)?;
            let (contact, work) = found.ok_or_else(|| Refusal::Unknown("no such contact".to_owned()))?;
            Ok((Reply::Contact(Some(Box::new(contact))), Some(Aftermath::Desk(Box::new(work)))))
        })
    }

    /// Has the configuration read again.
    pub(super) fn reload(&self, occasion: Occasion) -> Vec<Input> {
        let reloader = self.reloader.clone();
        let reload = async move {
            let Some(reloader) = reloader else {
                return Err(Refusal::Failed("this engine follows no configuration file".to_owned()));
            };
            let is_asked = occasion != Occasion::Again;
            reloader.reload(is_asked).await.map_err(|fault| Refusal::Failed(fault.shown))?;
            Ok((Reply::Done, None))
        };
        if let Occasion::Client(client, id) = occasion {
            return self.answer(client, id, reload);
        }
        // The engine, the log and the screen hear of it by themselves.
        tokio::spawn(async move { drop(reload.await) });
        Vec::new()
    }

    /// Keeps refusals for a look back.
    pub(super) fn keep(&self, rejections: Vec<Rejection>) -> Vec<Input> {
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

    /// Does something about tokens.
    pub(super) fn token(&self, effect: TokenEffect) -> Vec<Input> {
        match effect {
            TokenEffect::Add { client, by, id, grant } => {
                let (store, bridges) = (Arc::clone(&self.store), Arc::clone(&self.bridges));
                self.answer(client, id, async move {
                    let (hash, token, fresh, entries) =
                        mint::mint(&store, grant, &by, Timestamp::now()).await.map_err(failed)?;
                    bridges.tell_all(BridgeNotice::Audited(entries)).await;
                    let reply = Reply::TokenAdded(Box::new(row(&token, Some(token.role))), fresh);
                    Ok((reply, Some(Aftermath::TokenAdded(hash, token))))
                })
            }
            TokenEffect::Revoke { client, by, id, token } => {
                let (store, bridges) = (Arc::clone(&self.store), Arc::clone(&self.bridges));
                self.answer(client, id, async move {
                    let what = "the token is revoked";
                    let note = AuditNote::new(Timestamp::now(), Some(&by), AuditKind::Changed, token, what);
                    let entries = store.revoke_token(token, note).await.map_err(failed)?;
                    bridges.tell_all(BridgeNotice::Audited(entries)).await;
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
    pub(super) fn answer(
        &self,
        client: ClientId,
        id: RequestId,
        work: impl Future<Output = Answer> + Send + 'static,
    ) -> Vec<Input> {
        let inputs = self.inputs.clone();
        tokio::spawn(async move {
            // The engine is gone only when everything ends.
            let _ = inputs.send(answered(client, id, work).await).await;
        });
        Vec::new()
    }

    /// The same for what is written: in the order it was asked for.
    pub(super) fn answer_in_turn(
        &self,
        client: ClientId,
        id: RequestId,
        work: impl Future<Output = Answer> + Send + 'static,
    ) -> Vec<Input> {
        self.in_turn.put(answered(client, id, work));
        Vec::new()
    }
}

async fn answered(client: ClientId, id: RequestId, work: impl Future<Output = Answer>) -> Input {
    let (reply, aftermath) = match caught(work).await {
        Ok(Ok((reply, aftermath))) => (Ok(reply), aftermath),
        Ok(Err(refusal)) => (Err(refusal), None),
        Err(panicked) => (Err(Refusal::Failed(panicked.to_string())), None),
    };
    Input::Answered { client, id, reply, aftermath }
}

pub(super) fn failed(error: StoreError) -> Refusal {
    match error {
        StoreError::Ended => Refusal::Superseded,
        error => Refusal::Failed(error.to_string()),
    }
}

/// When the day of `now` began, in UTC.
pub(super) fn midnight(now: Timestamp) -> Timestamp {
    const DAY: i64 = 86_400;
    Timestamp::from_second(now.as_second().div_euclid(DAY) * DAY).unwrap_or(now)
}

/// Answers a question from the store.
fn read(store: &Store, request: Request, patience: &Patience) -> Result<Reply, StoreError> {
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
            Reply::Page(store.find(&filter, Order::Newest, before, limit.min(PAGE_MAX), patience)?)
        }
        Request::InboxCount(filter) => Reply::Count(store.inbox_count(&filter)?),
        Request::Unread { limit } => Reply::Messages(store.unread(limit.min(PAGE_MAX))?),
        Request::Search { filter, order, before, limit } => {
            Reply::Page(store.find(&filter, order, before, limit.min(PAGE_MAX), patience)?)
        }
        Request::Conversations { filter, before, limit } => {
            Reply::Conversations(store.conversations(&filter, before, limit.min(PAGE_MAX))?)
        }
        Request::Conversation { id, before, limit } => {
            Reply::Conversation(store.conversation(id, before, limit.min(MESSAGES_MAX))?.map(Box::new))
        }
        Request::Labels => Reply::Labels(store.labels()?),
        Request::Trace(id) => Reply::Trace(store.trace(id)?.map(Box::new)),
        Request::Message(id) => Reply::Message(store.message(id)?.map(Box::new)),
        Request::Contacts { filter, limit } => Reply::Contacts(store.contacts(&filter, limit.min(PAGE_MAX))?),
        Request::Contact(id) => Reply::Contact(store.contact(id)?.map(Box::new)),
        Request::CheckHistory { id, since, until, slots } => {
            Reply::CheckHistory(history(store, &id, since, slots, until.min(Timestamp::now()))?.map(Box::new))
        }
        Request::Stats => Reply::Stats(store.channel_stats(midnight(Timestamp::now()))?),
        Request::Snapshot
        | Request::Overall
        | Request::Figures
        | Request::Health
        | Request::Attachment { .. }
        | Request::Act { .. }
        | Request::Undo(_)
        | Request::Views
        | Request::SaveView { .. }
        | Request::DeleteView(_)
        | Request::Operators
        | Request::SetVip { .. }
        | Request::Person { .. }
        | Request::CheckNow(_)
        | Request::Replay(_)
        | Request::RestartTask(_)
        | Request::Reload
        | Request::WhoAmI
        | Request::Tokens
        | Request::AddToken(_)
        | Request::RevokeToken(_)
        | Request::Bridge(_)
        | Request::Pane(_)
        | Request::Node(_) => unreachable!("the engine turns these into effects of their own"),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::sync::{Mutex, Notify, mpsc};
    use tokio_util::sync::CancellationToken;

    use crate::config;
    use crate::ingress::Swap;
    use crate::model::{Act, ActId, InboxFilter};
    use crate::store::{ActOrder, Blobs, Options};

    use super::super::bridge::{self, BridgeSet, Bridges};
    use super::super::checks::{CheckSet, Checks};
    use super::super::panes::Panes;
    use super::super::projector::{Projector, Reading};
    use super::super::reading_mark::ReadingMark;
    use super::super::reload::Followers;
    use super::super::supervisor::Supervisor;
    use super::*;

    fn driver() -> (tempfile::TempDir, Driver, mpsc::Receiver<Input>) {
        let dir = tempfile::tempdir().expect("temp dir");
        let config = config::parse("", None).expect("defaults");
        let store = Arc::new(Store::open(dir.path(), Options::default()).expect("a store"));
        let (inputs, received) = mpsc::channel(1);
        let projector = Arc::new(Projector {
            store: Arc::clone(&store),
            blobs: Arc::new(Blobs::open(dir.path()).expect("a directory")),
            mark: ReadingMark::open(dir.path()),
            reading: Swap::new(Reading { channels: std::collections::HashMap::new(), vip: config.vip.clone() }),
            inputs: inputs.clone(),
            projected: Notify::new(),
            turn: Mutex::default(),
        });
        let supervisor = Arc::new(Supervisor::new(inputs.clone(), CancellationToken::new()));
        let checks = CheckSet::new(&config).expect("no checks");
        let checks = Arc::new(Checks::new(checks, Arc::clone(&store), inputs.clone()));
        let set = BridgeSet::new(config);
        let opens = bridge::every_layer();
        let bridges = Bridges::new(set, Arc::clone(&store), inputs.clone(), Arc::clone(&checks), opens, true);
        let (bridges, state_dir) = (Arc::new(bridges), dir.path().to_owned());
        let panes = Panes::new(Arc::clone(&bridges), inputs.clone(), bridge::every_layer(), state_dir);
        let followers = Followers { checks, bridges, panes: Arc::new(panes), nodes: None, alone: "" };
        (dir, Driver::new(store, projector, supervisor, None, followers, inputs), received)
    }

    #[tokio::test]
    async fn a_newer_search_of_the_same_client_ends_the_one_before() {
        let (_dir, mut driver, _received) = driver();
        let filter = InboxFilter { text: Some("late".to_owned()), ..InboxFilter::default() };
        let search = Request::Search { filter, order: Order::Best, before: None, limit: 1 };
        driver.read(ClientId(1), RequestId(1), search.clone());
        let first = driver.searches[&ClientId(1)].clone();
        driver.read(ClientId(2), RequestId(2), search.clone());
        driver.read(ClientId(1), RequestId(3), Request::Unread { limit: 1 });
        assert!(!first.is_ended(), "others, and what is no search, leave it alone");
        driver.read(ClientId(1), RequestId(4), search.clone());
        assert!(first.is_ended());
        assert!(!driver.searches[&ClientId(1)].is_ended());
        let answer = read(&driver.store, search, &first).map_err(failed);
        assert!(matches!(answer, Err(Refusal::Superseded)), "{answer:?}");
    }

    /// Every task has gone as far as it can, and the store has written what it was given.
    async fn settled(driver: &Driver) {
        for _ in 0..10 {
            driver.store.pulse().answered().await.expect("the writer answers");
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn an_act_has_the_turn_until_the_loop_is_told() {
        let (_dir, driver, mut received) = driver();
        let (projector, inputs) = (Arc::clone(&driver.projector), driver.inputs.clone());

        let turn = projector.turn.lock().await;
        let order = ActOrder {
            id: ActId::from_uuid(uuid::Uuid::nil()),
            on: Vec::new(),
            act: Act::Read,
            who: "otto".to_owned(),
            seen: None,
        };
        driver.act(ClientId(1), RequestId(1), order);
        settled(&driver).await;
        assert!(received.try_recv().is_err(), "a reload counts: it waits");
        inputs.send(Input::Tick).await.expect("there is room for one");
        drop(turn);
        settled(&driver).await;
        assert!(projector.turn.try_lock().is_err(), "the loop is not told yet");
        assert!(matches!(received.recv().await, Some(Input::Tick)));
        assert!(matches!(received.recv().await, Some(Input::Answered { id: RequestId(1), .. })));
        drop(projector.turn.lock().await);
    }

    #[tokio::test]
    async fn a_panic_is_answered_and_those_behind_it_go_on() {
        let (_dir, driver, mut received) = driver();
        driver.answer(ClientId(1), RequestId(1), async { panic!("a defect") });
        let answered = received.recv().await;
        let Some(Input::Answered { id: RequestId(1), reply: Err(why), .. }) = answered else { panic!("{answered:?}") };
        assert!(why.to_string().contains("a panic"), "{why}");
        driver.in_turn.put(async { panic!("nobody asked for it") });
        driver.answer_in_turn(ClientId(1), RequestId(2), async { panic!("a defect") });
        driver.answer_in_turn(ClientId(1), RequestId(3), async { Ok((Reply::Done, None)) });
        for (n, is_done) in [(2, false), (3, true)] {
            let input = tokio::time::timeout(Duration::from_mins(1), received.recv()).await.expect("it is answered");
            let Some(Input::Answered { id, reply, .. }) = input else { panic!("{input:?}") };
            assert_eq!((id, reply.is_ok()), (RequestId(n), is_done));
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn writes_are_done_in_the_order_they_were_asked_for() {
        let (_dir, driver, mut received) = driver();
        let order = |n: u128| ActOrder {
            id: ActId::from_uuid(uuid::Uuid::from_u128(n)),
            on: Vec::new(),
            act: Act::Read,
            who: "otto".to_owned(),
            seen: None,
        };
        for n in 1..=200 {
            driver.act(ClientId(1), RequestId(n), order(n.into()));
        }
        for n in 1..=200 {
            let input = received.recv().await;
            assert!(matches!(input, Some(Input::Answered { id: RequestId(id), .. }) if id == n), "{n}: {input:?}");
        }
    }
}
